"""The protocol of all teachers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from micrographia.instruct.assignment import Assignment
from micrographia.instruct.record import Reply
from micrographia.instruct.subject import Subject
from micrographia.instruct.teachers.prices import FREE, Price


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What is said to a teacher, word for word.

    Parameters
    ----------
    system, user : str
        The instruction, and the question with the measured facts and the worked examples.
    sha256 : str
        Hash of both and of the template's name and version.
    """

    system: str
    user: str
    sha256: str


class Teacher(ABC):
    """Somebody who answers questions on images.

    Parameters
    ----------
    name : str
        As given on the command line, e.g. ``"cues"`` or ``"openai:gpt-5"``.
    model : str
        The model with its version or file hash.
    settings : mapping
        What else an answer depends on, resolved: temperature, whether images are attached, ...
    price : Price, optional
        What its tokens cost; None where nobody says.
    max_tokens : int
        Longest answer [tokens]; 0 for teachers that are no language models.
    sees : bool
        Whether images are attached to its questions.
    """

    name: str
    model: str
    settings: Mapping[str, float | str | bool | None]
    price: Price | None = FREE
    max_tokens: int = 0
    sees: bool = False

    async def __aenter__(self) -> Self:
        """Make ready; most teachers always are."""
        return self

    async def __aexit__(  # noqa: B027 - nothing to close is the rule, not an omission
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""

    @abstractmethod
    async def reply(self, assignment: Assignment, prompt: Prompt, subjects: Sequence[Subject]) -> Reply:
        """Answer one question.

        Parameters
        ----------
        assignment : Assignment
            The question.
        prompt : Prompt
            The same in the words of its template; teachers that are no language models need not read it.
        subjects : sequence of Subject
            The images, in the order of the assignment.

        Raises
        ------
        TeacherError
            No answer came: the server is gone, says that it is busy, answers what is not JSON, or hangs. Whether to
            try again is part of the error.
        InputError
            No question of any kind can be answered, e.g. for want of a key.
        """
