"""What each instrument vendor writes into its TIFF files, and in which units."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from micrographia.read.plausible import agreed, dig, iso_date, magnification, number, positive, text

Tags = Mapping[str, Any]
Fields = Callable[[Tags, tuple[int, ...], float | None, list[str]], dict[str, Any]]

_TESCAN_TAG = "50431"
# A dwell time this much shorter or longer than the frame time allows is not believed.
_DWELL_AGAINST_FRAME = (0.02, 2.0)
_LENGTH_MM = {"pm": 1e-9, "nm": 1e-6, "µm": 1e-3, "um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3}
_TIME_US = {"ns": 1e-3, "µs": 1.0, "us": 1.0, "ms": 1e3, "s": 1e6, "secs": 1e6}
_CURRENT_PA = {"fa": 1e-3, "pa": 1.0, "na": 1e3, "µa": 1e6, "ua": 1e6, "a": 1e12}


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor's dialect.

    Parameters
    ----------
    name : str
        For people.
    fields : callable
        From tags, shape of the image [px], pixel size [nm] and a list of notes that may grow, to fields of `Context`.
    pixel_m : (float, float), optional
        Height and width of a pixel [m], where the axes do not have it but the tags do.
    """

    name: str
    fields: Fields
    pixel_m: tuple[float, float] | None = None


def vendor_of(tags: Tags) -> Vendor | None:
    """Return the dialect that TIFF tags are written in, or None for a plain TIFF."""
    if dig(tags, "fei_metadata") is not None:
        return Vendor(name="FEI/Thermo Fisher", fields=_fei)
    if dig(tags, "CZ_SEM") is not None:
        return Vendor(name="Zeiss", fields=_zeiss)
    if dig(tags, "Olympus_SIS_metadata") is not None or dig(tags, "OlympusSIS") is not None:
        return Vendor(name="Olympus SIS", fields=_olympus)
    if _TESCAN_TAG in tags:
        main = _tescan_sections(tags).get("MAIN", {})
        height, width = number(main.get("PixelSizeY")), number(main.get("PixelSizeX"))
        pixel = (height, width) if height and width and height > 0 and width > 0 else None
        return Vendor(name="TESCAN", fields=_tescan, pixel_m=pixel)
    if _jeol_report(tags) is not None:
        return Vendor(name="JEOL", fields=_jeol)
    return None


def _fei(tags: Tags, shape: tuple[int, ...], pixel_size_nm: float | None, notes: list[str]) -> dict[str, Any]:
    """SI units throughout: V, A, m, s, rad."""
    fei = tags["fei_metadata"]
    beam = text(dig(fei, "Beam", "Beam"))
    electrons = beam == "EBeam"
    volts = {
        f"{group}.HV": positive(dig(fei, group, "HV"), what="accelerating voltage", unit="V", notes=notes, factor=1e-3)
        for group in ("Beam", "EBeam")
    }
    distance = dig(fei, "EBeam" if electrons else "Stage", "WD" if electrons else "WorkingDistance")
    tilt = number(dig(fei, "Stage", "StageT"))
    created = text(dig(fei, "PrivateFei", "TimeOfCreation"))
    moment = created or " ".join(filter(None, (text(dig(fei, "User", "Date")), text(dig(fei, "User", "Time")))))
    bar = number(dig(fei, "PrivateFei", "DatabarHeight"))
    rows = number(dig(fei, "Image", "ResolutionY"))
    if bar and rows and shape[-2] > rows:
        notes.append(f"the lowest {shape[-2] - rows:.0f} rows are the instrument's data bar, not the sample: crop them")
    return {
        # The navigation camera and the infrared camera of a dual-beam instrument photograph with light.
        "technique": "SEM" if electrons else "light" if beam == "IRBeam" else "FIB" if beam == "IBeam" else None,
        "energy_kev": agreed(volts, what="beam energy", unit="keV", notes=notes) if electrons else None,
        "detectors": (text(dig(fei, "Detectors", "Name")),),
        "probe_current_pa": positive(
            dig(fei, "EBeam", "BeamCurrent"), what="probe current", unit="A", notes=notes, factor=1e12
        ),
        "dwell_us": positive(dig(fei, "Scan", "Dwelltime"), what="dwell time", unit="s", notes=notes, factor=1e6),
        "working_distance_mm": positive(distance, what="working distance", unit="m", notes=notes, factor=1e3),
        "tilt_deg": None if tilt is None else float(f"{math.degrees(tilt):.12g}"),
        "date": iso_date(
            moment, formats=("%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S"), notes=notes
        ),
        "sample": text(dig(fei, "User", "UserText")),
    }


