"""Electrons and digits: what a detector makes of a noise-free signal, fast enough for millions of patches."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float32, UInt16
from numba import njit
from scipy.special import ndtri
from scipy.stats import poisson

_CELLS: Final = 4096
_EDGES = np.clip(ndtri(np.arange(_CELLS + 1) / _CELLS), -8.0, 8.0)
_NORMAL: Final = np.stack([_EDGES[:-1], np.diff(_EDGES) / 2**20], axis=1).astype(np.float32)
"""Normal quantiles at the edges of 4096 cells of equal probability, and their slope within each cell."""
_SMALL: Final = 12.0
"""Expected counts below which the Poisson law is inverted term by term."""
_STEPS: Final = 8
"""Tabulated Poisson laws for each expected count below `_SMALL`."""
_CDF: Final = poisson.cdf(np.arange(64), np.arange(int(_SMALL * _STEPS))[:, None] / _STEPS)
_GUIDE: Final = np.array([np.searchsorted(cdf, np.arange(256) / 256) for cdf in _CDF]).astype(np.uint8)
"""Count at which the search begins, by law and by the first eight bits of the probability."""


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def mixed(state: np.uint64) -> np.uint64:
    """Return 64 well-mixed bits of a counter: the output function of SplitMix64.

    A stream of random numbers is this function of ``seed + i`` times an odd constant. Any number of it can
    be had without those before, so that every patch draws the same wherever and whenever it is made.

    Notes
    -----
    Steele, Lea and Flood (2014), DOI 10.1145/2660193.2660195.
    """
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def bits(seed: np.uint64, counter: int) -> np.uint64:
    """Return 64 random bits: number ``counter`` of the stream ``seed``."""
    word: np.uint64 = mixed(seed + np.uint64(counter) * np.uint64(0x9E3779B97F4A7C15))
    return word


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def uniform(seed: np.uint64, counter: int) -> float:
    """Return a number uniform between 0 and 1, both excluded: number ``counter`` of the stream ``seed``."""
    word: np.uint64 = bits(seed, counter) >> np.uint64(11)
    number: float = (float(word) + 0.5) / 9007199254740992.0
    return number


@njit(cache=True)  # type: ignore[untyped-decorator]
def _tail(part: float) -> float:
    """Return the normal quantile of ``part / 4096`` for 0 < part < 1, within 5e-5 (Abramowitz and Stegun 26.2.23)."""
    t = np.sqrt(-2.0 * np.log(part / _CELLS))
    above = 2.515517 + 0.802853 * t + 0.010328 * t * t
    below = 1.0 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t
    return float(above / below - t)


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def normals(seed: np.uint64, out: Float32[np.ndarray, " pixel"]) -> None:
    """Fill an array with independent standard normal numbers.

    Parameters
    ----------
    seed : uint64
        The stream.
    out : float32 array (pixel,)
        Is filled.

    Notes
    -----
    The quantile function of a uniform number, linear within 4096 cells of equal probability; the two outer
    cells by a formula. The law differs from the normal one by less than 1e-4 in total variation.
    """
    count = out.size
    cell = np.empty(count, dtype=np.int32)
    part = np.empty(count, dtype=np.float32)
    for i in range(count):  # apart from the look-up, so that it vectorises
        word = bits(seed, i)
        cell[i] = np.int32(word >> np.uint64(52))
        part[i] = np.float32(np.int32((word >> np.uint64(32)) & np.uint64(0xFFFFF)))
    for i in range(count):
        c = np.uint32(cell[i])
        out[i] = _NORMAL[c, 0] + part[i] * _NORMAL[c, 1]
    for i in range(count):
        if cell[i] == 0:
            out[i] = _tail((part[i] + 0.5) / 1048576.0)
        elif cell[i] == _CELLS - 1:
            out[i] = -_tail((part[i] + 0.5) / 1048576.0)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _small_count(expected: float, word: np.uint64) -> float:
    """Return a Poisson count by inversion: of the next smaller tabulated law, plus one of the small rest."""
    law = int(expected * _STEPS)
    rest = expected - law / _STEPS
    probability = np.float64(word >> np.uint64(32)) / 4294967296.0
    n = np.int64(_GUIDE[law, word >> np.uint64(56)])
    while probability > _CDF[law, n]:
        n += 1
    probability = np.float64(word & np.uint64(0xFFFFFFFF)) / 4294967296.0
    term = 1 - rest * (1 - rest / 2 * (1 - rest / 3 * (1 - rest / 4 * (1 - rest / 5))))  # exp(-rest), rest < 1/8
    total, more = term, 0
    while probability > total and more < 12:
        more += 1
        term *= rest / more
        total += term
    return float(n + more)


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def poisson_counts(
    expected: Float32[np.ndarray, " pixel"], seed: np.uint64, out: Float32[np.ndarray, " pixel"]
) -> None:
    """Fill an array with independent Poisson counts.

    Parameters
    ----------
    expected : float32 array (pixel,)
        Expected counts; below 0 counts as 0.
    seed : uint64
        The stream.
    out : float32 array (pixel,)
        Is filled with whole numbers (exact up to 2^24).

    Notes
    -----
    Below 12 expected counts the law is inverted exactly, as the sum of a tabulated law's count and that of a
    small rest. From there on the count is the floor of the
    asymptotic expansion of the Poisson quantile in a normal number, to the order 1/lambda: Giles (2016),
    DOI 10.1145/2699466. Its total variation from the Poisson law is below 1.1e-4.
    """
    count = expected.size
    normals(seed, out)
    small = 0
    for i in range(count):
        mean = max(expected[i], np.float32(_SMALL))
        root = np.sqrt(mean)
        w = out[i]
        w2 = w * w
        value = (
            mean
            + root * w
            + (np.float32(2.0) + w2) * np.float32(1 / 6)
            - w * (np.float32(2.0) + w2) * np.float32(1 / 72) / root
            + (np.float32(-8 / 405) + w2 * (np.float32(7 / 810) + w2 * np.float32(1 / 270))) / mean
        )
        out[i] = np.floor(max(value, np.float32(0.0)))
        small += expected[i] < np.float32(_SMALL)
    if small:
        for i in range(count):
            if expected[i] < np.float32(_SMALL):
                out[i] = _small_count(max(expected[i], np.float32(0.0)), bits(seed, i))


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def read_out(
    electrons: Float32[np.ndarray, " pixel"],
    pulse_spread: float,
    read_noise_e: float,
    seed: np.uint64,
) -> None:
    """Add the detector's own noise to counted electrons, in place.

    Parameters
    ----------
    electrons : float32 array (pixel,)
        Counts [e]; become real numbers.
    pulse_spread : float
        Standard deviation of the height of one electron's pulse, relative to its mean; 0 for a counting detector.
    read_noise_e : float
        Standard deviation of the amplifier's noise in a pixel [e].
    seed : uint64
        The stream.

    Notes
    -----
    The sum of n pulses has variance ``n pulse_spread^2``; for the few electrons of a dark pixel its law is
    taken as normal, too.
    """
    if pulse_spread == 0.0 and read_noise_e == 0.0:
        return
    noise = np.empty_like(electrons)
    normals(seed, noise)
    per_electron, fixed = np.float32(pulse_spread**2), np.float32(read_noise_e**2)
    for i in range(electrons.size):
        electrons[i] += np.sqrt(per_electron * electrons[i] + fixed) * noise[i]


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def digitised(
    electrons: Float32[np.ndarray, " pixel"],
    electrons_per_level: float,
    offset: float,
    out: UInt16[np.ndarray, " pixel"],
) -> None:
    """Fill an array with the digitiser's levels: ``electrons / electrons_per_level + offset``, rounded, 0 to 65535."""
    per_electron, zero = np.float32(1 / electrons_per_level), np.float32(offset + 0.5)
    for i in range(electrons.size):
        out[i] = np.uint16(min(max(electrons[i] * per_electron + zero, np.float32(0.0)), np.float32(65535.0)))
