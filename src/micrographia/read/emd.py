"""EMD, two formats of one name: Velox (Thermo Fisher) and NCEM; ``.emd``, ``.h5``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from micrographia.context import Angles, Context
from micrographia.read.axes import Plane, planes, recorded, title
from micrographia.read.entry import Contents
from micrographia.read.parse import parse, reader_name
from micrographia.read.plausible import (
    LEAST_CAMERA_LENGTH_MM,
    LEAST_PROBE_CURRENT_PA,
    context_from_file,
    dig,
    magnification,
    number,
    positive,
    text,
)


def load(path: Path) -> Contents:
    """Read the images of an EMD file; spectra and spectrum images are left out.

    Parameters
    ----------
    path : Path
        An existing ``.emd``, ``.h5`` or ``.hdf5``.

    Raises
    ------
    ReadError
        The file is damaged or cut short, or is HDF5 of another kind.
    """
    signals, parser_notes = parse("emd", path, options={"select_type": "images"})
    velox = any("Optics" in s["original_metadata"] for s in signals)
    found = []
    for signal in signals:
        tags = signal["original_metadata"]
        for plane in planes(signal, name=title(signal, path.stem)):
            notes = (*parser_notes, *plane.notes, *plane.calibration.notes)
            if velox:
                context = context_from_velox(tags, name=title(signal, ""), plane=plane, notes=notes)
            else:
                context = _context_from_ncem(tags, plane=plane, notes=notes)
            found.append((plane, context, tags))
    return Contents(
        file_format="EMD (Velox)" if velox else "EMD (NCEM)",
        reader=reader_name("emd"),
        images=recorded(found),
    )


def context_from_velox(tags: Mapping[str, Any], *, name: str, plane: Plane, notes: tuple[str, ...]) -> Context:
    """Return the context that Velox records: volts, metres, seconds, amperes and radians.

    Parameters
    ----------
    tags : mapping
        Velox metadata of one image.
    name : str
        Title of the image: a detector, a segment of one such as ``"DF4-C"``, or a computed image.
    plane : Plane
        The image.
    notes : tuple of str
        Doubts so far.
    """
    doubts = list(notes)
    optics: Mapping[str, Any] = dig(tags, "Optics") or {}
    technique = _velox_technique(optics, reciprocal=plane.calibration.reciprocal)
    detector = text(dig(tags, "BinaryResult", "Detector"))
    fields: dict[str, Any] = {
        "technique": technique,
        "energy_kev": positive(
            optics.get("AccelerationVoltage"), what="accelerating voltage", unit="V", notes=doubts, factor=1e-3
        ),
        "detectors": (detector,),
        "tilt_deg": _degrees(dig(tags, "Stage", "AlphaTilt")),
        "date": _velox_date(tags),
        "sample": text(dig(tags, "Sample")) or text(dig(tags, "Sample", "SampleDescription")),
    }
    size = plane.calibration.pixel_size_nm
    if technique == "STEM":
        fields |= {
            "convergence_mrad": positive(
                optics.get("BeamConvergence"), what="convergence semi-angle", unit="rad", notes=doubts, factor=1e3
            ),
            "collection_mrad": (_collection(tags, detector=detector, name=name, notes=doubts),),
            "probe_current_pa": positive(
                optics.get("LastMeasuredScreenCurrent"),
                what="probe current (last measured on the screen)",
                unit="A",
                notes=doubts,
                factor=1e12,
                least=LEAST_PROBE_CURRENT_PA,
            ),
            "dwell_us": positive(dig(tags, "Scan", "DwellTime"), what="dwell time", unit="s", notes=doubts, factor=1e6),
            "magnification": magnification(
                dig(tags, "CustomProperties", "StemMagnification", "value"), pixel_size_nm=size, notes=doubts
            ),
        }
    if technique == "TEM":
        fields["magnification"] = magnification(optics.get("NominalMagnification"), pixel_size_nm=size, notes=doubts)
    if technique in ("STEM", "diffraction"):
        fields["camera_length_mm"] = positive(
            optics.get("CameraLength"),
            what="camera length",
            unit="m",
            notes=doubts,
            factor=1e3,
            least=LEAST_CAMERA_LENGTH_MM,
        )
    return context_from_file(fields, notes=doubts)


def _velox_technique(optics: Mapping[str, Any], *, reciprocal: bool) -> str | None:
    mode, projector = text(optics.get("OperatingMode")), text(optics.get("ProjectorMode"))
    if reciprocal or (mode == "1" and projector == "1"):
        return "diffraction"
    return {"1": "TEM", "2": "STEM"}.get(mode or "")


def _degrees(radians: Any) -> float | None:
    value = number(radians)
    return None if value is None else float(f"{math.degrees(value):.12g}")


def _velox_date(tags: Mapping[str, Any]) -> str | None:
    seconds = number(dig(tags, "Acquisition", "AcquisitionStartDatetime", "DateTime"))
    if not seconds or not 0 < seconds < 1e11:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")


def _collection(tags: Mapping[str, Any], *, detector: str | None, name: str, notes: list[str]) -> Angles | None:
    """Return the angles of the detector that recorded the image; a computed image has none."""
    if detector is None or not (name == detector or name.startswith(f"{detector}-")):
        return None
    listed: Mapping[str, Any] = dig(tags, "Detectors") or {}
    own = next((d for d in listed.values() if text(dig(d, "DetectorName")) == detector), None)
    angles = dig(own, "CollectionAngleRange") or dig(tags, "DetectorMetadata", "CollectionAngleRange")
    inner, outer = number(dig(angles, "begin")), number(dig(angles, "end"))
    if inner is None or outer is None:
        return None
    if not 0 <= inner < outer:
        notes.append(
            f"collection angles of {detector} are recorded as {inner:g} to {outer:g} rad: not believed, left unknown"
        )
        return None
    return float(f"{inner * 1e3:.12g}"), float(f"{outer * 1e3:.12g}")


def _context_from_ncem(tags: Mapping[str, Any], *, plane: Plane, notes: tuple[str, ...]) -> Context:
    """Return the little that NCEM EMD's free-form groups state in a known way."""
    doubts = list(notes)
    volts = dig(tags, "microscope", "voltage")
    return context_from_file(
        {
            "technique": "diffraction" if plane.calibration.reciprocal else None,
            "energy_kev": positive(volts, what="accelerating voltage", unit="V", notes=doubts, factor=1e-3),
            "sample": text(dig(tags, "sample", "name")) or text(dig(tags, "sample", "material")),
        },
        notes=doubts,
    )
