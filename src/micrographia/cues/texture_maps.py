"""What the texture cues share: smoothed grey, its derivatives, the noise, and uncertainty from quarters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32
from scipy.ndimage import gaussian_filter

from micrographia.errors import InputError
from micrographia.segment.network.normalise import normalised

FINE_PX: Final = 1.5
BROAD_PX: Final = 4.0
LEAST_SIDE_PX: Final = 32
_MAD_OF_NORMAL: Final = 0.6745
Part = tuple[slice, slice]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """An image smoothed by a Gaussian, and its derivatives by central differences.

    Parameters
    ----------
    sigma_px : float
        Standard deviation of the Gaussian [px].
    grey : float32 array (height, width)
        Smoothed grey; 0 at the 1st and 1 at the 99th percentile of the image.
    x, y, xx, yy, xy : float32 array (height, width)
        Derivatives to the right and down [1/px, 1/px²]; zero for up to two pixels along the border.
    """

    sigma_px: float
    grey: Float32[np.ndarray, "height width"]
    x: Float32[np.ndarray, "height width"]
    y: Float32[np.ndarray, "height width"]
    xx: Float32[np.ndarray, "height width"]
    yy: Float32[np.ndarray, "height width"]
    xy: Float32[np.ndarray, "height width"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TextureMaps:
    """An image as the texture cues look at it.

    Parameters
    ----------
    grey : float32 array (height, width)
        Grey values: 0 at the 1st percentile, 1 at the 99th, cut off at -0.5 and 1.5.
    noise : float
        Standard deviation of the noise of a pixel, in the same unit: of what differs along both diagonals.
    fine, broad : Scale
        Smoothed by 1.5 px and 4 px.
    zoom : float
        Pixels of the image per pixel of these maps, where they were made of a smaller copy of it. Cues are in pixels of
        the image.
    """

    grey: Float32[np.ndarray, "height width"]
    noise: float
    fine: Scale
    broad: Scale
    zoom: float = 1.0

    @property
    def quarters(self) -> tuple[Part, ...]:
        """The four quarters of the image, as slices."""
        down, right = self.grey.shape[0] // 2, self.grey.shape[1] // 2
        return tuple((r, c) for r in (slice(0, down), slice(down, None)) for c in (slice(0, right), slice(right, None)))


def texture_maps(frame: Float[np.ndarray, "height width"], *, zoom: float = 1.0) -> TextureMaps:
    """Prepare an image for the texture cues.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.
    zoom : float
        Pixels of the image per pixel of ``frame``, where that is a smaller copy.

    Raises
    ------
    InputError
        The image is smaller than 32 x 32 px, or all pixels are equal.

    Examples
    --------
    >>> maps = texture_maps(np.random.default_rng(0).normal(300, 20, (256, 256)))
    >>> print(f"{maps.noise * 2 * 2.326:.2f}")  # the 1st and the 99th percentile are 4.65 standard deviations apart
    1.00
    """
    if frame.ndim != 2 or min(frame.shape) < LEAST_SIDE_PX:
        raise InputError(
            f"image is of shape {frame.shape}; accepted is (height, width) of at least {LEAST_SIDE_PX} x "
            f"{LEAST_SIDE_PX} px"
        )
    grey = (normalised(frame) + 1) / 2
    cross = grey[1:, 1:] - grey[1:, :-1] - grey[:-1, 1:] + grey[:-1, :-1]
    noise = float(np.median(np.abs(cross))) / _MAD_OF_NORMAL / 2
    fine = gaussian_filter(grey, FINE_PX, truncate=3.5)
    # Smoothing again adds variances.
    broad = gaussian_filter(fine, math.sqrt(BROAD_PX**2 - FINE_PX**2), truncate=3.5)
    return TextureMaps(grey=grey, noise=noise, fine=_scale(fine, FINE_PX), broad=_scale(broad, BROAD_PX), zoom=zoom)


def _scale(smooth: Float32[np.ndarray, "height width"], sigma_px: float) -> Scale:
    x, y, xx, yy, xy = (np.zeros_like(smooth) for _ in range(5))
    # Over five pixels: over three, what lies along a diagonal would be seen steeper than it is.
    x[:, 2:-2] = (8 * (smooth[:, 3:-1] - smooth[:, 1:-3]) - (smooth[:, 4:] - smooth[:, :-4])) / 12
    y[2:-2] = (8 * (smooth[3:-1] - smooth[1:-3]) - (smooth[4:] - smooth[:-4])) / 12
    xx[1:-1, 1:-1] = smooth[1:-1, 2:] + smooth[1:-1, :-2] - 2 * smooth[1:-1, 1:-1]
    yy[1:-1, 1:-1] = smooth[2:, 1:-1] + smooth[:-2, 1:-1] - 2 * smooth[1:-1, 1:-1]
    xy[1:-1, 1:-1] = (smooth[2:, 2:] - smooth[2:, :-2] - smooth[:-2, 2:] + smooth[:-2, :-2]) / 4
    return Scale(sigma_px=sigma_px, grey=smooth, x=x, y=y, xx=xx, yy=yy, xy=xy)


def gradient_noise(maps: TextureMaps, scale: Scale) -> float:
    r"""Return the standard deviation that noise gives a first derivative: :math:`n / (\sqrt{8\pi}\,\sigma^2)`."""
    return maps.noise / (math.sqrt(8 * math.pi) * scale.sigma_px**2)


def curvature_noise(maps: TextureMaps, scale: Scale) -> float:
    r"""Return the standard deviation that noise gives a second derivative: :math:`n \sqrt{3/(16\pi)} / \sigma^3`."""
    return maps.noise * math.sqrt(3 / (16 * math.pi)) / scale.sigma_px**3


def of_quarters(values: Sequence[float]) -> float | None:
    """Return the standard uncertainty of a mean from what the quarters of the image give; None of less than two.

    It covers how much the image differs from place to place, not what another field of view would show.

    Examples
    --------
    >>> of_quarters([1.0, 2.0, 3.0, 2.0])
    0.408...
    """
    if len(values) < 2:
        return None
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def graded(value: float, steps: Sequence[float], words: Sequence[str]) -> str:
    """Return the word for a value: the first below the first step, and so on.

    Examples
    --------
    >>> graded(2.5, (1.0, 2.0), ("few", "some", "many"))
    'many'
    """
    return words[int(np.searchsorted(steps, value, side="right"))]


def two_digits(value: float) -> str:
    """Return a number to two digits, never as a power of ten.

    Examples
    --------
    >>> two_digits(0.4321), two_digits(4.321), two_digits(432.1)
    ('0.43', '4.3', '432')
    """
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
