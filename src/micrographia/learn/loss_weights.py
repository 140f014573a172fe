"""Weights of losses, of which at least one counts."""

from __future__ import annotations

import math
from collections.abc import Mapping

from micrographia.errors import InputError


def check_loss_weights(weights: Mapping[str, float]) -> None:
    """Refuse weights of losses with which nothing could be learned.

    Parameters
    ----------
    weights : mapping of str to float
        How much each loss counts; 0 switches it off.

    Raises
    ------
    InputError
        One is negative or not finite, or all are 0.

    Examples
    --------
    >>> check_loss_weights({"masked": 1.0, "views": 0.0})
    >>> check_loss_weights({"masked": 0.0})
    Traceback (most recent call last):
    micrographia.errors.InputError: every loss has weight 0, so nothing would be learned; give one of them a weight
    """
    for name, value in weights.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"weight of the {name} loss is {value:g}; accepted is a number of 0 or more")
    if not any(weights.values()):
        raise InputError("every loss has weight 0, so nothing would be learned; give one of them a weight")
