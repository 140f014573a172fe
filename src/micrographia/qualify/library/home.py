"""A library: a folder of images, and the records that say what they are."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from sqlalchemy import Engine, select

from micrographia.errors import IntegrityError, LibraryError
from micrographia.qualify.criteria import Criterion, check_ids
from micrographia.qualify.library.chain import append_entry, newest, write_durably, write_head
from micrographia.qualify.library.engines import (
    plainly,
    postgresql_engine,
    postgresql_url,
    sqlite_engine,
    without_password,
    writing,
)
from micrographia.qualify.library.folder import inside, whole_folder
from micrographia.qualify.library.migrate import migrate, state_of
from micrographia.qualify.library.rows import append, criterion_record
from micrographia.qualify.library.tables import MIGRATE_RECORDS, audit
from micrographia.qualify.library.tables import library as library_table
from micrographia.qualify.plain import plain_text

LIBRARY_FILE: Final = "library.json"
RECORDS_FILE: Final = "library.sqlite"
SCHEMA: Final = "micrographia/library/1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Library:
    """An open reference library. It holds no connection: those are made for each transaction.

    Parameters
    ----------
    folder : Path
        Where it is.
    id : str
        What it is known by, wherever it is copied to.
    records : str
        Where its records are: ``library.sqlite``, or a URL without a password.
    engine : Engine
        How they are reached.
    writable : bool
        Whether it was opened to be changed.
    """

    folder: Path
    id: str
    records: str
    engine: Engine
    writable: bool


def create_library(
    folder: str | Path, criteria: Sequence[Criterion], *, actor: str, records_url: str | None = None
) -> Library:
    """Create a library with its criteria and without references.

    Parameters
    ----------
    folder : str or Path
        Where it shall be: a name that is free, or an empty folder.
    criteria : sequence of Criterion
        At least one.
    actor : str
        Who creates it.
    records_url : str, optional
        A PostgreSQL database to keep the records in; by default they are an SQLite file in the folder. A password in
        it is used now and not kept.

    Raises
    ------
    LibraryError
        Two criteria have one id, or the URL is not accepted, or the database cannot be used or has a library already.
    OutputError
        The folder is not empty or cannot be written to.
    """
    check_ids(criteria)
    actor = plain_text(actor, name="actor")
    folder = Path(folder)
    records = RECORDS_FILE if records_url is None else without_password(postgresql_url(records_url))
    name = uuid4().hex
    with whole_folder(folder, what="library") as draft:
        tree = {"id": name, "records": records, "schema": SCHEMA}
        write_durably(draft / LIBRARY_FILE, json.dumps(tree, indent=2).encode() + b"\n")
        for part in ("images", "masks"):
            (draft / part).mkdir()
        engine = sqlite_engine(draft / RECORDS_FILE, writable=True)
        if records_url is not None:
            engine = postgresql_engine(records_url)
        _first_entries(engine, draft, criteria, name=name, actor=actor)
    return (
        open_library(folder, writable=True)
        if records_url is None
        else Library(folder=folder.resolve(), id=name, records=records, engine=engine, writable=True)
    )


def open_library(folder: str | Path, *, writable: bool = False) -> Library:
    """Open a library; one of an older version is brought up to date if it may be written to.

    Parameters
    ----------
    folder : str or Path
        Where it is.
    writable : bool
        Whether it shall be changed.

    Raises
    ------
    LibraryError
        There is no library, or it is of a newer version, cannot be written to though it shall be, or is of an older
        version and may not be written to.
    IntegrityError
        The folder points elsewhere than to its own records, or to those of another library.
    MissingExtraError
        Its records are in PostgreSQL, and the driver is not installed.
    """
    folder = Path(folder)
    name, records = _described(folder)
    folder = folder.resolve()
    if writable:
        _require_writable(folder)
    if records == RECORDS_FILE:
        engine = sqlite_engine(_own(folder, RECORDS_FILE), writable=writable)
    else:
        engine = postgresql_engine(records)
    opened = Library(folder=folder, id=name, records=records, engine=engine, writable=writable)
    with plainly(folder):
        _require_version(opened)
        with engine.connect() as connection, connection.begin():
            held = connection.execute(select(library_table.c.id)).scalars().all()
    if list(held) != [name]:
        raise IntegrityError(
            f"library {folder}: its records are of library {', '.join(held) or 'none'} and {LIBRARY_FILE} says {name}; "
            "restore the folder from a copy"
        )
    return opened


def _own(folder: Path, name: str) -> Path:
    path = inside(folder, name)
    if not path.is_file():
        raise LibraryError(f"library {folder}: {name} is missing; restore it from a copy")
    return path


def _described(folder: Path) -> tuple[str, str]:
    """Return a library's id, and where its records are."""
    path = inside(folder, LIBRARY_FILE)
    if not folder.is_dir() or not path.is_file():
        raise LibraryError(f"{folder} is no library; give the folder that `micrographia library create` made")
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        schema, name, records = tree["schema"], tree["id"], tree["records"]
    except OSError as error:
        raise LibraryError(f"library {folder}: {LIBRARY_FILE} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"library {folder}: {LIBRARY_FILE} is damaged; restore it from a copy") from error
    if schema != SCHEMA:
        raise LibraryError(
            f"library {folder} is of another version ({schema!r}); accepted is {SCHEMA}: update Micrographia"
        )
    if records != RECORDS_FILE and not str(records).startswith("postgresql"):
        raise IntegrityError(
            f"library {folder}: {LIBRARY_FILE} says that the records are in {str(records)[:80]!r}; accepted is "
            f"{RECORDS_FILE} in the same folder, or a PostgreSQL URL"
        )
    return str(name), str(records)


def _require_writable(folder: Path) -> None:
    # The effective user counts, which not every system can ask for.
    effective = os.access in os.supports_effective_ids
    for path in (folder, folder / RECORDS_FILE, folder / "images", folder / "masks"):
        if path.exists() and not os.access(path, os.W_OK, effective_ids=effective):
            raise LibraryError(
                f"library {folder} is read-only ({path.name} cannot be written to); make it writable, or copy it"
            )


def _require_version(opened: Library) -> None:
    with opened.engine.connect() as connection, connection.begin():
        state = state_of(connection)
    if state == "newer":
        raise LibraryError(
            f"library {opened.folder} is of a newer version of Micrographia; update Micrographia to open it"
        )
    if state == "none":
        raise LibraryError(f"library {opened.folder} has no records, as its creation was interrupted; create it again")
    if state == "present":
        return
    if not opened.writable:
        raise LibraryError(
            f"library {opened.folder} is of an older version; any command that changes it brings it up to date, "
            "for instance micrographia library add"
        )
    with writing(opened.engine) as connection:
        if revisions := migrate(connection):
            append_entry(
                connection, actor="micrographia", action=MIGRATE_RECORDS, record={"revisions": list(revisions)}
            )
        head = newest(connection)
    write_head(opened.folder, head)


def _first_entries(engine: Engine, folder: Path, criteria: Sequence[Criterion], *, name: str, actor: str) -> None:
    with plainly(folder), writing(engine) as connection:
        migrate(connection)
        if connection.execute(select(audit.c.sequence).limit(1)).first() is not None:
            raise LibraryError(
                "--records names a database that has a library already; give an empty database, or another search_path"
            )
        append(connection, actor=actor, action="create library", record={"id": name})
        for criterion in criteria:
            record = criterion_record(criterion, version=1, reason=None)
            append(connection, actor=actor, action="set criterion", record=record)
        write_head(folder, newest(connection))
