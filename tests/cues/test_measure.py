"""Measured cues against pictures whose number, size, period and layout are known, and under turns, scales and greys."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, zoom

from micrographia.cues.kinds import CUE_KINDS, MEASURED_CUES
from micrographia.cues.measure import measure
from micrographia.errors import InputError
from micrographia.read import read

SIDE = 200
LENGTHS = ("spacing", "dominant scale", "particle diameter")
few = settings(max_examples=3, deadline=None, derandomize=True)


def cues(frame, **known):
    return {cue.name: cue for cue in measure(frame, **known)}


def noisy(frame, sd=2.0, seed=0):
    return frame + np.random.default_rng(seed).normal(0, sd, np.shape(frame))


def discs(centres, radius, *, shape=(SIDE, SIDE), ground=60.0, height=80.0):
    """Discs with edges 1 px soft."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.min([np.hypot(y - a, x - b) for a, b in centres], axis=0)
    return ground + height * np.clip(radius + 0.5 - away, 0, 1)


def scattered(count, radius, seed, *, side=SIDE, gap=6):
    """Centres of so many discs that neither touch each other nor the border."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        new = rng.uniform(radius + gap, side - radius - gap, 2)
        if all(np.hypot(*(new - old)) > 2 * radius + gap for old in found):
            found.append(new)
    return found


def bar(frame, start, end, width, grey):
    """Draw a straight bar with ends cut square and edges 1 px soft."""
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
    (y0, x0), (y1, x1) = start, end
    length = math.hypot(y1 - y0, x1 - x0)
    along = ((y - y0) * (y1 - y0) + (x - x0) * (x1 - x0)) / length
    off = np.abs((y - y0) * (x1 - x0) - (x - x0) * (y1 - y0)) / length
    inside = np.clip(width / 2 + 0.5 - off, 0, 1) * np.clip(along + 0.5, 0, 1) * np.clip(length - along + 0.5, 0, 1)
    return frame + inside * (grey - frame)


def grating(period, direction_deg, *, shape=(SIDE, SIDE)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle = math.radians(direction_deg)
    return 100 + 40 * np.cos(2 * math.pi * (x * math.cos(angle) - y * math.sin(angle)) / period)


def lattice(a, b, *, side=SIDE, missing=(), sigma=2.0, bend=0.0):
    """Atoms at all whole combinations of two vectors (down, right), but for those that are missing."""
    y, x = np.mgrid[:side, :side].astype(float)
    y = y + bend * np.sin(2 * math.pi * x / side)
    frame = np.zeros((side, side))
    basis = np.array([a, b], dtype=float)
    reach = math.ceil(1.5 * side / min(np.hypot(*basis.T)))
    for m in range(-reach, reach + 1):
        for n in range(-reach, reach + 1):
            row, col = np.array([m, n]) @ basis
            if (m, n) in missing or not (-20 < row < side + 20 and -20 < col < side + 20):
                continue
            top, left = max(0, int(row) - 20), max(0, int(col) - 20)
            here = np.s_[top : int(row) + 21, left : int(col) + 21]
            frame[here] += np.exp(-((y[here] - row) ** 2 + (x[here] - col) ** 2) / (2 * sigma**2))
    return frame


def scene():
    """Discs of two sizes, a grating in one part, and noise: something for most cues."""
    frame = discs(scattered(9, 11, 3), 11)
    frame[:, 120:] += 0.3 * (grating(9.0, 25.0) - 100)[:, 120:]
    return noisy(gaussian_filter(frame, 1.0))


def test_small_objects_in_a_large_image_are_counted_on_a_finer_copy():
    """Discs of 9 px, 12 px apart: on a copy of 384 px they are 3 px wide and touch."""
    y, x = np.mgrid[:960, :960]
    frame = 60.0 + 90 * (np.hypot(y % 48 - 24, x % 24 - 12) < 4.5)
    frame += np.random.default_rng(0).normal(0, 3, frame.shape)
    cues = {cue.name: cue for cue in measure(frame)}
    assert cues["particles"].value == pytest.approx(20 * 40, abs=2 * cues["particles"].uncertainty)
    assert cues["particles"].value == pytest.approx(800, rel=0.05)
    assert cues["particle diameter"].value == pytest.approx(9, abs=1)


def test_each_cue_comes_once_in_order_with_its_unit_and_a_sentence():
    for frame in (scene(), noisy(np.zeros((64, 90))), lattice((12, 0), (0, 12))):
        found = measure(frame)
        assert tuple(cue.name for cue in found) == MEASURED_CUES == tuple(CUE_KINDS)
        for cue in found:
            assert cue.unit == CUE_KINDS[cue.name].unit
            assert cue.sentence.endswith(".")
            assert "None" not in cue.sentence.replace("None of", "")
            assert (cue.value is None) == (cue.uncertainty is None), cue.name
            assert cue.value is None or (math.isfinite(cue.value) and cue.uncertainty >= 0)


def test_the_same_image_gives_the_same_cues():
    assert measure(scene()) == measure(scene())


@pytest.mark.parametrize(
    ("frame", "size", "said"),
    [
        (np.zeros((20, 64)) + np.arange(64), None, "32 x 32"),
        (np.full((64, 64), 3.0), None, "all pixels are equal"),
        (np.where(np.eye(64) > 0, np.nan, 1.0), None, "not finite"),
        (np.arange(64.0 * 64).reshape(64, 64), 0.0, "pixel_size_nm is 0.0"),
    ],
)
def test_what_cannot_be_measured_is_refused(frame, size, said):
    with pytest.raises(InputError, match=said):
        measure(frame, pixel_size_nm=size)


def test_a_quarter_turn_changes_no_scalar_and_turns_directions():
    frame = scene()
    before, after = cues(frame), cues(np.rot90(frame))
    for name, cue in before.items():
        other = after[name]
        assert (cue.value is None) == (other.value is None), name
        if cue.value is not None:
            assert other.value == pytest.approx(cue.value, rel=0.02, abs=1e-6), name
    for name in ("spacing", "anisotropy"):
        turned = (after[name].direction_deg - before[name].direction_deg - 90 + 90) % 180 - 90
        assert turned == pytest.approx(0, abs=1.0), name


@few
@given(gain=st.floats(0.01, 200), offset=st.floats(-1e3, 1e3))
def test_grey_may_be_scaled_and_shifted(gain, offset):
    frame = scene()
    before, after = cues(frame), cues(gain * frame + offset)
    for name in set(MEASURED_CUES) - {"contrast", "noise"}:
        if before[name].value is None:
            assert after[name].value is None, name
        else:
            assert after[name].value == pytest.approx(before[name].value, rel=1e-2, abs=1e-3), name
    assert after["noise"].value == pytest.approx(gain * before["noise"].value, rel=1e-3)


def test_twice_as_many_pixels_double_lengths_in_pixels_and_leave_those_in_nm():
    coarse = gaussian_filter(
        discs([(a, b) for a in range(10, 240, 20) for b in range(10, 240, 20)], 6, shape=(240, 240)), 1
    )
    fine = zoom(coarse, 2, order=3, mode="nearest", grid_mode=True)
    small, large = cues(coarse, pixel_size_nm=0.8), cues(fine)
    for name in LENGTHS:
        assert large[name].value == pytest.approx(2 * small[name].value / 0.8, rel=0.06), name
        assert (small[name].unit, large[name].unit) == ("nm", "px")
    for name in ("particles", "particle coverage"):
        assert large[name].value == pytest.approx(small[name].value, rel=0.04), name
    for name in ("edges", "sharpness"):
        assert large[name].value == pytest.approx(small[name].value / 2, rel=0.15), name


def test_a_known_size_of_a_pixel_turns_lengths_into_nm_and_nothing_else():
    frame = scene()
    pixels, nm = cues(frame), cues(frame, pixel_size_nm=0.4)
    for name, cue in nm.items():
        factor = 0.4 if CUE_KINDS[name].is_length else 1.0
        assert cue.unit == ("nm" if CUE_KINDS[name].is_length else pixels[name].unit)
        if cue.value is not None:
            assert cue.value == pytest.approx(factor * pixels[name].value), name
            assert cue.uncertainty == pytest.approx(factor * pixels[name].uncertainty), name


@few
@given(period=st.floats(5, 25), direction=st.floats(0, 179.9))
def test_a_grating_has_its_period_and_direction_and_is_regular(period, direction):
    found = cues(noisy(grating(period, direction), sd=10.0))
    spacing = found["spacing"]
    assert abs(spacing.value - period) < 5 * spacing.uncertainty + 1e-3 * period
    assert abs((spacing.direction_deg - direction + 90) % 180 - 90) < 5 * spacing.direction_sd_deg + 0.1
    # Variances of 800 and 100.
    assert found["regularity"].value == pytest.approx(100 * 8 / 9, abs=3)
    assert found["layering"].value > 0.95
    assert found["anisotropy"].value > 0.9
    assert found["lattice defects"].value is None
    assert found["cracks"].value is None


@few
@given(count=st.integers(1, 14), radius=st.floats(5, 12), seed=st.integers(0, 1000), bright=st.booleans())
def test_discs_have_their_number_size_and_coverage(count, radius, seed, bright):
    frame = noisy(discs(scattered(count, radius, seed), radius, ground=120.0, height=70.0 if bright else -70.0))
    found = cues(frame)
    here, other = ("particle", "pore") if bright else ("pore", "particle")
    assert found[f"{here}s"].value == count
    assert found[f"{here} diameter"].value == pytest.approx(2 * radius, abs=1.0)
    assert found[f"{here} coverage"].value == pytest.approx(
        100 * count * math.pi * radius**2 / SIDE**2, rel=0.8 / radius
    )
    assert found[f"{other}s"].value == 0
    assert found[f"{other} diameter"].value is None
    assert found["fibres"].value == 0
    for name, truth in ((f"{here}s", count), (f"{here} diameter", 2 * radius)):
        assert abs(found[name].value - truth) <= 2 * found[name].uncertainty


def test_touching_discs_are_told_apart():
    centres = [(50, 50), (50, 73), (120, 60), (120, 83), (143, 71)]
    assert cues(noisy(discs(centres, 12)))["particles"].value == 5


@pytest.mark.parametrize("width", [6.0, 10.0])
def test_crossing_fibres_have_their_number_and_width(width):
    frame = np.full((300, 300), 50.0)
    ends = [((-20, 60), (320, 110)), ((80, -20), (40, 320)), ((200, -20), (260, 320)), ((320, 180), (-20, 240))]
    for start, end in ends:
        frame = bar(frame, start, end, width, 150.0)
    found = cues(noisy(frame, sd=4.0))
    assert found["fibres"].value == 4
    assert found["fibre width"].value == pytest.approx(width, abs=1.0)
    # Each crosses 300 px at a slant; four crossings are covered twice.
    lengths = [300 / math.cos(math.atan2(*sorted((abs(b - a), abs(d - c))))) for (a, c), (b, d) in ends]
    assert found["fibre coverage"].value == pytest.approx(100 * (sum(lengths) * width - 4 * width**2) / 300**2, rel=0.1)
    assert found["particles"].value is None or found["particles"].value == 0


@few
@given(heights=st.lists(st.integers(14, 40), min_size=3, max_size=8), turned=st.booleans())
def test_stripes_are_counted_as_layers(heights, turned):
    greys = [(40.0, 90.0, 150.0)[(3 * k // 2) % 3] for k in range(len(heights))]
    frame = np.repeat(greys, heights)[:, None] * np.ones((1, 180))
    found = cues(noisy(frame.T if turned else frame, sd=4.0))
    assert found["layers"].value == len(heights)
    assert found["layering"].value > 0.9


def test_a_shade_is_no_layer_and_discs_are_none():
    y, x = np.mgrid[:SIDE, :SIDE]
    shade = cues(noisy(100 + 0.4 * y + 0.001 * x * y, sd=4.0))
    assert shade["layering"].value == 0
    assert shade["layers"].value == 0
    assert cues(noisy(discs(scattered(9, 11, 1), 11)))["layers"].value == 0


@pytest.mark.parametrize(("width", "angle_deg"), [(3.0, 0), (3.0, 35), (7.0, 0), (8.0, 62)])
def test_a_crack_has_its_length_and_width(width, angle_deg):
    angle = math.radians(angle_deg)
    step = 75 * np.array([-math.sin(angle), math.cos(angle)])
    frame = bar(np.full((SIDE, SIDE), 130.0), np.array([100, 100]) - step, np.array([100, 100]) + step, width, 20.0)
    found = cues(noisy(frame, sd=3.0))
    assert found["cracks"].value == pytest.approx(1000 * 150 / SIDE**2, rel=0.2)
    assert abs(found["cracks"].value - 1000 * 150 / SIDE**2) < 2 * found["cracks"].uncertainty
    assert found["crack width"].value == pytest.approx(width, abs=1.5)


def test_without_lines_there_are_no_cracks():
    found = cues(noisy(discs(scattered(9, 11, 1), 11)))
    assert found["cracks"].value == 0
    assert found["crack width"].value is None


SQUARE, HEXAGON, OBLIQUE = ((12, 0), (0, 12)), ((12, 0), (6, 10.392)), ((11, 3), (-2, 14))


@pytest.mark.parametrize(("basis", "bend"), [(SQUARE, 0.0), (HEXAGON, 0.0), (SQUARE, 3.0), (OBLIQUE, 3.0)])
def test_a_lattice_has_its_share_of_defects(basis, bend):
    side = 260
    inside = [
        (m, n)
        for m in range(-60, 60)
        for n in range(-60, 60)
        if ((np.array([m, n]) @ np.array(basis) > 40) & (np.array([m, n]) @ np.array(basis) < side - 40)).all()
    ]
    missing = {inside[k] for k in np.random.default_rng(4).choice(len(inside), 8, replace=False)}
    perfect, faulty = (
        cues(noisy(lattice(*basis, side=side, missing=gone, bend=bend), sd=0.05))["lattice defects"]
        for gone in (set(), missing)
    )
    cells = side**2 / abs(np.linalg.det(np.array(basis)))
    assert perfect.value < 0.5
    # Cells that the border cuts are not among those that are compared.
    assert faulty.value == pytest.approx(100 * 8 / cells, rel=0.35)
    assert abs(faulty.value - 100 * 8 / cells) < 2 * faulty.uncertainty


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_is_not_regular_takes_all_directions_and_shows_nothing(seed):
    found = cues(np.random.default_rng(seed).normal(100, 9, (256, 256)))
    assert found["regularity"].value == 0
    assert found["spacing"].value is None
    assert found["lattice defects"].value is None
    assert math.log2(36) - 0.03 < found["orientation entropy"].value <= math.log2(36)
    assert found["noise"].value == pytest.approx(9, rel=0.05)
    for name in ("particles", "pores", "fibres", "cracks"):
        assert not found[name].value, name
    assert found["layering"].value < 0.1


def test_parallel_edges_have_no_entropy_and_crossed_ones_one_bit():
    one = 100.0 + 50 * (np.arange(SIDE) % 40 < 20) * np.ones((SIDE, 1))
    assert cues(one)["orientation entropy"].value == pytest.approx(0, abs=1e-6)
    # Edges of rows in the one half and of columns in the other: two directions alike.
    crossed = np.concatenate([one[: SIDE // 2], one[: SIDE // 2, :].T[:, : SIDE // 2].repeat(2, axis=1)[: SIDE // 2]])
    assert 0.8 < cues(crossed)["orientation entropy"].value < 1.3


@pytest.mark.parametrize("blur", [1.0, 2.0, 4.0])
def test_edges_rise_by_what_their_blur_leaves(blur):
    frame = gaussian_filter(100.0 + 50 * (np.arange(SIDE) % 80 < 40) * np.ones((SIDE, 1)), blur)
    found = cues(noisy(frame, sd=0.2))["sharpness"]
    assert found.value == pytest.approx(100 / math.sqrt(2 * math.pi * (blur**2 + 1 / 12)), rel=0.12)


def test_where_no_ground_shows_counts_are_none_and_the_sentence_says_why():
    cells = gaussian_filter(np.random.default_rng(0).normal(0, 1, (256, 256)), 4.0)
    found = cues(100 + 400 * cells)
    assert found["particles"].value is None
    assert "no plain ground" in found["particles"].sentence


def test_kinds_tell_lengths_and_give_their_floor_in_nm():
    assert {name for name, kind in CUE_KINDS.items() if kind.is_length} == {
        *("spacing", "dominant scale", "particle diameter", "pore diameter", "fibre width", "crack width")
    }
    assert CUE_KINDS["particle diameter"].floor_in_unit(5.0) == 5.0
    assert CUE_KINDS["particle coverage"].floor_in_unit(5.0) == 1.0
    assert all(kind.floor > 0 and kind.more != kind.less for kind in CUE_KINDS.values())


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("0c02a5fbd18b5cefc1115295ba1d4fc4.jpg", 6),
        ("0ddeb3d176444928f3a6061887232c3d.jpg", 25),
        ("8f600a82d3630a7ab93278a052aa407d.jpg", 28),
    ],
)
def test_particles_that_an_expert_counted_are_within_twice_the_uncertainty(samples, file, count):
    found = cues(read(samples / "sem-nffa/counting/particles" / file).frames[0])["particles"]
    assert abs(found.value - count) <= 2 * found.uncertainty <= 0.4 * count
