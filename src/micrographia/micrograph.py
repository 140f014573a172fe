"""A micrograph: frames, pixel size, context, and where all of it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from micrographia.errors import InputError

if TYPE_CHECKING:
    from micrographia.context import Context, Origin


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a micrograph comes from.

    Parameters
    ----------
    file : str
        File name, with ``::image`` appended where a file holds several. For a simulation, what was simulated.
    sha256 : str, optional
        SHA-256 of the file's bytes, hexadecimal. None for an image that was never a file.
    reader : str
        What read or made it, with its version.
    software : str
        Version of Micrographia.
    raw_metadata : mapping
        The vendor's metadata, untouched.
    """

    file: str
    sha256: str | None
    reader: str
    software: str
    raw_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Micrograph:
    """One recorded or simulated image, of one or several simultaneous detectors.

    Parameters
    ----------
    frames : float32 array (channel, height, width)
        Intensities in the file's own units. Finite.
    pixel_size_nm : float, optional
        Edge of a square pixel [nm], positive. None when unknown.
    context : Context
        How it was made. Its per-channel fields have one entry a channel.
    provenance : Provenance
        Where it comes from.
    pixel_size_origin : Origin
        Who said what the pixel size is; without a pixel size it says nothing.

    Raises
    ------
    InputError
        Wrong number of axes, NaN or infinite pixels, a pixel size that is not positive, or a context
        that describes another number of channels.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> zeros = np.zeros((1, 4, 6), dtype=np.float32)
    >>> Micrograph(frames=zeros, pixel_size_nm=0.01, context=Context(), provenance=source).frames.shape
    (1, 4, 6)
    """

    frames: Float[np.ndarray, "channel height width"]
    pixel_size_nm: float | None
    context: Context
    provenance: Provenance
    pixel_size_origin: Origin = "file"

    def __post_init__(self) -> None:
        if self.frames.ndim != 3 or self.frames.size == 0:
            raise InputError(f"frames have shape {self.frames.shape}; accepted is (channel, height, width), not empty")
        if self.frames.dtype != np.float32:
            raise InputError(f"frames are {self.frames.dtype}; accepted is float32")
        if not np.isfinite(self.frames).all():
            count = int(np.count_nonzero(~np.isfinite(self.frames)))
            raise InputError(
                f"{self.provenance.file}: {count} pixels are NaN or infinite; replace or crop them before reading"
            )
        if self.pixel_size_nm is not None and not (math.isfinite(self.pixel_size_nm) and self.pixel_size_nm > 0):
            raise InputError(
                f"pixel size is {self.pixel_size_nm:g} nm; accepted is a positive number, or None if unknown"
            )
        for name in ("collection_mrad", "detectors"):
            entries = getattr(self.context, name)
            if entries is not None and len(entries) != len(self.frames):
                raise InputError(
                    f"{name} has {len(entries)} entries for {len(self.frames)} channel(s) of {self.provenance.file}; "
                    "give one entry a channel, in the order of the channels"
                )
