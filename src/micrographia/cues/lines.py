"""Thin lines, dark or bright: how much of them there is, and how wide they are. Cracks are dark lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Float32
from scipy.ndimage import label

from micrographia.cues.cue import Cue
from micrographia.cues.texture_maps import Scale, TextureMaps, curvature_noise, graded, of_quarters, two_digits

Tone = Literal["dark", "bright"]
LINES_UNIT: Final = "px per 1000 px²"
# The middle of a line as wide as the filter, of Gaussian profile, answers with this part of its depth.
_ANSWER: Final = 8**-0.5
_LEAST_DEPTH: Final = 0.15
_NOISE_SDS: Final = 5.0
_CENTRAL: Final = 0.5
_MOST_ALONG: Final = 1 / 3
_LEAST_LENGTH: Final = 12.0
_NARROW_PX2: Final = 0.5
"""About the variance of the profile of a thin line, with that of differences between pixels [px²]."""
_DIFFERENCES_PX2: Final = 1 / 6
"""What second differences add to the variance of the filter [px²]."""
_SOFT: Final = 0.25
_LEAST_WEIGHT: Final = 0.45
_EIGHT: Final = np.ones((3, 3), dtype=int)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ridges:
    """Middles of lines at one scale: how long a piece each pixel stands for, the direction across, the distance."""

    length: Float32[np.ndarray, "height width"]
    normal: Float32[np.ndarray, "height width"]
    off: Float32[np.ndarray, "height width"]
    border: int


def lines(maps: TextureMaps, tone: Tone, *, across_deg: float | None = None) -> tuple[Cue, Cue, Cue, Cue]:
    r"""Return the density of fine and of broad lines, the width of the fine ones, and how many cut across structure.

    The middle of a line is where the grey has no slope in the direction :math:`n` of its largest curvature
    :math:`\lambda`. Its distance :math:`d` from the middle of a pixel follows from
    :math:`|\nabla I \cdot n| / \lambda = d / (1 - d^2/S)`, with :math:`S` the variance of the filtered profile. With
    :math:`r = \max(|n_x|, |n_y|)`, a line at any angle passes one pixel a column (or row) with :math:`d < r/2`, and
    each stands for :math:`1/r` px of length; the step is made soft. A line must be at least 15 % of the
    contrast deep, well above the noise, curved less than a third as much along itself, and 12 times as long as the
    filter's :math:`\sigma`. From curvatures at two scales follows the width of a slit: the curvature in its middle is
    proportional to :math:`\sigma^{-3} \exp(-w^2 / 8\sigma^2)`.

    Parameters
    ----------
    maps : TextureMaps
        The image.
    tone : "dark" or "bright"
        Which lines.
    across_deg : float, optional
        Direction across the structure of the image, as `anisotropy` gives it [°].

    Returns
    -------
    tuple of Cue
        ``<tone> lines`` (about 1 to 5 px wide) and ``broad <tone> lines`` (about 5 to 14 px), length per area
        [px per 1000 px²]; ``<tone> line width`` [px], None without fine lines; and ``<tone> lines across``, the length
        of fine lines weighted by :math:`\sin^2` of their angle to the structure, None where it has no direction: a
        crack through a layer counts, the border of the layer does not.

    Notes
    -----
    C. Steger, IEEE Trans. Pattern Anal. Mach. Intell. 20 (1998) 113, doi:10.1109/34.659930.

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> frame = np.full((200, 200), 90.0)
    >>> frame[99:102] = 30.0
    >>> thin, _, width, _ = lines(texture_maps(frame), "dark")
    >>> print(f"{thin.value:.1f} {thin.unit}, {width.value:.0f} px wide")
    5.2 px per 1000 px², 3 px wide
    """
    fine, broad = (ridges(maps, scale, tone) for scale in (maps.fine, maps.broad))
    width, width_sd = line_width(maps, fine, tone)
    return (
        _density(maps, fine, name=f"{tone} lines", words=f"thin {tone}", width=width),
        _density(maps, broad, name=f"broad {tone} lines", words=f"broad {tone}", width=None),
        Cue(
            name=f"{tone} line width",
            value=width,
            uncertainty=width_sd,
            unit="px",
            sentence=f"Thin {tone} lines are about {width:.1f} px wide."
            if width is not None
            else f"Without thin {tone} lines they have no width.",
        ),
        _across(maps, fine, tone, across_deg),
    )


def _across(maps: TextureMaps, found: Ridges, tone: Tone, across_deg: float | None) -> Cue:
    name = f"{tone} lines across"
    if across_deg is None:
        return Cue(
            name=name,
            value=None,
            uncertainty=None,
            unit=LINES_UNIT,
            sentence="Structure has no direction that lines could cut across.",
        )
    # Normals are counted with y downwards, directions of cues with y upwards.
    weighted = found.length * np.sin(found.normal + math.radians(across_deg)) ** 2
    value, sd = _per_area(maps, weighted, found.border)
    how_many = graded(value, (0.1, 0.5, 2.0), ("No", "A few", "Some", "Many"))
    return Cue(
        name=name,
        value=value,
        uncertainty=sd,
        unit=LINES_UNIT,
        sentence=f"{how_many} thin {tone} lines cut across the structure: {two_digits(value)} px in 1000 px².",
    )


def _per_area(
    maps: TextureMaps, length: Float32[np.ndarray, "height width"], border: int
) -> tuple[float, float | None]:
    """Return a length per 1000 px² of what was looked at, and its standard uncertainty."""
    height, width = length.shape
    scale = 1000 * length.size / ((height - 2 * border) * (width - 2 * border))
    parts = [scale * float(length[part].mean()) for part in maps.quarters]
    return scale * float(length.mean()), of_quarters(parts)


def _density(maps: TextureMaps, found: Ridges, *, name: str, words: str, width: float | None) -> Cue:
    value, sd = _per_area(maps, found.length, found.border)
    if value == 0:
        sentence = f"There are no {words} lines."
    else:
        how_many = graded(value, (1.0, 4.0, 12.0), ("A few", "Some", "Many", "Very many"))
        wide = "" if width is None else f", about {width:.1f} px wide,"
        reach = "run across the image" if value >= 1 else "are there"
        sentence = f"{how_many} {words} lines{wide} {reach}: {two_digits(value)} px in 1000 px²."
    return Cue(name=name, value=value, uncertainty=sd, unit=LINES_UNIT, sentence=sentence)


def ridges(maps: TextureMaps, scale: Scale, tone: Tone) -> Ridges:
    """Return the middles of lines at one scale, as `lines` explains."""
    sign = 1 if tone == "dark" else -1
    sigma2 = scale.sigma_px**2
    least = max(_LEAST_DEPTH * _ANSWER / sigma2, _NOISE_SDS * curvature_noise(maps, scale))
    xx, yy, xy = (sign * d for d in (scale.xx, scale.yy, scale.xy))
    # Mirrored grey beyond the border would look like a line along it.
    edge = math.ceil(1.5 * scale.sigma_px)
    maybe = np.zeros(xx.shape, dtype=bool)
    inner = slice(edge, -edge)
    maybe[inner, inner] = (xx + yy)[inner, inner] > (1 - _MOST_ALONG) * least
    xx, yy, xy = xx[maybe], yy[maybe], xy[maybe]
    half = np.hypot((xx - yy) / 2, xy)
    across, along = (xx + yy) / 2 + half, (xx + yy) / 2 - half
    angle = np.arctan2(2 * xy, xx - yy) / 2
    n_x, n_y = np.cos(angle), np.sin(angle)
    reach = np.maximum(np.abs(n_x), np.abs(n_y))
    slope = sign * (scale.x[maybe] * n_x + scale.y[maybe] * n_y)
    clear = (across > least) & (np.abs(along) < _MOST_ALONG * across)
    variance = sigma2 + _NARROW_PX2
    # Second differences see a slightly wider profile than slopes do.
    wider = 1 - _DIFFERENCES_PX2 / variance
    steep = 2 * wider * np.abs(slope) / np.where(clear, across, 1.0)
    away = variance * steep / (variance + np.sqrt(variance**2 + variance * steep**2))
    weight = np.where(clear, np.clip((0.5 + _SOFT - away / reach) / (2 * _SOFT), 0, 1), 0)
    middle = weight > 0
    where = maybe
    where[maybe] = middle
    length = np.zeros(where.shape, dtype=np.float32)
    length[where] = (weight / reach)[middle]
    normal = np.zeros(where.shape, dtype=np.float32)
    normal[where] = angle[middle]
    off = np.zeros(where.shape, dtype=np.float32)
    off[where] = away[middle]
    pieces, count = label(where, structure=_EIGHT)
    total = np.bincount(pieces.ravel(), weights=length.ravel(), minlength=count + 1)
    # The foot of a step is curved as a line is, but has no pixel in its middle.
    weights = np.bincount(pieces[where], weights=weight[middle], minlength=count + 1)
    full = weights / np.maximum(np.bincount(pieces[where], minlength=count + 1), 1)
    long = (total >= _LEAST_LENGTH * scale.sigma_px) & (full >= _LEAST_WEIGHT)
    long[0] = False
    return Ridges(length=length * long[pieces], normal=normal, off=off, border=edge)


def line_width(maps: TextureMaps, found: Ridges, tone: Tone) -> tuple[float | None, float | None]:
    """Return the median width of lines as that of a slit, and its standard uncertainty."""
    rows, columns = np.nonzero(found.length > _CENTRAL)
    angle, off = found.normal[rows, columns], found.off[rows, columns]
    cos, sin = np.cos(angle), np.sin(angle)

    def across(scale: Scale) -> Float[np.ndarray, " pixel"]:
        """Curvature across the line's middle, in the direction found at the fine scale."""
        xx, yy, xy = (d[rows, columns] for d in (scale.xx, scale.yy, scale.xy))
        here = (1 if tone == "dark" else -1) * (xx * cos**2 + yy * sin**2 + 2 * xy * cos * sin)
        # As it would be in the middle of the line.
        relative = off**2 / (scale.sigma_px**2 + _NARROW_PX2)
        found: np.ndarray = here * np.exp(relative / 2) / np.maximum(1 - relative, 0.1)
        return found

    fine, broad = across(maps.fine), across(maps.broad)
    low, high = (scale.sigma_px**2 + _DIFFERENCES_PX2 for scale in (maps.fine, maps.broad))
    # A line that the broad filter does not see as one lies among others, and has no width of its own.
    usable = (broad > 0) & (fine > 0)
    squared = 8 * (1.5 * math.log(high / low) - np.log(fine[usable] / broad[usable])) / (1 / low - 1 / high)
    rows, columns = rows[usable], columns[usable]
    down, right = (n // 2 for n in found.length.shape)
    quarters = [(rows < down) == above for above in (True, False)]
    parts = [squared[half & ((columns < right) == left)] for half in quarters for left in (True, False)]
    value = _middle(squared)
    return value, of_quarters([w for w in map(_middle, parts) if w is not None])


def _middle(squared: Float[np.ndarray, " pixel"]) -> float | None:
    """Return the median width by squares of widths, of which noise makes some negative; None of none."""
    return math.sqrt(max(float(np.median(squared)), 0.0)) if squared.size else None
