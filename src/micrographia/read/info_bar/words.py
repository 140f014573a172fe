"""The print in a bar: single words by optical character recognition, and words that belong together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from micrographia.read.plausible import number

UNIT: Final = "nm|[µ\u03bcu]m|mm"
"""Of a length, as a pattern. Picometres are none of a scanning electron microscope's: they are micrometres misread."""
_ENLARGED: Final = 2


@dataclass(frozen=True, kw_only=True)
class Word:
    """Print in a bar.

    Parameters
    ----------
    text : str
        What it says.
    x_px, y_px, width_px, height_px : float
        Its box, from the upper left corner of the bar [px].
    """

    text: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float


def read_words(band: UInt8[np.ndarray, "height width"]) -> tuple[Word, ...]:
    """Return the print in a bar, by optical character recognition.

    Parameters
    ----------
    band : uint8 array (height, width)
        The bar.
    """
    enlarged = np.asarray(
        Image.fromarray(band).resize((band.shape[1] * _ENLARGED, band.shape[0] * _ENLARGED), Image.Resampling.BICUBIC)
    )
    read, _ = _reader()(np.stack([enlarged] * 3, axis=2))
    words = []
    for corners, text, _ in read or []:
        box = np.array(corners) / _ENLARGED
        (x, y), (right, below) = box.min(axis=0), box.max(axis=0)
        words.append(Word(text=text, x_px=x, y_px=y, width_px=right - x, height_px=below - y))
    return tuple(sorted(words, key=lambda w: (w.x_px, w.y_px)))


def as_text(words: tuple[Word, ...]) -> str:
    """Return the print line by line: a bar's lines need not be as high as each other, so each word is its own too."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda w: w.y_px + w.height_px / 2):
        middle = word.y_px + word.height_px / 2
        if rows and middle - np.mean([w.y_px + w.height_px / 2 for w in rows[-1]]) < 0.5 * word.height_px:
            rows[-1].append(word)
        else:
            rows.append([word])
    joined = [" ".join(w.text for w in sorted(row, key=lambda w: w.x_px)) for row in rows]
    return "\n".join([*(w.text for w in words), *joined])


def with_pairs(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the words, and each two that follow each other: a number and its unit may be apart."""
    pairs = tuple(
        replace(one, text=f"{one.text} {other.text}", width_px=other.x_px + other.width_px - one.x_px)
        for one in words
        for other in words
        if abs(one.y_px - other.y_px) < one.height_px
        and 0 <= other.x_px - one.x_px - one.width_px < 2 * max(one.height_px, other.height_px)
    )
    return words + pairs


def as_number(written: str) -> float | None:
    """Return a number as it is printed: with a decimal comma perhaps, and with O read for 0.

    Examples
    --------
    >>> as_number("O,5"), as_number("1.2.3")
    (0.5, None)
    """
    return number(written.replace("O", "0").replace("o", "0").replace(",", "."))


@lru_cache(maxsize=1)
def _reader() -> Any:
    from rapidocr_onnxruntime import RapidOCR

    # Bars are wide and low: enlarged until they are 736 px high, as is usual, they would be ten times as large.
    return RapidOCR(det_limit_side_len=320)
