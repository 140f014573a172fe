"""Patches of a doped monolayer around one site: a pristine lattice as a Fourier series, plus what its defects change.

The pristine lattice needs only the few Fourier coefficients that the probe transfers, wherever and however the
scan's pixels lie; each defect adds the difference between its column's kernel and the pristine one's.
"""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from typing import Final, NamedTuple, Protocol, get_type_hints, runtime_checkable

import numpy as np
from jaxtyping import Complex64, Float32, Float64, Int8, Int32, Int64, UInt16
from numba import njit

from micrographia.simulate.scans.effects import (
    add_haze,
    drift_rows,
    dwell_taps,
    flyback_columns,
    jitter_rows,
)
from micrographia.simulate.scans.noise import bits, digitised, mixed, poisson_counts, read_out, uniform
from micrographia.simulate.specimens.hosts import RELAXATION, ROLES

_FIRST_X: Final = ROLES.index("X2")
DEFECT_REACH_A: Final = 6.5
"""Distance to which a defect changes the image [Å]."""
SHIFT_REACH_A: Final = 3.5
"""Distance to which the image changes when a column moves [Å]."""


@runtime_checkable
class Scene(Protocol):
    """Everything that is particular to one patch: a record of `SCENE`, as compiled functions see it.

    Parameters
    ----------
    seed : uint64
        Of the neighbours' defects, the line jitter, the haze and the noise.
    role : int
        Index into `ROLES` of the central site's label.
    pixel_A, rotation_deg : float
        Pixel size [Å], and angle between a close-packed direction and the x axis [°].
    offset_x_px, offset_y_px : float
        Where the central site lies from the centre of the middle pixel [px].
    electrons_per_px : float
        Electrons that hit the specimen within a pixel.
    defect_fraction, relaxation_A : float
        Fraction of the other sites that carry a defect; how far a defect pushes its nearest neighbours [Å].
    haze, haze_period_px : float
        Contamination as a fraction of the lattice's mean signal, and the period of its unevenness [px].
    drift_x_px, drift_y_px, row_jitter_px : float
        Drift in the time of one line, and standard deviation of the lines' random shifts [px].
    flyback_px, flyback_recovery_px, first_column_px : float
        As in `flyback_columns`.
    dwell_travel : float
        As in `dwell_taps`.
    pulse_spread, read_noise_e : float
        As in `read_out`.
    """

    seed: np.uint64
    role: int
    pixel_A: float
    rotation_deg: float
    offset_x_px: float
    offset_y_px: float
    electrons_per_px: float
    defect_fraction: float
    relaxation_A: float
    haze: float
    haze_period_px: float
    drift_x_px: float
    drift_y_px: float
    row_jitter_px: float
    flyback_px: float
    flyback_recovery_px: float
    first_column_px: float
    dwell_travel: float
    pulse_spread: float
    read_noise_e: float


SCENE: Final = np.dtype([(name, np.dtype(kind)) for name, kind in get_type_hints(Scene).items()])
"""Type of the records that hold scenes."""


