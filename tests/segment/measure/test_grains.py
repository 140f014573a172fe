from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_shapes import squares, voronoi

from micrographia.errors import InputError
from micrographia.segment.measure import (
    Measurement,
    Scale,
    grain_number_by_count,
    grain_number_by_intercept,
    intercepts,
    planimetric,
)
from micrographia.segment.measure.grains import grown_over_boundaries

MICROMETRE = Scale(pixel_size_nm=1000.0)
PIXELS = Scale(pixel_size_nm=None)


def ends(found: Measurement) -> tuple[float, float, float]:
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    return found.low, found.value, found.high


# ---- the number G -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "per_mm2", "intercept_um"),
    # ASTM E112, table of grain size relationships: N_A = 15.50 · 2^(G-1) per mm², mean intercept 320 · 2^(-G/2) µm.
    [(0, 7.75, 320.0), (2, 31.0, 160.0), (5, 248.0, 56.6), (8, 1984.0, 20.0), (10, 7936.0, 10.0), (14, 126976.0, 2.5)],
)
def test_grain_numbers_are_those_of_the_standard(number: int, per_mm2: float, intercept_um: float) -> None:
    assert grain_number_by_count(per_mm2) == pytest.approx(number, abs=0.006)
    assert grain_number_by_intercept(intercept_um / 1e3) == pytest.approx(number, abs=0.006)


# ---- planimetric --------------------------------------------------------------------------------


@given(st.integers(1, 19), st.integers(1, 19))
@settings(max_examples=25, deadline=None)
def test_a_lattice_of_squares_is_counted_exactly_in_whole_periods(down: int, right: int) -> None:
    # The field is 6 × 4 squares of 20 µm between the centres of its border pixels.
    grains = squares(20, shape=(121, 81), offset=(down, right))
    per_area, mean_area, number = planimetric([grains], scale=MICROMETRE, of="ferrite")
    assert per_area.value == pytest.approx(2500)
    assert mean_area.value == pytest.approx(400)
    assert number.value == pytest.approx(3.321928 * math.log10(2500) - 2.954)


def test_corners_count_a_quarter_so_that_no_field_has_a_grain_too_many() -> None:
    # Over all positions of a field, whatever its size, squares of 20 px number one in 400 px². A half at the corners
    # would count one more in each field, of 3.75 here.
    every = [squares(20, shape=(51, 31), offset=(y, x)) for y in range(20) for x in range(20)]
    per_area = planimetric(every, scale=PIXELS, of="ferrite")[0]
    assert per_area.value == pytest.approx(1 / 400)


def test_hexagonal_grains_have_the_number_of_their_lattice() -> None:
    pitch = 24.0
    y, x = np.mgrid[:300, :312]
    rows = np.arange(-2, 17)
    centres = np.array([(r * pitch * math.sqrt(3) / 2, (c + r % 2 / 2) * pitch) for r in rows for c in range(-2, 16)])
    nearest = np.argmin(np.hypot(y[::3, ::3, None] - centres[:, 0], x[::3, ::3, None] - centres[:, 1]), axis=-1).astype(
        np.int64
    )
    per_area = planimetric([nearest + 1], scale=Scale(pixel_size_nm=3000.0), of="ferrite")[0]
    assert per_area.value == pytest.approx(1e6 / (pitch**2 * math.sqrt(3) / 2), rel=0.06)


