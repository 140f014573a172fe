"""An image as a teacher sees it: greys between the 1st and the 99th percentile, no name, no metadata."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from jaxtyping import Float32
from PIL import Image

MOST_SHOWN_PX: Final = 1024
"""Longest side of a picture that is shown [px]: providers scale larger ones down themselves, and charge for them."""
_STRETCH_PERCENT: Final = (1.0, 99.0)


def shown(frame: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "_height _width"]:
    """Return a frame at the size in which it is shown: as it is, or its longest side scaled to `MOST_SHOWN_PX`.

    Examples
    --------
    >>> shown(np.zeros((512, 2048), dtype=np.float32)).shape
    (256, 1024)
    """
    height, width = frame.shape
    scale = MOST_SHOWN_PX / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(frame, mode="F").resize(size, Image.Resampling.BOX), dtype=np.float32)


def png(frame: Float32[np.ndarray, "height width"]) -> bytes:
    """Return a picture of a frame as PNG of 8-bit greys.

    Parameters
    ----------
    frame : float32 array (height, width)
        Intensities in any units.

    Returns
    -------
    bytes
        The 1st percentile is black and the 99th white. There is nothing in the file but the pixels, and the same
        pixels always give the same bytes.

    Examples
    --------
    >>> ramp = np.tile(np.arange(256, dtype=np.float32), (8, 1))
    >>> with Image.open(io.BytesIO(png(ramp))) as picture:
    ...     picture.size, picture.mode, picture.getextrema()
    ((256, 8), 'L', (0, 255))
    """
    low, high = np.percentile(frame, _STRETCH_PERCENT)
    scale = 255.0 / (high - low) if high > low else 0.0
    greys = np.clip(np.rint((shown(frame) - low) * scale), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(greys).save(buffer, format="PNG")
    return buffer.getvalue()
