"""Layers: how well an image is made of parallel bands, and how many there are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32
from scipy.ndimage import gaussian_filter1d, uniform_filter
from scipy.signal import find_peaks

from micrographia.cues.cue import Cue
from micrographia.cues.texture_maps import TextureMaps, graded, of_quarters, two_digits

_LEAST_ROWS: Final = 0.25
_STEPS: Final = (0.3, 0.6, 0.85)
_NO_LAYERS: Final = 0.3
_LAYERED: Final = 0.6
_LEAST_STEP: Final = 0.12
_OTHER_STEPS: Final = (0.07, 0.2)
_LEAST_SD: Final = 0.02
_SHADING: Final = 6
_MOST_BESIDE_SHADING: Final = 0.15
_ALL: Final = (slice(None), slice(None))
_LEAST_REACH_PX: Final = 6
_REACH: Final = 0.03


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """Mean grey across the bands, from one end to the other.

    Parameters
    ----------
    grey : float array (position,)
        Mean grey of each step of 1 px across the bands; 0 and 1 are the 1st and 99th percentile of the image.
    strength : float
        Share of the variance beyond noise that the profile explains, 0 to 1.
    """

    grey: Float[np.ndarray, " position"]
    strength: float


def layering(maps: TextureMaps, across_deg: float | None) -> tuple[Cue, Cue]:
    r"""Return how far the image is made of straight parallel bands, and the number of bands.

    The grey is averaged along the direction of the structure, or along an axis of the image if that explains more.
    The strength is the share of the variance beyond noise and shading that this profile explains,
    :math:`(\mathrm{var}(\bar I) - v) / (\mathrm{var}(I) - v)`. A band ends
    where the profile steps by 12 % of the contrast or more.

    Parameters
    ----------
    maps : TextureMaps
        The image.
    across_deg : float, optional
        Direction across the structure, as `anisotropy` gives it [°].

    Returns
    -------
    tuple of Cue
        ``layers``, a count: 0 where the strength is below 0.3, None where it is between that and 0.6; and
        ``layering``, the strength. The uncertainty of the count is from least steps of 7 % and 20 %.

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> bands = np.repeat([0.1, 0.9, 0.4, 0.8], 40)[:, None] * np.ones((1, 160))
    >>> layers, strength = layering(texture_maps(bands), 90.0)
    >>> print(f"{layers.value:.0f}, {strength.value:.2f}")
    4, 1.00
    """
    flat = maps.fine.grey - _shading(maps.fine.grey)
    whole = None
    if across_deg is not None:
        tried = [
            (_profile(maps, flat, angle, _ALL), angle) for angle in (across_deg, _broad_direction(maps), 0.0, 90.0)
        ]
        seen = [(profile, angle) for profile, angle in tried if profile is not None]
        if seen:
            whole, across_deg = max(seen, key=lambda found: found[0].strength)
    if across_deg is None or whole is None:
        return (
            Cue(
                name="layers", value=0.0, uncertainty=0.0, unit="", sentence="Noise is all there is, so no layers show."
            ),
            Cue(
                name="layering",
                value=0.0,
                uncertainty=_LEAST_SD,
                unit="",
                sentence="Structure has no direction, so nothing is layered.",
            ),
        )
    count = _bands(whole.grey, _LEAST_STEP)
    if count < 2 and _is_shading(whole.grey):
        sentence = "Greys have no step from band to band, so nothing is layered."
        return (
            Cue(name="layers", value=0.0, uncertainty=0.0, unit="", sentence=sentence),
            Cue(name="layering", value=0.0, uncertainty=_LEAST_SD, unit="", sentence=sentence),
        )
    parts = [_profile(maps, flat, across_deg, part) for part in maps.quarters]
    spread = of_quarters([part.strength for part in parts if part is not None])
    words = graded(
        whole.strength, _STEPS, ("not layered", "weakly layered", "layered, not in straight bands only", "layered")
    )
    strength = Cue(
        name="layering",
        value=whole.strength,
        uncertainty=math.hypot(spread or 0.0, _LEAST_SD),
        unit="",
        sentence=f"The image is {words}: parallel bands explain {two_digits(100 * whole.strength)} % of its greys.",
        direction_deg=across_deg,
    )
    return _layers(whole, count), strength


def _shading(grey: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """Return what changes slowly: three running means, which make nearly a Gaussian, and faster."""
    shade = grey
    for _ in range(3):
        shade = uniform_filter(shade, max(3, 2 * round(min(grey.shape) / _SHADING) + 1))
    return shade


def _broad_direction(maps: TextureMaps) -> float:
    """Return the direction across the structure by the slopes of the broader smoothing [°]."""
    x, y = maps.broad.x, maps.broad.y
    double = math.atan2(-2 * float((x * y).mean()), float((x * x).mean()) - float((y * y).mean()))
    return math.degrees(double / 2) % 180


def _layers(profile: Profile, count: int) -> Cue:
    if profile.strength < _NO_LAYERS:
        return Cue(name="layers", value=0.0, uncertainty=0.0, unit="", sentence="There are no layers.")
    if profile.strength < _LAYERED:
        return Cue(
            name="layers",
            value=None,
            uncertainty=None,
            unit="",
            sentence="Structure keeps to one direction, but not so straight that layers could be counted.",
        )
    if count < 2:
        return Cue(
            name="layers",
            value=None,
            uncertainty=None,
            unit="",
            sentence="The bands are too fine or too faint to be counted as layers.",
        )
    others = [_bands(profile.grey, step) for step in _OTHER_STEPS]
    return Cue(
        name="layers",
        value=float(count),
        uncertainty=math.sqrt(float(np.mean([(other - count) ** 2 for other in others]))),
        unit="",
        sentence=f"{count} layers lie across the image, told apart by steps of their grey.",
    )


def _profile(
    maps: TextureMaps, flat: Float[np.ndarray, "height width"], across_deg: float, part: tuple[slice, slice]
) -> Profile | None:
    """Return the profile across the bands, and how much of what is no shading it explains; None where noise is all."""
    grey, level = maps.fine.grey[part], flat[part]
    height, width = grey.shape
    angle = math.radians(across_deg)
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    place = (x * math.cos(angle))[None, :] - (y * math.sin(angle))[:, None]
    step = np.rint(place - place.min()).astype(np.int64).ravel()
    rows = np.bincount(step)
    mean, mean_level = (np.bincount(step, weights=g.ravel()) / np.maximum(rows, 1) for g in (grey, level))
    # Corners are crossed by few pixels.
    long = rows >= _LEAST_ROWS * rows.max()
    first, last = np.flatnonzero(long)[[0, -1]]
    kept = (step >= first) & (step <= last)
    noise = maps.noise**2 / (4 * math.pi * maps.fine.sigma_px**2)
    total = float(level.ravel()[kept].var()) - noise
    if total <= 0.2 * noise or total <= 1e-12:
        return None
    weight = rows[first : last + 1] / rows[first : last + 1].sum()
    across = mean_level[first : last + 1]
    middle = float((weight * across).sum())
    between = float((weight * (across - middle) ** 2).sum()) - noise / float(rows.max())
    return Profile(grey=mean[first : last + 1], strength=float(np.clip(between / total, 0.0, 1.0)))


def _is_shading(profile: Float[np.ndarray, " position"]) -> bool:
    """Tell a profile that changes smoothly, as a cubic polynomial does, from bands."""
    place = np.linspace(-1, 1, len(profile))
    rest = profile - np.polynomial.Polynomial.fit(place, profile, 3)(place)
    return float(rest.var()) <= _MOST_BESIDE_SHADING * float(profile.var())


def _bands(profile: Float[np.ndarray, " position"], least_step: float) -> int:
    """Return the number of bands: one more than the steps that are left when the smallest are merged away."""
    # In a long profile single steps of one pixel are detail of the bands.
    reach = max(_LEAST_REACH_PX, round(_REACH * len(profile)))
    slope = np.abs(np.diff(gaussian_filter1d(profile, reach / 6)))
    ends, _ = find_peaks(slope, height=least_step / (4 * reach))
    bounds = [0, *(int(end) + 1 for end in ends), len(profile)]
    while len(bounds) > 2:
        # Next to a boundary only: the grey of a shaded band changes over its width.
        steps = np.array(
            [
                abs(float(np.median(profile[max(a, b - reach) : b])) - float(np.median(profile[b : min(c, b + reach)])))
                for a, b, c in zip(bounds[:-2], bounds[1:-1], bounds[2:], strict=True)
            ]
        )
        smallest = int(steps.argmin())
        if steps[smallest] >= least_step:
            break
        del bounds[smallest + 1]
    return len(bounds) - 1
