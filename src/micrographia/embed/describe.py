"""Describe, then compare: an image's measured texture in words, which a text encoder can hold against a criterion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from micrographia.cues.cue import Cue
from micrographia.cues.texture import TEXTURE_CUES, texture

CUE_NAMES: Final = TEXTURE_CUES
"""Names of the entries of `cue_vector`, in their order."""

_DENSITIES: Final = {
    **{name: 1.0 for name in TEXTURE_CUES if name.endswith(("lines", "across"))},
    **{"edges": 10.0, "dark particles": 30.0, "bright particles": 30.0},
}
"""Cues that may be zero, and what is added before the logarithm is taken."""
_SIZES: Final = tuple(name for name in TEXTURE_CUES if name.endswith(("width", "size", "diameter")))
_SHARES: Final = {"anisotropy": 1.0, "dark share": 100.0, "phase separation": 1.0}
"""Cues between nothing and a whole, and what the whole is."""
_LEAST_SHARE: Final = 0.005
_PLAIN_PX: Final = 8.0


@dataclass(frozen=True, kw_only=True)
class Description:
    """An image in measured values and in words.

    Parameters
    ----------
    cues : tuple of Cue
        What was measured, in the order of `CUE_NAMES`.
    text : str
        The sentences of the telling ones, short enough for the text encoder. No name of a file or a class is in it.
    """

    cues: tuple[Cue, ...]
    text: str


def describe(frame: Float[np.ndarray, "height width"]) -> Description:
    """Put the measured texture of an image into words.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units, without an information bar.

    Returns
    -------
    Description
        Cues and text.

    Raises
    ------
    InputError
        The image is smaller than 32 x 32 px, or all pixels are equal.

    Examples
    --------
    >>> frame = np.random.default_rng(0).normal(120, 9, (128, 128))
    >>> frame[60:63] -= 80
    >>> print(describe(frame).text.split(". ")[0])
    Many thin dark lines, about 2.9 px wide, run across the image: 8.2 px in 1000 px²
    """
    return described(texture(frame))


def described(cues: tuple[Cue, ...]) -> Description:
    """Put texture cues that were measured already into words, as `describe` does."""
    known = {cue.name: cue for cue in cues}
    minority = "dark" if (known["dark share"].value or 0.0) <= 50 else "bright"
    told = [
        *("dark lines", "dark lines across", "broad dark lines", "bright lines", "anisotropy", "grain size"),
        *("dark share", "phase separation", f"{minority} particles", "grey spread", "grey skewness"),
    ]
    return Description(cues=cues, text=" ".join(known[name].sentence for name in told))


def cue_vector(frame: Float[np.ndarray, "height width"]) -> Float32[np.ndarray, " cue"]:
    """Return the texture of an image as numbers of like spread.

    Densities are taken as log(1 + value / v0), with v0 of 1 px per 1000 px² for lines, 10 px for edges and 30 particles
    per 1000 × 1000 px; sizes as log(value / 8 px), 0 where there are none; shares as log(p / (1 - p)) / 2, kept from
    0.005 to 0.995; grey spread (times 10) and entropy from what a normal distribution has, 0.215 and 5.7 bit; skewness
    as it is. So most entries of most micrographs lie between -3 and 3.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units, without an information bar.

    Returns
    -------
    float32 array (cue,)
        In the order of `CUE_NAMES`; finite.

    Raises
    ------
    InputError
        The image is smaller than 32 x 32 px, or all pixels are equal.

    Examples
    --------
    >>> vector = cue_vector(np.random.default_rng(0).normal(120, 9, (128, 128)))
    >>> len(vector) == len(CUE_NAMES), bool(np.abs(vector).max() < 5)
    (True, True)
    """
    return vector_of(texture(frame))


def vector_of(cues: tuple[Cue, ...]) -> Float32[np.ndarray, " cue"]:
    """Return texture cues that were measured already as numbers, as `cue_vector` does."""
    return np.array([_scaled(cue) for cue in cues], dtype=np.float32)


def _scaled(cue: Cue) -> float:
    value = cue.value
    if cue.name in _DENSITIES:
        return float(np.log1p((value or 0.0) / _DENSITIES[cue.name]))
    if cue.name in _SIZES:
        return 0.0 if value is None else float(np.log(max(value, 0.5) / _PLAIN_PX))
    if cue.name in _SHARES:
        share = float(np.clip((value or 0.0) / _SHARES[cue.name], _LEAST_SHARE, 1 - _LEAST_SHARE))
        return float(np.log(share / (1 - share))) / 2
    if cue.name == "grey spread":
        return ((value or 0.0) - 0.215) * 10
    return (value or 0.0) - 5.7 if cue.name == "entropy" else value or 0.0
