"""Arrays as pictures: display ranges, 8-bit encoding, data URIs."""

from __future__ import annotations

import base64
import io
from typing import Final

import numpy as np
from jaxtyping import Float
from PIL import Image

# Ends and middle of the diverging scale: blue where the data are darker than the model, red where brighter.
_NEGATIVE, _MIDDLE, _POSITIVE = (25, 84, 166), (246, 246, 244), (176, 32, 38)
_LONGEST_PX: Final = 2048
_LOSSLESS_PIXELS: Final = 1_200_000


def grey_limits(frame: Float[np.ndarray, "height width"]) -> tuple[float, float]:
    """Return the intensities shown black and white: the 0.5 and 99.5 % quantiles.

    Examples
    --------
    >>> grey_limits(np.arange(1001.0).reshape(7, 143))
    (5.0, 995.0)
    """
    low, high = (float(v) for v in np.percentile(frame, (0.5, 99.5)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def residual_limit(residual: Float[np.ndarray, "height width"]) -> float:
    """Return the magnitude shown in full colour: the 99.5 % quantile of the magnitude, never 0."""
    limit = float(np.percentile(np.abs(residual), 99.5))
    return limit if limit > 0 else 1.0


def _diverging_palette() -> list[int]:
    t = np.linspace(-1, 1, 255)[:, None]
    ends = np.where(t < 0, np.array(_NEGATIVE), np.array(_POSITIVE))
    rows = np.array(_MIDDLE) + np.abs(t) ** 0.8 * (ends - np.array(_MIDDLE))
    return [int(v) for v in np.rint(np.vstack([rows, rows[-1:]])).ravel()]


def grey_image(frame: Float[np.ndarray, "height width"], limits: tuple[float, float]) -> Image.Image:
    """Return a picture of ``frame`` in 256 greys, black and white at ``limits``."""
    low, high = limits
    scaled = np.clip((frame.astype(np.float64) - low) / (high - low), 0, 1)
    return Image.fromarray(np.rint(scaled * 255).astype(np.uint8))


def residual_image(residual: Float[np.ndarray, "height width"], limit: float) -> Image.Image:
    """Return a picture of ``residual`` on a diverging scale, -``limit`` blue, 0 white, +``limit`` red."""
    scaled = np.clip(residual.astype(np.float64) / limit, -1, 1)
    picture = Image.fromarray(np.rint((scaled + 1) * 127).astype(np.uint8))
    picture.putpalette(_diverging_palette())
    return picture


def data_uri(picture: Image.Image) -> str:
    """Return a picture as a data URI: PNG, or JPEG where a large scan would make a page too heavy to mail.

    A picture more than 2048 pixels long is reduced to that.
    """
    if picture.width * picture.height <= _LOSSLESS_PIXELS:
        return _encode(picture, "png")
    full = picture.convert("RGB" if picture.mode == "P" else "L")
    full.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.BOX)
    return _encode(full, "jpeg")


def _encode(picture: Image.Image, kind: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=85, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
