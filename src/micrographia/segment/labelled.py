"""Labelled images to learn from: a folder of images and a folder of index masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8

from micrographia.errors import InputError, ReadError
from micrographia.read import read

UNLABELLED: Final = 255
"""What a pixel without a label holds in `Labelled.mask`, and by default in a mask file."""

MOST_CLASSES: Final = 32
MOST_IMAGES: Final = 1000
MASK_SUFFIXES: Final = (".png", ".tif", ".tiff", ".bmp")
"""Files that masks come in."""
_LEAST_SIDE_PX: Final = 32


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One image, and the class of each of its pixels.

    Parameters
    ----------
    name : str
        File name of the image.
    sha256 : str
        SHA-256 of the image file, hexadecimal.
    frame : float32 array (height, width)
        Intensities in the file's own units.
    mask : uint8 array (height, width)
        Position of each pixel's class within `TrainingSet.values`; `UNLABELLED` where nobody said.
    """

    name: str
    sha256: str
    frame: Float[np.ndarray, "height width"]
    mask: UInt8[np.ndarray, "height width"]


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Labelled images with classes in common.

    Parameters
    ----------
    images : tuple of Labelled
        The images.
    values : tuple of int
        What the mask files hold for each class, ascending.
    names : tuple of str
        What each class is called.
    """

    images: tuple[Labelled, ...]
    values: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def share(self) -> Float[np.ndarray, " class"]:
        """Share of each class among the labelled pixels, float array (class,), which adds up to 1."""
        counts = sum(np.bincount(i.mask.ravel(), minlength=256)[: len(self.values)] for i in self.images)
        share: Float[np.ndarray, " class"] = np.asarray(counts, dtype=np.float64) / np.sum(counts)
        return share


def read_training_set(
    images: Path, masks: Path, *, names: Sequence[str] = (), unlabelled: int | None = UNLABELLED, info_bar: bool = True
) -> TrainingSet:
    """Read images and the masks of the same name.

    Parameters
    ----------
    images : Path
        An image that `micrographia.read.read` reads, or a folder of them. Of several channels the first is used.
    masks : Path
        An index mask (PNG, TIFF or BMP, one number a class), or a folder that holds one of the same stem for each
        image.
    names : sequence of str
        What the classes are called, in the order of their numbers; by default ``"class 0"`` and so on.
    unlabelled : int, optional
        Number of pixels that nobody labelled; None where every number is a class.
    info_bar : bool
        As in `micrographia.read.read`; the rows of the bar are cut off the mask too.

    Returns
    -------
    TrainingSet
        The images, sorted by name.

    Raises
    ------
    InputError
        There is no image, an image has no mask or the other way round, sizes differ, a mask is not an index mask,
        nothing is labelled, only one class is, or there are more names than classes or fewer.
    ReadError
        A file cannot be read.
    """
    pairs = _pairs(images, masks)
    read_pairs = []
    for image, mask in pairs:
        micrograph = read(image, info_bar=info_bar)
        frame = micrograph.frames[0]
        labels = fitting_mask(read_mask(mask), frame.shape, image=image)
        if min(frame.shape) < _LEAST_SIDE_PX:
            raise InputError(
                f"{image.name} is {frame.shape[1]} x {frame.shape[0]} px; accepted to learn from is at least "
                f"{_LEAST_SIDE_PX} x {_LEAST_SIDE_PX}"
            )
        read_pairs.append((image.name, micrograph.provenance.sha256 or "", frame, labels))
    found = sorted({int(v) for *_, labels in read_pairs for v in np.unique(labels)} - {unlabelled})
    _check_classes(found, names, unlabelled, masks)
    place = np.full(256, UNLABELLED, dtype=np.uint8)
    place[found] = np.arange(len(found))
    learnt = tuple(
        Labelled(name=name, sha256=sha256, frame=frame, mask=place[labels])
        for name, sha256, frame, labels in read_pairs
    )
    called = tuple(names) if names else tuple(f"class {v}" for v in found)
    return TrainingSet(images=learnt, values=tuple(found), names=called)


def read_mask(path: Path) -> UInt8[np.ndarray, "height width"]:
    """Read an index mask: one number from 0 to 255 a pixel.

    Parameters
    ----------
    path : Path
        PNG, TIFF or BMP of one channel, or with a palette.

    Raises
    ------
    ReadError
        The file is missing or damaged.
    InputError
        It has colours instead of numbers, or numbers beyond 255.
    """
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise ReadError(f"{path} does not exist; give an index mask (PNG or TIFF)")
    try:
        with Image.open(path) as opened:
            opened.load()
            mode, labels = opened.mode, np.asarray(opened)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ReadError(f"{path.name} is damaged or no image ({type(error).__name__}): copy it again") from error
    if labels.ndim == 3 and labels.shape[2] in (3, 4) and (labels[..., :3] == labels[..., :1]).all():
        labels = labels[..., 0]  # grey, written as equal colours
    if labels.ndim != 2:
        raise InputError(
            f"{path.name} is a colour picture ({mode}); accepted is an index mask, where each pixel holds the number "
            "of its class: save it with one channel or a palette"
        )
    if labels.dtype == bool:
        labels = labels.astype(np.uint8)
    whole = labels.astype(np.int64)
    if (whole != labels).any() or whole.min() < 0 or whole.max() > 255:
        raise InputError(
            f"{path.name} holds {labels.min():g} to {labels.max():g} ({labels.dtype}); accepted are whole numbers from "
            "0 to 255, one for each class"
        )
    return whole.astype(np.uint8)


def mask_files(masks: Path) -> list[Path]:
    """Return a mask, or the masks in a folder in the order of their names.

    Parameters
    ----------
    masks : Path
        A file or a folder.

    Raises
    ------
    InputError
        There is no mask.
    """
    if masks.is_file():
        return [masks]
    if not masks.is_dir():
        raise InputError(f"{masks} does not exist; give an index mask, or a folder of them")
    files = sorted(p for p in masks.iterdir() if _is_mask(p))
    if not files:
        raise InputError(f"{masks} holds no mask; accepted are {', '.join(MASK_SUFFIXES)}")
    return files


def _pairs(images: Path, masks: Path) -> list[tuple[Path, Path]]:
    if not images.exists():
        raise InputError(f"--images is {images}, which does not exist; give a folder, or one file")
    drawn = mask_files(masks)
    if images.is_file() and masks.is_file():
        return [(images, masks)]
    if images.is_file():
        pictures = [images]
    else:
        pictures = sorted(p for p in images.iterdir() if p.is_file() and not p.name.startswith("."))
    by_stem = {p.stem: p for p in drawn}
    if not pictures:
        raise InputError(f"--images is {images}, which holds no file; put the labelled images there")
    if len(pictures) > MOST_IMAGES:
        raise InputError(f"--images holds {len(pictures)} files; accepted are up to {MOST_IMAGES}")
    if unmasked := [p.name for p in pictures if p.stem not in by_stem]:
        raise InputError(
            f"{_listed(unmasked)} in {images} has no mask of the same name in {masks}; label it or take it away"
        )
    if lonely := sorted(set(by_stem) - {p.stem for p in pictures}):
        raise InputError(f"mask {_listed(lonely)} in {masks} has no image of the same name in {images}")
    if doubled := [p.name for p in pictures if sum(q.stem == p.stem for q in pictures) > 1]:
        raise InputError(f"{_listed(doubled)} in {images} share one mask; give every image a name of its own")
    return [(p, by_stem[p.stem]) for p in pictures]


def _is_mask(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in MASK_SUFFIXES and not path.name.startswith(".")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def fitting_mask(
    labels: UInt8[np.ndarray, "_height _width"], shape: tuple[int, ...], *, image: str | Path
) -> UInt8[np.ndarray, "_row _column"]:
    """Return a mask without the rows of the information bar that was cut off its image.

    Parameters
    ----------
    labels : uint8 array (height, width)
        The mask as it was drawn.
    shape : tuple of int
        Height and width of its image as it was read, perhaps without its bar [px].
    image : str or Path
        The image, as `micrographia.read.read` takes it.

    Raises
    ------
    InputError
        The mask has neither the size of the image as it was read nor that of the whole image.
    """
    if labels.shape == shape:
        return labels
    whole = read(image, info_bar=False).frames.shape[1:]
    if labels.shape == whole:
        return labels[: shape[0]]
    raise InputError(
        f"the mask of {Path(image).name} is {labels.shape[1]} x {labels.shape[0]} px and the image {whole[1]} x "
        f"{whole[0]}; accepted is one size for both: draw the mask on the image as it is"
    )


def _check_classes(found: Sequence[int], names: Sequence[str], unlabelled: int | None, masks: Path) -> None:
    but = "" if unlabelled is None else f" besides {unlabelled}, which stands for unlabelled"
    if not found:
        raise InputError(f"the masks in {masks} hold no class{but}; label some pixels of each class")
    if len(found) == 1:
        hint = "" if unlabelled is None else f"; if {unlabelled} is a class, say --unlabelled none"
        raise InputError(
            f"the masks in {masks} hold one class only ({found[0]}){but}; label some pixels of another class{hint}"
        )
    if len(found) > MOST_CLASSES:
        raise InputError(
            f"the masks in {masks} hold {len(found)} different numbers; accepted are up to {MOST_CLASSES} classes. If "
            "they are grey values or numbered objects, save them as one number a class"
        )
    if names and len(names) != len(found):
        raise InputError(
            f"{len(names)} names were given ({', '.join(names)}) for the {len(found)} classes of the masks "
            f"({', '.join(str(v) for v in found)}); give one name a class"
        )
