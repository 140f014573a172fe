"""Conformal p-values: how ordinary a sample would be among references that are known.

If a sample and the n references of a side are exchangeable, and every one of them is scored in the same way, the rank
of the sample's score is uniform: ``p = (1 + references at least as strange) / (n + 1)`` is at most α in a share of at
most α of such samples, whatever the distribution (Vovk, Gammerman, Shafer, 10.1007/978-3-031-06649-8, chapter 2).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.stats import beta

from micrographia.errors import InputError

_SURE: Final = 0.6
_ROUNDING: Final = 1e-6
"""Scores are about 1, and cosines among them are of single precision: what differs by less is a tie."""


def p_value(strangeness: float, of_references: Float[np.ndarray, " reference"]) -> float:
    """Return the conformal p-value of a sample: deterministic, ties count against it being strange.

    Parameters
    ----------
    strangeness : float
        How strange the sample is; higher is stranger.
    of_references : float array (reference,)
        How strange each reference is, found in the same way.

    Returns
    -------
    float
        From 1 / (n + 1) to 1.

    Examples
    --------
    >>> p_value(3.0, np.array([1.0, 2.0, 3.0, 4.0]))
    0.6
    """
    # Images that are alike differ by rounding once they are scored; unless that is a tie, p depends on their order.
    rounding = _ROUNDING * max(abs(strangeness), float(np.abs(of_references).max(initial=1)))
    return float(1 + np.count_nonzero(of_references >= strangeness - rounding)) / (len(of_references) + 1)


def references_needed(alpha: float) -> int:
    """Return how many references of a side a decision at the level alpha needs: so many that p can be as small.

    Raises
    ------
    InputError
        ``alpha`` is not between 0 and 0.5.

    Examples
    --------
    >>> references_needed(0.05), references_needed(0.01)
    (19, 99)
    """
    if not 0 < alpha <= 0.5:
        raise InputError(
            f"alpha is {alpha:g}; accepted is a share of wrong decisions above 0 and up to 0.5, such as 0.05"
        )
    # Rounding must not turn 1 / 0.05 into 20.000000000000004.
    return math.ceil(1 / alpha - 1e-9) - 1


def decision_level(p_of_side: Float[np.ndarray, " reference"], *, other: int, alpha: float) -> float:
    """Return how small the p-value of the other side must be for a decision, or 0 where none can be made.

    To decide at p <= a errs in a share a of the samples of the other side and decides a share d of the samples of this
    one, so of the decisions a / (a + d) are wrong where both sides are equally frequent. The level is the largest
    a <= alpha at which that is at most alpha. d is counted among the references, each left out of the fit, and taken
    lower than counted: where a value above it is as sure as 60 % (Clopper and Pearson, 10.1093/biomet/26.4.404).

    Parameters
    ----------
    p_of_side : float array (reference,)
        p-value of the other side for each reference of this one.
    other : int
        References of the other side.
    alpha : float
        Share of decisions that may be wrong.

    Examples
    --------
    >>> apart, mixed = np.full(19, 0.05), np.linspace(0.05, 1, 19)
    >>> decision_level(apart, other=19, alpha=0.05), decision_level(mixed, other=19, alpha=0.05)
    (0.05, 0.0)
    """
    count = len(p_of_side)
    for k in range(math.floor(alpha * (other + 1) + 1e-9), 0, -1):
        level = k / (other + 1)
        decided = np.count_nonzero(p_of_side <= level + 1e-12)
        share = float(beta.ppf(1 - _SURE, decided, count - decided + 1)) if decided else 0.0
        if share > 0 and level / (level + share) <= alpha:
            return level
    return 0.0
