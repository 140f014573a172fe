"""What instances are: the single objects of a micrograph, as an image of labels and a name for each object.

Sizes and shapes are measured on the labels, by `micrographia.segment.measure.objects`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int32

from micrographia.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Instances:
    """The objects of one micrograph.

    Parameters
    ----------
    labels : int32 array (height, width)
        0 where there is no object, and 1 to n on the objects. No label is left out.
    names : tuple of str
        Class of each object, in the order of the labels.
    parents : tuple of (int or None)
        For a satellite, the label of the particle that it sits on; None for all other objects.
    scores : tuple of float, optional
        How sure the finder is of each object, 0 to 1; None where it gives no scores.

    Raises
    ------
    InputError
        Labels have gaps, the rows do not match them, a parent is not a particle, or a score is not within 0 to 1.

    Examples
    --------
    >>> labels = np.array([[1, 1, 0], [1, 1, 2]], dtype=np.int32)
    >>> found = Instances(labels=labels, names=("powder", "powder"), parents=(None, 1))
    >>> found.count, found.satellite_count, found.areas_px2
    (2, 1, array([4, 1]))
    """

    labels: Int32[np.ndarray, "height width"]
    names: tuple[str, ...]
    parents: tuple[int | None, ...]
    scores: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        present = np.unique(self.labels)
        present = present[present != 0]
        if not np.array_equal(present, np.arange(1, len(self.names) + 1)):
            raise InputError(
                f"labels hold {_listed(present)} for {len(self.names)} named objects; accepted are the labels 1 to n "
                "without gaps, one name each; number them anew with skimage.segmentation.relabel_sequential"
            )
        if len(self.parents) != len(self.names) or (self.scores is not None and len(self.scores) != len(self.names)):
            raise InputError(
                f"{len(self.names)} objects came with {len(self.parents)} parents and "
                f"{'no' if self.scores is None else len(self.scores)} scores; give one row an object"
            )
        for label, parent in enumerate(self.parents, start=1):
            if parent is not None and (not 1 <= parent <= self.count or self.parents[parent - 1] is not None):
                raise InputError(
                    f"object {label} has parent {parent}; accepted is the label of an object that is no satellite "
                    "itself, or None"
                )
        if self.scores is not None and not all(0 <= score <= 1 for score in self.scores):
            raise InputError(f"scores span {min(self.scores)} to {max(self.scores)}; accepted is 0 to 1")

    @property
    def count(self) -> int:
        """Number of objects, satellites included."""
        return len(self.names)

    @property
    def satellite_count(self) -> int:
        """Number of objects that are satellites."""
        return sum(parent is not None for parent in self.parents)

    @property
    def areas_px2(self) -> Int[np.ndarray, " object"]:
        """Area of each object [px²]."""
        areas: Int[np.ndarray, " object"] = np.bincount(self.labels.ravel(), minlength=self.count + 1)[1:]
        return areas

    @property
    def diameters_px(self) -> Float[np.ndarray, " object"]:
        """Diameter of the disk that has the area of each object [px]."""
        diameters: Float[np.ndarray, " object"] = np.sqrt(4 / math.pi * self.areas_px2)
        return diameters


def _listed(labels: np.ndarray) -> str:
    """Return the first labels in words, for a message."""
    if not len(labels):
        return "none"
    return ", ".join(str(label) for label in labels[:5]) + (" ..." if len(labels) > 5 else "")
