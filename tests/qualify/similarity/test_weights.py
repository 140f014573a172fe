"""Weights of the parts: shares of one, alike at first, by how far they hold the references apart later."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.qualify.similarity.weights import hybrid_weights


def scores(seed, positive, negative, means):
    rng = np.random.default_rng(seed)
    accepted = np.arange(positive + negative) < positive
    return rng.normal(size=(len(accepted), len(means))) + np.where(accepted[:, None], means, 0), accepted


def test_one_part_has_all_the_weight():
    z, accepted = scores(0, 30, 30, [1.0])
    assert hybrid_weights(z, accepted).tolist() == [1.0]


@pytest.mark.parametrize(("positive", "negative"), [(1, 1), (4, 4), (16, 5), (50, 200)])
def test_weights_grow_with_the_distance_and_share_what_is_not_known(positive, negative):
    accepted = np.arange(positive + negative) < positive
    z = np.where(accepted[:, None], [1.5, 0.5, -0.2], [-0.5, 0.5, 0.8])
    expected = (np.array([4.0, 0.0, 0.0]) + 4 / min(positive, negative)) ** 2
    np.testing.assert_allclose(hybrid_weights(z, accepted), expected / expected.sum(), rtol=1e-12)


def test_of_noise_all_parts_count_about_alike_however_many_references():
    for count in (4, 30, 300):
        found = np.mean([hybrid_weights(*scores(seed, count, count, [0.0, 0.0])) for seed in range(200)], axis=0)
        np.testing.assert_allclose(found, 0.5, atol=0.05)


def test_a_part_that_sees_nothing_fades_as_references_come_in():
    shares = [
        np.mean([hybrid_weights(*scores(seed, count, count, [2.0, 0.0]))[1] for seed in range(100)])
        for count in (2, 8, 32, 128)
    ]
    assert (np.diff(shares) < 0).all()
    assert shares[0] > 0.1
    assert shares[-1] < 0.002


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(-2, 2), min_size=1, max_size=5), st.integers(1, 30))
@settings(max_examples=60)
def test_weights_are_shares_and_none_is_nothing(seed, means, negative):
    z, accepted = scores(seed, 25, negative, means)
    found = hybrid_weights(z, accepted)
    assert found.shape == (len(means),)
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1)


def test_the_order_of_references_makes_no_difference():
    z, accepted = scores(4, 25, 35, [1.0, 0.5, 0.2])
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(hybrid_weights(z[order], accepted[order]), hybrid_weights(z, accepted), rtol=1e-12)
