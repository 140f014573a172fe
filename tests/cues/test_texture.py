"""Texture cues against pictures whose lines, edges, grains and particles are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from micrographia.cues import TEXTURE_CUES, texture
from micrographia.errors import InputError

SIDE = 256


def cues(frame):
    return {cue.name: cue for cue in texture(frame)}


def line(angle_deg, *, side=SIDE, width=2.0, length=None, depth=60.0, noise=4.0, seed=0):
    """A dark straight line through the middle, with soft ends, on a noisy ground."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle = math.radians(angle_deg)
    along, off = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
    inside = np.clip(width / 2 + 0.5 - np.abs(off), 0, 1)
    if length is not None:
        inside = inside * np.clip(length / 2 + 0.5 - np.abs(along), 0, 1)
    return 100 - depth * inside + np.random.default_rng(seed).normal(0, noise, (side, side))


@pytest.mark.parametrize("angle_deg", [0, 17, 30, 45, 71, 90, 122, 160])
def test_a_line_has_its_length_at_any_angle(angle_deg):
    found = cues(line(angle_deg, length=150))["dark lines"]
    # 3 px along each border are not looked at; about 2 px of each end are too curved to count.
    assert found.value == pytest.approx(1000 * 146 / (SIDE - 6) ** 2, rel=0.1)
    assert cues(line(angle_deg, length=150))["bright lines"].value == 0


@pytest.mark.parametrize("width", [1.0, 2.0, 4.0, 6.0])
def test_a_line_has_its_width(width):
    found = cues(line(30, width=width, depth=90, noise=1.0))["dark line width"]
    # Its edges are drawn 1 px soft, which adds 1/12 px² to the variance of its profile.
    assert found.value == pytest.approx(math.sqrt(width**2 + 1), rel=0.05, abs=0.7)


def test_bright_lines_are_the_dark_lines_of_the_negative():
    frame = line(30)
    dark, bright = cues(frame), cues(-frame)
    for kind in ("{} lines", "broad {} lines", "{} line width", "{} lines across"):
        assert bright[kind.format("bright")].value == pytest.approx(dark[kind.format("dark")].value, rel=0.05)


def test_a_broad_line_counts_as_broad():
    found = cues(line(0, width=12.0))
    assert found["broad dark lines"].value == pytest.approx(1000 / (SIDE - 12), rel=0.05)
    assert found["dark lines"].value == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_has_no_lines_no_direction_and_no_grain(seed):
    found = cues(np.random.default_rng(seed).normal(50, 7, (SIDE, SIDE)))
    for name in ("dark lines", "bright lines", "broad dark lines", "broad bright lines"):
        assert found[name].value == 0
    assert found["dark line width"].value is None
    assert found["grain size"].value is None
    assert found["edges"].value < 1
    assert found["anisotropy"].value is None or found["anisotropy"].value < 0.2


def test_a_step_and_a_shade_are_no_lines():
    step = np.where(np.arange(SIDE) < 90, 20.0, 80.0) * np.ones((SIDE, 1))
    y, x = np.mgrid[:SIDE, :SIDE]
    slanted = [np.where(x + y * slope > 200, 20.0, 80.0) for slope in (0.3, 1.0, 2.2)]
    for frame in (step, *slanted, gaussian_filter(step, 40), np.outer(np.arange(SIDE), np.ones(SIDE))):
        found = cues(frame + np.random.default_rng(0).normal(0, 0.5, frame.shape))
        assert found["dark lines"].value == found["bright lines"].value == found["broad dark lines"].value == 0


def test_a_crack_through_layers_cuts_across_and_the_layers_do_not():
    y = np.arange(SIDE)[:, None] * np.ones((1, SIDE))
    layers = 100 + 40 * np.sign(np.sin(2 * np.pi * y / 64)) + np.random.default_rng(0).normal(0, 3, (SIDE, SIDE))
    layers[62:65] -= 60  # a dark line along the layers
    plain = cues(layers)
    layers[64:192, 100:103] -= 60
    cracked = cues(layers)
    assert plain["dark lines"].value > 2
    assert plain["dark lines across"].value < 0.02
    added = cracked["dark lines"].value - plain["dark lines"].value
    assert cracked["dark lines across"].value == pytest.approx(added, abs=0.15)
    # Where it crosses from one layer to the next, four times, a few px of it are lost.
    assert 0.75 < cracked["dark lines across"].value / (1000 * 128 / (SIDE - 6) ** 2) < 1


