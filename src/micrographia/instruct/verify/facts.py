"""Whether what a sentence states is so, by the cues."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Final

from micrographia.cues.cue import Cue
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS
from micrographia.instruct.tasks.margins import (
    SIGMAS,
    compare,
    floor,
    number_tolerance,
    pair_tolerance,
    uncertainty,
)
from micrographia.instruct.tasks.truth import LETTERS, presence
from micrographia.instruct.tasks.words import measured
from micrographia.instruct.verify.claim import Claim
from micrographia.instruct.verify.claims import claims
from micrographia.instruct.verify.quantities import Quantity, quantities
from micrographia.instruct.verify.sentences import sentences

_ALL: Final = re.compile(r"\b(?:both|all|each|every|neither|none)\b", re.IGNORECASE)
_SD_RATIO: Final = 1.5
_DERIVED_SLACK: Final = 0.1
_DIRECTION_SLACK_DEG: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a sentence is true: None where nothing in it can be held against the cues.

    ``kind`` is the kind of the statement that failed, or of the first; ``facts`` is how many statements are true.
    """

    sentence: str
    true: bool | None
    kind: str
    why: str
    facts: int = 0


def verdicts(text: str, assignment: Assignment, subjects: Sequence[Subject]) -> list[Verdict]:
    """Judge a text sentence by sentence.

    Parameters
    ----------
    text : str
        Reasoning or answer.
    assignment : Assignment
        The question.
    subjects : sequence of Subject
        The images, in the order of the assignment.

    Examples
    --------
    >>> import numpy as np
    >>> edges = Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges.")
    >>> image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=(edges,))
    >>> asked = Assignment(task="description", images=("aa",), question="Describe the image.", answer_type="text",
    ...                    cues=("edges",), template="description/1", rule="description")
    >>> for one in verdicts("The edge density is 35 px per 1000 px². It is pretty.", asked, [image]):
    ...     print(one.true, one.why)
    False edge density of 35 px per 1000 px² is said, and 30.00 ± 0.50 px per 1000 px² is measured
    None nothing that was measured
    """
    found = []
    topic = str(assignment.parameters["cue"]).split("|")[0] if "cue" in assignment.parameters else None
    for sentence in sentences(text):
        stated = claims(sentence, len(subjects), topic=topic)
        judged = [(claim, *_judge(claim, assignment, subjects)) for claim in stated if claim.kind != "conclusion"]
        false = next(((claim, why) for claim, true, why in judged if true is False), None)
        if false:
            found.append(Verdict(sentence=sentence, true=False, kind=false[0].kind, why=false[1]))
        elif any(true for _, true, _ in judged):
            facts = sum(true is True for _, true, _ in judged)
            found.append(Verdict(sentence=sentence, true=True, kind=judged[0][0].kind, why="", facts=facts))
        else:
            found.append(Verdict(sentence=sentence, true=None, kind="", why="nothing that was measured"))
    return found


