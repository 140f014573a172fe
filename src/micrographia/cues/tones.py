"""The distribution of greys: spread, skewness, entropy."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.cues.cue import Cue
from micrographia.cues.texture_maps import TextureMaps, graded, of_quarters

_LEVELS: Final = 64


def tones(maps: TextureMaps) -> tuple[Cue, Cue, Cue]:
    """Return how greys are distributed between the 1st and the 99th percentile.

    Parameters
    ----------
    maps : TextureMaps
        The image.

    Returns
    -------
    tuple of Cue
        ``grey spread``: standard deviation over the distance of the percentiles (0.5 for two equal tones, 0.29 for all
        tones alike, 0.21 for a normal distribution, less where few pixels differ from the rest); ``grey skewness``:
        negative where the rare pixels are dark; ``entropy`` [bit] of 64 levels: 6 where all are alike frequent.

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> ramp = np.linspace(0, 1, 128 * 128).reshape(128, 128)
    >>> print(*(f"{cue.name} {abs(cue.value):.2g}" for cue in tones(texture_maps(ramp))), sep=", ")
    grey spread 0.29, grey skewness 0, entropy 6
    """
    grey = maps.grey
    spread, skewness, bits = _spread(grey), _skewness(grey), _entropy(grey)
    parts = [grey[part] for part in maps.quarters]
    rare = graded(
        skewness,
        (-0.5, 0.5),
        (
            "Most of the image is bright, with rare dark places",
            "",
            "Most of the image is dark, with rare bright places",
        ),
    )
    wide = graded(spread, (0.19, 0.27, 0.36), ("even", "moderate", "strong", "very strong"))
    return (
        Cue(
            name="grey spread",
            value=spread,
            uncertainty=of_quarters([_spread(part) for part in parts]),
            unit="",
            sentence=f"Contrast is {wide}.",
        ),
        Cue(
            name="grey skewness",
            value=skewness,
            uncertainty=of_quarters([_skewness(part) for part in parts]),
            unit="",
            sentence=f"{rare or 'Dark and bright places are alike frequent'}.",
        ),
        Cue(
            name="entropy",
            value=bits,
            uncertainty=of_quarters([_entropy(part) for part in parts]),
            unit="bit",
            sentence=f"Greys are spread over {2**bits:.0f} of {_LEVELS} levels.",
        ),
    )


def _spread(grey: Float[np.ndarray, "height width"]) -> float:
    return float(grey.std())


def _skewness(grey: Float[np.ndarray, "height width"]) -> float:
    away = grey - grey.mean()
    variance = float((away * away).mean())
    return float((away * away * away).mean()) / math.pow(max(variance, 1e-12), 1.5)


def _entropy(grey: Float[np.ndarray, "height width"]) -> float:
    level = np.clip((grey * _LEVELS).astype(int), 0, _LEVELS - 1)
    share = np.bincount(level.ravel(), minlength=_LEVELS) / grey.size
    there = share[share > 0]
    return max(0.0, -float((there * np.log2(there)).sum()))
