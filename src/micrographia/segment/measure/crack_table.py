"""A table of cracks: the length, width and direction of each, along its mid-line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt, map_coordinates, uniform_filter1d
from skimage.measure import label, regionprops

from micrographia.segment.measure.fields import mask_of
from micrographia.segment.measure.skeletons import mid_line

_BINS: Final = 18
_RAY_STEP_PX: Final = 0.25
_WIDTH_SMOOTHING: Final = 5
_CUT_BACK: Final = 2.0
_LEAST_STRAIGHT: Final = 0.6
_PIXEL_PX: Final = 0.5  # from the centre of a pixel to its edge


@dataclass(frozen=True, kw_only=True)
class Cracks:
    """One row a crack, the mid-lines in pieces for drawing, and how much of them runs in each direction.

    Parameters
    ----------
    y_px, x_px : (crack,) array of float
        Centroid, row and column [px].
    length_px : (crack,) array of float
        Length along the mid-line with all branches, ends included [px].
    area_px2 : (crack,) array of float
        Area [px²].
    mean_width_px : (crack,) array of float
        Area over length [px].
    max_width_px : (crack,) array of float
        Greatest width across the mid-line [px].
    cut : (crack,) array of bool
        Whether the crack reaches the border of the field.
    piece_crack : (piece,) array of int
        Which crack each piece of about a pixel belongs to.
    piece_y_px, piece_x_px : (piece,) array of float
        Middle of the piece [px].
    piece_length_px : (piece,) array of float
        Its length [px].
    piece_angle_deg : (piece,) array of float
        Its direction [°] from 0 to 180, counter-clockwise from x as seen on the screen.
    shape : tuple of int
        Height and width of the field [px].
    """

    y_px: Float[np.ndarray, " crack"]
    x_px: Float[np.ndarray, " crack"]
    length_px: Float[np.ndarray, " crack"]
    area_px2: Float[np.ndarray, " crack"]
    mean_width_px: Float[np.ndarray, " crack"]
    max_width_px: Float[np.ndarray, " crack"]
    cut: Bool[np.ndarray, " crack"]
    piece_crack: Int[np.ndarray, " piece"]
    piece_y_px: Float[np.ndarray, " piece"]
    piece_x_px: Float[np.ndarray, " piece"]
    piece_length_px: Float[np.ndarray, " piece"]
    piece_angle_deg: Float[np.ndarray, " piece"]
    shape: tuple[int, int]

    def __len__(self) -> int:
        """Return the number of cracks."""
        return len(self.length_px)

    def by_direction(self) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " bin"]]:
        """Return edges of 18 bins of direction [°], and the length in each [px].

        The bins are centred at 0°, 10°, 20° and so on, so that what runs along x is not split.
        """
        edges = np.linspace(-5.0, 175.0, _BINS + 1)
        angle = np.where(self.piece_angle_deg >= 175.0, self.piece_angle_deg - 180.0, self.piece_angle_deg)
        return edges, np.histogram(angle, bins=edges, weights=self.piece_length_px)[0]


@dataclass(frozen=True, kw_only=True)
class _Crack:
    length_px: float
    max_width_px: float
    pieces: Float[np.ndarray, "piece 4"]  # y, x, length, angle


def find_cracks(mask: Bool[np.ndarray, "height width"]) -> Cracks:
    """Return length, width and direction of every crack of a mask.

    A crack is a connected set of pixels, corners included. Its mid-line is its skeleton without spurs shorter than the
    crack is wide, smoothed over its half width or 3 pixels, so that neither steps of pixels nor noise add to its
    length. Near a free end the skeleton bends to a corner, so the mid-line goes straight on to the outline there.
    The width is measured across the mid-line, away from ends and branching points, and averaged over 5 pixels.

    Straight bars ten times as long as wide come out within 1 % of their length and 1° of their direction.

    Parameters
    ----------
    mask : (height, width) array of bool
        Pixels of cracks.

    Returns
    -------
    Cracks
        One row a crack.

    Raises
    ------
    InputError
        The mask has no pixels.

    Notes
    -----
    Why steps of pixels cannot be counted as they are: A. M. Vossepoel and A. W. M. Smeulders, Comput. Graph. Image
    Process. 20 (1982) 347, doi:10.1016/0146-664X(82)90160-3.

    Examples
    --------
    >>> mask = np.zeros((40, 80), dtype=bool)
    >>> mask[18:21, 10:70] = True
    >>> cracks = find_cracks(mask)
    >>> print(f"{cracks.length_px[0]:.0f} × {cracks.mean_width_px[0]:.1f} px")
    60 × 3.0 px
    """
    checked = mask_of(mask, what="mask")
    height, width = checked.shape
    rows: list[tuple[float, float, float, float, float, bool]] = []
    pieces: list[Float[np.ndarray, "_piece 5"]] = []
    for number, region in enumerate(regionprops(label(checked, connectivity=2))):
        top, left, bottom, right = region.bbox
        # With a pixel of background all round, save where the field ends.
        y0, x0, y1, x1 = max(top - 1, 0), max(left - 1, 0), min(bottom + 1, height), min(right + 1, width)
        window = np.zeros((y1 - y0, x1 - x0), dtype=bool)
        window[top - y0 : bottom - y0, left - x0 : right - x0] = region.image
        crack = _measured(window)
        y, x = region.centroid
        cut = top == 0 or left == 0 or bottom == height or right == width
        rows.append((float(y), float(x), crack.length_px, float(region.area), crack.max_width_px, cut))
        shifted = crack.pieces + np.array([y0, x0, 0.0, 0.0])
        pieces.append(np.column_stack([np.full(len(shifted), float(number)), shifted]))
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    parts = np.concatenate([np.zeros((0, 5)), *pieces])
    return Cracks(
        y_px=table[:, 0],
        x_px=table[:, 1],
        length_px=table[:, 2],
        area_px2=table[:, 3],
        mean_width_px=table[:, 3] / table[:, 2],
        max_width_px=table[:, 4],
        cut=table[:, 5].astype(np.bool_),
        piece_crack=parts[:, 0].astype(np.int64),
        piece_y_px=parts[:, 1],
        piece_x_px=parts[:, 2],
        piece_length_px=parts[:, 3],
        piece_angle_deg=parts[:, 4],
        shape=(height, width),
    )


def _measured(window: Bool[np.ndarray, "height width"]) -> _Crack:
    height, width = window.shape
    # Outside of the field nothing is known, so only background within it bounds the crack.
    bounded = not window.all()
    half = np.asarray(distance_transform_edt(window)) if bounded else np.full(window.shape, min(window.shape) / 2)
    line = mid_line(window, margin=math.ceil(2 * float(half.max())) + 4)
    length, widest = 0.0, 0.0
    pieces: list[Float[np.ndarray, "_piece 4"]] = []
    for path, (first_free, last_free) in zip(line.paths, line.open_ends, strict=True):
        if len(path) == 1:
            length += 2 * max(float(half[_pixel(path[0], window)]) - _PIXEL_PX, 0.0)
            continue
        whole = _to_tip(path, window, half) if last_free else path
        whole = _to_tip(whole[::-1], window, half)[::-1] if first_free else whole
        steps = np.diff(whole, axis=0)
        middle = (whole[1:] + whole[:-1]) / 2
        inside = ((middle >= -_PIXEL_PX) & (middle < np.array([height, width]) - _PIXEL_PX)).all(axis=1)
        sizes = np.hypot(steps[:, 0], steps[:, 1])
        angle = np.degrees(np.arctan2(-steps[:, 0], steps[:, 1])) % 180
        pieces.append(np.column_stack([middle, sizes, angle])[inside])
        length += float(sizes[inside].sum())
        widest = max(widest, _greatest_width(window, whole[:-1][inside], half))
    if length <= 0:  # its mid-line lies beyond the border that it runs along
        length = float(max(np.ptp(np.argwhere(window), axis=0)) + 1)
    fallback = max(2 * float(half.max()) - 2 * _PIXEL_PX, 1.0)
    found = np.concatenate([np.zeros((0, 4)), *pieces])
    return _Crack(length_px=length, max_width_px=widest if widest > 0 else fallback, pieces=found)


def _to_tip(
    path: Float[np.ndarray, "point 2"],
    window: Bool[np.ndarray, "height width"],
    half: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "_longer 2"]:
    """Continue the last point of a path to the tip of the crack.

    Thinning turns to a corner of a blunt tip. So the path is cut back by a little more than its half width, and
    goes straight on from there to the outline, unless that leaves through a side.
    """
    to_end = _travelled(path[::-1])[::-1]
    local = np.array([half[_pixel(point, window)] for point in path])
    # At a corner the outline is near; the width is that of what leads there.
    reach = float(local[to_end <= _CUT_BACK * np.median(local)].max())
    kept = path[to_end >= _CUT_BACK * reach]
    back = math.ceil(reach) + 2
    if len(kept) > back:
        ahead = kept[-1] - kept[-1 - back]
        ahead = ahead / max(float(np.hypot(*ahead)), 1e-9)
        (far,) = _to_outline(window, kept[-1:], ahead[None], reach=2 * _CUT_BACK * reach + 2)
        if far >= _LEAST_STRAIGHT * to_end[len(kept) - 1]:
            return np.vstack([kept, kept[-1] + far * ahead])
    ahead = path[-1] - path[-2]
    far = max(float(local[-1]) - _PIXEL_PX, 0.0)
    return np.vstack([path, path[-1] + far * ahead / max(float(np.hypot(*ahead)), 1e-9)])


def _travelled(path: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, " point"]:
    """Length along a path to each of its points."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])


