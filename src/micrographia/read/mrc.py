"""MRC and CCP4 maps: ``.mrc``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from micrographia.errors import ReadError
from micrographia.read.axes import planes, recorded
from micrographia.read.entry import Contents
from micrographia.read.mrc_extended import fields_from_extended_header
from micrographia.read.parse import parse, reader_name
from micrographia.read.plausible import context_from_file, dig, number

_HEADER_BYTES: Final = 1024
_BYTES_A_PIXEL: Final[Mapping[int, float]] = {0: 1, 1: 2, 2: 4, 3: 4, 4: 8, 6: 2, 12: 2, 101: 0.5}
_LARGEST_SIDE: Final = 1_000_000


def load(path: Path) -> Contents:
    """Read the images of an MRC file. The standard header states a pixel size, Thermo Fisher's extended one much more.

    Parameters
    ----------
    path : Path
        An existing file.

    Raises
    ------
    ReadError
        The file is damaged or cut short, or no MRC.
    """
    size = path.stat().st_size
    if size < _HEADER_BYTES:
        raise ReadError(f"{path.name} has {size} bytes, fewer than an MRC header: copy it again from the instrument")
    with path.open("rb") as stream:
        head = stream.read(16)
    order: Literal["little", "big"] = "little" if 0 < int.from_bytes(head[:4], "little") <= _LARGEST_SIDE else "big"
    width, height, depth, mode = (int.from_bytes(head[k : k + 4], order, signed=True) for k in (0, 4, 8, 12))
    if not (all(0 < n <= _LARGEST_SIDE for n in (width, height, depth)) and mode in _BYTES_A_PIXEL):
        raise ReadError(f"{path.name} is no MRC file: its header gives {width} x {height} x {depth} px of mode {mode}")
    signals, notes = parse("mrc", path, options={"endianness": "<" if order == "little" else ">"})
    found = []
    for signal in signals:
        tags = signal["original_metadata"]
        extended = number(dig(tags, "std_header", "NEXT")) or 0
        needed = _HEADER_BYTES + extended + width * height * depth * _BYTES_A_PIXEL[mode]
        if needed > size:
            raise ReadError(
                f"{path.name} is cut short: {needed:.0f} bytes are needed, {size} are there; "
                "copy it again from the instrument"
            )
        for plane in planes(signal, name=""):
            doubts = [*notes, *plane.notes, *plane.calibration.notes]
            fields = fields_from_extended_header(path, pixel_size_nm=plane.calibration.pixel_size_nm, notes=doubts)
            found.append((plane, context_from_file(fields, notes=doubts), tags))
    return Contents(file_format="MRC", reader=reader_name("mrc"), images=recorded(found))
