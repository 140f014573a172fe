"""Fields of view for `segment measure`: segmented by a model, or read from masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from micrographia.cli.batch import scans_of
from micrographia.cli.segmenting import segmenting
from micrographia.errors import InputError, MicrographiaError
from micrographia.micrograph import Micrograph
from micrographia.read import read
from micrographia.segment.labelled import MASK_SUFFIXES, UNLABELLED, mask_files, read_mask
from micrographia.segment.measured import SegmentedField
from micrographia.segment.segmentation import Segmentation


@dataclass(frozen=True, kw_only=True, eq=False)
class Fields:
    """Fields of view, and where they come from.

    Parameters
    ----------
    fields : tuple of SegmentedField
        What can be measured.
    micrographs : mapping of str to Micrograph
        Image of each field by its name; masks may come without.
    source : str
        SHA-256 of the model, or the masks' place.
    pixel_size_origin : str, optional
        Who said what the pixel size is.
    failures : tuple of MicrographiaError
        Why the other images could not be used.
    """

    fields: tuple[SegmentedField, ...]
    micrographs: Mapping[str, Micrograph]
    source: str
    pixel_size_origin: str | None
    failures: tuple[MicrographiaError, ...] = field(default=())


def is_mask(source: str) -> bool:
    """Whether a name is that of a mask, or of a folder of masks, rather than of a model or checkpoint."""
    path = Path(source)
    return path.suffix.lower() in MASK_SUFFIXES or (path.is_dir() and not (path / "config.json").exists())


def fields_of_model(model: str, images: Sequence[str], *, pixel_size_nm: float | None, info_bar: bool) -> Fields:
    """Segment images; those that cannot be are told among the failures, unless it is the only one.

    Parameters
    ----------
    model : str
        As `segmenting` takes it.
    images : sequence of str
        As on the command line.
    pixel_size_nm : float, optional
        Edge of a pixel, as the user said [nm].
    info_bar : bool
        As in `read`.
    """
    way = segmenting(model)
    found, failures = [], []
    for scan in scans_of(images, channels=False):
        try:
            micrograph = _read(scan.files[0], pixel_size_nm, info_bar)
            found.append((scan.name, micrograph, way.apply(micrograph, scan.name)))
        except MicrographiaError as error:
            if len(images) == 1:
                raise
            failures.append(error)
    return _fields(found, way.source, tuple(failures), pixel_size_nm)


def fields_of_masks(
    masks: Path, images: Sequence[str], *, names: Sequence[str], pixel_size_nm: float | None, info_bar: bool
) -> Fields:
    """Read masks that somebody drew, and the images that they belong to, if they were given.

    Parameters
    ----------
    masks : Path
        An index mask, or a folder of them.
    images : sequence of str
        Their images: for a folder those of the same names, for one mask its image; none is needed.
    names : sequence of str
        What the classes are called.
    pixel_size_nm : float, optional
        Edge of a pixel, as the user said [nm].
    info_bar : bool
        As in `read`.
    """
    files = mask_files(masks)
    by_stem = {scan.name: scan.files[0] for scan in scans_of(images, channels=False)}
    if len(files) == 1 and len(images) == 1:
        by_stem = {files[0].stem: images[0]}
    elif stray := sorted(set(by_stem) - {f.stem for f in files}):
        raise InputError(f"image {stray[0]} has no mask of the same name in {masks}; give the images of the masks only")
    drawn = [(f, read_mask(f)) for f in files]
    values = sorted({int(v) for _, mask in drawn for v in np.unique(mask)})
    if UNLABELLED in values and len(values) > 2:
        raise InputError(
            f"masks in {masks} hold {UNLABELLED}, which stands for unlabelled; accepted to measure are masks where "
            "every "
            "pixel has a class"
        )
    if names and len(names) != len(values):
        raise InputError(
            f"{len(names)} names were given ({', '.join(names)}) for the classes {', '.join(map(str, values))}; give "
            "one "
            "name a class"
        )
    called = tuple(names) or tuple(f"class {v}" for v in values)
    found: list[tuple[str, Micrograph | None, Segmentation]] = []
    for file, mask in drawn:
        micrograph = _read(by_stem[file.stem], pixel_size_nm, info_bar) if file.stem in by_stem else None
        if micrograph is not None and micrograph.frames.shape[1:] != mask.shape:
            height, width = micrograph.frames.shape[1:]
            if mask.shape[1] != width or mask.shape[0] < height or micrograph.pixel_size_origin != "info bar":
                raise InputError(
                    f"{file.name} is {mask.shape[1]} x {mask.shape[0]} px and its image {width} x {height}; accepted "
                    "is "
                    "one size for both"
                )
            mask = mask[:height]
        found.append((file.stem, micrograph, Segmentation(values=tuple(values), names=called, mask=mask)))
    return _fields(found, str(masks), (), pixel_size_nm)


def _read(file: str, pixel_size_nm: float | None, info_bar: bool) -> Micrograph:
    micrograph = read(file, info_bar=info_bar)
    if pixel_size_nm is None:
        return micrograph
    return replace(micrograph, pixel_size_nm=pixel_size_nm, pixel_size_origin="user")


def _fields(
    found: Sequence[tuple[str, Micrograph | None, Segmentation]],
    source: str,
    failures: tuple[MicrographiaError, ...],
    pixel_size_nm: float | None,
) -> Fields:
    sizes = [pixel_size_nm if m is None else m.pixel_size_nm for _, m, _ in found]
    origins = {m.pixel_size_origin for _, m, _ in found if m is not None and m.pixel_size_nm is not None}
    origin = "user" if pixel_size_nm is not None else ", ".join(sorted(origins)) or None
    return Fields(
        fields=tuple(
            SegmentedField(name=name, segmentation=classes, pixel_size_nm=size)
            for (name, _, classes), size in zip(found, sizes, strict=True)
        ),
        micrographs={name: m for name, m, _ in found if m is not None},
        source=source,
        pixel_size_origin=origin,
        failures=failures,
    )