class Tables(NamedTuple):
    """What the columns of one material look like through one set of optics.

    A named tuple, because compiled functions take it.

    Parameters
    ----------
    a_A : float
        Lattice constant [Å].
    h, k : int array (reflection,)
        Indices of the reflections that the lattice's Fourier series holds, half of the plane, without (0, 0).
    series : complex array (channel, sublattice, reflection)
        Coefficients of the series with a metal, or a chalcogen, site at the origin [fraction of the beam].
    mean : float array (channel,)
        Coefficient of (0, 0).
    steps_per_A : float
        Steps of the radial tables in an ångström.
    change : float array (channel, role, step, 2)
        Kernel of a role less the pristine one's of its sublattice, and its slope to the next step.
    column : float array (channel, role, step, 2)
        Kernel of a role, likewise.
    role_share : float array (sublattice, role)
        Cumulative shares of the defects of a sublattice.
    """

    a_A: float
    h: Int64[np.ndarray, " reflection"]
    k: Int64[np.ndarray, " reflection"]
    series: Complex64[np.ndarray, "channel 2 reflection"]
    mean: Float64[np.ndarray, " channel"]
    steps_per_A: float
    change: Float32[np.ndarray, "channel 8 step 2"]
    column: Float32[np.ndarray, "channel 8 step 2"]
    role_share: Float64[np.ndarray, "2 8"]


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _add_series(
    signal: Float32[np.ndarray, "height width"],
    x_cell: Float64[np.ndarray, "3 height"],
    y_cell: Float64[np.ndarray, "2 width"],
    h: Int64[np.ndarray, " reflection"],
    k: Int64[np.ndarray, " reflection"],
    series: Complex64[np.ndarray, " reflection"],
) -> None:
    """Add the pristine lattice; rows and columns of the scan give the two parts of each pixel's cell coordinates."""
    height, width = signal.shape
    if h.size == 0:  # a beam so narrow that it transfers no reflection
        return
    reach_h, reach_k = np.abs(h).max(), np.abs(k).max()
    row_h, row_k = _powers(x_cell[0], reach_h), _powers(x_cell[1], reach_k)
    column_h, column_k = _powers(y_cell[0], reach_h), _powers(y_cell[1], reach_k)
    # The sum over reflections is a matrix product: rows' factors by columns' factors, real and imaginary parts.
    in_rows = np.empty((height, 2 * h.size), dtype=np.float32)
    in_columns = np.empty((2 * h.size, width), dtype=np.float32)
    for g in range(h.size):
        along_h, along_k = column_h[h[g] + reach_h], column_k[k[g] + reach_k]
        for column in range(width):
            wave = along_h[column] * along_k[column]
            in_columns[2 * g, column], in_columns[2 * g + 1, column] = wave.real, -wave.imag
        twice = np.complex64(2.0) * series[g]
        across_h, across_k = row_h[h[g] + reach_h], row_k[k[g] + reach_k]
        for row in range(height):
            wave = twice * across_h[row] * across_k[row]
            in_rows[row, 2 * g], in_rows[row, 2 * g + 1] = wave.real, wave.imag
    signal += in_rows @ in_columns


