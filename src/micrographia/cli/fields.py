"""Fields of view for `segment measure`: segmented by a model, or read from masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from micrographia.cli.batch import scans_of
from micrographia.cli.segmenting import segmenting
from micrographia.errors import InputError, MicrographiaError
from micrographia.micrograph import Micrograph
from micrographia.read import read
from micrographia.report.field_pictures import MOST_SHOWN, grey_picture
from micrographia.segment.kinds import Kind, check_kinds
from micrographia.segment.labelled import MASK_SUFFIXES, MOST_CLASSES, UNLABELLED, fitting_mask, mask_files, read_mask
from micrographia.segment.measured import SegmentedField
from micrographia.segment.segmentation import Segmentation


@dataclass(frozen=True, kw_only=True, eq=False)
class Fields:
    """Fields of view, and where they come from.

    Parameters
    ----------
    fields : tuple of SegmentedField
        What can be measured.
    greys : mapping of str to uint8 array (height, width)
        Image of each field by its name, as it is shown; only of the first ones, and masks may come without.
    source : str
        SHA-256 of the model, or the masks' place.
    pixel_size_origin : str, optional
        Who said what the pixel size is.
    failures : tuple of MicrographiaError
        Why the others could not be used.
    """

    fields: tuple[SegmentedField, ...]
    greys: Mapping[str, UInt8[np.ndarray, "_height _width"]]
    source: str
    pixel_size_origin: str | None
    failures: tuple[MicrographiaError, ...] = field(default=())


def is_mask(source: str) -> bool:
    """Whether a name is that of a mask, or of a folder of masks, rather than of a model or checkpoint."""
    path = Path(source)
    return path.suffix.lower() in MASK_SUFFIXES or (path.is_dir() and not (path / "config.json").exists())


def fields_of_model(
    model: str, images: Sequence[str], *, kinds: Mapping[str, Kind], pixel_size_nm: float | None, info_bar: bool
) -> Fields:
    """Segment images; those that cannot be are told among the failures, unless it is the only one.

    Parameters
    ----------
    model : str
        As `segmenting` takes it.
    images : sequence of str
        As on the command line.
    kinds : mapping of str to Kind
        What classes are said to be, which is checked before the work.
    pixel_size_nm : float, optional
        Edge of a pixel, as the user said [nm].
    info_bar : bool
        As in `read`.
    """
    way = segmenting(model)
    check_kinds(kinds, way.names)
    found = _Found(pixel_size_nm, only=len(images) == 1)
    for scan in scans_of(images, channels=False):
        try:
            micrograph = read_field(scan.files[0], pixel_size_nm=pixel_size_nm, info_bar=info_bar)
            # What each pixel is suffices; probabilities of many large images would not fit in memory.
            classes = replace(way.apply(micrograph, scan.name), uncertainty=None, probability=None)
            found.add(scan.name, micrograph, classes)
        except MicrographiaError as error:
            found.fail(error)
    return found.fields(way.source)


def fields_of_masks(
    masks: Path, images: Sequence[str], *, names: Sequence[str], pixel_size_nm: float | None, info_bar: bool
) -> Fields:
    """Read masks that somebody drew, and the images that they belong to, if they were given.

    A mask that cannot be read, or does not fit its image, is told among the failures, unless it is the only one.

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

    Raises
    ------
    InputError
        Two masks share a name, an image has no mask, or the masks' numbers do not fit the names or are no classes.
    """
    files = mask_files(masks)
    stems = [f.stem for f in files]
    if twice := [f.name for f in files if stems.count(f.stem) > 1]:
        raise InputError(f"{' and '.join(twice[:2])} in {masks} share a name; give every mask a name of its own")
    by_stem = {scan.name: scan.files[0] for scan in scans_of(images, channels=False)}
    if len(files) == 1 and len(images) == 1:
        by_stem = {files[0].stem: images[0]}
    elif stray := sorted(set(by_stem) - set(stems)):
        raise InputError(f"image {stray[0]} has no mask of the same name in {masks}; give the images of the masks only")
    found = _Found(pixel_size_nm, only=len(files) == 1)
    drawn: dict[str, UInt8[np.ndarray, "_height _width"]] = {}
    for file in files:
        try:
            drawn[file.stem] = read_mask(file)
        except MicrographiaError as error:
            found.fail(error)
    values = tuple(sorted({int(v) for mask in drawn.values() for v in np.unique(mask)}))
    called = _called(values, names, masks) if drawn else ()
    for stem, mask in drawn.items():
        try:
            micrograph = None
            if stem in by_stem:
                micrograph = read_field(by_stem[stem], pixel_size_nm=pixel_size_nm, info_bar=info_bar)
                mask = fitting_mask(mask, micrograph.frames.shape[1:], image=by_stem[stem])
            found.add(stem, micrograph, Segmentation(values=values, names=called, mask=mask))
        except MicrographiaError as error:
            found.fail(error)
    return found.fields(str(masks))


def _called(values: Sequence[int], names: Sequence[str], masks: Path) -> tuple[str, ...]:
    """Return what the classes of masks are called, if their numbers are classes at all."""
    if UNLABELLED in values and len(values) > 2:
        raise InputError(
            f"masks in {masks} hold {UNLABELLED}, which stands for unlabelled; accepted to measure are masks where "
            "every pixel has a class"
        )
    if len(values) > MOST_CLASSES:
        raise InputError(
            f"masks in {masks} hold {len(values)} different numbers; accepted are up to {MOST_CLASSES} classes. If "
            "they are grey values or numbered objects, save them as one number a class"
        )
    if names and len(names) != len(values):
        raise InputError(
            f"{len(names)} names were given ({', '.join(names)}) for the classes {', '.join(map(str, values))}; give "
            "one name a class"
        )
    return tuple(names) or tuple(f"class {v}" for v in values)


def read_field(file: str, *, pixel_size_nm: float | None, info_bar: bool) -> Micrograph:
    """Read an image; the pixel size that the user said, if any, stands before what the file says."""
    micrograph = read(file, info_bar=info_bar)
    if pixel_size_nm is None:
        return micrograph
    return replace(micrograph, pixel_size_nm=pixel_size_nm, pixel_size_origin="user")


class _Found:
    """Collects fields and failures, and lets go of what takes much memory."""

    def __init__(self, pixel_size_nm: float | None, *, only: bool) -> None:
        self.pixel_size_nm, self.only = pixel_size_nm, only
        self.found: list[SegmentedField] = []
        self.greys: dict[str, UInt8[np.ndarray, "_height _width"]] = {}
        self.origins: set[str] = set()
        self.failures: list[MicrographiaError] = []

    def add(self, name: str, micrograph: Micrograph | None, classes: Segmentation) -> None:
        size = self.pixel_size_nm if micrograph is None else micrograph.pixel_size_nm
        if size is not None:
            self.origins.add("user" if micrograph is None else micrograph.pixel_size_origin)
        if micrograph is not None and len(self.found) < MOST_SHOWN:
            self.greys[name] = grey_picture(micrograph.frames[0])
        self.found.append(SegmentedField(name=name, segmentation=classes, pixel_size_nm=size))

    def fail(self, error: MicrographiaError) -> None:
        if self.only:
            raise error
        self.failures.append(error)

    def fields(self, source: str) -> Fields:
        return Fields(
            fields=tuple(self.found),
            greys=self.greys,
            source=source,
            pixel_size_origin=", ".join(sorted(self.origins)) or None,
            failures=tuple(self.failures),
        )
