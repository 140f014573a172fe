"""Objects that stand out of a plain ground, fast: one small copy of the image, four thresholds, both sides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Int32
from scipy.ndimage import binary_dilation, gaussian_filter, gaussian_gradient_magnitude
from scipy.ndimage import label as label_pieces
from skimage.filters import threshold_otsu
from skimage.measure import regionprops

from micrographia.segment.instances.separate import ObjectSettings, separate_objects
from micrographia.segment.instances.thresholds import ground_surface

Tone = Literal["dark", "bright"]
WORKING_SIDE_PX: Final = 384
"""Longer side of the copy that objects are looked for on [px]; smaller images are taken as they are."""
SMOOTHING_PX: Final = 1.0
LEAST_EDGE: Final = 5.0
_LEAST_WHOLE: Final = 0.35
_LEAST_WHOLE_PIECES: Final = 0.2
_LEAST_ROUNDED: Final = 0.75
_MOST_PIECES: Final = 1500
_SHIFT: Final = 0.2
_AWAY_PX: Final = 3
_LEAST_AREA_PX: Final = 12
_EIGHT: Final = np.ones((3, 3), dtype=int)
_NECKS: Final = (ObjectSettings(holes="rounded"), ObjectSettings(holes="rounded", largest_neck=0.8))


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """An image parted at one threshold.

    Parameters
    ----------
    image : float array (height, width)
        What was thresholded.
    level : float
        The threshold.
    edge : float
        Mean slope along the outlines over that away from them; 1.3 to 1.8 for noise.
    """

    image: Float[np.ndarray, "height width"]
    level: float
    edge: float

    def mask(self, tone: Tone, *, shift: float = 0.0) -> Bool[np.ndarray, "height width"]:
        """Return one side of the threshold, moved by ``shift`` towards bright."""
        return self.image > self.level + shift if tone == "bright" else self.image < self.level + shift


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectsFound:
    """Compact objects of one tone on a plain ground.

    Parameters
    ----------
    tone : "dark" or "bright"
        Whether they are darker or brighter than the ground.
    labels : int32 array (height, width)
        0 on the ground, 1 to n on the objects, on the working copy.
    counts : tuple of int
        How many objects other thresholds and necks find, the number of objects first.
    coverages : tuple of float
        Share of the area that they cover, 0 to 1, likewise.
    zoom : float
        Pixels of the image per pixel of the working copy.
    whole : float
        Share of their area that is rounded and whole in the frame, 0 to 1.
    """

    tone: Tone
    labels: Int32[np.ndarray, "height width"]
    counts: tuple[int, ...]
    coverages: tuple[float, ...]
    zoom: float
    whole: float
    splits: tuple[Split, ...] = field(default=())


def working_copy(
    frame: Float[np.ndarray, "height width"], *, side: int = WORKING_SIDE_PX
) -> tuple[Float[np.ndarray, "height width"], float]:
    """Return the image at 384 px or ``side`` along its longer side, by means over areas, and how much smaller it is.

    Smaller images come back as they are.

    Examples
    --------
    >>> copy, zoom = working_copy(np.tile([0.0, 1.0], (768, 384)))
    >>> copy.shape, zoom, float(copy.min()), float(copy.max())
    ((384, 384), 2.0, 0.5, 0.5)
    """
    zoom = max(frame.shape) / side
    if zoom <= 1:
        return np.asarray(frame, dtype=np.float64), 1.0
    height, width = (max(1, round(n / zoom)) for n in frame.shape)
    return np.asarray(_means(frame.shape[0], height) @ frame @ _means(frame.shape[1], width).T), zoom


def _means(length: int, shorter: int) -> Float[np.ndarray, "shorter length"]:
    """Return the matrix that averages a row of pixels to fewer, each pixel by the part of it that is covered."""
    ends = np.linspace(0, length, shorter + 1)
    pixel = np.arange(length)
    covered = np.minimum(ends[1:, None], pixel + 1) - np.maximum(ends[:-1, None], pixel)
    weights: np.ndarray = np.clip(covered, 0, None) * (shorter / length)
    return weights


def splits_of(copy: Float[np.ndarray, "height width"]) -> tuple[Split, ...]:
    """Part an image at four thresholds: by Otsu and where slopes are steepest, as it is and with its ground levelled.

    Examples
    --------
    >>> y, x = np.mgrid[:60, :60]
    >>> found = splits_of(np.where(np.hypot(y - 30, x - 30) < 12, 9.0, 1.0))
    >>> len(found), 1 < found[0].level < 9
    (4, True)
    """
    smooth = gaussian_filter(copy, SMOOTHING_PX)
    slope = gaussian_gradient_magnitude(copy, SMOOTHING_PX)
    found = []
    for shown in (smooth, smooth - ground_surface(smooth)):
        if np.ptp(shown) <= 1e-12 * max(float(np.abs(copy).max()), 1e-300):
            continue
        weighted = float((slope**2 * shown).sum() / max(float((slope**2).sum()), 1e-300))
        for level in (float(threshold_otsu(shown)), weighted):
            found.append(Split(image=shown, level=level, edge=_edge(shown > level, slope)))
    return tuple(found)


def _edge(mask: Bool[np.ndarray, "height width"], slope: Float[np.ndarray, "height width"]) -> float:
    outline = np.zeros(mask.shape, dtype=bool)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    outline[1:] |= down
    outline[:-1] |= down
    outline[:, 1:] |= right
    outline[:, :-1] |= right
    if not outline.any():
        return 0.0
    away = ~binary_dilation(outline, iterations=_AWAY_PX)
    if away.sum() < 100:
        away = ~outline
    elsewhere = float(slope[away].mean()) if away.any() else 0.0
    return float(slope[outline].mean()) / max(elsewhere, 1e-6 * float(slope.max()))


def compact_objects(splits: tuple[Split, ...], tone: Tone, *, zoom: float) -> ObjectsFound | None:
    """Return the compact objects of one tone on a plain ground; None where no threshold parts them from one.

    Examples
    --------
    >>> y, x = np.mgrid[:100, :160]
    >>> discs = 1.0 * ((np.hypot(y - 50, x - 50) < 12) | (np.hypot(y - 40, x - 120) < 12))
    >>> compact_objects(splits_of(discs), "bright", zoom=1.0).counts[0]
    2
    """
    passed = sorted(_passing(splits, tone), key=lambda trial: -trial[2])
    if not passed:
        return None
    best, labels, whole = passed[0]
    count = int(labels.max(initial=0))
    inside = labels > 0
    contrast = abs(float(np.median(best.image[inside]) - np.median(best.image[~inside])))
    others = [labelled for _, labelled, _ in passed[1:]]
    others += [
        separate_objects(best.mask(tone, shift=sign * _SHIFT * contrast), settings=_NECKS[0]).labels for sign in (1, -1)
    ]
    others.append(separate_objects(best.mask(tone), settings=_NECKS[1]).labels)
    areas = np.bincount(labels.ravel())[1:]
    small = int((areas >= np.median(areas) / 10).sum())
    return ObjectsFound(
        tone=tone,
        labels=labels,
        counts=(count, *(int(other.max(initial=0)) for other in others), small),
        coverages=(float(inside.mean()), *(float((other > 0).mean()) for other in others)),
        zoom=zoom,
        whole=whole,
        splits=(best,),
    )


def _passing(splits: tuple[Split, ...], tone: Tone) -> Iterator[tuple[Split, Int32[np.ndarray, "height width"], float]]:
    for split in splits:
        mask = split.mask(tone)
        if split.edge < LEAST_EDGE or not mask.any() or mask.all():
            continue
        pieces, count = label_pieces(mask, structure=_EIGHT)
        areas = np.bincount(pieces.ravel(), minlength=count + 1)
        cut = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
        free = np.ones(count + 1, dtype=bool)
        free[cut] = False
        free[0] = False
        # Cutting apart what is texture takes long and tells nothing.
        if count > _MOST_PIECES or areas[free].sum() < _LEAST_WHOLE_PIECES * areas[1:].sum():
            continue
        labels = separate_objects(mask, settings=_NECKS[0]).labels
        rounded, whole = _shape(labels)
        if rounded >= _LEAST_ROUNDED and whole >= _LEAST_WHOLE:
            yield split, labels, whole


def _shape(labels: Int32[np.ndarray, "height width"]) -> tuple[float, float]:
    """Return the area of objects over that of their hulls, and the share of their area that is rounded and whole."""
    cut = set(np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])).tolist())
    regions = regionprops(labels)
    area = sum(float(region.area) for region in regions)
    if not area:
        return 0.0, 0.0
    hull = sum(float(region.area_convex) for region in regions)
    whole = sum(float(region.area) * float(region.solidity) for region in regions if region.label not in cut)
    return area / hull, whole / area


def outliers_beside(found: ObjectsFound, tone: Tone) -> int:
    """Return how many compact places of the other tone stand out of the ground that objects lie on.

    Places count that are half as far from the ground as the objects are, of 12 px² or more, and not next to one.

    Examples
    --------
    >>> y, x = np.mgrid[:100, :160]
    >>> discs = 1.0 * (np.hypot(y - 50, x - 50) < 12) - (np.hypot(y - 40, x - 120) < 8)
    >>> found = compact_objects(splits_of(discs + 1), "bright", zoom=1.0)
    >>> found.counts[0], outliers_beside(found, "dark")
    (1, 1)
    """
    image = found.splits[0].image
    inside = found.labels > 0
    ground = ~binary_dilation(inside, iterations=2 * _AWAY_PX)
    if ground.sum() < _LEAST_AREA_PX:
        return 0
    middle = float(np.median(image[ground]))
    depth = abs(float(np.median(image[inside])) - middle) / 2
    there = ground & (image < middle - depth if tone == "dark" else image > middle + depth)
    pieces, count = label_pieces(there, structure=_EIGHT)
    return int((np.bincount(pieces.ravel(), minlength=count + 1)[1:] >= _LEAST_AREA_PX).sum())


def equivalent_diameters(labels: Int32[np.ndarray, "height width"]) -> Float[np.ndarray, " object"]:
    """Return the diameters of circles of the areas of those objects that touch no border [px].

    Examples
    --------
    >>> labels = np.zeros((30, 30), dtype=np.int32)
    >>> labels[10:20, 10:20] = 1
    >>> print(f"{equivalent_diameters(labels)[0]:.1f}")  # √(4 · 100 / π)
    11.3
    """
    areas = np.bincount(labels.ravel())
    free = np.ones(len(areas), dtype=bool)
    free[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = False
    free[0] = False
    return np.asarray(np.sqrt(4 / math.pi * areas[free]))
