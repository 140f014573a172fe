"""What is asked: a question on one image or more, and what its answer can be held against."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

TaskKind = Literal["description", "diagnostic", "comparative", "hypothesis", "counting", "sizing"]
TASKS: Final[tuple[TaskKind, ...]] = get_args(TaskKind)
"""Every kind of task, in the order in which they are listed to users."""
AnswerType = Literal["text", "binary", "choice", "number"]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A question for a teacher. The same question of the same images is the same assignment, whoever answers.

    Parameters
    ----------
    task : str
        Kind of task.
    images : tuple of str
        Hashes of the images, in the order in which the question names them (A, B, ...).
    question : str
        The question in words; the same words are asked of other images too, with other answers.
    answer_type : str
        ``"text"``: sentences. ``"binary"``: ``yes`` or ``no``. ``"choice"``: one of ``options``. ``"number"``.
    cues : tuple of str
        Names of the cues that an answer rests on.
    template : str
        Name and version of the prompt template, e.g. ``"comparative/2"``.
    options : tuple of str
        What may be chosen; empty unless ``answer_type`` is ``"choice"``.
    unit : str
        Unit of a number; else empty.
    rule : str
        Name of the check in `micrographia.instruct.verify` that an answer must pass.
    parameters : mapping
        What the rule needs to know besides the cues, e.g. the threshold that the question names.
    swaps_with : str, optional
        Id of the assignment that asks the same of the same images in the other order.
    """

    task: TaskKind
    images: tuple[str, ...]
    question: str
    answer_type: AnswerType
    cues: tuple[str, ...]
    template: str
    rule: str
    options: tuple[str, ...] = ()
    unit: str = ""
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    swaps_with: str | None = None

    @property
    def id(self) -> str:
        """First 24 digits of a SHA-256 over task, images, question, template, rule and parameters."""
        said = [self.task, self.images, self.question, self.template, self.rule, sorted(self.parameters.items())]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]
