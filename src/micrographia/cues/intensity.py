"""What the intensities alone tell: clipping, contrast, dynamic range."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.cues.cue import Cue, picture
from micrographia.cues.noise import noise_of
from micrographia.cues.spectrum import Spectrum, power_spectrum
from micrographia.micrograph import Micrograph

_FEWEST_LEVELS: Final = 16
_LEAST_SHARE: Final = 1e-4
_PILE: Final = 1.5


def saturation(micrograph: Micrograph, *, channel: int = 0) -> Cue:
    """Return the share of pixels that are clipped at the darkest or the brightest intensity.

    An end counts as clipped where at least one pixel in 10 000 has exactly that intensity, and half as many again
    as have the next one. An image of fewer than 16 intensities is not judged.

    Parameters
    ----------
    micrograph : Micrograph
        What to look at.
    channel : int
        Which channel.

    Returns
    -------
    Cue
        ``saturation`` [%], an exact count.

    Raises
    ------
    InputError
        All pixels are equal, or there is no such channel.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> frames = np.random.default_rng(0).permutation(np.clip(np.arange(10_000.0), 0, 9899)).reshape(1, 100, 100)
    >>> scan = Micrograph(frames=frames.astype(np.float32), pixel_size_nm=None, context=Context(), provenance=source)
    >>> saturation(scan).value
    1.01
    """
    frame = picture(micrograph, channel)
    levels, counts = np.unique(frame, return_counts=True)
    if len(levels) < _FEWEST_LEVELS:
        return Cue(
            name="saturation",
            value=None,
            uncertainty=None,
            unit="%",
            sentence=f"The image has only {len(levels)} different intensities, too few to tell clipping from counting.",
            channel=channel,
        )
    shares = {}
    for name, end, beside in (("black", 0, 1), ("white", -1, -2)):
        clipped = counts[end] >= max(2, _LEAST_SHARE * frame.size) and counts[end] > _PILE * counts[beside]
        shares[name] = 100 * int(counts[end]) / frame.size if clipped else 0.0
    parts = [f"{share:.2g} % are clipped to {name}" for name, share in shares.items() if share]
    words = f"Of all pixels {' and '.join(parts)}; what they showed is lost." if parts else "No pixels are clipped."
    return Cue(
        name="saturation",
        value=round(sum(shares.values()), 9),
        uncertainty=None,
        unit="%",
        sentence=words,
        channel=channel,
    )


def contrast(micrograph: Micrograph, *, channel: int = 0) -> Cue:
    r"""Return the contrast: the spread of intensities beyond the noise, relative to their mean.

    .. math:: C = \sqrt{\mathrm{var}(I) - \sigma^2}\,/\,\bar I

    Parameters
    ----------
    micrograph : Micrograph
        What to look at.
    channel : int
        Which channel.

    Returns
    -------
    Cue
        ``contrast`` [%]; None where intensities go below zero, so that their zero is not that of the signal.

    Raises
    ------
    InputError
        All pixels are equal, or there is no such channel.

    Notes
    -----
    Root-mean-square contrast: E. Peli, J. Opt. Soc. Am. A 7 (1990) 2032, doi:10.1364/JOSAA.7.002032.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> steps = np.repeat(np.array([50.0, 150.0], dtype=np.float32), 32 * 64).reshape(1, 64, 64)
    >>> scan = Micrograph(frames=steps, pixel_size_nm=None, context=Context(), provenance=source)
    >>> print(f"{contrast(scan).value:.0f} %")
    50 %
    """
    return contrast_of_frame(picture(micrograph, channel), channel=channel)


def contrast_of_frame(
    frame: Float[np.ndarray, "height width"], *, spectrum: Spectrum | None = None, channel: int = 0
) -> Cue:
    """Return the contrast of one frame without a bar of print, as `contrast` explains.

    Its power spectrum may be handed in where it is known already.

    Examples
    --------
    >>> print(f"{contrast_of_frame(np.repeat([50.0, 150.0], 32 * 64).reshape(64, 64)).value:.0f} %")
    50 %
    """
    mean = float(frame.mean())
    if frame.min() < 0 or mean <= 0:
        return Cue(
            name="contrast",
            value=None,
            uncertainty=None,
            unit="%",
            sentence="Some intensities are negative, so a ratio to their zero means nothing.",
            channel=channel,
        )
    noise = noise_of(power_spectrum(frame) if spectrum is None else spectrum)
    signal = math.sqrt(max(float(frame.var()) - noise.sd**2, 0.0))
    doubt = noise.sd * noise.sd_uncertainty
    return Cue(
        name="contrast",
        value=100 * signal / mean,
        uncertainty=100 * min(doubt / max(signal, 1e-300), math.sqrt(2 * doubt)) / mean,
        unit="%",
        sentence="Spread of the intensities beyond the noise, over their mean. Whether the file's zero means no signal "
        "is not known.",
        channel=channel,
    )


def dynamic_range(micrograph: Micrograph, *, channel: int = 0) -> Cue:
    r"""Return the dynamic range: how many steps of the size of the noise lie between dark and bright.

    .. math:: D = \log_2 \frac{I_{99.9\,\%} - I_{0.1\,\%}}{\max(\sigma, \Delta)}

    with the noise :math:`\sigma` and the smallest step between two intensities in use :math:`\Delta`.

    Parameters
    ----------
    micrograph : Micrograph
        What to look at.
    channel : int
        Which channel.

    Returns
    -------
    Cue
        ``dynamic range`` [bit].

    Raises
    ------
    InputError
        All pixels are equal, or there is no such channel.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> ramp = np.tile(np.arange(256, dtype=np.float32), (1, 64, 1))
    >>> scan = Micrograph(frames=ramp, pixel_size_nm=None, context=Context(), provenance=source)
    >>> print(f"{dynamic_range(scan).value:.1f} bit")
    8.0 bit
    """
    frame = picture(micrograph, channel)
    levels = np.unique(frame)
    step = float(np.diff(levels).min())
    noise = noise_of(power_spectrum(frame))
    darkest, brightest = _ends(frame)
    steps = max((brightest - darkest) / max(noise.sd, step), 1.0)
    uncertainty = noise.sd_uncertainty / (noise.sd * math.log(2)) if noise.sd > step else None
    by_noise = "The noise" if noise.sd > step else "The step between two intensities of the file"
    return Cue(
        name="dynamic range",
        value=math.log2(steps),
        uncertainty=uncertainty,
        unit="bit",
        sentence=f"{by_noise} fits {steps:,.0f} times between dark and bright; "
        f"the image has {len(levels):,} different intensities.",
        channel=channel,
    )


def _ends(frame: Float[np.ndarray, "height width"]) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(frame, (0.1, 99.9)))
    return (low, high) if high > low else (float(frame.min()), float(frame.max()))
