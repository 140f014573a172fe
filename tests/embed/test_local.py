"""The packaged image encoder: its vectors against the network itself, of any size, in any batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micrographia.embed import local
from micrographia.embed.choose import load_embedder
from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError
from micrographia.segment.network.encoder import load_encoder
from micrographia.segment.network.normalise import normalised


@pytest.fixture(scope="module")
def encoder():
    return load_embedder("efficientnet-lite0")


def alike(found, expected):
    """Equal to 1e-5 of the largest, which is what single precision leaves of sums in another order."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_vectors_are_the_statistics_of_the_networks_maps(encoder, frames):
    (frame,) = frames((96, 128))
    (found,) = encoder.embed_images([frame])
    grey = torch.tensor(normalised(frame))[None, None]
    closer = torch.nn.functional.interpolate(grey, scale_factor=2, mode="bicubic")
    network = load_encoder("efficientnet-lite0").eval()
    expected = []
    with torch.no_grad():
        maps = network(grey)
        for seen in (maps, network(closer)):
            parts = [m[0].numpy().astype(np.float64) for m in seen]
            for statistic in (np.mean, np.std, np.max, np.min):
                blocks = [statistic(m, axis=(1, 2)) for m in parts]
                expected += [b / np.sqrt((b**2).mean()) for b in blocks]
    alike(found.whole, np.concatenate(expected))
    # Patch (2, 3) covers rows 32 to 48 and columns 48 to 64: 8 x 8 cells of the finest map.
    parts = [m[0].numpy() for m in maps]
    expected = np.concatenate(
        [parts[0][:, 16:24, 24:32].mean((1, 2)), parts[1][:, 8:12, 12:16].mean((1, 2)),
         parts[2][:, 4:6, 6:8].mean((1, 2)), parts[3][:, 2, 3], parts[4][:, 1, 1]]
    )  # fmt: skip
    alike(found.patches[2, 3], expected)
    assert found.patches.shape == (6, 8, 512)
    assert found.patch_px == 16


def test_windows_give_what_the_whole_gives(encoder, frames, monkeypatch):
    (frame,) = frames((64, 330))
    monkeypatch.setattr(local, "_WINDOW_PX", 4096)
    (whole,) = encoder.embed_images([frame])
    monkeypatch.setattr(local, "_WINDOW_PX", 64)
    (windows,) = encoder.embed_images([frame])
    alike(windows.patches, whole.patches)
    alike(windows.whole, whole.whole)


