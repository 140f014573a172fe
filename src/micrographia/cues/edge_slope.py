"""How sharp edges are: how much of their height they rise from one pixel to the next."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.ndimage import gaussian_filter

from micrographia.cues.cue import Cue
from micrographia.cues.texture_maps import TextureMaps, graded, of_quarters

_NARROW_PX: Final = 1.0
_WIDE_PX: Final = 2.0
_NOISE_SDS: Final = 6.0
_CLEAREST: Final = 0.98
_OF_THE_CLEAREST: Final = 0.3
_FEWEST: Final = 30
_SOFTEST_PX: Final = 30.0
_LEAST_SD: Final = 1.0
# A step between two pixels, rounded to the grid and derived over five pixels, has about this variance [px²].
_STEP_PX2: Final = 1 / 12
_STEPS: Final = (8.0, 20.0, 50.0)


def edge_slope(maps: TextureMaps) -> Cue:
    r"""Return how much of its height an edge rises within one pixel, for the clear edges of an image.

    An edge of height :math:`h` that is blurred by :math:`\sigma_0` has, filtered by :math:`\sigma`, the slope
    :math:`h / \sqrt{2\pi(\sigma_0^2 + \sigma^2)}` in its middle. From the ratio :math:`r` of its slopes at two filters
    follows

    .. math:: \sigma_0^2 = (\sigma_b^2 - r^2 \sigma_f^2) / (r^2 - 1)

    and of its median the sharpness :math:`1 / \sqrt{2\pi(\sigma_0^2 + 1/12)}`, at most 100 %.

    Parameters
    ----------
    maps : TextureMaps
        The image.

    Returns
    -------
    Cue
        ``sharpness`` [% of the height of an edge, per pixel]; None without edges that are clear of the noise. Lines
        that are narrower than 4 px pass for sharp edges.

    Examples
    --------
    >>> from scipy.ndimage import gaussian_filter
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> step = np.where(np.arange(128) < 60, 0.0, 1.0) * np.ones((128, 1))
    >>> print(f"{edge_slope(texture_maps(gaussian_filter(step, 4.0))).value:.0f} %")  # 1 / (4 √2π)
    10 %
    """
    narrow, wide = (_slopes(maps.grey, sigma) for sigma in (_NARROW_PX, _WIDE_PX))
    slope = np.hypot(*wide)
    noise = maps.noise / (math.sqrt(8 * math.pi) * _WIDE_PX**2)
    least = max(_NOISE_SDS * noise, _OF_THE_CLEAREST * float(np.quantile(slope, _CLEAREST)), 1e-9)
    # Where the wider filter sees an edge, not each detail that the narrower one sees, the two are of the same edge.
    where = _crests(wide, slope, least)
    ratio = np.square(np.hypot(*narrow)[where] / slope[where])
    # No blur at all, and none that these filters can tell.
    sharpest = (_WIDE_PX / _NARROW_PX) ** 2
    softest = (_SOFTEST_PX**2 + _WIDE_PX**2) / (_SOFTEST_PX**2 + _NARROW_PX**2)
    ratio = np.clip(ratio, softest, sharpest)
    squared = (_WIDE_PX**2 - ratio * _NARROW_PX**2) / (ratio - 1)
    if len(squared) < _FEWEST:
        return Cue(
            name="sharpness",
            value=None,
            uncertainty=None,
            unit="% per px",
            sentence="No edges are clear enough of the noise to tell how sharp they are.",
        )
    rows, cols = np.nonzero(where)
    down, right = (n // 2 for n in slope.shape)
    halves = [(rows < down) == above for above in (True, False)]
    parts = [squared[half & ((cols < right) == left)] for half in halves for left in (True, False)]
    value = _rise(squared) / maps.zoom
    spread = of_quarters([_rise(part) / maps.zoom for part in parts if len(part) >= _FEWEST // 4])
    words = graded(value, _STEPS, ("blurred", "soft", "sharp", "very sharp"))
    return Cue(
        name="sharpness",
        value=value,
        uncertainty=math.hypot(spread if spread is not None else value / 2, _LEAST_SD),
        unit="% per px",
        sentence=f"Edges are {words}: they rise by {value:.0f} % of their height from one pixel to the next.",
    )


def _rise(squared: Float[np.ndarray, " edge"]) -> float:
    return min(100.0, 100 / math.sqrt(2 * math.pi * (float(np.median(squared)) + _STEP_PX2)))


def _slopes(
    grey: Float32[np.ndarray, "height width"], sigma_px: float
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    """Return the slopes (right, down) of a smoothed image, by differences over five pixels."""
    smooth = gaussian_filter(grey, sigma_px, truncate=3.5)
    right, down = np.zeros_like(smooth), np.zeros_like(smooth)
    right[:, 2:-2] = (8 * (smooth[:, 3:-1] - smooth[:, 1:-3]) - (smooth[:, 4:] - smooth[:, :-4])) / 12
    down[2:-2] = (8 * (smooth[3:-1] - smooth[1:-3]) - (smooth[4:] - smooth[:-4])) / 12
    return right, down


def _crests(
    slopes: tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]],
    slope: Float32[np.ndarray, "height width"],
    least: float,
) -> Bool[np.ndarray, "height width"]:
    """Where slopes are largest across their edge."""
    where = np.zeros(slope.shape, dtype=bool)
    inner = slope[1:-1, 1:-1]
    across_x = (inner >= slope[1:-1, 2:]) & (inner >= slope[1:-1, :-2])
    across_y = (inner >= slope[2:, 1:-1]) & (inner >= slope[:-2, 1:-1])
    steeper_in_x = np.abs(slopes[0][1:-1, 1:-1]) >= np.abs(slopes[1][1:-1, 1:-1])
    where[1:-1, 1:-1] = (inner > least) & np.where(steeper_in_x, across_x, across_y)
    return where
