"""A table of objects: particles, pores, precipitates, each with its size, shape and place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from scipy.spatial import ConvexHull
from skimage.measure import perimeter_crofton, regionprops

from micrographia.errors import InputError
from micrographia.segment.measure.fields import checked_fields
from micrographia.segment.measure.measurement import Scale

_POWERS: Final = {"_px": 1, "_px2": 2}


@dataclass(frozen=True, kw_only=True)
class Objects:
    """One row an object, in pixels.

    Parameters
    ----------
    field : (object,) array of int
        Number of the field, from 0.
    label : (object,) array of int
        Number of the object in its label image.
    y_px, x_px : (object,) array of float
        Centroid, row and column of pixel centres [px].
    area_px2 : (object,) array of float
        Area [px²].
    diameter_px : (object,) array of float
        Diameter of the circle of the same area [px].
    max_feret_px, min_feret_px : (object,) array of float
        Greatest and smallest distance between parallel tangents [px].
    aspect_ratio : (object,) array of float
        Greatest over smallest Feret diameter, at least 1.
    perimeter_px : (object,) array of float
        Perimeter, with that of holes [px].
    circularity : (object,) array of float
        4π area over the square of the perimeter, from 0 to 1.
    cut : (object,) array of bool
        Whether the border of the field cuts, or touches, the object.
    counts : (object,) array of bool
        Whether the unbiased frame counts it: it reaches neither the right nor the bottom border.
    weight : (object,) array of float
        How many objects of this extent a field has for each one that the border leaves whole; 0 for those it cuts.
    frame_px2 : float
        Area of the unbiased frames of all fields together [px²]. That of a field is between the centres of its border
        pixels, which are where an object reaches the border.

    Examples
    --------
    >>> table = find_objects([np.pad(np.ones((3, 5), dtype=np.int64), 2)])
    >>> len(table), float(table.max_feret_px[0]), float(table.min_feret_px[0])
    (1, 5.385164807134504, 3.0)
    """

    field: Int[np.ndarray, " object"]
    label: Int[np.ndarray, " object"]
    y_px: Float[np.ndarray, " object"]
    x_px: Float[np.ndarray, " object"]
    area_px2: Float[np.ndarray, " object"]
    diameter_px: Float[np.ndarray, " object"]
    max_feret_px: Float[np.ndarray, " object"]
    min_feret_px: Float[np.ndarray, " object"]
    aspect_ratio: Float[np.ndarray, " object"]
    perimeter_px: Float[np.ndarray, " object"]
    circularity: Float[np.ndarray, " object"]
    cut: Bool[np.ndarray, " object"]
    counts: Bool[np.ndarray, " object"]
    weight: Float[np.ndarray, " object"]
    frame_px2: float

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.label)


def columns() -> tuple[str, ...]:
    """Return the names of the columns of `Objects`.

    Examples
    --------
    >>> columns()[:3]
    ('field', 'label', 'y_px')
    """
    return tuple(f.name for f in fields(Objects) if f.name != "frame_px2")


def find_objects(labels: Sequence[Integer[np.ndarray, "_height _width"]]) -> Objects:
    r"""Return the size, shape and place of every object of one or more label images.

    Outlines run half a pixel outside of the outermost pixel centres. Feret diameters are those of the convex hull of
    the outline; the greatest is good to about a pixel. The perimeter is by Crofton's formula in four directions: good
    to 1 % for most round objects of more than 10 pixels across, but from 6 % too short for straight sides along rows or
    diagonals of pixels to 2 % too long for sides between. Pixels make that of smaller ones too short, so circularity
    is cut at 1.

    Larger objects are more likely cut by the border. An object of :math:`w \times h` pixels lies whole within a
    field of :math:`W \times H`, and clear of its border, at :math:`(W - 1 - w)(H - 1 - h)` places out of
    :math:`WH`. The weight is the inverse of that share.

    Parameters
    ----------
    labels : sequence of (height, width) array of int
        One image a field, of any sizes: number of the object, 0 for none. An object is all pixels of one number.

    Returns
    -------
    Objects
        One row an object; none at all is allowed.

    Raises
    ------
    InputError
        There is no field, one has no pixels, or a label is negative.

    Notes
    -----
    Perimeter: G. Lehmann and D. Legland, Insight J. (2012), doi:10.54294/w1vbu8. Weights after Miles and
    Lantuéjoul: S. N. Chiu et al., *Stochastic Geometry and its Applications* (2013), doi:10.1002/9781118658222.
    Shape factors: ISO 9276-6.

    Examples
    --------
    >>> table = find_objects([np.pad(np.ones((4, 4), dtype=np.int64), 3)])
    >>> float(table.area_px2[0]), bool(table.cut[0]), float(table.weight[0])  # at 5 × 5 of 10 × 10 places
    (16.0, False, 4.0)
    """
    images = checked_fields(labels, what="label image")
    rows: list[dict[str, Any]] = []
    for number, image in enumerate(images):
        if image.min() < 0:
            raise InputError(f"label image {number} has a label {image.min()}; accepted are 0 and above")
        height, width = image.shape
        for region in regionprops(image):
            top, left, bottom, right = region.bbox
            cut = top == 0 or left == 0 or bottom == height or right == width
            places = (height - 1 - (bottom - top)) * (width - 1 - (right - left))
            longest, shortest = _ferets(region.image)
            perimeter = float(perimeter_crofton(region.image))
            area = float(region.area)
            y, x = region.centroid
            rows.append(
                {
                    "field": number,
                    "label": int(region.label),
                    "y_px": float(y),
                    "x_px": float(x),
                    "area_px2": area,
                    "diameter_px": math.sqrt(4 * area / math.pi),
                    "max_feret_px": longest,
                    "min_feret_px": shortest,
                    "aspect_ratio": longest / shortest,
                    "perimeter_px": perimeter,
                    "circularity": min(4 * math.pi * area / perimeter**2, 1.0),
                    "cut": cut,
                    "counts": bottom < height and right < width,
                    "weight": 0.0 if cut else height * width / places,
                }
            )
    kinds = {"field": np.int64, "label": np.int64, "cut": np.bool_, "counts": np.bool_}
    table: dict[str, Any] = {
        name: np.array([row[name] for row in rows], dtype=kinds.get(name, np.float64)) for name in columns()
    }
    return Objects(**table, frame_px2=float(sum((image.shape[0] - 1) * (image.shape[1] - 1) for image in images)))


def rows_of(objects: Objects, *, scale: Scale) -> list[dict[str, float | int | bool]]:
    """Return the table row by row, in micrometres where the pixel size is known, as a CSV file has it.

    Places stay in pixels, so that objects are found again in the image.

    Parameters
    ----------
    objects : Objects
        The table.
    scale : Scale
        Size of a pixel.

    Returns
    -------
    list of dict
        One dict a row. Names end in ``_um`` and ``_um2`` in place of ``_px`` and ``_px2`` where lengths are known.

    Examples
    --------
    >>> table = find_objects([np.pad(np.ones((4, 4), dtype=np.int64), 3)])
    >>> rows_of(table, scale=Scale(pixel_size_nm=500.0))[0]["area_um2"]
    4.0
    """
    named: dict[str, list[Any]] = {}
    for name in columns():
        column = getattr(objects, name)
        stem, _, suffix = name.rpartition("_")
        power = _POWERS.get(f"_{suffix}")
        if power and scale.known and name not in ("x_px", "y_px"):
            named[f"{stem}_um{suffix.removeprefix('px')}"] = (column * scale.um_per_px**power).tolist()
        else:
            named[name] = column.tolist()
    return [dict(zip(named, values, strict=True)) for values in zip(*named.values(), strict=True)]


def _ferets(image: Bool[np.ndarray, "height width"]) -> tuple[float, float]:
    """Greatest and smallest width of the hull of the outline, which cuts the corners of pixels."""
    rows = np.flatnonzero(image.any(axis=1)).astype(np.float64)
    first = image.argmax(axis=1)[image.any(axis=1)].astype(np.float64)
    last = (image.shape[1] - 1 - image[:, ::-1].argmax(axis=1))[image.any(axis=1)].astype(np.float64)
    ends = np.concatenate([np.stack([rows, first], axis=1), np.stack([rows, last], axis=1)])
    outline = np.concatenate([ends + step for step in ((0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5))])
    hull = outline[ConvexHull(outline).vertices]
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / np.hypot(edges[:, 0], edges[:, 1])[:, None]
    across = normals @ hull.T  # (edge, corner)
    apart = hull[:, None] - hull[None]
    longest = math.sqrt(float((apart**2).sum(axis=2).max()))
    return longest, float((across.max(axis=1) - across.min(axis=1)).min())
