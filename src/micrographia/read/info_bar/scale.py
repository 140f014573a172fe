"""The scale in a bar: a line of so many pixels, the length printed beside it, and whether the two can be believed."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from jaxtyping import Bool, UInt8

from micrographia.read.axes import nanometres
from micrographia.read.info_bar.words import UNIT, Word, as_number, with_pairs

_LEAST_LINE: Final = 0.02
"""Of the picture's width."""
_THIN: Final = 4
"""A scale line is less thick than this [px]."""
_FIELD_WITHIN: Final = 0.02
_ROUND: Final = (1.0, 2.0, 2.5, 3.0, 4.0, 5.0)
_PRINT_MM: Final = (60.0, 600.0)
"""Magnification times the width of the field: the width of the print or screen that it refers to."""
_LENGTH: Final = re.compile(rf"(\d+(?:[.,]\d+)?)\s*({UNIT}|[µ\u03bcu]rr)(?![A-Za-z])")
"""A length alone."""


def scale_line(band: UInt8[np.ndarray, "height width"], words: tuple[Word, ...] = ()) -> tuple[int, int, int] | None:
    """Return the row of a bar's scale line and the columns where it begins and ends.

    Parameters
    ----------
    band : uint8 array (height, width)
        The bar.
    words : tuple of Word
        What is printed in it: a line may have its length in its middle.

    Returns
    -------
    (int, int, int), optional
        Row, first and last column [px]; None where no line stands out.

    Examples
    --------
    >>> band = np.full((20, 200), 255, dtype=np.uint8)
    >>> band[12, 30:131] = 0
    >>> scale_line(band)
    (12, 30, 130)
    """
    ink = _ink(band)
    height, width = band.shape
    for word in words:
        if _LENGTH.match(word.text) and (around := _around(ink, word)):
            return around
    found: tuple[int, int, int] | None = None
    for row in range(_THIN, height - _THIN):
        for first, last in _runs(ink[row]):
            # Frames go to the edge, strokes of letters are short, and logos are thick.
            if last - first < _LEAST_LINE * width or first <= 1 or last >= width - 2:
                continue
            inner = slice(first + _THIN, last + 1 - _THIN)
            if max(ink[row - _THIN, inner].mean(), ink[row + _THIN, inner].mean()) > 0.1:
                continue
            if found is None or last - first > found[2] - found[1]:
                found = (row, first, last)
    if found is not None and any(
        w.y_px < found[0] < w.y_px + w.height_px for w, _, _ in lengths_at(words, (found[1], found[2]))
    ):
        # A piece of a line, but of which?
        return None
    return found


def lengths_at(words: tuple[Word, ...], line_px: tuple[float, float]) -> list[tuple[Word, float, str]]:
    """Return the lengths printed at a line, [nm] and as they read: above, below or in it, not elsewhere in the bar."""
    first, last = line_px
    return [
        (word, value * factor, f"{value:g} {unit}")
        for word in with_pairs(words)
        if max(first - word.x_px - word.width_px, word.x_px - last) <= 2 * word.height_px
        and (found := _LENGTH.match(word.text))
        and (value := as_number(found.group(1)))
        and (factor := nanometres(unit := found.group(2).replace("rr", "m")))
    ]


def pixel_size_of(
    line_px: tuple[float, float] | None,
    *,
    words: tuple[Word, ...],
    width_px: int,
    magnification: float | None,
    field_nm: float | None,
    notes: list[str],
) -> float | None:
    """Return the printed length over that of the line [nm]; unknown where what a bar says does not go together.

    Parameters
    ----------
    line_px : (float, float), optional
        Ends of the scale line, from the left [px].
    words : tuple of Word
        What is printed in the bar.
    width_px : int
        Width of the picture.
    magnification, field_nm : float, optional
        What the bar says of magnification and width of the field [nm].
    notes : list of str
        Grows by how the scale was read, or why it is not believed.

    Examples
    --------
    >>> length = Word(text="2 µm", x_px=10, y_px=4, width_px=60, height_px=12)
    >>> notes = []
    >>> pixel_size_of((10.0, 90.0), words=(length,), width_px=1024, magnification=1e4, field_nm=None, notes=notes)
    25.0
    >>> notes
    ['a scale of 2 µm in 80 ± 1 px']
    """
    if line_px is None:
        notes.append("no scale line was found: pixel size left unknown")
        return None
    first, last = line_px
    lengths = lengths_at(words, line_px)
    if not lengths:
        notes.append(f"beside the scale line of {last - first:.0f} px no length was read: pixel size left unknown")
        return None
    _, length_nm, printed = min(
        lengths, key=lambda found: abs(found[0].x_px + found[0].width_px / 2 - (first + last) / 2)
    )
    mantissa = length_nm / 10 ** np.floor(np.log10(length_nm))
    if not any(abs(mantissa - nice) < 1e-6 for nice in _ROUND):
        notes.append(f"the scale was read as {printed}, which is no round length: pixel size left unknown")
        return None
    pixel_size_nm = float(length_nm / (last - first))
    if magnification is not None:
        print_mm = magnification * pixel_size_nm * width_px * 1e-6
        if not _PRINT_MM[0] <= print_mm <= _PRINT_MM[1]:
            notes.append(
                f"magnification {magnification:g} and a scale of {printed} in {last - first:.0f} px do not go "
                f"together (they make a print {print_mm:.3g} mm wide): pixel size left unknown"
            )
            return None
    if field_nm is not None and abs(field_nm / width_px / pixel_size_nm - 1) > _FIELD_WITHIN + 1 / (last - first):
        notes.append(
            f"a field {field_nm:g} nm wide and a scale of {printed} in {last - first:.0f} px do not go together: pixel "
            "size left unknown"
        )
        return None
    notes.append(f"a scale of {printed} in {last - first:.0f} ± 1 px")
    return float(f"{pixel_size_nm:.4g}")


def _ink(band: UInt8[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    ground = int(np.median(band))
    ink: Bool[np.ndarray, "height width"] = np.abs(band.astype(np.int16) - ground) > 60
    return ink


def _runs(ink: Bool[np.ndarray, " width"]) -> list[tuple[int, int]]:
    """Return the first and last columns of the runs of ink in a row."""
    steps = np.diff(ink.astype(np.int8), prepend=0, append=0)
    return list(zip(np.nonzero(steps == 1)[0].tolist(), (np.nonzero(steps == -1)[0] - 1).tolist(), strict=True))


def _around(ink: Bool[np.ndarray, "height width"], word: Word) -> tuple[int, int, int] | None:
    """Return the line that a word interrupts: one piece ends before it, another as long begins behind it."""
    left, right, slack = word.x_px, word.x_px + word.width_px, 0.5 * word.height_px
    for row in range(max(int(word.y_px), 0), min(int(word.y_px + word.height_px) + 1, len(ink))):
        runs = _runs(ink[row])
        before = [r for r in runs if r[1] - r[0] >= word.height_px and -slack <= left - r[1] <= 3 * slack]
        behind = [r for r in runs if r[1] - r[0] >= word.height_px and -slack <= r[0] - right <= 3 * slack]
        if before and behind:
            (first, end), (start, last) = before[-1], behind[0]
            if abs((end - first) - (last - start)) <= 0.2 * (end - first):
                return row, first, last
    return None
