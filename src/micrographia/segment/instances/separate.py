"""From a mask to its single objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int32
from scipy.ndimage import label as label_components
from scipy.ndimage import mean
from skimage.measure import regionprops
from skimage.segmentation import watershed

from micrographia.errors import InputError
from micrographia.segment.instances.basins import split_at_necks
from micrographia.segment.instances.contacts import EIGHT
from micrographia.segment.instances.instances import Instances

Holes = Literal["rounded", "all", "none"]
"""Which holes of a mask belong to the object around them."""


@dataclass(frozen=True, kw_only=True)
class ObjectSettings:
    """How objects are told apart. All lengths but two are shares of the object's own size.

    Parameters
    ----------
    name : str
        Class that the objects are given.
    least_area_px : int
        Smaller objects are left out [px²]. The default is a disk of 2 px radius: less has no shape to judge.
    holes : {"rounded", "all", "none"}
        Which holes are filled first. ``"rounded"`` fills those that bulge outwards, as pores and dark faces of a
        particle do, and leaves the gaps between three touching disks, whose sides bulge inwards. Small gaps, and
        gaps among many neighbours, look rounded too, and touching objects are lost once they are filled.
    split : bool
        Whether touching objects are cut apart.
    largest_neck : float
        Widest neck that is cut, as a share of the smaller object's width. Two equal disks whose centres are a
        diameter times 0.44 apart have a neck of 0.9.
    least_notch : float
        Least depth of the notches on both sides of a neck, as a share of the smaller object's radius. It keeps bent
        and kidney-shaped objects, which are notched on one side, in one piece.
    least_radius_px : float
        Pieces that do not hold a disk of this radius [px] are not cut off: the grid makes such pieces.
    least_boundary : float
        A boundary map at this probability or more parts objects.

    Raises
    ------
    InputError
        A setting is out of its range.

    Notes
    -----
    Necks and notches were set on simulated shapes and on half of the annotated images, see
    ``docs/benchmarks/objects.md``.

    Examples
    --------
    >>> ObjectSettings(largest_neck=0.8).least_notch
    0.15
    """

    name: str = "object"
    least_area_px: int = 12
    holes: Holes = "none"
    split: bool = True
    largest_neck: float = 0.9
    least_notch: float = 0.15
    least_radius_px: float = 2.0
    least_boundary: float = 0.5

    def __post_init__(self) -> None:
        for name in ("largest_neck", "least_notch", "least_boundary"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} is {value}; accepted is a share, 0 to 1")
        for name in ("least_area_px", "least_radius_px"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise InputError(f"{name} is {value}; accepted is 0 or more")
        if self.holes not in get_args(Holes):
            raise InputError(f"holes is {self.holes!r}; accepted are {', '.join(map(repr, get_args(Holes)))}")


# A triangle with inward sides between three touching disks fills 0.37 of its hull, a round or square hole nearly all.
_ROUNDED = 0.8


def separate_objects(
    mask: Bool[np.ndarray, "height width"],
    *,
    settings: ObjectSettings | None = None,
    boundary: Float[np.ndarray, "height width"] | None = None,
    probability: Float[np.ndarray, "height width"] | None = None,
) -> Instances:
    """Return the single objects of a mask, touching ones cut apart at their necks.

    Parameters
    ----------
    mask : bool array (height, width)
        Where there are objects.
    settings : ObjectSettings, optional
        How they are told apart.
    boundary : float array (height, width), optional
        Probability that a pixel lies between two objects, from a network, 0 to 1. Objects are parted along its ridges,
        and beyond that at their necks.
    probability : float array (height, width), optional
        Probability of the class, 0 to 1; the score of an object is its mean.

    Returns
    -------
    Instances
        Objects in the order of their first pixels, row by row.

    Raises
    ------
    InputError
        A map has another shape than the mask, or is not a probability.

    Notes
    -----
    Distance transform and watershed: P. Soille, *Morphological Image Analysis* (2004), doi:10.1007/978-3-662-05088-0.

    Examples
    --------
    >>> y, x = np.mgrid[:40, :60]
    >>> mask = (np.hypot(y - 20, x - 20) < 12) | (np.hypot(y - 20, x - 40) < 12)
    >>> separate_objects(mask).count, separate_objects(mask, settings=ObjectSettings(split=False)).count
    (2, 1)
    """
    settings = settings or ObjectSettings()
    for name, given in (("boundary", boundary), ("probability", probability)):
        if given is not None:
            _check_probability(name, given, mask)
    mask = _filled(mask, settings.holes)
    labels = _parts(mask, settings, boundary)
    areas = np.bincount(labels.ravel())
    kept = areas >= settings.least_area_px
    kept[0] = False
    labels = in_reading_order(np.where(kept[labels], labels, 0))
    count = int(labels.max(initial=0))
    scores = None
    if probability is not None:
        scores = tuple(float(min(max(s, 0.0), 1.0)) for s in mean(probability, labels, np.arange(1, count + 1)))
    return Instances(labels=labels, names=(settings.name,) * count, parents=(None,) * count, scores=scores)


def in_reading_order(labels: Int32[np.ndarray, "height width"]) -> Int32[np.ndarray, "height width"]:
    """Renumber labels 1 to n, in the order of their first pixels, row by row.

    Examples
    --------
    >>> in_reading_order(np.array([[0, 7], [3, 7]], dtype=np.int32))
    array([[0, 1],
           [2, 1]], dtype=int32)
    """
    present, first = np.unique(labels, return_index=True)
    present, first = present[present > 0], first[present > 0]
    new = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int32)
    new[present[np.argsort(first)]] = np.arange(1, len(present) + 1)
    renumbered: Int32[np.ndarray, "height width"] = new[labels]
    return renumbered


def _check_probability(name: str, given: np.ndarray, mask: np.ndarray) -> None:
    if given.shape != mask.shape:
        raise InputError(f"the {name} map is {given.shape}, the mask {mask.shape}; give maps of the same frame")
    if not (np.isfinite(given).all() and given.min(initial=0) >= 0 and given.max(initial=0) <= 1):
        raise InputError(f"the {name} map is not a probability; accepted are values 0 to 1, e.g. after a softmax")


def _filled(mask: Bool[np.ndarray, "height width"], holes: Holes) -> Bool[np.ndarray, "height width"]:
    """Fill the holes that belong to objects."""
    if holes == "none":
        return mask
    # Ground that meets at a corner only is parted by the objects, which are connected there.
    ground, _ = label_components(~mask)
    frame = np.concatenate([ground[0], ground[-1], ground[:, 0], ground[:, -1]])
    inner = np.setdiff1d(np.unique(ground), np.append(frame, 0))
    if not len(inner):
        return mask
    if holes == "rounded":
        enclosed = np.where(np.isin(ground, inner), ground, 0)
        inner = np.array([r.label for r in regionprops(enclosed) if r.solidity >= _ROUNDED], dtype=int)
    filled: Bool[np.ndarray, "height width"] = mask | np.isin(ground, inner)
    return filled


def _parts(
    mask: Bool[np.ndarray, "height width"], settings: ObjectSettings, boundary: np.ndarray | None
) -> Int32[np.ndarray, "height width"]:
    """Label the objects of a mask, the smallest included."""

    def parts_of(piece: Bool[np.ndarray, "height width"]) -> Int32[np.ndarray, "height width"]:
        if not settings.split:
            whole: Int32[np.ndarray, "height width"] = label_components(piece, structure=EIGHT)[0].astype(np.int32)
            return whole
        return split_at_necks(
            piece,
            largest_neck=settings.largest_neck,
            least_notch=settings.least_notch,
            least_radius_px=settings.least_radius_px,
        )[0]

    if boundary is None:
        return parts_of(mask)
    cores = parts_of(mask & (boundary < settings.least_boundary))
    # Specks within a boundary are no cores; an object without any core is kept whole.
    areas = np.bincount(cores.ravel())
    cores[areas[cores] < settings.least_area_px] = 0
    whole, _ = label_components(mask, structure=EIGHT)
    coreless = np.isin(whole, np.setdiff1d(np.unique(whole), np.append(np.unique(whole[cores > 0]), 0)))
    lost, _ = label_components(coreless, structure=EIGHT)
    markers = np.where(coreless, lost + cores.max(), cores)
    grown: Int32[np.ndarray, "height width"] = watershed(boundary, markers, mask=mask, connectivity=2).astype(np.int32)
    return grown