def test_voronoi_grains_have_the_known_number_and_intercept_and_the_intervals_hold_them() -> None:
    # Poisson-Voronoi: lambda grains per area; boundary 2 sqrt(lambda) per area, so chords of pi / (4 sqrt(lambda)).
    per_px2 = 1 / 30**2
    chord = math.pi / 4 * 30
    counted, crossed, held_count, held_cross = [], [], [], []
    for seed in range(40):
        grains = voronoi(per_px2, shape=(400, 400), rng=np.random.default_rng(seed))
        low, value, high = ends(planimetric([grains], scale=PIXELS, of="ferrite")[0])
        counted.append(value / per_px2)
        held_count.append(low <= per_px2 <= high)
        low, value, high = ends(intercepts([grains], scale=PIXELS, of="ferrite")[0][0])
        crossed.append(value / chord)
        held_cross.append(low <= chord <= high)
    assert np.mean(counted) == pytest.approx(1, abs=3 * np.std(counted) / math.sqrt(40))
    # Chords shorter than a pixel are missed: up to 1 % at this size.
    assert np.mean(crossed) == pytest.approx(1.005, abs=3 * np.std(crossed) / math.sqrt(40) + 0.005)
    assert np.mean(held_count) > 0.84  # 95 % within three standard errors of 3.4 %
    assert np.mean(held_cross) > 0.84


def test_several_fields_give_the_interval_of_their_scatter() -> None:
    fields = [squares(edge, shape=(201, 201), offset=(5, 5)) for edge in (20, 25, 20, 25)]
    per_area, _, number = planimetric(fields, scale=MICROMETRE, of="ferrite")
    # 2500, 1600, 2500, 1600 per mm²: mean 2050, standard deviation 450 · sqrt(4/3), t of 3 degrees of freedom 3.1824.
    half = 3.1824 * 450 * math.sqrt(4 / 3) / 2
    assert ends(per_area) == pytest.approx((2050 - half, 2050, 2050 + half), rel=1e-4)
    assert ends(number) == pytest.approx([grain_number_by_count(v) for v in (2050 - half, 2050, 2050 + half)], abs=1e-3)
    assert "One field" not in number.note


# ---- intercepts ---------------------------------------------------------------------------------


@given(st.integers(1, 29), st.integers(1, 19))
@settings(max_examples=20, deadline=None)
def test_intercepts_of_a_lattice_of_rectangles_are_its_edges(down: int, right: int) -> None:
    # In a field of whole periods plus a pixel, lines along x cross a wall every 20 px, those along y every 30 px.
    y, x = np.mgrid[:241, :201]
    grains = 1 + (y + down) // 30 * 50 + (x + right) // 20
    (length, *_), rose = intercepts([grains], scale=PIXELS, of="ferrite")
    assert rose.angle_deg.tolist() == [0, 45, 90, 135]
    assert rose.mean_intercept_px[[0, 2]] == pytest.approx([20.0, 30.0])
    # A diagonal crosses both kinds: per px of it (1/20 + 1/30) / sqrt(2), less one of 600 steps that pass a corner.
    assert rose.mean_intercept_px[[1, 3]] == pytest.approx(math.sqrt(2) / (1 / 20 + 1 / 30 - 1 / 600), rel=0.02)
    assert length.value is not None


