"""How large objects are and how many there are: distributions, shapes, and numbers per area."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.segment.measure.intervals import poisson_interval, ratio_of_totals, weighted_quantiles
from micrographia.segment.measure.measurement import Measurement, Scale
from micrographia.segment.measure.objects import Objects

_RESAMPLES: Final = 999
_FEWEST: Final = 10
# So that 3 objects or more are expected beyond a 10 % quantile.
_FEWEST_FOR_TAILS: Final = 30
_SHARES: Final = {"d10": 0.1, "d50": 0.5, "d90": 0.9}
_SMALLEST_SHAPE_PX2: Final = 20.0
_UNSEEN: Final = "No whole object lies within the fields."
_WHOLE: Final = (
    "Objects that the border cuts are left out, and the others weighted by the inverse of their chance to lie whole "
    "within a field (Miles-Lantuéjoul)."
)


def object_count(objects: Objects, *, scale: Scale, of: str) -> tuple[Measurement, ...]:
    """Return the number of objects per area, without bias by those that the border cuts.

    An object counts unless it reaches the right or the bottom border. In fields side by side each object would count
    once. The interval is exact where objects lie independently of one another.

    Parameters
    ----------
    objects : Objects
        What `find_objects` gave.
    scale : Scale
        Size of a pixel.
    of : str
        Name of the objects.

    Returns
    -------
    tuple of Measurement
        ``objects per area`` [1/mm² or 1/px²] with the 95 % interval of a Poisson count.

    Notes
    -----
    Frame: H. J. G. Gundersen, J. Microsc. 111 (1977) 219, doi:10.1111/j.1365-2818.1977.tb00062.x. Interval: F. Garwood,
    Biometrika 28 (1936) 437, doi:10.1093/biomet/28.3-4.437.

    Examples
    --------
    >>> from micrographia.segment.measure.objects import find_objects
    >>> table = find_objects([np.pad(np.ones((5, 5), dtype=np.int64), 3)])
    >>> (per_area,) = object_count(table, scale=Scale(pixel_size_nm=1000.0), of="pores")
    >>> f"{per_area.value:.0f} ({per_area.low:.0f} to {per_area.high:.0f}) {per_area.unit}"
    '10000 (253 to 55716) 1/mm²'
    """
    count = int(np.count_nonzero(objects.counts))
    density: tuple[float | None, ...] = (None, None, None)
    note = "The fields are a pixel wide, so no object can be told from one that the border cuts."
    if objects.frame_px2 > 0:
        density = tuple(scale.density(n / objects.frame_px2)[0] for n in (count, *poisson_interval(count)))
        note = "The interval takes objects as placed independently; it is too narrow where they cluster."
    return (
        Measurement(
            name="objects per area",
            of=of,
            value=density[0],
            unit=scale.density_unit,
            low=density[1],
            high=density[2],
            count=count,
            counted="objects",
            method="Objects over the area of the fields; those that reach the right or the bottom border do not count "
            "(Gundersen).",
            clause="",
            note=note,
        ),
    )


def object_sizes(objects: Objects, *, scale: Scale, of: str, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Return the mean size, the percentiles of the size distribution, and the shape of objects.

    Only whole objects are measured; each has the weight that `find_objects` explains. Percentiles by area count
    each object by its area as well. Intervals of means are those of `ratio_of_totals`; those of percentiles are
    from 999 resamples of the objects with their weights. They need 10 objects, and 30 for d10 and d90. Shapes are of
    objects of 20 pixels or more.

    Parameters
    ----------
    objects : Objects
        What `find_objects` gave.
    scale : Scale
        Size of a pixel.
    of : str
        Name of the objects.
    rng : numpy.random.Generator
        Draws the resamples.

    Returns
    -------
    tuple of Measurement
        ``mean diameter`` (of the circle of equal area), ``d10 by number``, ``d50 by number``, ``d90 by number``, the
        same ``by area``, ``mean area``, ``mean maximum Feret diameter``, ``mean minimum Feret diameter``,
        ``mean aspect ratio``, ``mean circularity``.

    Notes
    -----
    Percentiles: ISO 9276-2, shapes: ISO 9276-6. Sizes are those of sections, which are smaller than
    the bodies they cut. Bootstrap: B. Efron, Ann. Stat. 7 (1979) 1, doi:10.1214/aos/1176344552.

    Examples
    --------
    >>> from micrographia.segment.measure.objects import find_objects
    >>> squares = np.kron(np.arange(1, 17).reshape(4, 4), np.pad(np.ones((4, 4), dtype=np.int64), 3))
    >>> found = object_sizes(
    ...     find_objects([squares]), scale=Scale(pixel_size_nm=None), of="pores", rng=np.random.default_rng(0))
    >>> [round(m.value, 2) for m in found if m.name in ("mean area", "d50 by number")]
    [4.51, 16.0]
    """
    whole = objects.weight > 0
    order = np.argsort(objects.diameter_px[whole], kind="stable")
    table = {
        name: np.asarray(getattr(objects, name)[whole][order])
        for name in ("area_px2", "diameter_px", "max_feret_px", "min_feret_px", "aspect_ratio", "circularity", "weight")
    }
    weight, area, diameter = table["weight"], table["area_px2"], table["diameter_px"]
    shaped = area >= _SMALLEST_SHAPE_PX2
    left_out = int(len(area) - shaped.sum())
    small = f"{left_out} objects of less than {_SMALLEST_SHAPE_PX2:g} px² are left out." if left_out else ""
    report = partial(_reported, of=of)
    found = [
        report("mean diameter", diameter, weight, turn=scale.length, what="Diameter of the circle of equal area."),
        *_percentiles(diameter, weight, "number", scale=scale, of=of, rng=rng),
        *_percentiles(diameter, weight * area, "area", scale=scale, of=of, rng=rng),
        report("mean area", area, weight, turn=scale.area, what="Area."),
    ]
    for name, column, what in (
        ("mean maximum Feret diameter", "max_feret_px", "Greatest distance between parallel tangents."),
        ("mean minimum Feret diameter", "min_feret_px", "Smallest distance between parallel tangents."),
    ):
        found.append(report(name, table[column], weight, turn=scale.length, what=what))
    for name, limits, what in (
        ("aspect ratio", (1.0, math.inf), "Greatest over smallest Feret diameter."),
        ("circularity", (0.0, 1.0), "4π area over the square of the perimeter by Crofton's formula, at most 1."),
    ):
        values = table[name.replace(" ", "_")][shaped]
        shape = partial(report, turn=_without_unit, limits=limits, what=what, note=small)
        found.append(shape(f"mean {name}", values, weight[shaped]))
    return tuple(found)


