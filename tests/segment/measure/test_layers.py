from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from micrographia.errors import InputError
from micrographia.segment.measure import LayerProfile, Measurement, Scale, layer_thickness

PIXELS = Scale(pixel_size_nm=None)
SHAPE = (240, 300)


def between(near: np.ndarray, far: np.ndarray, *, height: int = SHAPE[0]) -> np.ndarray:
    """Mask between two edges, one position a column."""
    y = np.arange(height)[:, None]
    return (y >= near[None]) & (y < far[None])


def band(thickness: float, angle_deg: float) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    angle = math.radians(angle_deg)
    across = (x - 150.2) * math.sin(angle) + (y - 119.7) * math.cos(angle)
    return np.abs(across) <= thickness / 2


def found(mask: np.ndarray, scale: Scale = PIXELS) -> tuple[dict[str, Measurement], LayerProfile]:
    measurements, profile = layer_thickness(mask, scale=scale, of="oxide")
    assert profile is not None
    return {m.name: m for m in measurements}, profile


@pytest.mark.parametrize("angle", [-20.0, 0.0, 3.0, 10.0, 20.0, 30.0])
@pytest.mark.parametrize("thickness", [8.3, 25.0])
def test_a_tilted_band_has_its_thickness(angle: float, thickness: float) -> None:
    measurements, profile = found(band(thickness, angle))
    mean = measurements["mean thickness"]
    assert mean.low <= thickness <= mean.high
    assert mean.value == pytest.approx(thickness, abs=0.75 if angle == 0 else 0.15)
    assert np.median(profile.tilt_deg) == pytest.approx(-angle, abs=1.5)  # y points down
    assert measurements["standard deviation of thickness"].value < 0.6
    assert profile.along == "x"


def test_pixels_hide_more_of_a_straight_layer_than_of_a_tilted_one() -> None:
    straight, tilted = (found(band(20.0, angle))[0]["mean thickness"].half_width for angle in (0.0, 10.0))
    # Two edges, each uniform within a pixel: 1.96 sqrt(2/12) = 0.80 px where no step averages it out.
    assert straight == pytest.approx(0.80, abs=0.01)
    assert tilted < 0.25


def test_a_layer_that_runs_down_is_measured_across() -> None:
    across, _ = found(band(14.0, 10.0))
    down, profile = found(band(14.0, 10.0).T.copy())
    assert profile.along == "y"
    assert down["mean thickness"].value == across["mean thickness"].value


def test_a_wavy_layer_of_one_thickness_is_not_thicker_on_its_slopes() -> None:
    # Edges at constant distance across: vertical extent grows as 1 / cos of the slope, up to 1.18 here.
    x = np.arange(600)
    slope = 0.628 * np.cos(2 * np.pi * x / 200)
    middle = 120 + 20 * np.sin(2 * np.pi * x / 200)
    half = 5 * np.sqrt(1 + slope**2)
    measurements, profile = found(between(middle - half, middle + half))
    assert measurements["mean thickness"].value == pytest.approx(10, abs=0.15)
    assert np.abs(profile.thickness_px - 10).max() < 1.6
    assert np.abs(profile.tilt_deg).max() == pytest.approx(math.degrees(math.atan(0.628)), abs=4)


def test_a_wedge_runs_from_its_thin_to_its_thick_end() -> None:
    x = np.arange(400)
    near = np.full(400, 100.0)
    far = 110 + 40 * x / 399
    measurements, profile = found(between(near, far))
    cosine = math.cos(math.atan(0.05))  # of its mid-line
    assert measurements["mean thickness"].value == pytest.approx(30 * cosine, abs=0.5)
    assert measurements["minimum thickness"].value == pytest.approx(10 * cosine, abs=1)
    assert measurements["maximum thickness"].value == pytest.approx(50 * cosine, abs=1)
    assert measurements["p5 thickness"].value == pytest.approx(12 * cosine, abs=1)
    assert measurements["p95 thickness"].value == pytest.approx(48 * cosine, abs=1)
    assert measurements["standard deviation of thickness"].value == pytest.approx(40 / math.sqrt(12), rel=0.02)
    # All of its columns say less than a handful would, as they rise together.
    mean = measurements["mean thickness"]
    assert mean.low is None or mean.half_width > 5
    assert len(profile.thickness_px) == 400


def test_intervals_of_rough_layers_cover_their_mean_thickness() -> None:
    rng = np.random.default_rng(0)
    held, halves, naive = [], [], []
    for _ in range(120):
        rough = gaussian_filter1d(rng.standard_normal((2, 700)), 6.0, axis=1, mode="wrap")[:, 100:600]
        rough *= 2.0 / math.sqrt(1 / (2 * math.sqrt(math.pi) * 6.0))  # to a standard deviation of 2 px
        measurements, profile = found(between(60 + rough[0], 85.4 + rough[1], height=140))
        mean = measurements["mean thickness"]
        # Tilted by its own roughness, a layer is measured a little thinner: by the mean cosine.
        truth = 25.4 * float(np.cos(np.radians(profile.tilt_deg)).mean())
        held.append(mean.low <= truth <= mean.high)
        halves.append(mean.half_width)
        naive.append(1.96 * float(profile.thickness_px.std()) / math.sqrt(500))
    assert np.mean(held) > 0.88
    assert np.mean(halves) > 2.5 * np.mean(naive)  # columns taken as independent would promise far too much


def test_holes_and_stray_pixels_change_nothing() -> None:
    mask = band(24.0, 10.0)
    holes = mask.copy()
    holes[118:122, 140:150] = False
    stray = holes.copy()
    stray[5:9, 20:30] = True
    plain, _ = found(mask)
    pierced, _ = found(stray)
    assert pierced["mean thickness"].value == plain["mean thickness"].value


def test_columns_where_the_border_cuts_the_layer_are_left_out() -> None:
    x = np.arange(300)
    near = 20 - 0.1 * x
    measurements, profile = found(between(near, near + 20))
    assert len(profile.position_px) < 220
    assert profile.near_px.min() > -0.5
    assert measurements["mean thickness"].value == pytest.approx(20 * math.cos(math.atan(0.1)), abs=0.3)
    assert measurements["mean thickness"].count == len(profile.position_px)


@given(size=st.floats(1, 1e4))
@settings(max_examples=10, deadline=None)
def test_thickness_grows_with_the_pixel(size: float) -> None:
    mask = band(20.0, 7.0)
    in_pixels, _ = found(mask)
    scaled, _ = found(mask, Scale(pixel_size_nm=size))
    for name, one in in_pixels.items():
        assert scaled[name].value == pytest.approx(one.value * size / 1e3)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.zeros((40, 60), bool), "not in the field"),
        (np.ones((40, 60), bool), "fills the field"),
        (np.pad(np.ones((10, 10), bool), 20), "No connected shape"),
        (np.arange(40)[:, None] < np.full((1, 60), 20), "border of the field cuts"),
        (np.ones((1, 1), bool), "fills the field"),
    ],
)
def test_what_is_no_layer_has_no_thickness_and_says_why(mask: np.ndarray, words: str) -> None:
    measurements, profile = layer_thickness(mask, scale=PIXELS, of="oxide")
    assert profile is None
    assert len(measurements) == 6
    assert all(m.value is None and words in m.note for m in measurements)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(InputError, match="at least a pixel"):
        layer_thickness(np.zeros((0, 4), dtype=bool), scale=PIXELS, of="oxide")