def _judge(claim: Claim, assignment: Assignment, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    beyond = next((k for k in (claim.image, claim.other) if k is not None and k >= len(subjects)), None)
    if beyond is not None:
        return False, f"there is no image {LETTERS[beyond]}"
    if claim.cue is not None and any(claim.cue not in subject.by_name for subject in subjects):
        return False, f"{claim.cue} was not measured"
    match claim.kind:
        case "value":
            return _value(claim, assignment, subjects)
        case "direction":
            return _direction(claim, assignment, subjects)
        case "presence":
            return _presence(claim, subjects)
        case "comparison":
            return _comparison(claim, subjects)
        case "similar":
            return _similar(claim, subjects)
        case "grade":
            return _grade(claim, subjects)
        case "difference":
            return _derived(claim, subjects)
        case _:
            return _tolerance(claim, subjects)


def _value(claim: Claim, assignment: Assignment, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    number = _number(claim)
    if number.relation == "limit":
        return _in_question(number, assignment), f"{number.value:g} is no limit that the question names"
    if claim.cue is None:
        if _in_question(number, assignment) and number.relation != "is":
            return None, ""
        any_cue = (cue for subject in _of(claim, subjects) for cue in subject.cues if cue.name in assignment.cues)
        true = any(_is(number, cue) for cue in any_cue)
        return true, f"{_said(number)} is the value of nothing that was measured"
    chosen = _of(claim, subjects)
    cues = [subject.by_name[claim.cue] for subject in chosen]
    if number.relation == "is":
        # A limit may be named again beside the value that is held against it.
        matching = [_is(number, cue) for cue in cues]
        true = (all(matching) if _of_all(claim) else any(matching)) == claim.positive
        known = ", ".join(sorted({measured(cue) for cue in cues}))
        quantity = ASPECTS[claim.cue].quantity.removeprefix("the ")
        return true, f"{quantity} of {_said(number)} is said, and {known} is measured"
    return _relation(number, claim, chosen, cues)


def _relation(
    number: Quantity, claim: Claim, chosen: Sequence[Subject], cues: Sequence[Cue]
) -> tuple[bool | None, str]:
    """Judge "above 25 px": the value must be on that side, if only within its tolerance."""
    name = claim.cue or ""
    for subject, cue in zip(chosen, cues, strict=True):
        sd = uncertainty(cue)
        if cue.value is None or not _same_unit(number, cue):
            continue
        slack = SIGMAS * (sd or 0.0) + floor(subject, name)
        away = cue.value - number.value if number.relation == "more" else number.value - cue.value
        if away > 0 or (away > -slack and _hedged(claim)):
            return True, ""
    side = "above" if number.relation == "more" else "below"
    known = ", ".join(measured(cue) for cue in cues)
    return False, f"{name} is said to be {side} {_said(number)}, and {known} is measured"


def _hedged(claim: Claim) -> bool:
    return any(word in claim.said for word in ("about", "roughly", "around"))


def _is(number: Quantity, cue: Cue) -> bool:
    allowed = number_tolerance(cue)
    if cue.value is None or allowed is None or not _same_unit(number, cue):
        return False
    if abs(number.value - cue.value) > max(allowed, 1e-9):
        return False
    if number.sd is None:
        return True
    # A ± that is not the measured one is a false number too; what rounding does to it is allowed.
    sd = cue.uncertainty or 0.0
    return sd / _SD_RATIO - number.half_digit <= number.sd <= sd * _SD_RATIO + number.half_digit


def _same_unit(number: Quantity, cue: Cue) -> bool:
    return number.unit == cue.unit


def _direction(claim: Claim, assignment: Assignment, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    number = _number(claim)
    for subject in _of(claim, subjects):
        for cue in subject.cues:
            if cue.direction_deg is None or (claim.cue in ASPECTS and cue.name not in (claim.cue, *assignment.cues)):
                continue
            away = abs((number.value - cue.direction_deg + 90) % 180 - 90)
            if away <= SIGMAS * (cue.direction_sd_deg or 0.0) + _DIRECTION_SLACK_DEG:
                return True, ""
    return False, f"a direction of {number.value:g}° is said, which was not measured"


def _presence(claim: Claim, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    name = claim.cue or ""
    found = {presence(subject, name) for subject in _of(claim, subjects)}
    things = ASPECTS[name].present
    said = f"{things} are said to be {'there' if claim.positive else 'missing'}"
    # Said of no image in particular, it is true if it is of one, unless it is said of all.
    if claim.positive in found and (len(found) == 1 or not _of_all(claim)):
        return True, ""
    if None in found:
        return False, f"{said}, which cannot be told"
    return False, f"{said}, and {', '.join(measured(s.by_name[name]) for s in _of(claim, subjects))} is measured"


def _comparison(claim: Claim, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    name, image = claim.cue or "", claim.image or 0
    others = [claim.other] if claim.other is not None else [k for k in range(len(subjects)) if k != image]
    if claim.other == image:
        return None, ""
    wanted = "more" if claim.positive else "less"
    outcomes = [compare(subjects[image], subjects[other], name) for other in others]
    negated = claim.low == 1.0
    if None in outcomes:
        return False, f"{name} of the images cannot be compared"
    true = all((outcome == wanted) != negated for outcome in outcomes)
    values = ", ".join(f"{measured(s.by_name[name])} in {LETTERS[k]}" for k, s in enumerate(subjects))
    said = f"{LETTERS[image]} is said to have {'not ' if negated else ''}{wanted} {name}"
    return true, f"{said}, and {values} is measured{', too close to call' if 'close' in outcomes else ''}"


def _similar(claim: Claim, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    name = claim.cue or ""
    pairs = _pairs(claim, len(subjects))
    close = [compare(subjects[a], subjects[b], name) == "close" for a, b in pairs]
    values = ", ".join(f"{measured(s.by_name[name])} in {LETTERS[k]}" for k, s in enumerate(subjects))
    return any(close), f"{name} is said to be alike, and {values} is measured"


def _grade(claim: Claim, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    name = claim.cue or ""
    for subject in _of(claim, subjects):
        cue = subject.by_name[name]
        if cue.value is None:
            continue
        slack = SIGMAS * (uncertainty(cue) or 0.0) + (0.0 if ASPECTS[name].counts else floor(subject, name))
        inside = cue.value + slack >= claim.low and cue.value - slack < claim.high
        wholly = cue.value - slack >= claim.low and cue.value + slack < claim.high
        if inside if claim.positive else not wholly:
            return True, ""
    known = ", ".join(measured(s.by_name[name]) for s in _of(claim, subjects))
    return False, f"the words do not fit {name}, of which {known} is measured: {claim.said.strip()!r}"


def _derived(claim: Claim, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    """Judge a difference that is named, or what it is said to be more or less than."""
    number = _number(claim)
    if claim.cue is None or len(subjects) < 2:
        return False, f"{_said(number)} is the difference of nothing that was measured"
    for a, b in _pairs(claim, len(subjects)):
        one, other = subjects[a].by_name[claim.cue], subjects[b].by_name[claim.cue]
        if one.value is None or other.value is None or one.unit != other.unit or not _same_unit(number, one):
            continue
        away = abs(one.value - other.value)
        slack = number.half_digit + _DERIVED_SLACK * away
        if number.relation == "is" and abs(number.value - away) <= slack:
            return True, ""
        if (number.relation == "more" and away > number.value) or (number.relation == "less" and away <= number.value):
            return True, ""
    return False, f"a difference of {_said(number)} in {claim.cue} is said, which was not measured"


def _tolerance(claim: Claim, subjects: Sequence[Subject]) -> tuple[bool | None, str]:
    number = _number(claim)
    if claim.cue is None:
        return None, ""
    known = [subjects[k].by_name[claim.cue].uncertainty for k in range(len(subjects))]
    known += [pair_tolerance(subjects[a], subjects[b], claim.cue) for a, b in combinations(range(len(subjects)), 2)]
    for value in known:
        if value is not None and abs(number.value - value) <= number.half_digit + _DERIVED_SLACK * value:
            return True, ""
    return False, f"an uncertainty of {_said(number)} in {claim.cue} is said, which was not measured"


def _pairs(claim: Claim, images: int) -> Iterator[tuple[int, int]]:
    if claim.image is not None and claim.other is not None:
        yield claim.image, claim.other
    else:
        yield from ((a, b) for a, b in permutations(range(images), 2) if a < b)


def _of(claim: Claim, subjects: Sequence[Subject]) -> list[Subject]:
    return list(subjects) if claim.image is None else [subjects[claim.image]]


def _of_all(claim: Claim) -> bool:
    return claim.image is None and bool(_ALL.search(claim.said))


def _number(claim: Claim) -> Quantity:
    if claim.quantity is None:
        raise ValueError(f"a statement of kind {claim.kind!r} has no number: {claim.said!r}")
    return claim.quantity


def _in_question(number: Quantity, assignment: Assignment) -> bool:
    return any(abs(number.value - asked.value) < 1e-9 for asked in quantities(assignment.question))


def _said(number: Quantity) -> str:
    unit = number.unit
    value = f"{number.value:g}"
    return f"{value} {unit}".rstrip()
