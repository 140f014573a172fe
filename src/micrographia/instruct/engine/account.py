"""The account of a run: what was asked and answered, what it cost, and what is missing."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt

from micrographia.instruct.engine.budget import Budget
from micrographia.instruct.teachers.prices import Price

ACCOUNT: Final = "micrographia/instruct-account/1"
Stopped = Literal["finished", "budget", "interrupted", "error"]


class Part(BaseModel):
    """A part of an account: unchangeable, and without fields that the schema does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class TeacherPart(Part):
    """Who answered."""

    name: str
    model: str
    settings: dict[str, float | str | bool | None]


class Unusable(Part):
    """A file that could not be used."""

    file: str
    reason: str


class ImagesPart(Part):
    """What became of the files."""

    found: NonNegativeInt
    used: NonNegativeInt
    duplicates: NonNegativeInt = Field(description="Files of the same pixels as one before")
    unusable: tuple[Unusable, ...]


class Unanswered(Part):
    """A question that was never answered."""

    assignment: str
    task: str
    question: str
    reason: str


class RequestsPart(Part):
    """Requests to the teacher over all runs in the folder, by what came of them."""

    answered: NonNegativeInt
    refused: NonNegativeInt
    unreadable: NonNegativeInt = Field(description="An answer came and was paid for, and was not in the form asked for")
    failed: NonNegativeInt = Field(description="The teacher said that it cannot; not billed")
    silent: NonNegativeInt = Field(description="Nothing came back in time: perhaps billed")
    open: NonNegativeInt = Field(description="Under way when a run was ended by force: perhaps billed")


class SpentPart(Part):
    """What it cost over all runs in the folder."""

    input_tokens: NonNegativeInt
    output_tokens: NonNegativeInt
    cost_usd: NonNegativeFloat | None = Field(description="Null where the prices are not known")
    input_usd_per_million: NonNegativeFloat | None
    output_usd_per_million: NonNegativeFloat | None
    prices_from: str | None
    perhaps_input_tokens: NonNegativeInt = Field(description="At most, for requests of which nothing came back")
    perhaps_output_tokens: NonNegativeInt
    budget: NonNegativeFloat | None
    budget_unit: Literal["USD", "TOKENS"] | None


class RecordsPart(Part):
    """What was written."""

    total: NonNegativeInt
    verified: NonNegativeInt
    rejected: NonNegativeInt
    repaired: NonNegativeInt = Field(description="Verified at the second attempt")
    by_task: dict[str, NonNegativeInt]
    rejected_because: dict[str, NonNegativeInt] = Field(description="By the check that failed first")


class Account(Part):
    """The whole account."""

    schema_: Literal["micrographia/instruct-account/1"] = Field(alias="schema")
    stopped: Stopped = Field(description="Why the last run ended")
    stopped_because: str = Field(description="In words; empty when it finished")
    teacher: TeacherPart
    images: ImagesPart
    requests: RequestsPart
    unanswered: tuple[Unanswered, ...]
    spent: SpentPart
    records: RecordsPart
    seconds: NonNegativeFloat = Field(description="Of the last run")
    software: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether every file was used and every question answered."""
        return self.stopped == "finished" and not self.images.unusable and not self.unanswered


def requests_part(outcomes: Mapping[str, int]) -> RequestsPart:
    """Return requests by outcome, as the store counts them."""
    known = {name: outcomes.get(name, 0) for name in ("answered", "refused", "unreadable", "failed", "silent")}
    return RequestsPart(**known, open=outcomes.get("sent", 0))


def price_words(price: Price | None, budget: Budget | None) -> dict[str, float | str | None]:
    """Return price and budget as fields of `SpentPart`."""
    return {
        "input_usd_per_million": None if price is None else price.input_usd_per_million,
        "output_usd_per_million": None if price is None else price.output_usd_per_million,
        "prices_from": None if price is None else price.source,
        "budget": None if budget is None else budget.limit,
        "budget_unit": None if budget is None else budget.unit,
    }


def software() -> dict[str, str]:
    """Return the versions that made the records."""
    return {"micrographia": metadata.version("micrographia"), "python": platform.python_version()}
