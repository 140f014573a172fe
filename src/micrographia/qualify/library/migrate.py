"""Bring the records of an older library to what this version needs; refuse those of a newer one."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

State = Literal["none", "older", "present", "newer"]

SCRIPTS: Final = Path(__file__).parent / "migrations"
"""Where the migrations are, in an installed package too."""


def state_of(connection: Connection, *, scripts: Path = SCRIPTS) -> State:
    """Return how a database stands to this version: without records, older, as it should be, or newer.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    scripts : Path
        Folder of migrations.
    """
    script = ScriptDirectory(str(scripts))
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        return "none"
    if found == script.get_current_head():
        return "present"
    return "older" if found in {known.revision for known in script.walk_revisions()} else "newer"


def migrate(connection: Connection, *, scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """Carry out the migrations that are missing, within the transaction of the connection.

    Parameters
    ----------
    connection : Connection
        In a transaction that may write.
    scripts : Path
        Folder of migrations.

    Returns
    -------
    tuple of str
        Revisions that were carried out, in their order.
    """
    script = ScriptDirectory(str(scripts))
    context = MigrationContext.configure(connection)
    pending = list(script.iterate_revisions("head", context.get_current_revision() or "base"))[::-1]
    with Operations.context(context):
        for step in pending:
            step.module.upgrade()
            context.stamp(script, step.revision)
    return tuple(step.revision for step in pending)
