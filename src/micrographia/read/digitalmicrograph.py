"""Gatan DigitalMicrograph: ``.dm3``, ``.dm4``, and its tags where other programs carry them along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from micrographia.context import Context
from micrographia.errors import ReadError
from micrographia.read.axes import planes, recorded, title
from micrographia.read.entry import Contents
from micrographia.read.parse import parse, reader_name
from micrographia.read.plausible import (
    LEAST_CAMERA_LENGTH_MM,
    LEAST_PROBE_CURRENT_PA,
    agreed,
    context_from_file,
    dig,
    magnification,
    number,
    positive,
    text,
)

_FILETIME_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_TIME_FORMATS: Final = ("%I:%M:%S %p", "%H:%M:%S")
_DAY_FIRST: Final = "%d/%m/%Y"
_MONTH_FIRST: Final = "%m/%d/%Y"
_NAMED_MONTH: Final = ("%d-%b-%y", "%d-%b-%Y", "%d %B %Y", "%d.%m.%Y", "%d-%m-%Y", "%Y-%m-%d", "%Y/%m/%d")


def load(path: Path) -> Contents:
    """Read the images of a DigitalMicrograph file.

    Parameters
    ----------
    path : Path
        An existing ``.dm3`` or ``.dm4``.

    Raises
    ------
    ReadError
        The file is damaged or cut short.
    """
    signals, parser_notes = parse("digitalmicrograph", path)
    size = path.stat().st_size
    found = []
    for signal in signals:
        tags = signal["original_metadata"]
        image = dig(tags, "ImageList", "TagGroup0") or {}
        data = dig(image, "ImageData", "Data") or {}
        end = (number(data.get("offset")) or 0) + (number(data.get("size_bytes")) or 0)
        if end > size:
            raise ReadError(
                f"{path.name} is cut short: its pixels end at byte {end:.0f} of {size}; "
                "copy it again from the instrument"
            )
        for plane in planes(signal, name=title(signal, path.stem)):
            context = context_from_tags(
                dig(image, "ImageTags") or {},
                pixel_size_nm=plane.calibration.pixel_size_nm,
                reciprocal=plane.calibration.reciprocal,
                notes=(*parser_notes, *plane.notes, *plane.calibration.notes),
            )
            found.append((plane, context, tags))
    return Contents(
        file_format=f"DigitalMicrograph {path.suffix[-1]}",
        reader=reader_name("digitalmicrograph"),
        images=recorded(found),
    )


def context_from_tags(
    tags: Mapping[str, Any], *, pixel_size_nm: float | None, reciprocal: bool, notes: tuple[str, ...] = ()
) -> Context:
    """Return the context that DigitalMicrograph's image tags state.

    Parameters
    ----------
    tags : mapping
        The group ``ImageTags`` of one image.
    pixel_size_nm : float, optional
        Pixel size [nm], against which the magnification is checked.
    reciprocal : bool
        The image is a diffraction pattern.
    notes : tuple of str
        Doubts so far.

    Examples
    --------
    >>> tags = {"Microscope Info": {"Voltage": 80000.0, "Formatted Voltage": "80kV", "Illumination Mode": "STEM",
    ...                             "STEM Camera Length": 80.0, "Probe Current (nA)": 0.0}}
    >>> context = context_from_tags(tags, pixel_size_nm=None, reciprocal=False)
    >>> context.energy_kev, context.camera_length_mm, context.probe_current_pa
    (80.0, 80.0, None)
    """
    doubts = list(notes)
    info: Mapping[str, Any] = dig(tags, "Microscope Info") or {}
    technique = _technique(info, reciprocal=reciprocal)
    scanned = technique in ("STEM", "SEM")
    energy = agreed(
        {
            "Voltage": positive(info.get("Voltage"), what="accelerating voltage", unit="V", notes=doubts, factor=1e-3),
            "Formatted Voltage": _formatted_kilovolts(info.get("Formatted Voltage")),
        },
        what="beam energy",
        unit="keV",
        notes=doubts,
    )
    fields: dict[str, Any] = {
        "technique": technique,
        "energy_kev": energy,
        "detectors": (_detector(tags),),
        "probe_current_pa": positive(
            info.get("Probe Current (nA)"),
            what="probe current",
            unit="nA",
            notes=doubts,
            factor=1e3,
            least=LEAST_PROBE_CURRENT_PA,
        ),
        "tilt_deg": number(dig(info, "Stage Position", "Stage Alpha")),
        "date": _date(tags, doubts),
        "sample": _sample(tags),
    }
    if scanned:
        positive(info.get("Probe Size (nm)"), what="probe size", unit="nm", notes=doubts)
        fields["dwell_us"] = positive(dig(tags, "DigiScan", "Sample Time"), what="dwell time", unit="µs", notes=doubts)
    if technique == "STEM":
        fields["camera_length_mm"] = positive(
            info.get("STEM Camera Length"),
            what="camera length",
            unit="mm",
            notes=doubts,
            least=LEAST_CAMERA_LENGTH_MM,
        )
    indicated = info.get("Indicated Magnification")
    if technique != "diffraction":
        fields["magnification"] = magnification(indicated, pixel_size_nm=pixel_size_nm, notes=doubts)
    elif number(indicated):
        doubts.append(
            f"magnification is recorded as {number(indicated):g} with a diffraction pattern, "
            "where it may be a camera length: left unknown"
        )
    return context_from_file(fields, notes=doubts)


def _technique(info: Mapping[str, Any], *, reciprocal: bool) -> str | None:
    illumination = (text(info.get("Illumination Mode")) or "").upper()
    operation = (text(info.get("Operation Mode")) or "").upper()
    if reciprocal or (illumination.startswith("TEM") and operation == "DIFFRACTION"):
        return "diffraction"
    return next((name for name in ("STEM", "SEM", "TEM") if illumination.startswith(name)), None)


def _formatted_kilovolts(formatted: Any) -> float | None:
    match = re.fullmatch(r"([\d.]+)\s*(k?)V", text(formatted) or "")
    value = number(match[1]) if match else None
    if match is None or value is None:
        return None
    return value if match[2] else value * 1e-3


def _detector(tags: Mapping[str, Any]) -> str | None:
    return (
        text(dig(tags, "DataBar", "Signal Name"))
        or text(dig(tags, "Acquisition", "Device", "Name"))
        or text(dig(tags, "QuickSaved", "Temp-Tags", "Detector"))
    )


def _sample(tags: Mapping[str, Any]) -> str | None:
    return text(dig(tags, "Session Info", "Specimen")) or text(dig(tags, "Microscope Info", "Specimen"))


def _parsed(written: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(written, form)
    except ValueError:
        return None


def _date(tags: Mapping[str, Any], notes: list[str]) -> str | None:
    """Return local date and time; the order of day and month is decided by the absolute time beside it."""
    bar: Mapping[str, Any] = dig(tags, "DataBar") or {}
    written = text(bar.get("Acquisition Date"))
    if written is None:
        return None
    days = [d for d in (_parsed(written, f) for f in (_MONTH_FIRST, _DAY_FIRST, *_NAMED_MONTH)) if d is not None]
    ticks = number(bar.get("Acquisition Time (OS)")) or number(bar.get("System Info"))
    if ticks and 0 < ticks < 3e18:  # 100 ns since 1601, as Windows counts
        moment = (_FILETIME_EPOCH + timedelta(microseconds=ticks / 10)).replace(tzinfo=None)
        near = [d for d in days if abs(d + timedelta(hours=12) - moment) < timedelta(hours=40)]
        days = near or days
    days = list(dict.fromkeys(days))
    if len(days) != 1:
        reason = "day and month cannot be told apart" if days else "not understood"
        notes.append(f"date is recorded as {written!r}: {reason}, left unknown")
        return None
    clock = text(bar.get("Acquisition Time"))
    for form in _TIME_FORMATS:
        if clock and (time := _parsed(clock, form)):
            return datetime.combine(days[0].date(), time.time()).isoformat(timespec="seconds")
    return days[0].date().isoformat()
