"""What a file holds before one image of it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from micrographia.context import Context, Origin

Kind = Literal["image", "frame", "channels"]


@dataclass(frozen=True, kw_only=True)
class ImageEntry:
    """One line in the list of a file's images.

    Parameters
    ----------
    index : int
        Position in the file, from 0: ``FILE::index`` takes it.
    name : str
        Name in the file: ``FILE::name`` takes it too, where no other image shares the name.
    shape : (int, int)
        Height and width [px].
    kind : str
        ``"image"``, ``"frame"`` of a stack, or ``"channels"`` where one scan has several detectors.
    """

    index: int
    name: str
    shape: tuple[int, int]
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One image as its file gives it: nothing converted or judged but its metadata.

    Parameters
    ----------
    name : str
        Name in the file.
    kind : str
        As in `ImageEntry`.
    pixels : array (height, width) or (channel, height, width)
        Intensities in the file's own type and units.
    pixel_size_nm : float, optional
        Edge of a square pixel [nm].
    context : Context
        What the file says about how the image was made.
    raw_metadata : mapping
        The vendor's metadata, untouched.
    pixel_size_origin : Origin
        Who said what the pixel size is.
    """

    name: str
    kind: Kind
    pixels: np.ndarray
    pixel_size_nm: float | None
    context: Context
    raw_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    pixel_size_origin: Origin = "file"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All images of one file.

    Parameters
    ----------
    file_format : str
        Name of the format, for people.
    reader : str
        What parsed it, with its version.
    images : tuple of Recorded
        The images, in the order of the file. Spectra, profiles and complex images are not among them.
    also_from : tuple of str
        Names of further files, beside this one, whose bytes went into the images.
    """

    file_format: str
    reader: str
    images: tuple[Recorded, ...]
    also_from: tuple[str, ...] = ()
