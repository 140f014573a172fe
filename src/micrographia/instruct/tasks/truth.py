"""The true answer to a question, by what was measured: one rule a kind of question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from micrographia.cues.cue import Cue
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.margins import (
    SIGMAS,
    TOO_CLOSE,
    against,
    compare,
    floor,
    number_tolerance,
    pair_tolerance,
    tolerance,
    uncertainty,
)

AS_PREDICTED: Final = "as predicted"
OPPOSITE: Final = "opposite to the prediction"
LETTERS: Final = "ABCD"
LEAST_ANISOTROPY: Final = 0.15
_DIAGONAL_ROOM_DEG: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What answers are true.

    Parameters
    ----------
    answer : str
        The only true answer, as it is written.
    value, tolerance : float, optional
        Of a number: the measured value, and by how much an answer may miss it.
    """

    answer: str
    value: float | None = None
    tolerance: float | None = None


def truth(assignment: Assignment, subjects: Sequence[Subject], *, room: float = 1.0) -> Truth | None:
    """Return the true answer to a question.

    Parameters
    ----------
    assignment : Assignment
        The question; its ``rule`` says how the cues decide it.
    subjects : sequence of Subject
        The images, in the order of the assignment.
    room : float
        Factor on the tolerances; those who ask use more than 1, so that no answer is a matter of rounding.

    Returns
    -------
    Truth, optional
        None where the cues do not decide it, or the answer is sentences; such a question is not asked, or each
        sentence is checked for itself.

    Examples
    --------
    >>> import numpy as np
    >>> edges = Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges.")
    >>> image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=(edges,))
    >>> asked = Assignment(task="diagnostic", images=("aa",), question="Is the edge density above 20?",
    ...                    answer_type="binary", cues=("edges",), template="diagnostic/1", rule="threshold",
    ...                    parameters={"cue": "edges", "threshold": 20.0, "side": "above"})
    >>> truth(asked, [image]).answer
    'yes'
    """
    rule = _RULES.get(assignment.rule)
    return None if rule is None else rule(assignment, subjects, room)


def presence(subject: Subject, name: str, *, room: float = 1.0) -> bool | None:
    """Return whether there is any of what a cue measures; None where that cannot be told.

    A count is there from one on, if two uncertainties do not reach zero; another quantity, if it exceeds two
    uncertainties and the floor. It is absent where it is zero within the floor.
    """
    cue = subject.by_name[name]
    allowed, sd = tolerance(subject, name), uncertainty(cue)
    if cue.value is None or allowed is None or sd is None:
        return None
    if cue.value > room * allowed:
        return True
    absent = cue.value == 0 or cue.value + SIGMAS * sd <= floor(subject, name) / room
    return False if absent else None


def _threshold(assignment: Assignment, subjects: Sequence[Subject], room: float) -> Truth | None:
    parameters = assignment.parameters
    found = against(subjects[0], str(parameters["cue"]), float(parameters["threshold"]), room=room)
    if found is None or found == "close":
        return None
    return Truth(answer=_yes((found == "more") == (parameters["side"] == "above")))


def _presence(assignment: Assignment, subjects: Sequence[Subject], room: float) -> Truth | None:
    names = str(assignment.parameters["cue"]).split("|")
    found = [presence(subjects[0], name, room=room) for name in names]
    wanted = assignment.parameters["side"] == "present"
    if any(found):
        return Truth(answer=_yes(wanted))
    return Truth(answer=_yes(not wanted)) if all(there is False for there in found) else None


def _range(assignment: Assignment, subjects: Sequence[Subject], room: float) -> Truth | None:
    name = str(assignment.parameters["cue"])
    low, high = (against(subjects[0], name, float(assignment.parameters[end]), room=room) for end in ("low", "high"))
    word = {("less", "less"): 0, ("more", "less"): 1, ("more", "more"): 2}.get((low or "", high or ""))
    return None if word is None else Truth(answer=assignment.options[word])


def _direction(assignment: Assignment, subjects: Sequence[Subject], room: float) -> Truth | None:
    cue = _cue(assignment, subjects[0])
    if cue.direction_deg is None or against(subjects[0], cue.name, LEAST_ANISOTROPY, room=room) != "more":
        return None
    # The direction is measured across the structure; it runs at a right angle to that.
    tilt = abs((cue.direction_deg + 90) % 180 - 90)
    if abs(tilt - 45) <= room * (2 * (cue.direction_sd_deg or 0.0) + _DIAGONAL_ROOM_DEG):
        return None
    return Truth(answer="vertical" if tilt < 45 else "horizontal")


def _compare(assignment: Assignment, subjects: Sequence[Subject], room: float) -> Truth | None:
    name = str(assignment.parameters["cue"])
    values = [subject.by_name[name].value for subject in subjects]
    if None in values or any(pair_tolerance(subjects[0], subject, name) is None for subject in subjects[1:]):
        return None
    sign = 1 if assignment.parameters["which"] == "more" else -1
    first = max(range(len(values)), key=lambda k: sign * (values[k] or 0.0))
    found = {compare(subjects[first], subject, name, room=room) for k, subject in enumerate(subjects) if k != first}
    if "close" in found:
        return Truth(answer=TOO_CLOSE)
    return None if None in found else Truth(answer=LETTERS[first])


def _hypothesis(assignment: Assignment, subjects: Sequence[Subject], room: float) -> Truth | None:
    a, b = subjects
    found = compare(b, a, str(assignment.parameters["cue"]), room=room)
    if found is None:
        return None
    if found == "close":
        return Truth(answer=TOO_CLOSE)
    return Truth(answer=AS_PREDICTED if found == assignment.parameters["expected"] else OPPOSITE)


def _number(assignment: Assignment, subjects: Sequence[Subject], room: float) -> Truth | None:
    cue = _cue(assignment, subjects[0])
    allowed = number_tolerance(cue)
    if cue.value is None or allowed is None or cue.unit != assignment.parameters.get("unit", cue.unit):
        return None
    scale = float(assignment.parameters.get("scale", 1.0))
    return Truth(answer=_digits(cue.value / scale, allowed / scale), value=cue.value / scale, tolerance=allowed / scale)


def _digits(value: float, allowed: float) -> str:
    """Return a number with as many digits as its tolerance deserves."""
    if allowed == 0 and value == round(value):
        return f"{value:.0f}"
    for places in range(6):
        if abs(round(value, places) - value) <= 0.1 * allowed:
            return f"{value:.{places}f}"
    return f"{value:.6g}"


def _cue(assignment: Assignment, subject: Subject) -> Cue:
    return subject.by_name[str(assignment.parameters["cue"])]


def _yes(true: bool) -> str:
    return "yes" if true else "no"


_RULES: Final[Mapping[str, Callable[[Assignment, Sequence[Subject], float], Truth | None]]] = {
    "threshold": _threshold,
    "presence": _presence,
    "range": _range,
    "direction": _direction,
    "compare": _compare,
    "hypothesis": _hypothesis,
    "number": _number,
}
