"""How likely a decision on one sample is wrong, from how far the references' own scores lie apart."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

_TAILS: Final = 10
"""Most degrees of freedom: scores have heavier tails than a normal distribution, however many were seen."""


def rejected_share(
    score: float,
    of_accepted: Float[np.ndarray, " positive"],
    of_rejected: Float[np.ndarray, " negative"],
    *,
    specimens: tuple[int, int] | None = None,
) -> float:
    r"""Return which share of samples with this score is to be rejected, were both kinds equally frequent.

    Scores of either side are taken to follow Student's t about their mean, with the spread that both sides share: the
    predictive distribution of one more score, its parameters being uncertain (Geisser 1964,
    10.1111/j.2517-6161.1964.tb00540.x), but with at most 10 degrees of freedom. Heavy tails matter: a score far out on
    one side then is no proof where the sides overlap, as it would be by a normal distribution. A sample is of a new
    specimen, so means and spread are as uncertain as if each specimen had given one score.

    Parameters
    ----------
    score : float
        Of the sample.
    of_accepted, of_rejected : float array (reference,)
        Scores of the references, none by a fit that it is part of. Three or more together, of both sides.
    specimens : (int, int), optional
        Specimens of the accepted and of the rejected references; by default each reference is of its own.

    Returns
    -------
    float
        From 0 to 1; one half where the mean of the rejected is not below that of the accepted.

    Examples
    --------
    >>> apart, mixed = np.array([2.0, 2.5, 3.0, 2.2, 2.8]), np.array([0.1, 0.9, 0.4, -0.3, 0.6])
    >>> round(rejected_share(2.6, apart, -apart), 3), round(rejected_share(2.6, mixed, -mixed), 3)
    (0.0, 0.141)
    """
    references = len(of_accepted), len(of_rejected)
    counts = references if specimens is None else specimens
    squares = [float(((side - side.mean()) ** 2).sum()) for side in (of_accepted, of_rejected)]
    spread = math.sqrt(sum(squares) / (sum(references) - 2))
    freedom = min(max(sum(counts) - 2, 1), _TAILS)
    means = float(of_accepted.mean()), float(of_rejected.mean())
    if means[0] <= means[1]:
        return 0.5
    log_density = []
    for mean, count in zip(means, counts, strict=True):
        scale = max(spread * math.sqrt(1 + 1 / count), 1e-12 * (means[0] - means[1]))
        log_density.append(float(student.logpdf(score, freedom, loc=mean, scale=scale)))
    return float(1 / (1 + math.exp(min(log_density[0] - log_density[1], 700.0))))
