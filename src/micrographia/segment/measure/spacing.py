"""How objects lie relative to one another: distance to the nearest, and whether clustered, random or ordered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.spatial import cKDTree

from micrographia.errors import InputError
from micrographia.segment.measure.intervals import t_factor
from micrographia.segment.measure.measurement import Measurement, Scale

_SIMULATIONS: Final = 99
_FEWEST: Final = 20
_RADII: Final = 40
# Pairs grow with the square of the radius; patterns show at a few spacings.
_WIDEST_SPACINGS: Final = 5.0
_LEVEL: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class PointPattern:
    """How a pattern of points differs from a random one at each distance, and the verdict on it.

    Parameters
    ----------
    r_px : (radius,) array of float
        Distances [px].
    l_minus_r_px : (radius,) array of float
        Ripley's L(r) − r [px]: zero on average at random, positive where there are more pairs.
    low_px, high_px : (radius,) array of float
        Envelope that a random pattern leaves anywhere at all in 5 % of cases [px].
    p_pairs : float
        Chance that a random pattern leaves its average at least as far, by 99 simulations.
    p_nearest : float
        Chance of a Clark-Evans index at least as far from 1, two-sided.
    verdict : str
        ``"clustered"``, ``"random"``, ``"ordered"``, or ``"cannot be told"``, by nearest neighbours.
    sentence : str
        The verdict, and what pairs at larger distances say.
    """

    r_px: Float[np.ndarray, " radius"]
    l_minus_r_px: Float[np.ndarray, " radius"]
    low_px: Float[np.ndarray, " radius"]
    high_px: Float[np.ndarray, " radius"]
    p_pairs: float
    p_nearest: float
    verdict: Literal["clustered", "random", "ordered", "cannot be told"]
    sentence: str


def spacing(
    points_px: Float[np.ndarray, "object 2"],
    *,
    shape: tuple[int, int],
    scale: Scale,
    of: str,
    rng: np.random.Generator,
) -> tuple[tuple[Measurement, ...], PointPattern | None]:
    r"""Return nearest-neighbour distances, the Clark-Evans index and Ripley's L of the places of objects.

    The mean distance to the nearest neighbour is over those objects that lie farther from the border than from
    their neighbour, each weighted by the inverse of the area where that could have been seen (Hanisch). The Clark-Evans
    index is the plain mean distance over that of as many random points in the same rectangle:

    .. math:: E = \frac12 \sqrt{\frac An} + \left(0.0514 + \frac{0.041}{\sqrt n}\right) \frac Pn, \qquad
              \mathrm{var} = \frac{0.0703 A + 0.037 P \sqrt{A/n}}{n^2}

    with area :math:`A` and perimeter :math:`P` (Donnelly). It is below 1 for clusters and above 1 for order.
    Ripley's L has the translation correction, and is compared with 99 random patterns as a whole, not distance by
    distance.

    Parameters
    ----------
    points_px : (object, 2) array of float
        Centroids, row and column of pixel centres [px], e.g. the columns ``y_px`` and ``x_px`` of `Objects`.
    shape : tuple of int
        Height and width of the field [px].
    scale : Scale
        Size of a pixel.
    of : str
        Name of the objects.
    rng : numpy.random.Generator
        Draws the random patterns.

    Returns
    -------
    tuple of Measurement
        ``mean nearest-neighbour distance``, ``Clark-Evans index``, and ``p of Clark-Evans index``.
    PointPattern or None
        Ripley's L with its envelope, and the verdict; None for fewer than 20 objects.

    Raises
    ------
    InputError
        A point lies outside of the field.

    Notes
    -----
    P. J. Clark and F. C. Evans, Ecology 35 (1954) 445, doi:10.2307/1931034; K. P. Donnelly in *Simulation Methods in
    Archaeology* (1978) 91; K.-H. Hanisch, Statistics 15 (1984) 409, doi:10.1080/02331888408801788; B. D. Ripley, J.
    Appl. Probab. 13 (1976) 255, doi:10.2307/3212829; on envelopes A. Baddeley et al., Ecol. Monogr. 84 (2014) 477,
    doi:10.1890/13-2042.1.

    Examples
    --------
    >>> grid = np.stack(np.mgrid[5:100:10, 5:100:10], axis=-1).reshape(-1, 2).astype(np.float64)
    >>> (distance, index, p), pattern = spacing(
    ...     grid, shape=(100, 100), scale=Scale(pixel_size_nm=1000.0), of="pores", rng=np.random.default_rng(0))
    >>> print(f"{distance.value:.1f} {distance.unit}, {pattern.verdict}")
    10.0 µm, ordered
    """
    height, width = shape
    placed = points_px + 0.5  # from the corner of the field
    if len(placed) and not ((placed >= 0).all() and (placed <= np.array(shape)).all()):
        raise InputError(
            f"points lie outside of a field of {height} × {width} px; accepted are points (y, x) within it"
        )
    count = len(placed)
    if count < 2:
        why = f"{count} objects have no neighbours."
        return tuple(
            _measurement(name, of, None, unit, None, count, "", why)
            for name, unit in (
                ("mean nearest-neighbour distance", scale.length_unit),
                ("Clark-Evans index", ""),
                ("p of Clark-Evans index", ""),
            )
        ), None
    nearest = np.asarray(cKDTree(placed).query(placed, k=2)[0][:, 1])
    expected, error = _random_nearest(count, height, width)
    index = float(nearest.mean()) / expected
    p = float(2 * stats.norm.sf(abs(nearest.mean() - expected) / error))
    half = t_factor(count - 1) * float(nearest.std(ddof=1)) / math.sqrt(count) / expected
    few = f"Fewer than {_FEWEST} objects: clusters and order cannot be told from chance." if count < _FEWEST else ""
    measurements = (
        _mean_distance(placed, nearest, shape=shape, scale=scale, of=of),
        _measurement(
            "Clark-Evans index",
            of,
            index,
            "",
            None if few else (max(index - half, 0.0), index + half),
            count,
            "Mean distance to the nearest neighbour over that of random points, with Donnelly's correction.",
            few,
        ),
        _measurement(
            "p of Clark-Evans index",
            of,
            None if few else p,
            "",
            None,
            count,
            "Two-sided chance of an index as far from 1 where points lie at random, by the normal distribution.",
            few,
        ),
    )
    return measurements, None if few else _pattern(placed, shape=shape, index=index, p=p, scale=scale, rng=rng)


def _random_nearest(count: int, height: float, width: float) -> tuple[float, float]:
    """Mean distance to the nearest of random points in a rectangle, and its standard error, by Donnelly."""
    area, perimeter = height * width, 2 * (height + width)
    expected = 0.5 * math.sqrt(area / count) + (0.0514 + 0.041 / math.sqrt(count)) * perimeter / count
    return expected, math.sqrt(0.0703 * area + 0.037 * perimeter * math.sqrt(area / count)) / count


def _mean_distance(
    placed: Float[np.ndarray, "object 2"],
    nearest: Float[np.ndarray, " object"],
    *,
    shape: tuple[int, int],
    scale: Scale,
    of: str,
) -> Measurement:
    height, width = shape
    from_border = np.minimum(placed, np.array(shape) - placed).min(axis=1)
    seen = nearest <= from_border
    kept = nearest[seen]
    method = (
        "Distance between centroids, of objects nearer to their neighbour than to the border, weighted for the "
        "others (Hanisch)."
    )
    count = len(kept)
    name = "mean nearest-neighbour distance"
    if count == 0:
        why = "Every object is nearer to the border than to its neighbour."
        return _measurement(name, of, None, scale.length_unit, None, 0, method, why)
    weight = 1 / np.maximum((height - 2 * kept) * (width - 2 * kept), 1.0)
    weight = weight / weight.sum()
    mean = float(weight @ kept)
    if count < _FEWEST:
        ends, note = None, f"No interval: fewer than {_FEWEST} objects."
    else:
        half = t_factor(count - 1) * math.sqrt(float(weight**2 @ (kept - mean) ** 2))
        ends, note = (scale.length(max(mean - half, 0.0))[0], scale.length(mean + half)[0]), ""
    return _measurement(name, of, scale.length(mean)[0], scale.length_unit, ends, count, method, note)


def _pattern(
    placed: Float[np.ndarray, "object 2"],
    *,
    shape: tuple[int, int],
    index: float,
    p: float,
    scale: Scale,
    rng: np.random.Generator,
) -> PointPattern:
    count, extent = len(placed), np.array(shape, dtype=np.float64)
    widest = min(float(extent.min()) / 4, _WIDEST_SPACINGS * math.sqrt(float(extent.prod()) / count))
    radii = np.linspace(0, widest, _RADII + 1)[1:]
    found = _ripley(placed, extent, radii)
    random = np.array([_ripley(rng.random((count, 2)) * extent, extent, radii) for _ in range(_SIMULATIONS)])
    # Each pattern is judged against the average of the others and itself alike, so that all 100 are exchangeable.
    everyone = np.vstack([found, random])
    centre = everyone.mean(axis=0)
    strays = np.abs(everyone - centre).max(axis=1)
    p_pairs = float(np.mean(strays >= strays[0]))
    reach = float(np.sort(strays[1:])[-max(round(_LEVEL * (_SIMULATIONS + 1)), 1)])
    verdict: Literal["clustered", "random", "ordered"] = (
        "random" if p >= _LEVEL else "clustered" if index < 1 else "ordered"
    )
    words = {
        "clustered": "closer than at random: clustered",
        "ordered": "farther apart than at random: ordered, as objects that cannot overlap always are a little",
        "random": "as far apart as at random",
    }[verdict]
    worst = int(np.abs(found - centre).argmax())
    far, unit = scale.length(float(radii[worst]))
    extreme = f"{'more' if found[worst] > centre[worst] else 'fewer'} frequent" if p_pairs <= _LEVEL else ""
    pairs = f"Pairs are {extreme} than at random, most at {far:.3g} {unit}" if extreme else "Pairs are as at random"
    pairs = pairs.replace("fewer frequent", "less frequent")
    upto, _ = scale.length(widest)
    return PointPattern(
        r_px=radii,
        l_minus_r_px=found,
        low_px=centre - reach,
        high_px=centre + reach,
        p_pairs=p_pairs,
        p_nearest=p,
        verdict=verdict,
        sentence=f"Nearest neighbours are {words} (R = {index:.2f}, p = {p:.2g}). {pairs} (distances up to "
        f"{upto:.3g} {unit}, p = {p_pairs:.2g}).",
    )


def _ripley(
    placed: Float[np.ndarray, "object 2"], extent: Float[np.ndarray, " 2"], radii: Float[np.ndarray, " radius"]
) -> Float[np.ndarray, " radius"]:
    """Ripley's L(r) − r with the translation correction."""
    count = len(placed)
    pairs = cKDTree(placed).query_pairs(float(radii[-1]), output_type="ndarray")
    apart = np.abs(placed[pairs[:, 0]] - placed[pairs[:, 1]])
    # A pair counts by the inverse of the share of places at which a field would show both.
    weights = 2 / np.prod(1 - apart / extent, axis=1)
    bins = np.searchsorted(radii, np.hypot(apart[:, 0], apart[:, 1]))
    k = np.cumsum(np.bincount(bins, weights=weights, minlength=len(radii))[: len(radii)])
    return np.asarray(np.sqrt(k * float(extent.prod()) / (count * (count - 1)) / math.pi) - radii)


def _measurement(
    name: str,
    of: str,
    value: float | None,
    unit: str,
    ends: tuple[float, float] | None,
    count: int,
    method: str,
    note: str,
) -> Measurement:
    low, high = ends or (None, None)
    return Measurement(
        name=name,
        of=of,
        value=value,
        unit=unit,
        low=low,
        high=high,
        count=count,
        counted="objects",
        method=method or "Distances between centroids.",
        clause="",
        note=note,
    )
