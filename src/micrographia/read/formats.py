"""Which formats there are: extensions, first bytes, and the module that reads each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from micrographia.errors import ReadError

SEPARATOR: Final = "::"
"""Between a file and the name or index of an image in it."""

_MODULE: Final[Mapping[str, str]] = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emd": "emd",
    ".h5": "emd",
    ".hdf5": "emd",
    ".ser": "tia",
    ".emi": "tia",
    ".mrc": "mrc",
    ".hspy": "hspy",
    ".bcf": "bruker",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".bmp": "image",
    ".npy": "array",
}
"""Module for each file name extension."""

# First bytes of each kind of file, and the extensions that may carry them. MRC has no mark at its start.
_MARKS: Final[tuple[tuple[bytes, str, tuple[str, ...]], ...]] = (
    (b"\x00\x00\x00\x03\x00", "DigitalMicrograph 3", (".dm3",)),
    (b"\x00\x00\x00\x03", "DigitalMicrograph 3", (".dm3",)),
    (b"\x00\x00\x00\x04", "DigitalMicrograph 4", (".dm4",)),
    (b"\x89HDF\r\n\x1a\n", "HDF5", (".emd", ".h5", ".hdf5", ".hspy")),
    (b"II\x97\x01", "TIA series", (".ser",)),
    (b"JK\x00\x02", "TIA experiment", (".emi",)),
    (b"AAMVHFSS", "Bruker composite file", (".bcf",)),
    (b"II*\x00", "TIFF", (".tif", ".tiff")),
    (b"MM\x00*", "TIFF", (".tif", ".tiff")),
    (b"II+\x00", "BigTIFF", (".tif", ".tiff")),
    (b"MM\x00+", "BigTIFF", (".tif", ".tiff")),
    (b"\x89PNG", "PNG", (".png",)),
    (b"\xff\xd8\xff", "JPEG", (".jpg", ".jpeg")),
    (b"BM", "BMP", (".bmp",)),
    (b"\x93NUMPY", "NumPy array", (".npy",)),
)


def split_path(path: str | Path) -> tuple[Path, str | None]:
    """Split ``FILE::image`` into the file and what was asked for in it; a file's own name may contain ``::``.

    Raises
    ------
    ReadError
        There is no such file, or it is a folder.
    """
    written = str(path)
    if not written.strip() or written == ".":
        raise ReadError("no file was named; give a file")
    candidates: list[tuple[str, str | None]] = [(written, None)]
    start = len(written)
    while (start := written.rfind(SEPARATOR, 0, start)) > 0:
        candidates.append((written[:start], written[start + len(SEPARATOR) :]))
    try:
        for file, wanted in candidates:
            if Path(file).is_file():
                return Path(file), wanted
        if Path(written).is_dir():
            raise ReadError(f"{written} is a folder; give a file in it")
        if Path(written).exists():
            raise ReadError(f"{written} is no regular file; give a file")
    except (OSError, ValueError) as error:
        raise ReadError(f"{written[:200]!r} cannot be read: {error}") from error
    raise ReadError(f"{candidates[-1][0]} does not exist; check the name and the folder")


def module_for(file: Path) -> str:
    """Return the name of the module that reads a file, by its first bytes and its extension, which must agree.

    Raises
    ------
    ReadError
        The file is empty or unreadable, its extension is unknown, or its bytes are of another format.
    """
    suffix = file.suffix.lower()
    try:
        with file.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise ReadError(f"{file} cannot be read: {error.strerror or error}") from error
    if not head:
        raise ReadError(f"{file.name} is empty (0 bytes): copy it again from the instrument")
    is_mrc = suffix == ".mrc"
    kind, extensions = next(((k, e) for mark, k, e in _MARKS if head.startswith(mark) and not is_mrc), (None, ()))
    if suffix not in _MODULE:
        hint = f"; its bytes are {kind}: rename it to {file.stem}{extensions[0]}" if kind else ""
        named = f"the extension {suffix}" if suffix else "no extension"
        raise ReadError(f"{file.name} has {named}; accepted are {' '.join(_MODULE)}{hint}")
    if is_mrc or suffix in extensions:
        return _MODULE[suffix]
    if kind is None:
        raise ReadError(f"{file.name} is not what its extension {suffix} says: its first bytes are of no known format")
    raise ReadError(
        f"{file.name} is not what its extension {suffix} says: its bytes are {kind}; "
        f"rename it to {file.stem}{extensions[0]}"
    )
