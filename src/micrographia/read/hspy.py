"""HyperSpy's ``.hspy``, and the normalised metadata that other RosettaSciIO readers share with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from micrographia.context import Context
from micrographia.read.axes import Plane, planes, recorded, title
from micrographia.read.entry import Contents
from micrographia.read.parse import parse, reader_name
from micrographia.read.plausible import (
    LEAST_PROBE_CURRENT_PA,
    context_from_file,
    dig,
    iso_date,
    magnification,
    number,
    positive,
    text,
)
from micrographia.read.record import recorded_by_us


def load(path: Path) -> Contents:
    """Read the images of an ``.hspy`` file, written by HyperSpy or by us.

    Parameters
    ----------
    path : Path
        An existing file.

    Raises
    ------
    ReadError
        The file is damaged or cut short.
    ContextError
        The record that Micrographia left in it has been edited into something impossible.
    """
    signals, notes = parse("hspy", path)
    reader = reader_name("hspy")
    ours = dig(signals[0]["metadata"], "Micrographia", "record") if len(signals) == 1 else None
    if isinstance(ours, str) and ours:  # as it stands: two spaces in a name are two spaces
        image = recorded_by_us(
            ours,
            pixels=signals[0]["data"],
            name=title(signals[0], path.stem),
            file=path.name,
            raw_metadata=signals[0]["original_metadata"],
        )
        return Contents(file_format="HyperSpy (Micrographia)", reader=reader, images=(image,))
    found = []
    for signal in signals:
        for plane in planes(signal, name=title(signal, path.stem)):
            context = context_from_metadata(
                signal["metadata"], plane=plane, notes=(*notes, *plane.notes, *plane.calibration.notes)
            )
            # The vendor's metadata does not tell where in the file the normalised metadata came from.
            found.append((plane, context, signal["original_metadata"]))
    return Contents(file_format="HyperSpy", reader=reader, images=recorded(found))


def context_from_metadata(metadata: Mapping[str, Any], *, plane: Plane, notes: tuple[str, ...]) -> Context:
    """Return the context that HyperSpy's metadata states, in HyperSpy's units.

    Parameters
    ----------
    metadata : mapping
        The normalised metadata: keV, mrad, mm, nA, degrees.
    plane : Plane
        The image.
    notes : tuple of str
        Doubts so far.
    """
    doubts = list(notes)
    instruments: Mapping[str, Any] = dig(metadata, "Acquisition_instrument") or {}
    kind = next((k for k in ("TEM", "SEM") if k in instruments), None)
    used: Mapping[str, Any] = dig(instruments, kind or "") or {}
    mode = (text(used.get("acquisition_mode")) or "").upper()
    technique = "STEM" if mode == "STEM" else kind
    if plane.calibration.reciprocal:
        technique = "diffraction"
    date, time = dig(metadata, "General", "date"), dig(metadata, "General", "time")
    written = " ".join(str(part) for part in (date, time) if part)
    stated = context_from_file(
        {
            "technique": technique,
            "energy_kev": positive(used.get("beam_energy"), what="beam energy", unit="keV", notes=doubts),
            "convergence_mrad": positive(
                used.get("convergence_angle"), what="convergence semi-angle", unit="mrad", notes=doubts
            ),
            "camera_length_mm": positive(used.get("camera_length"), what="camera length", unit="mm", notes=doubts),
            "probe_current_pa": positive(
                used.get("beam_current"),
                what="probe current",
                unit="nA",
                notes=doubts,
                factor=1e3,
                least=LEAST_PROBE_CURRENT_PA,
            ),
            "working_distance_mm": positive(
                used.get("working_distance"), what="working distance", unit="mm", notes=doubts
            ),
            "magnification": magnification(
                used.get("magnification"), pixel_size_nm=plane.calibration.pixel_size_nm, notes=doubts
            ),
            "tilt_deg": number(dig(used, "Stage", "tilt_alpha")),
            "date": iso_date(
                written,
                formats=("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d"),
                notes=doubts,
            ),
            "sample": text(dig(metadata, "Sample", "name")),
        },
        notes=(),
    )
    return replace(stated, notes=(*doubts, *stated.notes))
