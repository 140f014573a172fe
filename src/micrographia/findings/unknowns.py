"""What the data say about a context that nobody recorded, and what it would be worth to know it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """Posterior of one quantity of the context that was unknown, over the grid that was tried.

    Parameters
    ----------
    name : str
        Field of the context, with ``[k]`` appended for channel ``k`` of a per-channel field.
    unit : str
        Unit of ``values``.
    values : tuple of float
        Grid, ascending.
    weights : tuple of float
        Probability of each value; they add up to 1.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Posterior mean."""
        return float(np.dot(self.values, self.weights))

    @property
    def standard_deviation(self) -> float:
        """Posterior standard deviation."""
        return float(np.sqrt(np.dot(np.square(self.values), self.weights) - self.mean**2 + 1e-300))


@dataclass(frozen=True, kw_only=True)
class Information:
    """What it would be worth to know a quantity of the context that nobody recorded.

    Parameters
    ----------
    name : str
        Field of the context, with ``[k]`` appended for channel ``k`` of a per-channel field.
    entropy_nats : float
        Mean entropy of the doubtful sites' posteriors as it is [nats].
    reduction_nats : float
        By how much it is expected to fall once the quantity is known [nats].
    reduction_sd_nats : float
        Standard error of that, from the finite number of draws [nats].
    """

    name: str
    entropy_nats: float
    reduction_nats: float
    reduction_sd_nats: float
