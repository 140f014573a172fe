from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.segment.measure import Measurement, PointPattern, Scale, spacing

PIXELS = Scale(pixel_size_nm=None)
SHAPE = (200, 300)


def random_points(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.random((count, 2)) * np.array(SHAPE) - 0.5


def found(points: np.ndarray, scale: Scale = PIXELS) -> tuple[tuple[Measurement, ...], PointPattern | None]:
    return spacing(points, shape=SHAPE, scale=scale, of="pores", rng=np.random.default_rng(0))


def test_a_square_lattice_has_its_pitch_and_twice_the_index_of_chance() -> None:
    points = np.stack(np.mgrid[5:200:10, 5:300:10], axis=-1).reshape(-1, 2) - 0.5
    (distance, index, p), pattern = found(points)
    assert distance.value == pytest.approx(10)
    # 1 / (2 · mean of chance) = 2 for an endless square lattice; 600 points have 3.4 % of border correction in it.
    chance = 0.5 * 10 + (0.0514 + 0.041 / math.sqrt(600)) * 1000 / 600
    assert index.value == pytest.approx(10 / chance)
    assert p.value == pytest.approx(0, abs=1e-12)
    assert pattern is not None
    assert pattern.verdict == "ordered"
    assert pattern.l_minus_r_px.min() < -8  # no pair at all below 10 px


def test_a_hexagonal_lattice_has_the_greatest_index() -> None:
    pitch = 10.0
    points = np.array(
        [(r * pitch * math.sqrt(3) / 2 + 2, (c + r % 2 / 2) * pitch + 2) for r in range(22) for c in range(29)]
    )
    (_, index, _), _ = found(points)
    assert index.value == pytest.approx(2.1491, rel=0.06)  # Clark and Evans 1954


def test_clusters_are_told() -> None:
    rng = np.random.default_rng(0)
    parents = rng.uniform(20, 180, (12, 2)) * np.array([1, 1.5])
    points = np.clip(np.repeat(parents, 10, axis=0) + rng.normal(0, 4, (120, 2)), 0, np.array(SHAPE) - 1)
    (_, index, p), pattern = found(points, Scale(pixel_size_nm=500.0))
    assert pattern is not None
    assert index.value is not None
    assert index.value < 0.6
    assert p.value == pytest.approx(0, abs=1e-6)
    assert pattern.verdict == "clustered"
    assert "clustered" in pattern.sentence
    assert "more frequent" in pattern.sentence
    assert "µm" in pattern.sentence
    assert pattern.p_pairs == 0.01  # none of 99 strays as far
    assert (pattern.l_minus_r_px > pattern.high_px).any()


def test_random_points_are_told_apart_from_chance_as_seldom_as_the_level_says() -> None:
    rng = np.random.default_rng(2)
    truth = 0.5 / math.sqrt(60 / (SHAPE[0] * SHAPE[1]))
    indices, nearest, pairs, held, held_index, distances = [], [], [], [], [], []
    for _ in range(200):
        (distance, index, p), pattern = spacing(random_points(60, rng), shape=SHAPE, scale=PIXELS, of="x", rng=rng)
        assert pattern is not None
        indices.append(index.value)
        distances.append(distance.value)
        nearest.append(p.value)
        pairs.append(pattern.p_pairs <= 0.05)
        held.append(distance.low <= truth <= distance.high)
        held_index.append(index.low <= 1 <= index.high)
    assert np.mean(indices) == pytest.approx(1, abs=3 * np.std(indices) / math.sqrt(200))
    # Border corrections leave no more than 2 % in the mean distance.
    assert np.mean(distances) == pytest.approx(truth, abs=3 * np.std(distances) / math.sqrt(200) + 0.02 * truth)
    # 5 % within three standard errors of 1.5 %.
    assert 0.005 <= np.mean(np.array(nearest) < 0.05) <= 0.10
    assert 0.4 <= np.mean(np.array(nearest) < 0.5) <= 0.6
    assert 0.005 <= np.mean(pairs) <= 0.10
    assert np.mean(held) > 0.88
    assert np.mean(held_index) > 0.88


def test_ripleys_l_of_random_points_is_zero_on_average_at_all_distances() -> None:
    rng = np.random.default_rng(0)
    curves = []
    for _ in range(60):
        _, pattern = spacing(random_points(100, rng), shape=SHAPE, scale=PIXELS, of="x", rng=rng)
        assert pattern is not None
        curves.append(pattern.l_minus_r_px)
        assert ((pattern.low_px < 0) & (pattern.high_px > 0)).mean() > 0.8
    mean, error = np.mean(curves, axis=0), np.std(curves, axis=0) / math.sqrt(60)
    # Beyond half a spacing, below which there are hardly any pairs to take a root of.
    assert (np.abs(mean)[8:] < 4 * error[8:] + 0.1).all()


@given(size=st.floats(1, 1e4))
@settings(max_examples=10, deadline=None)
def test_distances_grow_with_the_pixel_and_the_index_does_not(size: float) -> None:
    points = random_points(30, np.random.default_rng(3))
    (distance, index, _), _ = found(points, Scale(pixel_size_nm=size))
    (in_pixels, same, _), _ = found(points)
    assert in_pixels.value is not None
    assert distance.value == pytest.approx(in_pixels.value * size / 1e3)
    assert index.value == same.value


@pytest.mark.parametrize("count", [0, 1])
def test_without_neighbours_there_is_no_distance(count: int) -> None:
    measurements, pattern = found(np.zeros((count, 2)))
    assert [m.value for m in measurements] == [None] * 3
    assert all(m.note for m in measurements)
    assert pattern is None


def test_few_points_cannot_be_told_from_chance() -> None:
    (distance, index, p), pattern = found(random_points(12, np.random.default_rng(0)))
    assert pattern is None
    assert p.value is None
    assert index.low is None
    assert distance.low is None
    assert "cannot be told" in index.note


def test_points_at_the_border_only_have_no_corrected_distance() -> None:
    (distance, *_), _ = found(np.array([[0.0, 0.0], [0.0, 299.0]]))
    assert distance.value is None
    assert "border" in distance.note


def test_objects_at_one_place_are_no_crash() -> None:
    (distance, index, _), pattern = found(np.full((25, 2), 100.0))
    assert distance.value == 0
    assert index.value == 0
    assert pattern is not None
    assert pattern.verdict == "clustered"


def test_points_beyond_the_field_are_refused() -> None:
    with pytest.raises(InputError, match="within it"):
        found(np.array([[10.0, 10.0], [250.0, 10.0]]))
