"""What goes wrong while a whole scan is recorded: its settings, the path of the probe, and the background."""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from scipy.ndimage import gaussian_filter1d

from micrographia.errors import ContextError
from micrographia.simulate.scans.effects import add_haze, drift_rows, dwell_taps, flyback_columns, jitter_rows
from micrographia.simulate.scans.noise import bits

DWELL_MARGIN_PX: Final = 2
"""Columns past either edge that `dwelled` needs."""
_SEEN_OVER_A: Final = (0.4, 0.7)
"""Standard deviations of the weights that lines have in a column's fitted x and y [Å]: the bright ones tell x, those
on its flanks y. Measured with least squares on single columns, pixels of 0.1 and 0.2 Å, source 0.4 Å."""
_SIGNED: Final = ("drift_x_px", "drift_y_px")
_LARGEST: Final = {"drift_x_px": 0.5, "drift_y_px": 0.5, "dwell_travel": 1.0}
_LEAST: Final = {"flyback_recovery_px": 1.0, "haze_period_A": 1.0}


@dataclass(frozen=True, kw_only=True)
class ScanFaults:
    """Imperfections of one scan; each at 0 is absent, as it is by default.

    Parameters
    ----------
    drift_x_px, drift_y_px : float
        Drift of the probe over the specimen while one line is scanned [px], from -0.5 to 0.5; the line in the
        middle stays.
    row_jitter_A : float
        Standard deviation of each line's random shift along each axis [Å].
    flyback_A, flyback_recovery_px : float
        Lag of the probe at the first column [Å]; columns in which it falls by a factor e [px], at least 1.
    dwell_travel : float
        Part of a pixel that the probe passes while it records it, from 0 to 1.
    haze, haze_period_A : float
        Contamination as a fraction of a channel's mean signal; period of its unevenness along either axis [Å], at
        least 1.
    pulse_spread, read_noise_e : float
        Relative spread of the height of one electron's pulse in the detector; noise of the amplifier in a pixel
        [electrons]. Both need a dose.
    seed : int
        Draws the lines' shifts and where the haze is thick, from 0 on.

    Raises
    ------
    ContextError
        A value that is not finite or out of range.

    Notes
    -----
    Names, units and laws are those of `Realism`, which has a range where this has one value.

    Examples
    --------
    >>> ScanFaults(drift_x_px=0.01, haze=0.1).dwell_travel
    0.0
    """

    drift_x_px: float = 0.0
    drift_y_px: float = 0.0
    row_jitter_A: float = 0.0
    flyback_A: float = 0.0
    flyback_recovery_px: float = 20.0
    dwell_travel: float = 0.0
    haze: float = 0.0
    haze_period_A: float = 50.0
    pulse_spread: float = 0.0
    read_noise_e: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**64:
            raise ContextError(f"seed is {self.seed}; accepted is a whole number from 0 to 2**64 - 1")
        for name in (f.name for f in fields(self) if f.name != "seed"):
            value, most = getattr(self, name), _LARGEST.get(name, np.inf)
            least = -most if name in _SIGNED else _LEAST.get(name, 0.0)
            if not (least <= value <= most and np.isfinite(value)):
                accepted = f"{least:g} or more" if most == np.inf else f"from {least:g} to {most:g}"
                raise ContextError(f"{name} is {value:g}; accepted is {accepted}")

    def reach_A(self, height_A: float) -> float:
        """Return how far from its nominal place the probe may come in a scan of that height [Å]."""
        drift_A = max(abs(self.drift_x_px), abs(self.drift_y_px)) * height_A / 2
        first = np.exp(DWELL_MARGIN_PX / self.flyback_recovery_px)
        return float(drift_A + 8 * self.row_jitter_A + first * self.flyback_A)


FAULTLESS: Final = ScanFaults()
"""A scan as it should be."""


class ProbePath(NamedTuple):
    """Where the probe is when a pixel is recorded, less where it should be.

    Parameters
    ----------
    row_x_px, row_y_px : float array (row,)
        Shift of each row along either axis [px].
    column_x_px : float array (column,)
        Shift of each column along the fast axis [px]; adds to its row's.
    """

    row_x_px: Float[np.ndarray, " row"]
    row_y_px: Float[np.ndarray, " row"]
    column_x_px: Float[np.ndarray, " column"]


def probe_path(faults: ScanFaults, *, height: int, width: int, pixel_A: float, margin_px: int = 0) -> ProbePath:
    """Return the probe's path: the same for all detectors of a scan.

    Parameters
    ----------
    faults : ScanFaults
        The imperfections.
    height, width : int
        Size of the scan [px].
    pixel_A : float
        Pixel size [Å].
    margin_px : int
        Columns before the scan's first and past its last that the path has as well.

    Examples
    --------
    >>> path = probe_path(ScanFaults(drift_x_px=0.5, flyback_A=0.4), height=5, width=3, pixel_A=0.2)
    >>> path.row_x_px.tolist(), path.column_x_px.round(2).tolist()
    ([-1.0, -0.5, 0.0, 0.5, 1.0], [-2.0, -1.9, -1.81])
    """
    row_x, row_y = _jitter_px(faults, height, pixel_A)
    drift_rows(faults.drift_x_px, row_x)
    drift_rows(faults.drift_y_px, row_y)
    column_x = np.zeros(width + 2 * margin_px)
    flyback_columns(faults.flyback_A / pixel_A, faults.flyback_recovery_px, float(-margin_px), column_x)
    return ProbePath(row_x_px=row_x, row_y_px=row_y, column_x_px=column_x)


