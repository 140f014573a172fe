"""Records as rows of a Parquet file, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa

from micrographia.instruct.assignment import Assignment
from micrographia.instruct.record import Check, Record, Reply, Usage

SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("images", pa.list_(pa.string()), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("reasoning", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("answer_type", pa.string(), nullable=False),
        pa.field("cues", pa.list_(pa.string()), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
        pa.field("verified", pa.bool_(), nullable=False),
        pa.field("rejected_because", pa.string(), nullable=False),
        pa.field("options", pa.list_(pa.string()), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("prompt_sha256", pa.string(), nullable=False),
        pa.field("settings", pa.string(), nullable=False),
        pa.field("input_tokens", pa.int64(), nullable=False),
        pa.field("output_tokens", pa.int64(), nullable=False),
        pa.field("cost_usd", pa.float64()),
        pa.field("checks", pa.string(), nullable=False),
        pa.field("repaired", pa.bool_(), nullable=False),
        pa.field("refused", pa.bool_(), nullable=False),
        pa.field("assignment", pa.string(), nullable=False),
    ]
)
"""Columns of ``records.parquet``. ``settings``, ``checks`` and ``assignment`` are JSON."""


def to_row(record: Record, assignment: Assignment, *, refused: bool) -> dict[str, Any]:
    """Return a record as a row, with all that is needed to check it again.

    Parameters
    ----------
    record : Record
        The record.
    assignment : Assignment
        What was asked.
    refused : bool
        Whether the teacher would not answer.
    """
    return {
        "id": record.id,
        "images": list(record.images),
        "task": record.task,
        "question": record.question,
        "reasoning": record.reasoning,
        "answer": record.answer,
        "answer_type": record.answer_type,
        "cues": list(record.cues),
        "teacher": record.teacher,
        "verified": record.verified,
        "rejected_because": record.rejected_because,
        "options": list(record.options),
        "model": record.model,
        "prompt_sha256": record.prompt_sha256,
        "settings": _json(dict(record.settings)),
        "input_tokens": record.usage.input_tokens,
        "output_tokens": record.usage.output_tokens,
        "cost_usd": record.usage.cost_usd,
        "checks": _json([asdict(check) for check in record.checks]),
        "repaired": record.repaired,
        "refused": refused,
        "assignment": _json(asdict(assignment)),
    }


def to_record(row: Mapping[str, Any]) -> Record:
    """Return the record of a row."""
    return Record(
        id=row["id"],
        images=tuple(row["images"]),
        task=row["task"],
        question=row["question"],
        answer_type=row["answer_type"],
        reasoning=row["reasoning"],
        answer=row["answer"],
        cues=tuple(row["cues"]),
        teacher=row["teacher"],
        model=row["model"],
        prompt_sha256=row["prompt_sha256"],
        settings=json.loads(row["settings"]),
        usage=Usage(input_tokens=row["input_tokens"], output_tokens=row["output_tokens"], cost_usd=row["cost_usd"]),
        checks=tuple(Check(**check) for check in json.loads(row["checks"])),
        repaired=row["repaired"],
        rejected_because=row["rejected_because"],
        options=tuple(row["options"]),
    )


def to_assignment(row: Mapping[str, Any]) -> Assignment:
    """Return what was asked in a row."""
    said = json.loads(row["assignment"])
    values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in said.items()}
    return Assignment(**values)


def to_reply(row: Mapping[str, Any]) -> Reply:
    """Return what was answered in a row."""
    return Reply(reasoning=row["reasoning"], answer=row["answer"], refused=row["refused"])


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table of `SCHEMA`."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
