"""Weights of the parts of a score: equal, or fitted where there are references enough."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float

ENOUGH: Final = 20
"""References of either side from which weights are fitted."""


def hybrid_weights(
    z: Float[np.ndarray, "reference part"], accepted: Bool[np.ndarray, " reference"]
) -> Float[np.ndarray, " part"]:
    """Return the share of each part in the score.

    With fewer than 20 references of a side all parts count alike. From there on the weights are those of Fisher's
    discriminant of the references' z-scores, each from a fit that it was left out of; its covariance is shrunk towards
    equal variances with the weight of 20 references, and no weight is negative.

    Parameters
    ----------
    z : float array (reference, part)
        z-scores of the references.
    accepted : bool array (reference,)
        Side of each.

    Returns
    -------
    float array (part,)
        Weights that add up to 1.

    Examples
    --------
    >>> hybrid_weights(np.zeros((4, 2)), np.array([True, True, False, False])).tolist()
    [0.5, 0.5]
    """
    parts = z.shape[1]
    equal = np.full(parts, 1 / parts)
    count = len(accepted)
    positive = np.count_nonzero(accepted)
    if parts == 1 or min(positive, count - positive) < ENOUGH:
        return equal
    on, off = z[accepted], z[~accepted]
    within = (
        (on - on.mean(axis=0)).T @ (on - on.mean(axis=0)) + (off - off.mean(axis=0)).T @ (off - off.mean(axis=0))
    ) / (count - 2)
    mean_variance = np.trace(within) / parts
    shrunk = (count * within + ENOUGH * mean_variance * np.eye(parts)) / (count + ENOUGH)
    fitted = np.maximum(np.linalg.solve(shrunk, on.mean(axis=0) - off.mean(axis=0)), 0)
    total = fitted.sum()
    weights: Float[np.ndarray, " part"] = fitted / total if total > 0 else equal
    return weights
