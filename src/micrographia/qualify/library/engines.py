"""What differs between the databases that records are kept in: SQLite in the folder, PostgreSQL by URL."""

from __future__ import annotations

import importlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from micrographia.errors import LibraryError, MissingExtraError

POSTGRESQL: Final = "postgresql+psycopg"
_WAIT_MS: Final = 60_000
"""How long a writer waits for another [ms]."""

_WRITER: Final = "micrographia_writer"
ADVISORY_LOCK: Final = select(func.pg_advisory_xact_lock(0x6D6963726F67))  # "microg"
"""By which writers on PostgreSQL wait for each other; held until the transaction ends."""


def sqlite_engine(path: Path, *, writable: bool) -> Engine:
    """Return an engine on an SQLite file.

    Parameters
    ----------
    path : Path
        The file; it is made when it does not exist and the engine may write.
    writable : bool
        Whether it may write.
    """
    # Who only reads must still be able to undo what a killed writer left half done, where the folder lets him.
    effective = os.access in os.supports_effective_ids
    may_write = all(os.access(p, os.W_OK, effective_ids=effective) for p in (path, path.parent) if p.exists())
    mode = "rwc" if writable else "rw" if may_write else "ro"
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # Transactions are begun below, not by the driver; and a tampered text is a finding, not a crash.
        opened = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_WAIT_MS / 1000)
        opened.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        opened.execute("PRAGMA foreign_keys=ON")
        if writable:
            # A rollback journal, so that a folder which cannot be written to can still be read. EXTRA, so that a
            # commit outlives a power cut: head.json, written after it, must never name an entry that is gone.
            opened.execute("PRAGMA journal_mode=DELETE")
            opened.execute("PRAGMA synchronous=EXTRA")
        else:
            opened.execute("PRAGMA query_only=ON")
        return opened

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writer = connection.get_execution_options().get(_WRITER)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def postgresql_engine(url: str) -> Engine:
    """Return an engine on a PostgreSQL database.

    Parameters
    ----------
    url : str
        As `postgresql_url` accepts it. Without a password, the driver takes ``PGPASSWORD`` or ``~/.pgpass``.

    Raises
    ------
    MissingExtraError
        The driver is not installed.
    """
    try:
        importlib.import_module("psycopg")
    except ImportError as error:
        raise MissingExtraError("psycopg", "postgres") from error
    # A verdict reads criteria, references and version in one transaction: all of one moment.
    return create_engine(postgresql_url(url), poolclass=NullPool, isolation_level="REPEATABLE READ")


def postgresql_url(url: str) -> URL:
    """Return a URL taken apart.

    Raises
    ------
    LibraryError
        It is no URL, or not of PostgreSQL through psycopg.

    Examples
    --------
    >>> postgresql_url("postgresql+psycopg://lab@records/coatings").database
    'coatings'
    """
    accepted = f"accepted is {POSTGRESQL}://USER@HOST/DATABASE"
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise LibraryError(f"--records is no URL; {accepted}") from error
    if parts.drivername != POSTGRESQL or not parts.database:
        raise LibraryError(f"--records is {without_password(parts)}; {accepted}")
    return parts


def without_password(url: URL) -> str:
    """Return a URL as it may be kept in a file.

    Examples
    --------
    >>> without_password(make_url("postgresql+psycopg://lab:secret@records/coatings?password=x"))
    'postgresql+psycopg://lab@records/coatings'
    """
    kept = {name: value for name, value in url.query.items() if "password" not in name.lower()}
    bare = URL.create(
        url.drivername, username=url.username, host=url.host, port=url.port, database=url.database, query=kept
    )
    return bare.render_as_string(hide_password=False)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that no other writer shares the time with; it commits on leaving."""
    options: dict[str, Any] = {_WRITER: True}
    if engine.dialect.name == "postgresql":
        # Under REPEATABLE READ the wait for the lock would already fix what the transaction sees: the past.
        options["isolation_level"] = "READ COMMITTED"
    with engine.connect().execution_options(**options) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(ADVISORY_LOCK)
        yield connection


def append_only(table: str, dialect: str) -> tuple[str, ...]:
    """Return statements that make a database refuse to change or remove rows of a table."""
    if dialect == "sqlite":
        return tuple(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are only ever added'); END"
            for verb in ("UPDATE", "DELETE")
        )
    return (
        f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION 'rows of {table} are only ever added'; END $$",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_grows()",
    )


_REASONS: Final[Mapping[str, str]] = {
    "readonly": "its records cannot be written to; make the folder writable, or copy the library",
    "read-only": "its records cannot be written to; make the folder writable, or copy the library",
    "locked": "another process has been writing for a minute; try again",
    "not a database": "library.sqlite is damaged; restore it from a copy",
    "malformed": "library.sqlite is damaged; restore it from a copy",
    "unable to open": "library.sqlite cannot be opened; check that it exists and that its folder can be written to",
    "is full": "the disk is full; make room and try again",
    "password": "the database asks for a password; set PGPASSWORD or write ~/.pgpass",
    "no such table": "its records are damaged: a table is missing; restore them from a copy",
}
"""What a database says, and what that means to a user."""


@contextmanager
def plainly(folder: Path) -> Iterator[None]:
    """Turn what a database raises into one line about the library.

    Raises
    ------
    LibraryError
        The database could not do what was asked.
    """
    try:
        yield
    except SQLAlchemyError as error:
        told = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        reason = next((meaning for word, meaning in _REASONS.items() if word in told.lower()), None)
        raise LibraryError(f"library {folder}: {reason or 'its records cannot be used: ' + told}") from error
