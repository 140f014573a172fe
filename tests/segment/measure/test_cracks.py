from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_shapes import bar, disc

from micrographia.errors import InputError
from micrographia.segment.measure import Cracks, Measurement, Scale, crack_measurements, find_cracks

PIXELS = Scale(pixel_size_nm=None)


def measured(mask: np.ndarray, scale: Scale = PIXELS) -> tuple[dict[str, Measurement], Cracks]:
    found, cracks = crack_measurements(mask, scale=scale, of="cracks")
    return {m.name: m for m in found}, cracks


def parallel(angle_deg: float, count: int, rng: np.random.Generator, spread_deg: float = 0.0) -> np.ndarray:
    """Bars of 3 × 70 px that lie apart from one another in a field of 400 × 400 px."""
    mask = np.zeros((400, 400), dtype=bool)
    for number in range(count):
        centre = (60 + 90 * (number // 4) + rng.random(), 60 + 90 * (number % 4) + rng.random())
        mask |= bar(70, 3, angle_deg + spread_deg * rng.standard_normal(), shape=(400, 400), centre=centre)
    return mask


@pytest.mark.parametrize("angle", [0.0, 10.0, 30.0, 45.0, 63.0, 90.0, 120.0, 135.0])
@pytest.mark.parametrize("width", [2.0, 3.0, 5.0, 8.0])
def test_a_bar_has_its_length_width_and_direction(angle: float, width: float) -> None:
    mask = bar(110, width, angle)
    found, cracks = measured(mask)
    assert len(cracks) == 1
    assert cracks.length_px[0] == pytest.approx(110, rel=0.015)
    drawn = float(mask.sum()) / 110  # at 45° a bar of few pixels is drawn up to 0.6 px too wide or too narrow
    assert found["mean crack width"].value == pytest.approx(drawn, rel=0.03)
    assert found["maximum crack width"].value == pytest.approx(drawn, abs=0.6)
    off = (found["crack direction"].value - angle + 90) % 180 - 90
    assert abs(off) < 1.5
    assert found["spread of crack directions"].value < 4
    assert found["crack alignment"].value > 0.99


def test_lengths_of_bars_are_without_bias_over_all_directions() -> None:
    rng = np.random.default_rng(0)
    errors = [
        float(find_cracks(bar(100, width, angle, shape=(130, 130), centre=tuple(64 + rng.random(2)))).length_px[0])
        - 100
        for width in (2.0, 3.5, 6.0)
        for angle in rng.uniform(0, 180, 12)
    ]
    assert abs(np.mean(errors)) < 0.3  # steps of pixels counted as they are would be 8 % too long on average
    assert np.std(errors) < 0.7


@pytest.mark.parametrize("width", [2.0, 4.0, 8.0])
def test_an_arc_and_a_ring_have_the_length_of_their_circle(width: float) -> None:
    y, x = np.mgrid[:220, :220]
    radius, angle = np.hypot(y - 110, x - 110), np.arctan2(110 - y, x - 110)
    ring = np.abs(radius - 80) <= width / 2
    assert find_cracks(ring).length_px == pytest.approx([2 * math.pi * 80], rel=0.01)
    arc = ring & (angle > 0) & (angle < 2.5)
    assert find_cracks(arc).length_px == pytest.approx([2.5 * 80], rel=0.015)


@pytest.mark.parametrize("width", [3.0, 5.0, 9.0])
def test_the_three_arms_of_a_y_add_up(width: float) -> None:
    y, x = np.mgrid[:200, :200]
    mask = np.zeros((200, 200), dtype=bool)
    for degrees in (90, 210, 330):
        angle = math.radians(degrees)
        along = (x - 100) * math.cos(angle) - (y - 100) * math.sin(angle)
        across = (x - 100) * math.sin(angle) + (y - 100) * math.cos(angle)
        mask |= (along >= 0) & (along <= 70) & (np.abs(across) <= width / 2)
    found, cracks = measured(mask)
    assert cracks.length_px == pytest.approx([210], rel=0.02)
    assert cracks.max_width_px == pytest.approx([width], abs=0.6)  # the branching point is wider, and does not count
    assert found["crack direction"].value is None  # three arms at 120° prefer none
    assert "No direction prevails" in found["crack direction"].note


def test_a_rough_edge_adds_no_branches() -> None:
    rng = np.random.default_rng(0)
    mask = bar(120, 7, 20)
    edge = bar(122, 9, 20) & ~bar(118, 5, 20)
    rough = mask ^ (edge & (rng.random(mask.shape) < 0.25))
    largest = find_cracks(rough)
    assert largest.length_px.max() == pytest.approx(120, rel=0.04)


@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0, 70.0])
def test_a_crack_that_leaves_the_field_ends_at_the_border(angle: float) -> None:
    y, x = np.mgrid[:200, :200]
    across = (x - 100) * math.sin(math.radians(angle)) + (y - 100) * math.cos(math.radians(angle))
    found, cracks = measured(np.abs(across) <= 3)
    steeper = max(abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle))))
    assert cracks.length_px == pytest.approx([200 / steeper], rel=0.01)
    assert bool(cracks.cut[0])
    assert "At least" in found["longest crack"].note


