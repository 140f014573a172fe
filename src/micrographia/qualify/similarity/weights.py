"""Weights of the parts of a score: equal at first, fitted as references come in."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float

_CAUTION: Final = 4.0
"""A square of a difference of means of z varies by about 2 / n where there is none; twice that counts as nothing."""


def hybrid_weights(
    z: Float[np.ndarray, "reference part"], accepted: Bool[np.ndarray, " reference"]
) -> Float[np.ndarray, " part"]:
    """Return the share of each part in the score, by how far it holds the references apart.

    ``w ∝ (d² + 4 / n)²``: d is the mean z of the accepted less that of the rejected, 0 if it is negative, and n the
    number of references on the smaller side. So parts count alike while there are few references, and a part that sees
    little of the matter fades as they come in. Every z-score is from a fit that its reference was left out of.

    Parameters
    ----------
    z : float array (reference, part)
        z-scores of the references.
    accepted : bool array (reference,)
        Side of each.

    Returns
    -------
    float array (part,)
        Weights that add up to 1, none of them 0.

    Examples
    --------
    >>> z = np.array([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.1], [-1.0, -0.1]])
    >>> hybrid_weights(z, np.array([True, True, False, False])).tolist()
    [0.9, 0.1]
    """
    apart = np.maximum(z[accepted].mean(axis=0) - z[~accepted].mean(axis=0), 0)
    positive = int(np.count_nonzero(accepted))
    share = (apart**2 + _CAUTION / min(positive, len(accepted) - positive)) ** 2
    weights: Float[np.ndarray, " part"] = share / share.sum()
    return weights