def _zeiss_value(tags: Tags, key: str, units: Mapping[str, float]) -> float | None:
    """Return a ``(label, value, unit)`` entry in the base unit of ``units``; the unit varies from file to file."""
    entry = dig(tags, "CZ_SEM", key)
    if not isinstance(entry, tuple | list) or len(entry) < 3:
        return None
    value, factor = number(entry[1]), units.get(str(entry[2]).strip().lower())
    return None if value is None or factor is None else value * factor


def _zeiss_text(tags: Tags, key: str) -> str | None:
    entry = dig(tags, "CZ_SEM", key)
    return text(entry[1]) if isinstance(entry, tuple | list) and len(entry) > 1 else None


def _zeiss_magnification(tags: Tags) -> float | None:
    """Return a magnification that is written ``105`` or ``'50.00 K X'``."""
    entry = dig(tags, "CZ_SEM", "ap_mag")
    written = " ".join(str(part) for part in entry[1:]) if isinstance(entry, tuple | list) else ""
    match = re.match(r"\s*([\d.]+)\s*(K?)\s*X?", written, flags=re.IGNORECASE)
    value = number(match[1]) if match else None
    return value * 1e3 if match and value is not None and match[2] else value


def _zeiss(tags: Tags, shape: tuple[int, ...], pixel_size_nm: float | None, notes: list[str]) -> dict[str, Any]:
    """Each value carries its unit."""
    volts = _zeiss_value(tags, "ap_actualkv", {"kv": 1.0, "v": 1e-3})
    dwell = positive(_zeiss_value(tags, "dp_dwell_time", _TIME_US), what="dwell time", unit="µs", notes=notes)
    cycle = _zeiss_value(tags, "ap_frame_time", _TIME_US)
    if dwell and cycle and cycle > 0:
        share = cycle / (shape[-2] * shape[-1])
        low, high = _DWELL_AGAINST_FRAME
        if not low <= dwell / share <= high:
            notes.append(
                f"dwell time is recorded as {dwell:g} µs but the cycle time gives {share:.3g} µs a pixel: left unknown"
            )
            dwell = None
    moment = " ".join(filter(None, (_zeiss_text(tags, "ap_date"), _zeiss_text(tags, "ap_time"))))
    return {
        "technique": "SEM",
        "energy_kev": positive(volts, what="accelerating voltage", unit="kV", notes=notes),
        "detectors": (_zeiss_text(tags, "dp_detector_channel"),),
        "probe_current_pa": positive(
            _zeiss_value(tags, "ap_iprobe", _CURRENT_PA), what="probe current", unit="pA", notes=notes
        ),
        "dwell_us": dwell,
        "working_distance_mm": positive(
            _zeiss_value(tags, "ap_wd", _LENGTH_MM), what="working distance", unit="mm", notes=notes
        ),
        "magnification": magnification(_zeiss_magnification(tags), pixel_size_nm=pixel_size_nm, notes=notes),
        "tilt_deg": _zeiss_value(tags, "ap_stage_at_t", {"°": 1.0, "deg": 1.0}),
        "date": iso_date(moment, formats=("%d %b %Y %H:%M:%S", "%d %b %Y"), notes=notes),
        "sample": _zeiss_text(tags, "sv_sample_id") or _zeiss_text(tags, "sv_user_text"),
    }


def _olympus(tags: Tags, shape: tuple[int, ...], pixel_size_nm: float | None, notes: list[str]) -> dict[str, Any]:
    sis = dig(tags, "Olympus_SIS_metadata") or dig(tags, "OlympusSIS")
    return {
        "detectors": (text(dig(sis, "cameraname")) or text(dig(tags, "Model")),),
        "magnification": magnification(dig(sis, "magnification"), pixel_size_nm=pixel_size_nm, notes=notes),
        "date": iso_date(dig(tags, "DateTime"), formats=("%Y:%m:%d %H:%M:%S",), notes=notes),
    }


