"""How noisy and how sharp a micrograph is, from its power spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.cues.cue import Cue, length_words, picture
from micrographia.cues.spectrum import Spectrum, noise_floor, power_spectrum, radial_profile
from micrographia.micrograph import Micrograph

# White noise has the same power in all parts of the band; a drop by more than this fraction is not white.
_FALLING: Final = 0.3


@dataclass(frozen=True, kw_only=True)
class Noise:
    """White noise of a frame: standard deviation, its standard uncertainty, and whether it is white at all."""

    sd: float
    sd_uncertainty: float
    white: bool


def noise_level(micrograph: Micrograph, *, channel: int = 0) -> tuple[Cue, Cue]:
    r"""Return the noise of one pixel, and the signal-to-noise ratio.

    The variance is the power in the band :math:`|q_x|, |q_y| > 1/4` px\ :sup:`-1`, where images have least signal,
    taken from the median so that reflections do not count. The uncertainty covers the
    scatter of that median, and differences between the four quarters of the band beyond it, which tell that the
    noise is not white or that detail reaches there. Signal-to-noise is the ratio of standard deviations,
    :math:`\sqrt{\mathrm{var}(I) - \sigma^2}/\sigma`.

    Parameters
    ----------
    micrograph : Micrograph
        What to look at.
    channel : int
        Which channel.

    Returns
    -------
    tuple of Cue
        ``noise`` [the file's intensity units] and ``signal to noise``.

    Raises
    ------
    InputError
        All pixels are equal, or there is no such channel.

    Notes
    -----
    The median over ln 2 as the mean of a periodogram: D. B. Percival and A. T. Walden, *Spectral Analysis for
    Physical Applications* (1993), doi:10.1017/CBO9780511622762.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> frames = np.random.default_rng(0).normal(100, 5, (1, 128, 128)).astype(np.float32)
    >>> noise, _ = noise_level(Micrograph(frames=frames, pixel_size_nm=None, context=Context(), provenance=source))
    >>> print(f"{noise.value:.1f} ± {noise.uncertainty:.1f}")
    5.1 ± 0.2
    """
    return noise_of_frame(picture(micrograph, channel), channel=channel)


def noise_of_frame(
    frame: Float[np.ndarray, "height width"], *, spectrum: Spectrum | None = None, channel: int = 0
) -> tuple[Cue, Cue]:
    """Return the noise and the signal-to-noise ratio of one frame without a bar of print, as `noise_level` explains.

    Its power spectrum may be handed in where it is known already.

    Examples
    --------
    >>> noise, _ = noise_of_frame(np.random.default_rng(0).normal(100, 5, (128, 128)))
    >>> print(f"{noise.value:.1f} ± {noise.uncertainty:.1f}")
    5.1 ± 0.2
    """
    noise = noise_of(power_spectrum(frame) if spectrum is None else spectrum)
    variance = float(frame.var())
    signal = math.sqrt(max(variance - noise.sd**2, 0.0))
    doubt = (
        ""
        if noise.white
        else " Its power falls towards the finest detail, so it is not white: the image was blurred, interpolated, "
        "denoised or compressed, or shows detail down to a pixel."
    )
    if noise.sd == 0:
        return (
            Cue(
                name="noise",
                value=0.0,
                uncertainty=noise.sd_uncertainty,
                unit="intensity units",
                sentence="There is no noise at the finest detail: the image was made, smoothed or compressed.",
                channel=channel,
            ),
            Cue(
                name="signal to noise",
                value=None,
                uncertainty=None,
                unit="",
                sentence="Without noise there is no signal-to-noise ratio.",
                channel=channel,
            ),
        )
    ratio = signal / noise.sd
    # d(ratio)/d(sd) = -variance / (sd^2 signal); where the signal vanishes, what its variance may be takes over.
    relative = noise.sd_uncertainty / noise.sd
    gain = variance / noise.sd**2 * relative
    ratio_sd = min(gain / max(ratio, 1e-300), math.sqrt(2 * gain))
    factor = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"
    words = (
        "Signal cannot be told from noise in the spread of intensities."
        if ratio < ratio_sd
        else f"Intensities vary {factor} times as much as the noise of one pixel does."
    )
    return (
        Cue(
            name="noise",
            value=noise.sd,
            uncertainty=noise.sd_uncertainty,
            unit="intensity units",
            sentence=f"Standard deviation of the noise of one pixel.{doubt}",
            channel=channel,
        ),
        Cue(
            name="signal to noise",
            value=ratio,
            uncertainty=ratio_sd,
            unit="",
            sentence=words,
            channel=channel,
        ),
    )


def sharpness(micrograph: Micrograph, *, channel: int = 0) -> Cue:
    """Return the information limit: the period at which structure has as much power as noise.

    The power is averaged over all directions. At the limit the average has fallen to twice the noise floor of
    `noise_level`; finer detail drowns. It depends on the dose as well as on the optics.

    Parameters
    ----------
    micrograph : Micrograph
        What to look at.
    channel : int
        Which channel.

    Returns
    -------
    Cue
        ``information limit`` [nm, or px where the pixel size is unknown]; its value is None where the spectrum has no
        flat noise floor, or no structure.

    Raises
    ------
    InputError
        All pixels are equal, or there is no such channel.

    Notes
    -----
    The factor of two is this package's convention. On the information limit: L. Reimer and H. Kohl, *Transmission
    Electron Microscopy* (2008), doi:10.1007/978-0-387-40093-8.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> frames = np.random.default_rng(0).normal(100, 5, (1, 128, 128)).astype(np.float32)
    >>> sharpness(Micrograph(frames=frames, pixel_size_nm=None, context=Context(), provenance=source)).sentence
    'No structure stands above the noise at any period.'
    """
    spectrum = power_spectrum(picture(micrograph, channel))
    noise = noise_of(spectrum)
    size, unit = (micrograph.pixel_size_nm, "nm") if micrograph.pixel_size_nm else (1.0, "px")
    if not noise.white or noise.sd == 0:
        return _no_limit(
            "The power spectrum has no flat noise floor, so where structure ends cannot be told: the image was "
            "blurred, interpolated, denoised or compressed, or shows detail down to a pixel.",
            unit,
            channel,
        )
    profile = radial_profile(spectrum)
    excess = np.log(profile.power / (2 * noise.sd**2))
    above = np.flatnonzero(excess > 0)
    if not len(above):
        return _no_limit("No structure stands above the noise at any period.", unit, channel)
    last = int(above[-1])
    if last == len(excess) - 1:
        return Cue(
            name="information limit",
            value=2.0 * size,
            uncertainty=None,
            unit=unit,
            sentence="Structure stands above the noise at every period that pixels of this size can show.",
            channel=channel,
        )
    step = float(profile.frequency[last + 1] - profile.frequency[last])
    slope = float(excess[last] - excess[last + 1]) / step
    frequency = float(profile.frequency[last]) + float(excess[last]) / slope
    scatter = math.hypot(float(profile.relative_sd[last]), 2 * noise.sd_uncertainty / noise.sd)
    frequency_sd = math.hypot(scatter / slope, step / math.sqrt(12))
    period = size / frequency
    pixels = f" ({1 / frequency:.2g} pixels)" if unit == "nm" else ""
    return Cue(
        name="information limit",
        value=period,
        uncertainty=period * frequency_sd / frequency,
        unit=unit,
        sentence=f"On average over all directions, detail with a period below {length_words(period, unit)}{pixels} "
        "drowns in the noise.",
        channel=channel,
    )


def _no_limit(sentence: str, unit: str, channel: int) -> Cue:
    return Cue(name="information limit", value=None, uncertainty=None, unit=unit, sentence=sentence, channel=channel)


def noise_of(spectrum: Spectrum) -> Noise:
    """Return the noise by the finest detail of a spectrum, as `noise_level` explains."""
    rows, cols = np.abs(spectrum.row_frequency), spectrum.col_frequency
    inner_rows, outer_rows = (rows > 0.25) & (rows <= 0.375), rows > 0.375
    inner_cols, outer_cols = (cols > 0.25) & (cols <= 0.375), cols > 0.375
    quarters = [
        spectrum.power[np.ix_(np.flatnonzero(r), np.flatnonzero(c))].ravel()
        for r in (inner_rows, outer_rows)
        for c in (inner_cols, outer_cols)
    ]
    floor, relative_sd = noise_floor(np.concatenate(quarters))
    if floor == 0:
        return Noise(sd=0.0, sd_uncertainty=0.0, white=False)
    parts = [noise_floor(quarter) for quarter in quarters]
    between = float(np.var([part[0] / floor for part in parts], ddof=1))
    expected = float(np.mean([part[1] ** 2 for part in parts]))
    relative = math.sqrt(relative_sd**2 + max(between - expected, 0.0))
    drop = 1 - parts[3][0] / parts[0][0]
    return Noise(
        sd=math.sqrt(floor),
        sd_uncertainty=math.sqrt(floor) * relative / 2,
        white=drop < max(_FALLING, 4 * math.hypot(parts[0][1], parts[3][1])),
    )
