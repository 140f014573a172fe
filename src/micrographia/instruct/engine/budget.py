"""What a run may spend, in dollars or tokens, and what it has spent and promised so far."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from micrographia.errors import InputError
from micrographia.instruct.record import Usage
from micrographia.instruct.teachers.prices import Price
from micrographia.instruct.teachers.teacher import Prompt

Unit = Literal["USD", "TOKENS"]

_BYTES_A_TOKEN: Final = 2
"""Fewest bytes of English with numbers that a token stands for, averaged over a prompt."""
_FRAME_TOKENS: Final = 400
"""The answer's form and the marks around a message, at most [tokens]."""
_PICTURE_TOKENS: Final = 2000
"""A picture of 1024 × 1024 px, at most, with the providers' usual detail [tokens]."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A limit.

    Parameters
    ----------
    limit : float
        Most that may be spent, earlier runs in the same folder included.
    unit : str
        ``"USD"``, or ``"TOKENS"``: sent and answered together.
    """

    limit: float
    unit: Unit


def parse_budget(text: str) -> Budget:
    """Return the budget that a user wrote.

    Raises
    ------
    InputError
        It is no amount of dollars or tokens.

    Examples
    --------
    >>> parse_budget("2.50USD"), parse_budget("100,000 tokens")
    (Budget(limit=2.5, unit='USD'), Budget(limit=100000.0, unit='TOKENS'))
    """
    match = re.fullmatch(r"(\d[\d,]*(?:\.\d+)?)\s*(USD|TOKENS?)", text.strip().upper())
    if not match:
        raise InputError(f"--budget is {text!r}; accepted is an amount such as 2.50USD or 100000TOKENS")
    unit: Unit = "USD" if match[2] == "USD" else "TOKENS"
    return Budget(limit=float(match[1].replace(",", "")), unit=unit)


def most_tokens(prompt: Prompt, *, pictures: int, max_tokens: int) -> tuple[int, int]:
    """Return how many tokens a request sends and is answered with, at most.

    Parameters
    ----------
    prompt : Prompt
        What is said.
    pictures : int
        How many images are attached.
    max_tokens : int
        Longest answer; 0 for what is no language model.

    Examples
    --------
    >>> most_tokens(Prompt(system="a" * 100, user="b" * 300, sha256=""), pictures=1, max_tokens=500)
    (2600, 500)
    """
    if not max_tokens:
        return 0, 0
    said = len(prompt.system.encode()) + len(prompt.user.encode())
    return said // _BYTES_A_TOKEN + _FRAME_TOKENS + pictures * _PICTURE_TOKENS, max_tokens


@dataclass
class Spending:
    """The state of a budget while requests are under way.

    A request is let go only when the budget holds all that was spent, the most that those under way can cost, and
    the most that it can cost itself. Where a request turns out dearer than was thought possible, all later ones are
    thought so too.

    Parameters
    ----------
    budget : Budget, optional
        None: no limit.
    price : Price, optional
        What tokens cost.
    spent : float
        What earlier runs spent, in the budget's unit.

    Raises
    ------
    InputError
        The budget is in dollars and nobody says what the teacher costs.
    """

    budget: Budget | None
    price: Price | None
    spent: float = 0.0
    promised: float = field(default=0.0, init=False)
    reached: bool = field(default=False, init=False)
    _dearer: float = field(default=1.0, init=False)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition, init=False)

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget.unit == "USD" and self.price is None:
            raise InputError(
                "the budget is in USD, and the teacher's prices are not known; give --price INPUT OUTPUT in USD for a "
                "million tokens, or a budget in TOKENS"
            )

    def amount(self, input_tokens: int, output_tokens: int) -> float:
        """Return tokens in the budget's unit."""
        if self.budget is None or self.budget.unit == "TOKENS" or self.price is None:
            return float(input_tokens + output_tokens)
        return self.price.usd(input_tokens, output_tokens)

    async def promise(self, most: tuple[int, int]) -> float | None:
        """Wait until a request fits into the budget; return what it may cost, or None where it never will."""
        if self.budget is None:
            return self.amount(*most)
        async with self._changed:
            while not self.reached:
                needed = self.amount(*most) * self._dearer
                if self.spent + self.promised + needed <= self.budget.limit:
                    self.promised += needed
                    return needed
                if self.promised <= 0:
                    self.reached = True
                    break
                await self._changed.wait()
            self._changed.notify_all()
            return None

    async def settle(self, promised: float, *, most: tuple[int, int], usage: Usage | None) -> None:
        """Put what a request cost in the place of what was promised for it; None where it may have cost all of that."""
        thought = self.amount(*most)
        cost = promised if usage is None else self.amount(usage.input_tokens, usage.output_tokens)
        async with self._changed:
            self.promised = max(0.0, self.promised - promised) if self.budget is not None else 0.0
            self.spent += cost
            if usage is not None and thought > 0:
                self._dearer = max(self._dearer, cost / thought)
            self._changed.notify_all()
