"""What repeats in an image: the significant peaks of its power spectrum, and how much of the variance each holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from micrographia.cues.spacings import of_blocks, peaks
from micrographia.cues.spectrum import Spectrum, power_spectrum, radial_profile

_MOST_PEAKS: Final = 40
_REACH_BINS: Final = 3.0
_BLOCKS_MATTER: Final = 0.01

Place = tuple[float, float]
"""A frequency, down and right [1/px]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Peak:
    """One periodic peak of a power spectrum.

    Parameters
    ----------
    row, col : int
        Its bin.
    strength : float
        Its power over that of the background.
    place : (float, float)
        Its frequency, down and right [1/px].
    share : float
        Share of the variance that it holds, 0 to 1.
    """

    row: int
    col: int
    strength: float
    place: Place
    share: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Periodicity:
    """What repeats in an image.

    Parameters
    ----------
    spectrum : Spectrum
        Power spectrum of the image.
    peaks : tuple of Peak
        Its periodic peaks, the strongest first, without those that blocks of compression leave.
    share : float
        Share of the variance that they hold together, 0 to 1.
    """

    spectrum: Spectrum
    peaks: tuple[Peak, ...]
    share: float


def periodicity(frame: Float[np.ndarray, "height width"]) -> Periodicity:
    """Return what repeats in an image.

    Peaks where blocks of JPEG compression leave them count only if they hold 1 % of the variance or more.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.

    Examples
    --------
    >>> waves = np.cos(2 * np.pi * np.arange(128) / 16) * np.ones((128, 1))
    >>> found = periodicity(waves)
    >>> [peak.place for peak in found.peaks], round(found.share, 3)
    ([(0.0, 0.0625)], 1.0)
    """
    spectrum = power_spectrum(frame)
    excess = excess_power(spectrum)
    total = float(_weighted(spectrum, spectrum.power).sum())
    found = []
    for row, col, strength in peaks(spectrum, most=_MOST_PEAKS):
        place = (float(spectrum.row_frequency[row]), float(spectrum.col_frequency[col]))
        share = float(np.clip(excess[near_places(spectrum, (place,))].sum() / total, 0.0, 1.0))
        period, direction = 1 / math.hypot(*place), math.degrees(math.atan2(-place[0], place[1])) % 180
        if not of_blocks(period, direction) or share >= _BLOCKS_MATTER:
            found.append(Peak(row=row, col=col, strength=strength, place=place, share=share))
    together = near_places(spectrum, tuple(peak.place for peak in found))
    return Periodicity(
        spectrum=spectrum,
        peaks=tuple(found),
        share=float(np.clip(excess[together].sum() / total, 0.0, 1.0)) if found else 0.0,
    )


def share_at(frame: Float[np.ndarray, "height width"], places: tuple[Place, ...]) -> float:
    """Return the share of the variance, 0 to 1, within three bins of some frequencies, above the background.

    Examples
    --------
    >>> waves = np.cos(2 * np.pi * np.arange(128) / 16) * np.ones((128, 1))
    >>> print(f"{share_at(waves, ((0.0, 1 / 16),)):.3f}")
    1.000
    """
    spectrum = power_spectrum(frame)
    total = float(_weighted(spectrum, spectrum.power).sum())
    if total == 0:
        return 0.0
    return float(np.clip(excess_power(spectrum)[near_places(spectrum, places)].sum() / total, 0.0, 1.0))


def excess_power(spectrum: Spectrum) -> Float[np.ndarray, "row col"]:
    """Return the power above the background of its ring, that of the half plane left out included."""
    profile = radial_profile(spectrum)
    background = np.exp(np.interp(spectrum.radius, profile.frequency, np.log(profile.background + 1e-300)))
    return _weighted(spectrum, spectrum.power - background)


def _weighted(spectrum: Spectrum, power: Float[np.ndarray, "row col"]) -> Float[np.ndarray, "row col"]:
    # All but the first column, and the last of an even width, stand for two frequencies.
    twice = np.where((spectrum.col_frequency == 0) | (spectrum.col_frequency == 0.5), 1.0, 2.0)
    return np.asarray(power * twice)


def near_places(spectrum: Spectrum, places: tuple[Place, ...]) -> Bool[np.ndarray, "row col"]:
    """Return where the half plane is within three bins of some frequencies, or of their negatives."""
    rows, cols = len(spectrum.row_frequency), len(spectrum.col_frequency)
    step = float(spectrum.col_frequency[1])
    reach = math.ceil(_REACH_BINS)
    near = np.zeros((rows, cols), dtype=bool)
    for place in places:
        for sign in (1, -1):
            row, col = sign * place[0] * rows, sign * place[1] / step
            around_row = np.arange(round(row) - reach, round(row) + reach + 1)
            around_col = np.arange(round(col) - reach, round(col) + reach + 1)
            inside = (around_row[:, None] - row) ** 2 + (around_col[None, :] - col) ** 2 <= _REACH_BINS**2
            there = (around_col >= 0) & (around_col < cols)
            near[np.ix_(around_row % rows, around_col[there])] |= inside[:, there]
    return near
