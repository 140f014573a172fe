"""How classes of a segmented image are drawn: the same colour in every figure and page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Int, UInt8

from micrographia.segment.segmentation import Segmentation

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), which stay distinct under colour blindness.
_COLOURS: Final = ("#56b4e9", "#ff9500", "#00c08b", "#e07bb4", "#f0e442", "#2f6fd0", "#f0552b", "#b7b7b7")
_PLAIN: Final = "#d9d9d9"
_TINT: Final = 0.38


def class_colours(segmentation: Segmentation) -> tuple[str | None, ...]:
    """Return the colour of each class, ``#rrggbb``; None for the first one, which is drawn as it is.

    Examples
    --------
    >>> mask = np.array([[0, 1]], dtype=np.uint8)
    >>> class_colours(Segmentation(values=(0, 1), names=("matrix", "pore"), mask=mask))
    (None, '#56b4e9')
    """
    return (None, *(_COLOURS[k % len(_COLOURS)] for k in range(len(segmentation.values) - 1)))


def legend_colour(colour: str | None) -> str:
    """Return the colour that stands for a class in a legend."""
    return colour or _PLAIN


def tinted(
    grey: Float[np.ndarray, "height width"],
    segmentation: Segmentation,
    *,
    labels: Sequence[Int[np.ndarray, "_height _width"]] = (),
) -> UInt8[np.ndarray, "height width rgb"]:
    """Return a picture with every class but the first tinted and outlined.

    Parameters
    ----------
    grey : float array (height, width)
        Grey values, 0 black and 1 white.
    segmentation : Segmentation
        Class of every pixel.
    labels : sequence of int arrays (height, width)
        Numbered objects, which are outlined one by one where they touch.
    """
    picture = np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2)
    mask = segmentation.mask
    edge = np.zeros(mask.shape, dtype=bool)
    for regions in (mask, *labels):
        edge[:-1] |= regions[:-1] != regions[1:]
        edge[:, :-1] |= regions[:, :-1] != regions[:, 1:]
    for value, colour in zip(segmentation.values, class_colours(segmentation), strict=True):
        if colour is None:
            continue
        rgb = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        here = mask == value
        picture[here] += _TINT * (rgb - picture[here])
        # A class's outline lies on its own side or one pixel beyond it.
        line = edge & (here | np.roll(here, -1, 0) | np.roll(here, -1, 1))
        picture[line] = 0.25 * picture[line] + 0.75 * rgb
    rgb8: UInt8[np.ndarray, "height width rgb"] = np.rint(picture * 255).astype(np.uint8)
    return rgb8
