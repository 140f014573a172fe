"""Put the lines of a scan back to where they should have been scanned.

Vibration and mains hum shift each line of a scan against the next. A line crosses dozens of columns, all shifted alike,
so its slip is measured by how the whole line differs from the mean unit cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Complex, Float, Int
from numba import njit, prange
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize_scalar

from micrographia.atoms.lattice import LEAST_STRENGTH, Lattice

_REACH: Final = 4.0
"""Longest reflections of the mean unit cell, over the first order."""
_LONGEST_PER_PX: Final = 0.45
"""And the longest at all: those of half a cycle a pixel and more mean something else."""
_ROUNDS: Final = 4
_REFITS: Final = 2
_TAIL: Final = 2.5
"""Residuals of this many standard deviations count half: columns that are not as the others."""
_LOG_VARIANCE: Final = (-18.0, 0.0)
"""Slips are looked for from 0.0001 to 1 px, standard deviations."""


@dataclass(frozen=True, kw_only=True)
class SteadyScan:
    """A scan with its lines put back.

    Parameters
    ----------
    frames : float array (channel, height, width)
        As given, less what the slips make of the lattice.
    slip_px : float array (height, 2)
        How far along x and y of its place each line was scanned [px], less what varies as slowly as the lattice's
        phase: drift.
    slip_sd_px : float array (height, 2)
        Standard error of that [px].
    """

    frames: Float[np.ndarray, "channel height width"]
    slip_px: Float[np.ndarray, "height 2"]
    slip_sd_px: Float[np.ndarray, "height 2"]


def steadied(
    frames: Float[np.ndarray, "channel height width"],
    lattice: Lattice,
    *,
    defects: Float[np.ndarray, "channel height width"] | None = None,
) -> SteadyScan:
    """Measure how far each line of a scan slipped, and take off what that changed.

    Parameters
    ----------
    frames : float array (channel, height, width)
        Simultaneous detectors; their lines slip together.
    lattice : Lattice
        Of the scan.
    defects : float array (channel, height, width), optional
        What defects add to the light of the perfect lattice, in the scan's units. A line that crosses the upper edge
        of many vacancies looks like one that slipped away from them, unless it is known that they are there.

    Notes
    -----
    The scan is taken as ``T(u + G s)``: the mean unit cell, a Fourier series in the lattice coordinates u, where a line
    slipped by s has its coordinates changed. Series and slips are fitted in turn, by Gauss-Newton steps, with weights
    of a Cauchy distribution and a normal prior on the slips, of the width that makes the scan most probable. What is
    taken off is the difference of the series with and without the slips: noise stays what it was.

    Compare L. Jones and P. D. Nellist, Microsc. Microanal. 19 (2013) 1050, doi:10.1017/S1431927613001402.

    Examples
    --------
    >>> from micrographia.atoms.lattice import find_lattice
    >>> slip_px = np.random.default_rng(0).normal(0, 0.3, 96)
    >>> y, x = np.mgrid[:96, :96] + np.stack([0 * slip_px, slip_px])[:, :, None]
    >>> waves = [np.cos(2 * np.pi * (x * np.cos(t) + y * np.sin(t)) / 9) for t in np.deg2rad([10, 70, 130])]
    >>> frames = np.sum(waves, axis=0)[None].astype(np.float32)
    >>> found = steadied(frames, find_lattice(frames, file="waves"))
    >>> left_px = (found.slip_px[:, 0] - slip_px)[9:-9]
    >>> print(f"{slip_px.std():.2f} px, and {left_px.std():.2f} px are left")
    0.29 px, and 0.03 px are left
    """
    _, height, _ = frames.shape
    g = lattice.g_per_px[:2]
    index = _reflections(g)
    shown = lattice.strength > LEAST_STRENGTH
    at = np.ascontiguousarray(lattice.phase_rad, dtype=np.float64)
    light = np.zeros(frames.shape) if defects is None else defects
    # Defects slip with their line.
    down, across = np.gradient(light, axis=(1, 2))
    perfect = frames.astype(np.float64) - light
    perfect -= gaussian_filter(perfect, (0, 1.5 * lattice.a_px, 1.5 * lattice.a_px))
    slip = np.zeros((height, 2))

    def perfect_but_slipped(c: int) -> Float[np.ndarray, "height width"]:
        moved: Float[np.ndarray, "height width"] = perfect[c] - slip[:, [0]] * across[c] - slip[:, [1]] * down[c]
        return moved.astype(np.float32)

    every = shown.astype(np.float32)
    series = [_coefficients(perfect_but_slipped(c), at, slip, every, index) for c in range(len(frames))]
    for n in range(_ROUNDS):
        turn = 2 * np.pi * slip @ g.T
        # What the scan says of the slips: precision, and precision times mean.
        precision, vector = np.zeros((height, 2, 2)), np.zeros((height, 2))
        for c in range(len(frames)):
            frame = perfect_but_slipped(c)
            for _ in range(_REFITS if n else 0):
                residual = frame - _cell(at, turn, index, series[c], g)[0]
                series[c] = series[c] + _coefficients(residual, at, turn, _weights(residual, shown), index)
            cell, *slopes = _cell(at, turn, index, series[c], g)
            residual = frame - cell
            weight = _weights(residual, shown)
            # The noise where it matters: columns are brighter than their surroundings, and noisier.
            steep = weight * (slopes[0] ** 2 + slopes[1] ** 2)
            variance = max(float(np.sum(weight * steep * residual**2) / max(np.sum(steep), 1e-30)), 1e-30)
            for i in range(2):
                vector[:, i] += np.sum(weight * slopes[i] * residual, axis=1) / variance
                for j in range(2):
                    precision[:, i, j] += np.sum(weight * slopes[i] * slopes[j], axis=1) / variance
        vector += np.einsum("hij,hj->hi", precision, slip)
        covariance = np.linalg.inv(precision + np.eye(2) / _spread_px2(precision, vector))
        slip = np.einsum("hij,hj->hi", covariance, vector)
    turn = 2 * np.pi * slip @ g.T
    steady = np.empty(frames.shape, dtype=np.float32)
    for c, frame in enumerate(frames):
        moved = _cell(at, turn, index, series[c], g)[0] - _cell(at, np.zeros_like(turn), index, series[c], g)[0]
        # Where the lattice fades, so does what slips make of it.
        moved = moved * np.where(shown, np.minimum(lattice.strength, 1.0), 0.0)
        steady[c] = frame - moved - slip[:, [0]] * across[c] - slip[:, [1]] * down[c]
    return SteadyScan(
        frames=steady, slip_px=slip, slip_sd_px=np.sqrt(np.stack([covariance[:, 0, 0], covariance[:, 1, 1]], axis=1))
    )


def _reflections(g_per_px: Float[np.ndarray, "2 2"]) -> Int[np.ndarray, "reflection 2"]:
    """Return the indices of half the reflections that the mean unit cell is made of."""
    most = int(2 * _REACH)
    h, k = np.mgrid[0 : most + 1, -most : most + 1].reshape(2, -1)
    # The first two reciprocal vectors are 120° apart.
    kept = (h * h + k * k - h * k <= _REACH**2 + 1e-9) & ((h > 0) | (k > 0))
    index = np.stack([h, k], axis=1)[kept]
    found: Int[np.ndarray, "reflection 2"] = index[np.hypot(*(index @ g_per_px).T) < _LONGEST_PER_PX]
    return found


def _weights(
    residual: Float[np.ndarray, "height width"], shown: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """Return the weight of each pixel."""
    noise = max(1.4826 * float(np.median(np.abs(residual[shown]))), 1e-30)
    weight: Float[np.ndarray, "height width"] = shown / (1 + (residual / (_TAIL * noise)) ** 2)
    return weight


def _spread_px2(precision: Float[np.ndarray, "height 2 2"], vector: Float[np.ndarray, "height 2"]) -> float:
    """Return the variance of the slips under which what was measured is most probable [px²].

    Along an eigenvector of its precision h, what is measured of a slip is normal with variance ``v + 1 / h``.
    """
    h, axes = np.linalg.eigh(precision)
    projected = np.einsum("hji,hj->hi", axes, vector)
    said = h > 1e-6 * max(float(h.max()), 1e-30)
    h, squared = h[said], projected[said] ** 2

    def cost(log_variance: float) -> float:
        widened = 1 + h * np.exp(log_variance)
        return float(np.sum(np.log(widened) + squared / (h * widened)))

    return float(np.exp(minimize_scalar(cost, bounds=_LOG_VARIANCE, method="bounded").x))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _powers(angle: float, highest: int, out: Complex[np.ndarray, " power"]) -> None:
    """Fill in exp(i n angle) for n from -highest to highest."""
    step = complex(np.cos(angle), np.sin(angle))
    out[highest] = 1.0
    for n in range(1, highest + 1):
        out[highest + n] = out[highest + n - 1] * step
        out[highest - n] = np.conj(out[highest + n])


def _coefficients(
    image: Float[np.ndarray, "height width"],
    phase_rad: Float[np.ndarray, "2 height width"],
    turn_rad: Float[np.ndarray, "height 2"],
    weight: Float[np.ndarray, "height width"],
    index: Int[np.ndarray, "reflection 2"],
) -> Complex[np.ndarray, " reflection"]:
    """Return the Fourier coefficients of an image in lattice coordinates, its lines' coordinates turned."""
    of_row = np.zeros((len(image), len(index)), dtype=np.complex128)
    _add_up(image, phase_rad, turn_rad, weight, index, int(np.abs(index).max()), of_row)
    total: Complex[np.ndarray, " reflection"] = of_row.sum(axis=0) / max(float(weight.sum()), 1.0)
    return total


