"""A bar as a whole: found in a picture, understood, and cut off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import UInt8
from scipy.ndimage import label

from micrographia.context import Context
from micrographia.read.entry import Recorded
from micrographia.read.info_bar.printed import field_nm_in, fields_in
from micrographia.read.info_bar.scale import lengths_at, pixel_size_of, scale_line
from micrographia.read.info_bar.words import Word, as_text, read_words
from micrographia.read.plausible import context_from_file

_PLAIN: Final = 0.5
"""Least share of a bar's row that is background."""
_ALIKE: Final = 16
"""Largest difference from the background that still is background [grey levels of 255]."""
_HEIGHT: Final = (0.025, 0.25)
"""Of the picture's."""
_MARGIN: Final = 40


@dataclass(frozen=True, kw_only=True)
class InfoBar:
    """A bar as it is found in a picture.

    Parameters
    ----------
    rows : slice
        The picture's rows that it takes up.
    words : tuple of Word
        What is printed in it, from left to right.
    line_px : (float, float), optional
        Ends of its scale line, from the left [px].
    """

    rows: slice
    words: tuple[Word, ...]
    line_px: tuple[float, float] | None


def find_rows(pixels: UInt8[np.ndarray, "height width"]) -> slice | None:
    """Return the rows of a picture's bar: a band of one plain tone, light or dark, with print in it.

    Parameters
    ----------
    pixels : uint8 array (height, width)
        The picture.

    Returns
    -------
    slice, optional
        None where there is no bar.

    Examples
    --------
    >>> picture = np.tile(np.arange(60, 188, dtype=np.uint8), (100, 1))
    >>> picture[80:90] = 255
    >>> find_rows(picture) is None  # a bright band without print
    True
    >>> picture[83:87, 20:50] = 0
    >>> find_rows(picture)
    slice(80, 90, None)
    """
    height, _ = pixels.shape
    tone = np.median(pixels, axis=1)
    plain = (np.abs(pixels.astype(np.int16) - tone[:, None]) <= _ALIKE).mean(axis=1)
    best: slice | None = None
    for light in (True, False):
        extreme = tone >= 255 - _ALIKE if light else tone <= _ALIKE
        bands, count = label(extreme & (plain >= _PLAIN))
        for n in range(1, count + 1):
            rows = np.nonzero(bands == n)[0]
            band = slice(int(rows[0]), int(rows[-1]) + 1)
            tall = band.stop - band.start
            if not _HEIGHT[0] * height <= tall <= _HEIGHT[1] * height or band.start < height / 2:
                continue
            # A bar has print in it, as dark as its ground is light; an evenly bright specimen does not.
            ink = np.abs(pixels[band].astype(np.int16) - (255 if light else 0)) > 80
            if 0.003 < ink.mean() < 0.35 and (best is None or tall > best.stop - best.start):
                best = band
    return best


def find_bar(pixels: UInt8[np.ndarray, "height width"]) -> InfoBar | None:
    """Find a picture's bar and read it.

    Parameters
    ----------
    pixels : uint8 array (height, width)
        The picture.

    Returns
    -------
    InfoBar, optional
        None where there is no bar.
    """
    rows = find_rows(pixels)
    if rows is None:
        return None
    band = pixels[rows]
    words = read_words(band)
    if not words:
        return None
    line = scale_line(band, words)
    if line is not None and not lengths_at(words, line[1:]):
        # A single digit beside the edge is easily passed over: once more, the place alone, with a margin.
        words = (*words, *_again(band, line))
    return InfoBar(rows=rows, words=words, line_px=None if line is None else (float(line[1]), float(line[2])))


def with_info_bar(image: Recorded) -> Recorded:
    """Return an image without its bar, and with what the bar says where the file says nothing.

    Parameters
    ----------
    image : Recorded
        One image of a file; 8 bits a pixel, as bars are burnt into.

    Returns
    -------
    Recorded
        The same where it has no bar.
    """
    pixels = image.pixels
    if pixels.ndim != 2 or pixels.size == 0 or pixels.min() < 0 or pixels.max() > 255:
        return image
    grey = pixels if pixels.dtype == np.uint8 else np.rint(pixels).astype(np.uint8)
    bar = find_bar(grey)
    if bar is None:
        return image
    context, pixel_size_nm = said(bar, width_px=pixels.shape[1])
    if not context.known() and pixel_size_nm is None:
        note = (
            f"rows {bar.rows.start} to {bar.rows.stop - 1} look like an info bar, but nothing of it is understood: kept"
        )
        return replace(image, context=replace(image.context, notes=(*image.context.notes, note)))
    recorded = image.context.known()
    spoken = {name: value for name, value in context.known().items() if name not in recorded}
    merged = replace(
        image.context,
        **spoken,
        notes=(*image.context.notes, f"info bar: read, and cut off from row {bar.rows.start} on", *context.notes),
        origins={**image.context.origins, **dict.fromkeys(spoken, "info bar")},
    )
    known = image.pixel_size_nm is not None
    return replace(
        image,
        pixels=pixels[: bar.rows.start],
        context=merged,
        pixel_size_nm=image.pixel_size_nm if known else pixel_size_nm,
        pixel_size_origin=image.pixel_size_origin if known else "info bar",
    )


def said(bar: InfoBar, *, width_px: int) -> tuple[Context, float | None]:
    """Return what a bar says: context, and pixel size [nm].

    Parameters
    ----------
    bar : InfoBar
        The bar.
    width_px : int
        Width of the picture.

    Examples
    --------
    >>> words = tuple(Word(text=t, x_px=x, y_px=y, width_px=60, height_px=12)
    ...               for t, x, y in (("2 µm", 10, 4), ("EHT=5.00KV", 300, 4), ("Mag = 10.00 K X", 300, 24)))
    >>> context, pixel_size_nm = said(InfoBar(rows=slice(600, 660), words=words, line_px=(10.0, 90.0)), width_px=1024)
    >>> context.energy_kev, context.magnification, pixel_size_nm
    (5.0, 10000.0, 25.0)
    """
    notes: list[str] = []
    text = as_text(bar.words)
    fields = fields_in(text, notes=notes)
    pixel_size_nm = pixel_size_of(
        bar.line_px,
        words=bar.words,
        width_px=width_px,
        magnification=fields["magnification"],
        field_nm=field_nm_in(text),
        notes=notes,
    )
    context = context_from_file(fields, notes=[f"info bar: {note}" for note in notes])
    return replace(context, origins=dict.fromkeys(context.known(), "info bar")), pixel_size_nm


def _again(band: UInt8[np.ndarray, "height width"], line: tuple[int, int, int]) -> tuple[Word, ...]:
    """Read the length beside a scale line, alone."""
    row, first, last = line
    # Not the frame that some bars have.
    left, right = max(0, first - 4), min(band.shape[1], last + 100)
    ground = int(np.median(band))
    part = band[: max(row - 2, 1), left:right]
    if part.shape[0] < 8:
        return ()
    margin = np.pad(part, _MARGIN, constant_values=ground)
    return tuple(
        replace(word, x_px=word.x_px + left - _MARGIN, y_px=word.y_px - _MARGIN) for word in read_words(margin)
    )
