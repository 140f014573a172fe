"""Pictures of fields with their classes, for a page: tinted, outlined, with a scale bar and a legend of shares."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from micrographia.cues.cue import length_unit
from micrographia.report.class_colours import class_colours, legend_colour, tinted
from micrographia.report.images import grey_image, grey_limits
from micrographia.report.markup import text
from micrographia.report.numbers import scale_bar_length
from micrographia.report.segmented_overlay import share_words
from micrographia.segment.measured import SegmentedField
from micrographia.segment.segmentation import Segmentation

MOST_SHOWN: Final = 24
_LONGEST_PX: Final = 1000
_LONGEST_OF_MANY_PX: Final = 640
_MANY: Final = 6
_WITHOUT_IMAGE: Final = 64
_FEW: Final = 0.1
"""Shares below this are given with a decimal."""


def grey_picture(frame: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Return a frame in the 256 greys in which it is shown, which takes a quarter of its memory."""
    return np.asarray(grey_image(frame, grey_limits(frame)))


def field_pictures(
    fields: Sequence[SegmentedField],
    greys: Mapping[str, UInt8[np.ndarray, "_height _width"]],
    labels: Sequence[Sequence[Int[np.ndarray, "_height _width"]]],
) -> str:
    """Return pictures of the first fields, as HTML.

    Parameters
    ----------
    fields : sequence of SegmentedField
        The fields.
    greys : mapping of str to uint8 array (height, width)
        Image of each field by its name, from `grey_picture`; a field without one is drawn on a dark ground.
    labels : sequence of sequences of int arrays (height, width)
        Numbered objects of each field, which are outlined one by one.
    """
    longest = _LONGEST_PX if len(fields) <= _MANY else _LONGEST_OF_MANY_PX
    figures = "".join(
        _figure(f, greys.get(f.name), numbered, longest, bare=f"bare-{k}")
        for k, (f, numbered) in enumerate(zip(fields[:MOST_SHOWN], labels, strict=False))
    )
    return f'<div class="fields{" one" if len(fields) == 1 else ""}">{figures}</div>'


def _figure(
    field: SegmentedField,
    grey: UInt8[np.ndarray, "height width"] | None,
    labels: Sequence[Int[np.ndarray, "_height _width"]],
    longest: int,
    *,
    bare: str,
) -> str:
    found = field.segmentation
    ground = np.full(found.mask.shape, _WITHOUT_IMAGE, dtype=np.uint8) if grey is None else grey
    over = jpeg_uri(tinted(ground / 255, found, labels=labels), longest)
    # The image as it is lies below: without script, a box that is ticked hides what lies on it.
    under = (
        ""
        if grey is None
        else f'<input type="checkbox" id="{bare}"><label for="{bare}">without classes</label>'
        f'<img class="under" src="{jpeg_uri(grey, longest)}" alt="{text(field.name)}">'
    )
    legend = " ".join(
        f'<span class="class"><i style="background:{legend_colour(colour)}"></i>{text(name)} '
        f'<span class="soft">{share_words(found, value)}</span></span>'
        for colour, value, name in zip(class_colours(found), found.values, found.names, strict=True)
    )
    return (
        f'<figure class="card"><div class="picture">{under}<img class="over" src="{over}" '
        f'alt="{text(field.name)} with its classes tinted">{scale_bar(ground.shape[1], field.pixel_size_nm)}</div>'
        f'<figcaption><span>{text(field.name)}</span><span class="classes">{legend}</span></figcaption>'
        f"{_trust(found)}</figure>"
    )


def _trust(found: Segmentation) -> str:
    """Return how far the network's two opinions go together; a warning where that, or the image, is out of the way."""
    if found.warning:
        return f'<p class="doubtful">{text(found.warning[:1].upper() + found.warning[1:])}: do not rely on this.</p>'
    if found.dissent is None:
        return ""
    share = f"{100 * found.dissent:.1f}" if found.dissent < _FEW else f"{100 * found.dissent:.0f}"
    return f'<p class="agree">The two opinions of the model differ on {share} % of the image. Both may be wrong.</p>'


def scale_bar(width_px: int, pixel_size_nm: float | None) -> str:
    """Return a scale bar for a picture, as HTML; in pixels where the pixel size is unknown."""
    length = scale_bar_length(width_px * (pixel_size_nm or 1.0))
    scale, unit = (1.0, "px") if pixel_size_nm is None else length_unit(length)
    share = 100 * length / (width_px * (pixel_size_nm or 1.0))
    return f'<span class="scalebar" style="width:{share:.2f}%"><b>{length / scale:g} {unit}</b></span>'


def jpeg_uri(pixels: UInt8[np.ndarray, "height width *rgb"], longest: int) -> str:
    """Return a picture, made smaller where a side is longer than asked for, as an address."""
    step = max(1, max(pixels.shape) // (2 * longest))
    picture = Image.fromarray(pixels[::step, ::step])
    picture.thumbnail((longest, longest), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg", quality=88, optimize=True, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
