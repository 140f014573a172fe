"""Patches around sites in one frame for all scans: site in the middle, a neighbour to the right, steps of a / 12.

However a scan was sampled, rotated or stretched, the columns of a pristine lattice come to lie on the same pixels.
Metal and chalcogen sites are laid alike, so that the frame itself says nothing about which is which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64
from numba import njit

STEPS: Final = 12
"""Canonical pixels in a lattice constant."""
SIDE: Final = 36
"""Height and width of a canonical patch [canonical px]: three lattice constants."""
ORIENTATIONS: Final = 6
"""Ways to lay a site on itself: each of its three neighbours to the right, and mirrored."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CanonicalPatches:
    """Patches in the canonical frame, brought to zero mean and unit variance.

    Parameters
    ----------
    image : float array (site, channel, 36, 36)
        (signal - mean) / spread; 0 where the scan ends.
    mean, spread : float array (site, channel)
        Mean and standard deviation of the signal within the patch, in the scan's units.
    covered : float array (site,)
        Fraction of the patch that the scan covers.
    """

    image: Float32[np.ndarray, "site channel 36 36"]
    mean: Float32[np.ndarray, "site channel"]
    spread: Float32[np.ndarray, "site channel"]
    covered: Float32[np.ndarray, " site"]


def canonical_patches(
    frames: Float32[np.ndarray, "frame channel height width"],
    frame: Int64[np.ndarray, " site"],
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    neighbour_px: Float[np.ndarray, "site 2"],
    across_px: Float[np.ndarray, "site 2"],
) -> CanonicalPatches:
    """Resample the surroundings of sites to the canonical frame.

    Parameters
    ----------
    frames : float array (frame, channel, height, width)
        Scans of one shape.
    frame : int array (site,)
        Which scan a site is in.
    x_px, y_px : float array (site,)
        Sites [px].
    neighbour_px : float array (site, 2)
        Vector (x, y) to a nearest neighbour [px]; a / sqrt(3) long in an undistorted lattice.
    across_px : float array (site, 2)
        Vector of the same length at right angles to it, to either side [px].

    Returns
    -------
    CanonicalPatches

    Notes
    -----
    Each canonical pixel is the mean of the scan's pixels about it, weighted by a tent one canonical pixel wide, or
    one scan pixel wide where that is more: interpolation of coarse scans, and no electron of a fine one is left out.

    Examples
    --------
    >>> ramp = np.broadcast_to(np.arange(64, dtype=np.float32), (1, 1, 64, 64)).copy()
    >>> arm = 12 / np.sqrt(3)
    >>> found = canonical_patches(ramp, np.array([0]), np.array([32.0]), np.array([32.0]), np.array([[arm, 0.0]]),
    ...                           np.array([[0.0, arm]]))
    >>> print(f"{found.mean[0, 0]:.2f} ± {found.spread[0, 0]:.2f}")
    32.00 ± 10.39
    """
    sites, channels = len(x_px), frames.shape[1]
    image = np.empty((sites, channels, SIDE, SIDE), dtype=np.float32)
    mean, spread = np.empty((sites, channels), dtype=np.float32), np.empty((sites, channels), dtype=np.float32)
    covered = np.empty(sites, dtype=np.float32)
    # The arm to a neighbour is a / sqrt(3), a canonical pixel a / 12.
    step = np.sqrt(3.0) / STEPS
    _resample(
        np.ascontiguousarray(frames),
        np.asarray(frame, dtype=np.int64),
        np.asarray(x_px, dtype=np.float64),
        np.asarray(y_px, dtype=np.float64),
        np.asarray(neighbour_px * step, dtype=np.float64),
        np.asarray(across_px * step, dtype=np.float64),
        image,
        mean,
        spread,
        covered,
    )
    return CanonicalPatches(image=image, mean=mean, spread=spread, covered=covered)


