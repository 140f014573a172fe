"""A row of instruction data: what was asked, what was answered, by whom, and whether it stood up to the checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from micrographia.instruct.assignment import AnswerType, TaskKind


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What an answer cost.

    Parameters
    ----------
    input_tokens, output_tokens : int
        As the provider counts them; 0 for teachers that are not language models.
    cost_usd : float, optional
        Price [USD]; None where the provider's prices are not known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a teacher says to an assignment.

    Parameters
    ----------
    reasoning : str
        The steps that led to the answer.
    answer : str
        ``yes``, ``no``, one of the options, a number, or sentences.
    usage : Usage
        What it cost.
    refused : bool
        The teacher would not answer.
    """

    reasoning: str
    answer: str
    usage: Usage = Usage()
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Check:
    """Result of one check of a record: its name, whether it passed, and what it found.

    ``passed`` is None where the check has nothing to say, e.g. a sentence without a number.
    """

    name: str
    passed: bool | None
    found: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row of ``records.parquet``.

    Parameters
    ----------
    id : str
        Of the assignment and the teacher: the same answer asked for twice is one record.
    images : tuple of str
        Hashes of the images.
    task, question, answer_type : str
        See `Assignment`.
    reasoning, answer : str
        See `Reply`; of a repaired answer, the last one.
    cues : tuple of str
        Names of the cues it rests on.
    teacher, model : str
        The teacher's kind, and which model with its version.
    prompt_sha256 : str
        Hash of the prompt with its template, as it was sent.
    settings : mapping
        The teacher's settings, resolved.
    usage : Usage
        What it cost, repairs included.
    checks : tuple of Check
        What was checked, and what came of it.
    repaired : bool
        The first answer failed a check, and the one that is kept is the second.
    rejected_because : str
        Why the record must not be learned from; empty if it passed all checks.
    options : tuple of str
        What could be chosen; empty unless the answer is a choice. Chance is one in so many.
    """

    id: str
    images: tuple[str, ...]
    task: TaskKind
    question: str
    answer_type: AnswerType
    reasoning: str
    answer: str
    cues: tuple[str, ...]
    teacher: str
    model: str
    prompt_sha256: str
    settings: Mapping[str, float | str | bool | None]
    usage: Usage
    checks: tuple[Check, ...]
    repaired: bool
    rejected_because: str
    options: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether it passed all checks."""
        return not self.rejected_because
