"""Embeddings kept on disk: found again bit for bit, made again when damaged."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from micrographia.embed.cache import cached_embeddings, embedding_cache
from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError


class Counting(Encoder):
    """Embeds an image as its mean, and counts how many it has seen."""

    def __init__(self, version="0" * 16, name="counting"):
        super().__init__(
            name=name, version=version, sees=True, reads=False, shared_space=False, licence="none", caution=""
        )
        self.seen = 0

    def embed_images(self, frames, *, batch=8):
        for frame in frames:
            self.seen += 1
            yield ImageEmbedding(
                whole=np.array([frame.mean(), 1 / 3], dtype=np.float32),
                patches=frame[:2, :3, None].astype(np.float32),
                patch_px=16.25,
            )


def test_what_is_kept_comes_back_bit_for_bit_without_the_encoder(frames, tmp_path):
    many = frames((40, 40), (50, 40), (40, 50))
    encoder = Counting()
    first = list(cached_embeddings(encoder, many, folder=tmp_path))
    again = list(cached_embeddings(encoder, many, folder=tmp_path))
    assert encoder.seen == 3
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.whole, b.whole)
        np.testing.assert_array_equal(a.patches, b.patches)
        assert (a.patch_px, a.whole.dtype) == (b.patch_px, b.whole.dtype)


def test_only_what_is_not_kept_goes_through_the_encoder_and_the_order_stays(frames, tmp_path):
    many = frames((40, 40), (50, 40), (40, 50), (60, 60))
    encoder = Counting()
    list(cached_embeddings(encoder, many[1:3], folder=tmp_path))
    found = list(cached_embeddings(encoder, many, batch=3, folder=tmp_path))
    assert encoder.seen == 4
    np.testing.assert_allclose([f.whole[0] for f in found], [m.mean() for m in many], rtol=1e-5)


def test_another_version_kind_shape_type_or_pixel_is_another_entry(frames, tmp_path):
    (frame,) = frames((40, 60))
    changed = frame.copy()
    changed[3, 3] += 1
    seen = 0
    for encoder, image in (
        (Counting(), frame),
        (Counting(version="1" * 16), frame),
        (Counting(name="other:x"), frame),
        (Counting(), frame.reshape(60, 40)),
        (Counting(), frame.astype(np.float64)),
        (Counting(), changed),
    ):
        list(cached_embeddings(encoder, [image], folder=tmp_path))
        seen += encoder.seen
    assert seen == 6
    assert len(list(tmp_path.glob("*.npz"))) == 6


def test_the_place_of_a_checkpoint_does_not_matter(frames, tmp_path):
    here, there = Counting(name="clip:/here"), Counting(name="clip:/there")
    list(cached_embeddings(here, frames((40, 40)), folder=tmp_path))
    list(cached_embeddings(there, frames((40, 40)), folder=tmp_path))
    assert (here.seen, there.seen) == (1, 0)


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "other"])
def test_a_damaged_entry_is_made_again_and_said(damage, frames, tmp_path):
    encoder = Counting()
    (good,) = cached_embeddings(encoder, frames((40, 40)), folder=tmp_path)
    (file,) = tmp_path.glob("*.npz")
    raw = file.read_bytes()
    middle = raw.index(good.whole.tobytes())
    if damage == "other":
        np.savez(file, whole=np.array([np.nan]), patches=np.zeros((1, 1, 1)), patch_px=1.0)
    else:
        flipped = raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]
        file.write_bytes({"cut": raw[: len(raw) // 2], "empty": b"", "flipped": flipped}[damage])
    notes = []
    (again,) = cached_embeddings(encoder, frames((40, 40)), folder=tmp_path, note=notes.append)
    assert encoder.seen == 2
    assert len(notes) == 1
    assert "damaged" in notes[0]
    np.testing.assert_array_equal(good.whole, again.whole)
    list(cached_embeddings(encoder, frames((40, 40)), folder=tmp_path, note=notes.append))
    assert (encoder.seen, len(notes)) == (2, 1)


def test_a_folder_that_cannot_be_made_is_done_without(frames, tmp_path):
    (tmp_path / "file").write_text("in the way")
    (found,) = cached_embeddings(Counting(), frames((40, 40)), folder=tmp_path / "file" / "cache")
    assert found.whole.shape == (2,)


def test_an_image_that_is_refused_leaves_those_before_it_kept(tmp_path, frames):
    class Picky(Counting):
        def embed_images(self, frames, *, batch=8):
            for embedding, frame in zip(super().embed_images(frames), frames, strict=True):
                if frame.shape[0] == 50:
                    raise InputError("too odd")
                yield embedding

    with pytest.raises(InputError, match="too odd"):
        list(cached_embeddings(Picky(), frames((40, 40), (50, 40)), folder=tmp_path))
    assert len(list(tmp_path.glob("*.npz"))) == 1
    assert not list(tmp_path.glob("*.part"))


def _fill(folder, seed):
    rng = np.random.default_rng(0)
    images = [rng.normal(0, 1, (40, 40)).astype(np.float32) for _ in range(20)]
    order = np.random.default_rng(seed).permutation(20)
    return [float(e.whole[0]) for e in cached_embeddings(Counting(), [images[k] for k in order], folder=folder)]


def test_two_processes_share_a_folder(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for order in pool.starmap(_fill, [(tmp_path, 1), (tmp_path, 2)]):
            assert len(order) == 20
    assert len(list(tmp_path.glob("*.npz"))) == 20
    assert not list(tmp_path.glob("*.part"))


def test_the_folder_is_that_of_the_projects_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGRAPHIA_CACHE", str(tmp_path))
    assert embedding_cache() == tmp_path / "embeddings"
