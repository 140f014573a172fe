"""What an entry of the audit chain records, and the row that repeats it for queries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert

from micrographia.qualify.criteria import Criterion
from micrographia.qualify.library.chain import Entry, append_entry
from micrographia.qualify.library.tables import TABLE_OF, row_of


def append(connection: Connection, *, actor: str, action: str, record: Mapping[str, Any]) -> Entry:
    """Add an entry to the audit chain and its row to the action's table, in one transaction.

    Parameters
    ----------
    connection : Connection
        In a transaction that no other writer shares the time with.
    actor : str
        Who does it.
    action : str
        Key of `TABLE_OF`.
    record : mapping
        JSON values: the row but for its ``sequence``.
    """
    entry = append_entry(connection, actor=actor, action=action, record=record)
    table = TABLE_OF[action]
    connection.execute(insert(table).values(sequence=entry.sequence, **row_of(table, record)))
    return entry


def criterion_record(criterion: Criterion, *, version: int, reason: str | None) -> dict[str, Any]:
    """Return what is recorded of a criterion."""
    return {
        "criterion_id": criterion.id,
        "version": version,
        "title": criterion.title,
        "accept_texts": list(criterion.accept_texts),
        "reject_texts": list(criterion.reject_texts),
        "note": criterion.note,
        "reason": reason,
    }


def criterion_of(row: Row[Any]) -> Criterion:
    """Return the criterion that a row of `criteria` holds."""
    return Criterion(
        id=row.criterion_id,
        title=row.title,
        accept_texts=tuple(json.loads(row.accept_texts)),
        reject_texts=tuple(json.loads(row.reject_texts)),
        note=row.note,
    )
