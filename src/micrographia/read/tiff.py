"""TIFF: plain, by instrument vendors, by DigitalMicrograph, by ImageJ, and by us."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from micrographia.context import Context
from micrographia.errors import ReadError
from micrographia.read.axes import Calibration, Plane, calibrate, planes, recorded
from micrographia.read.digitalmicrograph import context_from_tags
from micrographia.read.entry import Contents, Recorded
from micrographia.read.parse import Signal, parse, reader_name
from micrographia.read.plausible import context_from_file, dig, iso_date, text
from micrographia.read.record import recorded_by_us
from micrographia.read.vendor_tiff import Vendor, vendor_of

RECORD_KEY: Final = "micrographia_record"
"""Key of the JSON object in ``ImageDescription`` of a TIFF that we wrote."""

_MIN_IS_WHITE: Final = 0
_PALETTE: Final = 3
_REDUCED_COPY: Final = 1
_SIGNS_OF_DAMAGE: Final = ("TiffFileError", "corrupted", "invalid page offset")
_TIFF_DATE: Final = ("%Y:%m:%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M")


def load(path: Path) -> Contents:
    """Read the images of a TIFF; reduced copies (thumbnails) are left out.

    Parameters
    ----------
    path : Path
        An existing ``.tif`` or ``.tiff``.

    Raises
    ------
    ReadError
        The file is damaged or cut short.
    ContextError
        The record that Micrographia left in it has been edited into something impossible.
    """
    signals, notes = parse("tiff", path)
    if any(sign in note for sign in _SIGNS_OF_DAMAGE for note in notes):
        raise ReadError(f"{path.name} is damaged or cut short, its pages cannot all be found: copy it again")
    size = path.stat().st_size
    for signal in signals:
        _require_whole(signal["original_metadata"], path=path, size=size)
    if len(signals) == 1 and (ours := _our_record(signals[0], path)):
        return Contents(file_format="TIFF (Micrographia)", reader=reader_name("tiff"), images=(ours,))
    found = []
    kinds = []
    for k, signal in enumerate(signals):
        tags = signal["original_metadata"]
        if dig(tags, "NewSubfileType") == _REDUCED_COPY:
            continue
        height, width = dig(tags, "ImageLength"), dig(tags, "ImageWidth")
        if signal["data"].ndim < 2 and height and width:
            raise ReadError(f"{path.name}: the image is {height} x {width} px; accepted is at least 8 x 8")
        vendor = vendor_of(tags)
        kinds.append(vendor.name if vendor else _by_software(tags))
        for plane in planes(signal, name=f"page {k}" if len(signals) > 1 else ""):
            scaled = _with_vendor_scale(plane, vendor) if vendor is not None else _through_palette(plane, tags)
            found.append((scaled, _context(tags, vendor=vendor, plane=scaled, notes=notes), tags))
    kind = next((k for k in kinds if k), None)
    images = _without_previews(recorded(found))
    return Contents(file_format=f"TIFF ({kind})" if kind else "TIFF", reader=reader_name("tiff"), images=images)


def _require_whole(tags: Mapping[str, Any], *, path: Path, size: int) -> None:
    starts, counts = dig(tags, "StripOffsets"), dig(tags, "StripByteCounts")
    if starts is None:
        starts, counts = dig(tags, "TileOffsets"), dig(tags, "TileByteCounts")
    if not (isinstance(starts, Iterable) and isinstance(counts, Iterable)):
        return
    end = max((int(a) + int(b) for a, b in zip(starts, counts, strict=False)), default=0)
    if end > size:
        raise ReadError(
            f"{path.name} is cut short: its pixels end at byte {end} of {size}; copy it again from the instrument"
        )


def _our_record(signal: Signal, path: Path) -> Recorded | None:
    described = dig(signal["original_metadata"], "ImageDescription")
    if not (isinstance(described, str) and RECORD_KEY in described[:40]):
        return None
    try:
        written = json.dumps(json.loads(described)[RECORD_KEY])
    except (ValueError, KeyError, TypeError):
        return None
    return recorded_by_us(
        written, pixels=signal["data"], name=path.stem, file=path.name, raw_metadata=signal["original_metadata"]
    )


def _by_software(tags: Mapping[str, Any]) -> str | None:
    if (text(dig(tags, "ImageDescription")) or "").startswith("ImageJ="):
        return "ImageJ"
    return "DigitalMicrograph" if "65009" in tags else None


def _with_vendor_scale(plane: Plane, vendor: Vendor) -> Plane:
    """Give a plane the vendor's scale, where the axes have none but the vendor's tags do."""
    known = plane.calibration.pixel_size_nm is not None or plane.calibration.reciprocal or plane.calibration.notes
    if known or vendor.pixel_m is None:
        return plane
    height, width = vendor.pixel_m
    return replace(plane, calibration=calibrate({"scale": height, "units": "m"}, {"scale": width, "units": "m"}))


def _through_palette(plane: Plane, tags: Mapping[str, Any]) -> Plane:
    """Turn palette indices into luminance, unless the palette is a grey ramp and they are intensities already."""
    palette = dig(tags, "ColorMap")
    if dig(tags, "PhotometricInterpretation") != _PALETTE or palette is None:
        return plane
    red, green, blue = (np.asarray(c, dtype=np.float64) for c in np.asarray(palette).reshape(3, -1))
    grey = np.array_equal(red, green) and np.array_equal(red, blue)
    if (grey and bool(np.all(np.diff(red) >= 0))) or plane.pixels.max() >= len(red):
        return plane
    look_up = 0.299 * red + 0.587 * green + 0.114 * blue
    note = "palette image: its luminance is used as the intensity"
    return replace(plane, pixels=look_up[plane.pixels], notes=(*plane.notes, note))


def _context(tags: Mapping[str, Any], *, vendor: Vendor | None, plane: Plane, notes: tuple[str, ...]) -> Context:
    doubts = [*notes, *plane.notes, *plane.calibration.notes]
    if dig(tags, "PhotometricInterpretation") == _MIN_IS_WHITE:
        doubts.append("the file shows low values bright (min-is-white); intensities are as stored, not inverted")
    calibration: Calibration = plane.calibration
    if vendor is not None:
        fields = vendor.fields(tags, plane.pixels.shape, calibration.pixel_size_nm, doubts)
        if calibration.reciprocal:
            fields["technique"] = "diffraction"
        return context_from_file(fields, notes=doubts)
    if dm_tags := _tags_in_imagej(dig(tags, "IJMetadata", "Info")):
        return context_from_tags(
            dm_tags,
            pixel_size_nm=calibration.pixel_size_nm,
            reciprocal=calibration.reciprocal,
            notes=tuple(doubts),
        )
    model = text(dig(tags, "Model")) or ""
    date = iso_date(dig(tags, "DateTime"), formats=_TIFF_DATE, notes=doubts)
    technique = "diffraction" if calibration.reciprocal else "light" if model.startswith("AxioCam") else None
    return context_from_file({"technique": technique, "date": date}, notes=doubts)


def _tags_in_imagej(info: Any) -> Mapping[str, Any]:
    """Return the DigitalMicrograph image tags that ImageJ lists line by line, as a tree."""
    tree: dict[str, Any] = {}
    if not isinstance(info, str):
        return tree
    for line in info.splitlines():
        path, separator, value = line.partition(" = ")
        _, marker, below = path.partition(".ImageTags.")
        if not (separator and marker):
            continue
        *groups, leaf = below.split(".")
        branch = tree
        for group in groups:
            child = branch.setdefault(group, {})
            if not isinstance(child, dict):
                break
            branch = child
        else:
            branch[leaf] = value
    return tree


def _without_previews(images: tuple[Recorded, ...]) -> tuple[Recorded, ...]:
    """Leave out 8-bit pages that show the same scene as a deeper page of the same size, as Olympus adds them."""
    deep = {i.pixels.shape for i in images if i.pixels.dtype.itemsize > 1 and i.pixel_size_nm is not None}
    kept = tuple(
        i
        for i in images
        if not (i.pixels.shape in deep and i.pixel_size_nm is None and any("colour" in n for n in i.context.notes))
    )
    kept = kept or images
    return (replace(kept[0], name="image"),) if len(kept) == 1 else kept
