"""Comparisons of images in a clause: more, less, most, alike."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from micrographia.instruct.tasks.aspects import ASPECTS
from micrographia.instruct.verify.claim import Claim, Clause

_SIMILAR: Final = re.compile(
    r"\b(?:similar|the same|alike|equal(?:ly)?|comparable|identical|indistinguishable"
    r"|too close to call|cannot be told apart|no (?:clear|significant|measurable|notable) differences?"
    r"|does not differ|do not differ"
    r"|within (?:the|their) (?:uncertaint(?:y|ies)|tolerance))\b",
    re.IGNORECASE,
)
_GENERIC_MORE: Final = (
    r"higher|larger|greater|more|stronger|wider|coarser|denser|longer|thicker|better|bigger|clearer|highest|largest|greatest"
    r"|most|strongest|widest|coarsest|best|biggest|longest"
)
_GENERIC_LESS: Final = (
    r"lower|smaller|less|fewer|weaker|narrower|finer|sparser|shorter|thinner|poorer|worse|lowest|smallest|least|fewest"
    r"|weakest|narrowest|finest|poorest|worst|shortest|thinnest"
)
_GENERIC: Final = re.compile(rf"\b(?:(?P<more>{_GENERIC_MORE})|(?P<less>{_GENERIC_LESS}))\b", re.IGNORECASE)
_SUPERLATIVES: Final = {
    "regularity": ("most regular|most periodic", "least regular"),
    "anisotropy": ("most directional|most anisotropic|most aligned", "least directional|least anisotropic"),
    "sharpness": ("sharpest", "blurriest|most blurred|softest|least sharp"),
    "noise": ("noisiest", "least noisy|cleanest"),
    "dominant scale": ("coarsest", "finest"),
    "layering": ("most clearly layered|most layered", "least layered"),
    "cracks": ("most cracked", "least cracked"),
}


@cache
def _comparatives() -> tuple[tuple[str, bool, re.Pattern[str]], ...]:
    found = []
    for name, aspect in ASPECTS.items():
        best, least = _SUPERLATIVES.get(name, ("", ""))
        for positive, words, extreme in ((True, aspect.more_words, best), (False, aspect.less_words, least)):
            both = "|".join(part for part in (words, extreme) if part)
            if both:
                found.append((name, positive, re.compile(rf"\b(?:{both})\b")))
    return tuple(found)


def comparisons(clause: Clause) -> list[Claim]:
    """Return what a clause says of one image against others; nothing where there is only one.

    Parameters
    ----------
    clause : Clause
        The clause.
    """
    if clause.images < 2:
        return []
    similar = _SIMILAR.search(clause.text)
    if similar and clause.topic:
        named = [letter.image for letter in clause.named]
        first, second = (named[0], named[1]) if len(named) > 1 else (None, None)
        return [Claim(kind="similar", said=clause.text, cue=clause.topic, image=first, other=second)]
    if not clause.named:
        return []
    spans: list[tuple[int, int, str, bool]] = [
        (match.start(), match.end(), name, positive)
        for name, positive, pattern in _comparatives()
        for match in pattern.finditer(clause.lower)
    ]
    spans.sort(key=lambda span: span[0] - span[1])
    kept: list[tuple[int, int, str, bool]] = []
    for span in spans:
        if all(span[1] <= other[0] or span[0] >= other[1] for other in kept):
            kept.append(span)
    for match in _GENERIC.finditer(clause.text):
        inside = any(start <= match.start() < end for start, end, _, _ in kept)
        # "more than 20 %" and "less than two uncertainties" compare numbers, not images.
        if inside or re.match(r"\s+than\s+(?:the\s+|two\s+|\d)", clause.text[match.end() :]):
            continue
        cue = _compared_by(clause, match)
        if cue is not None:
            kept.append((match.start(), match.end(), cue, bool(match.group("more"))))
    return [claim for span in sorted(kept) if (claim := _comparison(clause, span)) is not None]


def _compared_by(clause: Clause, match: re.Match[str]) -> str | None:
    """Return the quantity of "higher" and its like: what is named right after it, else before it."""
    told = [m for m in clause.told if m.cue in ASPECTS]
    following = next((m for m in told if 0 <= m.start - match.end() <= 25), None)
    if following:
        return following.cue
    earlier = [m for m in told if m.end <= match.start()]
    return earlier[-1].cue if earlier else None


def _comparison(clause: Clause, span: tuple[int, int, str, bool]) -> Claim | None:
    start, end, cue, positive = span
    text = clause.text
    than = re.search(r"\bthan\b", text[end:])
    cut = end + than.start() if than else len(text)
    compared_with = re.search(
        r"\b(?:compared (?:with|to)|unlike|relative to|versus)\s+(?:the )?(?:image )?([A-D])\b", text, re.IGNORECASE
    )
    objects = {compared_with.start(1)} if compared_with else set()
    subjects = [letter for letter in clause.named if letter.start not in objects and letter.start < cut]
    others = [letter for letter in clause.named if letter.start in objects or letter.start >= cut]
    near = [letter for letter in subjects if letter.end <= start] or subjects
    if not near:
        return None
    subject = near[-1] if near[-1].end <= start else near[0]
    other = others[0].image if others else None
    negated = re.search(r"\b(?:not|isn't|doesn't|no)\b(?:\s+\w+){0,2}\s*$", text[:start])
    if negated:
        # Not more is less or the same, which is not one statement; it is told apart by its limits.
        return Claim(
            kind="comparison", said=text, cue=cue, image=subject.image, other=other, positive=positive, low=1.0
        )
    return Claim(kind="comparison", said=text, cue=cue, image=subject.image, other=other, positive=positive)
