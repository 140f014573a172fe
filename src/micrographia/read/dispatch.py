"""Which module reads a file, and which of its images is meant."""

from __future__ import annotations

import hashlib
import importlib
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from micrographia.errors import ReadError
from micrographia.micrograph import Micrograph, Provenance
from micrographia.read.entry import Contents, ImageEntry, Recorded
from micrographia.read.formats import SEPARATOR, module_for, split_path

LEAST_SIDE_PX: Final = 8
"""Smallest height and width of an image that `read` accepts [px]."""

_WITH_BARS: Final = ("image", "tiff")
"""Formats that pictures with a burnt-in bar come in."""
_SHARE_OF_MEMORY: Final = 0.8
_CHUNK_BYTES: Final = 1 << 20
_MOST_LISTED: Final = 6


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A file with all its images, and the one that was asked for.

    Parameters
    ----------
    path : Path
        The file.
    wanted : str, optional
        Name or index of an image, as it followed ``::``.
    contents : Contents
        Its images.
    sha256 : str
        SHA-256 of its bytes, hexadecimal; of several files, as `digest` says.
    """

    path: Path
    wanted: str | None
    contents: Contents
    sha256: str


def read(path: str | Path, *, info_bar: bool = True) -> Micrograph:
    """Read one image with its context.

    Parameters
    ----------
    path : str or Path
        A file, with ``::name`` or ``::index`` (from 0) appended where it holds several images.
    info_bar : bool
        Whether to look for a bar of print that a scanning electron microscope burnt into the picture, read it, and
        cut it off.

    Returns
    -------
    Micrograph
        Its intensities as float32, in the file's own units. What the file states about the beam, the detector and
        the sample is in its context, with the origin ``"file"``; what it states implausibly is left unknown,
        and a note of the context says so. What only an info bar states has the origin ``"info bar"``.

    Raises
    ------
    ReadError
        The file is missing, empty, damaged, cut short, of an unknown format or not what its name says; holds
        no image, several images of which none was named, or one smaller than 8 × 8 px.
    InputError
        Pixels are NaN or infinite.
    ContextError
        A sidecar holds an unknown key or an impossible value.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/scan.npy", np.eye(16))
    ...     _ = Path(f"{folder}/scan.yaml").write_text("pixel_size_nm: 0.02")
    ...     scan = read(f"{folder}/scan.npy")
    >>> scan.frames.shape, scan.pixel_size_nm, scan.context.energy_kev
    ((1, 16, 16), 0.02, None)
    """
    opened = open_file(path)
    return to_micrograph(opened, choose(opened, info_bar=info_bar), least_side_px=LEAST_SIDE_PX)


def list_images(path: str | Path) -> tuple[ImageEntry, ...]:
    """List the images of a file: one for most, several for a stack or a scan with several detectors.

    Parameters
    ----------
    path : str or Path
        A file.

    Returns
    -------
    tuple of ImageEntry
        Spectra, profiles and complex-valued images are not listed.

    Raises
    ------
    ReadError
        As `read`.
    """
    return entries(open_file(path).contents)


def entries(contents: Contents) -> tuple[ImageEntry, ...]:
    """Return the list of a file's images."""
    return tuple(
        ImageEntry(
            index=k,
            name=image.name,
            shape=(int(image.pixels.shape[-2]), int(image.pixels.shape[-1])),
            kind=image.kind,
        )
        for k, image in enumerate(contents.images)
    )


def open_file(path: str | Path) -> Opened:
    """Parse a file, whichever image of it is wanted.

    Parameters
    ----------
    path : str or Path
        As in `read`.

    Raises
    ------
    ReadError
        As `read`, but for what concerns a single image.
    """
    file, wanted = split_path(path)
    module = module_for(file)
    _require_memory(file)
    try:
        contents: Contents = importlib.import_module(f"micrographia.read.{module}").load(file)
        sha256 = digest([file, *(file.with_name(name) for name in contents.also_from)])
    except OSError as error:
        raise ReadError(f"{file} cannot be read: {error.strerror or error}") from error
    if not contents.images:
        raise ReadError(
            f"{file.name} holds no image, only spectra, profiles or complex data; give a file with an image"
        )
    return Opened(path=file, wanted=wanted, contents=contents, sha256=sha256)


