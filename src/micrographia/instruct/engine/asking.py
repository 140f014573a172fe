"""Put questions to a teacher: at a pace, within a budget, again where that can help, and each answer paid for once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from micrographia.errors import InputError, MicrographiaError, OutputError, TeacherError
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.engine.budget import Spending, most_tokens
from micrographia.instruct.engine.store import Store
from micrographia.instruct.record import Reply
from micrographia.instruct.subject import Subject
from micrographia.instruct.teachers.answers import SilentTeacherError, UnreadableReplyError
from micrographia.instruct.teachers.teacher import Prompt, Teacher

_LONGEST_WAIT_S: Final = 60.0
_GIVE_UP_AFTER: Final = 10
"""Questions in a row that may go without an answer before the teacher counts as gone."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a teacher is asked.

    Parameters
    ----------
    concurrency : int
        Questions under way at a time.
    per_minute : float, optional
        Most requests a minute; None for no limit.
    tries : int
        How often a question is put before it counts as not answered.

    Raises
    ------
    InputError
        A value is out of its range.
    """

    concurrency: int = 8
    per_minute: float | None = None
    tries: int = 5

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.tries < 1:
            raise InputError(
                f"concurrency is {self.concurrency} and tries are {self.tries}; accepted is 1 or more of each"
            )
        if self.per_minute is not None and not self.per_minute > 0:
            raise InputError(f"--rate is {self.per_minute:g} requests a minute; accepted is more than 0")


class UnansweredError(TeacherError):
    """A question went without an answer, however often it was put; the run goes on."""


class OutOfBudgetError(TeacherError):
    """A question was not put, for its answer might cost more than is left."""


@dataclass
class Asking:
    """A teacher at a pace and within a budget.

    Parameters
    ----------
    teacher : Teacher
        Who is asked.
    store : Store
        Where answers are kept.
    spending : Spending
        What may be spent.
    pace : Pace
        How fast.
    seed : int
        Seed of the jitter between tries.
    room : asyncio.Semaphore
        Holds as many questions as may be under way; whoever asks enters it first, and stays for a repair, so that a
        question is done with before the next one begins.
    """

    teacher: Teacher
    store: Store
    spending: Spending
    pace: Pace
    seed: int
    room: asyncio.Semaphore = field(init=False)
    _not_before_s: float = field(default=0.0, init=False)
    _in_a_row: int = field(default=0, init=False)
    _over: MicrographiaError | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.room = asyncio.Semaphore(self.pace.concurrency)
        self._jitter = random.Random(self.seed)

    async def ask(self, assignment: Assignment, prompt: Prompt, subjects: Sequence[Subject]) -> Reply:
        """Return the answer to a question: the one that was paid for, if there is one.

        Parameters
        ----------
        assignment, prompt, subjects
            As `Teacher.reply`.

        Raises
        ------
        UnansweredError
            No answer came, or none that can be read.
        OutOfBudgetError
            It was not put.
        TeacherError
            The teacher is gone: so many questions in a row went without an answer.
        InputError
            No question can be answered.
        """
        if not self.teacher.max_tokens:  # says the same whenever it is asked, and costs nothing
            return await self.teacher.reply(assignment, prompt, subjects)
        key = answer_key(assignment, prompt, self.teacher)
        kept = self.store.reply(key)
        if kept is not None:
            return kept
        pictures = len(subjects) if self.teacher.sees else 0
        most = most_tokens(prompt, pictures=pictures, max_tokens=self.teacher.max_tokens)
        error: TeacherError | None = None
        for number in range(self.pace.tries):
            if self._over is not None:
                raise self._over
            await self._wait_for_turn()
            promised = await self.spending.promise(most)
            if promised is None:
                raise OutOfBudgetError("the budget is reached")
            try:
                reply = await self._once(key, assignment, prompt, subjects, promised=promised, most=most)
            except TeacherError as failed:
                error = failed
            except (InputError, OutputError) as over:
                self._over = over
                raise
            else:
                self._in_a_row = 0
                return reply
            if error.retry_after_s is None:
                break
            if number + 1 < self.pace.tries:
                await self._pause(number, error.retry_after_s)
        self._in_a_row += 1
        if self._in_a_row >= _GIVE_UP_AFTER:
            self._over = TeacherError(
                f"{self.teacher.name} left {_GIVE_UP_AFTER} questions in a row without an answer; the last time: "
                f"{error}; when it answers again, give the same command to go on"
            )
            raise self._over
        raise UnansweredError(str(error))

    async def _once(
        self,
        key: str,
        assignment: Assignment,
        prompt: Prompt,
        subjects: Sequence[Subject],
        *,
        promised: float,
        most: tuple[int, int],
    ) -> Reply:
        """Send one request; whatever comes of it is on the disk before it counts."""
        request = self.store.sent(key, most=most)
        try:
            reply = await self.teacher.reply(assignment, prompt, subjects)
        except UnreadableReplyError as error:
            self.store.returned(request, outcome="unreadable", said=str(error), usage=error.usage)
            await self.spending.settle(promised, most=most, usage=error.usage)
            raise
        except SilentTeacherError as error:
            self.store.returned(request, outcome="silent", said=str(error), usage=None)
            await self.spending.settle(promised, most=most, usage=None)
            raise
        except (TeacherError, InputError) as error:
            self.store.returned(request, outcome="failed", said=str(error), usage=None)
            await self.spending.settle(promised, most=(0, 0), usage=Reply(reasoning="", answer="").usage)
            raise
        self.store.answered(request, key, reply)
        await self.spending.settle(promised, most=most, usage=reply.usage)
        return reply

    async def _wait_for_turn(self) -> None:
        """Keep requests apart by the rate, and all of them back for as long as the provider asks."""
        clock = asyncio.get_running_loop().time
        now = clock()
        turn = max(now, self._not_before_s)
        if self.pace.per_minute is not None:
            self._not_before_s = turn + 60.0 / self.pace.per_minute
        if turn > now:
            await asyncio.sleep(turn - now)

    async def _pause(self, number: int, said_s: float) -> None:
        """Wait as long as the provider says, and longer after each try."""
        wait = min(_LONGEST_WAIT_S, said_s * 2**number) if said_s <= _LONGEST_WAIT_S else said_s
        wait *= 1 + 0.1 * self._jitter.random()
        if said_s:
            now = asyncio.get_running_loop().time()
            self._not_before_s = max(self._not_before_s, now + said_s)
        await asyncio.sleep(wait)


def answer_key(assignment: Assignment, prompt: Prompt, teacher: Teacher) -> str:
    """Return the hash under which an answer is kept: question, prompt, model and settings.

    Parameters
    ----------
    assignment : Assignment
        The question.
    prompt : Prompt
        Its words; those of a repair are others.
    teacher : Teacher
        Who answers.
    """
    said = [assignment.id, prompt.sha256, teacher.model, sorted(teacher.settings.items())]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
