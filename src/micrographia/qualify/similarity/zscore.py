"""z-normalisation: net similarities in units of their spread over the references, counted from midway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

_PRIOR: Final = 4.0
"""Weight, in references, of the spread about the middle beside the spread within the sides."""

_ROUNDING: Final = 1e-9
"""Net similarities are cosines or about 1: what spreads less than this is rounding."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Statistics of net similarities, frozen from the references.

    Parameters
    ----------
    middle : float
        Midway between the mean of the accepted and that of the rejected.
    sd : float
        Standard deviation within the sides, shrunk when there are few references.
    """

    middle: float
    sd: float

    def z(self, net: Float[np.ndarray, " image"]) -> Float[np.ndarray, " image"]:
        """Return net similarities as z-scores; a z-score is not a probability."""
        score: Float[np.ndarray, " image"] = (net - self.middle) / self.sd
        return score


def spread_of(net: Float[np.ndarray, " reference"], accepted: Bool[np.ndarray, " reference"]) -> Spread:
    """Return the statistics of the references' net similarities, each from a fit that it was left out of.

    Both sides count alike, however many references they have. The variance within the sides is shrunk towards the mean
    square distance from the middle with the weight of four references: two references a side tell little of a spread.

    Parameters
    ----------
    net : float array (reference,)
        Net similarities.
    accepted : bool array (reference,)
        Side of each; both sides occur.

    Examples
    --------
    >>> s = spread_of(np.array([2.0, 4.0, -2.0, 0.0]), np.array([True, True, False, False]))
    >>> s.middle, round(s.sd**2, 3)
    (1.0, 4.0)
    """
    on, off = net[accepted], net[~accepted]
    middle = (on.mean() + off.mean()) / 2
    freedom = len(net) - 2
    within = (((on - on.mean()) ** 2).sum() + ((off - off.mean()) ** 2).sum()) / max(freedom, 1)
    about = (((on - middle) ** 2).mean() + ((off - middle) ** 2).mean()) / 2
    variance = (freedom * within + _PRIOR * about) / (freedom + _PRIOR)
    sd = float(np.sqrt(variance))
    return Spread(middle=float(middle), sd=sd if sd > _ROUNDING else 1.0)
