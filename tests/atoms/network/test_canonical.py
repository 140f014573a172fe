"""Patches in one frame: the same lattice gives the same patch, however it was scanned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.atoms.network.canonical import SIDE, STEPS, CanonicalPatches, canonical_patches

WIDTH = 0.2
"""Standard deviation of the made-up columns [lattice constants]."""
HEIGHTS = (1.0, 0.6)
MIDDLE = (SIDE - 1) / 2
ARM = STEPS / np.sqrt(3)
"""Length of an arm where a canonical pixel is one of the scan [px]."""


def honeycomb(x, y, variance):
    """Gaussian columns of unit height, blurred further, at places [a] from a bright one whose neighbour lies at +x."""
    a1, a2 = np.array([np.sqrt(3) / 2, -0.5]), np.array([np.sqrt(3) / 2, 0.5])
    total = np.zeros(np.broadcast(x, y).shape)
    wide = WIDTH**2 + variance
    for n1 in range(-5, 6):
        for n2 in range(-5, 6):
            for third, height in enumerate(HEIGHTS):
                # The second column of a cell lies at (a1 + a2) / 3 = (1 / sqrt 3, 0).
                at = (n1 + third / 3) * a1 + (n2 + third / 3) * a2
                if np.hypot(*at) < 4.5:
                    r2 = (x - at[0]) ** 2 + (y - at[1]) ** 2
                    total += height * WIDTH**2 / wide * np.exp(-r2 / (2 * wide))
    return total


def scanned(to_px, x_px, y_px, size):
    """The honeycomb, unblurred, in a scan; ``to_px`` takes lattice constants to pixels."""
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    back = np.linalg.inv(to_px)
    dx, dy = columns - x_px, rows - y_px
    return honeycomb(back[0, 0] * dx + back[0, 1] * dy, back[1, 0] * dx + back[1, 1] * dy, 0.0)


def patch_of(image, x_px, y_px, right, down) -> CanonicalPatches:
    frames = np.asarray(image, dtype=np.float32)
    return canonical_patches(
        frames[None, None] if frames.ndim == 2 else frames[None],
        np.array([0]),
        np.array([float(x_px)]),
        np.array([float(y_px)]),
        np.array([right], dtype=float),
        np.array([down], dtype=float),
    )


@settings(max_examples=25, deadline=None)
@given(
    a_px=st.floats(9, 30),
    turn_deg=st.floats(0, 360),
    stretch=st.floats(0.97, 1.03),
    shear=st.floats(-0.03, 0.03),
    x=st.floats(-0.5, 0.5),
    y=st.floats(-0.5, 0.5),
    mirrored=st.booleans(),
)
def test_a_lattice_gives_the_same_patch_however_it_was_scanned(a_px, turn_deg, stretch, shear, x, y, mirrored):
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    to_px = a_px * np.array([[stretch, shear], [0.0, 1 / stretch]]) @ turn @ np.diag([1, -1 if mirrored else 1])
    size = int(5.0 * a_px) // 2 * 2
    x, y = size / 2 + x, size / 2 + y
    found = patch_of(scanned(to_px, x, y, size), x, y, to_px[:, 0] / np.sqrt(3), to_px[:, 1] / np.sqrt(3))

    # A tent of half width h has the variance h^2 / 6. Of one pixel's half width it is linear interpolation, whose
    # variance is anything from 0 to h^2 / 4, depending on where between two pixels it falls: up to h^2 / 6 off.
    half = max(1 / STEPS, 1 / a_px)
    step = (np.arange(SIDE) - MIDDLE) / STEPS
    wanted = honeycomb(step[None, :], step[:, None], half**2 / 6)
    spread = wanted.std()
    # A variance wrong by v along both axes changes a Gaussian column by at most its height times v / width^2.
    # What a truncated tent of odd width misplaces is less: a thirtieth of a pixel at a slope of 0.61 / width.
    tolerance = half**2 / 6 / WIDTH**2 + 0.61 / WIDTH * half / 30
    assert found.covered[0] == 1
    assert found.mean[0, 0] == pytest.approx(wanted.mean(), abs=0.3 * tolerance)
    assert found.spread[0, 0] == pytest.approx(spread, abs=tolerance)
    off = np.abs(found.image[0, 0] * found.spread[0, 0] + found.mean[0, 0] - wanted)
    assert off.max() < tolerance
    assert np.corrcoef(found.image[0, 0].ravel(), wanted.ravel())[0, 1] > 0.998


def test_a_site_lies_the_same_along_each_of_its_three_arms():
    a_px, size = 14.3, 72
    to_px = a_px * np.eye(2)
    image = scanned(to_px, 36.2, 35.9, size)
    patches = []
    for turn in range(3):
        angle = 2 * np.pi / 3 * turn
        right = a_px / np.sqrt(3) * np.array([np.cos(angle), np.sin(angle)])
        for side in (1, -1):
            patches.append(patch_of(image, 36.2, 35.9, right, side * np.array([-right[1], right[0]])).image[0, 0])
    assert max(np.corrcoef(patches[0].ravel(), p.ravel())[0, 1] for p in patches[1:]) > 0.999
    # It would not, were the arms those of the other sublattice.
    other = patch_of(image, 36.2, 35.9, [-a_px / np.sqrt(3), 0], [0, a_px / np.sqrt(3)]).image[0, 0]
    assert np.corrcoef(patches[0].ravel(), other.ravel())[0, 1] < 0.95


def test_a_ramp_by_hand():
    # One canonical pixel is one of the scan: the patch is columns 14.5 to 49.5, whose variance is (36^2 - 1) / 12.
    ramp = np.broadcast_to(np.arange(64.0), (64, 64))
    found = patch_of(ramp, 32, 32, [ARM, 0], [0, ARM])
    spread = np.sqrt((SIDE**2 - 1) / 12)
    assert found.mean[0, 0] == pytest.approx(32, rel=1e-5)
    assert found.spread[0, 0] == pytest.approx(spread, rel=1e-5)
    wanted = np.broadcast_to((np.arange(SIDE) - MIDDLE) / spread, (SIDE, SIDE))
    assert found.image[0, 0] == pytest.approx(wanted, abs=1e-4)


def test_a_constant_has_its_value_and_no_spread():
    found = patch_of(np.full((64, 64), 0.125), 32.3, 31.8, [ARM, 0], [0, ARM])
    assert found.mean[0, 0] == pytest.approx(0.125, rel=1e-6)
    assert found.spread[0, 0] < 1e-6 * 0.125


@pytest.mark.parametrize(
    ("step_px", "inside"),
    # Column n lies at (n - 17.5) steps, and the scan begins at -0.5 px: 2 steps reach n >= 17.25, 0.8 n >= 16.875.
    [(2.0, 18), (0.8, 19)],
)
def test_what_lies_outside_the_scan_is_blank_and_counted(step_px, inside):
    rng = np.random.default_rng(0)
    arm = step_px * ARM
    found = patch_of(rng.uniform(1, 2, (64, 64)), 0, 0, [arm, 0], [0, arm])
    assert found.covered[0] == np.float32((inside / SIDE) ** 2)
    seen = found.image[0, 0, SIDE - inside :, SIDE - inside :]
    outside = found.image[0, 0].copy()
    outside[SIDE - inside :, SIDE - inside :] = 0
    assert (outside == 0).all()
    # Mean and spread are of what is inside.
    assert seen.mean(dtype=float) == pytest.approx(0, abs=1e-4)
    assert seen.std(dtype=float) == pytest.approx(1, rel=1e-4)
    assert 1.4 < found.mean[0, 0] < 1.6


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(1e-3, 1e3), offset=st.floats(-3, 3), sign=st.sampled_from([1, -1]))
def test_gain_and_offset_change_mean_and_spread_only(gain, offset, sign):
    image = np.random.default_rng(1).normal(1, 0.3, (2, 48, 48))
    arms = [9.3, 1.2], [-1.2, 9.3]
    before = patch_of(image, 24.1, 23.7, *arms)
    gain *= sign
    # Only the second channel is changed: nothing of it gets into the first.
    changed = np.stack([image[0], gain * (image[1] + offset)])
    after = patch_of(changed, 24.1, 23.7, *arms)
    assert np.array_equal(after.image[0, 0], before.image[0, 0])
    # Single precision of numbers up to |offset| + 2, beside a spread of about 0.1.
    assert after.image[0, 1] == pytest.approx(sign * before.image[0, 1], abs=1e-4)
    assert after.mean[0, 1] == pytest.approx(gain * (before.mean[0, 1] + offset), abs=1e-5 * abs(gain))
    assert after.spread[0, 1] == pytest.approx(abs(gain) * before.spread[0, 1], rel=1e-4)


def test_mirrored_and_turned_arms_mirror_and_turn_the_patch():
    image = np.random.default_rng(2).normal(0, 1, (80, 80))
    right, down = np.array([11.1, 2.3]), np.array([-2.3, 11.1])
    patch = patch_of(image, 40.3, 39.6, right, down).image[0, 0]
    # The same places in another order.
    for arms, wanted in (
        ((right, -down), patch[::-1]),
        ((-right, down), patch[:, ::-1]),
        ((-right, -down), patch[::-1, ::-1]),
        ((down, -right), np.rot90(patch)),
        ((down, right), patch.T),
    ):
        assert patch_of(image, 40.3, 39.6, *arms).image[0, 0] == pytest.approx(wanted, abs=2e-5)


def test_each_site_is_taken_from_its_own_scan():
    frames = np.random.default_rng(3).normal(0, 1, (3, 2, 64, 64)).astype(np.float32)
    x, y = np.array([30.0, 33.5, 20.2]), np.array([31.0, 30.5, 40.1])
    right, down = np.full((3, 2), [8.0, 0.5]), np.full((3, 2), [-0.5, 8.0])
    which = np.array([2, 0, 1])
    together = canonical_patches(frames, which, x, y, right, down)
    for n, frame in enumerate(which):
        alone = patch_of(frames[frame], x[n], y[n], right[n], down[n])
        for name in ("image", "mean", "spread"):
            assert np.array_equal(getattr(together, name)[n], getattr(alone, name)[0]), name
