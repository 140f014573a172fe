"""The bar that scanning electron microscopes burn into their pictures: scale, beam energy, detector, date.

Its scale is a line of so many pixels with a length printed beside it; the rest is read from the print.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image
from scipy.ndimage import label

from micrographia.context import Context
from micrographia.read.axes import nanometres
from micrographia.read.entry import Recorded
from micrographia.read.plausible import context_from_file, iso_date, number

_PLAIN: Final = 0.5
"""Least share of a bar's row that is background."""
_ALIKE: Final = 16
"""Largest difference from the background that still is background [grey levels of 255]."""
_HEIGHT: Final = (0.025, 0.25)
"""Of the picture's."""
_ENLARGED: Final = 2
_LEAST_LINE: Final = 0.02
"""Of the picture's width."""
_THIN: Final = 4
"""A scale line is less thick than this [px]."""
_FIELD_WITHIN: Final = 0.02
_MARGIN: Final = 40
_ROUND: Final = (1.0, 2.0, 2.5, 3.0, 4.0, 5.0)
_PRINT_MM: Final = (60.0, 600.0)
"""Magnification times the width of the field: the width of the print or screen that it refers to."""
_LENGTH: Final = re.compile(r"(\d+(?:[.,]\d+)?)\s*(nm|[µ\u03bcu]m|[µ\u03bcu]rr|mm)(?![A-Za-z])")
"""A length alone. Picometres are none of a scanning electron microscope's: they are micrometres misread."""
_DATES: Final = ("%d%b%Y", "%d-%b-%Y", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y")
"""Not those in which day and month may be either."""


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
        w.y_px < found[0] < w.y_px + w.height_px for w, _, _ in _lengths(words, (found[1], found[2]))
    ):
        # A piece of a line, but of which?
        return None
    return found


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
    if line is not None and not _lengths(words, line[1:]):
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
    text = _lines(bar.words)
    magnification = _magnification(text)
    working_distance_mm = _quantity(_WORKING_DISTANCE, text)
    fields: dict[str, Any] = {
        "technique": "SEM" if working_distance_mm is not None or "EHT" in text else None,
        "energy_kev": _quantity(_ENERGY, text) or _quantity(_KILOVOLTS, text),
        "working_distance_mm": working_distance_mm,
        "magnification": magnification,
        "tilt_deg": _quantity(_TILT, text),
        "detectors": _detector(text),
        "date": _date(text, notes),
    }
    pixel_size_nm = _pixel_size_nm(bar, magnification, width_px, _field_nm(text), notes)
    context = context_from_file(fields, notes=[f"info bar: {note}" for note in notes])
    return replace(context, origins=dict.fromkeys(context.known(), "info bar")), pixel_size_nm


_NUMBER: Final = r"([\dO]+(?:[.,][\dO]+)*)"
_ENERGY: Final = re.compile(rf"(?:EHT|HV|HT|Acc\.?\s*V\w*|Voltage)\s*[=:]?\s*{_NUMBER}\s*kV", re.IGNORECASE)
_WORKING_DISTANCE: Final = re.compile(
    rf"\b(?:WD|W\.D\.|D)\s*[=:]?\s*{_NUMBER}\s*mm|(?<![\d.]){_NUMBER}\s*mm\s*WD\b", re.IGNORECASE
)
_KILOVOLTS: Final = re.compile(rf"(?<![\d.,]){_NUMBER}\s*kV", re.IGNORECASE)
_MAGNIFICATION: Final = re.compile(
    rf"Mag\w*?[^\dA-Za-z]{{0,4}}{_NUMBER}\s*(k?)\s*[x×]|\b[x×]\s*{_NUMBER}\s*(k?)\b", re.IGNORECASE
)
_FIELD: Final = re.compile(
    rf"HFW\s*[=:]?\s*{_NUMBER}\s*(nm|[µ\u03bcu]m|mm)|(?<![\d.]){_NUMBER}\s*(nm|[µ\u03bcu]m|mm)\s*HFW"
)
_TILT: Final = re.compile(r"(?:Stage at T|Tilt)\s*[=:]?\s*(-?[\dO]+(?:[.,][\dO]+)?)\s*[°º]", re.IGNORECASE)
_DETECTOR: Final = re.compile(
    r"(?:Signal\s*[A-D]?\s*[=:]|\bDet(?:ector)?\s*[=:]|\bdet\s)\s*([A-Za-z][\w-]*)", re.IGNORECASE
)
_DAY: Final = re.compile(r"Date\s*:?\s*(\d{1,2}\s*[A-Za-z]{3}\s*\d{4}|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})")
_CLOCK: Final = re.compile(r"Time\s*:?\s*(\d{1,2}:\d{2}:\d{2})")


