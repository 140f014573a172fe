from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_shapes import bar, disc

from micrographia.errors import InputError
from micrographia.segment.measure import Objects, Scale, find_objects, object_count, object_sizes, rows_of

PIXELS = Scale(pixel_size_nm=None)
SIZES = ("area_px2", "diameter_px", "max_feret_px", "min_feret_px", "aspect_ratio", "perimeter_px", "circularity")


def only(mask: np.ndarray) -> dict[str, float]:
    table = find_objects([mask.astype(np.int64)])
    assert len(table) == 1
    return {name: float(getattr(table, name)[0]) for name in SIZES}


@pytest.mark.parametrize("radius", [6.0, 12.3, 30.0])
@pytest.mark.parametrize("shift", [0.0, 0.37])
def test_a_disc_is_round_and_of_its_diameter(radius: float, shift: float) -> None:
    found = only(disc(radius, shape=(80, 80), centre=(39.5 + shift, 40 - shift)))
    assert found["area_px2"] == pytest.approx(math.pi * radius**2, rel=0.05)
    assert found["diameter_px"] == pytest.approx(2 * radius, abs=0.3)
    assert found["max_feret_px"] == pytest.approx(2 * radius, abs=1.0)
    assert found["min_feret_px"] == pytest.approx(2 * radius, abs=1.01)
    assert found["perimeter_px"] == pytest.approx(2 * math.pi * radius, rel=0.06)
    assert found["circularity"] > 0.95


@pytest.mark.parametrize("angle", [0.0, 15.0, 30.0, 45.0, 70.0])
def test_a_bar_has_its_length_and_width_at_any_angle(angle: float) -> None:
    found = only(bar(90, 20, angle))
    assert found["area_px2"] == pytest.approx(1800, rel=0.03)
    assert found["max_feret_px"] == pytest.approx(math.hypot(90, 20), abs=1.2)
    assert found["min_feret_px"] == pytest.approx(20, abs=1.0)
    assert found["aspect_ratio"] == pytest.approx(math.hypot(90, 20) / 20, rel=0.06)
    assert found["perimeter_px"] == pytest.approx(220, rel=0.065)
    # 4 pi A / P^2 of a 90 × 20 rectangle is 0.467; the perimeter is good to 6 %.
    assert found["circularity"] == pytest.approx(0.467, rel=0.14)


@given(seed=st.integers(0, 50), turns=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_quarter_turns_leave_sizes_unchanged(seed: int, turns: int) -> None:
    rng = np.random.default_rng(seed)
    mask = bar(*rng.uniform(4, 40, 2), rng.uniform(0, 180), shape=(70, 90), centre=(35, 45))
    once, again = only(mask), only(np.rot90(mask, turns).copy())
    assert again == pytest.approx(once)


@given(size=st.floats(0.1, 1e4))
def test_rows_scale_with_the_pixel_and_places_do_not(size: float) -> None:
    table = find_objects([np.pad(np.ones((4, 9), dtype=np.int64), 5)])
    (row,) = rows_of(table, scale=Scale(pixel_size_nm=size))
    (in_pixels,) = rows_of(table, scale=PIXELS)
    edge = size / 1e3
    assert row["area_um2"] == pytest.approx(36 * edge**2)
    assert row["min_feret_um"] == pytest.approx(4 * edge)
    assert (row["y_px"], row["x_px"]) == (6.5, 9.0)
    assert "area_px2" in in_pixels
    assert "area_px2" not in row


def test_a_pixel_is_an_object_and_nothing_is_none() -> None:
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 2] = True
    found = only(mask)
    assert found["area_px2"] == 1
    assert found["circularity"] == 1
    assert all(math.isfinite(value) for value in found.values())
    empty = find_objects([np.zeros((5, 5), dtype=np.int64)])
    assert len(empty) == 0
    assert rows_of(empty, scale=PIXELS) == []


def test_weights_make_large_and_small_objects_count_as_often_as_they_are() -> None:
    # A large and a small square at all places of a field: whole ones, weighted, are as many of each.
    height, width, totals = 20, 26, {}
    for edge in (3, 11):
        total = 0.0
        for top in range(-edge, height + 1):
            for left in range(-edge, width + 1):
                field = np.zeros((height, width), dtype=np.int64)
                field[max(top, 0) : max(top + edge, 0), max(left, 0) : max(left + edge, 0)] = 1
                total += float(find_objects([field]).weight.sum())
        totals[edge] = total
    assert totals[3] == pytest.approx(height * width)
    assert totals[11] == pytest.approx(height * width)


def test_the_frame_counts_each_object_once_whatever_its_size() -> None:
    # Of all places of an object around a field, it counts at exactly as many as the frame has pixels.
    height, width = 12, 15
    for size in ((1, 1), (4, 7), (9, 2)):
        counted = 0
        for top in range(-size[0], height + 1):
            for left in range(-size[1], width + 1):
                field = np.zeros((height, width), dtype=np.int64)
                field[max(top, 0) : max(top + size[0], 0), max(left, 0) : max(left + size[1], 0)] = 1
                counted += int(find_objects([field]).counts.sum())
        assert counted == (height - 1) * (width - 1)


def test_numbers_per_area_have_the_poisson_interval_and_zero_has_an_upper_end() -> None:
    field = np.zeros((101, 101), dtype=np.int64)
    field[10:90:20, 10:90:20] = np.arange(1, 17).reshape(4, 4)
    (found,) = object_count(find_objects([field]), scale=Scale(pixel_size_nm=1000.0), of="pores")
    # 16 in 0.01 mm²; tables give 9.145 to 25.983 for a count of 16.
    assert (found.value, found.low, found.high) == pytest.approx((1600, 914.5, 2598.3), abs=0.1)
    (none,) = object_count(find_objects([0 * field]), scale=Scale(pixel_size_nm=1000.0), of="pores")
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(368.9, abs=0.1)
    (narrow,) = object_count(find_objects([np.ones((1, 9), dtype=np.int64)]), scale=PIXELS, of="pores")
    assert narrow.value is None


