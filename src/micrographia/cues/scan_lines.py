"""Scan lines that are brighter or darker than their neighbours."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from jaxtyping import Float

from micrographia.cues.cue import Cue, picture
from micrographia.cues.spectrum import BINS_PER_SAMPLE, hann, noise_floor
from micrographia.micrograph import Micrograph


def line_noise(micrograph: Micrograph, *, channel: int = 0) -> Cue:
    """Return how much scan lines are shifted in intensity against each other, beyond what columns are.

    The variance of the means of rows, at more than a quarter of a period a row, less the same of the columns, which no
    scan shifts: what noise of single pixels and a specimen without a preferred direction give is in both.

    Parameters
    ----------
    micrograph : Micrograph
        A scan with its fast direction along the rows.
    channel : int
        Which channel.

    Returns
    -------
    Cue
        ``line noise`` [the file's intensity units], a standard deviation.

    Raises
    ------
    InputError
        All pixels are equal, or there is no such channel.

    Notes
    -----
    Compare L. Jones and P. D. Nellist, Microsc. Microanal. 19 (2013) 1050, doi:10.1017/S1431927613001402, on
    what disturbs a scan.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> rng = np.random.default_rng(0)
    >>> scan = rng.normal(0, 1, (1, 512, 512)) + rng.normal(0, 0.5, (1, 512, 1))
    >>> cue = line_noise(Micrograph(frames=scan.astype(np.float32), pixel_size_nm=None, context=Context(),
    ...                             provenance=source))
    >>> print(f"{cue.value:.2f} ± {cue.uncertainty:.2f}")
    0.43 ± 0.04
    """
    frame = picture(micrograph, channel)
    height, width = frame.shape
    rows, rows_sd = _fine_variance(frame.mean(axis=1))
    cols, cols_sd = _fine_variance(frame.mean(axis=0))
    excess = rows - cols * height / width
    excess_sd = math.hypot(rows * rows_sd, cols * cols_sd * height / width)
    value = math.sqrt(max(excess, 0.0))
    # For a value near zero, what its square may be takes over from the derivative.
    uncertainty = min(excess_sd / max(2 * value, 1e-300), math.sqrt(excess_sd))
    words = (
        "Scan lines are not shifted in intensity beyond what noise does."
        if excess < 3 * excess_sd
        else "Scan lines are shifted in intensity against each other: streaks along the fast direction."
    )
    return Cue(
        name="line noise",
        value=value,
        uncertainty=uncertainty,
        unit="intensity units",
        sentence=words,
        channel=channel,
    )


def _fine_variance(means: Float[np.ndarray, " line"]) -> tuple[float, float]:
    window = hann(len(means))
    transform = scipy.fft.rfft(window * (means - float((window * means).sum() / window.sum())))
    power = np.abs(transform[scipy.fft.rfftfreq(len(means)) > 0.25]) ** 2 / float((window**2).sum())
    floor, relative_sd = noise_floor(power)
    # `noise_floor` counts a plane of frequencies; along one axis neighbours share less.
    return floor, relative_sd / BINS_PER_SAMPLE**0.25
