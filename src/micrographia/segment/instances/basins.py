"""Cut touching objects apart at their necks.

The distance to the ground has a peak within each rounded part of a mask, as high as the largest disk that fits
there, and between two parts it falls to a saddle, as high as half the width of the neck between them. A neck
that is narrow beside the smaller of its two parts, and pinched from both sides, is where two objects touch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int32
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.ndimage import find_objects as find_boxes
from scipy.ndimage import label as label_components
from scipy.spatial import ConvexHull, QhullError
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

from micrographia.segment.instances.contacts import EIGHT, meetings, neighbours


@dataclass(frozen=True, kw_only=True)
class Neck:
    """The narrowest place between two neighbouring parts of a mask.

    Parameters
    ----------
    first, second : int
        Labels of the two parts, the smaller label first.
    radius_px : float
        Half the width of the neck [px].
    """

    first: int
    second: int
    radius_px: float


def radius_map(mask: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return the radius of the largest disk of mask around each pixel [px].

    What lies past the border of the image is unknown, and does not count as ground. A mask that is all of the image has
    no ground to be distant from; its radius is that of the image.

    Examples
    --------
    >>> radius_map(np.array([[False, True, True, True, False]]))
    array([[0. , 0.5, 1.5, 0.5, 0. ]])
    """
    if mask.all():
        return np.full(mask.shape, min(mask.shape) / 2)
    # Half a pixel less: the outline runs between the last pixel of the mask and the first of the ground.
    radius: Float[np.ndarray, "height width"] = np.where(mask, distance_transform_edt(mask) - 0.5, 0.0)
    return radius


def split_at_necks(
    mask: Bool[np.ndarray, "height width"], *, largest_neck: float, least_notch: float, least_radius_px: float
) -> tuple[Int32[np.ndarray, "height width"], tuple[Neck, ...]]:
    """Label the parts of a mask that are joined by necks only.

    Parameters
    ----------
    mask : bool array (height, width)
        Where there are objects.
    largest_neck : float
        Widest neck at which parts are cut, as a share of the width of the smaller part, 0 to 1.
    least_notch : float
        Least depth of the notch at either end of a cut, below the convex hull of the two parts, as a share of the
        radius of the smaller part.
    least_radius_px : float
        Parts that do not hold a disk of this radius [px] are left with their neighbour.

    Returns
    -------
    labels : int32 array (height, width)
        0 on the ground and 1 to n on the parts.
    necks : tuple of Neck
        Where parts still touch.
    """
    radius = radius_map(mask)
    labels = _basins(mask, radius)
    if not labels.any():
        return labels, ()
    peaks = _peaks(labels, radius)
    groups = _Groups(peaks)
    for neck in _necks(labels, radius):
        first, second = groups.root(neck.first), groups.root(neck.second)
        smaller = min(groups.peaks[first], groups.peaks[second])
        # Half a pixel of depth can be an accident of the grid.
        if first != second and (
            neck.radius_px > largest_neck * smaller or smaller - neck.radius_px < 0.5 or smaller < least_radius_px
        ):
            groups.join(first, second)
    labels, radius_peaks = groups.relabelled(labels)
    while True:
        boxes = find_boxes(labels)
        necks = tuple(_necks(labels, radius))
        groups = _Groups(radius_peaks)
        # Widest first: what is decided there changes the hull that narrower necks are judged by. One join an object
        # a round, as each makes the other necks of the two parts out of date.
        joined: set[int] = set()
        for neck in necks:
            smaller = min(radius_peaks[neck.first], radius_peaks[neck.second])
            if not {neck.first, neck.second} & joined and _notch(labels, neck, boxes) < least_notch * smaller:
                groups.join(neck.first, neck.second)
                joined |= {neck.first, neck.second}
        if not joined:
            return labels, necks
        labels, radius_peaks = groups.relabelled(labels)


def _basins(
    mask: Bool[np.ndarray, "height width"], radius: Float[np.ndarray, "height width"]
) -> Int32[np.ndarray, "height width"]:
    """Label the basin of each peak of the distance to the ground."""
    # Distances on a grid ripple by a fraction of a pixel; the blur spares the work of joining what ripples make.
    smooth = gaussian_filter(radius, 0.7)
    markers, _ = label_components(local_maxima(smooth) & mask, structure=EIGHT)
    # A part too small to hold a peak of the blurred map still is a part.
    parts, count = label_components(mask, structure=EIGHT)
    held = np.unique(parts[markers > 0])
    for part in np.setdiff1d(np.arange(1, count + 1), held):
        row, col = np.argwhere(parts == part)[0]
        markers[row, col] = markers.max() + 1
    basins: Int32[np.ndarray, "height width"] = watershed(-smooth, markers, mask=mask, connectivity=2).astype(np.int32)
    return basins


