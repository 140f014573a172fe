"""Ask about one block of images, check what is answered, and let a wrong answer be repaired once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from micrographia.errors import MicrographiaError
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.engine.asking import Asking, OutOfBudgetError, UnansweredError
from micrographia.instruct.engine.job import Job
from micrographia.instruct.engine.rows import to_row
from micrographia.instruct.prompts.render import render
from micrographia.instruct.record import Check, Record, Usage
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.plan import plan
from micrographia.instruct.verify.check import check
from micrographia.instruct.verify.repair import repair_prompt

_TELLING: Final = 5
"""Shortest word of a file's name that no answer may have."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came of a block.

    Parameters
    ----------
    rows : tuple of dict
        Its records, in the order of the questions.
    failures : tuple of (Assignment, str)
        Questions without an answer, with the reason.
    whole : bool
        Whether every question was put.
    error : MicrographiaError or CancelledError, optional
        What ends the run.
    """

    rows: tuple[dict[str, Any], ...]
    failures: tuple[tuple[Assignment, str], ...]
    whole: bool
    error: MicrographiaError | asyncio.CancelledError | None


async def answer_block(
    job: Job,
    asking: Asking,
    subjects: Sequence[Subject],
    *,
    names: Mapping[str, str],
    tell: Callable[[float], None],
) -> Answered:
    """Ask about a block of images.

    Parameters
    ----------
    job : Job
        What is to be made.
    asking : Asking
        The teacher, at its pace and within the budget.
    subjects : sequence of Subject
        The images.
    names : mapping of str to str
        File of each image by its hash: no teacher sees it, and no answer may have it.
    tell : callable
        Told the share that is done after each question.

    Returns
    -------
    Answered
        Also where the run must end: what was answered until then is in it.
    """
    by_hash = {subject.sha256: subject for subject in subjects}
    asked = job.asked
    planned = plan(subjects, tasks=asked.tasks, per_image=asked.per_image, seed=asked.seed)
    done = 0

    async def one(assignment: Assignment) -> dict[str, Any]:
        nonlocal done
        try:
            forbidden = {word for image in assignment.images for word in telling_words(names[image])}
            subjects = [by_hash[image] for image in assignment.images]
            async with asking.room:
                return await _row(job, asking, assignment, subjects, forbidden)
        finally:
            done += 1
            tell(done / len(planned))

    tasks = [asyncio.create_task(one(assignment)) for assignment in planned]
    rows, failures, whole = [], [], True
    ends: MicrographiaError | asyncio.CancelledError | None = None
    try:
        await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError as interrupted:
        ends = interrupted
        await asyncio.wait(tasks)
    for assignment, task in zip(planned, tasks, strict=True):
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        match error:
            case None:
                rows.append(task.result())
            case UnansweredError():
                failures.append((assignment, str(error)))
            case OutOfBudgetError() | asyncio.CancelledError():
                whole = False
            case MicrographiaError():
                whole, ends = False, ends or error
            case _:
                raise error
    return Answered(rows=tuple(rows), failures=tuple(failures), whole=whole, error=ends)


async def _row(
    job: Job, asking: Asking, assignment: Assignment, subjects: Sequence[Subject], forbidden: Collection[str]
) -> dict[str, Any]:
    prompt = render(assignment, subjects, shots=job.asked.shots, reasoning=job.asked.reasoning)
    reply = await asking.ask(assignment, prompt, subjects)
    checks = check(assignment, reply, subjects, forbidden=forbidden)
    used, repaired = reply.usage, False
    if job.teacher.max_tokens and not reply.refused and _wrong(checks):
        prompt = repair_prompt(assignment, reply, checks, prompt)
        reply = await asking.ask(assignment, prompt, subjects)
        checks = check(assignment, reply, subjects, forbidden=forbidden)
        used, repaired = _sum(used, reply.usage), True
    record = Record(
        id=record_id(job, assignment),
        images=assignment.images,
        task=assignment.task,
        question=assignment.question,
        answer_type=assignment.answer_type,
        reasoning=reply.reasoning,
        answer=reply.answer,
        cues=assignment.cues,
        teacher=job.kind,
        model=job.teacher.model,
        prompt_sha256=prompt.sha256,
        settings={**job.teacher.settings, "shots": job.asked.shots, "reasoning": job.asked.reasoning},
        usage=used,
        checks=checks,
        repaired=repaired,
        rejected_because=reason(checks),
        options=assignment.options,
    )
    return to_row(record, assignment, refused=reply.refused)


def record_id(job: Job, assignment: Assignment) -> str:
    """Return the id of a record: the first 24 digits of a SHA-256 over question, teacher and settings."""
    asked = job.asked
    said: list[Any] = [assignment.id, job.kind, job.teacher.model, sorted(job.teacher.settings.items())]
    said += [asked.shots, asked.reasoning]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24]


def reason(checks: Sequence[Check]) -> str:
    """Return why a record is rejected: each check that it failed, with what was found; empty where there is none.

    Examples
    --------
    >>> reason([Check(name="fact", passed=False, found="3, not 5"), Check(name="form", passed=True, found="")])
    'fact: 3, not 5'
    """
    return "; ".join(f"{check.name}: {check.found}" for check in checks if check.passed is False)


def telling_words(file: str) -> frozenset[str]:
    """Return the words of a file's name that say which file it is: long ones with a digit, as serial numbers are.

    Other words of a name, such as ``fibres``, are said of images for good reasons.

    Examples
    --------
    >>> sorted(telling_words("batch7/sample12345-fibres_a1b2c3.tif"))
    ['fibres_a1b2c3', 'sample12345']
    """
    words = re.findall(r"\w+", Path(file.partition("::")[0]).stem)
    return frozenset(word for word in words if len(word) >= _TELLING and any(c.isdigit() for c in word))


def _wrong(checks: Sequence[Check]) -> bool:
    return any(check.passed is False for check in checks)


def _sum(first: Usage, second: Usage) -> Usage:
    known = first.cost_usd is not None and second.cost_usd is not None
    return Usage(
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        cost_usd=(first.cost_usd or 0.0) + (second.cost_usd or 0.0) if known else None,
    )
