"""Files that are to become references: copied into the library first, then looked at, so that what was seen is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from micrographia.errors import InputError, LibraryError, ReadError
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.store import Draft, drafted, sweep
from micrographia.qualify.plain import plain_text
from micrographia.read.array import sidecars
from micrographia.read.dispatch import LEAST_SIDE_PX, choose, open_file, to_micrograph
from micrographia.read.formats import split_path
from micrographia.segment.labelled import fitting_mask, read_mask


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """An image that was looked at, perhaps with its mask.

    Parameters
    ----------
    file : str
        Name of the image file as it came.
    image : Draft
        Copy of the image.
    mask_file : str, optional
        Name of the mask file as it came.
    mask : Draft, optional
        Copy of the mask.
    """

    file: str
    image: Draft
    mask_file: str | None
    mask: Draft | None


@contextmanager
def receive(
    library: Library, images: Sequence[Path], *, mask: Path | None, mask_value: int | None
) -> Iterator[tuple[Incoming, ...]]:
    """Copy images and a mask into the library and look at them; on leaving, copies that were not kept are gone.

    Parameters
    ----------
    library : Library
        Open to be changed.
    images : sequence of Path
        Files of one image each.
    mask : Path, optional
        Index mask of the only image.
    mask_value : int, optional
        Which pixels of it are the region.

    Raises
    ------
    LibraryError
        A file is no single image, is given twice, or cannot be copied.
    ReadError, InputError
        An image or the mask cannot be read, or the mask marks nothing.
    """
    if not library.writable:
        raise LibraryError(f"library {library.folder} was opened to be read; open it with writable=True to change it")
    sweep(library.folder)
    with ExitStack() as copies:
        received: list[Incoming] = []
        for image in images:
            _require_alone(image)
            copy = copies.enter_context(drafted(library.folder, "images", image))
            shape = _shape(copy.path, name=image.name)
            if twin := next((r.file for r in received if r.image.sha256 == copy.sha256), None):
                raise LibraryError(f"{image} and {twin} are the same image; give it once")
            drawn = None
            if mask is not None:
                drawn = copies.enter_context(drafted(library.folder, "masks", mask))
                region_of(drawn.path, mask_value, shape, image=copy.path, name=mask.name)
            received.append(
                Incoming(file=_name(image), image=copy, mask_file=None if mask is None else _name(mask), mask=drawn)
            )
        yield tuple(received)


def region_of(
    mask: Path, value: int | None, shape: tuple[int, int], *, image: Path, name: str
) -> Bool[np.ndarray, "_row _column"]:
    """Return the region that a mask marks.

    Parameters
    ----------
    mask : Path
        Index mask.
    value : int, optional
        Which of its pixels are the region; None for all but 0.
    shape : (int, int)
        Height and width of its image as it was read, perhaps without its bar of print [px].
    image : Path
        The image.
    name : str
        What the mask is called in messages.

    Returns
    -------
    bool array (height, width)
        True within the region.

    Raises
    ------
    ReadError, InputError
        The mask cannot be read, has another size than the image, or marks nothing.
    """
    labels = fitting_mask(read_mask(mask), shape, image=image)
    region: Bool[np.ndarray, "_row _column"] = labels != 0 if value is None else labels == value
    if not region.any():
        held = ", ".join(str(v) for v in np.unique(labels)[:8])
        wanted = "other than 0" if value is None else f"with the value {value}"
        raise InputError(f"mask {name} has no pixel {wanted}; it holds {held}: give a mask that marks a region")
    return region


def _require_alone(image: Path) -> None:
    """Refuse what is more or less than one file: a reference is kept as it came, under the hash of its bytes."""
    file, wanted = split_path(image)
    if wanted is not None:
        raise LibraryError(
            f"{image} is one of several images in a file; a reference is a file of one image: save it as TIFF or HSPY"
        )
    if file.suffix.lower() == ".npy" and any(path.is_file() for path in sidecars(file)):
        raise LibraryError(f"{image} has a sidecar, which a library does not keep; save both as one HSPY file")


def _shape(copy: Path, *, name: str) -> tuple[int, int]:
    """Return height and width of an image that can be read [px]."""
    try:
        opened = open_file(copy)
        micrograph = to_micrograph(opened, choose(opened), least_side_px=LEAST_SIDE_PX)
    except InputError as error:
        told = str(error).replace(str(copy), name).replace(copy.name, name)
        raise ReadError(told) from error
    if opened.contents.also_from:
        raise LibraryError(f"{name} needs other files beside it; a reference is one file: save it as TIFF or HSPY")
    height, width = micrograph.frames.shape[1:]
    return height, width


def _name(path: Path) -> str:
    """Return a file's name as text, whatever its bytes."""
    return plain_text(os.fsencode(path.name).decode("utf-8", "replace"), name="name of the file")