def _peaks(labels: Int32[np.ndarray, "height width"], radius: Float[np.ndarray, "height width"]) -> np.ndarray:
    """Return the largest radius within each label, float array (label,), with a row for the ground."""
    peaks = np.zeros(int(labels.max()) + 1)
    np.maximum.at(peaks, labels.ravel(), radius.ravel())
    return peaks


def _necks(labels: Int32[np.ndarray, "height width"], radius: Float[np.ndarray, "height width"]) -> Iterator[Neck]:
    """Yield the neck between each two neighbouring labels, the widest first."""
    codes, heights = [], []
    span = int(labels.max()) + 1
    for here, there, meet in meetings(labels):
        a, b = labels[here], labels[there]
        low, high = np.minimum(a[meet], b[meet]), np.maximum(a[meet], b[meet])
        codes.append(low.astype(np.int64) * span + high)
        heights.append(np.minimum(radius[here][meet], radius[there][meet]))
    code, place = np.unique(np.concatenate(codes), return_inverse=True)
    height = np.zeros(len(code))
    np.maximum.at(height, place, np.concatenate(heights))
    for k in np.argsort(-height, kind="stable"):
        yield Neck(first=int(code[k] // span), second=int(code[k] % span), radius_px=float(height[k]))


def _notch(labels: Int32[np.ndarray, "height width"], neck: Neck, boxes: Sequence[tuple[slice, slice]]) -> float:
    """Return the depth of the shallower of the two notches that a cut runs between [px].

    It is measured from the convex hull of both parts. An end of the cut at the border of the image is as deep as can
    be: the outline goes on where nothing is seen.
    """
    pair = boxes[neck.first - 1], boxes[neck.second - 1]
    top, left = (min(box[axis].start for box in pair) for axis in (0, 1))
    bottom, right = (max(box[axis].stop for box in pair) for axis in (0, 1))
    part = np.pad(labels[top:bottom, left:right], 1)
    first, second = part == neck.first, part == neck.second
    both = first | second
    hull = _hull(both)
    if hull is None:
        return 0.0
    beside_both = _grown(first) & _grown(second)
    y, x = np.nonzero(beside_both)
    ground = ~both[y, x]
    # The two ends are told apart along the cut, which for a neck of a pixel is all that tells them.
    centred = np.stack([x - x.mean(), y - y.mean()])
    along = np.linalg.eigh(centred @ centred.T)[1][:, 1] @ centred
    inside = -(hull[:, :2] @ np.stack([x, y]) + hull[:, 2:]).max(axis=0)
    row, col = y + top - 1, x + left - 1
    border = (row <= 0) | (row >= labels.shape[0] - 1) | (col <= 0) | (col >= labels.shape[1] - 1)
    depth = np.where(border, np.inf, np.where(ground, inside, 0.0))
    return min(float(depth[along >= 0].max(initial=0.0)), float(depth[along < 0].max(initial=0.0)))


def _grown(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Return a mask with all pixels beside it."""
    grown = mask.copy()
    for here, there in neighbours():
        grown[here] |= mask[there]
        grown[there] |= mask[here]
    return grown


def _hull(mask: Bool[np.ndarray, "height width"]) -> np.ndarray | None:
    """Return the edges of the convex hull as (x, y, offset) rows, negative inside; None where it has no area."""
    edge = mask & _grown(~mask)
    rows, cols = np.nonzero(edge)
    try:
        return np.asarray(ConvexHull(np.stack([cols, rows], axis=1)).equations)
    except QhullError:
        return None


class _Groups:
    """Labels that were joined: a forest of parents, and the highest peak of each tree."""

    def __init__(self, peaks: np.ndarray) -> None:
        self.parents = np.arange(len(peaks))
        self.peaks = peaks.copy()

    def root(self, label: int) -> int:
        while self.parents[label] != label:
            self.parents[label] = self.parents[self.parents[label]]
            label = int(self.parents[label])
        return label

    def join(self, first: int, second: int) -> None:
        first, second = sorted((self.root(first), self.root(second)))
        self.parents[second] = first
        self.peaks[first] = max(self.peaks[first], self.peaks[second])

    def relabelled(
        self, labels: Int32[np.ndarray, "height width"]
    ) -> tuple[Int32[np.ndarray, "height width"], np.ndarray]:
        """Return labels 1 to n of the joined parts, and their peaks with a row for the ground."""
        roots = np.array([self.root(label) for label in range(len(self.parents))])
        kept, new = np.unique(roots, return_inverse=True)
        return new.astype(np.int32)[labels], self.peaks[kept]
