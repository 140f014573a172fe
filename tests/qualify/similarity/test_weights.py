"""Weights of the parts: shares of one, and Fisher's where there are references enough."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from micrographia.qualify.similarity import weights
from micrographia.qualify.similarity.weights import hybrid_weights


def scores(seed, positive, negative, means):
    rng = np.random.default_rng(seed)
    accepted = np.arange(positive + negative) < positive
    return rng.normal(size=(len(accepted), len(means))) + np.where(accepted[:, None], means, 0), accepted


@pytest.mark.parametrize(("positive", "negative"), [(19, 19), (19, 200), (200, 19), (1, 1)])
def test_with_fewer_than_twenty_of_a_side_all_count_alike(positive, negative):
    z, accepted = scores(0, positive, negative, [3.0, 0.0, 0.0, 0.0])
    assert hybrid_weights(z, accepted).tolist() == [0.25] * 4


def test_one_part_has_all_the_weight():
    z, accepted = scores(0, 30, 30, [1.0])
    assert hybrid_weights(z, accepted).tolist() == [1.0]


def test_uncorrelated_parts_weigh_as_their_distance_over_their_shrunken_variance():
    """Two parts at the corners of rectangles around their means: the covariance is known to the last digit."""
    corners = np.array([[a, b] for a in (-1.0, 1.0) for b in (-2.0, 2.0)] * 5)
    z = np.vstack([corners + 3.0, corners])
    # Sums of squares 40 and 160 over 38 degrees of freedom, 40 references, the prior of 20 at their mean.
    first, second = 40 / 38, 160 / 38
    prior = 20 * (first + second) / 2
    pull = 3 / np.array([(40 * first + prior) / 60, (40 * second + prior) / 60])
    np.testing.assert_allclose(hybrid_weights(z, np.arange(40) < 20), pull / pull.sum(), rtol=1e-12)


def test_without_shrinking_it_is_fishers_discriminant(monkeypatch):
    z, accepted = scores(1, 40, 30, [2.0, 1.5, 1.0])
    z[:, 1] += 0.4 * z[:, 0]
    fisher = LinearDiscriminantAnalysis(solver="lsqr").fit(z, accepted).coef_[0]
    assert (fisher > 0).all()
    monkeypatch.setattr(weights, "ENOUGH", 0)
    np.testing.assert_allclose(hybrid_weights(z, accepted), fisher / fisher.sum(), rtol=1e-9)


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(-2, 2), min_size=1, max_size=5), st.integers(1, 30))
@settings(max_examples=60)
def test_weights_are_shares_and_never_negative(seed, means, negative):
    z, accepted = scores(seed, 25, negative, means)
    found = hybrid_weights(z, accepted)
    assert found.shape == (len(means),)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1)


def test_a_part_that_points_the_wrong_way_has_no_weight():
    z, accepted = scores(2, 30, 30, [2.0, -2.0])
    assert hybrid_weights(z, accepted).tolist() == [1.0, 0.0]


def test_where_all_parts_point_the_wrong_way_or_nowhere_they_count_alike():
    z, accepted = scores(3, 30, 30, [-2.0, -2.0])
    assert hybrid_weights(z, accepted).tolist() == [0.5, 0.5]


def test_the_order_of_references_makes_no_difference():
    z, accepted = scores(4, 25, 35, [1.0, 0.5, 0.2])
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(hybrid_weights(z[order], accepted[order]), hybrid_weights(z, accepted), rtol=1e-12)