@pytest.mark.parametrize("period", [16, 32, 64])
@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_stripes_have_two_edges_a_period(period, noise):
    x = np.arange(SIDE)
    stripes = 100 + 50 * np.sign(np.sin(2 * np.pi * (x + 0.5) / period)) * np.ones((SIDE, 1))
    found = cues(stripes + np.random.default_rng(0).normal(0, noise, stripes.shape))
    # One edge less than half periods fit. The percentiles of a noisy picture lie 2.3 sd beyond its tones.
    contrast = 1.0 if noise == 0 else 100 / (100 + 2 * 2.05 * noise)
    edges = (2 * SIDE / period - 1) * 1000 / (SIDE - 4) * contrast
    assert found["edges"].value == pytest.approx(edges, rel=0.08)
    assert found["anisotropy"].value > 0.97
    assert (found["anisotropy"].direction_deg + 90) % 180 == pytest.approx(90, abs=0.5)
    assert found["dark share"].value == pytest.approx(50, abs=2)


@pytest.mark.parametrize("direction", [0.0, 25.0, 90.0, 140.0])
def test_the_direction_is_across_the_fringes_counted_upwards(direction):
    y, x = np.mgrid[:SIDE, :SIDE]
    angle = math.radians(direction)
    wave = np.cos(2 * np.pi * (x * math.cos(angle) - y * math.sin(angle)) / 12.3)
    found = cues(wave + np.random.default_rng(0).normal(0, 0.3, wave.shape))["anisotropy"]
    turned = (found.direction_deg - direction + 90) % 180 - 90
    assert abs(turned) < 0.5
    assert abs(turned) < 5 * found.direction_sd_deg + 0.2
    assert found.value > 0.95


@pytest.mark.parametrize("radius", [5.0, 9.0])
def test_discs_on_a_grid_have_their_share_number_and_diameter(radius):
    y, x = np.mgrid[:SIDE, :SIDE]
    discs = np.clip(radius + 0.5 - np.hypot(y % 32 - 16, x % 32 - 16), 0, 1)
    found = cues(100 - 70 * discs + np.random.default_rng(0).normal(0, 2, discs.shape))
    assert found["dark particles"].value * (SIDE / 1000) ** 2 == pytest.approx(64)
    assert found["dark particles"].uncertainty * (SIDE / 1000) ** 2 == pytest.approx(8)
    assert found["dark particle diameter"].value == pytest.approx(2 * radius, rel=0.08)
    assert found["dark share"].value == pytest.approx(100 * math.pi * radius**2 / 32**2, rel=0.15)
    assert found["phase separation"].value > 0.75
    assert found["bright particles"].value == 0  # the ground is one piece that touches the border
    contrast = 70 / (70 + 2.05 * 2)  # the ground's noise lies beyond it, on one side
    assert found["edges"].value == pytest.approx(1000 * 2 * math.pi * radius / 32**2 * contrast, rel=0.08)


def test_particles_on_two_borders_count_once_for_fields_side_by_side():
    y, x = np.mgrid[:200, :200]
    frame = 100 - 70 * (np.hypot((y + 16) % 40 - 16, (x + 16) % 40 - 16) < 8.0)  # cut at all borders
    found = cues(frame + 0.0)["dark particles"]
    # Of 6 x 6 in view, whole or in part, 11 lie on these borders; 25 is what a field of this size holds.
    assert found.value == pytest.approx(25 / 0.2**2)


@pytest.mark.parametrize("sigma", [3.0, 6.0, 10.0])
def test_smoothed_noise_has_the_grain_of_its_gaussian(sigma):
    # Its autocorrelation is exp(-r²/4σ²): one half at 2 σ √ln 2.
    values = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        field = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), sigma, mode="wrap")
        found = cues(field / field.std() + rng.normal(0, 0.5, field.shape))["grain size"]
        values.append(found.value)
    expected = 4 * sigma * math.sqrt(math.log(2))
    assert np.mean(values) == pytest.approx(expected, rel=0.05 + 0.3 * sigma / SIDE * 10)
    assert found.uncertainty < 0.2 * expected


