from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from known_shapes import discs

from micrographia.errors import InputError
from micrographia.segment.measure import area_fraction, point_count


def field_of(percent: int) -> np.ndarray:
    return np.arange(100).reshape(10, 10) < percent


def test_area_fraction_is_the_mean_over_fields_with_its_t_interval() -> None:
    # 10, 20, 30, 40 %: mean 25, standard deviation sqrt(500/3) = 12.910, t of 3 degrees of freedom 3.1824.
    fraction, sd, accuracy = area_fraction([field_of(p) for p in (10, 20, 30, 40)], of="pores")
    assert fraction.value == pytest.approx(25)
    assert sd.value == pytest.approx(12.910, abs=1e-3)
    assert fraction.half_width == pytest.approx(3.1824 * 12.910 / 2, abs=1e-2)
    assert accuracy.value == pytest.approx(100 * 3.1824 * 12.910 / 2 / 25, abs=0.1)
    assert (fraction.count, fraction.counted, fraction.clause) == (4, "fields", "ASTM E1245")


def test_fields_of_different_sizes_count_by_their_area() -> None:
    large, small = np.zeros((30, 10), dtype=bool), np.ones((10, 10), dtype=bool)
    assert area_fraction([large, small], of="pores")[0].value == pytest.approx(25)


def test_the_interval_never_leaves_the_limits_of_a_fraction_and_says_so() -> None:
    fraction, _, accuracy = area_fraction([field_of(0), field_of(0), field_of(9)], of="pores")
    assert fraction.low == 0
    assert "cut" in fraction.note
    assert accuracy.value == pytest.approx(430.3, abs=0.1)  # t of 2 degrees of freedom 4.303, sd/sqrt(n) the mean


def test_one_field_is_cut_into_parts_and_the_note_says_what_that_is_worth() -> None:
    stripes = np.tile(np.arange(64) % 16 < 4, (64, 1))
    stripes[:, :16] |= (np.arange(64) % 16 < 4)[:, None]  # the parts at the left have 7/16, others 4/16
    fraction = area_fraction([stripes], of="pores")[0]
    assert fraction.value == pytest.approx(100 * (7 + 3 * 4) / 64)
    # Four parts of 43.75 % and twelve of 25 %: standard deviation 8.3853, t of 15 degrees of freedom 2.1314.
    assert fraction.half_width == pytest.approx(2.1314 * 8.3853 / 4, abs=1e-2)
    assert "One field only" in fraction.note


@pytest.mark.parametrize(("mask", "value"), [(np.zeros((9, 7), bool), 0.0), (np.ones((9, 7), bool), 100.0)])
@pytest.mark.parametrize("fields", [1, 3])
def test_a_class_that_is_nowhere_or_everywhere_has_a_value_and_no_interval(
    mask: np.ndarray, value: float, fields: int
) -> None:
    for fraction, _, accuracy in (area_fraction([mask] * fields, of="x"), point_count([mask] * fields, of="x")):
        assert fraction.value == value
        assert fraction.low is None
        assert f"{'all' if value else 'none'} of what was counted is of the class" in fraction.note
        assert accuracy.value is None


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)))
@settings(max_examples=40, deadline=None)
def test_a_class_and_the_rest_make_up_the_whole(mask: np.ndarray) -> None:
    for measured in (area_fraction, point_count):
        one, other = measured([mask], of="x")[0], measured([~mask], of="rest")[0]
        assert one.value is not None
        assert other.value == pytest.approx(100 - one.value)


@given(st.integers(0, 3))
def test_rotating_by_quarter_turns_changes_nothing(turns: int) -> None:
    mask = np.random.default_rng(1).random((40, 40)) < 0.3
    turned = np.rot90(mask, turns).copy()
    assert area_fraction([turned], of="x")[0].value == area_fraction([mask], of="x")[0].value


def test_points_on_a_boundary_count_half() -> None:
    # 10 × 10 points stand at 5, 15, ... 95 px. The class is what lies left of 45 px: a column of points is on its edge.
    mask = np.zeros((100, 100), dtype=bool)
    mask[:, :45] = True
    assert point_count([mask, mask], of="x")[0].value == pytest.approx(100 * 4.5 / 10)


def test_point_counts_agree_with_areas_within_their_interval() -> None:
    rng = np.random.default_rng(3)
    fields = [discs(rng.random((rng.poisson(40), 2)) * 240 - 20, 12.0, shape=(200, 200)) for _ in range(12)]
    points, area = point_count(fields, of="x", points_per_field=400)[0], area_fraction(fields, of="x")[0]
    assert points.low is not None
    assert points.high is not None
    assert area.value is not None
    assert points.low < area.value < points.high
    assert "4800 in all" in points.method


def test_intervals_of_a_boolean_model_cover_its_area_fraction() -> None:
    # Discs of radius r at random, lambda per area, cover 1 - exp(-lambda pi r^2).
    radius, per_px2 = 4.0, 0.006
    truth = 100 * (1 - math.exp(-per_px2 * math.pi * radius**2))
    rng = np.random.default_rng(0)
    held, bias = [], []
    for _ in range(150):
        fields = [
            discs(rng.random((rng.poisson(per_px2 * 56**2), 2)) * 56 - 8, radius, shape=(40, 40)) for _ in range(6)
        ]
        found = area_fraction(fields, of="x")[0]
        assert found.low is not None
        assert found.high is not None
        assert found.value is not None
        held.append(found.low <= truth <= found.high)
        bias.append(found.value - truth)
    assert abs(np.mean(bias)) < 3 * np.std(bias) / math.sqrt(150) + 0.3  # pixels add a little
    assert 0.90 <= np.mean(held) <= 0.99  # 95 % within three standard errors of 1.8 %


def test_one_field_of_fine_structure_covers_too() -> None:
    radius, per_px2 = 3.0, 0.01
    truth = 100 * (1 - math.exp(-per_px2 * math.pi * radius**2))
    rng = np.random.default_rng(1)
    held = []
    for _ in range(120):
        mask = discs(rng.random((rng.poisson(per_px2 * 172**2), 2)) * 172 - 6, radius, shape=(160, 160))
        found = area_fraction([mask], of="x")[0]
        assert found.low is not None
        assert found.high is not None
        held.append(found.low <= truth <= found.high)
    assert 0.89 <= np.mean(held) <= 1.0


def test_what_is_not_a_list_of_fields_is_refused() -> None:
    with pytest.raises(InputError, match="no mask came"):
        area_fraction([], of="x")
    with pytest.raises(InputError, match="each with at least a pixel"):
        area_fraction([np.zeros((0, 5), dtype=bool)], of="x")
    with pytest.raises(InputError, match="4 or more"):
        point_count([np.zeros((5, 5), dtype=bool)], of="x", points_per_field=1)
