from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from micrographia.segment.measure.intervals import (
    poisson_interval,
    quantile_interval,
    ratio_of_totals,
    t_factor,
    weighted_quantiles,
)


def test_units_of_one_size_give_the_mean_with_its_t_interval() -> None:
    # Five values: mean 10, standard deviation sqrt(2.5), and t of 4 degrees of freedom is 2.7764 (tables).
    found = ratio_of_totals(np.array([8.0, 9.0, 10.0, 11.0, 12.0]), np.ones(5))
    assert found.value == 10
    assert found.sd == pytest.approx(math.sqrt(2.5))
    assert found.high == pytest.approx(10 + 2.7764 * math.sqrt(2.5 / 5), abs=1e-4)


def test_units_count_by_their_size() -> None:
    found = ratio_of_totals(np.array([1.0, 9.0]), np.array([10.0, 30.0]))
    assert found.value == 0.25  # 10 of 40, not the mean of 0.1 and 0.3


def test_a_unit_without_a_size_does_not_count() -> None:
    found = ratio_of_totals(np.array([1.0, 3.0, 0.0]), np.array([1.0, 1.0, 0.0]))
    assert (found.value, found.count) == (2.0, 2)


def test_units_that_do_not_scatter_have_no_interval() -> None:
    assert ratio_of_totals(np.array([2.0, 4.0]), np.array([1.0, 2.0])).low is None
    assert ratio_of_totals(np.array([2.0]), np.array([1.0])).low is None


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390), (100, 81.364, 121.627)],  # published tables
)
def test_poisson_intervals_are_those_of_the_tables(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize("mean", [0.5, 3.0, 12.0])
def test_poisson_intervals_cover_at_least_as_often_as_they_say(mean: float) -> None:
    counts = np.arange(200)
    held = [low <= mean <= high for low, high in map(poisson_interval, counts.tolist())]
    covered = float(stats.poisson.pmf(counts, mean) @ np.array(held))
    assert 0.95 <= covered < 1


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 100)), st.integers(2, 4))
def test_a_weight_of_two_is_two_objects(values: np.ndarray, times: int) -> None:
    ranked = np.sort(values)
    weighted = weighted_quantiles(ranked, np.full(len(ranked), float(times)), shares=[0.1, 0.5, 0.9])
    plain = weighted_quantiles(ranked, np.ones(len(ranked)), shares=[0.1, 0.5, 0.9])
    assert weighted == pytest.approx(plain)


def test_equal_weights_give_hazens_quantiles() -> None:
    values = np.sort(np.random.default_rng(0).random(37))
    shares = [0.1, 0.37, 0.5, 0.9]
    found = weighted_quantiles(values, np.ones(37), shares=shares)
    assert found == pytest.approx(np.quantile(values, shares, method="hazen"))


def test_quantile_intervals_cover_and_refuse_where_they_cannot() -> None:
    rng = np.random.default_rng(0)
    truth = stats.norm.ppf(0.9)
    ends = [quantile_interval(np.sort(rng.normal(size=80)), share=0.9, independent=80.0) for _ in range(400)]
    covered = np.mean([low <= truth <= high for low, high in filter(None, ends)])
    assert all(ends)
    assert 0.93 <= covered <= 1.0
    # With 10 values the 5 % quantile lies below all of them in 60 % of cases.
    assert quantile_interval(np.arange(10.0), share=0.05, independent=10.0) is None
    assert quantile_interval(np.arange(10.0), share=0.5, independent=0.7) is None


def test_t_of_many_is_normal() -> None:
    assert t_factor(1e6) == pytest.approx(1.96, abs=1e-3)
