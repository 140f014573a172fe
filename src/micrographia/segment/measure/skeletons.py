"""Mid-lines of thin shapes: skeletons traced into smooth paths, without spurs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from skimage.morphology import remove_small_holes, thin

Pixel = tuple[int, int]
_AROUND: Final = ((-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
_SMOOTHING_PX: Final = 3.0
_LARGEST_NOISE_HOLE_PX2: Final = 4
_ROUNDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class MidLine:
    """Mid-lines of one connected shape.

    Parameters
    ----------
    paths : tuple of (point, 2) array of float
        Smooth paths, rows and columns [px], between ends and branching points.
    open_ends : tuple of bool
        For each path, twice: whether its first and its last point are free ends within the field.
    """

    paths: tuple[Float[np.ndarray, "_point 2"], ...]
    open_ends: tuple[tuple[bool, bool], ...]


def mid_line(shape: Bool[np.ndarray, "height width"], *, margin: int) -> MidLine:
    """Trace the mid-line of one connected shape.

    At the border the shape is continued straight on, so that its mid-line runs out of the field and not to a corner.
    Branches from a branching point to a free end are spurs where they are shorter than the shape is wide there.

    Parameters
    ----------
    shape : (height, width) array of bool
        The shape, with all of the field that is near it.
    margin : int
        By how many pixels to continue it [px].

    Returns
    -------
    MidLine
        Paths that may leave the field by up to ``margin``.

    Notes
    -----
    Thinning: Z. Guo and R. W. Hall, CACM 32 (1989) 359, doi:10.1145/62065.62074. The thinning of Zhang and Suen
    makes diagonal lines two pixels thick vanish.

    Examples
    --------
    >>> bar = np.zeros((9, 30), dtype=bool)
    >>> bar[3:6] = True
    >>> len(mid_line(bar, margin=5).paths)
    1
    """
    # A pinhole at a rough edge is noise; a ring of skeleton about it would add to the length.
    solid = remove_small_holes(shape, max_size=_LARGEST_NOISE_HOLE_PX2)
    wide = np.pad(solid, margin, mode="edge")
    half_width = np.asarray(distance_transform_edt(np.pad(wide, 1)))[1:-1, 1:-1]
    pixels = {(int(y), int(x)) for y, x in np.argwhere(thin(wide))}
    height, width = shape.shape
    within = (margin, margin, margin + height - 1, margin + width - 1)
    traced = _traced(pixels)
    for _ in range(_ROUNDS):
        links = _links(pixels)
        spurs = {pixel for path in traced for pixel in _spur(path, links, half_width, within)}
        if not spurs:
            break
        pixels -= spurs
        traced = _traced(pixels)
    links = _links(pixels)
    paths = tuple(_smooth(path, _smoothing_px(path, half_width)) - margin for path in traced)
    free = tuple((_free(path[0], links, within), _free(path[-1], links, within)) for path in traced)
    return MidLine(paths=paths, open_ends=free)


def _links(pixels: set[Pixel]) -> dict[Pixel, list[Pixel]]:
    """Neighbours of each pixel; diagonal ones only where no pixel between them links them already."""
    links: dict[Pixel, list[Pixel]] = {}
    for y, x in pixels:
        links[y, x] = [
            (y + dy, x + dx)
            for dy, dx in _AROUND
            if (y + dy, x + dx) in pixels and not (dy and dx and ((y + dy, x) in pixels or (y, x + dx) in pixels))
        ]
    return links


def _traced(pixels: set[Pixel]) -> list[list[Pixel]]:
    """Cut a skeleton into paths between ends and branching points; a ring is a path that ends where it begins."""
    links = _links(pixels)
    nodes = sorted(pixel for pixel, near in links.items() if len(near) != 2)
    used: set[frozenset[Pixel]] = set()
    paths: list[list[Pixel]] = []
    seen: set[Pixel] = set()
    for start in nodes + sorted(pixels):
        if start in seen and len(links[start]) in (0, 2):
            continue
        if not links[start]:
            paths.append([start])
            seen.add(start)
        for step in links[start]:
            if frozenset((start, step)) in used:
                continue
            path = [start, step]
            used.add(frozenset(path))
            while len(links[path[-1]]) == 2 and path[-1] != start:
                ahead = next(p for p in links[path[-1]] if p != path[-2])
                used.add(frozenset((path[-1], ahead)))
                path.append(ahead)
            seen.update(path)
            paths.append(path)
    return paths


def _free(pixel: Pixel, links: dict[Pixel, list[Pixel]], within: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = within
    return len(links[pixel]) <= 1 and top <= pixel[0] <= bottom and left <= pixel[1] <= right


def _spur(
    path: list[Pixel],
    links: dict[Pixel, list[Pixel]],
    half_width: Float[np.ndarray, "height width"],
    within: tuple[int, int, int, int],
) -> list[Pixel]:
    """Pixels of a path that are a spur, without the branching point that it starts from."""
    first, last = path[0], path[-1]
    if len(links[first]) == 1:
        first, last, path = last, first, path[::-1]
    if len(links[first]) < 3 or not _free(last, links, within):
        return []
    length = sum(math.dist(a, b) for a, b in pairwise(path))
    return path[1:] if length < 2 * float(half_width[first]) else []


def _smoothing_px(path: list[Pixel], half_width: Float[np.ndarray, "height width"]) -> float:
    """Smooth over what the roughness of the edges moves: about the half width, and never less than steps of pixels."""
    return max(_SMOOTHING_PX, float(np.median([half_width[pixel] for pixel in path])))


def _smooth(path: list[Pixel], sigma_px: float) -> Float[np.ndarray, "point 2"]:
    """Smooth the steps of a path away, with its ends in place."""
    points = np.array(path, dtype=np.float64)
    if len(points) < 3:
        return points
    if path[0] == path[-1]:
        ring = gaussian_filter1d(points[:-1], sigma_px, axis=0, mode="wrap")
        return np.vstack([ring, ring[:1]])
    # Continued by a half turn about its ends, so that they stay and a straight line stays straight.
    reach = min(len(points) - 1, math.ceil(4 * sigma_px))
    before, after = 2 * points[0] - points[reach:0:-1], 2 * points[-1] - points[-2 : -reach - 2 : -1]
    long = gaussian_filter1d(np.vstack([before, points, after]), sigma_px, axis=0, mode="nearest")
    return np.asarray(long[reach : reach + len(points)])
