"""Plain images: PNG, JPEG, BMP. They carry pixels, sometimes a scale, hardly ever a context."""

from __future__ import annotations

from pathlib import Path

from micrographia.errors import ReadError
from micrographia.read.axes import planes, recorded
from micrographia.read.entry import Contents
from micrographia.read.parse import parse, quiet, reader_name
from micrographia.read.plausible import context_from_file, dig, iso_date, text


def load(path: Path) -> Contents:
    """Read a plain image.

    Parameters
    ----------
    path : Path
        An existing PNG, JPEG or BMP.

    Raises
    ------
    ReadError
        The file is damaged or cut short.
    """
    _require_two_axes(path)
    signals, notes = parse("image", path)
    found = []
    for signal in signals:
        tags = signal["original_metadata"]
        exif = dig(tags, "exif_tags")
        for plane in planes(signal, name=path.stem):
            doubts = [*notes, *plane.notes, *plane.calibration.notes]
            described = (text(dig(exif, "ImageDescription")) or "").lower()
            context = context_from_file(
                {
                    "technique": "light" if "white-light" in described else None,
                    "date": iso_date(dig(exif, "DateTime"), formats=("%Y:%m:%d %H:%M:%S",), notes=doubts),
                },
                notes=doubts,
            )
            found.append((plane, context, tags))
    kind = {".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower(), path.suffix[1:].upper())
    return Contents(file_format=kind, reader=reader_name("image"), images=recorded(found))


def _require_two_axes(path: Path) -> None:
    """Refuse an image one pixel high or wide by its size; the parser would stumble over the missing axis."""
    from PIL import Image, UnidentifiedImageError

    try:
        with quiet([]), Image.open(path) as header:
            width, height = header.size
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ReadError(
            f"{path.name} is damaged, cut short or too large to be a micrograph ({type(error).__name__}): copy it again"
        ) from error
    if min(width, height) < 2:
        raise ReadError(f"{path.name}: the image is {height} x {width} px; accepted is at least 8 x 8")
