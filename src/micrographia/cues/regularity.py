"""How much of an image repeats: the share of its variance that lies in peaks of the power spectrum."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from micrographia.cues.cue import Cue
from micrographia.cues.spacings import of_blocks, peaks
from micrographia.cues.spectrum import Spectrum, power_spectrum, radial_profile
from micrographia.cues.texture_maps import graded, of_quarters, two_digits

_MOST_PEAKS: Final = 40
_REACH_BINS: Final = 3.0
_BLOCKS_MATTER: Final = 0.01
_LEAST_SD: Final = 0.1
_STEPS: Final = (1.0, 10.0, 40.0)


def regularity(frame: Float[np.ndarray, "height width"]) -> Cue:
    r"""Return the share of the variance that lies in periodic peaks.

    .. math:: R = \sum_\text{peaks} (P - B) \Big/ \sum P

    with the power :math:`P` within three bins of each significant peak and the background :math:`B` of its ring. Peaks
    of blocks of compression count only where they hold 1 % or more.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.

    Returns
    -------
    Cue
        ``regularity`` [%]: 100 for a grating or a perfect lattice, 0 where nothing repeats. Its uncertainty is what the
        quarters of the image disagree by at the same frequencies.

    Examples
    --------
    >>> x = np.arange(128)
    >>> noise = np.random.default_rng(0).normal(0, 1, (128, 128))
    >>> cue = regularity(np.cos(2 * np.pi * x / 9.7) + noise)  # variances of 1/2 and 1
    >>> print(f"{cue.value:.0f} %")
    33 %
    """
    spectrum = power_spectrum(frame)
    places = periodic_peaks(spectrum)
    if not places:
        return Cue(
            name="regularity", value=0.0, uncertainty=_LEAST_SD, unit="%", sentence="Nothing in the image repeats."
        )
    share = 100 * peak_share(spectrum, places)
    down, right = (n // 2 for n in frame.shape)
    quarters = [
        frame[r, c] for r in (slice(0, down), slice(-down, None)) for c in (slice(0, right), slice(-right, None))
    ]
    parts = [100 * peak_share(power_spectrum(part), places) for part in quarters if np.ptp(part) > 0]
    words = graded(share, _STEPS, ("hardly regular", "weakly regular", "partly regular", "regular"))
    return Cue(
        name="regularity",
        value=share,
        uncertainty=math.hypot(of_quarters(parts) or 0.0, _LEAST_SD),
        unit="%",
        sentence=f"The image is {words}: {two_digits(share)} % of its variance repeats periodically.",
    )


def periodic_peaks(spectrum: Spectrum) -> tuple[tuple[float, float], ...]:
    """Return the frequencies (down, right) [1/px] of the periodic peaks, without those that compression leaves.

    Examples
    --------
    >>> waves = np.cos(2 * np.pi * np.arange(128) / 16) * np.ones((128, 1))
    >>> periodic_peaks(power_spectrum(waves))
    ((0.0, 0.0625),)
    """
    found = []
    for row, col, _ in peaks(spectrum, most=_MOST_PEAKS):
        place = (float(spectrum.row_frequency[row]), float(spectrum.col_frequency[col]))
        period, direction = 1 / math.hypot(*place), math.degrees(math.atan2(-place[0], place[1])) % 180
        if not of_blocks(period, direction) or peak_share(spectrum, (place,)) >= _BLOCKS_MATTER:
            found.append(place)
    return tuple(found)


def peak_share(spectrum: Spectrum, places: tuple[tuple[float, float], ...]) -> float:
    """Return the share, 0 to 1, of the variance that lies within three bins of some frequencies, above the background.

    Examples
    --------
    >>> waves = np.cos(2 * np.pi * np.arange(128) / 16) * np.ones((128, 1))
    >>> print(f"{peak_share(power_spectrum(waves), ((0.0, 1 / 16),)):.3f}")
    1.000
    """
    profile = radial_profile(spectrum)
    near = _near(spectrum, places)
    background = np.exp(np.interp(spectrum.radius[near], profile.frequency, np.log(profile.background + 1e-300)))
    # All but the first column, and the last of an even width, stand for two frequencies.
    twice = np.full(len(spectrum.col_frequency), 2.0)
    twice[spectrum.col_frequency == 0] = 1.0
    twice[spectrum.col_frequency == 0.5] = 1.0
    weights = np.broadcast_to(twice, spectrum.power.shape)
    total = float((spectrum.power * weights).sum())
    if total == 0:
        return 0.0
    return float(np.clip(((spectrum.power[near] - background) * weights[near]).sum() / total, 0.0, 1.0))


def _near(spectrum: Spectrum, places: tuple[tuple[float, float], ...]) -> Bool[np.ndarray, "row col"]:
    """Where the half plane is within three bins of the frequencies, or of their negatives."""
    rows, cols = len(spectrum.row_frequency), len(spectrum.col_frequency)
    step = float(spectrum.col_frequency[1])
    near = np.zeros((rows, cols), dtype=bool)
    for down, right in places:
        for sign in (1, -1):
            # Frequencies of rows go round: the distance is the shorter way.
            apart = (spectrum.row_frequency - sign * down + 0.5) % 1.0 - 0.5
            y, x = apart * rows, (spectrum.col_frequency - sign * right) / step
            near |= y[:, None] ** 2 + x[None, :] ** 2 <= _REACH_BINS**2
    return near
