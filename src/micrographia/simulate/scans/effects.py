"""What a real scan does to an ideal one: each effect is one small function, and zero switches it off.

Drift, jitter and flyback move the probe; `dwell_taps` smears along the fast axis; haze adds to the signal;
neighbours of a defect move a little. Noise is in `noise`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64
from numba import njit

from micrographia.simulate.scans.noise import normals, uniform


@njit(cache=True)  # type: ignore[untyped-decorator]
def drift_rows(drift_px: float, row_px: Float64[np.ndarray, " row"]) -> None:
    """Shift each row by a steady drift, in place.

    Parameters
    ----------
    drift_px : float
        Drift along one axis while one line is scanned [px]; the row in the middle stays.
    row_px : float array (row,)
        Shift of each row along that axis [px].
    """
    for row in range(row_px.size):
        row_px[row] += drift_px * (row - row_px.size // 2)


@njit(cache=True)  # type: ignore[untyped-decorator]
def jitter_rows(jitter_px: float, seed: np.uint64, row_px: Float64[np.ndarray, " row"]) -> None:
    """Shift each row by an independent normal amount, in place: mains hum and vibrations between lines.

    Parameters
    ----------
    jitter_px : float
        Standard deviation of the shift along one axis [px].
    seed : uint64
        The stream of random numbers.
    row_px : float array (row,)
        Shift of each row along that axis [px].
    """
    if jitter_px == 0.0:
        return
    shift = np.empty(row_px.size, dtype=np.float32)
    normals(seed, shift)
    for row in range(row_px.size):
        row_px[row] += jitter_px * shift[row]


@njit(cache=True)  # type: ignore[untyped-decorator]
def flyback_columns(
    flyback_px: float, recovery_px: float, first_column: float, column_px: Float64[np.ndarray, " column"]
) -> None:
    """Shift columns by what is left of the beam's flight back to the line's start, in place.

    Parameters
    ----------
    flyback_px : float
        How far the probe still lags behind at the first column of the scan [px].
    recovery_px : float
        Columns within which the lag falls by a factor e [px].
    first_column : float
        Column of the whole scan at which this patch begins [px].
    column_px : float array (column,)
        Shift of each column along the fast axis [px].
    """
    if flyback_px == 0.0:
        return
    for column in range(column_px.size):
        column_px[column] -= flyback_px * np.exp(-(first_column + column) / recovery_px)


@njit(cache=True)  # type: ignore[untyped-decorator]
def dwell_taps(travel: float) -> tuple[float, float, float]:
    """Return weights of a pixel, its neighbours and theirs, for a probe that moves while it dwells.

    Parameters
    ----------
    travel : float
        Part of a pixel that the probe passes while the pixel is recorded: 0 if it waits, 1 if it never stops.

    Returns
    -------
    (float, float, float)
        Weights at distances 0, 1 and 2 px.

    Notes
    -----
    The filter with the second and fourth moment of a box of that width: ``travel^2 / 12`` and ``travel^4 / 80``.

    Examples
    --------
    >>> centre, near, far = dwell_taps(1.0)
    >>> print(f"{centre:.4f} {near:.4f} {far:.4f} {2 * near + 8 * far:.6f}")
    0.8990 0.0535 -0.0030 0.083333
    """
    second, fourth = travel**2 / 12, travel**4 / 80
    far = (fourth - second) / 24
    near = (second - 8 * far) / 2
    return 1 - 2 * near - 2 * far, near, far


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def add_haze(signal: Float32[np.ndarray, "height width"], haze: float, waves_px: float, seed: np.uint64) -> None:
    """Add a smooth background of contamination, in place.

    Parameters
    ----------
    signal : float array (height, width)
        Fractions of the beam.
    haze : float
        Mean background [fraction of the beam].
    waves_px : float
        Period of its unevenness along either axis [px]; it swings by 30 % each way.
    seed : uint64
        Draws the two phases.
    """
    if haze == 0.0:
        return
    height, width = signal.shape
    along = np.empty(width, dtype=np.float32)
    start = uniform(seed, 0)
    for column in range(width):
        along[column] = 1.0 + 0.3 * np.sin(2 * np.pi * (column / waves_px + start))
    start = uniform(seed, 1)
    for row in range(height):
        here = np.float32(haze * (1.0 + 0.3 * np.sin(2 * np.pi * (row / waves_px + start))))
        for column in range(width):
            signal[row, column] += here * along[column]
