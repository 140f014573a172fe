"""What a reference is, and what a library holds of them at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from micrographia.qualify.criteria import Criterion

Polarity = Literal["accept", "reject"]

WHOLE: Final = "whole"
"""Region of an image without a mask."""


@dataclass(frozen=True, kw_only=True)
class Retirement:
    """That a reference counts no more: since when, who said so, and why."""

    at: str
    by: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One image that an expert accepted or rejected on one criterion.

    Parameters
    ----------
    id : str
        What it is known by within the library, such as ``"R12"``.
    criterion_id : str
        The criterion.
    polarity : str
        ``"accept"`` or ``"reject"``.
    image_sha256 : str
        SHA-256 of the image file, hexadecimal.
    file : str
        Name of the image file as it came.
    mask_file : str, optional
        Name of the mask file as it came.
    mask_sha256 : str, optional
        SHA-256 of the mask file; None where the whole image counts.
    mask_value : int, optional
        Which pixels of the mask are the region; None for all but 0.
    text, expert, specimen : str, optional
        What the expert said of it, who that is, and which specimen it shows. Statistics leave out one specimen at a
        time; None where nobody said which it is.
    added_at : str
        When it was added: UTC, ISO 8601.
    added_by : str
        Who added it.
    retired : Retirement, optional
        That it counts no more.
    """

    id: str
    criterion_id: str
    polarity: Polarity
    image_sha256: str
    file: str
    mask_file: str | None
    mask_sha256: str | None
    mask_value: int | None
    text: str | None
    expert: str | None
    specimen: str | None
    added_at: str
    added_by: str
    retired: Retirement | None = None

    @property
    def region(self) -> str:
        """What part of the image counts, as a key: ``"whole"``, or the mask and its value."""
        return region_key(self.mask_sha256, self.mask_value)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a library holds at one moment.

    Parameters
    ----------
    version : str
        Hash of the entry of the audit chain that last changed criteria or references.
    criteria : tuple of Criterion
        The newest version of each, in the order in which they were first set.
    references : mapping of str to tuple of Reference
        Those that count, by criterion id.
    """

    version: str
    criteria: tuple[Criterion, ...]
    references: Mapping[str, tuple[Reference, ...]]


def region_key(mask_sha256: str | None, mask_value: int | None) -> str:
    """Return the key of a region.

    Examples
    --------
    >>> region_key(None, None), region_key("ab" * 32, 2)[-6:]
    ('whole', 'abab:2')
    """
    if mask_sha256 is None:
        return WHOLE
    return f"{mask_sha256}:{'any' if mask_value is None else mask_value}"