def test_parts_of_a_large_image_give_what_the_whole_gives(encoder, frames, monkeypatch):
    (frame,) = frames((32, 1120))
    (whole,) = encoder.embed_images([frame])
    monkeypatch.setattr(local, "_PART_PX", 192)
    (parts,) = encoder.embed_images([frame])
    alike(parts.patches, whole.patches)
    np.testing.assert_allclose(parts.whole, whole.whole, atol=1e-3)


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (63, 64), (100, 250)])
def test_images_of_any_size_have_a_patch_for_every_16_px(shape, encoder, frames):
    (found,) = encoder.embed_images(frames(shape))
    assert found.patches.shape == (shape[0] // 16, shape[1] // 16, 512)
    assert found.whole.shape == (4096,)


def test_how_many_go_through_at_once_does_not_matter(encoder, frames):
    many = frames((64, 64), (64, 64), (64, 64), (48, 80), (64, 64))
    for one, four in zip(encoder.embed_images(many, batch=1), encoder.embed_images(many, batch=4), strict=True):
        alike(one.whole, four.whole)
        alike(one.patches, four.patches)


def test_gain_and_offset_do_not_matter(encoder, frames):
    (frame,) = frames((64, 64))
    one, other = encoder.embed_images([frame, frame * 7 + 900])
    np.testing.assert_allclose(one.whole, other.whole, atol=2e-3)


def test_no_gradients_and_no_randomness(encoder, frames):
    (frame,) = frames((64, 64))
    one, other = encoder.embed_images([frame, frame], batch=1)
    np.testing.assert_array_equal(one.whole, other.whole)
    assert isinstance(one.whole, np.ndarray)


def test_a_small_or_flat_image_is_refused(encoder, frames):
    with pytest.raises(InputError, match=r"image 2 of 2 is of shape \(31, 64\).*at least 32 x 32"):
        list(encoder.embed_images(frames((64, 64), (31, 64))))
    with pytest.raises(InputError, match="all pixels are equal"):
        list(encoder.embed_images([np.zeros((64, 64))]))
    with pytest.raises(InputError, match="does not read texts"):
        encoder.embed_texts(["a crack"])


def test_other_weights_or_settings_are_another_version(tmp_path):
    from micrographia.embed.encoder import version_of

    (tmp_path / "w").write_bytes(b"0123")
    versions = {version_of([tmp_path / "w"], "a"), version_of([tmp_path / "w"], "b")}
    (tmp_path / "w").write_bytes(b"0124")
    versions.add(version_of([tmp_path / "w"], "a"))
    assert len(versions) == 3


def test_tiles_are_pooled_from_the_maps_of_the_whole(encoder, frames):
    (frame,) = frames((96, 160))
    tiles = encoder.embed_tiles(frame, side_px=64, step_px=32)
    assert tiles.shape == (2, 4, 4096)
    network = load_encoder("efficientnet-lite0").eval()
    with torch.no_grad():
        maps = network(torch.tensor(normalised(frame))[None, None])
    # Tile (1, 2) covers rows 32 to 96 and columns 64 to 128: of the finest map, rows 16 to 48 and columns 32 to 64.
    means = maps[0][0, :, 16:48, 32:64].mean((1, 2)).numpy()
    alike(tiles[1, 2, :16], means / np.sqrt((means**2).mean()))


def test_one_tile_as_large_as_the_image_is_the_image(encoder, frames):
    (frame,) = frames((64, 64))
    (tile,) = encoder.embed_tiles(frame, side_px=64, step_px=32).reshape(1, -1)
    (whole,) = encoder.embed_images([frame])
    alike(tile, whole.whole)


def test_other_encoders_embed_tiles_as_images(frames):
    class Mean(Encoder):
        def embed_images(self, frames, *, batch=8):
            for frame in frames:
                whole = np.array([frame.mean()], dtype=np.float32)
                yield ImageEmbedding(whole=whole, patches=whole[None, None], patch_px=1.0)

    seen = Mean(name="m", version="0", sees=True, reads=False, shared_space=False, licence="", caution="")
    frame = np.zeros((8, 12))
    frame[4:, 8:] = 16.0
    # Of a plain tile one pixel of 16 is brighter by 1, so that an encoder has something to see.
    found = seen.embed_tiles(frame, side_px=4, step_px=4)[..., 0]
    np.testing.assert_allclose(found, [[1 / 16, 1 / 16, 1 / 16], [1 / 16, 1 / 16, 16 + 1 / 16]])


def test_evidence_by_leaving_out_what_is_bright():
    """A score that is the mean of a map: the patch adds what the map has more there than on average."""
    encoder = load_embedder("efficientnet-lite0")
    frame = np.random.default_rng(0).normal(size=(96, 128))
    frame[32:64, 48:96] += np.indices((32, 48)).sum(axis=0) % 2 * 6
    (embedding,) = encoder.embed_images([frame])
    network = load_encoder("efficientnet-lite0").eval()
    with torch.inference_mode():
        maps = network(torch.from_numpy(normalised(frame))[None, None])
    sixteen = maps[3][0]
    mean = sixteen.mean(dim=(1, 2))
    size = mean.square().mean().sqrt()
    first = sum(network.channels[:3])
    slopes = np.zeros(len(embedding.whole))
    slopes[first : first + 112] = np.random.default_rng(1).normal(size=112)
    along = torch.from_numpy(slopes[first : first + 112]).float()
    along = (along - mean * (along @ mean) / (112 * size**2)) / size
    wanted = torch.einsum("c,cij->ij", along, sixteen - mean[:, None, None]) / sixteen[0].numel()
    found = encoder.evidence(frame, slopes)
    np.testing.assert_allclose(found.added, wanted, atol=1e-4)
    assert found.patch_px == 16


def test_evidence_of_all_maps_covers_the_image():
    encoder = load_embedder("efficientnet-lite0")
    frame = np.random.default_rng(2).normal(size=(70, 100))
    found = encoder.evidence(frame, np.random.default_rng(3).normal(size=4096))
    assert found.added.shape == (4, 6)
    assert (found.added != 0).all()
    assert encoder.evidence(np.zeros((64, 1040)), np.zeros(4096)) is None
