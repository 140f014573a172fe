"""An image as tasks, teachers and checks may know it: pixels and what was measured on them, and no name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from micrographia.cues.cue import Cue


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One image. File names, folders and classes are not part of it, so that none can reach a teacher.

    Parameters
    ----------
    sha256 : str
        Hash of the pixels as they are shown, in hexadecimal: the image's name in every record.
    frame : float32 array (height, width)
        Intensities, without a bar of print.
    pixel_size_nm : float, optional
        Size of a pixel [nm]; None where it is not known.
    cues : tuple of Cue
        What `micrographia.cues.measure` found, one of each name.
    """

    sha256: str
    frame: Float32[np.ndarray, "height width"]
    pixel_size_nm: float | None
    cues: tuple[Cue, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Cue]:
        """Its cues by name."""
        return {cue.name: cue for cue in self.cues}
