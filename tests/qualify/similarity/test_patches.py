"""Patches beside accepted ones: against loops, and on images with something in them that was never accepted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.qualify.similarity.patches import (
    joined,
    least_familiar,
    left_out_patches,
    net_to_bank,
    patch_bank,
    patch_net,
    pooled_patches,
)
from micrographia.qualify.similarity.shrunken import standard_of


def images(seed, count=7, patches=20, dimension=5):
    return np.random.default_rng(seed).normal(size=(count, patches, dimension)).astype(np.float32)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_distance_is_that_to_the_most_similar_patch_centred_and_scaled():
    patches = images(0)
    bank = patch_bank(patches)
    standard = standard_of(patches.reshape(-1, 5))
    own = (patches - standard.centre) / standard.scale
    for i, p, j in ((0, 0, 1), (3, 7, 5), (6, 19, 0)):
        assert bank.distance[i, p, j] == pytest.approx(1 - max(cosine(own[i, p], q) for q in own[j]), abs=1e-5)
    np.testing.assert_allclose(np.diagonal(bank.distance, axis1=0, axis2=2), 0, atol=1e-5)


def test_left_out_images_are_compared_with_accepted_ones_of_other_groups():
    bank = patch_bank(images(1))
    accepted = np.array([True, True, True, True, False, False, False])
    groups = np.array([0, 0, 1, 2, 0, 3, 4])
    found = left_out_patches(bank, accepted, groups)
    for k in range(7):
        others = [j for j in range(7) if accepted[j] and groups[j] != groups[k]]
        nearest = bank.distance[k][:, others].min(axis=1)
        assert found[k] == pytest.approx(-np.sort(nearest)[-2:].mean(), abs=1e-6)  # a tenth of 20


def test_where_nothing_accepted_is_left_it_is_as_far_as_can_be():
    bank = patch_bank(images(2, count=3))
    found = left_out_patches(bank, np.array([True, False, False]), np.arange(3))
    assert found[0] == -2
    assert (found[1:] > -2).all()


def test_one_more_image_joins_as_it_would_have_been_there_by_the_same_standard():
    patches = images(3)
    bank = patch_bank(patches)
    sample = images(4, count=1)[0]
    with_sample = joined(bank, sample)
    assert with_sample.distance.shape == (8, 20, 8)
    np.testing.assert_array_equal(with_sample.distance[:7, :, :7], bank.distance)
    standard = bank.standard
    own, other = ((p - standard.centre) / standard.scale for p in (sample, patches[2]))
    assert with_sample.distance[7, 4, 2] == pytest.approx(1 - max(cosine(own[4], q) for q in other), abs=1e-5)
    assert with_sample.distance[2, 4, 7] == pytest.approx(1 - max(cosine(other[4], q) for q in own), abs=1e-5)
    accepted = np.arange(8) < 4
    accepted[7] = True
    as_member = left_out_patches(with_sample, accepted, np.arange(8))[7]
    assert net_to_bank(bank, accepted[:7], sample[None])[0] == pytest.approx(as_member, abs=1e-6)


def test_some_of_a_bank_keep_their_distances():
    bank = patch_bank(images(5))
    rows = np.array([4, 1, 6])
    some = bank.only(rows)
    np.testing.assert_array_equal(some.distance, bank.distance[np.ix_(rows, np.arange(20), rows)])
    np.testing.assert_array_equal(some.unit, bank.unit[rows])


def test_something_small_that_was_never_accepted_is_seen():
    """Two of twenty patches point where no accepted patch does."""
    rng = np.random.default_rng(6)
    patches = rng.normal(0, 0.3, (40, 20, 6)).astype(np.float32)
    patches[:, :, 0] += np.where(np.arange(20) < 10, 3.0, -3.0)  # two kinds of ordinary patches
    odd = np.arange(40) >= 20
    patches[odd, 5:7, 0] = 0
    patches[odd, 5:7, 1] += 3.0
    net = left_out_patches(patch_bank(patches), ~odd, np.arange(40))
    assert net[~odd].min() > net[odd].max()


def test_the_least_familiar_patches_are_those_that_count():
    bank = patch_bank(images(8, count=6, patches=64))
    sample = images(9, count=1, patches=64)[0]
    accepted = np.arange(6) < 4
    telling = least_familiar(bank, accepted, sample)
    assert (telling.shape, telling.sum()) == ((8, 8), 6)
    distance = joined(bank, sample).distance[6][:, :4].min(axis=1)
    assert distance[telling.ravel()].min() >= distance[~telling.ravel()].max()
    net = net_to_bank(bank, accepted, sample[None])[0]
    assert net == pytest.approx(-distance[telling.ravel()].mean(), abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 30))
@settings(max_examples=40)
def test_a_net_lies_between_minus_two_and_zero_and_more_accepted_never_lower_it(seed, count, patches):
    rng = np.random.default_rng(seed)
    distance = rng.uniform(0, 2, (3, patches, count)).astype(np.float32)
    accepted, others = rng.random(count) < 0.5, rng.random((3, count)) < 0.7
    net = patch_net(distance, accepted, others)
    assert (net >= -2).all()
    assert (net <= 0).all()
    assert (patch_net(distance, np.ones(count, dtype=bool), others) >= net).all()


@pytest.mark.parametrize("shape", [(8, 8), (16, 24), (9, 40), (5, 3), (2, 2), (1, 7)])
def test_pooled_patches_are_means_over_equal_parts_of_the_image(shape):
    patches = np.random.default_rng(7).normal(size=(*shape, 3)).astype(np.float32)
    found = pooled_patches(patches)
    assert found.shape == (8, 8, 3)
    for row, column in ((0, 0), (3, 7), (7, 2)):
        top, bottom = row * shape[0] // 8, -(-(row + 1) * shape[0] // 8)
        left, right = column * shape[1] // 8, -(-(column + 1) * shape[1] // 8)
        expected = patches[top:bottom, left:right].mean(axis=(0, 1))
        np.testing.assert_allclose(found[row, column], expected, rtol=1e-5, atol=1e-6)


def test_of_an_image_that_is_one_patch_there_are_no_parts():
    assert pooled_patches(np.ones((1, 1, 4), dtype=np.float32)).shape == (1, 1, 4)
