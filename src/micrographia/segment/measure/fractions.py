"""How much of the area a class covers: by all pixels, and by the point grid that a person would lay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from micrographia.errors import InputError
from micrographia.segment.measure.fields import ONE_FIELD, PARTS, checked_fields, totals_by_part
from micrographia.segment.measure.intervals import Ratio, ratio_of_totals
from micrographia.segment.measure.measurement import Measurement

_FEWEST_POINTS: Final = 4


def area_fraction(masks: Sequence[Bool[np.ndarray, "_height _width"]], *, of: str) -> tuple[Measurement, ...]:
    r"""Return the area fraction of a class over fields, as automatic image analysis does.

    Each field gives the share of its pixels that are of the class. The fraction is their mean, and the 95 % interval
    :math:`\pm t_{n-1} s/\sqrt n` from the standard deviation between fields. Fields of different sizes count by
    their area. A single field is cut into 4 × 4 parts in place of fields, and a note says what that is worth.

    Parameters
    ----------
    masks : sequence of (height, width) array of bool
        One mask a field, of any sizes.
    of : str
        Name of the class.

    Returns
    -------
    tuple of Measurement
        ``area fraction`` [%], ``standard deviation of area fraction`` between fields [%], and ``relative accuracy`` [%
        of the fraction].

    Raises
    ------
    InputError
        There is no field, or one has no pixels.

    Notes
    -----
    ASTM E1245. By stereology the expected area fraction is the volume fraction, where sections are random.

    Examples
    --------
    >>> fields = [np.arange(100).reshape(10, 10) < n for n in (20, 22, 24)]
    >>> fraction, sd, accuracy = area_fraction(fields, of="pores")
    >>> print(f"{fraction.value} ± {fraction.half_width:.2f} %, {sd.value:.2f} %, {accuracy.value:.1f} %")
    22.0 ± 4.97 %, 2.00 %, 22.6 %
    """
    fields = checked_fields(masks, what="mask")
    if len(fields) > 1:
        amounts = np.array([np.count_nonzero(mask) for mask in fields], dtype=np.float64)
        sizes = np.array([mask.size for mask in fields], dtype=np.float64)
    else:
        amounts, sizes = totals_by_part(fields[0]), totals_by_part(np.ones(fields[0].shape))
    return _reported(
        amounts,
        sizes,
        name="area fraction",
        of=of,
        fields=len(fields),
        method="Pixels of the class over all pixels, averaged over fields by their area.",
        clause="ASTM E1245",
    )


def point_count(
    masks: Sequence[Bool[np.ndarray, "_height _width"]], *, of: str, points_per_field: int = 100
) -> tuple[Measurement, ...]:
    r"""Return the volume fraction of a class by counting the points of a grid that fall on it.

    A square grid of about as many points as asked for lies over each field. A point between pixels of the class only
    counts one; a point on a boundary, where some of the four pixels around it are of the class, counts a half. The
    estimate is the mean share of points over fields, and its 95 % interval :math:`\pm t_{n-1} s/\sqrt n`. All
    fields count alike, whatever their sizes, since all have about the same number of points.

    Parameters
    ----------
    masks : sequence of (height, width) array of bool
        One mask a field, of any sizes.
    of : str
        Name of the class.
    points_per_field : int
        About how many points the grid has, at least 4.

    Returns
    -------
    tuple of Measurement
        ``volume fraction by points`` [%], its standard deviation between fields [%], and ``relative accuracy``
        [% of the fraction].

    Raises
    ------
    InputError
        There is no field, one has no pixels, or fewer than 4 points are asked for.

    Notes
    -----
    ASTM E562. The grid does not move at random: a structure with the period of the grid misleads it.

    Examples
    --------
    >>> half = np.arange(200)[None, :] < np.full((200, 1), 50)
    >>> round(point_count([half, half], of="pores")[0].value, 1)
    25.0
    """
    fields = checked_fields(masks, what="mask")
    if points_per_field < _FEWEST_POINTS:
        raise InputError(f"{points_per_field} points per field; accepted are {_FEWEST_POINTS} or more")
    grids = [_points_on(mask, points_per_field) for mask in fields]
    if len(fields) > 1:
        amounts = np.array([float(grid.mean()) for grid in grids])
        sizes = np.ones(len(fields))
    else:
        amounts, sizes = totals_by_part(grids[0]), totals_by_part(np.ones(grids[0].shape))
    return _reported(
        amounts,
        sizes,
        name="volume fraction by points",
        of=of,
        fields=len(fields),
        method=f"Points of a systematic grid on the class, {sum(grid.size for grid in grids)} in all; "
        "points on a boundary count half.",
        clause="ASTM E562",
    )


def _points_on(mask: Bool[np.ndarray, "height width"], points: int) -> Float[np.ndarray, "rows cols"]:
    """Share of each grid point on the class: 0, ½ or 1. Points stand on corners of pixels."""
    height, width = mask.shape
    rows = min(max(round(math.sqrt(points * height / width)), 1), height)
    cols = min(max(round(points / rows), 1), width)
    y, x = (np.round((np.arange(n) + 0.5) * size / n).astype(np.int64) for n, size in ((rows, height), (cols, width)))
    wide = np.pad(mask, 1, mode="edge").astype(np.int64)
    around = sum(wide[np.ix_(y + dy, x + dx)] for dy in (0, 1) for dx in (0, 1))
    return np.where(around == 4, 1.0, np.where(around == 0, 0.0, 0.5))


def _reported(
    amounts: Float[np.ndarray, " unit"],
    sizes: Float[np.ndarray, " unit"],
    *,
    name: str,
    of: str,
    fields: int,
    method: str,
    clause: str,
) -> tuple[Measurement, ...]:
    found = ratio_of_totals(amounts, sizes)
    low, high, note = _within_limits(found)
    single = fields == 1
    between = f"{PARTS**2} parts of one field" if single else "fields"
    if single:
        note = f"{ONE_FIELD} {note}".strip() if low is not None else note
    value = 100 * min(max(found.value, 0.0), 1.0)
    accuracy = None if low is None or found.low is None else 100 * (found.value - found.low) / found.value
    return (
        Measurement(
            name=name,
            of=of,
            value=value,
            unit="%",
            low=low,
            high=high,
            count=fields,
            counted="fields",
            method=method,
            clause=clause,
            note=note,
        ),
        Measurement(
            name=f"standard deviation of {name}",
            of=of,
            value=None if found.sd is None else 100 * found.sd,
            unit="%",
            count=fields,
            counted="fields",
            method=f"Standard deviation of the fraction between {between}.",
            clause=clause,
            note="A single unit does not scatter." if found.sd is None else "",
        ),
        Measurement(
            name="relative accuracy",
            of=of,
            value=accuracy,
            unit="%",
            count=fields,
            counted="fields",
            method=f"Half width of the 95 % interval of the {name}, before it is cut at 0 and 100 %, over the {name}.",
            clause=clause,
            note=note,
        ),
    )


def _within_limits(found: Ratio) -> tuple[float | None, float | None, str]:
    """Return the ends of the interval of a fraction [%], and what to know of it."""
    if found.low is None or found.high is None:
        if found.value in (0.0, 1.0):
            # A grid of points misses what covers little: only of what was counted can this be said.
            share = "all" if found.value else "none"
            return None, None, f"No interval: {share} of what was counted is of the class, so nothing scatters."
        return None, None, "No interval: there is no scatter between units to judge by."
    cut = found.low < 0 or found.high > 1
    note = "The interval is cut at the limits of a fraction: scatter is too wide, measure more fields." if cut else ""
    return 100 * max(found.low, 0.0), 100 * min(found.high, 1.0), note
