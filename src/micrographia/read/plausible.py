"""Take a recorded value, or doubt it in words: what is implausible becomes None and leaves a note."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from micrographia.context import Context
from micrographia.errors import ContextError

# Magnification times pixel size is the size of a pixel on the screen or camera [m].
_SCREEN_PIXEL_M = (1e-6, 1.0)
LEAST_PROBE_CURRENT_PA = 0.1
LEAST_CAMERA_LENGTH_MM = 2.0


def dig(tree: Any, *keys: str) -> Any:
    """Return the value below nested keys, or None where a level is missing.

    Examples
    --------
    >>> dig({"Optics": {"HV": 80}}, "Optics", "HV"), dig({"Optics": ""}, "Optics", "HV")
    (80, None)
    """
    for key in keys:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree


def number(value: Any) -> float | None:
    """Return a finite number, or None for anything else, such as an empty tag.

    Examples
    --------
    >>> number(" 80.0 "), number(""), number([]), number("nan")
    (80.0, None, None, None)
    """
    if value is None or isinstance(value, bool):
        return None
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result + 0.0 if math.isfinite(result) else None  # + 0.0 makes -0.0 plain zero


def text(value: Any) -> str | None:
    """Return a stripped string, or None where the tag is empty or no string.

    Examples
    --------
    >>> text("  ADF1 "), text([]), text("")
    ('ADF1', None, None)
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return (" ".join(value.replace("\x00", " ").split()) or None) if isinstance(value, str) else None


def positive(
    value: Any, *, what: str, unit: str, notes: list[str], factor: float = 1.0, least: float = 0.0
) -> float | None:
    """Return a recorded quantity where it is positive; note it and return None where it is not.

    Parameters
    ----------
    value : Any
        What the tag holds; an empty or missing tag gives None without a note.
    what, unit : str
        Name and unit of the quantity as recorded, for the note.
    notes : list of str
        Grows by a note where the value is not believed.
    factor : float
        From the recorded unit to the returned one. The product is rounded to 12 digits.
    least : float
        Smallest believable value, in the returned unit.

    Examples
    --------
    >>> notes = []
    >>> positive("0.0", what="probe current", unit="nA", notes=notes, factor=1e3), notes
    (None, ['probe current is recorded as 0 nA: not believed, left unknown'])
    >>> positive(6.25e-12, what="probe current", unit="A", notes=notes, factor=1e12)
    6.25
    """
    recorded = number(value)
    if recorded is None:
        return None
    if recorded <= 0 or recorded * factor < least:
        notes.append(f"{what} is recorded as {recorded:g} {unit}: not believed, left unknown")
        return None
    return float(f"{recorded * factor:.12g}")


def agreed(
    claims: Mapping[str, float | None], *, what: str, unit: str, notes: list[str], tolerance: float = 0.01
) -> float | None:
    """Return a quantity that several tags record, where they agree.

    Parameters
    ----------
    claims : mapping of str to float or None
        Value by tag, in one unit. The first known one is returned.
    what, unit : str
        Name and unit, for the note.
    notes : list of str
        Grows by a note where the tags disagree.
    tolerance : float
        Accepted relative difference from the first.

    Examples
    --------
    >>> notes = []
    >>> agreed({"Voltage": 60.0, "HT": 100.0}, what="beam energy", unit="keV", notes=notes), notes
    (None, ['beam energy is 60 keV in Voltage but 100 keV in HT: left unknown'])
    """
    known = {tag: v for tag, v in claims.items() if v is not None}
    if not known:
        return None
    first = next(iter(known.values()))
    if any(abs(v - first) > tolerance * abs(first) for v in known.values()):
        listed = " but ".join(f"{v:g} {unit} in {tag}" for tag, v in known.items())
        notes.append(f"{what} is {listed}: left unknown")
        return None
    return first


def iso_date(recorded: Any, *, formats: Iterable[str], notes: list[str]) -> str | None:
    """Return a recorded date and time as ISO 8601.

    Parameters
    ----------
    recorded : Any
        Text of the tag.
    formats : iterable of str
        Accepted forms, as `datetime.datetime.strptime` writes them. One without hours gives a date alone.
    notes : list of str
        Grows by a note where no form fits.

    Examples
    --------
    >>> iso_date("25 Sep 2018 8:20:42", formats=["%d %b %Y %H:%M:%S"], notes=[])
    '2018-09-25T08:20:42'
    """
    written = text(recorded)
    if written is None:
        return None
    for form in formats:
        try:
            moment = datetime.strptime(written, form)
        except ValueError:
            continue
        return moment.isoformat(timespec="seconds") if "%H" in form or "%I" in form else moment.date().isoformat()
    notes.append(f"date is recorded as {written[:40]!r}: not understood, left unknown")
    return None


def magnification(value: Any, *, pixel_size_nm: float | None, notes: list[str]) -> float | None:
    """Return a recorded magnification unless the pixel size contradicts it.

    Magnification times pixel size is the size of a pixel on a screen or camera; less than 1 µm or more
    than 1 m is no microscope's, but a placeholder.

    Examples
    --------
    >>> notes = []
    >>> magnification(1000.0, pixel_size_nm=0.0127, notes=notes), notes
    (None, ['magnification is recorded as 1000 but the pixel size is 0.0127 nm: not believed, left unknown'])
    """
    result = positive(value, what="magnification", unit="×", notes=notes)
    if result is None or pixel_size_nm is None:
        return result
    low, high = _SCREEN_PIXEL_M
    if not low <= result * pixel_size_nm * 1e-9 <= high:
        notes.append(
            f"magnification is recorded as {result:g} but the pixel size is {pixel_size_nm:.3g} nm: "
            "not believed, left unknown"
        )
        return None
    return result


def context_from_file(fields: Mapping[str, Any], *, notes: Iterable[str]) -> Context:
    """Return the context that a file states; a value outside of the accepted range becomes unknown with a note.

    Parameters
    ----------
    fields : mapping
        Value of each field of `Context`, None where unknown.
    notes : iterable of str
        Doubts so far.

    Examples
    --------
    >>> context = context_from_file({"energy_kev": 8e4, "technique": "STEM"}, notes=())
    >>> context.technique, context.energy_kev, len(context.notes)
    ('STEM', None, 1)
    """
    doubts = list(notes)
    believed: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None or (isinstance(value, tuple) and all(v is None for v in value)):
            continue
        try:
            Context(**{name: value}, origin="file")
        except ContextError as error:
            doubts.append(f"as recorded, {error}: left unknown")
        else:
            believed[name] = value
    return Context(**believed, notes=tuple(dict.fromkeys(doubts)), origin="file")
