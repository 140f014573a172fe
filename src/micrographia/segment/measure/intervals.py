"""What the scatter between fields, parts, objects or counts says of the uncertainty: 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy import stats

CONFIDENCE: Final = 0.95
_TAIL: Final = (1 - CONFIDENCE) / 2


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A ratio of two totals over sampling units, with what its scatter between the units says.

    Parameters
    ----------
    value : float
        Total of the amounts over the total of the sizes.
    sd : float, optional
        Standard deviation between units of average size; None for a single unit.
    low, high : float, optional
        Ends of the 95 % interval; None where the units do not scatter at all, or are fewer than two.
    count : int
        Number of units.
    """

    value: float
    sd: float | None
    low: float | None
    high: float | None
    count: int


def ratio_of_totals(amounts: Float[np.ndarray, " unit"], sizes: Float[np.ndarray, " unit"]) -> Ratio:
    r"""Return the ratio of two totals, and its interval from the scatter between units.

    .. math:: r = \frac{\sum a_i}{\sum s_i}, \qquad
              \mathrm{sd}^2 = \frac{1}{n-1} \sum \left(\frac{a_i - r s_i}{\bar s}\right)^2, \qquad
              r \pm t_{n-1} \frac{\mathrm{sd}}{\sqrt n}

    Where all units are of one size this is the mean over units with its usual t interval, as ASTM E562, E112 and E1245
    have it. Units of other sizes count by their size, and those without any not at all.

    Parameters
    ----------
    amounts : (unit,) array of float
        What was found in each unit.
    sizes : (unit,) array of float
        Size of each unit, of which at least one is positive.

    Returns
    -------
    Ratio
        Ratio, standard deviation and interval.

    Notes
    -----
    The ratio estimator: W. G. Cochran, *Sampling Techniques* (1977), chapter 6.

    Examples
    --------
    >>> found = ratio_of_totals(np.array([20.0, 22.0, 24.0]), np.ones(3))
    >>> print(f"{found.value} ± {found.high - found.value:.2f}")  # t of 2 degrees of freedom is 4.303
    22.0 ± 4.97
    """
    amounts, sizes = amounts[sizes > 0], sizes[sizes > 0]
    total = float(sizes.sum())
    value = float(amounts.sum()) / total
    count = len(amounts)
    if count < 2:
        return Ratio(value=value, sd=None, low=None, high=None, count=count)
    residuals = (amounts - value * sizes) / (total / count)
    sd = math.sqrt(float(np.sum(residuals**2)) / (count - 1))
    if sd <= 1e-12 * max(abs(value), 1e-300):
        return Ratio(value=value, sd=0.0, low=None, high=None, count=count)
    half = t_factor(count - 1) * sd / math.sqrt(count)
    return Ratio(value=value, sd=sd, low=value - half, high=value + half, count=count)


def t_factor(degrees: float) -> float:
    """Return by how many standard errors a 95 % interval reaches to each side.

    Examples
    --------
    >>> round(t_factor(4), 3)
    2.776
    """
    return float(stats.t.ppf(1 - _TAIL, degrees))


def poisson_interval(count: int) -> tuple[float, float]:
    """Return the exact 95 % interval of the mean of a Poisson count.

    Parameters
    ----------
    count : int
        What was counted, zero or more.

    Returns
    -------
    low, high : float
        Ends of the interval.

    Notes
    -----
    F. Garwood, Biometrika 28 (1936) 437, doi:10.1093/biomet/28.3-4.437.

    Examples
    --------
    >>> tuple(round(end, 2) for end in poisson_interval(10))
    (4.8, 18.39)
    """
    low = float(stats.chi2.ppf(_TAIL, 2 * count)) / 2 if count else 0.0
    return low, float(stats.chi2.ppf(1 - _TAIL, 2 * count + 2)) / 2


def weighted_quantiles(
    values: Float[np.ndarray, " object"], weights: Float[np.ndarray, " object"], *, shares: Sequence[float]
) -> Float[np.ndarray, " share"]:
    """Return the values below which given shares of the total weight lie, interpolated between values.

    Half of the weight of a value lies below it. With equal weights these are Hazen's quantiles.

    Parameters
    ----------
    values, weights : (object,) array of float
        Values in ascending order, and the weight of each; at least one weight is positive.
    shares : sequence of float
        Shares between 0 and 1.

    Returns
    -------
    (share,) array of float
        One value a share.

    Examples
    --------
    >>> weighted_quantiles(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 2.0]), shares=[0.5])
    array([2.33333333])
    """
    kept = weights > 0
    below = np.cumsum(weights[kept]) - weights[kept] / 2
    return np.asarray(np.interp(np.asarray(shares) * float(weights.sum()), below, values[kept]))


def quantile_interval(
    values: Float[np.ndarray, " object"], *, share: float, independent: float
) -> tuple[float, float] | None:
    """Return the 95 % interval of a quantile by order statistics, or None where there are too few values.

    Parameters
    ----------
    values : (object,) array of float
        Values in ascending order.
    share : float
        Share of the quantile, between 0 and 1.
    independent : float
        How many independent values these are worth, at most their number.

    Returns
    -------
    tuple of float, or None
        Ends of the interval; None where no value bounds the quantile to one side.

    Notes
    -----
    How many of n values lie below a quantile is binomial: H. A. David and H. N. Nagaraja, *Order Statistics* (2003),
    doi:10.1002/0471722162.

    Examples
    --------
    >>> quantile_interval(np.arange(1.0, 101.0), share=0.5, independent=100)
    (40.0, 61.0)
    """
    worth = math.floor(independent)
    below = int(stats.binom.ppf(_TAIL, worth, share)) if worth else 0
    above = int(stats.binom.ppf(1 - _TAIL, worth, share)) + 1 if worth else 1
    if below < 1 or above > worth:
        return None
    # The k-th of `worth` values stands at the same share of the values there are.
    first = max(math.ceil(below / worth * len(values)), 1)
    last = min(math.ceil(above / worth * len(values)), len(values))
    return float(values[first - 1]), float(values[last - 1])
