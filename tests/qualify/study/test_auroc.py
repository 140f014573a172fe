"""Areas under the ROC curve against scikit-learn, DeLong's formula written out, and simulation."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from micrographia.errors import InputError
from micrographia.qualify.study.auroc import area, difference


def drawn(seed, m=12, n=9, apart=1.0):
    rng = np.random.default_rng(seed)
    accepted = np.arange(m + n) < m
    return rng.normal(size=m + n).round(1) + apart * accepted, accepted


def components(score, accepted):
    """DeLong's structural components, pair by pair."""
    order = [[float(a > b) + 0.5 * (a == b) for b in score[~accepted]] for a in score[accepted]]
    return np.mean(order, axis=1), np.mean(order, axis=0)


def logit_interval(value, sd):
    half = norm.ppf(0.975) * sd / (value * (1 - value))
    return tuple(1 / (1 + np.exp(-(np.log(value / (1 - value)) + s * half))) for s in (-1, 1))


@pytest.mark.parametrize("seed", range(5))
def test_area_and_interval_are_those_of_delong_where_every_image_is_a_specimen(seed):
    score, accepted = drawn(seed)
    found = area(score, accepted, np.arange(len(score)))
    on, off = components(score, accepted)
    sd = np.sqrt(on.var(ddof=1) / len(on) + off.var(ddof=1) / len(off))
    assert found.value == pytest.approx(roc_auc_score(accepted, score))
    assert found.interval == pytest.approx(logit_interval(found.value, sd))


def test_the_difference_of_two_scores_has_the_variance_of_their_components_difference():
    score, accepted = drawn(3)
    other = score + np.random.default_rng(9).normal(size=len(score))
    every = np.arange(len(score))
    value, interval = difference(area(score, accepted, every), area(other, accepted, every))
    on, off = (a - b for a, b in zip(components(score, accepted), components(other, accepted), strict=True))
    sd = np.sqrt(on.var(ddof=1) / len(on) + off.var(ddof=1) / len(off))
    assert value == pytest.approx(roc_auc_score(accepted, score) - roc_auc_score(accepted, other))
    assert interval == pytest.approx((value - norm.ppf(0.975) * sd, value + norm.ppf(0.975) * sd))


def test_showing_each_specimen_twice_tells_nothing_new():
    score, accepted = drawn(1)
    every = np.arange(len(score))
    once = area(score, accepted, every)
    twice = area(np.tile(score, 2), np.tile(accepted, 2), np.tile(every, 2))
    pretended = area(np.tile(score, 2), np.tile(accepted, 2), np.arange(2 * len(score)))
    assert twice.value == pytest.approx(once.value)
    assert twice.interval == pytest.approx(once.interval)
    assert np.diff(pretended.interval) < 0.8 * np.diff(once.interval)


def test_a_specimen_with_images_of_both_sides_couples_their_errors():
    # Specimens shift the scores of both sides alike: ordering within a specimen is sure, and counting it helps.
    rng = np.random.default_rng(0)
    shift = rng.normal(0, 2, 20)
    score, accepted = np.concatenate([shift + 0.5, shift - 0.5]), np.arange(40) < 20
    by_specimen = area(score, accepted, np.tile(np.arange(20), 2))
    by_image = area(score, accepted, np.arange(40))
    assert np.diff(by_specimen.interval) < np.diff(by_image.interval)


def test_sides_wholly_apart_still_leave_doubt():
    accepted = np.arange(8) < 5
    found = area(np.where(accepted, 1.0, 0.0), accepted, np.arange(8))
    assert (found.value, found.interval) == (1.0, (pytest.approx(0.025 ** (1 / 3)), 1.0))
    other = area(np.where(accepted, 0.0, 1.0), accepted, np.arange(8))
    assert (other.value, other.interval) == (0.0, (0.0, pytest.approx(1 - 0.025 ** (1 / 3))))
    assert difference(found, other) == (1.0, None)
    assert area(np.zeros(8), accepted, np.arange(8)).interval == (0.0, 1.0)


def test_the_interval_covers_the_true_area_as_often_as_it_says():
    rng = np.random.default_rng(0)
    accepted = np.arange(50) < 25
    hits = 0
    for _ in range(600):
        low, high = area(rng.normal(size=50) + accepted, accepted, np.arange(50)).interval
        hits += low <= norm.cdf(1 / np.sqrt(2)) <= high
    assert 0.93 <= hits / 600 <= 0.975


def test_one_specimen_on_a_side_is_refused():
    with pytest.raises(InputError, match="two specimens of either side; there are 1 and 3"):
        area(np.arange(5.0), np.arange(5) < 2, np.array([0, 0, 1, 2, 3]))
