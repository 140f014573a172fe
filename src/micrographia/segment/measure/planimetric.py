"""Grain size by the number of grains per area."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Integer

from micrographia.segment.measure.fields import PARTS, checked_fields
from micrographia.segment.measure.grains import (
    NO_PIXEL_SIZE,
    ends_of,
    grain_number_by_count,
    grown_over_boundaries,
    note_on,
    reported,
)
from micrographia.segment.measure.intervals import Ratio, ratio_of_totals
from micrographia.segment.measure.measurement import Measurement, Scale


def planimetric(
    grains: Sequence[Integer[np.ndarray, "_height _width"]],
    *,
    scale: Scale,
    of: str,
    widest_boundary_px: float = 5.0,
) -> tuple[Measurement, ...]:
    r"""Return grains per area, and the grain size number by them.

    A grain inside a rectangle counts one, on an edge a half, at a corner a quarter: in general
    :math:`1 - e/2 + c/4` with the number of edges :math:`e` and corners :math:`c` that it reaches. The average over
    the four ways to count only what does not reach two adjacent edges gives these weights. So they are without bias
    for grains of any size, while a half at the corners too would count one grain too many in each field.

    Grains first grow over boundaries that are drawn with a thickness. Where more than a boundary has no grain, its
    area does not count. The edges run through the centres of the border pixels, so a field of 100 pixels is 99 wide.

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
        ``grains per area`` [1/mm²], ``mean grain area``, and ``grain size number G, planimetric``, each with a 95 %
        interval from the scatter between fields, or between the 4 × 4 parts of a single field.

    Raises
    ------
    InputError
        There is no field, or one has no pixels.

    Notes
    -----
    ASTM E112, Jeffries' procedure. On the bias of one grain: H. Li and X. Zhou, J. ASTM Int. 8 (2011) JAI103476,
    doi:10.1520/JAI103476.

    Examples
    --------
    >>> rows, cols = np.mgrid[5:206, 5:206] // 20
    >>> per_area, *_ = planimetric([1 + 100 * rows + cols], scale=Scale(pixel_size_nm=1000.0), of="ferrite")
    >>> per_area.value, per_area.unit  # squares of 20 µm
    (2500.0, '1/mm²')
    """
    fields = [
        grown_over_boundaries(field, widest_px=widest_boundary_px)
        for field in checked_fields(grains, what="grain image")
    ]
    pieces = fields if len(fields) > 1 else _parts(fields[0])
    seen = sum(len(np.unique(field[field > 0])) for field in fields)
    whole = sum(_grains_in(field) for field in fields)
    report = partial(
        reported,
        of=of,
        count=seen,
        counted="grains",
        method="Grains inside count one, on an edge of the field a half, at a corner a quarter; gaps of up to "
        f"{widest_boundary_px:g} px between grains are boundaries.",
    )
    names = ("grains per area", "mean grain area", "grain size number G, planimetric")
    units = (scale.density_unit, scale.area_unit, "")
    if whole <= 0:
        why = "No grain is seen." if seen == 0 else "The grains are as large as the fields, so they cannot be counted."
        # None at all is a number too; grains too large to count are not.
        none = (0.0, None, None) if seen == 0 else None
        ends = (none, None, None)
        return tuple(report(n, unit=u, ends=e, note=why) for n, u, e in zip(names, units, ends, strict=True))
    sizes = np.array([_area_px2(piece) for piece in pieces])
    found = ratio_of_totals(np.array([_grains_in(piece) for piece in pieces]), sizes)
    # Parts of a field show the scatter; the field as a whole has the best estimate.
    found = _centred(found, whole / sum(_area_px2(field) for field in fields))
    note = note_on(found, fields=len(fields), grains=seen)
    number = ends_of(found, lambda per_px2: grain_number_by_count(scale.density(per_px2)[0])) if scale.known else None
    return (
        report(names[0], unit=units[0], ends=ends_of(found, lambda per_px2: scale.density(per_px2)[0]), note=note),
        report(names[1], unit=units[1], ends=ends_of(found, lambda per_px2: scale.area(1 / per_px2)[0]), note=note),
        report(names[2], unit=units[2], ends=number, note=note if number else NO_PIXEL_SIZE),
    )


def _parts(field: Integer[np.ndarray, "height width"]) -> list[Integer[np.ndarray, "_height _width"]]:
    bands = np.array_split(field, PARTS, axis=0)
    return [part for band in bands for part in np.array_split(band, PARTS, axis=1) if part.size]


def _area_px2(field: Integer[np.ndarray, "height width"]) -> float:
    """Area with grains between the centres of the border pixels, which is where `_grains_in` has its edges."""
    height, width = field.shape
    return float(np.count_nonzero(field) / field.size * (height - 1) * (width - 1))


def _grains_in(field: Integer[np.ndarray, "height width"]) -> float:
    """Count the grains of a rectangle by the weights that `planimetric` gives."""
    edges = (field[0], field[-1], field[:, 0], field[:, -1])
    inside, reached = (
        len(np.unique(field[field > 0])),
        sum(len(np.unique(edge[edge > 0])) for edge in edges),
    )
    corners = int(np.count_nonzero(field[np.ix_((0, -1), (0, -1))]))
    return inside - reached / 2 + corners / 4


def _centred(found: Ratio, value: float) -> Ratio:
    if found.low is None or found.high is None:
        return Ratio(value=value, sd=found.sd, low=None, high=None, count=found.count)
    half = (found.high - found.low) / 2
    return Ratio(value=value, sd=found.sd, low=value - half, high=value + half, count=found.count)
