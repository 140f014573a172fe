"""How fast a training goes at each of its steps."""

from __future__ import annotations

import math


def schedule(step: int, steps: int) -> float:
    """Return the rate of a step, as a fraction of the highest: up in a line for a tenth, then down as a cosine.

    Parameters
    ----------
    step, steps : int
        Number of the step, from 0, and how many there are.

    Examples
    --------
    >>> [round(schedule(step, 100), 3) for step in (0, 9, 55, 100)]
    [0.1, 1.0, 0.5, 0.0]
    """
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
