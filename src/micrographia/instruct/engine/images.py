"""Images as the engine meets them: found, read, cut, hashed and measured, or listed with the reason why not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32

from micrographia.cues.cue import Cue, picture
from micrographia.errors import InputError, MicrographiaError
from micrographia.instruct.subject import Subject
from micrographia.instruct.teachers.pictures import shown
from micrographia.read import read
from micrographia.read.formats import split_path

SUFFIXES: Final = frozenset(
    (".dm3", ".dm4", ".emd", ".ser", ".mrc", ".hspy", ".bcf", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
)
"""Extensions that are taken from folders; other files have to be named."""


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """A file as it lies there: what tells whether it changed without reading it.

    Parameters
    ----------
    name : str
        Its path, with ``::image`` appended where it holds several.
    size_bytes : int
        Its size.
    changed_ns : int
        When it was last written.
    """

    name: str
    size_bytes: int
    changed_ns: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What became of one file.

    Parameters
    ----------
    file : ImageFile
        The file.
    subject : Subject, optional
        The image, its frame at the size in which teachers are shown it; None where it cannot be used.
    height_px, width_px : int
        Size of the image without a bar of print.
    error : str
        Why it cannot be used.
    """

    file: ImageFile
    subject: Subject | None = None
    height_px: int = 0
    width_px: int = 0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Look:
    """An image to look at, as it travels to a worker.

    Parameters
    ----------
    file : ImageFile
        The file.
    place : int
        Its place in the block.
    info_bar : bool
        Whether to look for a bar of print.
    sha256, cues
        What was found earlier: of pixels with this hash nothing is measured again.
    """

    file: ImageFile
    place: int
    info_bar: bool
    sha256: str = ""
    cues: tuple[Cue, ...] = ()


def find_images(sources: Sequence[str]) -> Iterator[ImageFile]:
    """Give the files of an order, folders walked as they come, each file once.

    Parameters
    ----------
    sources : sequence of str
        Files, ``FILE::image``, and folders, whose images are taken in the order of their names; hidden files and
        folders are not.

    Raises
    ------
    InputError
        A source does not exist.
    """
    named: set[str] = set()
    for source in sources:
        if Path(source).is_dir():
            yield from (_stated(path) for path in _walk(source) if path not in named)
            named.add(source)
        elif source not in named:
            try:
                split_path(source)
            except MicrographiaError as error:
                raise InputError(str(error)) from error
            named.add(source)
            yield _stated(source)


def blocks(files: Iterator[ImageFile], size: int) -> Iterator[tuple[ImageFile, ...]]:
    """Give files in blocks of a size.

    Examples
    --------
    >>> files = (ImageFile(name=str(k), size_bytes=1, changed_ns=1) for k in range(5))
    >>> [len(block) for block in blocks(files, 2)]
    [2, 2, 1]
    """
    while block := tuple(islice(files, size)):
        yield block


def look_at(look: Look) -> tuple[int, Seen]:
    """Read an image, cut it, hash it and measure its cues; what cannot be used comes back with the reason.

    Parameters
    ----------
    look : Look
        Which.

    Returns
    -------
    tuple of int and Seen
        Its place in the block, and what became of it.
    """
    from threadpoolctl import threadpool_limits

    from micrographia.cues.measure import measure

    with threadpool_limits(1):  # there are as many workers as cores
        try:
            micrograph = read(look.file.name, info_bar=look.info_bar)
            frame = picture(micrograph).astype(np.float32)
            sha256 = pixel_hash(frame)
            cues = look.cues
            if sha256 != look.sha256:
                cues = measure(frame, pixel_size_nm=micrograph.pixel_size_nm)
        except MicrographiaError as error:
            return look.place, Seen(file=look.file, error=str(error))
    subject = Subject(sha256=sha256, frame=shown(frame), pixel_size_nm=micrograph.pixel_size_nm, cues=cues)
    return look.place, Seen(file=look.file, subject=subject, height_px=frame.shape[0], width_px=frame.shape[1])


def pixel_hash(frame: Float32[np.ndarray, "height width"]) -> str:
    """Return the SHA-256 of an image's height, width and pixels, in hexadecimal.

    Examples
    --------
    >>> pixel_hash(np.zeros((2, 3), dtype=np.float32)) == pixel_hash(np.zeros((3, 2), dtype=np.float32))
    False
    """
    digest = hashlib.sha256(f"{frame.shape[0]} {frame.shape[1]} ".encode())
    digest.update(np.ascontiguousarray(frame, dtype="<f4").data)
    return digest.hexdigest()


def _walk(folder: str) -> Iterator[str]:
    with os.scandir(folder) as found:
        entries = sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path)
        elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - no object for each of 100,000 files
            yield entry.path


def _stated(name: str) -> ImageFile:
    try:
        path, _ = split_path(name)
        found = path.stat()
    except (OSError, MicrographiaError):  # gone since it was listed: reading it will say so
        return ImageFile(name=name, size_bytes=-1, changed_ns=-1)
    return ImageFile(name=name, size_bytes=found.st_size, changed_ns=found.st_mtime_ns)
