"""How structure is laid out: edges per area, direction, and the size of grains of texture."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import scipy.fft
from jaxtyping import Float

from micrographia.cues.cue import Cue
from micrographia.cues.texture_maps import Part, TextureMaps, graded, gradient_noise, of_quarters, two_digits

EDGES_UNIT: Final = "px per 1000 px²"
_NOISE_SDS: Final = 3.5
_DIRECTED: Final = (0.15, 0.4, 0.7)
_BORDER: Final = 2


def edges(maps: TextureMaps) -> Cue:
    r"""Return how much edge there is per area.

    By the co-area formula the mean slope of the grey is contour length per area times contrast, so for a picture of two
    tones it is the length of their boundary:

    .. math:: E = \overline{\sqrt{|\nabla I|^2 - 2 s^2}} \,/\, (I_{99\,\%} - I_{1\,\%})

    with the part of the noise :math:`s` in each component of the slope; slopes below 3.5 :math:`s` do not count.

    Parameters
    ----------
    maps : TextureMaps
        The image.

    Returns
    -------
    Cue
        ``edges`` [px per 1000 px²].

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> stripes = np.tile(np.repeat([0.0, 1.0] * 8, 16), (256, 1))  # one edge every 16 px
    >>> print(f"{edges(texture_maps(stripes)).value:.0f}")  # 15 edges over 252 px
    60
    """
    s = gradient_noise(maps, maps.fine)
    inner = (slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER))
    squared = maps.fine.x**2 + maps.fine.y**2
    slope = np.sqrt(np.where(squared > (_NOISE_SDS * s) ** 2, squared - 2 * s**2, 0.0))
    scale = 1000 / maps.zoom
    value = scale * float(slope[inner].mean())
    words = graded(value, (8.0, 25.0, 60.0), ("hardly any edges", "few edges", "many edges", "edges everywhere"))
    return Cue(
        name="edges",
        value=value,
        uncertainty=of_quarters([scale * float(slope[part].mean()) for part in maps.quarters]),
        unit=EDGES_UNIT,
        sentence=f"The image has {words}: {two_digits(value)} px in 1000 px².",
    )


def anisotropy(maps: TextureMaps) -> Cue:
    r"""Return how far structure keeps to one direction, by the mean structure tensor without the part of the noise.

    .. math:: A = \sqrt{(J_{xx} - J_{yy})^2 + 4 J_{xy}^2} \,/\, (J_{xx} + J_{yy})

    Parameters
    ----------
    maps : TextureMaps
        The image.

    Returns
    -------
    Cue
        ``anisotropy``, 0 (all directions alike) to 1 (straight parallel lines); None where noise is all there is.
        ``direction_deg`` is across the structure.

    Notes
    -----
    J. Bigün and G. H. Granlund, Proc. 1st Int. Conf. on Computer Vision (1987) 433.

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> waves = np.sin(np.arange(128) / 4) * np.ones((96, 1))
    >>> cue = anisotropy(texture_maps(waves))
    >>> print(f"{cue.value:.2f}, {cue.direction_deg:.0f}°")
    1.00, 0°
    """
    whole = _directed(maps, (slice(None), slice(None)))
    if whole is None:
        return Cue(
            name="anisotropy",
            value=None,
            uncertainty=None,
            unit="",
            sentence="Slopes are no larger than noise makes them, so no direction can be told.",
        )
    value, double = whole
    parts = [part for part in (_directed(maps, quarter) for quarter in maps.quarters) if part is not None]
    across = math.degrees(double / 2) % 180
    across = 0.0 if across >= 180 - 1e-9 else across
    turned = [math.remainder(angle - double, 2 * math.pi) / 2 for _, angle in parts]
    along = round(across + 90) % 180
    words = graded(
        value,
        _DIRECTED,
        (
            "Structure runs in all directions alike.",
            f"Structure runs slightly more along {along}° from the x axis.",
            f"Structure runs mostly along {along}° from the x axis.",
            f"Structure is strongly aligned, along {along}° from the x axis.",
        ),
    )
    return Cue(
        name="anisotropy",
        value=value,
        uncertainty=of_quarters([v for v, _ in parts]),
        unit="",
        sentence=words,
        direction_deg=across,
        direction_sd_deg=math.degrees(math.sqrt(np.mean(np.square(turned)) / len(turned))) if turned else None,
    )


def _directed(maps: TextureMaps, part: Part) -> tuple[float, float] | None:
    """Return the anisotropy and twice the angle of the direction across, y upwards; None where there is but noise."""
    x, y = maps.fine.x[part], maps.fine.y[part]
    noise = gradient_noise(maps, maps.fine) ** 2
    xx, yy, xy = float((x * x).mean()) - noise, float((y * y).mean()) - noise, -float((x * y).mean())
    # Noise of n pixels leaves about this much of its variance; the factor is for its correlation after smoothing.
    if xx + yy <= noise * 20 / math.sqrt(x.size):
        return None
    value = math.hypot(xx - yy, 2 * xy) / (xx + yy)
    return min(value, 1.0), math.atan2(2 * xy, xx - yy)


def grain_size(maps: TextureMaps) -> Cue:
    r"""Return the size of a grain of texture: twice the distance at which the autocorrelation falls to one half.

    The autocorrelation is that of the grey without a fitted plane and without the variance of the noise, averaged over
    directions. Twice the half distance is the full width of its peak: for discs of one diameter d on a plain
    ground it is 0.81 d, for cells of random grey 0.7 to 0.9 of a cell.

    Parameters
    ----------
    maps : TextureMaps
        The image.

    Returns
    -------
    Cue
        ``grain size`` [px]; None where it does not fall that far within a quarter of the image, or noise is all there
        is.

    Examples
    --------
    >>> from scipy.ndimage import gaussian_filter
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> noise = np.random.default_rng(0).normal(0, 1, (512, 512))
    >>> cue = grain_size(texture_maps(gaussian_filter(noise, 6.0)))  # exp(-r²/4σ²) is a half at 2 σ √ln 2
    >>> print(f"{cue.value:.0f} px, {4 * 6 * np.sqrt(np.log(2)):.0f} px expected")
    19 px, 20 px expected
    """
    value = _half_width(maps.grey, maps.noise)
    parts = [_half_width(maps.grey[part], maps.noise) for part in maps.quarters]
    value = None if value is None else value * maps.zoom
    if value is None:
        return Cue(
            name="grain size",
            value=None,
            uncertainty=None,
            unit="px",
            sentence="The texture has no size of its own: it is noise only, or larger than the image shows.",
        )
    words = graded(value, (4.0, 10.0, 30.0), ("very fine", "fine", "coarse", "very coarse"))
    return Cue(
        name="grain size",
        value=value,
        uncertainty=of_quarters([p * maps.zoom for p in parts if p is not None]),
        unit="px",
        sentence=f"The texture is {words}, with features about {two_digits(value)} px large.",
    )


def _half_width(grey: Float[np.ndarray, "height width"], noise: float) -> float | None:
    height, width = grey.shape
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    flat = grey - grey.mean()
    tilt = (y * (flat.mean(axis=1, keepdims=True) * y).mean() / (y * y).mean()) + (
        x * (flat.mean(axis=0, keepdims=True) * x).mean() / (x * x).mean()
    )
    flat = flat - tilt.astype(np.float32)
    # Zeros around keep opposite borders apart; dividing by the overlap makes up for them.
    shape = tuple(scipy.fft.next_fast_len(n + n // 4, real=True) for n in (height, width))
    power = np.abs(scipy.fft.rfft2(flat, s=shape)) ** 2
    most_y, most_x = height // 4, width // 4
    raw = scipy.fft.irfft2(power, s=shape)
    rows = np.arange(-most_y, most_y + 1)
    columns = np.arange(most_x + 1)
    overlap = (height - np.abs(rows))[:, None] * (width - columns)[None, :]
    local = raw[rows][:, : most_x + 1] / overlap
    variance = float(local[most_y, 0]) - noise**2
    if variance <= 0.1 * noise**2:
        return None
    radius = np.rint(np.hypot(rows[:, None], columns[None, :])).astype(int).ravel()
    # The half plane to the left repeats that to the right.
    twice = np.broadcast_to(np.where(columns > 0, 2.0, 1.0), local.shape).ravel()
    count = np.bincount(radius, weights=twice)
    ring = (np.bincount(radius, weights=local.ravel() * twice) / np.maximum(count, 1))[
        : min(most_y, most_x) + 1
    ] / variance
    ring[0] = 1.0
    below = np.flatnonzero(ring < 0.5)
    if not len(below):
        return None
    end = int(below[0])
    return 2 * (end - 1 + float((ring[end - 1] - 0.5) / (ring[end - 1] - ring[end])))
