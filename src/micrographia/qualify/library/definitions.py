"""Criteria of a library: the newest version counts, the older ones are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from micrographia.errors import LibraryError
from micrographia.qualify.criteria import Criterion, check_ids
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.rows import append, criterion_of, criterion_record
from micrographia.qualify.library.tables import CONTENT, audit
from micrographia.qualify.library.tables import criteria as criteria_table
from micrographia.qualify.library.transactions import changing, looking
from micrographia.qualify.plain import plain_text


@dataclass(frozen=True, kw_only=True)
class CriterionVersion:
    """A criterion as it was from one moment on.

    Parameters
    ----------
    criterion : Criterion
        What it said.
    version : int
        Counted from 1.
    set_at, set_by : str
        When (UTC, ISO 8601) and by whom.
    reason : str, optional
        Why; None for the first version.
    """

    criterion: Criterion
    version: int
    set_at: str
    set_by: str
    reason: str | None


def criteria(library: Library) -> tuple[Criterion, ...]:
    """Return the newest version of each criterion, in the order in which they were first set."""
    with looking(library) as connection:
        return current_criteria(connection)


def criterion_versions(library: Library, criterion_id: str) -> tuple[CriterionVersion, ...]:
    """Return all versions of a criterion, the first one first.

    Raises
    ------
    LibraryError
        There is no such criterion.
    """
    with looking(library) as connection:
        require_criterion(connection, criterion_id)
        query = (
            select(criteria_table, audit.c.time, audit.c.actor)
            .join(audit, audit.c.sequence == criteria_table.c.sequence)
            .where(criteria_table.c.criterion_id == criterion_id)
            .order_by(criteria_table.c.version)
        )
        return tuple(
            CriterionVersion(
                criterion=criterion_of(row), version=row.version, set_at=row.time, set_by=row.actor, reason=row.reason
            )
            for row in connection.execute(query)
        )


def amend_criterion(library: Library, criterion: Criterion, *, actor: str, reason: str) -> int:
    """Set a new version of a criterion, or a criterion that is new.

    Returns
    -------
    int
        Its version, counted from 1.

    Raises
    ------
    LibraryError
        It says what the newest version says, the reason is blank, or the library cannot be written to.
    """
    changed = set_criteria(library, [criterion], actor=actor, reason=reason)
    if not changed:
        raise LibraryError(f"criterion {criterion.id} says the same already; change it, or leave it")
    return changed[criterion.id]


def set_criteria(library: Library, given: Sequence[Criterion], *, actor: str, reason: str) -> dict[str, int]:
    """Set criteria: those that are new or say something else than before. Others of the library stay as they are.

    Parameters
    ----------
    library : Library
        Open to be changed.
    given : sequence of Criterion
        At least one.
    actor : str
        Who does it.
    reason : str
        Why.

    Returns
    -------
    dict of str to int
        Version of each that was set, by its id.

    Raises
    ------
    LibraryError
        Two have one id, the reason is blank, or the library cannot be written to.
    """
    check_ids(given)
    actor, reason = plain_text(actor, name="actor"), plain_text(reason, name="reason")
    changed = {}
    with changing(library) as connection:
        now = {c.id: c for c in current_criteria(connection)}
        for criterion in given:
            if now.get(criterion.id) == criterion:
                continue
            version = 1 + _versions(connection, criterion.id)
            record = criterion_record(criterion, version=version, reason=reason)
            append(connection, actor=actor, action="set criterion", record=record)
            changed[criterion.id] = version
    return changed


def library_version(library: Library) -> str:
    """Return the version of a library: the hash of the audit chain's entry that last changed criteria or references.

    As each entry holds the hash of the one before, it stands for all that the library held then. Verdicts, signatures,
    opinions and embeddings do not change it, so that the same sample has the same verdict file tomorrow.
    """
    with looking(library) as connection:
        return version_of(connection)


def version_of(connection: Connection) -> str:
    """Return what `library_version` does, as of a transaction."""
    query = select(audit.c.hash).where(audit.c.action.in_(CONTENT)).order_by(audit.c.sequence.desc()).limit(1)
    return str(connection.execute(query).scalar_one())


def current_criteria(connection: Connection) -> tuple[Criterion, ...]:
    """Return what `criteria` does, as of a transaction."""
    newest = {}
    for row in connection.execute(select(criteria_table).order_by(criteria_table.c.sequence)):
        newest[row.criterion_id] = row  # a key keeps its first place
    return tuple(criterion_of(row) for row in newest.values())


def require_criterion(connection: Connection, criterion_id: str) -> None:
    """Refuse a criterion that a library does not have.

    Raises
    ------
    LibraryError
        There is no such criterion.
    """
    if not _versions(connection, criterion_id):
        known = connection.execute(select(criteria_table.c.criterion_id).distinct()).scalars().all()
        raise LibraryError(
            f"there is no criterion {criterion_id[:80]!r}; accepted is one of {', '.join(sorted(known))}"
        )


def _versions(connection: Connection, criterion_id: str) -> int:
    query = select(func.count()).where(criteria_table.c.criterion_id == criterion_id)
    return int(connection.execute(query).scalar_one())
