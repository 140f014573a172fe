import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, kstest, kurtosis, poisson, skew

from micrographia.simulate.scans.noise import bits, digitised, normals, poisson_counts, read_out, uniform

MANY = 2_000_000


def normal_numbers(seed, count):
    out = np.empty(count, dtype=np.float32)
    normals(np.uint64(seed), out)
    return out


def counts_of(expected, seed, count=MANY):
    out = np.empty(count, dtype=np.float32)
    poisson_counts(np.full(count, expected, dtype=np.float32), np.uint64(seed), out)
    return out


def after_reading(electrons, seed, **noise):
    out = np.array(electrons, dtype=np.float32)
    read_out(out, noise.get("pulse_spread", 0.0), noise.get("read_noise_e", 0.0), np.uint64(seed))
    return out


def levels_of(electrons, *, electrons_per_level=1.0, offset=0.0):
    out = np.empty(len(electrons), dtype=np.uint16)
    digitised(np.array(electrons, dtype=np.float32), electrons_per_level, offset, out)
    return out


def test_bits_are_those_of_splitmix64():
    # The first outputs that its authors' reference program gives for the seed 1234567.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [int(bits(np.uint64(1234567), n)) for n in (1, 2, 3)] == known


def test_uniform_numbers_are_spread_evenly():
    drawn = np.array([uniform(np.uint64(3), n) for n in range(100_000)])
    assert 0 < drawn.min() < drawn.max() < 1
    assert kstest(drawn, "uniform").pvalue > 0.01


def test_normal_numbers_have_the_law_and_the_moments():
    # One draw of two million; standard errors of the moments: 1, sqrt 2, sqrt 6, sqrt 24 over sqrt count.
    drawn = normal_numbers(9, MANY).astype(float)
    assert kstest(drawn, "norm").pvalue > 0.01
    error = 4 / np.sqrt(MANY)
    assert drawn.mean() == pytest.approx(0, abs=error)
    assert drawn.var() == pytest.approx(1, abs=np.sqrt(2) * error)
    assert skew(drawn) == pytest.approx(0, abs=np.sqrt(6) * error)
    assert kurtosis(drawn) == pytest.approx(0, abs=np.sqrt(24) * error)
    # The tails come by another formula: 4.0 sigma is passed by 63 in a million either way, 3.4 sigma by 674.
    for limit, share in ((3.4, 6.738e-4), (4.0, 6.334e-5)):
        assert (np.abs(drawn) > limit).sum() == pytest.approx(MANY * share, abs=4 * np.sqrt(MANY * share))


@pytest.mark.parametrize(("one", "other"), [(1, 2), (9, 10), (0, 2**63), (5, 5 + 0x9E3779B97F4A7C)])
def test_streams_are_uncorrelated_with_each_other_and_with_themselves(one, other):
    first, second = normal_numbers(one, 400_000), normal_numbers(other, 400_000)
    error = 4 / np.sqrt(400_000)
    for lag in (0, 1, 64):
        rest = first.size - lag
        assert np.mean(first[:rest] * second[lag:]) == pytest.approx(0, abs=error)
        assert np.mean(first[:rest] * first[lag:]) == pytest.approx(float(lag == 0), abs=2 * error)


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**64 - 1), st.integers(1, 200), st.integers(1, 200))
def test_a_number_does_not_depend_on_how_many_are_drawn(seed, one, other):
    shared = min(one, other)
    assert np.array_equal(normal_numbers(seed, one)[:shared], normal_numbers(seed, other)[:shared])
    assert np.array_equal(counts_of(4.2, seed, one)[:shared], counts_of(4.2, seed, other)[:shared])
    assert np.array_equal(counts_of(42.0, seed, one)[:shared], counts_of(42.0, seed, other)[:shared])


@pytest.mark.parametrize("expected", [0.05, 0.124, 3.3, 11.9, 12.1, 40.0, 500.0])
def test_counts_follow_the_poisson_law(expected):
    drawn = counts_of(expected, 5)
    assert np.array_equal(drawn, np.floor(drawn))
    exact = float(np.float32(expected))
    seen = np.bincount(drawn.astype(int), minlength=int(exact + 12 * np.sqrt(exact) + 12))
    law = MANY * poisson.pmf(np.arange(seen.size), exact)
    # Bins that expect fewer than 20 are joined: those below the bulk into one, those above into another.
    bulk = np.flatnonzero(law > 20)
    low, high = bulk[0], bulk[-1] + 1
    joined = [np.array([x[:low].sum(), *x[low:high], x[high:].sum()]) for x in (seen, law)]
    kept = joined[1] > 5
    seen, law = joined[0][kept], joined[1][kept]
    assert chi2.sf(np.sum((seen - law) ** 2 / law), law.size - 1) > 0.001


@pytest.mark.parametrize("expected", [0.05, 3.3, 11.9, 12.1, 40.0, 500.0, 1e5])
def test_counts_have_the_poisson_mean_and_variance(expected):
    drawn = counts_of(expected, 6).astype(float)
    assert drawn.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / MANY))
    # The fourth central moment of the law is lambda + 3 lambda^2.
    assert drawn.var() == pytest.approx(expected, abs=4 * np.sqrt((expected + 2 * expected**2) / MANY))


def test_expected_counts_may_differ_from_pixel_to_pixel():
    expected = np.tile(np.array([0.0, 2.0, 9.0, 30.0], dtype=np.float32), 100_000)
    drawn = np.empty_like(expected)
    poisson_counts(expected, np.uint64(8), drawn)
    for n, mean in enumerate(expected[:4].tolist()):
        own = drawn[n::4].astype(float)
        assert own.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / own.size))
    assert np.corrcoef(drawn[2::4], drawn[3::4])[0, 1] == pytest.approx(0, abs=4 / np.sqrt(100_000))


def test_nothing_or_less_than_nothing_expected_gives_no_count():
    for expected in (0.0, -1e-7, -5.0):
        assert not counts_of(expected, 5, 10_000).any()


@pytest.mark.parametrize(
    ("electrons", "noise"),
    [(100.0, {"pulse_spread": 0.3}), (0.0, {"read_noise_e": 0.7}), (40.0, {"pulse_spread": 0.5, "read_noise_e": 2.0})],
)
def test_a_detector_adds_the_variance_of_its_pulses_and_of_its_amplifier(electrons, noise):
    count = 400_000
    added = after_reading(np.full(count, electrons), 4, **noise).astype(float) - electrons
    variance = electrons * noise.get("pulse_spread", 0.0) ** 2 + noise.get("read_noise_e", 0.0) ** 2
    assert added.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / count))
    assert added.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / count))


def test_a_detector_that_counts_changes_nothing():
    electrons = counts_of(7.0, 3, 1000)
    assert np.array_equal(after_reading(electrons, 4), electrons)


def test_a_pulse_that_nobody_sent_has_no_spread():
    assert not after_reading(np.zeros(1000), 4, pulse_spread=0.5).any()


def test_levels_are_rounded_clipped_and_shifted():
    assert levels_of([0.0, 0.49, 0.51, 7.4, 7.6, 65535.0]).tolist() == [0, 0, 1, 7, 8, 65535]
    assert levels_of([-3.0, -1e9, 65535.6, 1e9]).tolist() == [0, 0, 65535, 65535]
    assert levels_of([-1.0, 0.0, 0.5, 1.0], electrons_per_level=0.125, offset=8).tolist() == [0, 8, 12, 16]
    assert levels_of([0.0, 100.0, 1001.0], electrons_per_level=4.0, offset=2).tolist() == [2, 27, 252]
