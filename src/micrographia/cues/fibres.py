"""Fibres: objects much longer than wide. Counted by their ends, or, side by side, by the bands across them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import convolve, distance_transform_edt, gaussian_filter, gaussian_filter1d, map_coordinates
from scipy.ndimage import label as label_pieces
from scipy.signal import find_peaks
from skimage.morphology import remove_small_holes, remove_small_objects, skeletonize

from micrographia.cues.cue import Cue, length_words
from micrographia.cues.grounds import Split
from micrographia.cues.texture_maps import graded, two_digits

_LEAST_PIECE_PX: Final = 30
_LEAST_ELONGATION: Final = 8.0
_LEAST_FIBROUS: Final = 0.75
_LEAST_LENGTH_SHARE: Final = 0.25
_ALIGNED: Final = 0.6
_LEAST_COHERENCE: Final = 0.7
_LEAST_EDGE_OF_FIBRES: Final = 6.0
_SPUR: Final = 2.5
_LINES: Final = 9
_ALONG_PX: Final = 6.0
_LEAST_VALLEY: Final = 0.15
_MOST_SHARE: Final = 0.7
_RELATIVE_COUNT_SD: Final = 0.25
_RELATIVE_BANDS_SD: Final = 0.4
_COVERAGE_SD: Final = 3.0
_RELATIVE_WIDTH_SD: Final = 0.35
_OUTLINE_SD_PX: Final = 0.7
_EIGHT: Final = np.ones((3, 3), dtype=int)
_FEW: Final = (1.5, 5.5, 15.5)


@dataclass(frozen=True, kw_only=True)
class FibresFound:
    """Fibres of an image: how many, how wide, how much of the area, each with its standard uncertainty.

    Parameters
    ----------
    count, count_sd : float
        Number of fibres.
    width_px, width_sd_px : float
        Their mean width, in pixels of the working copy.
    coverage, coverage_sd : float
        Share of the area that they cover [%].
    way : str
        How they were counted, for the sentence.
    """

    count: float
    count_sd: float
    width_px: float
    width_sd_px: float
    coverage: float
    coverage_sd: float
    way: str


def fibres(
    copy: Float[np.ndarray, "height width"],
    splits: tuple[Split, ...],
    *,
    zoom: float,
    compact: bool,
    empty: bool = False,
    pixel_size_nm: float | None,
) -> tuple[Cue, Cue, Cue]:
    """Return number, width and coverage of fibres.

    On a plain ground, fibres are what a threshold parts and is many times longer than wide. A fibre has two ends, in
    the image or at its border, so half of all ends is their number, crossings or not. Where fibres lie side by side
    and no ground shows, the bands that dark gaps part are counted along lines across the structure. Bands need not be
    fibres: layers and scratches look alike.

    Parameters
    ----------
    copy : float array (height, width)
        The working copy of the image.
    splits : tuple of Split
        The copy, parted at its thresholds.
    zoom : float
        Pixels of the image per pixel of the copy.
    compact : bool
        Whether compact objects were found on a plain ground. Then there are no fibres unless they are there as well.
    empty : bool
        Whether noise is all that the image shows.
    pixel_size_nm : float, optional
        Size of a pixel of the image [nm].

    Returns
    -------
    tuple of Cue
        ``fibres``, ``fibre width`` [nm or px], ``fibre coverage`` [%].

    Examples
    --------
    >>> from micrographia.cues.grounds import splits_of
    >>> frame = np.zeros((200, 200))
    >>> frame[40:48], frame[100:108], frame[:, 150:158] = 1.0, 1.0, 1.0
    >>> count, width, _ = fibres(frame, splits_of(frame), zoom=1.0, compact=False, pixel_size_nm=None)
    >>> print(f"{count.value:.0f}, {width.value:.0f} px")
    3, 8 px
    """
    clear = [split for split in splits if split.edge >= _LEAST_EDGE_OF_FIBRES]
    found = [fibre for split in clear if (fibre := _on_ground(split)) is not None]
    size, unit = (zoom * pixel_size_nm, "nm") if pixel_size_nm else (zoom, "px")
    if found and not compact:
        counts = [fibre.count for fibre in found]
        return _cues(_middle(found), spread=float(np.std(counts)), size=size, unit=unit)
    if compact or empty:
        return _none(unit)
    bands = _side_by_side(copy)
    if bands is not None:
        return _cues(bands, spread=0.0, size=size, unit=unit)
    sentence = "What stands out has no clear ground and no common direction, so fibres cannot be told apart."
    first, second, third = (
        Cue(name=name, value=None, uncertainty=None, unit=of, sentence=sentence)
        for name, of in (("fibres", ""), ("fibre width", unit), ("fibre coverage", "%"))
    )
    return first, second, third


def _middle(found: list[FibresFound]) -> FibresFound:
    return sorted(found, key=lambda fibre: fibre.count)[(len(found) - 1) // 2]


def _on_ground(split: Split) -> FibresFound | None:
    """Return the fibres that one threshold parts from the ground; None where what it parts is not long and thin."""
    mask = remove_small_objects(split.mask("bright"), max_size=_LEAST_PIECE_PX, connectivity=2)
    mask = remove_small_holes(mask, max_size=_LEAST_PIECE_PX)
    if not mask.any() or mask.mean() > _MOST_SHARE:
        return None
    pieces, count = label_pieces(mask, structure=_EIGHT)
    # Beyond the border fibres go on: without that, their middle lines would end short of it.
    padded = np.pad(mask, 8, mode="edge")
    middle = skeletonize(padded)[8:-8, 8:-8]
    depth = distance_transform_edt(padded)[8:-8, 8:-8]
    area = np.bincount(pieces.ravel(), minlength=count + 1).astype(float)
    length = np.bincount(pieces[middle], minlength=count + 1).astype(float) * 1.1
    elongation = length**2 / np.maximum(area, 1.0)
    fibrous = (elongation >= _LEAST_ELONGATION) & (length >= _LEAST_LENGTH_SHARE * min(mask.shape))
    fibrous[0] = False
    kept = fibrous[pieces]
    if area[fibrous].sum() < _LEAST_FIBROUS * area[1:].sum() or not (middle & kept).any():
        return None
    if float(_coherence(split.image)[middle & kept].mean()) < _LEAST_COHERENCE:
        return None
    width = 2 * float(np.median(depth[middle & kept])) - 0.5
    ends = _ends(middle & kept, width)
    number = max(round(ends / 2), int(fibrous.sum()))
    coverage = 100 * float(kept.mean())
    spread = 2 * float(np.std(depth[middle & kept])) / math.sqrt(max(number, 1))
    return FibresFound(
        count=float(number),
        count_sd=_RELATIVE_COUNT_SD * number,
        width_px=width,
        width_sd_px=math.sqrt(spread**2 + _OUTLINE_SD_PX**2 + (_RELATIVE_WIDTH_SD * width) ** 2),
        coverage=coverage,
        coverage_sd=math.hypot(_COVERAGE_SD / 2, 0.1 * coverage),
        way="by their ends",
    )


def _coherence(image: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return how far slopes around each pixel keep to one direction, 0 to 1."""
    y, x = np.gradient(gaussian_filter(image, 3.0))
    xx, yy, xy = (gaussian_filter(product, 6.0) for product in (x * x, y * y, x * y))
    return np.asarray(np.hypot(xx - yy, 2 * xy) / np.maximum(xx + yy, 1e-300))


