import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.simulate.scans.effects import (
    add_haze,
    drift_rows,
    dwell_taps,
    flyback_columns,
    jitter_rows,
)
from micrographia.simulate.specimens.hosts import RELAXATION, ROLES


def moment(taps, order):
    centre, near, far = taps
    return 2 * near + 2 * 2**order * far + (centre if order == 0 else 0.0)


@settings(deadline=None)  # the first call compiles
@given(st.floats(0, 1))
def test_the_taps_of_a_moving_probe_have_the_moments_of_a_box(travel):
    # Moments of a box of width w: 1, w^2 / 12, w^4 / 80.
    taps = dwell_taps(travel)
    assert moment(taps, 0) == pytest.approx(1, abs=1e-14)
    assert moment(taps, 2) == pytest.approx(travel**2 / 12, abs=1e-14)
    assert moment(taps, 4) == pytest.approx(travel**4 / 80, abs=1e-14)


@pytest.mark.parametrize("travel", [0.3, 1.0])
@pytest.mark.parametrize("period_px", [5.0, 8.0, 20.0])
def test_the_taps_average_a_wave_over_the_way_of_the_probe(travel, period_px):
    centre, near, far = taps = dwell_taps(travel)
    column = np.arange(-2, 202.0)
    wave = np.sin(2 * np.pi * column / period_px + 0.3)
    smeared = centre * wave[2:-2] + near * (wave[1:-3] + wave[3:-1]) + far * (wave[:-4] + wave[4:])
    # The mean of a sine over a box is the sine times sinc (numpy's: sin(pi x) / (pi x)).
    # The first moment that differs is the sixth, w^6 / 448 for the box; the series alternates, so its term bounds.
    error = (2 * np.pi / period_px) ** 6 / 720 * abs(moment(taps, 6) - travel**6 / 448)
    assert error < 2e-3
    assert smeared == pytest.approx(wave[2:-2] * np.sinc(travel / period_px), abs=error + 1e-14)


def test_a_probe_that_waits_does_not_smear():
    assert dwell_taps(0.0) == (1.0, 0.0, 0.0)


def test_drift_grows_by_the_row_and_leaves_the_middle_one():
    rows = np.full(64, 2.0)
    drift_rows(0.25, rows)
    assert rows[32] == 2.0
    assert np.diff(rows) == pytest.approx(np.full(63, 0.25))


def test_jitter_is_normal_and_independent_from_row_to_row():
    rows = np.full(100_000, 3.0)
    jitter_rows(0.2, np.uint64(4), rows)
    shift = rows - 3
    assert shift.mean() == pytest.approx(0, abs=4 * 0.2 / np.sqrt(1e5))
    assert shift.std() == pytest.approx(0.2, rel=4 / np.sqrt(2e5))
    assert np.corrcoef(shift[:-1], shift[1:])[0, 1] == pytest.approx(0, abs=4 / np.sqrt(1e5))
    assert np.mean(np.abs(shift) < 0.2) == pytest.approx(0.6827, abs=4 * np.sqrt(0.6827 * 0.3173 / 1e5))


def test_jitter_is_that_of_its_stream():
    one, again, other = (np.zeros(64) for _ in range(3))
    jitter_rows(0.2, np.uint64(4), one)
    jitter_rows(0.4, np.uint64(4), again)
    jitter_rows(0.2, np.uint64(5), other)
    assert again == pytest.approx(2 * one)
    assert np.abs(other - one).max() > 0.1


def test_the_lag_after_the_flyback_falls_by_e_within_its_recovery():
    columns = np.zeros(41)
    flyback_columns(4.0, 20.0, 0.0, columns)
    assert columns[[0, 20, 40]] == pytest.approx([-4.0, -4 / np.e, -4 / np.e**2])
    assert (np.diff(columns) > 0).all()


def test_a_patch_within_the_scan_sees_what_is_left_of_the_lag():
    whole, patch = np.zeros(200), np.zeros(64)
    flyback_columns(4.0, 20.0, 0.0, whole)
    flyback_columns(4.0, 20.0, 50.0, patch)
    assert patch == pytest.approx(whole[50:114])


def test_haze_has_its_mean_its_period_and_its_swing():
    signal = np.full((150, 200), 0.5, dtype=np.float32)
    add_haze(signal, 0.02, 50.0, np.uint64(3))
    haze = signal - 0.5
    # Float32 numbers near 0.5 are 6e-8 apart. Whole periods either way: the sines' mean is 0.
    assert haze.mean() == pytest.approx(0.02, abs=1e-7)
    assert haze[50:] == pytest.approx(haze[:-50], abs=2e-7)
    assert haze[:, 50:] == pytest.approx(haze[:, :-50], abs=2e-7)
    # A sine sampled 50 times a period misses its extremes by at most 1 - cos(pi / 50) = 0.2 %.
    assert haze.max() == pytest.approx(0.02 * 1.3**2, rel=2e-3)
    assert haze.min() == pytest.approx(0.02 * 0.7**2, rel=5e-3)
    along, across = haze.mean(axis=0), haze.mean(axis=1)
    assert haze == pytest.approx(np.outer(across, along) / 0.02, abs=2e-7)


def test_haze_differs_in_phase_from_stream_to_stream():
    starts = []
    for seed in range(200):
        signal = np.zeros((50, 50), dtype=np.float32)
        add_haze(signal, 1.0, 50.0, np.uint64(seed))
        starts.append([signal.mean(axis=1).argmax(), signal.mean(axis=0).argmax()])
    row, column = np.array(starts).T
    # Uniform over 50 places: standard deviation 14.4, of 200 draws known to 5 %.
    assert row.std() == pytest.approx(14.4, rel=0.15)
    assert column.std() == pytest.approx(14.4, rel=0.15)
    assert abs(np.corrcoef(row, column)[0, 1]) < 0.25


def test_zero_switches_each_effect_off():
    rng = np.random.default_rng(1)
    line, signal = rng.normal(size=64), rng.random((64, 64), dtype=np.float32)
    for switched_off, before in (
        (lambda x: drift_rows(0.0, x), line),
        (lambda x: jitter_rows(0.0, np.uint64(1), x), line),
        (lambda x: flyback_columns(0.0, 20.0, 5.0, x), line),
        (lambda x: add_haze(x, 0.0, 50.0, np.uint64(1)), signal),
    ):
        after = before.copy()
        switched_off(after)
        assert np.array_equal(after, before)


def test_only_defects_push_their_neighbours():
    assert {role for role, push in zip(ROLES, RELAXATION, strict=True) if push == 0} == {"M", "X2"}
    assert RELAXATION.max() == 1.0
