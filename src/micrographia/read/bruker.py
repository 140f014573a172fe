"""Bruker composite files ``.bcf``: the images beside the spectrum map."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

from micrographia.errors import ReadError
from micrographia.read.axes import planes, recorded, title
from micrographia.read.entry import Contents
from micrographia.read.parse import parse, reader_name
from micrographia.read.plausible import context_from_file, dig, magnification, positive

# The container counts its chunks: their size [bytes] at the first offset, their number at the second.
_CHUNK_SIZE_AT: Final = 0x128
_CHUNK_COUNT_AT: Final = 0x148


def load(path: Path) -> Contents:
    """Read the images of a Bruker file; its spectra are left out.

    Parameters
    ----------
    path : Path
        An existing ``.bcf``.

    Raises
    ------
    ReadError
        The file is damaged or cut short.
    """
    _require_whole(path)
    signals, parser_notes = parse("bruker", path, options={"select_type": "image"})
    found = []
    for signal in signals:
        tags = signal["original_metadata"]
        column: Any = dig(tags, "Microscope") or {}
        for plane in planes(signal, name=title(signal, path.stem)):
            doubts = [*parser_notes, *plane.notes, *plane.calibration.notes]
            transmission = dig(signal["metadata"], "Acquisition_instrument", "TEM") is not None
            fields = {
                # Bruker's scan unit records while it scans the beam, so an image from a TEM column is STEM.
                "technique": "STEM" if transmission else "SEM",
                "energy_kev": positive(column.get("HV"), what="accelerating voltage", unit="kV", notes=doubts),
                "detectors": (title(signal, "") or None,),
                "magnification": magnification(
                    column.get("Mag"), pixel_size_nm=plane.calibration.pixel_size_nm, notes=doubts
                ),
            }
            if not transmission:
                fields["working_distance_mm"] = positive(
                    column.get("WD"), what="working distance", unit="mm", notes=doubts
                )
            found.append((plane, context_from_file(fields, notes=doubts), tags))
    return Contents(file_format="Bruker composite file", reader=reader_name("bruker"), images=recorded(found))


def _require_whole(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_CHUNK_COUNT_AT + 4)
    if len(head) < _CHUNK_COUNT_AT + 4:
        raise ReadError(f"{path.name} has {size} bytes, fewer than its header: copy it again from the instrument")
    (chunk,), (count,) = (struct.unpack_from("<I", head, at) for at in (_CHUNK_SIZE_AT, _CHUNK_COUNT_AT))
    if size < (count - 1) * chunk:
        raise ReadError(
            f"{path.name} is cut short: {count * chunk} bytes are needed, {size} are there; "
            "copy it again from the instrument"
        )
