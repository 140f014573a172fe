"""Outlines of objects as polygons, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import find_objects as find_boxes
from skimage.draw import polygon2mask
from skimage.measure import approximate_polygon, find_contours

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances

TOLERANCE_PX: Final = 0.35
"""Furthest that a simplified outline leaves the traced one [px]; at this, filling it gives the same pixels back."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The outline of one object, in pixels: x along columns, y along rows, whole numbers at the centres of pixels.

    Parameters
    ----------
    outer : tuple of float array (point, 2)
        Polygon (x, y) of each piece, without its first point repeated.
    holes : tuple of float array (point, 2)
        Polygons of what the pieces leave out.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    >>> Outline(outer=(square,), holes=(square / 2,)).area_px2
    12.0
    """

    outer: tuple[Float[np.ndarray, "_point 2"], ...]
    holes: tuple[Float[np.ndarray, "_point 2"], ...] = ()

    @property
    def area_px2(self) -> float:
        """Area within the polygons, without the holes [px²]."""
        return sum(map(polygon_area, self.outer)) - sum(map(polygon_area, self.holes))

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """Least x and y, width and height of the box around the polygons [px]."""
        points = np.concatenate(self.outer)
        low, high = points.min(axis=0), points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def polygon_area(polygon: Float[np.ndarray, "_point 2"]) -> float:
    """Return the area within a polygon [px²], by the shoelace formula.

    Examples
    --------
    >>> polygon_area(np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]))
    6.0
    """
    x, y = polygon.T - polygon.mean(axis=0)[:, None]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def trace_outlines(instances: Instances, *, tolerance_px: float = TOLERANCE_PX) -> tuple[Outline, ...]:
    """Return the outline of each object, in the order of the labels.

    Outlines run half-way between the pixels of an object and those beside it.

    Parameters
    ----------
    instances : Instances
        The objects.
    tolerance_px : float
        Furthest that an outline may be from the traced one [px], for which it is given in fewer points. 0 keeps all.

    Raises
    ------
    InputError
        The tolerance is negative.

    Notes
    -----
    Simplified by Douglas and Peucker, doi:10.3138/FM57-6770-U75U-7727.

    Examples
    --------
    >>> labels = np.zeros((20, 20), dtype=np.int32)
    >>> labels[4:14, 5:15] = 1
    >>> (outline,) = trace_outlines(Instances(labels=labels, names=("block",), parents=(None,)))
    >>> outline.box_px, round(outline.area_px2)
    ((4.5, 3.5, 10.0, 10.0), 100)
    """
    if not tolerance_px >= 0:
        raise InputError(f"tolerance_px is {tolerance_px}; accepted is 0 or more")
    found = []
    for label, (rows, cols) in enumerate(find_boxes(instances.labels), start=1):
        shape = np.pad(instances.labels[rows, cols] == label, 1)
        found.append(_outline(shape, shift=(cols.start - 1, rows.start - 1), tolerance_px=tolerance_px))
    return tuple(found)


def fill_outline(outline: Outline, *, height_px: int, width_px: int) -> Bool[np.ndarray, "height width"]:
    """Return the pixels whose centres lie within an outline.

    Parameters
    ----------
    outline : Outline
        The outline; what lies past the image is cut off.
    height_px, width_px : int
        Size of the image [px].

    Examples
    --------
    >>> square = np.array([[-0.5, 0.5], [1.5, 0.5], [1.5, 2.5], [-0.5, 2.5]])
    >>> fill_outline(Outline(outer=(square,)), height_px=3, width_px=3).astype(int)
    array([[0, 0, 0],
           [1, 1, 0],
           [1, 1, 0]])
    """
    filled = np.zeros((height_px, width_px), dtype=bool)
    for polygons, value in ((outline.outer, True), (outline.holes, False)):
        for polygon in polygons:
            low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
            high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 1, (width_px, height_px))
            if (high <= low).any():
                continue
            inside = polygon2mask((high[1] - low[1], high[0] - low[0]), (polygon - low)[:, ::-1])
            filled[low[1] : high[1], low[0] : high[0]][inside] = value
    return filled


def _outline(shape: Bool[np.ndarray, "height width"], *, shift: tuple[int, int], tolerance_px: float) -> Outline:
    """Trace one object, padded with ground on all sides."""
    outer: list[Float[np.ndarray, "_point 2"]] = []
    holes: list[Float[np.ndarray, "_point 2"]] = []
    # Contours wind with the mask always on the same side, so that the sign of the area tells a piece from a hole.
    for contour in find_contours(shape.astype(np.float32), 0.5, fully_connected="high", positive_orientation="low"):
        points = _simplified(contour, tolerance_px)[:-1]
        polygon = points[:, ::-1] + np.array(shift, dtype=np.float64)
        y, x = contour.T
        signed = float(x[:-1] @ y[1:] - x[1:] @ y[:-1])
        (outer if signed > 0 else holes).append(polygon)
    return Outline(outer=tuple(outer), holes=tuple(holes))


def _simplified(contour: Float[np.ndarray, "_point 2"], tolerance_px: float) -> Float[np.ndarray, "_point 2"]:
    """Leave out points of a closed contour, but never so many that no area is left."""
    # Douglas-Peucker keeps the two ends: start at the point furthest from the middle, which is a corner if any is.
    start = int(np.argmax(np.hypot(*(contour - contour.mean(axis=0)).T)))
    turned = np.concatenate([contour[start:-1], contour[: start + 1]])
    simple: Float[np.ndarray, "_point 2"] = approximate_polygon(turned, tolerance_px)
    return simple if len(simple) > 3 else turned