def test_elongated_grains_show_in_the_rose_and_the_anisotropy() -> None:
    y, x = np.mgrid[:361, :361]
    (_, _, ratio), rose = intercepts([1 + y // 60 * 50 + x // 15], scale=PIXELS, of="ferrite")
    assert rose.mean_intercept_px[2] / rose.mean_intercept_px[0] == pytest.approx(4, rel=0.01)
    assert ratio.value == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("thickness", [1, 2, 3, 4, 5])
def test_a_boundary_with_a_thickness_counts_once(thickness: int) -> None:
    thin = squares(30, shape=(241, 241), offset=(11, 17))
    walls = (np.arange(241) + 11) % 30 < thickness, (np.arange(241) + 17) % 30 < thickness
    thick = np.where(walls[0][:, None] | walls[1][None, :], 0, thin)
    for measured in (
        lambda g: planimetric([g], scale=PIXELS, of="x"),
        lambda g: intercepts([g], scale=PIXELS, of="x")[0],
    ):
        assert measured(thick)[0].value == pytest.approx(measured(thin)[0].value, rel=0.03)


def test_a_scratch_within_a_grain_is_no_boundary() -> None:
    grains = squares(40, shape=(200, 200), offset=(7, 7))
    scratched = grains.copy()
    scratched[50:60, 50] = 0
    assert (grown_over_boundaries(scratched, widest_px=5.0) == grains).all()


def test_what_is_wider_than_a_boundary_is_no_grain() -> None:
    # Bands of 60 px with grains between bands of 40 px without: the same grains per area of bands, the same chords.
    grains = squares(20, shape=(200, 400), offset=(10, 10))
    bands = np.where(np.arange(200)[:, None] % 100 < 60, grains, 0)
    (along, *_), rose = intercepts([bands], scale=PIXELS, of="x")
    assert rose.mean_intercept_px[0] == pytest.approx(20, rel=0.02)
    assert along.value == pytest.approx(intercepts([grains], scale=PIXELS, of="x")[0][0].value, rel=0.12)
    assert np.mean(grown_over_boundaries(bands, widest_px=5.0) == bands) > 0.999  # save where bands end at the border


@given(st.floats(1.0, 1e4))
@settings(max_examples=15, deadline=None)
def test_lengths_grow_with_the_pixel_and_the_number_falls_by_two_a_doubling(size: float) -> None:
    grains = squares(20, shape=(200, 200), offset=(5, 9))
    once, twice = (intercepts([grains], scale=Scale(pixel_size_nm=s), of="x")[0] for s in (size, 2 * size))
    assert once[0].value is not None
    assert once[1].value is not None
    assert twice[0].value == pytest.approx(2 * once[0].value)
    assert twice[1].value == pytest.approx(once[1].value - 2, abs=1e-5)  # 6.643856 log10 2


def test_quarter_turns_change_nothing() -> None:
    grains = voronoi(1 / 400, shape=(160, 200), rng=np.random.default_rng(0))
    turned = np.rot90(grains).copy()
    assert planimetric([turned], scale=PIXELS, of="x")[0].value == pytest.approx(
        planimetric([grains], scale=PIXELS, of="x")[0].value
    )
    (length, *_), rose = intercepts([grains], scale=PIXELS, of="x")
    (again, *_), round_about = intercepts([turned], scale=PIXELS, of="x")
    assert again.value == pytest.approx(length.value)
    assert round_about.mean_intercept_px[[2, 3, 0, 1]] == pytest.approx(rose.mean_intercept_px)


def test_without_a_pixel_size_there_is_no_number_but_a_length() -> None:
    grains = squares(20, shape=(200, 200), offset=(5, 5))
    for found in (planimetric([grains], scale=PIXELS, of="x"), intercepts([grains], scale=PIXELS, of="x")[0]):
        numbers = [m for m in found if "number" in m.name]
        assert [m.value for m in numbers] == [None]
        assert "pixel size is unknown" in numbers[0].note
        assert found[0].value is not None


def test_few_grains_are_noted() -> None:
    assert "at least 50" in planimetric([squares(40, shape=(100, 100))], scale=MICROMETRE, of="x")[0].note


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 40)])
@pytest.mark.parametrize("label", [0, 3])
def test_no_grain_or_one_that_fills_the_field_gives_no_size(shape: tuple[int, int], label: int) -> None:
    field = np.full(shape, label)
    counted, (crossed, rose) = (
        planimetric([field], scale=MICROMETRE, of="x"),
        intercepts([field], scale=MICROMETRE, of="x"),
    )
    assert counted[0].value == (None if label else 0.0)
    assert [m.value for m in (*counted[1:], *crossed)] == [None] * 5
    assert all(m.note for m in (*counted, *crossed))
    assert np.isinf(rose.mean_intercept_px).all()


def test_no_field_is_refused() -> None:
    with pytest.raises(InputError, match="no grain image came"):
        planimetric([], scale=PIXELS, of="x")
    with pytest.raises(InputError, match="no grain image came"):
        intercepts([], scale=PIXELS, of="x")