@njit(cache=True, fastmath=True, parallel=True)  # type: ignore[untyped-decorator]
def _add_up(
    image: Float[np.ndarray, "height width"],
    phase_rad: Float[np.ndarray, "2 height width"],
    turn_rad: Float[np.ndarray, "height 2"],
    weight: Float[np.ndarray, "height width"],
    index: Int[np.ndarray, "reflection 2"],
    highest: int,
    of_row: Complex[np.ndarray, "height reflection"],
) -> None:
    height, width = image.shape
    for row in prange(height):
        first, second = np.empty(2 * highest + 1, dtype=np.complex64), np.empty(2 * highest + 1, dtype=np.complex64)
        for column in range(width):
            value = np.float32(weight[row, column] * image[row, column])
            if value == 0.0:
                continue
            _powers(-phase_rad[0, row, column] - turn_rad[row, 0], highest, first)
            _powers(-phase_rad[1, row, column] - turn_rad[row, 1], highest, second)
            for r in range(index.shape[0]):
                of_row[row, r] += value * (first[highest + index[r, 0]] * second[highest + index[r, 1]])


def _cell(
    phase_rad: Float[np.ndarray, "2 height width"],
    turn_rad: Float[np.ndarray, "height 2"],
    index: Int[np.ndarray, "reflection 2"],
    series: Complex[np.ndarray, " reflection"],
    g_per_px: Float[np.ndarray, "2 2"],
) -> Float[np.ndarray, "3 height width"]:
    """Return the mean unit cell at every pixel, and its slope along x and y [1/px]."""
    out: Float[np.ndarray, "3 height width"] = np.empty((3, *phase_rad.shape[1:]), dtype=np.float32)
    slopes = (2 * np.pi * index @ g_per_px).astype(np.float32)
    _evaluate(phase_rad, turn_rad, index, int(np.abs(index).max()), series.astype(np.complex64), slopes, out)
    return out


