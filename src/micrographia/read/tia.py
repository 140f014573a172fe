"""FEI TIA: a series ``.ser`` holds the pixels, an ``.emi`` describes the experiment and points to its series."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from micrographia.context import Context
from micrographia.errors import ReadError
from micrographia.read.axes import Plane, planes, recorded
from micrographia.read.entry import Contents
from micrographia.read.parse import Signal, parse, reader_name
from micrographia.read.plausible import (
    LEAST_CAMERA_LENGTH_MM,
    agreed,
    context_from_file,
    dig,
    iso_date,
    magnification,
    number,
    positive,
    text,
)


def load(path: Path) -> Contents:
    """Read the images of a TIA file.

    A ``.ser`` has no description of the experiment; where the ``.emi`` that it belongs to lies beside it,
    the context comes from there, and a note says so.

    Parameters
    ----------
    path : Path
        An existing ``.emi`` with its ``.ser`` beside it, or a ``.ser``.

    Raises
    ------
    ReadError
        The file is damaged or cut short, or an ``.emi`` lies without its ``.ser``.
    """
    return _load_emi(path) if path.suffix.lower() == ".emi" else _load_ser(path)


def _load_emi(path: Path) -> Contents:
    series = sorted(p for p in path.parent.glob("*.ser") if re.fullmatch(re.escape(path.stem) + r"_\d+", p.stem))
    if not series:
        raise ReadError(f"{path.name} holds no pixels itself: put its {path.stem}_1.ser beside it")
    for beside in series:
        _require_whole(beside)
    signals, notes = parse("tia", path)
    if any("ObjectInfo" not in s["original_metadata"] for s in signals):
        raise ReadError(
            f"{path.name} describes no experiment, it may be cut short: copy it again, or read {series[0].name} instead"
        )
    return _contents(signals, notes=notes, series=True, also_from=tuple(p.name for p in series))


def _load_ser(path: Path) -> Contents:
    _require_whole(path)
    signals, notes = parse("tia", path)
    parent = path.with_name(re.sub(r"_\d+$", "", path.stem) + ".emi")
    also: tuple[str, ...] = ()
    if parent.is_file() and parent.stem != path.stem:
        try:
            described, _ = parse("tia", parent)
        except ReadError:
            described = ()
        own = [s for s in described if dig(s["metadata"], "General", "original_filename") == path.name]
        if len(own) == len(signals) and all("ObjectInfo" in s["original_metadata"] for s in own):
            notes = (*notes, f"the context comes from {parent.name}, which lies beside {path.name}")
            signals, also = tuple(own), (parent.name,)
    return _contents(signals, notes=notes, series=False, also_from=also)


def _require_whole(path: Path) -> None:
    """Refuse a series whose pixels do not all fit into the file; the parser would return fewer."""
    size = path.stat().st_size
    if size < 60:
        raise ReadError(f"{path.name} has {size} bytes, too few for a TIA series: copy it again from the instrument")
    signals, _ = parse("tia", path)
    for signal in signals:
        if signal["data"].nbytes > size:
            raise ReadError(
                f"{path.name} is cut short: {signal['data'].nbytes} bytes of pixels in a file of {size}; "
                "copy it again from the instrument"
            )


def _contents(
    signals: tuple[Signal, ...], *, notes: tuple[str, ...], series: bool, also_from: tuple[str, ...]
) -> Contents:
    found: list[tuple[Plane, Context, Mapping[str, Any]]] = []
    for signal in signals:
        tags = signal["original_metadata"]
        name = dig(signal["metadata"], "General", "original_filename") or ""
        for plane in planes(signal, name=name if series and len(signals) > 1 else ""):
            context = context_from_experiment(
                dig(tags, "ObjectInfo") or {},
                plane=plane,
                notes=(*notes, *plane.notes, *plane.calibration.notes),
            )
            found.append((plane, context, tags))
    return Contents(
        file_format="TIA series (emi)" if series else "TIA series (ser)",
        reader=reader_name("tia"),
        images=recorded(found),
        also_from=also_from,
    )


def context_from_experiment(info: Mapping[str, Any], *, plane: Plane, notes: tuple[str, ...]) -> Context:
    """Return the context that an ``.emi`` states.

    Parameters
    ----------
    info : mapping
        Its group ``ObjectInfo``.
    plane : Plane
        The image.
    notes : tuple of str
        Doubts so far.
    """
    doubts = list(notes)
    described: Mapping[str, Any] = dig(info, "ExperimentalDescription") or {}
    acquired: Mapping[str, Any] = dig(info, "AcquireInfo") or {}
    mode = text(described.get("Mode")) or ""
    technique: str | None = "STEM" if mode.startswith("STEM") else "TEM" if mode.startswith("TEM") else None
    if plane.calibration.reciprocal or (technique == "TEM" and mode.endswith("Diffraction")):
        technique = "diffraction"
    volts = dig(info, "ExperimentalConditions", "MicroscopeConditions", "AcceleratingVoltage")
    energy = agreed(
        {
            "AcceleratingVoltage": positive(volts, what="accelerating voltage", unit="V", notes=doubts, factor=1e-3),
            "High tension": positive(described.get("High tension_kV"), what="high tension", unit="kV", notes=doubts),
        },
        what="beam energy",
        unit="keV",
        notes=doubts,
    )
    fields: dict[str, Any] = {
        "technique": technique,
        "energy_kev": energy,
        "detectors": (text(acquired.get("CameraNamePath")),),
        "tilt_deg": number(described.get("Stage A_deg")),
        "date": iso_date(info.get("AcquireDate"), formats=("%a %b %d %H:%M:%S %Y",), notes=doubts),
    }
    if technique != "diffraction":
        fields["magnification"] = magnification(
            described.get("Magnification_x"), pixel_size_nm=plane.calibration.pixel_size_nm, notes=doubts
        )
    if technique == "STEM":
        # With a camera the same tag holds its exposure, which is no dwell time.
        fields["dwell_us"] = positive(
            acquired.get("DwellTimePath"), what="dwell time", unit="s", notes=doubts, factor=1e6
        )
    if technique in ("STEM", "diffraction"):
        fields["camera_length_mm"] = positive(
            described.get("Camera length_m"),
            what="camera length",
            unit="m",
            notes=doubts,
            factor=1e3,
            least=LEAST_CAMERA_LENGTH_MM,
        )
    return context_from_file(fields, notes=doubts)
