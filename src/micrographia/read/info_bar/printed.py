"""What the print in a bar says, as values: beam energy, working distance, magnification, detector, date."""

from __future__ import annotations

import re
from typing import Any, Final

from micrographia.read.axes import nanometres
from micrographia.read.info_bar.words import UNIT, as_number
from micrographia.read.plausible import iso_date

_DATES: Final = ("%d%b%Y", "%d-%b-%Y", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y")
"""Not those in which day and month may be either."""
_NUMBER: Final = r"([\dO]+(?:[.,][\dO]+)*)"
_ENERGY: Final = re.compile(rf"(?:EHT|HV|HT|Acc\.?\s*V\w*|Voltage)\s*[=:]?\s*{_NUMBER}\s*kV", re.IGNORECASE)
_WORKING_DISTANCE: Final = re.compile(
    rf"\b(?:WD|W\.D\.|D)\s*[=:]?\s*{_NUMBER}\s*mm|(?<![\d.]){_NUMBER}\s*mm\s*WD\b", re.IGNORECASE
)
_KILOVOLTS: Final = re.compile(rf"(?<![\d.,]){_NUMBER}\s*kV", re.IGNORECASE)
_MAGNIFICATION: Final = re.compile(
    rf"Mag\w*?[^\dA-Za-z]{{0,4}}{_NUMBER}\s*(k?)\s*[x×]|\b[x×]\s*{_NUMBER}\s*(k?)\b", re.IGNORECASE
)
_FIELD: Final = re.compile(rf"HFW\s*[=:]?\s*{_NUMBER}\s*({UNIT})|(?<![\d.]){_NUMBER}\s*({UNIT})\s*HFW")
_TILT: Final = re.compile(r"(?:Stage at T|Tilt)\s*[=:]?\s*(-?[\dO]+(?:[.,][\dO]+)?)\s*[°º]", re.IGNORECASE)
_DETECTOR: Final = re.compile(
    r"(?:Signal\s*[A-D]?\s*[=:]|\bDet(?:ector)?\s*[=:]|\bdet\s)\s*([A-Za-z][\w-]*)", re.IGNORECASE
)
_DAY: Final = re.compile(r"Date\s*:?\s*(\d{1,2}\s*[A-Za-z]{3}\s*\d{4}|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})")
_CLOCK: Final = re.compile(r"Time\s*:?\s*(\d{1,2}:\d{2}:\d{2})")


def fields_in(text: str, *, notes: list[str]) -> dict[str, Any]:
    """Return the value of each field of `Context` that bars print; None where it is not printed, or twice differently.

    Parameters
    ----------
    text : str
        The print, line by line.
    notes : list of str
        Grows by what is not understood.

    Examples
    --------
    >>> found = fields_in("EHT=5.00KV WD = 4.1 mm", notes=[])
    >>> found["technique"], found["energy_kev"], found["working_distance_mm"], found["magnification"]
    ('SEM', 5.0, 4.1, None)
    """
    working_distance_mm = _quantity(_WORKING_DISTANCE, text)
    return {
        "technique": "SEM" if working_distance_mm is not None or "EHT" in text else None,
        "energy_kev": _quantity(_ENERGY, text) or _quantity(_KILOVOLTS, text),
        "working_distance_mm": working_distance_mm,
        "magnification": _magnification(text),
        "tilt_deg": _quantity(_TILT, text),
        "detectors": _detector(text),
        "date": _date(text, notes),
    }


def field_nm_in(text: str) -> float | None:
    """Return the width of the field, as some bars print it [nm]."""
    found = _FIELD.search(text)
    if found is None:
        return None
    value, factor = as_number(found.group(1) or found.group(3)), nanometres(found.group(2) or found.group(4))
    return value * factor if value and factor else None


def _quantity(pattern: re.Pattern[str], text: str) -> float | None:
    """Return the number that a pattern finds, where all that it finds agree."""
    values = {as_number(next(g for g in m.groups() if g)) for m in pattern.finditer(text)}
    return values.pop() if len(values) == 1 else None


def _magnification(text: str) -> float | None:
    """Return the magnification, where all that is printed of it agrees."""
    values = set()
    for found in _MAGNIFICATION.finditer(text):
        written, thousand = (found.group(1), found.group(2)) if found.group(1) else (found.group(3), found.group(4))
        plain = written.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+", written) else written
        if (value := as_number(plain)) is not None:
            values.add(value * (1e3 if thousand else 1.0))
    return values.pop() if len(values) == 1 else None


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