def _ends(middle: Bool[np.ndarray, "height width"], width: float) -> int:
    """Return how many ends middle lines have, spurs not counted; where they leave the image is an end."""
    neighbours = convolve(middle.astype(np.int32), _EIGHT, mode="constant") - 1
    forks = middle & (neighbours >= 3)
    # Rough fibres have spurs: short branches from a tip to a fork are no ends.
    branches, count = label_pieces(middle & ~forks, structure=_EIGHT)
    length = np.bincount(branches.ravel(), minlength=count + 1)
    tips = middle & (neighbours == 1) & ~forks
    near_fork = convolve(forks.astype(np.int32), _EIGHT, mode="constant") > 0
    touches = np.zeros(count + 1, dtype=bool)
    touches[np.unique(branches[near_fork & (branches > 0)])] = True
    border = np.zeros(middle.shape, dtype=bool)
    border[0], border[-1], border[:, 0], border[:, -1] = True, True, True, True
    tips &= ~border
    real = tips & ~(touches & (length < _SPUR * width))[branches]
    leaves = middle & border & ~(touches & (length < width))[branches]
    _, leaving = label_pieces(leaves, structure=_EIGHT)
    return int(real.sum()) + int(leaving)


def _side_by_side(copy: Float[np.ndarray, "height width"]) -> FibresFound | None:
    """Return the bands between dark gaps along lines across the structure; None where it has no direction."""
    smooth = gaussian_filter(copy, 2.0)
    low, high = np.quantile(smooth, (0.01, 0.99))
    if high <= low:
        return None
    smooth = (smooth - low) / (high - low)
    y, x = np.gradient(smooth)
    xx, yy, xy = float((x * x).mean()), float((y * y).mean()), -float((x * y).mean())
    if xx + yy == 0 or math.hypot(xx - yy, 2 * xy) < _ALIGNED * (xx + yy):
        return None
    across = math.atan2(2 * xy, xx - yy) / 2
    counts, widths = [], []
    for profile in _profiles(smooth, across):
        peaks, valleys = _bands(profile)
        if peaks:
            counts.append(peaks)
            widths += list(np.diff([0, *valleys, len(profile)]))
    if len(counts) < 3:
        return None
    count = float(np.quantile(counts, 0.75))
    return FibresFound(
        count=float(round(count)),
        count_sd=math.hypot(float(np.std(counts)), _RELATIVE_BANDS_SD * count),
        width_px=float(np.median(widths)),
        width_sd_px=_RELATIVE_WIDTH_SD * float(np.median(widths)),
        coverage=90.0,
        coverage_sd=10.0,
        way="as bands between dark gaps",
    )


