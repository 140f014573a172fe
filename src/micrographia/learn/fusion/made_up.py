"""Micrographs made up without end, from which a student network learns to see as its teacher does.

A student that copies its teacher's answers learns even from pictures unlike those of its task, if they show enough
different things: L. Beyer et al. (2022), doi:10.1109/CVPR52688.2022.01065; Y. M. Asano and A. Saeed (2023),
arXiv:2112.00725. So what counts here is the variety of structures, not that any of them is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy import ndimage

from micrographia.errors import InputError
from micrographia.learn.fusion import lines, order, particles, solids, surfaces
from micrographia.learn.fusion.fields import Picture, axes, coloured_noise, log_uniform, smooth_noise

_MAKERS: Final[Mapping[str, Callable[..., Picture]]] = MappingProxyType(
    {
        "grains": solids.grains,
        "touching particles": particles.touching,
        "powder": particles.powder,
        "sparse particles": particles.sparse,
        "precipitates": particles.precipitates,
        "fibres": lines.fibres,
        "foam": solids.foam,
        "cracks": lines.cracks,
        "layers": solids.layers,
        "pearlite": solids.pearlite,
        "dislocations": lines.dislocations,
        "lattice": order.lattice,
        "spinodal": solids.spinodal,
        "fractal": surfaces.fractal,
        "needles": lines.needles,
        "pattern": order.pattern,
        "fringes": order.fringes,
        "tips": surfaces.tips,
        "edges": surfaces.edges,
    }
)
KINDS: Final[tuple[str, ...]] = tuple(_MAKERS)
"""The kinds of structures that can be made up."""
_SMALLEST_PX: Final = 32
_COMPOSED: Final = 0.2
"""How often a second kind shares the picture."""
_LEAST_STD: Final = 0.035
_MOST_NOISE: Final = 0.015


def made_up(kind: str, rng: np.random.Generator, *, side_px: int) -> Picture:
    """Make up a micrograph.

    Parameters
    ----------
    kind : str
        One of `KINDS`: what it shows; in one of five, another kind takes up a part of it.
    rng : numpy.random.Generator
        Draws everything else; the same state gives the same picture.
    side_px : int
        Side of the picture, 32 or more [px].

    Returns
    -------
    float32 array (side, side)
        Grey values, 0 to 1; their standard deviation is at least 0.03.

    Raises
    ------
    InputError
        The kind is not known, or the side is too short.

    Examples
    --------
    >>> made_up("grains", np.random.default_rng(0), side_px=48).shape
    (48, 48)
    """
    if kind not in _MAKERS:
        raise InputError(f"the kind to make up is {kind!r}; accepted is one of {', '.join(KINDS)}")
    if side_px < _SMALLEST_PX:
        raise InputError(f"the side to make up is {side_px} px; accepted is {_SMALLEST_PX} px or more")
    picture = _MAKERS[kind](rng, side_px=side_px)
    if rng.random() < _COMPOSED:
        other = _MAKERS[KINDS[rng.integers(len(KINDS))]](rng, side_px=side_px)
        part = _region(rng, side_px=side_px)
        # The second kind has the quieter voice.
        other = rng.uniform(0, 0.5) + rng.uniform(0.25, 0.8) * other
        picture = picture * (1 - part) + other.astype(np.float32) * part
    picture = np.rot90(picture, int(rng.integers(4)))
    return _photographed(picture[:, ::-1] if rng.random() < 0.5 else picture, rng)


def _region(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return where the second kind is: islands, beside an edge, outside a disc, a band, or everywhere but thinly."""
    y, x = axes(side_px)
    hills = smooth_noise(rng, side_px=side_px, scale_px=log_uniform(rng, side_px / 8, side_px / 1.5))
    angle = rng.uniform(0, 2 * np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)).astype(np.float32) + rng.uniform(0, 0.06) * side_px * hills
    style = rng.integers(5)
    if style == 0:
        inside = (hills - rng.uniform(0, 0.8)) * side_px / 4
    elif style == 1:
        inside = along - rng.uniform(-0.1, 0.3) * side_px
    elif style == 2:
        inside = np.hypot(x, y) - rng.uniform(0.25, 0.5) * side_px + rng.uniform(0, 0.06) * side_px * hills
    elif style == 3:
        inside = rng.uniform(0.05, 0.25) * side_px - np.abs(along - rng.uniform(-0.2, 0.2) * side_px)
    else:
        return np.full((side_px, side_px), rng.uniform(0.2, 0.45), np.float32)
    return np.clip(inside / log_uniform(rng, 1, side_px / 8) + 0.5, 0, 1).astype(np.float32)


def _photographed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Return a picture as a camera shows it: lit unevenly, blurred, with a tone curve, and a little noise."""
    side_px = len(picture)
    if rng.random() < 0.5:
        hills = smooth_noise(rng, side_px=side_px, scale_px=side_px * rng.uniform(0.5, 3))
        picture = picture * np.clip(1 + rng.uniform(0, 0.3) * hills, 0.2, None) + rng.uniform(0, 0.12) * hills
    if rng.random() < 0.2:
        picture = picture + rng.uniform(0, 0.1) * coloured_noise(rng, side_px=side_px, beta=rng.uniform(1, 3))
    picture = ndimage.gaussian_filter(picture.astype(np.float32), log_uniform(rng, 0.25, 1.5), truncate=3)
    toned = np.clip(picture, 0, 1) ** np.float32(log_uniform(rng, 0.5, 2))
    if rng.random() < 0.15:
        toned = 1 - toned
    span = rng.uniform(0.45, 1)
    grey = rng.uniform(0, 1 - span) + span * toned
    grey = grey + rng.uniform(0, _MOST_NOISE) * rng.standard_normal(grey.shape, dtype=np.float32)
    return _with_contrast(np.clip(grey, 0, 1).astype(np.float32))


def _with_contrast(picture: Picture) -> Picture:
    """Return a picture whose grey values spread, widened about their median where they hardly do."""
    for _ in range(8):
        spread = float(picture.std())
        if spread >= _LEAST_STD:
            break
        middle = np.float32(np.median(picture))
        wider = (picture - middle) * np.float32(1.5 * _LEAST_STD / max(spread, 1e-9))
        picture = np.clip(np.clip(middle, 0.25, 0.75) + wider, 0, 1)
    return picture