def test_the_cells_of_a_voronoi_tessellation_set_the_grain():
    sizes = []
    for count in (60, 240):
        rng = np.random.default_rng(3)
        points = rng.uniform(0, SIDE, (count, 2))
        cell = cKDTree(points).query(np.argwhere(np.ones((SIDE, SIDE))))[1].reshape(SIDE, SIDE)
        sizes.append(cues(rng.uniform(0, 1, count)[cell] + rng.normal(0, 0.05, cell.shape))["grain size"].value)
    cell_sides = [SIDE / math.sqrt(n) for n in (60, 240)]
    for size, side in zip(sizes, cell_sides, strict=True):
        assert 0.65 * side < size < 0.95 * side
    assert sizes[0] / sizes[1] == pytest.approx(2, rel=0.2)


def test_tones_of_known_distributions():
    rng = np.random.default_rng(0)
    normal = cues(rng.normal(0, 1, (SIDE, SIDE)))
    assert normal["grey spread"].value == pytest.approx(1 / (2 * 2.3263), rel=0.02)
    assert abs(normal["grey skewness"].value) < 0.05
    rare = cues(100 - 80.0 * (rng.random((SIDE, SIDE)) < 0.05) + rng.normal(0, 1, (SIDE, SIDE)))
    assert rare["grey skewness"].value == pytest.approx((1 - 2 * 0.95) / math.sqrt(0.95 * 0.05), rel=0.1)
    uniform = cues(rng.permutation(SIDE * SIDE).reshape(SIDE, SIDE).astype(float))
    assert uniform["entropy"].value == pytest.approx(6, abs=0.02)
    assert uniform["grey spread"].value == pytest.approx(1 / math.sqrt(12) / 0.98, rel=0.01)
    halves = cues(np.repeat([0.0, 1.0], SIDE * SIDE // 2).reshape(SIDE, SIDE))
    assert halves["entropy"].value == pytest.approx(1)
    assert halves["grey spread"].value == pytest.approx(0.5)


def test_gain_and_offset_of_the_detector_do_not_matter():
    frame = line(20, width=3)
    one, other = texture(frame), texture(frame * 31.7 - 5000)
    for a, b in zip(one, other, strict=True):
        assert a.sentence == b.sentence
        assert (a.value is None) == (b.value is None)
        assert a.value is None or a.value == pytest.approx(b.value, rel=1e-3, abs=1e-3)


def test_a_turned_image_has_the_same_lines_and_another_direction():
    frame = line(20, width=3)
    one, turned = cues(frame), cues(np.rot90(frame).copy())
    for name in TEXTURE_CUES:
        if one[name].value is not None:
            assert turned[name].value == pytest.approx(one[name].value, rel=0.03, abs=0.03), name
    assert (turned["anisotropy"].direction_deg - one["anisotropy"].direction_deg) % 180 == pytest.approx(90, abs=0.5)


def test_uncertainties_are_of_the_size_of_what_repeats_differ_by():
    rng = np.random.default_rng(0)
    found = [cues(gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 3, mode="wrap")) for _ in range(24)]
    for name in ("edges", "dark share", "grey spread", "grain size"):
        spread = np.std([f[name].value for f in found], ddof=1)
        stated = np.sqrt(np.mean([f[name].uncertainty ** 2 for f in found]))
        assert 0.4 < stated / spread < 2.5, name


def test_all_cues_come_in_their_order_each_with_a_sentence():
    found = texture(line(20))
    assert tuple(cue.name for cue in found) == TEXTURE_CUES
    for cue in found:
        assert cue.sentence.endswith(".")
        assert "nan" not in cue.sentence
        assert "e+" not in cue.sentence


@pytest.mark.parametrize(
    ("frame", "words"),
    [(np.zeros((31, 400)), "at least 32 x 32"), (np.full((64, 64), 7.0), "all pixels are equal")],
    ids=["small", "flat"],
)
def test_what_cannot_be_measured_is_refused(frame, words):
    with pytest.raises(InputError, match=words):
        texture(frame)


def test_two_tones_of_equal_pixels_do_not_fail():
    frame = np.zeros((40, 40))
    frame[10, 10] = 1.0
    assert len(texture(frame)) == len(TEXTURE_CUES)
