"""A scan's imperfections: what they do to frames, and where sites then show."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from micrographia.errors import ContextError
from micrographia.simulate import Column, Probe, Specimen, cached_rings, detector_table, simulate_scan
from micrographia.simulate.scans.faults import ScanFaults, probe_path, seen_px
from micrographia.simulate.scans.scan import superpose, with_dose

PROBE = Probe(energy_kev=80.0, convergence_mrad=25.0)
HAADF, MAADF = (76.0, 200.0), (50.0, 120.0)
PIXEL_A = 0.2
HEIGHT, WIDTH = 160, 140
X_PX, Y_PX = 61.3, 109.4
"""A column far from the middle row, 80, about which drift turns."""
ALL = ScanFaults(drift_x_px=0.02, drift_y_px=-0.01, row_jitter_A=0.1, flyback_A=1.0, dwell_travel=0.8, haze=0.2, seed=4)


def column_at(x_px, y_px):
    return Specimen(
        x_A=np.atleast_1d(x_px) * PIXEL_A,
        y_A=np.atleast_1d(y_px) * PIXEL_A,
        columns=(Column(atoms=(("W", 0.0),)),),
        kind=np.zeros(np.size(x_px), dtype=int),
        label=np.array(["M"] * np.size(x_px)),
        width_A=WIDTH * PIXEL_A,
        height_A=HEIGHT * PIXEL_A,
    )


def scan_of(faults, *, x_px=X_PX, y_px=Y_PX, detectors=(HAADF,), **more):
    return simulate_scan(
        column_at(x_px, y_px),
        PROBE,
        collection_mrad=detectors,
        pixel_size_nm=0.1 * PIXEL_A,
        source_sigma_nm=0.04,
        faults=faults,
        **more,
    ).frames


@pytest.fixture(scope="module")
def table():
    return detector_table(cached_rings(Column(atoms=(("W", 0.0),)), PROBE, vibration_A=0.06), HAADF, source_sigma_A=0.4)


def ideal(table, x_px, y_px):
    x_px, y_px = np.atleast_1d(x_px).astype(float), np.atleast_1d(y_px).astype(float)
    return superpose(
        x_px, y_px, np.zeros(x_px.size, dtype=int), np.ones(x_px.size), table[None], PIXEL_A, HEIGHT, WIDTH
    )


def test_no_fault_leaves_every_bit_and_draws_nothing(table):
    [frame] = scan_of(ScanFaults(seed=7), vibration_A=0.06)
    x_px, y_px = X_PX * PIXEL_A / PIXEL_A, Y_PX * PIXEL_A / PIXEL_A  # rounded as positions in Å are
    assert np.array_equal(frame, ideal(table, x_px, y_px).astype(np.float32))
    rng = np.random.default_rng(1)
    noisy = scan_of(ScanFaults(seed=7), dose_e_per_A2=1e5, vibration_A=0.06, rng=rng)
    counts = np.random.default_rng(1)
    assert np.array_equal(
        noisy[0], (counts.poisson(frame * (1e5 * PIXEL_A**2)) / (1e5 * PIXEL_A**2)).astype(np.float32)
    )
    assert rng.random() == counts.random()


@pytest.mark.parametrize(("drift_x", "drift_y"), [(0.1, 0.0), (0.0, 0.05), (-0.08, -0.04)])
def test_drift_moves_a_column_to_where_the_probe_meets_it(drift_x, drift_y):
    # Row r is scanned at r + drift_y (r - 80), its columns at c + drift_x (r - 80): an affine map, and affine maps
    # take centroids along.
    row = (Y_PX + 80 * drift_y) / (1 + drift_y)
    col = X_PX - drift_x * (row - 80)
    faults = ScanFaults(drift_x_px=drift_x, drift_y_px=drift_y)
    frame = scan_of(faults)[0].astype(float)
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    near = np.hypot(rows - row, cols - col) < 30
    assert (frame * rows)[near].sum() / frame[near].sum() == pytest.approx(row, abs=0.03)
    assert (frame * cols)[near].sum() / frame[near].sum() == pytest.approx(col, abs=0.03)
    x, y = seen_px(faults, np.array([X_PX]), np.array([Y_PX]), height=HEIGHT, width=WIDTH, pixel_A=PIXEL_A)
    assert (x[0], y[0]) == pytest.approx((col, row), abs=1e-9)


def test_each_row_of_a_jittered_scan_is_a_row_of_a_shifted_scan(table):
    faults = ScanFaults(row_jitter_A=0.1, seed=3)
    frame = scan_of(faults, vibration_A=0.06)[0]
    path = probe_path(faults, height=HEIGHT, width=WIDTH, pixel_A=PIXEL_A)
    for row in range(95, 125, 3):
        moved = ideal(table, X_PX - path.row_x_px[row], Y_PX - path.row_y_px[row])
        assert frame[row] == pytest.approx(moved[row], abs=1e-6 * float(frame.max()))
    for shift in (path.row_x_px, path.row_y_px):
        assert shift.std() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(2 * HEIGHT))
    assert abs(np.corrcoef(path.row_x_px, path.row_y_px)[0, 1]) < 4 / np.sqrt(HEIGHT)


def test_each_column_of_a_scan_with_flyback_is_a_column_of_a_shifted_scan(table):
    faults = ScanFaults(flyback_A=0.6, flyback_recovery_px=12.0)
    frame = scan_of(faults, x_px=5.2, vibration_A=0.06)[0]
    for col in range(0, 16, 3):
        lag = 3.0 * np.exp(-col / 12)
        assert frame[:, col] == pytest.approx(ideal(table, 5.2 + lag, Y_PX)[:, col], abs=1e-6 * float(frame.max()))
    x, y = seen_px(faults, np.array([5.2]), np.array([Y_PX]), height=HEIGHT, width=WIDTH, pixel_A=PIXEL_A)
    assert (x[0] - 3 * np.exp(-x[0] / 12), y[0]) == pytest.approx((5.2, Y_PX), abs=3e-3)


def test_a_dwell_on_the_move_is_the_mean_over_the_way(table):
    # Nine places a ninth of a pixel apart have the variance of a box of sqrt(1 - 1/81) px. Taps with its second and
    # fourth moment miss the sixth by 0.28: 0.28 / 720 of the sixth derivative, which is 15 / s^6 of the peak in a
    # column of width s = 2.5 px. That makes 2.4e-5.
    travel = np.sqrt(1 - 1 / 81)
    frame = scan_of(ScanFaults(dwell_travel=travel), vibration_A=0.06)[0]
    mean = np.mean([ideal(table, X_PX + n / 9, Y_PX) for n in range(-4, 5)], axis=0)
    assert frame == pytest.approx(mean, abs=6e-5 * float(mean.max()))
    assert abs(frame - ideal(table, X_PX, Y_PX)).max() > 5e-3 * mean.max()
    # A column on the very edge: what lies past it counts as well.
    frame = scan_of(ScanFaults(dwell_travel=travel), x_px=-0.4, vibration_A=0.06)[0]
    mean = np.mean([ideal(table, -0.4 + n / 9, Y_PX) for n in range(-4, 5)], axis=0)
    assert frame[:, :3] == pytest.approx(mean[:, :3], abs=6e-5 * float(mean.max()))


def test_haze_adds_its_share_of_the_mean_and_swings_by_its_measure():
    # Both edges hold whole periods of 4 Å (20 px).
    clean = scan_of(ScanFaults())[0].astype(float)
    added = scan_of(ScanFaults(haze=0.25, haze_period_A=4.0, seed=2))[0] - clean
    assert added.mean() == pytest.approx(0.25 * clean.mean(), rel=1e-3)
    assert added.max() / added.mean() == pytest.approx(1.3**2, rel=0.02)
    assert added.min() / added.mean() == pytest.approx(0.7**2, rel=0.02)


def test_detectors_share_the_path_and_not_the_noise():
    both = scan_of(ALL, detectors=(HAADF, MAADF))
    assert np.array_equal(both, np.concatenate([scan_of(ALL, detectors=(d,)) for d in (HAADF, MAADF)]))
    one, two = scan_of(ALL, detectors=(HAADF, HAADF), dose_e_per_A2=1e5, rng=np.random.default_rng(0))
    assert abs(one - two).max() > 0.01 * one.max()


def test_detector_noise_adds_to_the_variance_of_counting():
    # A sum of n pulses of mean 1 and spread s varies by n s²; n by its mean; the amplifier by r².
    signal = np.full((400, 500), 0.02)
    noisy = with_dose(signal, electrons_per_px=1000.0, rng=np.random.default_rng(5), pulse_spread=0.5, read_noise_e=3.0)
    expected = 20 * (1 + 0.25) + 9
    assert 1000 * noisy.mean() == pytest.approx(20, abs=5 * np.sqrt(expected / signal.size))
    assert 1e6 * noisy.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / signal.size))
    assert noisy.min() < 0


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(0, WIDTH - 1),
    y=st.floats(0, HEIGHT - 1),
    drift_x=st.floats(-0.2, 0.2),
    drift_y=st.floats(-0.2, 0.2),
    flyback_A=st.floats(0, 1),
    recovery=st.floats(8, 60),
)
def test_where_a_site_is_seen_the_probe_is_over_it(x, y, drift_x, drift_y, flyback_A, recovery):
    faults = ScanFaults(drift_x_px=drift_x, drift_y_px=drift_y, flyback_A=flyback_A, flyback_recovery_px=recovery)
    [col], [row] = seen_px(faults, np.array([x]), np.array([y]), height=HEIGHT, width=WIDTH, pixel_A=PIXEL_A)
    if np.isfinite(col) and np.isfinite(row):
        assert row + drift_y * (row - 80) == pytest.approx(y, abs=1e-9)
        lag = flyback_A / PIXEL_A * np.exp(-col / recovery)
        # The path is linear between columns: off by an eighth of its curvature, 5 px / 8² at most.
        assert col + drift_x * (row - 80) - lag == pytest.approx(x, abs=0.012)
    else:
        # Out of sight: the nearest edge of the scan ends before the site, or begins behind it.
        rows = np.array([-1, HEIGHT])
        first, last = rows + drift_y * (rows - 80)
        edge = drift_x * (np.clip(row, -1, HEIGHT) - 80)
        columns = np.array([-1, WIDTH])
        left, right = columns + edge - flyback_A / PIXEL_A * np.exp(-columns / recovery)
        assert not (first < y < last and left < x < right)


def test_a_fit_finds_jittered_columns_where_they_are_said_to_show(table):
    faults = ScanFaults(row_jitter_A=0.06, seed=11)
    places = np.array([(30.3 + n % 7 * 13.1, 20.0 + n * 5.77) for n in range(20)])
    said = np.transpose(seen_px(faults, *places.T, height=HEIGHT, width=WIDTH, pixel_A=PIXEL_A))
    found = []
    for (x, y), (x_said, y_said) in zip(places, said, strict=True):
        rows, cols = slice(int(y) - 12, int(y) + 13), slice(int(x) - 12, int(x) + 13)
        frame = scan_of(faults, x_px=x, y_px=y, vibration_A=0.06)[0][rows, cols]

        def misfit(at, frame=frame, rows=rows, cols=cols):
            return ((1 + at[2]) * ideal(table, at[0], at[1])[rows, cols] - frame).ravel() / table[0]

        found.append(least_squares(misfit, (x_said, y_said, 0.0), diff_step=1e-3).x[:2])
    off = np.sqrt(np.mean((np.array(found) - said) ** 2, axis=0)) * PIXEL_A
    unmoved = np.sqrt(np.mean((np.array(found) - places) ** 2, axis=0)) * PIXEL_A
    assert off[0] < 0.006 < 0.02 < unmoved[0]
    assert off[1] < 0.75 * unmoved[1] < 0.03


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"drift_x_px": 0.6}, "drift_x_px is 0.6; accepted is from -0.5 to 0.5"),
        ({"drift_y_px": float("nan")}, "drift_y_px is nan"),
        ({"row_jitter_A": -0.1}, "row_jitter_A is -0.1; accepted is 0 or more"),
        ({"flyback_A": float("inf")}, "flyback_A is inf"),
        ({"flyback_recovery_px": 0.5}, "flyback_recovery_px is 0.5; accepted is 1 or more"),
        ({"dwell_travel": 1.1}, "dwell_travel is 1.1; accepted is from 0 to 1"),
        ({"haze": -0.1}, "haze is -0.1"),
        ({"haze_period_A": 0.0}, "haze_period_A is 0; accepted is 1 or more"),
        ({"pulse_spread": -1.0}, "pulse_spread is -1"),
        ({"read_noise_e": float("nan")}, "read_noise_e is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_faults_are_refused(changes, says):
    with pytest.raises(ContextError, match=says):
        ScanFaults(**changes)


def test_detector_noise_without_electrons_is_refused():
    for name in ("pulse_spread", "read_noise_e"):
        with pytest.raises(ContextError, match="give a dose"):
            scan_of(ScanFaults(**{name: 0.3}))


def test_faults_have_the_names_and_units_of_patches():
    from micrographia.simulate.patches.recipe import Realism
    from micrographia.simulate.patches.render import SCENE

    known = {f.name for f in fields(Realism)} | set(SCENE.names)
    assert {f.name for f in fields(ScanFaults)} - known == {"haze_period_A"}  # in a patch's scene it is in pixels


def test_the_reach_bounds_the_path():
    path = probe_path(ALL, height=HEIGHT, width=WIDTH, pixel_A=PIXEL_A, margin_px=2)
    furthest = max(abs(path.row_x_px).max() + abs(path.column_x_px).max(), abs(path.row_y_px).max())
    assert 0.5 * ALL.reach_A(HEIGHT * PIXEL_A) < furthest * PIXEL_A <= ALL.reach_A(HEIGHT * PIXEL_A)