def choose(opened: Opened, *, info_bar: bool = True) -> Recorded:
    """Return the image that was asked for, or the only one.

    Parameters
    ----------
    opened : Opened
        The file.
    info_bar : bool
        As in `read`.

    Raises
    ------
    ReadError
        None was named among several, or the name or index does not exist or is not unique.
    """
    image = _chosen(opened)
    if not info_bar or module_for(opened.path) not in _WITH_BARS:
        return image
    from micrographia.read.info_bar.bar import with_info_bar

    return with_info_bar(image)


def _chosen(opened: Opened) -> Recorded:
    images, file, wanted = opened.contents.images, opened.path.name, opened.wanted
    if wanted is None:
        if len(images) == 1:
            return images[0]
        shape = " x ".join(str(n) for n in images[0].pixels.shape[-2:])
        kinds = {i.kind for i in images}
        what = f"a stack of {len(images)} frames" if kinds == {"frame"} else f"{len(images)} images"
        raise ReadError(
            f"{file} holds {what} ({shape} px each: {_some_names(images)}); name one, for instance {file}::0"
        )
    if wanted.isdecimal():
        if int(wanted) < len(images):
            return images[int(wanted)]
        raise ReadError(f"{file} has no image {wanted}; accepted is 0 to {len(images) - 1}")
    exact = [i for i in images if i.name == wanted] or [i for i in images if i.name.lower() == wanted.lower()]
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise ReadError(f"{file} has {len(exact)} images named {wanted!r}; give an index, 0 to {len(images) - 1}")
    raise ReadError(f"{file} has no image {wanted!r}; accepted is an index or one of {_some_names(images)}")


def to_micrograph(opened: Opened, image: Recorded, *, least_side_px: int) -> Micrograph:
    """Convert one image of a file to a micrograph.

    Parameters
    ----------
    opened : Opened
        The file.
    image : Recorded
        One of its images.
    least_side_px : int
        Smallest accepted height and width [px].

    Raises
    ------
    ReadError
        The image is too small.
    InputError
        Pixels are NaN or infinite.
    """
    height, width = image.pixels.shape[-2:]
    if min(height, width) < least_side_px:
        raise ReadError(
            f"{opened.path.name}: the image is {height} x {width} px; "
            f"accepted is at least {least_side_px} x {least_side_px}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        frames = np.ascontiguousarray(image.pixels, dtype=np.float32).reshape(-1, height, width)
    several = len(opened.contents.images) > 1
    joined = " + ".join([opened.path.name, *opened.contents.also_from])
    return Micrograph(
        frames=frames,
        pixel_size_nm=image.pixel_size_nm,
        context=image.context,
        provenance=Provenance(
            file=f"{joined}{SEPARATOR}{image.name}" if several else joined,
            sha256=opened.sha256,
            reader=opened.contents.reader,
            software=f"micrographia {version('micrographia')}",
            raw_metadata=image.raw_metadata,
        ),
        pixel_size_origin=image.pixel_size_origin,
    )


def digest(files: list[Path]) -> str:
    """Return the SHA-256 of a file, or of the joined hexadecimal digests of several, in their order.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a").write_bytes(b"")
    ...     digest([Path(folder) / "a"])[:8]
    'e3b0c442'
    """
    digests = []
    for file in files:
        with file.open("rb") as stream:
            running = hashlib.sha256()
            while chunk := stream.read(_CHUNK_BYTES):
                running.update(chunk)
        digests.append(running.hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _require_memory(file: Path) -> None:
    """Refuse a file larger than the machine's memory: reading it would end the process without a word."""
    if not hasattr(os, "sysconf"):
        return
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = file.stat().st_size
    if size > _SHARE_OF_MEMORY * memory > 0:
        raise ReadError(
            f"{file.name} has {size / 1e9:.1f} GB but this machine has {memory / 1e9:.1f} GB of memory: "
            "export the image that is wanted, or use a larger machine"
        )


def _some_names(images: tuple[Recorded, ...]) -> str:
    names = [i.name for i in images[:_MOST_LISTED]]
    return ", ".join(names) + (", …" if len(images) > _MOST_LISTED else "")


def merged_metadata(micrographs: tuple[Micrograph, ...]) -> dict[str, Any]:
    """Return the vendor's metadata of several files, by file name."""
    return {f"{k}: {m.provenance.file}": m.provenance.raw_metadata for k, m in enumerate(micrographs)}
