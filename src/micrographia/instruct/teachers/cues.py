"""The teacher that needs no model: measured facts in words, the same every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from micrographia.cues.cue import Cue
from micrographia.errors import TeacherError
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.record import Reply
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS
from micrographia.instruct.tasks.describe import SECTIONS
from micrographia.instruct.tasks.margins import TOO_CLOSE, compare, pair_tolerance
from micrographia.instruct.tasks.truth import AS_PREDICTED, LETTERS, Truth, truth
from micrographia.instruct.tasks.words import difference, measured, pick, with_unit
from micrographia.instruct.teachers.phrases import direction, sentence
from micrographia.instruct.teachers.teacher import Prompt, Teacher

VERSION: Final = "1"

_BY_LIMIT: Final = (
    "{fact} This is {side} {limit} by more than two uncertainties, so the answer is {answer}.",
    "{fact} Even two uncertainties away it stays {side} {limit}: {answer}.",
    "{fact} That is clearly {side} {limit}. The answer is {answer}.",
)
_SAME: Final = (
    "They differ by {away}, within the {allowed} that the uncertainties allow, so it is too close to call.",
    "The difference of {away} is within the tolerance of {allowed}: too close to call.",
)
_OTHER: Final = (
    "They differ by {away}, more than the {allowed} that the uncertainties allow. {claim}",
    "The difference of {away} is larger than the tolerance of {allowed}. {claim}",
)
_SHARE: Final = (
    "{Quantity} is {values}, which is too close to call.",
    "For {quantity}, with {values}, the images cannot be told apart.",
)
_DIFFER: Final = (
    "{claim}: {quantity} is {values}.",
    "{claim}, with {quantity} at {values}.",
)


class CuesTeacher(Teacher):
    """Words measured facts. It cannot err about them, and says nothing else.

    Its phrases are chosen by a hash of question and images, so that the same question is always answered in the same
    words, and different images in different ones.
    """

    name = "cues"
    model = f"cues/{VERSION}"
    settings: Mapping[str, float | str | bool | None] = {}

    async def reply(self, assignment: Assignment, prompt: Prompt, subjects: Sequence[Subject]) -> Reply:
        """Answer one question by what was measured; see `Teacher`. The prompt is not read.

        Raises
        ------
        TeacherError
            The cues do not decide the question.
        """
        return word(assignment, subjects)


def word(assignment: Assignment, subjects: Sequence[Subject]) -> Reply:
    """Return the true answer in words, and how it follows.

    Parameters
    ----------
    assignment : Assignment
        The question.
    subjects : sequence of Subject
        The images, in the order of the assignment.

    Raises
    ------
    TeacherError
        The cues do not decide the question.

    Examples
    --------
    >>> import numpy as np
    >>> count = Cue(name="fibres", value=7.0, uncertainty=None, unit="", sentence="Seven.")
    >>> image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=(count,))
    >>> asked = Assignment(task="counting", images=("aa",), question="How many fibres are visible?",
    ...                    answer_type="number", cues=("fibres",), template="counting/1", rule="number",
    ...                    parameters={"cue": "fibres"})
    >>> word(asked, [image]).answer
    '7'
    """
    if assignment.rule in _TEXTS:
        return _TEXTS[assignment.rule](assignment, subjects)
    found = truth(assignment, subjects)
    if found is None:
        raise TeacherError(
            f"what was measured does not decide {assignment.question!r} of images "
            f"{[sha[:12] for sha in assignment.images]}; ask what `micrographia.instruct.tasks.plan` plans"
        )
    return Reply(reasoning=_REASONS[assignment.rule](assignment, subjects, found), answer=found.answer)


def _by_threshold(assignment: Assignment, subjects: Sequence[Subject], found: Truth) -> str:
    cue = _cue(assignment, subjects[0])
    limit = float(assignment.parameters["threshold"])
    return pick(_BY_LIMIT, assignment.id).format(
        fact=_fact(assignment, subjects[0], cue.name),
        side="above" if (cue.value or 0.0) > limit else "below",
        limit=with_unit(limit, cue.unit),
        answer=found.answer,
    )


def _by_presence(assignment: Assignment, subjects: Sequence[Subject], found: Truth) -> str:
    facts = " ".join(_fact(assignment, subjects[0], name) for name in assignment.cues)
    return f"{facts} The answer is {found.answer}."


def _by_range(assignment: Assignment, subjects: Sequence[Subject], found: Truth) -> str:
    cue = _cue(assignment, subjects[0])
    low, high = (with_unit(float(assignment.parameters[end]), cue.unit) for end in ("low", "high"))
    where = {
        "low": f"This is below {low}",
        "middle": f"This is above {low} and below {high}",
        "high": f"This is above {high}",
    }[found.answer]
    return f"{_fact(assignment, subjects[0], cue.name)} {where}, so it counts as {found.answer}."


def _by_direction(assignment: Assignment, subjects: Sequence[Subject], found: Truth) -> str:
    cue = _cue(assignment, subjects[0])
    return (
        f"{_fact(assignment, subjects[0], cue.name)} The grey changes most along a direction of {direction(cue)}, "
        f"counted from the horizontal; the structure runs at a right angle to that, closer to {found.answer}."
    )


def _by_number(assignment: Assignment, subjects: Sequence[Subject], found: Truth) -> str:
    return _fact(assignment, subjects[0], str(assignment.parameters["cue"]))


def _by_comparison(assignment: Assignment, subjects: Sequence[Subject], found: Truth) -> str:
    name = str(assignment.parameters["cue"])
    aspect, which = ASPECTS[name], str(assignment.parameters["which"])
    facts = f"{_capital(aspect.quantity)} is {_values(subjects, name)}."
    order = sorted(range(len(subjects)), key=lambda k: subjects[k].by_name[name].value or 0.0)
    if which == "more":
        order.reverse()
    # The nearest rival is the one that makes it too close, if any does.
    rivals = [k for k in order[1:] if compare(subjects[order[0]], subjects[k], name) == "close"] or order[1:2]
    first, second = order[0], rivals[0]
    does = pick(aspect.more if which == "more" else aspect.less, assignment.id)
    claim = f"{LETTERS[first]} {does} than {LETTERS[second]}."
    pair = f"{LETTERS[first]} and {LETTERS[second]}" if len(subjects) > 2 else ""
    return f"{facts} {_gap(assignment, (subjects[first], subjects[second]), name, found, claim, pair)}"


def _by_hypothesis(assignment: Assignment, subjects: Sequence[Subject], found: Truth) -> str:
    name = str(assignment.parameters["cue"])
    aspect, expected = ASPECTS[name], str(assignment.parameters["expected"])
    predicted = (
        f"The hypothesis predicts {'higher' if expected == 'more' else 'lower'} values for B, because "
        f"{assignment.parameters['because']}."
    )
    facts = f"{_capital(aspect.quantity)} is {_values(subjects, name)}."
    more = (expected == "more") == (found.answer == AS_PREDICTED)
    does = pick(aspect.more if more else aspect.less, assignment.id)
    end = "as predicted" if found.answer == AS_PREDICTED else "the opposite of what was predicted"
    return f"{predicted} {facts} {_gap(assignment, subjects, name, found, f'B {does} than A, {end}.', '')}"


def _gap(assignment: Assignment, pair: Sequence[Subject], name: str, found: Truth, claim: str, letters: str) -> str:
    """Say by how much two images differ, and what follows."""
    allowed = pair_tolerance(pair[0], pair[1], name) or 0.0
    away, tolerated = difference(pair[0].by_name[name], pair[1].by_name[name], allowed)
    phrases = _SAME if found.answer == TOO_CLOSE else _OTHER
    said = pick(phrases, assignment.id, "gap").format(away=away, allowed=tolerated, claim=claim)
    if letters:
        said = said.replace("They differ", f"{letters} differ").replace(
            "The difference", f"The difference of {letters}", 1
        )
        said = said.replace(f"The difference of {letters} of", f"Between {letters}, the difference of")
    return said


def _description(assignment: Assignment, subjects: Sequence[Subject]) -> Reply:
    subject = subjects[0]
    told = {name: _fact(assignment, subject, name) for name in assignment.cues}
    names = [name for name in assignment.cues if told[name]]
    if assignment.parameters["part"] == "whole":
        parts = []
        for section, heading in SECTIONS.items():
            sentences = [told[name] for name in names if ASPECTS[name].section == section]
            if sentences:
                parts.append(f"{heading}: {' '.join(sentences)}")
        answer = "\n".join(parts)
    else:
        answer = " ".join(told[name] for name in names)
    first = [name for name in names if subject.by_name[name].value][:2] or names[:1]
    steps = " ".join(f"{_capital(ASPECTS[name].quantity)} is {measured(subject.by_name[name])}." for name in first)
    return Reply(reasoning=steps, answer=answer)


def _difference(assignment: Assignment, subjects: Sequence[Subject]) -> Reply:
    sentences = []
    steps = []
    for name in assignment.cues:
        aspect, outcome = ASPECTS[name], compare(subjects[0], subjects[1], name)
        words = {
            "quantity": aspect.quantity,
            "Quantity": _capital(aspect.quantity),
            "values": _values(subjects, name),
        }
        away, allowed = difference(
            subjects[0].by_name[name], subjects[1].by_name[name], pair_tolerance(subjects[0], subjects[1], name) or 0.0
        )
        if outcome == "close":
            sentences.append(pick(_SHARE, assignment.id, name).format(**words))
            steps.append(f"For {aspect.quantity}, the difference of {away} is within the tolerance of {allowed}.")
        else:
            first, second = ("A", "B") if outcome == "more" else ("B", "A")
            claim = f"{first} {pick(aspect.more, assignment.id, name)} than {second}"
            sentences.append(pick(_DIFFER, assignment.id, name).format(claim=claim, **words))
            steps.append(f"For {aspect.quantity}, the difference of {away} exceeds the tolerance of {allowed}.")
    return Reply(reasoning=" ".join(steps), answer=" ".join(sentences))


def _values(subjects: Sequence[Subject], name: str) -> str:
    said = [f"{measured(s.by_name[name])} in {letter}" for letter, s in zip(LETTERS, subjects, strict=False)]
    return f"{', '.join(said[:-1])} and {said[-1]}"


def _fact(assignment: Assignment, subject: Subject, name: str) -> str:
    return sentence(subject, name, assignment.id)


def _cue(assignment: Assignment, subject: Subject) -> Cue:
    return subject.by_name[str(assignment.parameters["cue"])]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_REASONS: Final[Mapping[str, Callable[[Assignment, Sequence[Subject], Truth], str]]] = {
    "threshold": _by_threshold,
    "presence": _by_presence,
    "range": _by_range,
    "direction": _by_direction,
    "number": _by_number,
    "compare": _by_comparison,
    "hypothesis": _by_hypothesis,
}
_TEXTS: Final[Mapping[str, Callable[[Assignment, Sequence[Subject]], Reply]]] = {
    "description": _description,
    "difference": _difference,
}
