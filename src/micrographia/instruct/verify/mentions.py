"""Which measured quantity a word speaks of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from micrographia.instruct.tasks.aspects import ASPECTS

DIFFERENCE: Final = "difference"
TOLERANCE: Final = "tolerance"
_DERIVED: Final = {
    DIFFERENCE: r"differences?|differ(?:s|ed)?(?: by)?|gap",
    TOLERANCE: r"tolerances?|margin|standard deviation|(?<!two )(?<!2 )(?<!the )uncertaint(?:y|ies)",
}
_WIDTHS: Final = {
    "particles": "particle diameter",
    "pores": "pore diameter",
    "fibres": "fibre width",
    "cracks": "crack width",
}
_COVERAGES: Final = {"particles": "particle coverage", "pores": "pore coverage", "fibres": "fibre coverage"}
# What these words say belongs to another cue than its name alone.
_ODD: Final = {
    "regularity": r"(?:share|part|fraction|percent(?:age)?) of (?:the|its) variance|periodic peaks",
}


@dataclass(frozen=True)
class Mention:
    """A quantity that is named: the cue, and where in the clause."""

    cue: str
    start: int
    end: int


@cache
def _each() -> tuple[tuple[str, re.Pattern[str]], ...]:
    parts = {name: aspect.names for name, aspect in ASPECTS.items()}
    parts = {name: f"{parts[name]}|{_ODD[name]}" if name in _ODD else parts[name] for name in parts} | _DERIVED
    return tuple((name, re.compile(rf"\b(?:{one})\b")) for name, one in parts.items())


def mentions(clause: str) -> list[Mention]:
    """Return the quantities that a clause names; of names that overlap, the longest.

    Examples
    --------
    >>> [m.cue for m in mentions("The mean diameter of bright particles and the number of pores")]
    ['particle diameter', 'pores']
    """
    lower = clause.lower()
    found = [Mention(cue, m.start(), m.end()) for cue, pattern in _each() for m in pattern.finditer(lower)]
    found.sort(key=lambda m: (m.start - m.end, m.start))
    kept: list[Mention] = []
    for one in found:
        if all(one.end <= other.start or one.start >= other.end for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda m: m.start)


def with_unit_of(cue: str, unit: str) -> str:
    """Return the cue that a number with this unit speaks of: 5 nm of particles is their diameter, 5 % their coverage.

    Examples
    --------
    >>> with_unit_of("particles", "nm"), with_unit_of("particles", "")
    ('particle diameter', 'particles')
    """
    if unit in ("nm", "px"):
        return _WIDTHS.get(cue, cue)
    return _COVERAGES.get(cue, cue) if unit == "%" else cue
