"""Grey values as a network sees them: the same range whatever the detector's gain."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float
from PIL import Image

from micrographia.errors import InputError

_ENDS_PERCENT: Final = (1.0, 99.0)
_LIMIT: Final = 2.0


def normalised(frame: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return grey values with the 1st percentile at -1 and the 99th at 1, cut off at -2 and 2.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.

    Returns
    -------
    float32 array (height, width)
        Normalised grey values.

    Raises
    ------
    InputError
        All pixels are equal.

    Examples
    --------
    >>> ramp = np.linspace(0, 100, 101 * 9, dtype=np.float32).reshape(101, 9)
    >>> bool(abs(np.median(normalised(ramp))) < 0.01), round(float(normalised(ramp).max()), 2)
    (True, 1.02)
    """
    low, high = np.percentile(frame, _ENDS_PERCENT)
    if high <= low:
        low, high = float(frame.min()), float(frame.max())
    if high <= low:
        raise InputError(f"all pixels are equal ({low:g}), so there is nothing to tell apart; check the image")
    grey: Float[np.ndarray, "height width"] = np.clip(
        (frame.astype(np.float64) - low) / (high - low) * 2 - 1, -_LIMIT, _LIMIT
    ).astype(np.float32)
    return grey


def picture(frame: Float[np.ndarray, "height width"]) -> Image.Image:
    """Return an image as checkpoints of others know images: 8 bit, three equal colours.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.

    Returns
    -------
    PIL.Image.Image
        RGB, with what `normalised` puts at -1 black and at 1 white.

    Raises
    ------
    InputError
        All pixels are equal.

    Examples
    --------
    >>> picture(np.linspace(0, 1, 5 * 60).reshape(5, 60)).getpixel((59, 4))
    (255, 255, 255)
    """
    grey = np.rint((np.clip(normalised(frame), -1, 1) + 1) * 127.5).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