@njit(cache=True)  # type: ignore[untyped-decorator]
def _powers(cell: Float64[np.ndarray, " pixel"], reach: int) -> Complex64[np.ndarray, "power pixel"]:
    """Return exp(2 pi i n cell) for n from -reach to reach."""
    powers = np.empty((2 * reach + 1, cell.size), dtype=np.complex64)
    for pixel in range(cell.size):
        phase = 2 * np.pi * cell[pixel]
        powers[reach, pixel] = 1.0
        if reach > 0:
            powers[reach + 1, pixel] = complex(np.cos(phase), np.sin(phase))
    for n in range(2, reach + 1):
        for pixel in range(cell.size):
            powers[reach + n, pixel] = powers[reach + n - 1, pixel] * powers[reach + 1, pixel]
    for n in range(1, reach + 1):
        for pixel in range(cell.size):
            powers[reach - n, pixel] = np.conj(powers[reach + n, pixel])
    return powers


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _add_round(
    signal: Float32[np.ndarray, "height width"],
    row_x_A: Float32[np.ndarray, " height"],
    row_y_A: Float32[np.ndarray, " height"],
    column_x_A: Float32[np.ndarray, " width"],
    x_A: np.float32,
    y_A: np.float32,
    table: Float32[np.ndarray, "step 2"],
    steps_per_A: np.float32,
    reach_A: np.float32,
    step: Int32[np.ndarray, " width"],
    part: Float32[np.ndarray, " width"],
) -> None:
    """Add a round kernel. ``step`` and ``part`` are scratch."""
    height, width = signal.shape
    pixel_A = (column_x_A[width - 1] - column_x_A[0]) / np.float32(width - 1)
    last = np.float32(table.shape[0] - 1)
    for row in range(height):
        dy = row_y_A[row] - y_A
        rest = reach_A * reach_A - dy * dy
        if rest <= 0:
            continue
        shift, half, dy2 = row_x_A[row] - x_A, np.sqrt(rest), dy * dy
        first, end = _within(column_x_A, pixel_A, -half - shift, half - shift)
        for column in range(first, end):  # apart from the look-up, so that it vectorises
            dx = column_x_A[column] + shift
            position = min(np.sqrt(dx * dx + dy2) * steps_per_A, last)
            step[column] = np.int32(position)
            part[column] = position - np.float32(step[column])
        for column in range(first, end):
            s = np.uint32(step[column])
            signal[row, column] += table[s, 0] + part[column] * table[s, 1]


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _move_round(
    signal: Float32[np.ndarray, "height width"],
    row_x_A: Float32[np.ndarray, " height"],
    row_y_A: Float32[np.ndarray, " height"],
    column_x_A: Float32[np.ndarray, " width"],
    x_A: np.float32,
    y_A: np.float32,
    push_x_A: np.float32,
    push_y_A: np.float32,
    table: Float32[np.ndarray, "step 2"],
    steps_per_A: np.float32,
    reach_A: np.float32,
    step: Int32[np.ndarray, "2 width"],
    part: Float32[np.ndarray, "2 width"],
) -> None:
    """Take a round kernel away from one place and add it at another nearby. ``step`` and ``part`` are scratch."""
    height, width = signal.shape
    pixel_A = (column_x_A[width - 1] - column_x_A[0]) / np.float32(width - 1)
    last = np.float32(table.shape[0] - 1)
    wide_A = reach_A + np.sqrt(push_x_A * push_x_A + push_y_A * push_y_A)
    for row in range(height):
        dy, dy_moved = row_y_A[row] - y_A, row_y_A[row] - y_A - push_y_A
        rest = wide_A * wide_A - dy * dy
        if rest <= 0:
            continue
        shift, half = row_x_A[row] - x_A, np.sqrt(rest)
        first, end = _within(column_x_A, pixel_A, -half - shift, half - shift)
        dy2, dy2_moved = dy * dy, dy_moved * dy_moved
        for column in range(first, end):
            dx = column_x_A[column] + shift
            position = min(np.sqrt(dx * dx + dy2) * steps_per_A, last)
            step[0, column] = np.int32(position)
            part[0, column] = position - np.float32(step[0, column])
            dx -= push_x_A
            position = min(np.sqrt(dx * dx + dy2_moved) * steps_per_A, last)
            step[1, column] = np.int32(position)
            part[1, column] = position - np.float32(step[1, column])
        for column in range(first, end):
            old, new = np.uint32(step[0, column]), np.uint32(step[1, column])
            signal[row, column] += (
                table[new, 0] - table[old, 0] + part[1, column] * table[new, 1] - part[0, column] * table[old, 1]
            )


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _within(
    column_x_A: Float32[np.ndarray, " width"], pixel_A: np.float32, low_A: np.float32, high_A: np.float32
) -> tuple[int, int]:
    """Return the first column between two positions, and the one after the last."""
    width = column_x_A.size
    first = min(max(0, int((low_A - column_x_A[0]) / pixel_A)), width)
    end = min(max(0, int((high_A - column_x_A[0]) / pixel_A) + 1), width)
    while first > 0 and column_x_A[first - 1] > low_A:  # flyback makes columns uneven
        first -= 1
    while end < width and column_x_A[end] < high_A:
        end += 1
    return first, end


