"""Shares and their intervals against scipy's exact test, a published example's formula, and counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from micrographia.learn.classifier.measure import mean_of_shares, measured, share_of
from micrographia.qualify.classify.record import Share


@pytest.mark.parametrize(("right", "units"), [(0, 5), (3, 7), (10, 10), (40, 200)])
def test_where_units_are_whole_the_interval_is_clopper_and_pearsons(right, units):
    expected = binomtest(right, units).proportion_ci(method="exact")
    found = share_of(right / units, units=units)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_one_class_keeps_its_interval_and_equal_ones_narrow_it_by_the_root():
    one = Share(value=0.8, low=0.6, high=0.9)
    same = mean_of_shares([one])
    assert (same.value, same.low, same.high) == pytest.approx((0.8, 0.6, 0.9))
    four = mean_of_shares([one] * 4)
    assert (four.low, four.high) == (pytest.approx(0.7), pytest.approx(0.85))


def test_what_is_counted():
    labels, said = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    found = measured(said, labels, list("ppqqrs"), classes=("a", "b"), loss_nats=0.5, folds=2)
    assert found.confusion == ((3, 1), (1, 1))
    assert found.accuracy.value == pytest.approx(4 / 6)
    assert found.balanced_accuracy.value == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert [(c.images, c.specimens) for c in found.classes] == [(4, 2), (2, 2)]
    # Four images of two specimens count as two: wider than four would be.
    assert found.classes[0].recall == share_of(0.75, units=2)
    assert found.classes[0].recall.low < share_of(0.75, units=4).low
