"""Cross-validation by specimen: what every division must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.learn.classifier.folds import folds_of

CLASSES = ("a", "b", "c")


@given(st.integers(2, 3), st.integers(2, 6), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_no_specimen_is_on_both_sides_and_every_class_is_in_every_training_part(classes, folds, seed):
    """Specimens of one class each, 2 to 12 of it, of 1 to 4 images."""
    rng = np.random.default_rng(seed)
    sizes = [rng.integers(1, 5, rng.integers(2, 13)) for _ in range(classes)]
    labels = np.array([c for c, own in enumerate(sizes) for size in own for _ in range(size)])
    specimens = [f"{c}-{k}" for c, own in enumerate(sizes) for k, size in enumerate(own) for _ in range(size)]
    fold = folds_of(labels, specimens, classes=CLASSES[: len(sizes)], folds=folds, rng=np.random.default_rng(seed))
    assert all(len(set(fold[np.array(specimens) == name])) == 1 for name in set(specimens))
    for part in np.unique(fold):
        assert set(labels[fold != part]) == set(labels)


def test_single_images_are_dealt_out_evenly():
    labels = np.repeat([0, 1], [50, 10])
    fold = folds_of(labels, list(map(str, range(60))), classes=CLASSES[:2], folds=5, rng=np.random.default_rng(0))
    assert np.bincount(fold[:50]).tolist() == [10] * 5
    assert np.bincount(fold[50:]).tolist() == [2] * 5


def test_the_seed_decides_among_equals():
    labels, names = np.repeat([0, 1], 10), list(map(str, range(20)))
    one, again, other = (
        folds_of(labels, names, classes=CLASSES[:2], folds=5, rng=np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert (one == again).all()
    assert (one != other).any()


def test_one_image_of_a_class_is_refused_with_how_many_are_needed():
    with pytest.raises(InputError, match=r"class b has 1 image, which .* 2 images of different specimens are needed"):
        folds_of(np.array([0, 0, 1]), list("xyz"), classes=("a", "b"), folds=5, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="class b has 2 images of one specimen"):
        folds_of(np.array([0, 0, 1, 1]), list("xyzz"), classes=("a", "b"), folds=5, rng=np.random.default_rng(0))