@njit(cache=True, fastmath=True, parallel=True)  # type: ignore[untyped-decorator]
def _evaluate(
    phase_rad: Float[np.ndarray, "2 height width"],
    turn_rad: Float[np.ndarray, "height 2"],
    index: Int[np.ndarray, "reflection 2"],
    highest: int,
    series: Complex[np.ndarray, " reflection"],
    slopes: Float[np.ndarray, "reflection 2"],
    out: Float[np.ndarray, "3 height width"],
) -> None:
    _, height, width = out.shape
    for row in prange(height):
        first, second = np.empty(2 * highest + 1, dtype=np.complex64), np.empty(2 * highest + 1, dtype=np.complex64)
        for column in range(width):
            _powers(phase_rad[0, row, column] + turn_rad[row, 0], highest, first)
            _powers(phase_rad[1, row, column] + turn_rad[row, 1], highest, second)
            value, across, down = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for r in range(index.shape[0]):
                wave = series[r] * (first[highest + index[r, 0]] * second[highest + index[r, 1]])
                value += wave.real
                across -= wave.imag * slopes[r, 0]
                down -= wave.imag * slopes[r, 1]
            out[0, row, column] = np.float32(2.0) * value
            out[1, row, column] = np.float32(2.0) * across
            out[2, row, column] = np.float32(2.0) * down
