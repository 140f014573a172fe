"""Cracks: long dark lines, darker than nearly all of the image, that do not repeat."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import binary_dilation, label, map_coordinates

from micrographia.cues.cue import Cue, length_words
from micrographia.cues.lines import LINES_UNIT, Ridges, ridges
from micrographia.cues.texture_maps import TextureMaps, graded, two_digits

_LEAST_LENGTH_PX: Final = 40.0
_DARKEST: Final = 0.1
_OTHER_DARKEST: Final = (0.06, 0.15)
_REGULAR: Final = 10.0
_NEAR_PX: Final = 6
_MOST_OF_IT: Final = 0.6
_REACH_PX: Final = 20
_STEPS: Final = (0.2, 1.0, 4.0)
_LEAST_SD: Final = 0.1
_RELATIVE_SD: Final = 0.15
_EIGHT: Final = np.ones((3, 3), dtype=int)


def cracks(maps: TextureMaps, *, regularity: float, pixel_size_nm: float | None = None) -> tuple[Cue, Cue]:
    """Return the length of cracks per area, and their width.

    A crack is a dark line, as `lines` finds them at both of its scales, of at least 40 px in one piece and darker than
    90 % of the image along its middle. Where more than 10 % of the variance repeats, dark lines are fringes or
    rows, and nothing can be told. Gaps between grains and dark borders look alike, and of cracks that
    people drew in coatings few are found (``docs/benchmarks/cues.md``): the cue is one of crack-like lines.

    Parameters
    ----------
    maps : TextureMaps
        The image.
    regularity : float
        Share of the variance that repeats [%], as `regularity` gives it.

    pixel_size_nm : float, optional
        Size of a pixel [nm].

    Returns
    -------
    tuple of Cue
        ``cracks`` [px per 1000 px²] and ``crack width`` [nm or px]: full width at half depth, None without cracks.

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> frame = np.random.default_rng(0).normal(100, 3, (200, 200))
    >>> frame[97:103, 20:180] = 20  # 160 px in 40,000 px²
    >>> density, width = cracks(texture_maps(frame), regularity=0.0)
    >>> print(f"{density.value:.1f} {density.unit}, {width.value:.0f} px wide")
    3.8 px per 1000 px², 6 px wide
    """
    size, unit = (pixel_size_nm, "nm") if pixel_size_nm else (1.0, "px")
    if regularity > _REGULAR:
        why = "The image repeats, so dark lines in it are fringes or rows: whether there are cracks cannot be told."
        return (
            Cue(name="cracks", value=None, uncertainty=None, unit=LINES_UNIT, sentence=why),
            Cue(name="crack width", value=None, uncertainty=None, unit=unit, sentence=why),
        )
    fine, broad = (ridges(maps, scale, "dark") for scale in (maps.fine, maps.broad))
    ways = [_lengths(maps, fine, broad, share) for share in (_DARKEST, *_OTHER_DARKEST)]
    narrow, wide = ways[0]
    length = narrow + wide
    density = 1000 / maps.zoom
    value, *others = (density * float((n + w).mean()) for n, w in ways)
    off = math.sqrt(float(np.mean([(other - value) ** 2 for other in others])))
    if value == 0:
        return (
            Cue(
                name="cracks",
                value=0.0,
                uncertainty=math.hypot(off, _LEAST_SD),
                unit=LINES_UNIT,
                sentence="No long dark lines, as cracks make, cross the image.",
            ),
            Cue(
                name="crack width",
                value=None,
                uncertainty=None,
                unit=unit,
                sentence="Without cracks they have no width.",
            ),
        )
    widths = _widths(maps, length > 0, np.where(narrow > 0, fine.normal, broad.normal)) * maps.zoom
    how_many = graded(value, _STEPS, ("Hardly any", "A few", "Some", "Many"))
    width = float(np.median(widths)) if len(widths) else None
    return (
        Cue(
            name="cracks",
            value=value,
            uncertainty=math.sqrt(off**2 + _LEAST_SD**2 + (_RELATIVE_SD * value) ** 2),
            unit=LINES_UNIT,
            sentence=f"{how_many} long dark lines, as cracks make, cross the image: "
            f"{two_digits(value)} px in 1000 px².",
        ),
        Cue(
            name="crack width",
            value=None if width is None else width * size,
            uncertainty=None if width is None else math.hypot(_spread(widths), 0.5 * maps.zoom) * size,
            unit=unit,
            sentence="The width of the cracks cannot be told."
            if width is None
            else f"Cracks are about {length_words(width * size, unit)} wide at half of their depth.",
        ),
    )


def _lengths(
    maps: TextureMaps, fine: Ridges, broad: Ridges, share: float
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    """Return the lengths that pixels stand for, of narrow cracks and of broad ones, each crack at one scale only."""
    dark = float(np.quantile(maps.broad.grey, share))
    narrow, wide = _long_and_dark(maps, fine, dark), _long_and_dark(maps, broad, dark)
    if narrow.any() and wide.any():
        near, count = label(binary_dilation((narrow > 0) | (wide > 0), structure=_EIGHT, iterations=_NEAR_PX))
        fine_length, broad_length = (np.bincount(near.ravel(), n.ravel(), count + 1) for n in (narrow, wide))
        # Along the flat bottom of a broad line the fine filter sees parts of lines, some side by side.
        fits = broad_length < _MOST_OF_IT * fine_length
        narrow[~fits[near]] = 0
        wide[fits[near]] = 0
    return narrow, wide


def _long_and_dark(maps: TextureMaps, found: Ridges, dark: float) -> Float32[np.ndarray, "height width"]:
    """Return the length each pixel stands for, of those pieces that are long and dark."""
    there = found.length > 0
    pieces, count = label(there, structure=_EIGHT)
    which = pieces[there]
    total = np.bincount(which, weights=found.length[there], minlength=count + 1)
    pixels = np.maximum(np.bincount(which, minlength=count + 1), 1)
    grey = np.bincount(which, weights=maps.fine.grey[there], minlength=count + 1) / pixels
    kept = (total >= _LEAST_LENGTH_PX) & (grey <= dark)
    kept[0] = False
    return np.asarray(found.length * kept[pieces], dtype=np.float32)


def _widths(
    maps: TextureMaps, middle: Bool[np.ndarray, "height width"], normal: Float32[np.ndarray, "height width"]
) -> np.ndarray:
    """Return the full width at half depth across the middles of lines, where both flanks are seen [px]."""
    rows, cols = np.nonzero(middle)
    step = max(1, len(rows) // 2000)
    rows, cols = rows[::step], cols[::step]
    angle = normal[rows, cols]
    away = np.arange(-_REACH_PX, _REACH_PX + 0.25, 0.5)
    y = rows[:, None] + np.sin(angle)[:, None] * away
    x = cols[:, None] + np.cos(angle)[:, None] * away
    across = map_coordinates(maps.fine.grey, [y, x], order=1, mode="nearest")
    at = len(away) // 2
    ground = np.minimum(np.median(across[:, : at // 2], axis=1), np.median(across[:, -(at // 2) :], axis=1))
    depth = ground - across[:, at]
    above = across >= (across[:, at] + depth / 2)[:, None]
    right, left = above[:, at:].argmax(axis=1), above[:, at::-1].argmax(axis=1)
    usable = (depth > 0) & (right > 0) & (left > 0)
    found: np.ndarray = (right + left - 1)[usable] * 0.5
    return found


def _spread(widths: np.ndarray) -> float:
    """Return the standard uncertainty of their median, each stretch of 10 px counted once."""
    return 1.25 * float(np.std(widths)) / math.sqrt(max(len(widths) / 10, 1.0))
