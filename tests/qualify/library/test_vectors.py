"""The cache of embeddings: what is stored is loaded, to the last bit, and is never another encoder's."""

import shutil
import time

import numpy as np
import pytest

from micrographia.embed.embedding import ImageEmbedding
from micrographia.errors import LibraryError
from micrographia.qualify import library as lib


def embedding(seed, dimension=6):
    rng = np.random.default_rng(seed)
    return ImageEmbedding(
        whole=rng.normal(size=dimension).astype(np.float32),
        patches=rng.normal(size=(2, 3, 4)).astype(np.float32),
        patch_px=8.5,
    )


def keys(count, region="whole"):
    return [(f"{k:064x}", region) for k in range(count)]


def test_vectors_are_loaded_as_they_were_stored(empty, encoder):
    stored = {key: embedding(k) for k, key in enumerate([*keys(3), *keys(2, "ab" * 32 + ":2")])}
    lib.store_vectors(empty, stored, encoder=encoder, actor="Ann")
    whole = lib.load_vectors(empty, [*stored, ("f" * 64, "whole")], encoder=encoder)
    patches = lib.load_patches(empty, list(stored), encoder=encoder)
    assert whole.keys() == patches.keys() == stored.keys()
    for key, one in stored.items():
        np.testing.assert_array_equal(whole[key], one.whole)
        np.testing.assert_array_equal(patches[key].vectors, one.patches)
        assert (whole[key].dtype, patches[key].patch_px) == (np.float32, 8.5)


def test_another_version_of_an_encoder_has_vectors_of_its_own(empty, encoder):
    other = lib.EncoderVersion(name=encoder.name, version="4567")
    (key,) = keys(1)
    lib.store_vectors(empty, {key: embedding(0)}, encoder=encoder, actor="Ann")
    assert lib.load_vectors(empty, [key], encoder=other) == {}
    lib.store_vectors(empty, {key: embedding(1, dimension=9)}, encoder=other, actor="Ann")
    assert len(lib.load_vectors(empty, [key], encoder=encoder)[key]) == 6
    assert len(lib.load_vectors(empty, [key], encoder=other)[key]) == 9


def test_what_is_stored_already_is_not_recorded_again(empty, encoder):
    stored = {key: embedding(k) for k, key in enumerate(keys(3))}
    lib.store_vectors(empty, stored, encoder=encoder, actor="Ann")
    before = lib.verify_library(empty).entries
    lib.store_vectors(empty, stored, encoder=encoder, actor="Ann")
    assert lib.verify_library(empty).entries == before
    changed = {**stored, keys(3)[0]: embedding(99)}
    lib.store_vectors(empty, changed, encoder=encoder, actor="Ann")
    found = lib.verify_library(empty)
    assert (found.findings, found.entries) == ((), before + 1)
    np.testing.assert_array_equal(lib.load_vectors(empty, keys(1), encoder=encoder)[keys(1)[0]], embedding(99).whole)


def test_without_the_cache_there_is_nothing_and_nothing_is_wrong(full, encoder):
    shutil.rmtree(full.folder / "vectors.lance")
    wanted = [(r.image_sha256, r.region) for r in lib.references(full, "cracks")]
    assert lib.load_vectors(full, wanted, encoder=encoder) == {}
    assert lib.verify_library(full).findings == ()
    made_again = {key: embedding(k) for k, key in enumerate(wanted)}
    lib.store_vectors(full, made_again, encoder=encoder, actor="Ann")
    assert lib.load_vectors(full, wanted, encoder=encoder).keys() == made_again.keys()


def test_vectors_of_different_lengths_are_refused(empty, encoder):
    a, b = keys(2)
    with pytest.raises(LibraryError, match="different lengths"):
        lib.store_vectors(empty, {a: embedding(0), b: embedding(1, dimension=7)}, encoder=encoder, actor="Ann")


@pytest.mark.slow
def test_ten_thousand_references_load_in_a_second(empty, encoder):
    rng = np.random.default_rng(0)
    every = keys(10_000)
    for start in range(0, len(every), 1000):
        vectors = rng.normal(size=(1000, 1280)).astype(np.float32)
        patches = np.zeros((1, 1, 4), dtype=np.float32)
        stored = {
            key: ImageEmbedding(whole=vector, patches=patches, patch_px=8.0)
            for key, vector in zip(every[start : start + 1000], vectors, strict=True)
        }
        lib.store_vectors(empty, stored, encoder=encoder, actor="Ann")
    lib.load_vectors(empty, every[:10], encoder=encoder)  # the import of LanceDB is not what is timed
    began = time.process_time()
    assert len(lib.load_vectors(empty, every, encoder=encoder)) == 10_000
    assert time.process_time() - began < 1.5  # CPU time of both cores; 0.3 s on one clock where nobody else computes