@njit(cache=True, fastmath=True, nogil=True)  # type: ignore[untyped-decorator]
def _resample(
    frames: Float32[np.ndarray, "frame channel height width"],
    frame: Int64[np.ndarray, " site"],
    x_px: Float64[np.ndarray, " site"],
    y_px: Float64[np.ndarray, " site"],
    right_px: Float64[np.ndarray, "site 2"],
    down_px: Float64[np.ndarray, "site 2"],
    image: Float32[np.ndarray, "site channel 36 36"],
    mean: Float32[np.ndarray, "site channel"],
    spread: Float32[np.ndarray, "site channel"],
    covered: Float32[np.ndarray, " site"],
) -> None:
    channels, height, width = frames.shape[1:]
    middle = (SIDE - 1) / 2
    total = np.empty(channels, dtype=np.float32)
    along = np.empty(64, dtype=np.float32)
    for site in range(x_px.size):
        scan = frames[frame[site]]
        ux, uy, vx, vy = right_px[site, 0], right_px[site, 1], down_px[site, 0], down_px[site, 1]
        half = max(1.0, np.sqrt(abs(ux * vy - uy * vx)))
        half = min(half, 30.0)
        inverse = np.float32(1.0 / half)
        count = 0
        sums, squares = np.zeros(channels), np.zeros(channels)
        reach_x, reach_y = middle * (abs(ux) + abs(vx)), middle * (abs(uy) + abs(vy))
        inside = reach_x <= x_px[site] < width - 1 - reach_x and reach_y <= y_px[site] < height - 1 - reach_y
        if half == 1.0 and inside:
            # The same, where the tent is of one scan pixel and nothing ends: four pixels count.
            count = SIDE * SIDE
            for row in range(SIDE):
                x0 = x_px[site] - middle * ux + (row - middle) * vx
                y0 = y_px[site] - middle * uy + (row - middle) * vy
                for c in range(channels):
                    flat = scan[c].reshape(-1)
                    line = image[site, c, row]
                    for column in range(SIDE):
                        x, y = x0 + column * ux, y0 + column * uy
                        left, top = int(x), int(y)
                        fx, fy = np.float32(x - left), np.float32(y - top)
                        at = top * width + left
                        upper = flat[at] + fx * (flat[at + 1] - flat[at])
                        lower = flat[at + width] + fx * (flat[at + width + 1] - flat[at + width])
                        line[column] = upper + fy * (lower - upper)
            for c in range(channels):
                values = image[site, c].reshape(-1)
                total_of, square_of = 0.0, 0.0
                for n in range(count):
                    total_of += np.float64(values[n])
                    square_of += np.float64(values[n]) * values[n]
                sums[c], squares[c] = total_of, square_of
        for row in range(SIDE if count == 0 else 0):
            for column in range(SIDE):
                x = x_px[site] + (column - middle) * ux + (row - middle) * vx
                y = y_px[site] + (column - middle) * uy + (row - middle) * vy
                if x < -0.5 or y < -0.5 or x > width - 0.5 or y > height - 0.5:
                    for c in range(channels):
                        image[site, c, row, column] = np.nan
                    continue
                x = min(max(x, 0.0), width - 1.0)
                y = min(max(y, 0.0), height - 1.0)
                left, right = max(0, int(np.ceil(x - half))), min(width - 1, int(np.floor(x + half)))
                top, bottom = max(0, int(np.ceil(y - half))), min(height - 1, int(np.floor(y + half)))
                weight_x = np.float32(0.0)
                for at in range(left, right + 1):
                    along[at - left] = np.float32(1.0) - np.float32(abs(at - x)) * inverse
                    weight_x += along[at - left]
                weight_y = np.float32(0.0)
                for c in range(channels):
                    total[c] = 0.0
                for line in range(top, bottom + 1):
                    weight = np.float32(1.0) - np.float32(abs(line - y)) * inverse
                    weight_y += weight
                    for c in range(channels):
                        part = np.float32(0.0)
                        for at in range(right - left + 1):
                            part += along[at] * scan[c, line, left + at]
                        total[c] += weight * part
                count += 1
                for c in range(channels):
                    value = total[c] / (weight_x * weight_y)
                    image[site, c, row, column] = value
                    sums[c] += value
                    squares[c] += np.float64(value) * value
        covered[site] = count / (SIDE * SIDE)
        for c in range(channels):
            centre = sums[c] / max(count, 1)
            deviation = np.sqrt(max(squares[c] / max(count, 1) - centre * centre, 0.0))
            mean[site, c], spread[site, c] = centre, deviation
            # What is left of a constant by rounding is no contrast.
            scale = 1.0 / deviation if deviation > 1e-6 * abs(centre) else 0.0
            for row in range(SIDE):
                for column in range(SIDE):
                    value = image[site, c, row, column]
                    # fastmath knows no nan: what lies outside is recognised by its place.
                    image[site, c, row, column] = (value - centre) * scale
        if count < SIDE * SIDE:
            for row in range(SIDE):
                for column in range(SIDE):
                    x = x_px[site] + (column - middle) * ux + (row - middle) * vx
                    y = y_px[site] + (column - middle) * uy + (row - middle) * vy
                    if x < -0.5 or y < -0.5 or x > width - 0.5 or y > height - 0.5:
                        for c in range(channels):
                            image[site, c, row, column] = 0.0
