"""Questions on one image that have one true answer: yes or no, a range, a direction, a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from micrographia.cues.cue import length_unit
from micrographia.instruct.assignment import AnswerType, Assignment, TaskKind
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS, Aspect
from micrographia.instruct.tasks.cells import ROOM, Cell, Group
from micrographia.instruct.tasks.margins import LENGTHS, Outcome, against
from micrographia.instruct.tasks.truth import truth
from micrographia.instruct.tasks.words import nice_numbers, pick, rank, with_unit

VERSION: Final = 1
RANGES: Final = ("low", "middle", "high")
DIRECTIONS: Final = ("horizontal", "vertical")
_THRESHOLDS: Final = 3
_ZEROS: Final = 4

_ABOVE: Final = (
    "Is {quantity} above {limit}?",
    "Does {quantity} exceed {limit}?",
    "Judging by what is visible, is {quantity} greater than {limit}?",
    "Would a measurement of {quantity} come out above {limit}?",
)
_BELOW: Final = (
    "Is {quantity} below {limit}?",
    "Does {quantity} stay below {limit}?",
    "Judging by what is visible, is {quantity} smaller than {limit}?",
    "Would a measurement of {quantity} come out below {limit}?",
)
_ANCHORED: Final[Mapping[str, tuple[str, str]]] = {
    "regularity": (
        "Does the image show a regular pattern, with more than {limit} of its variance in periodic peaks?",
        "Is the structure largely irregular, with less than {limit} of its variance in periodic peaks?",
    ),
    "edges": (
        "Is the image crowded with boundaries, at an edge density above {limit}?",
        "Is the image poor in boundaries, at an edge density below {limit}?",
    ),
    "anisotropy": (
        "Does the structure keep to one direction, with an anisotropy above {limit}?",
        "Do structures run in all directions alike, with an anisotropy below {limit}?",
    ),
    "signal to noise": (
        "Does the signal stand well above the noise, at a ratio above {limit}?",
        "Is the signal close to being lost in the noise, at a signal-to-noise ratio below {limit}?",
    ),
    "dark share": (
        "Does the dark part take up more than {limit} of the image?",
        "Does the dark part take up less than {limit} of the image?",
    ),
    "layering": (
        "Is a layered build visible, with a strength of layering above {limit}?",
        "Is a layered build missing, with a strength of layering below {limit}?",
    ),
    "cracks": (
        "Is the surface heavily cracked, with more than {limit} of crack-like dark lines?",
        "Are cracks rare, with less than {limit} of crack-like dark lines?",
    ),
    "particle coverage": (
        "Do bright particles cover more than {limit} of the area?",
        "Do bright particles cover less than {limit} of the area?",
    ),
    "pore coverage": (
        "Do dark pores or particles cover more than {limit} of the area?",
        "Do dark pores or particles cover less than {limit} of the area?",
    ),
    "fibre coverage": (
        "Do fibres cover more than {limit} of the area?",
        "Do fibres cover less than {limit} of the area?",
    ),
}
_PRESENT: Final = (
    "Are there signs of {things}?",
    "Can any {things} be made out?",
    "Does the image show {things}?",
    "Are {things} visible?",
)
_ABSENT: Final = (
    "Is the image free of {things}?",
    "Are {things} missing from the image?",
    "Would you say that there are no {things}?",
)
_THINGS: Final[Mapping[str, str]] = {
    "particles": "separate bright particles",
    "pores": "dark pores or dark particles",
    "fibres": "fibres",
    "layers": "layers",
    "cracks": "cracks (crack-like dark lines)",
    "cracks|pores": "structural defects, be it crack-like dark lines or dark pores",
    "layers|cracks": "structural boundaries, be it layers or crack-like dark lines",
    "particles|fibres": "separate objects, be it bright particles or fibres",
}
_RANGE: Final = (
    "Call {quantity} low below {low}, high above {high}, and middle between. Which is it?",
    "In which range is {quantity}: low (below {low}), middle, or high (above {high})?",
    "How large is {quantity}? Low means below {low}, high means above {high}, middle means between.",
)
_DIRECTION: Final = (
    "Does the structure run closer to the horizontal or to the vertical?",
    "Which way do the lines of the structure mostly run, horizontal or vertical?",
    "Is the preferred direction of the structure closer to horizontal or to vertical?",
)
_COUNT: Final = (
    "How many {things} are visible?",
    "Count the {things} in the image.",
    "What is the number of {things}?",
    "Give the number of {things} that can be made out.",
)
_SIZE: Final = (
    "What is {quantity}, in {unit}?",
    "Estimate {quantity} in {unit}.",
    "How large is {quantity}, in {unit}?",
    "Measure {quantity} and give it in {unit}.",
)


def diagnostic(cell: Cell) -> Iterator[Group]:
    """Yield groups of diagnostic questions: the same words, asked of as many images for each answer.

    Parameters
    ----------
    cell : Cell
        Images.

    Yields
    ------
    tuple of Assignment
        A pair of images of which one answers yes and one no, or three of which each answers another range.
    """
    for aspect in ASPECTS.values():
        yield from _thresholds(cell, aspect)
        yield from _ranges(cell, aspect)
    for names, things in _THINGS.items():
        for side, phrases in (("present", _PRESENT), ("absent", _ABSENT)):
            question = pick(phrases, cell.seed, names, side).format(things=things)
            yield from _balanced(
                cell, _ask("binary", question, tuple(names.split("|")), "presence", {"cue": names, "side": side})
            )
    question = pick(_DIRECTION, cell.seed)
    asked = _ask("choice", question, ("anisotropy",), "direction", {"cue": "anisotropy"}, options=DIRECTIONS)
    yield from _balanced(cell, asked)


def counting(cell: Cell) -> Iterator[Group]:
    """Yield questions for a number of things."""
    for aspect in ASPECTS.values():
        if not aspect.counts:
            continue
        for subject, cue in cell.having(aspect.cue):
            # Most kinds of things are missing from most images: to count none is asked for more rarely.
            if cue.value == 0 and rank(cell.seed, aspect.cue, subject.sha256) % _ZEROS:
                continue
            question = pick(_COUNT, cell.seed, aspect.cue, subject.sha256).format(things=aspect.present)
            asked = _ask("number", question, (aspect.cue,), "number", {"cue": aspect.cue, "unit": cue.unit})
            yield from _of(asked, subject, task="counting")


def sizing(cell: Cell) -> Iterator[Group]:
    """Yield questions for a length, a share or a density, in the unit that the question names."""
    for aspect in ASPECTS.values():
        for subject, cue in cell.having(aspect.cue):
            length = cue.unit in LENGTHS
            if not (length or cue.unit == "%") or not cue.value or cue.uncertainty is None:
                continue
            scale, unit = length_unit(cue.value) if cue.unit == "nm" else (1.0, cue.unit)
            phrases = _SIZE if length else _SIZE[:1] + _SIZE[3:]
            question = pick(phrases, cell.seed, aspect.cue, subject.sha256).format(
                quantity=aspect.quantity, unit={"px": "pixels", "%": "percent"}.get(unit, unit)
            )
            parameters: dict[str, float | str] = {"cue": aspect.cue, "unit": cue.unit, "scale": scale}
            asked = _ask("number", question, (aspect.cue,), "number", parameters, unit=unit)
            yield from _of(asked, subject, task="sizing")


def _limits(cell: Cell, aspect: Aspect) -> tuple[str, dict[float, list[Outcome | None]]]:
    """Return the unit, and for each round limit on which side of it each image surely is."""
    having = cell.having(aspect.cue)
    values = sorted(cue.value for _, cue in having if cue.value)
    if len(values) < 2 or values[0] <= 0:
        return "", {}
    limits = nice_numbers(values[0], values[-1])
    sides = {limit: [against(subject, aspect.cue, limit, room=ROOM) for subject, _ in having] for limit in limits}
    return having[0][1].unit, sides


def _thresholds(cell: Cell, aspect: Aspect) -> Iterator[Group]:
    unit, sides = _limits(cell, aspect)
    # The limits that divide the images best; ties are broken by hash.
    ranked = sorted(
        (-min(found.count("more"), found.count("less")), rank(cell.seed, aspect.cue, limit), limit)
        for limit, found in sides.items()
    )
    for divided, _, limit in ranked[:_THRESHOLDS]:
        if divided == 0:
            return
        for side, phrases in (("above", _ABOVE), ("below", _BELOW)):
            choices = [*phrases, *_ANCHORED.get(aspect.cue, ())[side == "below" :][:1]]
            question = pick(choices, cell.seed, aspect.cue, limit, side).format(
                quantity=aspect.quantity, limit=with_unit(limit, unit)
            )
            parameters: dict[str, float | str] = {"cue": aspect.cue, "threshold": limit, "side": side, "unit": unit}
            yield from _balanced(cell, _ask("binary", question, (aspect.cue,), "threshold", parameters))


def _ranges(cell: Cell, aspect: Aspect) -> Iterator[Group]:
    unit, sides = _limits(cell, aspect)
    best: tuple[int, int, float, float] = (0, 0, 0.0, 0.0)
    for low, high in combinations(sides, 2):
        found = list(zip(sides[low], sides[high], strict=True))
        divided = min(found.count(one) for one in (("less", "less"), ("more", "less"), ("more", "more")))
        best = max(best, (divided, rank(cell.seed, aspect.cue, low, high), low, high))
    divided, _, low, high = best
    if divided:
        question = pick(_RANGE, cell.seed, aspect.cue, low, high).format(
            quantity=aspect.quantity, low=with_unit(low, unit), high=with_unit(high, unit)
        )
        parameters: dict[str, float | str] = {"cue": aspect.cue, "low": low, "high": high, "unit": unit}
        yield from _balanced(cell, _ask("choice", question, (aspect.cue,), "range", parameters, options=RANGES))


def _balanced(cell: Cell, asked: Assignment) -> Iterator[Group]:
    """Ask one question of images in groups in which each answer is given once."""
    answers = asked.options or ("yes", "no")
    by_answer: dict[str, list[Assignment]] = {answer: [] for answer in answers}
    for subject in cell.shuffled(cell.subjects, asked.question):
        if not _comparable(asked, subject):
            continue
        one = _with(asked, subject)
        found = truth(one, [subject], room=ROOM)
        if found is not None:
            by_answer[found.answer].append(one)
    yield from zip(*by_answer.values(), strict=False)


def _comparable(asked: Assignment, subject: Subject) -> bool:
    """Whether the image has all cues, in the unit that the question names."""
    unit = asked.parameters.get("unit")
    return all(name in subject.by_name and (unit is None or subject.by_name[name].unit == unit) for name in asked.cues)


def _of(asked: Assignment, subject: Subject, *, task: TaskKind) -> Iterator[Group]:
    one = _with(asked, subject, task=task)
    if truth(one, [subject]) is not None:
        yield (one,)


def _ask(
    answer_type: AnswerType,
    question: str,
    cues: tuple[str, ...],
    rule: str,
    parameters: Mapping[str, float | str],
    *,
    options: Sequence[str] = (),
    unit: str = "",
) -> Assignment:
    return Assignment(
        task="diagnostic",
        images=(),
        question=question,
        answer_type=answer_type,
        cues=cues,
        template=f"diagnostic/{VERSION}",
        rule=rule,
        options=tuple(options),
        unit=unit,
        parameters=parameters,
    )


def _with(asked: Assignment, subject: Subject, *, task: TaskKind = "diagnostic") -> Assignment:
    return Assignment(
        task=task,
        images=(subject.sha256,),
        question=asked.question,
        answer_type=asked.answer_type,
        cues=asked.cues,
        template=f"{task}/{VERSION}",
        rule=asked.rule,
        options=asked.options,
        unit=asked.unit,
        parameters=asked.parameters,
    )