def seen_px(
    faults: ScanFaults,
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    *,
    height: int,
    width: int,
    pixel_A: float,
) -> tuple[Float[np.ndarray, " site"], Float[np.ndarray, " site"]]:
    """Return the column and row at which sites show in a scan: where the probe is over them.

    Parameters
    ----------
    faults : ScanFaults
        The imperfections.
    x_px, y_px : float array (site,)
        True positions [px].
    height, width : int
        Size of the scan [px].
    pixel_A : float
        Pixel size [Å].

    Returns
    -------
    (float array (site,), float array (site,))
        Columns and rows [px]; infinite for a site that the scan does not come within a pixel of.

    Notes
    -----
    Drift and flyback are solved for. Jitter shifts every line of an atom by another amount, of which a fit finds a
    mean: for jitter of 0.06 Å it comes within 0.003 Å of this function's in x, and 0.01 Å in y.

    Examples
    --------
    >>> x, y = seen_px(ScanFaults(drift_y_px=0.25), np.array([3.0]), np.array([10.0]), height=11, width=9, pixel_A=0.2)
    >>> x.tolist(), y.tolist()
    ([3.0], [9.0])
    """
    rows, columns = np.arange(-1.0, height + 1), np.arange(-1.0, width + 1)
    # A pixel more at either end: two more rows leave the middle one, about which drift counts, in the middle.
    steady_x, steady_y = np.zeros(rows.size), np.zeros(rows.size)
    drift_rows(faults.drift_x_px, steady_x)
    drift_rows(faults.drift_y_px, steady_y)
    lag = np.zeros(columns.size)
    flyback_columns(faults.flyback_A / pixel_A, faults.flyback_recovery_px, -1.0, lag)
    jitter_x, jitter_y = (
        gaussian_filter1d(shift, over_A / pixel_A, mode="nearest")
        for shift, over_A in zip(_jitter_px(faults, height, pixel_A), _SEEN_OVER_A, strict=True)
    )
    row: Float[np.ndarray, " site"] = np.interp(y_px, rows + steady_y, rows)
    y_steady_px = y_px - np.interp(row, rows[1:-1], jitter_y)
    row = np.interp(y_steady_px, rows + steady_y, rows, left=-np.inf, right=np.inf)
    shift = np.interp(row, rows, steady_x) + np.interp(row, rows[1:-1], jitter_x)
    column: Float[np.ndarray, " site"] = np.interp(x_px - shift, columns + lag, columns, left=-np.inf, right=np.inf)
    return column, row


def dwelled(signal: Float[np.ndarray, "height wide"], faults: ScanFaults) -> Float[np.ndarray, "height width"]:
    """Return a scan whose pixels were recorded on the move, without the margin that this takes.

    Parameters
    ----------
    signal : float array (height, wide)
        Signal with `DWELL_MARGIN_PX` columns more at either side.
    faults : ScanFaults
        The imperfections.
    """
    at, near, far = dwell_taps(faults.dwell_travel)
    width = signal.shape[1] - 2 * DWELL_MARGIN_PX
    tap = [signal[:, n : n + width] for n in range(2 * DWELL_MARGIN_PX + 1)]
    recorded: Float[np.ndarray, "height width"] = at * tap[2] + near * (tap[1] + tap[3]) + far * (tap[0] + tap[4])
    return recorded


def with_haze(
    signal: Float32[np.ndarray, "height width"], faults: ScanFaults, *, pixel_A: float
) -> Float32[np.ndarray, "height width"]:
    """Return a signal with contamination in proportion to its mean.

    Parameters
    ----------
    signal : float array (height, width)
        Fractions of the beam.
    faults : ScanFaults
        The imperfections.
    pixel_A : float
        Pixel size [Å].
    """
    hazy = signal.copy()
    mean = float(signal.mean(dtype=float))
    add_haze(hazy, faults.haze * mean, faults.haze_period_A / pixel_A, _stream(faults, 2))
    return hazy


def _stream(faults: ScanFaults, number: int) -> np.uint64:
    """Return a seed of its own for each random thing in the scan."""
    return np.uint64(bits(np.uint64(faults.seed), number))


def _jitter_px(
    faults: ScanFaults, height: int, pixel_A: float
) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, " row"]]:
    row_x, row_y = np.zeros(height), np.zeros(height)
    for axis, shift in enumerate((row_x, row_y)):
        jitter_rows(faults.row_jitter_A / pixel_A, _stream(faults, axis), shift)
    return row_x, row_y
