"""Power spectra, normalised so that white noise has its variance at every frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
from jaxtyping import Float

# Under a Hann window a bin's power is correlated with its neighbours': 4/9 at one bin and 1/36 at two, along each
# axis. A mean over many bins is worth this many times fewer independent ones.
BINS_PER_SAMPLE: Final = (1 + 2 * 4 / 9 + 2 / 36) ** 2
_LN2: Final = math.log(2)


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Power spectrum of a frame, the half plane of frequencies that a real image has.

    Parameters
    ----------
    power : float array (row, col)
        Power, in squared intensity units: the variance of the noise, where there is nothing but white noise.
    row_frequency : float array (row,)
        Frequency down the rows [1/px], -0.5 to 0.5, in the order of the transform.
    col_frequency : float array (col,)
        Frequency along the columns [1/px], 0 to 0.5.
    """

    power: Float[np.ndarray, "row col"]
    row_frequency: Float[np.ndarray, " row"]
    col_frequency: Float[np.ndarray, " col"]

    @property
    def radius(self) -> Float[np.ndarray, "row col"]:
        """Magnitude of the frequency [1/px]."""
        radius: np.ndarray = np.hypot(self.row_frequency[:, None], self.col_frequency[None, :])
        return radius


@dataclass(frozen=True, kw_only=True)
class RadialProfile:
    """Mean power in rings of equal width.

    Parameters
    ----------
    frequency : float array (ring,)
        Middle of each ring [1/px].
    power : float array (ring,)
        Mean power, in squared intensity units.
    background : float array (ring,)
        Mean power without the few brightest frequencies: the median over ln 2, as `noise_floor` explains.
    relative_sd : float array (ring,)
        Standard error of ``power``, relative to it.
    """

    frequency: Float[np.ndarray, " ring"]
    power: Float[np.ndarray, " ring"]
    background: Float[np.ndarray, " ring"]
    relative_sd: Float[np.ndarray, " ring"]


def hann(length: int) -> Float[np.ndarray, " length"]:
    """Return a Hann window without zeros at its ends, which keeps the image's edges out of the spectrum."""
    return np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2


def power_spectrum(frame: Float[np.ndarray, "height width"]) -> Spectrum:
    r"""Return the power spectrum under a Hann window.

    .. math:: P(q) = \left|\sum_x w(x)\,(I(x) - \bar I)\,e^{-2\pi i q x}\right|^2 \Big/ \sum_x w(x)^2

    Parameters
    ----------
    frame : float array (height, width)
        Intensities.

    Returns
    -------
    Spectrum
        Its power in squared intensity units.

    Notes
    -----
    F. J. Harris, Proc. IEEE 66 (1978) 51, doi:10.1109/PROC.1978.10837, for the window and what it does to noise.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(0, 3, (512, 512))
    >>> print(f"{power_spectrum(noise).power.mean():.0f}")  # the variance
    9
    """
    height, width = frame.shape
    window = np.outer(hann(height), hann(width))
    mean = float((window * frame).sum() / window.sum())
    transform = scipy.fft.rfft2(window * (frame - mean))
    return Spectrum(
        power=np.abs(transform) ** 2 / float((window**2).sum()),
        row_frequency=scipy.fft.fftfreq(height),
        col_frequency=scipy.fft.rfftfreq(width),
    )


def radial_profile(spectrum: Spectrum) -> RadialProfile:
    """Return the mean power in rings, from the third frequency above zero to the highest of an axis.

    Examples
    --------
    >>> profile = radial_profile(power_spectrum(np.random.default_rng(1).normal(0, 3, (256, 256))))
    >>> bool(np.all(np.abs(profile.power / 9 - 1) < 5 * profile.relative_sd))
    True
    """
    side = min(len(spectrum.row_frequency), 2 * (len(spectrum.col_frequency) - 1))
    rings = int(np.clip(side // 4, 4, 128))
    edges = np.linspace(min(2.5 / side, 0.25), 0.5, rings + 1)
    ring = np.digitize(spectrum.radius.ravel(), edges) - 1
    keep = (ring >= 0) & (ring < rings)
    count = np.bincount(ring[keep], minlength=rings)
    total = np.bincount(ring[keep], weights=spectrum.power.ravel()[keep], minlength=rings)
    filled = count > 0
    order = np.argsort(ring, kind="stable")
    ends = np.searchsorted(ring[order], np.arange(rings + 1))
    members = np.split(spectrum.power.ravel()[order], ends)[1:-1]
    background = np.array([np.median(m) / _LN2 if len(m) else 0.0 for m in members])
    return RadialProfile(
        frequency=((edges[1:] + edges[:-1]) / 2)[filled],
        power=total[filled] / count[filled],
        background=background[filled],
        relative_sd=np.sqrt(BINS_PER_SAMPLE / count[filled]),
    )


def noise_floor(power: np.ndarray) -> tuple[float, float]:
    r"""Return the mean of noise power from its median, and the relative standard error of that.

    The power of noise at one frequency is distributed exponentially, so its mean is its median over ln 2, and the
    median hardly notices a few bright reflections. The median of n such values has a relative standard error
    of :math:`1/(\ln 2\,\sqrt{n})`.

    Parameters
    ----------
    power : float array (...)
        Power at some frequencies of a plane.

    Returns
    -------
    (float, float)
        Mean of the noise power, and its relative standard error.

    Examples
    --------
    >>> floor, relative_sd = noise_floor(np.random.default_rng(0).exponential(4.0, 100_000))
    >>> abs(floor / 4 - 1) < 3 * relative_sd
    True
    """
    floor = float(np.median(power)) / _LN2
    return floor, 1 / (_LN2 * math.sqrt(max(power.size / BINS_PER_SAMPLE, 1)))