def test_what_is_no_label_image_is_refused() -> None:
    with pytest.raises(InputError, match="no label image came"):
        find_objects([])
    with pytest.raises(InputError, match="label -1"):
        find_objects([np.full((4, 4), -1)])


# ---- size distributions -------------------------------------------------------------------------


def of_diameters(diameters: np.ndarray, *, weight: np.ndarray | None = None) -> Objects:
    """Table of round objects as if measured, without drawing them."""
    count = len(diameters)
    ones, area = np.ones(count), math.pi / 4 * diameters**2
    return Objects(
        field=np.zeros(count, dtype=np.int64),
        label=np.arange(1, count + 1),
        y_px=0 * ones,
        x_px=0 * ones,
        area_px2=area,
        diameter_px=diameters,
        max_feret_px=diameters,
        min_feret_px=diameters,
        aspect_ratio=ones,
        perimeter_px=math.pi * diameters,
        circularity=ones,
        cut=np.zeros(count, dtype=bool),
        counts=np.ones(count, dtype=bool),
        weight=ones if weight is None else weight,
        frame_px2=1e6,
    )


def test_percentiles_of_a_log_normal_are_those_of_its_formula() -> None:
    # Number median m, area median m exp(2 s²) (Hatch-Choate); d90/d50 = exp(1.2816 s) for both.
    spread, median = 0.4, 20.0
    drawn = median * np.exp(spread * np.random.default_rng(0).standard_normal(4000))
    found = {m.name: m for m in object_sizes(of_diameters(drawn), scale=PIXELS, of="x", rng=np.random.default_rng(1))}
    for by, centre in (("number", median), ("area", median * math.exp(2 * spread**2))):
        for name, sigmas in (("d10", -1.2816), ("d50", 0.0), ("d90", 1.2816)):
            measured, truth = found[f"{name} by {by}"], centre * math.exp(sigmas * spread)
            assert measured.value == pytest.approx(truth, rel=0.06)
            assert measured.low is not None
            assert measured.high is not None
            assert measured.low < measured.value < measured.high
    assert found["mean diameter"].value == pytest.approx(median * math.exp(spread**2 / 2), rel=0.02)
    assert found["mean area"].value == pytest.approx(math.pi / 4 * median**2 * math.exp(2 * spread**2), rel=0.05)


def test_intervals_of_the_mean_and_the_median_cover() -> None:
    rng = np.random.default_rng(0)
    held_mean, held_median = [], []
    for _ in range(20):
        table = of_diameters(np.exp(0.3 * rng.standard_normal(40)))
        found = {m.name: m for m in object_sizes(table, scale=PIXELS, of="x", rng=rng)}
        mean, median = found["mean diameter"], found["d50 by number"]
        held_mean.append(mean.low <= math.exp(0.045) <= mean.high)
        held_median.append(median.low <= 1 <= median.high)
    assert np.mean(held_mean) >= 0.8  # 95 % within three standard errors of 4.9 %
    assert np.mean(held_median) >= 0.8


def test_the_border_does_not_bias_the_mean_size() -> None:
    # Half of the discs are of 3 px radius, half of 12 px, at random in fields of 60 px.
    rng = np.random.default_rng(0)
    fields = []
    y, x = np.mgrid[:60, :60]
    for number in range(400):
        radius = 3.0 if number % 2 else 12.0
        centre = rng.uniform(-15, 75, 2)
        fields.append((np.hypot(y - centre[0], x - centre[1]) <= radius).astype(np.int64))
    found = {m.name: m for m in object_sizes(find_objects(fields), scale=PIXELS, of="x", rng=rng)}
    mean = found["mean diameter"]
    assert mean.low < 15 < mean.high
    table = find_objects(fields)
    plain = table.diameter_px[~table.cut].mean()
    assert plain < mean.low


def test_few_objects_have_no_interval_and_none_no_value() -> None:
    rng = np.random.default_rng(0)
    few = object_sizes(of_diameters(np.linspace(5, 9, 5)), scale=PIXELS, of="x", rng=rng)
    assert few[0].value == pytest.approx(7)
    assert all(m.low is None and "fewer than 10" in m.note for m in few)
    some = {m.name: m for m in object_sizes(of_diameters(np.linspace(5, 9, 20)), scale=PIXELS, of="x", rng=rng)}
    assert some["d50 by number"].low is not None
    assert "fewer than 30" in some["d90 by number"].note
    none = object_sizes(find_objects([np.ones((9, 9), dtype=np.int64)]), scale=PIXELS, of="x", rng=rng)
    assert all(m.value is None and "No whole object" in m.note for m in none)


def test_one_object_that_outweighs_the_others_is_noted() -> None:
    sizes = np.append(np.linspace(5, 6, 40), 60.0)
    found = {m.name: m for m in object_sizes(of_diameters(sizes), scale=PIXELS, of="x", rng=np.random.default_rng(0))}
    assert "too narrow" in found["d50 by area"].note
    assert "too narrow" not in found["d50 by number"].note


def test_a_seed_gives_the_same_intervals_again() -> None:
    table = of_diameters(np.linspace(5, 9, 40))
    one, other = (object_sizes(table, scale=PIXELS, of="x", rng=np.random.default_rng(7)) for _ in range(2))
    assert one == other
