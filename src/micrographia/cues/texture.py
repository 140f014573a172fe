"""All texture cues of an image, in a fixed order."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.cues.cue import Cue
from micrographia.cues.lines import lines
from micrographia.cues.phases import phases
from micrographia.cues.structure import anisotropy, edges, grain_size
from micrographia.cues.texture_maps import texture_maps
from micrographia.cues.tones import tones

TEXTURE_CUES: Final = (
    *("dark lines", "broad dark lines", "dark line width", "dark lines across"),
    *("bright lines", "broad bright lines", "bright line width", "bright lines across"),
    *("edges", "anisotropy", "grain size", "dark share", "phase separation"),
    *("dark particles", "dark particle diameter", "bright particles", "bright particle diameter"),
    *("grey spread", "grey skewness", "entropy"),
)
"""Their names, in the order of `texture`."""


def texture(frame: Float[np.ndarray, "height width"]) -> tuple[Cue, ...]:
    """Measure the texture of an image, without knowing what it shows. Lengths are in pixels.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units, without an information bar.

    Returns
    -------
    tuple of Cue
        One of each of `TEXTURE_CUES`. Uncertainties are what the quarters of the image disagree by, and the square root
        of a count; of other fields of view they say nothing.

    Raises
    ------
    InputError
        The image is smaller than 32 x 32 px, or all pixels are equal.

    Examples
    --------
    >>> frame = np.random.default_rng(0).normal(120, 9, (128, 128))
    >>> frame[60:63] -= 80
    >>> texture(frame)[0].sentence
    'Many thin dark lines, about 2.9 px wide, run across the image: 8.2 px in 1000 px².'
    """
    maps = texture_maps(frame)
    direction = anisotropy(maps)
    return (
        *lines(maps, "dark", across_deg=direction.direction_deg),
        *lines(maps, "bright", across_deg=direction.direction_deg),
        edges(maps),
        direction,
        grain_size(maps),
        *phases(maps),
        *tones(maps),
    )