def _tescan_sections(tags: Tags) -> Mapping[str, Mapping[str, str]]:
    """Return TESCAN's private tag: ``[SECTION]`` lines, then ``key=value`` lines, after a binary preamble."""
    raw = tags[_TESCAN_TAG]
    written = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in re.split(r"[\r\n\x00]+", written):
        if match := re.search(r"\[([A-Z]+)\]$", line.strip()):
            current = sections.setdefault(match[1], {})
        elif "=" in line:
            key, _, value = line.partition("=")
            current.setdefault(key.strip(), value.strip())
    return sections


def _tescan(tags: Tags, shape: tuple[int, ...], pixel_size_nm: float | None, notes: list[str]) -> dict[str, Any]:
    """SI units, angles in degrees."""
    sections = _tescan_sections(tags)
    main, sem = sections.get("MAIN", {}), sections.get("SEM", {})
    moment = " ".join(filter(None, (text(main.get("Date")), text(main.get("Time")))))
    return {
        "technique": "SEM",
        "energy_kev": positive(sem.get("HV"), what="accelerating voltage", unit="V", notes=notes, factor=1e-3),
        "detectors": (text(sem.get("Detector")) or text(sem.get("Detector0")),),
        "probe_current_pa": positive(
            sem.get("PredictedBeamCurrent"), what="probe current", unit="A", notes=notes, factor=1e12
        ),
        "dwell_us": positive(sem.get("DwellTime"), what="dwell time", unit="s", notes=notes, factor=1e6),
        "working_distance_mm": positive(sem.get("WD"), what="working distance", unit="m", notes=notes, factor=1e3),
        "magnification": magnification(main.get("Magnification"), pixel_size_nm=pixel_size_nm, notes=notes),
        "tilt_deg": number(sem.get("StageTilt")),
        "date": iso_date(moment, formats=("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"), notes=notes),
        "sample": text(main.get("Sign")) or text(main.get("Description")),
    }


def _jeol_report(tags: Tags) -> Any:
    """Return JEOL's ``TemReporter`` as a tree, whether the parser has read its XML already or left it as text."""
    described = dig(tags, "ImageDescription")
    if isinstance(described, Mapping) and "ElectronGun" in described:
        return described
    if not (isinstance(described, str) and "<TemReporter" in described[:400]):
        return None
    try:
        return _tree(ET.fromstring(described.strip(" \r\n\t\x00\x01")))
    except ET.ParseError:
        return None


def _tree(element: ET.Element) -> dict[str, Any] | str | None:
    return {child.tag: _tree(child) for child in element} if len(element) else element.text


def _jeol(tags: Tags, shape: tuple[int, ...], pixel_size_nm: float | None, notes: list[str]) -> dict[str, Any]:
    """Volts and degrees; the gun's ``BeamCurrent`` is its emission, not the probe's."""
    report = _jeol_report(tags)
    imaging = dig(report, "ImageFormingSystem") or {}
    scanned = text(dig(report, "Eos", "EosMode")) in ("eosASID", "modeASID")
    diffraction = not scanned and text(dig(imaging, "ModeString")) == "DIFF"
    selector = None if diffraction else dig(imaging, "SelectorValue")
    written = text(dig(report, "DateTime"))
    fields: dict[str, Any] = {
        "technique": "STEM" if scanned else "diffraction" if diffraction else "TEM",
        "energy_kev": positive(
            dig(report, "ElectronGun", "AccelerationVoltage"),
            what="accelerating voltage",
            unit="V",
            notes=notes,
            factor=1e-3,
        ),
        "detectors": (text(dig(report, "Scan", "Modelname")) if scanned else None,),
        "magnification": magnification(selector, pixel_size_nm=pixel_size_nm, notes=notes),
        "tilt_deg": number(dig(report, "GonioStage", "StagePosition", "TX")),
        # Python reads six decimals of a second; JEOL writes seven.
        "date": iso_date(
            re.sub(r"\.\d+", "", written) if written else None, formats=("%Y-%m-%dT%H:%M:%S%z",), notes=notes
        ),
        "sample": text(dig(report, "Specimen")) or text(dig(report, "Comment")),
    }
    if scanned:
        # The camera length is shown as on the instrument's panel, e.g. "8cm".
        match = re.fullmatch(r"([\d.]+)\s*(mm|cm|m)", text(dig(imaging, "DetectAngleString")) or "")
        factor = _LENGTH_MM[match[2]] if match else 1.0
        fields["camera_length_mm"] = positive(
            match[1] if match else None,
            what="camera length",
            unit=match[2] if match else "",
            notes=notes,
            factor=factor,
        )
    return fields
