"""Images in small cells: what is asked stays within one, so that a split by cell is a split by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from micrographia.cues.cue import Cue
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.words import rank

CELL_SIZE: Final = 6
ROOM: Final = 1.25
"""Factor on all tolerances of those who ask: no answer shall hang on a rounding."""

Group = tuple[Assignment, ...]
"""Assignments that are asked together or not at all, as their answers balance each other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A few images that are asked about together.

    Parameters
    ----------
    subjects : tuple of Subject
        The images.
    seed : str
        What choices of phrases and pairs depend on.
    """

    subjects: tuple[Subject, ...]
    seed: str

    def having(self, name: str) -> tuple[tuple[Subject, Cue], ...]:
        """Return the images with a value of a cue, in the unit that most of them have it in."""
        found = [(s, s.by_name[name]) for s in self.subjects if name in s.by_name and s.by_name[name].value is not None]
        units = [cue.unit for _, cue in found]
        most = max(sorted(set(units)), key=units.count, default="")
        return tuple((s, cue) for s, cue in found if cue.unit == most)

    def shuffled(self, items: Sequence[Subject], *said: object) -> list[Subject]:
        """Return images in an order that depends on the seed, on what is said, and on the images alone."""
        return sorted(items, key=lambda s: rank(self.seed, *said, s.sha256))


def cells(subjects: Sequence[Subject], *, seed: int) -> tuple[Cell, ...]:
    """Put images into cells of about six, whatever the order they come in.

    Parameters
    ----------
    subjects : sequence of Subject
        Images; one that comes twice is taken once.
    seed : int
        Seed of the order.

    Returns
    -------
    tuple of Cell
        Cells of 6 to 11 images, or one cell of all where they are fewer.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((2, 2), np.float32)
    >>> images = [Subject(sha256=f"{k:02d}", frame=frame, pixel_size_nm=None, cues=()) for k in range(20)]
    >>> [len(cell.subjects) for cell in cells(images, seed=0)]
    [7, 7, 6]
    """
    unique = {subject.sha256: subject for subject in subjects}
    ordered = [unique[sha] for sha in sorted(unique, key=lambda sha: rank(seed, sha))]
    count = max(1, len(ordered) // CELL_SIZE)
    parts = [tuple(ordered[k::count]) for k in range(count)]
    return tuple(Cell(subjects=part, seed=f"{seed}/{part[0].sha256}") for part in parts if part)