def _profiles(smooth: Float[np.ndarray, "height width"], across: float) -> list[Float[np.ndarray, " position"]]:
    """Return the grey along parallel lines across the structure, each averaged over a few pixels along it."""
    height, width = smooth.shape
    half = math.hypot(height, width) / 2
    step = np.arange(-half, half + 1)
    found = []
    for offset in np.linspace(-0.4, 0.4, _LINES) * min(height, width):
        x = (width - 1) / 2 + step * math.cos(across) + offset * math.sin(across)
        y = (height - 1) / 2 - step * math.sin(across) + offset * math.cos(across)
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        if inside.sum() < min(height, width) / 2:
            continue
        shifts = np.linspace(-_ALONG_PX, _ALONG_PX, 7)[:, None]
        rows, cols = y[inside] + shifts * math.cos(across), x[inside] + shifts * math.sin(across)
        found.append(map_coordinates(smooth, [rows, cols], order=1, mode="nearest").mean(axis=0))
    return found


def _bands(profile: Float[np.ndarray, " position"]) -> tuple[int, list[int]]:
    """Return the number of bands along a line, and where the dark gaps between them are."""
    flat = gaussian_filter1d(profile, 1.0)
    valleys, _ = find_peaks(-flat, prominence=_LEAST_VALLEY)
    return len(valleys) + 1, [int(v) for v in valleys]


def _cues(found: FibresFound, *, spread: float, size: float, unit: str) -> tuple[Cue, Cue, Cue]:
    how_many = graded(found.count, _FEW, ("One fibre lies", "A few fibres lie", "Some fibres lie", "Many fibres lie"))
    width = found.width_px * size
    return (
        Cue(
            name="fibres",
            value=found.count,
            uncertainty=math.hypot(found.count_sd, spread),
            unit="",
            sentence=f"{how_many} in view: {found.count:.0f}, counted {found.way}.",
        ),
        Cue(
            name="fibre width",
            value=width,
            uncertainty=found.width_sd_px * size,
            unit=unit,
            sentence=f"Fibres are about {length_words(width, unit)} wide.",
        ),
        Cue(
            name="fibre coverage",
            value=found.coverage,
            uncertainty=found.coverage_sd,
            unit="%",
            sentence=f"Fibres cover about {two_digits(found.coverage)} % of the image.",
        ),
    )


def _none(unit: str) -> tuple[Cue, Cue, Cue]:
    sentence = "No fibres stand out."
    return (
        Cue(name="fibres", value=0.0, uncertainty=0.0, unit="", sentence=sentence),
        Cue(
            name="fibre width",
            value=None,
            uncertainty=None,
            unit=unit,
            sentence="No fibres stand out, so they have no width.",
        ),
        Cue(name="fibre coverage", value=0.0, uncertainty=_COVERAGE_SD, unit="%", sentence=sentence),
    )
