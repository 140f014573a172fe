"""Area under the ROC curve, with an interval that knows which references are of one specimen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from micrographia.errors import InputError

_Z: Final = 1.959963984540054
_TAIL: Final = 0.025


@dataclass(frozen=True, kw_only=True, eq=False)
class Area:
    """An area under the ROC curve.

    Parameters
    ----------
    value : float
        Probability that an accepted image scores above a rejected one, ties counting half.
    interval : (float, float)
        95 % interval.
    deviations : float array (2, specimen)
        By specimen, what its accepted and its rejected images add to the area beyond their share, for `difference`.
    counts : (int, int)
        Accepted and rejected images.
    specimens : (int, int)
        Specimens with accepted, and with rejected images.
    """

    value: float
    interval: tuple[float, float]
    deviations: Float[np.ndarray, "2 specimen"]
    counts: tuple[int, int]
    specimens: tuple[int, int]


def area(
    score: Float[np.ndarray, " image"], accepted: Bool[np.ndarray, " image"], specimens: Int[np.ndarray, " image"]
) -> Area:
    """Return the area under the ROC curve of scores, with its 95 % interval.

    Variance is that of Obuchowski for clustered data (Biometrics 53, 567, 1997, 10.2307/2533958); with every image a
    specimen of its own it is DeLong's (10.2307/2531595). The interval is symmetric on the logit scale. Where the sides
    are wholly apart that variance is 0 and says nothing: of k specimens on the smaller side, k disjoint pairs
    would all be in order with probability area^k at most, so the bound is 0.025^(1/k).

    Parameters
    ----------
    score : float array (image,)
        Higher is more acceptable.
    accepted : bool array (image,)
        Side of each.
    specimens : int array (image,)
        Images of one specimen have one number.

    Raises
    ------
    InputError
        A side has less than two specimens.

    Examples
    --------
    >>> found = area(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]), np.arange(4))
    >>> found.value
    0.75
    """
    names, group = np.unique(specimens, return_inverse=True)
    apart = (len(np.unique(group[accepted])), len(np.unique(group[~accepted])))
    if min(apart) < 2:
        raise InputError(f"an area needs two specimens of either side; there are {apart[0]} and {apart[1]}")
    on, off = score[accepted], score[~accepted]
    order = (np.sign(on[:, None] - off[None, :]) + 1) / 2
    value = float(order.mean())
    deviations = np.stack(
        [
            np.bincount(group[accepted], weights=order.mean(axis=1) - value, minlength=len(names)),
            np.bincount(group[~accepted], weights=order.mean(axis=0) - value, minlength=len(names)),
        ]
    )
    counts = (len(on), len(off))
    variance = _variance(deviations, counts, apart)
    return Area(
        value=value,
        interval=_interval(value, variance, min(apart)),
        deviations=deviations,
        counts=counts,
        specimens=apart,
    )


def difference(one: Area, other: Area) -> tuple[float, tuple[float, float] | None]:
    """Return the difference of two areas of the same images, with its 95 % interval.

    The variance is that of the paired difference, by the same formula as in `area`.

    Parameters
    ----------
    one, other : Area
        By two scores of the same images.

    Returns
    -------
    float
        The first less the second.
    (float, float), optional
        None where the variance is 0, as where both sides are wholly apart by either score, and says nothing.

    Examples
    --------
    >>> accepted = np.array([True, False, True, False])
    >>> scores = np.array([3.0, 2.0, 1.0, 0.0])
    >>> difference(area(scores, accepted, np.arange(4)), area(-scores, accepted, np.arange(4)))[0]
    0.5
    """
    value = one.value - other.value
    variance = _variance(one.deviations - other.deviations, one.counts, one.specimens)
    if variance <= 0:
        return value, None
    half = _Z * float(np.sqrt(variance))
    return value, (max(-1.0, value - half), min(1.0, value + half))


def _variance(
    deviations: Float[np.ndarray, "2 specimen"], counts: tuple[int, int], specimens: tuple[int, int]
) -> float:
    on, off = deviations
    (m, n), (i, j), every = counts, specimens, deviations.shape[1]
    of_accepted = i / (i - 1) * float((on**2).sum()) / (m * m)
    of_rejected = j / (j - 1) * float((off**2).sum()) / (n * n)
    of_both = every / (every - 1) * float((on * off).sum()) / (m * n)
    total: float = max(0.0, of_accepted + of_rejected + 2 * of_both)
    return total


def _interval(value: float, variance: float, smaller: int) -> tuple[float, float]:
    bound: float = _TAIL ** (1 / smaller)
    if value == 1:
        return bound, 1.0
    if value == 0:
        return 0.0, 1 - bound
    if variance == 0:  # every pair is a tie, and nothing is known
        return 0.0, 1.0
    logit = np.log(value / (1 - value))
    half = _Z * np.sqrt(variance) / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-(logit + np.array([-half, half]))))
    return float(low), float(high)