def test_density_and_direction_of_parallel_cracks() -> None:
    mask = parallel(30.0, 16, np.random.default_rng(0), spread_deg=4.0)
    found, cracks = measured(mask, Scale(pixel_size_nm=100.0))
    assert found["number of cracks"].value == 16
    assert found["total crack length"].value == pytest.approx(16 * 7, rel=0.02)
    density = found["crack density"]
    # 16 · 7 µm in 40 × 40 µm.
    assert density.value == pytest.approx(16 * 7 / 1600 * 1e3, rel=0.02)
    assert density.unit == "mm/mm²"
    assert density.low < density.value < density.high
    direction = found["crack direction"]
    assert direction.low < 30 < direction.high
    # The mean of 16 directions that spread by 4° has an interval of ± 2.13 · 4 / 4.
    assert direction.half_width == pytest.approx(2.13, rel=0.5)
    assert found["spread of crack directions"].value == pytest.approx(4.0, abs=1.8)
    edges, lengths = cracks.by_direction()
    assert edges[[0, -1]].tolist() == [-5, 175]
    assert lengths.sum() == pytest.approx(cracks.length_px.sum(), rel=1e-6)
    assert lengths[(edges[:-1] > 5) & (edges[:-1] < 50)].sum() > 0.97 * lengths.sum()


def test_directions_about_the_x_axis_do_not_cancel() -> None:
    mask = parallel(0.0, 16, np.random.default_rng(1), spread_deg=5.0)
    direction = measured(mask)[0]["crack direction"]
    off = (direction.value + 90) % 180 - 90
    assert abs(off) < 4
    assert direction.half_width < 6


def test_cracks_in_all_directions_prefer_none() -> None:
    mask = np.zeros((400, 400), dtype=bool)
    for number, angle in enumerate(np.linspace(0, 180, 12, endpoint=False)):
        mask |= bar(70, 3, angle, shape=(400, 400), centre=(60 + 90 * (number // 4), 60 + 90 * (number % 4)))
    found, _ = measured(mask)
    assert found["crack direction"].value is None
    assert found["crack alignment"].value < 0.05


def test_cracks_of_unequal_width_give_an_interval_for_the_mean() -> None:
    mask = np.zeros((200, 200), dtype=bool)
    for row, width in zip(range(15, 190, 30), (2, 4, 6, 8, 4, 6), strict=True):
        mask[row : row + width, 30:170] = True
    width = measured(mask)[0]["mean crack width"]
    assert width.value == pytest.approx(5, rel=0.02)
    # Standard deviation of 2 4 6 8 4 6 is 2.098, t of 5 degrees of freedom 2.571.
    assert width.half_width == pytest.approx(2.571 * 2.098 / math.sqrt(6), rel=0.05)


@given(size=st.floats(1, 1e4))
@settings(max_examples=10, deadline=None)
def test_lengths_grow_with_the_pixel_and_directions_do_not(size: float) -> None:
    mask = bar(60, 3, 25, shape=(70, 70), centre=(35, 35))
    in_pixels, _ = measured(mask)
    found, _ = measured(mask, Scale(pixel_size_nm=size))
    for name in ("total crack length", "mean crack width", "maximum crack width"):
        assert found[name].value == pytest.approx(in_pixels[name].value * size / 1e3)
    assert found["crack direction"].value == in_pixels["crack direction"].value
    assert found["crack density"].value == pytest.approx(in_pixels["crack density"].value / size * 1e6)


def test_a_quarter_turn_turns_directions_and_keeps_lengths() -> None:
    mask = bar(90, 4, 25, shape=(120, 140), centre=(60, 70))
    one, other = find_cracks(mask), find_cracks(np.rot90(mask).copy())
    assert other.length_px == pytest.approx(one.length_px, rel=0.02)
    turn = measured(np.rot90(mask).copy())[0]["crack direction"].value - measured(mask)[0]["crack direction"].value
    assert turn % 180 == pytest.approx(90, abs=2)


def test_no_crack_is_zero_and_all_crack_cannot_be_told() -> None:
    none, cracks = measured(np.zeros((20, 30), dtype=bool))
    assert len(cracks) == 0
    assert [none[n].value for n in ("number of cracks", "total crack length", "crack density")] == [0, 0, 0]
    assert none["mean crack width"].value is None
    filled, _ = measured(np.ones((20, 30), dtype=bool))
    assert all(m.value is None and "fills the field" in m.note for m in filled.values())


def test_blobs_and_pixels_are_no_crash_and_are_noted() -> None:
    mask = disc(6, shape=(60, 60), centre=(20, 20))
    mask[50, 50] = True
    found, cracks = measured(mask)
    assert np.isfinite(cracks.length_px).all()
    assert cracks.length_px.min() == pytest.approx(1, abs=0.6)
    assert cracks.length_px.max() == pytest.approx(12, abs=2)
    assert "2 are less than 3 times as long as wide" in found["number of cracks"].note
    for shape in ((1, 1), (1, 7), (7, 1), (2, 2)):
        corner = np.zeros(shape, dtype=bool)
        corner[0, 0] = True
        assert np.isfinite(find_cracks(corner).length_px).all()


@given(seed=st.integers(0, 200), share=st.floats(0.02, 0.9))
@settings(max_examples=25, deadline=None)
def test_any_mask_at_all_gives_finite_numbers(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((24, 31)) < share
    found, cracks = measured(mask)
    assert np.isfinite(cracks.length_px).all()
    assert (cracks.length_px > 0).all()
    assert found["number of cracks"].value == len(cracks)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(InputError, match="at least a pixel"):
        find_cracks(np.zeros((0, 4), dtype=bool))
