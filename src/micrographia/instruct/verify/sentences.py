"""Sentences, clauses, and which image a word speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from micrographia.instruct.tasks.truth import LETTERS

_ABBREVIATIONS: Final = r"(?<!e\.g\.)(?<!i\.e\.)(?<!approx\.)(?<!ca\.)(?<!vs\.)"
_END: Final = re.compile(rf"(?:(?<=[.!?])|(?<=[.!?][\"')])){_ABBREVIATIONS}\s+|\n+")
_HEADING: Final = re.compile(r"^\s*(?:[-*#•]+\s*|\d{1,2}[.)]\s+)?(?:\*\*)?(?:[A-Z][a-z]+(?: [a-z]+)?:(?:\*\*)?\s+)?")
_CLAUSE: Final = re.compile(
    r"[;:]\s+|,?\s+(?:but|while|whereas|although|though|yet)\s+|,\s+with\s+"
    # "A shows cracks, B does not" denies of B only.
    r"|,\s+(?:and\s+)?(?=(?:image\s+)?[A-D]\s+(?:does|do|is|has|shows?)\s*(?:not|n't|none|no)\b)",
    re.IGNORECASE,
)
_VERBS: Final = (
    r"is|are|was|has|have|had|shows?|looks?|contains?|holds?|repeats?|keeps?|separates?|exceeds?|exhibits?|displays?"
    r"|appears?|seems?|does|do|can|cannot|and|or|than|with|to|but|while|whereas|differs?|lacks?|reveals?|features?|in"
)
_LETTER: Final = re.compile(
    r"\b(?:[Ii]mages?|[Mm]icrographs?|[Pp]ictures?|[Pp]anels?|[Ss]amples?)\s+([A-D])\b"
    r"|\b(?:in|than|of|to|from|with|for|by|and|or|[Uu]nlike|[Bb]etween|[Bb]oth|for|versus|vs\.?)\s+(A)\b"
    rf"|\b(A)\b(?=\s*(?:$|[,.:;)?!'’]|(?:{_VERBS})\b))"
    r"|\b([B-D])\b"
)


@dataclass(frozen=True)
class Letter:
    """An image that is named: which, and where in the clause."""

    image: int
    start: int
    end: int


def sentences(text: str) -> list[str]:
    r"""Return the sentences of a text, without bullets and headings.

    Examples
    --------
    >>> sentences("Texture: The edge density is 3.5. It is low.\n- No pores are visible.")
    ['The edge density is 3.5.', 'It is low.', 'No pores are visible.']
    """
    found = (_HEADING.sub("", part).strip() for part in _END.split(text))
    return [part for part in found if re.search(r"\w", part)]


def clauses(sentence: str) -> list[str]:
    """Return the parts of a sentence that make statements of their own.

    Examples
    --------
    >>> clauses("A has more edges than B: the edge density is 41, while pores are missing.")
    ['A has more edges than B', 'the edge density is 41', 'pores are missing.']
    """
    return [part for part in _CLAUSE.split(sentence) if part and re.search(r"\w", part)]


def letters(clause: str, images: int) -> list[Letter]:
    """Return the images that a clause names, in their order, there or not; none where there is only one image.

    Examples
    --------
    >>> [(one.image, one.start) for one in letters("A high contrast is seen in A and in image B.", 2)]
    [(0, 27), (1, 42)]
    """
    if images < 2:
        return []
    found = []
    for match in _LETTER.finditer(clause):
        group = next(k for k in range(1, 5) if match.group(k))
        found.append(Letter(LETTERS.index(match.group(group)), match.start(group), match.end(group)))
    return found


def before(named: Sequence[Letter], position: int) -> int | None:
    """Return the image that is named last before a position."""
    return next((letter.image for letter in reversed(named) if letter.end <= position), None)


def after(named: Sequence[Letter], position: int) -> int | None:
    """Return the image that is named first from a position on."""
    return next((letter.image for letter in named if letter.start >= position), None)
