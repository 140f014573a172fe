"""How regular an image is: the share of its variance that repeats."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.cues.cue import Cue
from micrographia.cues.periodicity import Periodicity, share_at
from micrographia.cues.texture_maps import graded, of_quarters, two_digits

_LEAST_SD: Final = 0.1
_STEPS: Final = (1.0, 10.0, 40.0)


def regularity(frame: Float[np.ndarray, "height width"], found: Periodicity) -> Cue:
    r"""Return the share of the variance that lies in periodic peaks.

    .. math:: R = \sum_\text{peaks} (P - B) \Big/ \sum P

    with the power :math:`P` within three bins of each significant peak and the background :math:`B` of its ring.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.
    found : Periodicity
        What repeats in it.

    Returns
    -------
    Cue
        ``regularity`` [%]: 100 for a grating or a perfect lattice, 0 where nothing repeats. Its uncertainty is what the
        quarters of the image disagree by at the same frequencies.

    Examples
    --------
    >>> from micrographia.cues.periodicity import periodicity
    >>> noise = np.random.default_rng(0).normal(0, 1, (128, 128))
    >>> frame = np.cos(2 * np.pi * np.arange(128) / 9.7) + noise  # variances of 1/2 and 1
    >>> print(f"{regularity(frame, periodicity(frame)).value:.0f} %")
    33 %
    """
    if not found.peaks:
        return Cue(
            name="regularity", value=0.0, uncertainty=_LEAST_SD, unit="%", sentence="Nothing in the image repeats."
        )
    share = 100 * found.share
    down, right = (n // 2 for n in frame.shape)
    quarters = [
        frame[rows, cols]
        for rows in (slice(0, down), slice(-down, None))
        for cols in (slice(0, right), slice(-right, None))
    ]
    places = tuple(peak.place for peak in found.peaks)
    parts = [100 * share_at(part, places) for part in quarters if np.ptp(part) > 0]
    words = graded(share, _STEPS, ("hardly regular", "weakly regular", "partly regular", "regular"))
    return Cue(
        name="regularity",
        value=share,
        uncertainty=math.hypot(of_quarters(parts) or 0.0, _LEAST_SD),
        unit="%",
        sentence=f"The image is {words}: {two_digits(share)} % of its variance repeats periodically.",
    )
