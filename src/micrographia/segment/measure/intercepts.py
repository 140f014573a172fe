"""Grain size by the mean length of test lines in a grain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from jaxtyping import Float, Integer

from micrographia.segment.measure.fields import checked_fields, totals_by_part
from micrographia.segment.measure.grains import (
    NO_PIXEL_SIZE,
    ends_of,
    grain_number_by_intercept,
    grown_over_boundaries,
    note_on,
    reported,
)
from micrographia.segment.measure.intervals import ratio_of_totals
from micrographia.segment.measure.measurement import Measurement, Scale

# Steps (row, col) along which pixels lie on exact lines, so that a straight boundary is crossed once.
_DIRECTIONS: Final = {0.0: (0, 1), 45.0: (-1, 1), 90.0: (-1, 0), 135.0: (-1, -1)}


@dataclass(frozen=True, kw_only=True)
class InterceptRose:
    """Mean intercept length in each direction, as a figure shows it.

    Parameters
    ----------
    angle_deg : (direction,) array of float
        Direction of the test lines [°], counter-clockwise from x as seen on the screen.
    mean_intercept_px : (direction,) array of float
        Mean intercept length [px]; infinite where no line crosses a boundary.
    """

    angle_deg: Float[np.ndarray, " direction"]
    mean_intercept_px: Float[np.ndarray, " direction"]


def intercepts(
    grains: Sequence[Integer[np.ndarray, "_height _width"]],
    *,
    scale: Scale,
    of: str,
    widest_boundary_px: float = 5.0,
) -> tuple[tuple[Measurement, ...], InterceptRose]:
    r"""Return the mean lineal intercept, the grain size number by it, and how it depends on direction.

    Test lines run through every pixel at 0°, 45°, 90° and 135°. A stretch of a line in one grain is an intercept; at
    an end of a line it counts half. The mean intercept is the length of the lines in grains over the number of
    intercepts. Along these four directions pixels lie on exact lines, so steps of a boundary are not crossed twice.
    Lines next to each other cross the same grains: the interval is from the scatter between fields, or the
    4 × 4 parts of a single one, never between lines.

    Grains first grow over boundaries that are drawn with a thickness, so that such a boundary, and a line that runs
    along it, counts once. Intercepts shorter than a pixel are missed, so grains should be much larger than pixels.

    Parameters
    ----------
    grains : sequence of (height, width) array of int
        One image a field, of any sizes: number of the grain, 0 on boundaries and where there is no grain.
    scale : Scale
        Size of a pixel.
    of : str
        Name of the grains.
    widest_boundary_px : float
        Greatest thickness of a boundary that is drawn as 0 [px].

    Returns
    -------
    tuple of Measurement
        ``mean lineal intercept``, ``grain size number G, intercept``, and ``anisotropy of intercepts``, the ratio of
        the longest to the shortest mean intercept of the four directions.
    InterceptRose
        Mean intercept in each direction.

    Raises
    ------
    InputError
        There is no field, or one has no pixels.

    Notes
    -----
    ASTM E112, Heyn's procedure.

    Examples
    --------
    >>> rows, cols = np.mgrid[5:205, 5:205] // 20
    >>> (length, *_), rose = intercepts([1 + 100 * rows + cols], scale=Scale(pixel_size_nm=1000.0), of="ferrite")
    >>> [round(float(length_px)) for length_px in rose.mean_intercept_px]  # 45° lines cross both kinds of walls
    [20, 14, 20, 14]
    """
    fields = [
        grown_over_boundaries(field, widest_px=widest_boundary_px)
        for field in checked_fields(grains, what="grain image")
    ]
    by_direction = [_totals(fields, row_step, col_step) for row_step, col_step in _DIRECTIONS.values()]
    counts = np.sum([c for c, _ in by_direction], axis=0)
    lengths = np.sum([length for _, length in by_direction], axis=0)
    means = [float(length.sum() / c.sum()) if c.any() else math.inf for c, length in by_direction]
    rose = InterceptRose(angle_deg=np.array(list(_DIRECTIONS)), mean_intercept_px=np.array(means))
    seen = sum(len(np.unique(field[field > 0])) for field in fields)
    report = partial(
        reported,
        of=of,
        count=round(float(counts.sum())),
        counted="intercepts",
        method="Length of test lines in grains over the number of intercepts, every row, column and diagonal of "
        "pixels being a line; a stretch at the end of a line counts half.",
    )
    names = ("mean lineal intercept", "grain size number G, intercept", "anisotropy of intercepts")
    units = (scale.length_unit, "", "")
    if not counts.any():
        why = "No grain is seen." if seen == 0 else "No test line crosses a boundary."
        return tuple(report(n, unit=u, ends=None, note=why) for n, u in zip(names, units, strict=True)), rose
    found = ratio_of_totals(counts, lengths)  # intercepts per px of line
    note = note_on(found, fields=len(fields), grains=seen)
    length = ends_of(found, lambda per_px: scale.length(1 / per_px)[0])
    number = (
        ends_of(found, lambda per_px: grain_number_by_intercept(scale.um_per_px / per_px / 1e3))
        if scale.known
        else None
    )
    ratio = (max(means) / min(means), None, None) if math.isfinite(max(means)) else None
    about_ratio = (
        "Longest over shortest mean intercept of four directions. By chance alone it is above 1, so no interval."
        if ratio
        else "In one direction no test line crosses a boundary."
    )
    return (
        report(names[0], unit=units[0], ends=length, note=note),
        report(names[1], unit=units[1], ends=number, note=note if number else NO_PIXEL_SIZE),
        report(names[2], unit=units[2], ends=ratio, note=about_ratio),
    ), rose


def _totals(
    fields: Sequence[Integer[np.ndarray, "_height _width"]], row_step: int, col_step: int
) -> tuple[Float[np.ndarray, " unit"], Float[np.ndarray, " unit"]]:
    """Count intercepts, and length of lines, in each field, or in each part of a single one."""
    maps = [_crossings(field, row_step, col_step) for field in fields]
    if len(maps) == 1:
        return totals_by_part(maps[0][0]), totals_by_part(maps[0][1])
    return np.array([float(c.sum()) for c, _ in maps]), np.array([float(length.sum()) for _, length in maps])


def _crossings(
    field: Integer[np.ndarray, "height width"], row_step: int, col_step: int
) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
    """Map what each step of the lines in one direction adds: ends of intercepts, counted half, and length in grains."""
    height, width = field.shape
    up, right, left = -row_step, max(col_step, 0), max(-col_step, 0)
    here = field[up:, left : width - right]
    there = field[: height - up, right : width - left]
    counts, lengths = np.zeros(field.shape), np.zeros(field.shape)
    halves = ((here > 0).astype(np.float64) + (there > 0)) / 2
    counts[up:, left : width - right] = np.where(here == there, 0.0, halves)
    lengths[up:, left : width - right] = math.hypot(row_step, col_step) * halves
    return counts, lengths