@lru_cache(maxsize=1)
def _reader() -> Any:
    from rapidocr_onnxruntime import RapidOCR

    # Bars are wide and low: enlarged until they are 736 px high, as is usual, they would be ten times as large.
    return RapidOCR(det_limit_side_len=320)


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
        replace(word, x_px=word.x_px + left - _MARGIN, y_px=word.y_px - _MARGIN)
        for word in read_words(np.asarray(Image.fromarray(margin)))
    )


def _lines(words: tuple[Word, ...]) -> str:
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


def _with_pairs(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the words, and each two that follow each other: a number and its unit may be apart."""
    pairs = tuple(
        replace(one, text=f"{one.text} {other.text}", width_px=other.x_px + other.width_px - one.x_px)
        for one in words
        for other in words
        if abs(one.y_px - other.y_px) < one.height_px
        and 0 <= other.x_px - one.x_px - one.width_px < 2 * max(one.height_px, other.height_px)
    )
    return words + pairs


def _lengths(words: tuple[Word, ...], line_px: tuple[float, float]) -> list[tuple[Word, float, str]]:
    """Return the lengths printed at a line, [nm] and as they read: above, below or in it, not elsewhere in the bar."""
    first, last = line_px
    return [
        (word, value * factor, f"{value:g} {unit}")
        for word in _with_pairs(words)
        if max(first - word.x_px - word.width_px, word.x_px - last) <= 2 * word.height_px
        and (found := _LENGTH.match(word.text))
        and (value := _value(found.group(1)))
        and (factor := nanometres(unit := found.group(2).replace("rr", "m")))
    ]


def _value(written: str) -> float | None:
    return number(written.replace("O", "0").replace("o", "0").replace(",", "."))


def _quantity(pattern: re.Pattern[str], text: str) -> float | None:
    """Return the number that a pattern finds, where all that it finds agree."""
    values = {_value(next(g for g in m.groups() if g)) for m in pattern.finditer(text)}
    return values.pop() if len(values) == 1 else None


def _magnification(text: str) -> float | None:
    """Return the magnification, where all that is printed of it agrees."""
    values = set()
    for found in _MAGNIFICATION.finditer(text):
        written, thousand = (found.group(1), found.group(2)) if found.group(1) else (found.group(3), found.group(4))
        plain = written.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+", written) else written
        if (value := _value(plain)) is not None:
            values.add(value * (1e3 if thousand else 1.0))
    return values.pop() if len(values) == 1 else None


def _field_nm(text: str) -> float | None:
    """Return the width of the field, as some bars print it [nm]."""
    found = _FIELD.search(text)
    if found is None:
        return None
    value, factor = _value(found.group(1) or found.group(3)), nanometres(found.group(2) or found.group(4))
    return value * factor if value and factor else None


def _detector(text: str) -> tuple[str, ...] | None:
    found = _DETECTOR.search(text)
    return None if found is None else (found.group(1),)


def _date(text: str, notes: list[str]) -> str | None:
    day = _DAY.search(text)
    if day is None:
        return None
    written, clock = "".join(day.group(1).split()), _CLOCK.search(text)
    if clock is None:
        return iso_date(written, formats=_DATES, notes=notes)
    return iso_date(f"{written} {clock.group(1)}", formats=[f"{form} %H:%M:%S" for form in _DATES], notes=notes)


def _pixel_size_nm(
    bar: InfoBar, magnification: float | None, width_px: int, field_nm: float | None, notes: list[str]
) -> float | None:
    """Return the printed length over that of the line; unknown where they do not go together."""
    if bar.line_px is None:
        notes.append("no scale line was found: pixel size left unknown")
        return None
    first, last = bar.line_px
    lengths = _lengths(bar.words, bar.line_px)
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