@njit(cache=True)  # type: ignore[untyped-decorator]
def site_roles(scene: Scene, tables: Tables, centre: int, reach: int) -> Int8[np.ndarray, "side side 2"]:
    """Return what sits at each site around the central one: drawn from the patch's seed and the site's indices alone.

    Parameters
    ----------
    scene : record of `SCENE`
        The patch.
    tables : Tables
        Shares of the roles.
    centre : int
        Role of the central site.
    reach : int
        Largest index of a cell along either cell vector.

    Returns
    -------
    int array (2 reach + 1, 2 reach + 1, 2)
        Index into `ROLES` of the metal's and the chalcogen's site of each cell.
    """
    side = 2 * reach + 1
    roles = np.empty((side, side, 2), dtype=np.int8)
    seed = mixed(scene.seed ^ np.uint64(0x5C3D7B1A9E64F20B))
    for n1 in range(side):
        for n2 in range(side):
            for sublattice in range(2):
                # Counted from the central cell, so that the draw does not depend on the reach.
                cell = ((n1 - reach + 2048) << 13) + ((n2 - reach + 2048) << 1) + sublattice
                drawn = uniform(seed, cell)
                role = _FIRST_X * sublattice
                if drawn < scene.defect_fraction:
                    drawn /= scene.defect_fraction
                    role = 0
                    while drawn > tables.role_share[sublattice, role]:
                        role += 1
                roles[n1, n2, sublattice] = role
    roles[reach, reach, 0 if centre < _FIRST_X else 1] = centre
    return roles


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def add_defects(
    signal: Float32[np.ndarray, "channel height width"],
    row_x_A: Float32[np.ndarray, " height"],
    row_y_A: Float32[np.ndarray, " height"],
    column_x_A: Float32[np.ndarray, " width"],
    scene: Scene,
    tables: Tables,
    centre: int,
) -> None:
    """Add what the defects, and the neighbours that they push, change in the pristine lattice's image.

    Parameters
    ----------
    signal : float array (channel, height, width)
        Fractions of the beam; changed in place.
    row_x_A, row_y_A : float array (height,)
        Position of each row's probe relative to the central site, less the column's part [Å].
    column_x_A : float array (width,)
        The column's part [Å].
    scene : record of `SCENE`
        The patch.
    tables : Tables
        Kernels.
    centre : int
        Role of the central site.
    """
    channels, _, width = signal.shape
    step, part = np.empty((2, width), dtype=np.int32), np.empty((2, width), dtype=np.float32)
    steps_per_A = np.float32(tables.steps_per_A)
    angle = np.deg2rad(scene.rotation_deg)
    a = tables.a_A
    a1x, a1y = a * np.cos(angle), a * np.sin(angle)
    a2x, a2y = a * np.cos(angle + np.pi / 3), a * np.sin(angle + np.pi / 3)
    own = 0 if centre < _FIRST_X else 1
    left = min(row_x_A.min(), 0.0) + column_x_A.min() - DEFECT_REACH_A
    right = max(row_x_A.max(), 0.0) + column_x_A.max() + DEFECT_REACH_A
    top, bottom = row_y_A.min() - DEFECT_REACH_A, row_y_A.max() + DEFECT_REACH_A
    furthest = max(max(-left, right), max(-top, bottom))
    reach = int(np.ceil(np.sqrt(2.0) * furthest / (a * np.sqrt(3.0) / 2))) + 1
    # Columns that move matter less far than those that differ; a move is a fraction of an ångström.
    spare = DEFECT_REACH_A - SHIFT_REACH_A - abs(scene.relaxation_A) * 3
    roles = site_roles(scene, tables, centre, reach + 1)
    for n1 in range(-reach, reach + 1):
        for n2 in range(-reach, reach + 1):
            for sublattice in range(2):
                part_cell = (sublattice - own) / 3.0
                x = (n1 + part_cell) * a1x + (n2 + part_cell) * a2x
                y = (n1 + part_cell) * a1y + (n2 + part_cell) * a2y
                if x < left or x > right or y < top or y > bottom:
                    continue
                role = roles[n1 + reach + 1, n2 + reach + 1, sublattice]
                push_x, push_y = 0.0, 0.0
                near = left + spare < x < right - spare and top + spare < y < bottom - spare
                if near and scene.relaxation_A != 0.0 and role != 1 and role != 5:
                    # The three neighbours of a metal lie at tau, tau - a1 and tau - a2, those of a chalcogen opposite.
                    away = 1 if sublattice == 0 else -1
                    for neighbour in range(3):
                        m1, m2 = -away * (neighbour == 1), -away * (neighbour == 2)
                        other = roles[n1 + m1 + reach + 1, n2 + m2 + reach + 1, 1 - sublattice]
                        if RELAXATION[other] != 0.0:
                            tx = (m1 + away / 3.0) * a1x + (m2 + away / 3.0) * a2x
                            ty = (m1 + away / 3.0) * a1y + (m2 + away / 3.0) * a2y
                            strength = scene.relaxation_A * RELAXATION[other] / np.sqrt(tx * tx + ty * ty)
                            push_x -= strength * tx
                            push_y -= strength * ty
                pristine = _FIRST_X * sublattice
                x0, y0 = np.float32(x), np.float32(y)
                moved = push_x != 0.0 or push_y != 0.0
                for channel in range(channels):
                    if role != pristine:
                        _add_round(
                            signal[channel], row_x_A, row_y_A, column_x_A, x0, y0, tables.change[channel, role],
                            steps_per_A, np.float32(DEFECT_REACH_A), step[0], part[0],
                        )  # fmt: skip
                    if moved:
                        _move_round(
                            signal[channel], row_x_A, row_y_A, column_x_A, x0, y0, np.float32(push_x),
                            np.float32(push_y), tables.column[channel, role], steps_per_A,
                            np.float32(SHIFT_REACH_A), step, part,
                        )  # fmt: skip


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def expected_signal(
    scene: Scene, tables: Tables, centre: int, out: Float32[np.ndarray, "channel height width"]
) -> None:
    """Compute what each detector collects on average, every effect but noise included.

    Parameters
    ----------
    scene : record of `SCENE`
        The patch.
    tables : Tables
        Kernels of its material and optics.
    centre : int
        Role of the central site, which may be another than the scene's.
    out : float array (channel, height, width)
        Is filled [fraction of the beam].
    """
    channels, height, inner = out.shape
    margin = 2 if scene.dwell_travel > 0.0 else 0
    width = inner + 2 * margin
    row_x, row_y, column_x = np.zeros(height), np.zeros(height), np.zeros(width)
    drift_rows(scene.drift_x_px, row_x)
    drift_rows(scene.drift_y_px, row_y)
    jitter_rows(scene.row_jitter_px, mixed(scene.seed + np.uint64(1)), row_x)
    jitter_rows(scene.row_jitter_px, mixed(scene.seed + np.uint64(2)), row_y)
    flyback_columns(scene.flyback_px, scene.flyback_recovery_px, scene.first_column_px - margin, column_x)
    for row in range(height):
        row_y[row] += row - height // 2 - scene.offset_y_px
    for column in range(width):
        column_x[column] += column - margin - inner // 2 - scene.offset_x_px
    row_x *= scene.pixel_A
    row_y *= scene.pixel_A
    column_x *= scene.pixel_A
    # Cell coordinates: r = u a1 + v a2, so (x, y) = u a (cos t, sin t) + v a (cos (t + 60), sin (t + 60)).
    angle = np.deg2rad(scene.rotation_deg)
    to_cell = 2 / (np.sqrt(3.0) * tables.a_A)
    c, s = np.cos(angle), np.sin(angle)
    c60, s60 = np.cos(angle + np.pi / 3), np.sin(angle + np.pi / 3)
    in_rows, in_columns = np.empty((2, height)), np.empty((2, width))
    for row in range(height):
        in_rows[0, row] = to_cell * (s60 * row_x[row] - c60 * row_y[row])
        in_rows[1, row] = to_cell * (c * row_y[row] - s * row_x[row])
    for column in range(width):
        in_columns[0, column] = to_cell * s60 * column_x[column]
        in_columns[1, column] = -to_cell * s * column_x[column]
    own = 0 if centre < _FIRST_X else 1
    wide = np.empty((channels, height, width), dtype=np.float32)
    for channel in range(channels):
        wide[channel] = np.float32(tables.mean[channel])
        _add_series(wide[channel], in_rows, in_columns, tables.h, tables.k, tables.series[channel, own])
    add_defects(
        wide, row_x.astype(np.float32), row_y.astype(np.float32), column_x.astype(np.float32), scene, tables, centre
    )
    at, near, far = dwell_taps(scene.dwell_travel)
    for channel in range(channels):
        if margin == 0:
            out[channel] = wide[channel]
        else:
            t0, t1, t2 = np.float32(at), np.float32(near), np.float32(far)
            for row in range(height):
                line = wide[channel, row]
                for column in range(inner):
                    out[channel, row, column] = (
                        t0 * line[column + 2]
                        + t1 * (line[column + 1] + line[column + 3])
                        + t2 * (line[column] + line[column + 4])
                    )
        add_haze(
            out[channel],
            scene.haze * tables.mean[channel],
            scene.haze_period_px,
            mixed(scene.seed + np.uint64(3)),
        )


@njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def recorded(
    expected: Float32[np.ndarray, "channel height width"],
    scene: Scene,
    scale: Float64[np.ndarray, "channel 2"],
    out: UInt16[np.ndarray, "channel height width"],
) -> None:
    """Draw what each detector records of an expected signal: Poisson electrons, the detector's noise, digits.

    Parameters
    ----------
    expected : float array (channel, height, width)
        From `expected_signal`.
    scene : record of `SCENE`
        The patch.
    scale : float array (channel, 2)
        Is filled: electrons in one level of the digitiser, and the level of no electrons.
    out : uint16 array (channel, height, width)
        Is filled with levels.
    """
    pixels = out.shape[1] * out.shape[2]
    mean, electrons = np.empty(pixels, dtype=np.float32), np.empty(pixels, dtype=np.float32)
    dose = np.float32(scene.electrons_per_px)
    for channel in range(out.shape[0]):
        flat = expected[channel].reshape(pixels)
        for pixel in range(pixels):
            mean[pixel] = flat[pixel] * dose
        poisson_counts(mean, bits(scene.seed, 100 + 2 * channel), electrons)
        read_out(electrons, scene.pulse_spread, scene.read_noise_e, bits(scene.seed, 101 + 2 * channel))
        # A counting detector gives counts. Others get steps of a power of two, at most half the darkest pixel's noise.
        level = 1.0
        if scene.pulse_spread > 0.0 or scene.read_noise_e > 0.0:
            noise_e = np.sqrt(max(mean.min(), 0.0) * (1.0 + scene.pulse_spread**2) + scene.read_noise_e**2)
            level = max(2.0 ** np.floor(np.log2(max(0.5 * noise_e, 0.125))), 0.125)
        brightest = 1.1 * electrons.max() + 8.0 * scene.read_noise_e
        while brightest / level > 65000.0:
            level *= 2.0
        # Below zero only by the detector's own noise: n electrons read n - 8 spread sqrt(n), at least -16 spread^2.
        zero = np.ceil((8.0 * scene.read_noise_e + 16.0 * scene.pulse_spread**2) / level)
        scale[channel, 0], scale[channel, 1] = level, zero
        digitised(electrons, level, zero, out[channel].reshape(pixels))


@njit(cache=True)  # type: ignore[untyped-decorator]
def render(
    scenes: np.ndarray,
    tables: Tables,
    clean: Float32[np.ndarray, "patch channel height width"],
    levels: UInt16[np.ndarray, "patch channel height width"],
    scale: Float64[np.ndarray, "patch channel 2"],
) -> None:
    """Make patches that share material and optics; the three arrays are filled.

    Parameters
    ----------
    scenes : array of `SCENE` (patch,)
        The patches.
    tables : Tables
        Kernels.
    clean : float array (patch, channel, height, width)
        Expected signal [fraction of the beam].
    levels : uint16 array (patch, channel, height, width)
        Recorded levels.
    scale : float array (patch, channel, 2)
        Electrons in one level, and the level of no electrons.
    """
    for patch in range(scenes.size):
        expected_signal(scenes[patch], tables, scenes[patch].role, clean[patch])
        recorded(clean[patch], scenes[patch], scale[patch], levels[patch])
