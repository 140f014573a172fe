"""The extended header that Thermo Fisher programs write into MRC files, version ``FEI2``.

RosettaSciIO gives the standard header only. Offsets are those of the published layout; the pixel size, which both
headers hold, tells whether they fit.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from micrographia.read.plausible import LEAST_CAMERA_LENGTH_MM, positive, text

_STANDARD_BYTES: Final = 1024
_KIND_AT: Final = 104
_ENTRY_BYTES: Final = 888
_DAY_ZERO: Final = datetime(1899, 12, 30)

_DOUBLES: Final[Mapping[str, int]] = {
    "days": 12,
    "volts": 84,
    "tilt_deg": 100,
    "pixel_m": 156,
    "camera_length_m": 301,
    "convergence": 329,
    "dwell_s": 571,
}
_MODE_AT: Final = 244
_PROJECTION_AT: Final = 248
_DETECTOR_AT: Final = slice(519, 535)
_AGREE_WITHIN: Final = 1e-3


def fields_from_extended_header(path: Path, *, pixel_size_nm: float | None, notes: list[str]) -> dict[str, Any]:
    """Return fields of `Context` from the first entry of an ``FEI2`` header, or nothing where there is none.

    Parameters
    ----------
    path : Path
        An existing MRC file.
    pixel_size_nm : float, optional
        Pixel size of the standard header [nm].
    notes : list of str
        Grows by a note for each value that is not believed.
    """
    with path.open("rb") as stream:
        start = stream.read(_STANDARD_BYTES + _ENTRY_BYTES)
    entry = start[_STANDARD_BYTES:]
    if start[_KIND_AT : _KIND_AT + 4] != b"FEI2" or len(entry) < _ENTRY_BYTES:
        return {}
    value = {name: struct.unpack_from("<d", entry, at)[0] for name, at in _DOUBLES.items()}
    size = value["pixel_m"] * 1e9
    if pixel_size_nm is None or not abs(size - pixel_size_nm) <= _AGREE_WITHIN * pixel_size_nm:
        notes.append("the extended header disagrees with the standard one on the pixel size: it is not used")
        return {}
    mode, projection = (struct.unpack_from("<i", entry, at)[0] for at in (_MODE_AT, _PROJECTION_AT))
    technique = {1: "diffraction" if projection == 1 else "TEM", 2: "STEM"}.get(mode)
    fields: dict[str, Any] = {
        "technique": technique,
        "energy_kev": positive(value["volts"], what="accelerating voltage", unit="V", notes=notes, factor=1e-3),
        "tilt_deg": value["tilt_deg"],
        "date": (_DAY_ZERO + timedelta(days=value["days"])).isoformat(timespec="seconds")
        if 1 < value["days"] < 1e6
        else None,
    }
    if technique == "STEM":
        fields |= {
            "detectors": (text(entry[_DETECTOR_AT]),),
            "dwell_us": positive(value["dwell_s"], what="dwell time", unit="s", notes=notes, factor=1e6),
            "camera_length_mm": positive(
                value["camera_length_m"],
                what="camera length",
                unit="m",
                notes=notes,
                factor=1e3,
                least=LEAST_CAMERA_LENGTH_MM,
            ),
        }
        if value["convergence"]:
            notes.append(f"convergence is recorded as {value['convergence']:.4g} without a unit: left unknown")
    return fields
