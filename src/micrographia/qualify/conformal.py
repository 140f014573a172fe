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

from micrographia.errors import InputError

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
