"""How many directions structure takes: the entropy of the directions of its slopes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.cues.cue import Cue
from micrographia.cues.texture_maps import TextureMaps, graded, of_quarters

ORIENTATION_BINS: Final = 36
"""Number of directions that are told apart, of 5° each."""
_LEAST_SD: Final = 0.01
_SHARE: Final = (0.5, 0.8, 0.95)


def orientation_entropy(maps: TextureMaps) -> Cue:
    r"""Return the entropy of the directions of slopes, each weighted by its square.

    .. math:: H = -\sum_k p_k \log_2 p_k, \qquad p_k \propto \sum_{\theta \in k} |\nabla I|^2

    over 36 directions of 5°, of which the first has its middle along the x axis, so that turning the image by 90°
    changes nothing. Noise counts: it has all directions alike.

    Parameters
    ----------
    maps : TextureMaps
        The image.

    Returns
    -------
    Cue
        ``orientation entropy`` [bit]: 0 for straight parallel lines, log2(36) = 5.17 where all directions are alike.

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> noise = np.random.default_rng(0).normal(0, 1, (256, 256))
    >>> print(f"{orientation_entropy(texture_maps(noise)).value:.2f} bit")
    5.16 bit
    """
    value = _entropy(maps.fine.x, maps.fine.y)
    if value is None:
        return Cue(
            name="orientation entropy",
            value=None,
            uncertainty=None,
            unit="bit",
            sentence="The image has no slopes whose directions could be counted.",
        )
    parts = [_entropy(maps.fine.x[part], maps.fine.y[part]) for part in maps.quarters]
    spread = of_quarters([part for part in parts if part is not None])
    most = math.log2(ORIENTATION_BINS)
    words = graded(
        value / most,
        _SHARE,
        (
            "Slopes keep to very few directions",
            "Slopes keep to some directions",
            "Slopes take many directions, some more than others",
            "Slopes take all directions alike",
        ),
    )
    return Cue(
        name="orientation entropy",
        value=value,
        uncertainty=math.hypot(spread or 0.0, _LEAST_SD),
        unit="bit",
        sentence=f"{words}: {value:.1f} of at most {most:.1f} bit.",
    )


def _entropy(x: Float[np.ndarray, "height width"], y: Float[np.ndarray, "height width"]) -> float | None:
    weight = (x * x + y * y).ravel()
    total = float(weight.sum(dtype=np.float64))
    if total == 0:
        return None
    turns = np.arctan2(-y, x).ravel() * (ORIENTATION_BINS / math.pi)
    direction = np.rint(turns).astype(np.int64) % ORIENTATION_BINS
    share = np.bincount(direction, weights=weight, minlength=ORIENTATION_BINS) / total
    there = share[share > 0]
    return max(0.0, -float((there * np.log2(there)).sum()))
