"""Sentences of the teacher that words measured facts: several for each, of which a hash takes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from micrographia.cues.cue import Cue
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS, Aspect
from micrographia.instruct.tasks.margins import SIGMAS, floor, uncertainty
from micrographia.instruct.tasks.words import measured, pick

_VALUE: Final = (
    "{Quantity} is {value}.",
    "{Quantity} comes to {value}.",
    "{Quantity} is measured as {value}.",
    "For {quantity}, the measurement gives {value}.",
)
_GRADED: Final[Mapping[str, tuple[str, ...]]] = {
    "regularity": (
        "The structure is {grade}: {quantity} is {value}.",
        "With a regularity of {value}, the structure is {grade}.",
    ),
    "edges": ("The image has {grade}: {quantity} is {value}.", "There are {grade}, at an edge density of {value}."),
    "anisotropy": (
        "The structure is {grade}: {quantity} is {value}.",
        "Judging by an anisotropy of {value}, the structure is {grade}.",
    ),
    "signal to noise": (
        "The image is {grade}, with a signal-to-noise ratio of {value}.",
        "The image is {grade}: {quantity} is {value}.",
    ),
}
_SOME: Final = (
    "{Quantity} is {value}.",
    "The image shows {value} {things}.",
    "There are {value} {things}.",
    "Visible are {value} {things}.",
)
_NONE: Final = (
    "There are no {things}.",
    "No {things} are visible.",
    "The image is free of {things}.",
    "No {things} can be made out.",
)
_ONE: Final = "{Quantity} is {value}."
_RUNS: Final = (
    " It repeats along a direction of {direction}.",
    " The direction of the repeat is {direction}.",
)
_FINE_DIRECTION_DEG: Final = 0.05


def sentence(subject: Subject, name: str, *said: object, letter: str = "") -> str:
    """Return one measured fact as a sentence.

    Parameters
    ----------
    subject : Subject
        The image.
    name : str
        Name of a cue.
    *said : object
        What the choice of words depends on.
    letter : str
        Letter of the image, where there are several.

    Examples
    --------
    >>> import numpy as np
    >>> edges = Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges.")
    >>> image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=(edges,))
    >>> sentence(image, "edges", 2)
    'The image has many edges: the edge density is 30.00 ± 0.50 px per 1000 px².'
    """
    cue, aspect = subject.by_name[name], ASPECTS[name]
    if cue.value is None:
        return ""
    where = f" in {letter}" if letter else ""
    value = f"{measured(cue)}{where}"
    words = {"quantity": aspect.quantity, "Quantity": _capital(aspect.quantity), "value": value}
    if aspect.present and cue.value == 0 and not letter:
        return pick(_NONE, *said, name).format(things=aspect.present)
    if aspect.counts:
        phrases = _SOME if cue.value != 1 and not letter else (_ONE,)
        return pick(phrases, *said, name).format(things=aspect.present, **words)
    grade = sure_grade(subject, name)
    if grade and name in _GRADED and not letter:
        return pick(_GRADED[name], *said, name).format(grade=grade, **words)
    told = pick(_VALUE, *said, name).format(**words)
    if name == "spacing" and cue.direction_deg is not None and not letter:
        told += pick(_RUNS, *said, name).format(direction=direction(cue))
    return told


def sure_grade(subject: Subject, name: str) -> str:
    """Return the word for a value, empty where it is within the tolerance of another grade or there are no words."""
    cue, aspect = subject.by_name[name], ASPECTS[name]
    sd = uncertainty(cue)
    if cue.value is None or sd is None or not aspect.grades:
        return ""
    reach = SIGMAS * sd + floor(subject, name)
    first, last = grade_of(aspect, cue.value - reach), grade_of(aspect, cue.value + reach)
    return first if first == last else ""


def grade_of(aspect: Aspect, value: float) -> str:
    """Return the word for a value, whatever its uncertainty.

    Examples
    --------
    >>> grade_of(ASPECTS["edges"], 30.0)
    'many edges'
    """
    return next(word for limit, word in aspect.grades if value < limit)


def direction(cue: Cue) -> str:
    """Return the direction of a cue with its uncertainty, which is never said to be zero.

    Examples
    --------
    >>> direction(Cue(name="spacing", value=7.3, uncertainty=None, unit="px", sentence="", direction_deg=25.24,
    ...               direction_sd_deg=0.004))
    '25.24 ± 0.01°'
    """
    if cue.direction_sd_deg is None:
        return f"{cue.direction_deg or 0.0:.1f}°"
    places = 1 if cue.direction_sd_deg >= _FINE_DIRECTION_DEG else 2
    return f"{cue.direction_deg or 0.0:.{places}f} ± {max(cue.direction_sd_deg, 10.0**-places):.{places}f}°"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