def _without_unit(value: float) -> tuple[float, str]:
    return value, ""


def _reported(
    name: str,
    values: Float[np.ndarray, " object"],
    weight: Float[np.ndarray, " object"],
    *,
    of: str,
    turn: Callable[[float], tuple[float, str]],
    what: str,
    note: str = "",
    limits: tuple[float, float] = (0.0, math.inf),
) -> Measurement:
    """Report a weighted mean with its t interval."""
    count = len(values)
    if count == 0:
        return _measurement(name, of, None, None, turn, 0, f"Mean. {what}", f"{_UNSEEN} {note}".strip())
    found = ratio_of_totals(values * weight, weight)
    few = f"No interval: fewer than {_FEWEST} objects." if count < _FEWEST else ""
    ends = None
    if not few and found.low is not None and found.high is not None:
        ends = (max(found.low, limits[0]), min(found.high, limits[1]))
    about = " ".join(words for words in (few, note) if words)
    return _measurement(name, of, found.value, ends, turn, count, f"Mean. {what}", about)


def _percentiles(
    diameter: Float[np.ndarray, " object"],
    weight: Float[np.ndarray, " object"],
    by: str,
    *,
    scale: Scale,
    of: str,
    rng: np.random.Generator,
) -> list[Measurement]:
    shares = list(_SHARES.values())
    values, ends, note = _resampled(diameter, weight, lambda v, w: weighted_quantiles(v, w, shares=shares), rng=rng)
    largest = float(weight.max() / weight.sum()) if len(weight) else 0.0
    if len(weight) >= _FEWEST and largest > 1 - _SHARES["d90"]:
        note = f"The largest object alone has {100 * largest:.0f} % of the weight, so the interval is too narrow."
    found = []
    for (name, share), value, interval in zip(_SHARES.items(), values, ends, strict=True):
        tail = share != 0.5 and _FEWEST <= len(diameter) < _FEWEST_FOR_TAILS
        about = f"No interval: fewer than {_FEWEST_FOR_TAILS} objects." if tail else note
        method = f"Diameter of the circle of equal area, below which {100 * share:.0f} % lie by {by}."
        kept = None if tail else interval
        found.append(_measurement(f"{name} by {by}", of, value, kept, scale.length, len(diameter), method, about))
    return found


def _resampled(
    values: Float[np.ndarray, " object"],
    weight: Float[np.ndarray, " object"],
    figure: Callable[[Float[np.ndarray, " object"], Float[np.ndarray, " object"]], Float[np.ndarray, " figure"]],
    *,
    rng: np.random.Generator,
) -> tuple[list[float | None], list[tuple[float, float] | None], str]:
    """Figures of weighted objects, their intervals over resamples, and what to know of them."""
    count = len(values)
    if count == 0:
        return [None] * len(_SHARES), [None] * len(_SHARES), _UNSEEN
    best = figure(values, weight)
    if count < _FEWEST:
        return [float(v) for v in best], [None] * len(best), f"No interval: fewer than {_FEWEST} objects."
    copies = (np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(_RESAMPLES))
    drawn = np.array([figure(values, weight * times) for times in copies])
    low, high = (np.quantile(drawn, q, axis=0) for q in (0.025, 0.975))
    ends = [(min(float(a), float(v)), max(float(b), float(v))) for a, b, v in zip(low, high, best, strict=True)]
    return [float(v) for v in best], list(ends), ""


def _measurement(
    name: str,
    of: str,
    value: float | None,
    ends: tuple[float, float] | None,
    turn: Callable[[float], tuple[float, str]],
    count: int,
    method: str,
    note: str,
) -> Measurement:
    low, high = (turn(ends[0])[0], turn(ends[1])[0]) if ends else (None, None)
    return Measurement(
        name=name,
        of=of,
        value=None if value is None else turn(value)[0],
        unit=turn(1.0)[1],
        low=low,
        high=high,
        count=count,
        counted="objects",
        method=f"{method} {_WHOLE}",
        clause="ISO 9276",
        note=note,
    )