def _pixel(point: Float[np.ndarray, " 2"], window: Bool[np.ndarray, "height width"]) -> tuple[int, int]:
    """Pixel that holds a point, or the nearest of the window."""
    y, x = (min(max(round(float(v)), 0), n - 1) for v, n in zip(point, window.shape, strict=True))
    return y, x


def _greatest_width(
    window: Bool[np.ndarray, "height width"],
    path: Float[np.ndarray, "point 2"],
    half: Float[np.ndarray, "height width"],
) -> float:
    """Greatest width across a path, away from its ends; 0 where it is too short to tell."""
    if len(path) < 3:
        return 0.0
    along = np.gradient(path, axis=0)
    # A tight ring may be smoothed to a standstill; there is no across then, and its rays reach no outline.
    speed = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / speed[:, None]
    local = np.array([half[_pixel(point, window)] for point in path])
    reach = 2 * float(local.max()) + 2
    width = sum(_to_outline(window, path, side * normal, reach=reach) for side in (-1, 1))
    travelled = _travelled(path)
    clear = (travelled >= local) & (travelled[-1] - travelled >= local) & np.isfinite(width)
    if not clear.any():
        return 0.0
    return float(uniform_filter1d(np.asarray(width)[clear], _WIDTH_SMOOTHING, mode="nearest").max())


def _to_outline(
    window: Bool[np.ndarray, "height width"],
    points: Float[np.ndarray, "point 2"],
    directions: Float[np.ndarray, "point 2"],
    *,
    reach: float,
) -> Float[np.ndarray, " point"]:
    """Distance from points within a shape to its outline in given directions; NaN beyond the reach."""
    away = np.arange(0, reach, _RAY_STEP_PX)
    rays = points[:, None] + away[None, :, None] * directions[:, None]  # (point, step, 2)
    inside = map_coordinates(window.astype(np.float64), np.moveaxis(rays, 2, 0), order=1, mode="nearest")
    out = inside < 0.5
    first = np.where(out.any(axis=1), out.argmax(axis=1), 0)
    point = np.arange(len(points))
    before, after = inside[point, np.maximum(first - 1, 0)], inside[point, first]
    part = np.where(before > after, (before - 0.5) / np.where(before > after, before - after, 1.0), 0.0)
    return np.where(first > 0, (first - 1 + part) * _RAY_STEP_PX, np.nan)
