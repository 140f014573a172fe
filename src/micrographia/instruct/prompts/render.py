"""From a question to a prompt: facts, question and form of the answer, in the words of a versioned template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from micrographia.cues.cue import Cue
from micrographia.errors import InputError
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS
from micrographia.instruct.tasks.truth import LETTERS
from micrographia.instruct.tasks.words import measured
from micrographia.instruct.teachers.teacher import Prompt

_PARTS = ("system", "user", "reasoning", "direct")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A worked example: what was given and asked, the steps, and the answer."""

    given: str
    reasoning: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Template:
    """A prompt template, as read from its file.

    Parameters
    ----------
    name : str
        Name and version, e.g. ``"comparative/1"``.
    system : str
        Who answers, and by which rules.
    user : str
        What is said for each question, with the places ``{facts}``, ``{question}`` and ``{form}``.
    reasoning, direct : str
        What is said where steps are wanted, and where they are not.
    examples : tuple of Example
        Worked examples.
    """

    name: str
    system: str
    user: str
    reasoning: str
    direct: str
    examples: tuple[Example, ...]


def render(assignment: Assignment, subjects: Sequence[Subject], *, shots: int, reasoning: bool) -> Prompt:
    """Return a question as it is put to a teacher.

    Parameters
    ----------
    assignment : Assignment
        The question.
    subjects : sequence of Subject
        The images, in the order of the assignment.
    shots : int
        Worked examples that are shown; 0 for none. A template holds two or three.
    reasoning : bool
        Whether the steps are asked for before the answer.

    Returns
    -------
    Prompt
        The same words for the same question, measured facts included; no name of a file.

    Raises
    ------
    InputError
        There is no such template, it has fewer examples, or the images are not those of the question.

    Examples
    --------
    >>> import numpy as np
    >>> edges = Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges.")
    >>> image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=(edges,))
    >>> asked = Assignment(task="diagnostic", images=("aa",), question="Is the edge density above 20?",
    ...                    answer_type="binary", cues=("edges",), template="diagnostic/1", rule="threshold")
    >>> print(render(asked, [image], shots=0, reasoning=False).user.splitlines()[1])
    - edge density: 30.00 ± 0.50 px per 1000 px²
    """
    if tuple(subject.sha256 for subject in subjects) != assignment.images:
        raise InputError(
            f"images given are {[subject.sha256[:12] for subject in subjects]}; accepted are those of the question, in "
            f"its order: {[sha[:12] for sha in assignment.images]}"
        )
    template = read_template(assignment.template)
    if not 0 <= shots <= len(template.examples):
        raise InputError(f"shots are {shots}; accepted is 0 to {len(template.examples)} with template {template.name}")
    steps = template.reasoning if reasoning else template.direct
    shown = "\n\n".join(_shown(example, reasoning) for example in template.examples[:shots])
    asked = template.user.format(facts=facts(assignment, subjects), question=assignment.question, form=form(assignment))
    system = f"{template.system}\n\n{steps}"
    user = f"{shown}\n\n{asked}" if shown else asked
    digest = hashlib.sha256("\x1f".join((template.name, system, user)).encode()).hexdigest()
    return Prompt(system=system, user=user, sha256=digest)


def facts(assignment: Assignment, subjects: Sequence[Subject]) -> str:
    """Return what was measured on the images, one line a cue that the answer rests on."""
    blocks = []
    for letter, subject in zip(LETTERS, subjects, strict=False):
        head = f"Measured on image {letter}:" if len(subjects) > 1 else "Measured on the image:"
        lines = [f"- {_fact(subject.by_name[name])}" for name in assignment.cues if name in subject.by_name]
        blocks.append("\n".join([head, *lines]))
    return "\n".join(blocks)


def form(assignment: Assignment) -> str:
    """Return in which form an answer is wanted."""
    match assignment.answer_type:
        case "binary":
            return 'The answer is "yes" or "no".'
        case "choice":
            return f"The answer is one of: {', '.join(assignment.options)}."
        case "number":
            return f"The answer is one number{f' in {assignment.unit}' if assignment.unit else ''}, without words."
        case _:
            return "The answer is a few plain sentences. Each one says what was measured, with value and unit."


@cache
def read_template(name: str) -> Template:
    """Read a template by name and version.

    Parameters
    ----------
    name : str
        For example ``"comparative/1"``.

    Raises
    ------
    InputError
        There is no such template.

    Examples
    --------
    >>> len(read_template("comparative/1").examples)
    3
    """
    folder = files("micrographia.instruct.prompts") / "templates"
    file = folder / f"{name.replace('/', '-')}.md"
    if not file.is_file():
        known = sorted(entry.name.removesuffix(".md").replace("-", "/") for entry in folder.iterdir())
        raise InputError(f"prompt template is {name!r}; accepted is one of {', '.join(known)}")
    parts: dict[str, str] = {}
    examples = []
    for block in file.read_text(encoding="utf-8").split("\n# ")[1:]:
        title, _, body = block.partition("\n")
        if title.strip() == "example":
            examples.append(_example(body.strip()))
        else:
            parts[title.strip()] = body.strip()
    return Template(name=name, examples=tuple(examples), **{part: parts[part] for part in _PARTS})


def _example(body: str) -> Example:
    given, _, rest = body.partition("\nReasoning: ")
    reasoning, _, answer = rest.partition("\nAnswer: ")
    return Example(given=given.strip(), reasoning=reasoning.strip(), answer=answer.strip())


def _shown(example: Example, reasoning: bool) -> str:
    said = {"reasoning": example.reasoning if reasoning else "", "answer": example.answer}
    return f"{example.given}\n{json.dumps(said, ensure_ascii=False)}"


def _fact(cue: Cue) -> str:
    quantity = ASPECTS[cue.name].quantity.removeprefix("the ") if cue.name in ASPECTS else cue.name
    said = f"{quantity}: {measured(cue)}"
    if cue.value is not None and cue.direction_deg is not None:
        sd = f" ± {cue.direction_sd_deg:.0f}" if cue.direction_sd_deg is not None else ""
        said += f", across it {cue.direction_deg:.0f}{sd}°"
    return said
