"""The form in which a language model answers, and what is paid for although it cannot be read."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from micrographia.errors import TeacherError
from micrographia.instruct.assignment import AnswerType, Assignment
from micrographia.instruct.record import Usage


class UnreadableReplyError(TeacherError):
    """An answer came and costs what it costs, but it is not what was asked for: not JSON, or cut off.

    Parameters
    ----------
    message : str
        What came.
    usage : Usage
        What it cost.
    """

    def __init__(self, message: str, *, usage: Usage) -> None:
        super().__init__(message, retry_after_s=0.0)
        self.usage = usage


class SilentTeacherError(TeacherError):
    """A question went out and nothing came back: it may have been answered, and be billed."""


def answer_form(assignment: Assignment) -> type[BaseModel]:
    """Return the model of an answer: its reasoning first, then what was asked for and nothing else.

    Parameters
    ----------
    assignment : Assignment
        The question; what may be answered follows from its type.

    Examples
    --------
    >>> question = Assignment(
    ...     task="diagnostic", images=("a",), question="Is there a crack?", answer_type="binary", cues=("cracks",),
    ...     template="diagnostic/1", rule="presence",
    ... )
    >>> answer_form(question).model_json_schema()["properties"]["answer"]["enum"]
    ['yes', 'no']
    """
    return _form(assignment.answer_type, assignment.options)


@lru_cache(maxsize=256)
def _form(kind: AnswerType, options: tuple[str, ...]) -> type[BaseModel]:
    answers: dict[AnswerType, Any] = {
        "text": str,
        "number": float,
        "binary": Literal["yes", "no"],
        "choice": Literal[options] if options else str,
    }
    return create_model(
        "Answer",
        __config__=ConfigDict(extra="forbid"),
        reasoning=(str, Field(description="The steps that lead to the answer")),
        answer=(answers[kind], Field(description="The answer alone")),
    )


def answer_words(answer: object) -> str:
    """Return an answer as it is recorded.

    Examples
    --------
    >>> answer_words(12.0), answer_words(0.35), answer_words(" Yes")
    ('12', '0.35', 'Yes')
    """
    if isinstance(answer, float):
        return f"{answer:.15g}"
    return str(answer).strip()
