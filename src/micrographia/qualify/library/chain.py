"""The audit chain: each entry holds the hash of the one before, so that none can be changed or left out unnoticed."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from micrographia.errors import IntegrityError
from micrographia.qualify.canonical import canonical, sha256
from micrographia.qualify.library.tables import audit

HEAD_FILE: Final = "head.json"
GENESIS: Final = "0" * 64
"""What the first entry has in place of the hash of an entry before it."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of the audit chain.

    Parameters
    ----------
    sequence : int
        Its number, from 1.
    time : str
        When it was made: UTC, ISO 8601, with microseconds.
    actor : str
        Who made it.
    action : str
        What was done.
    payload : str
        What was recorded, canonical JSON: ``record``, and the version of the ``software``.
    previous, hash : str
        SHA-256 of the entry before and of this one, hexadecimal.
    """

    sequence: int
    time: str
    actor: str
    action: str
    payload: str
    previous: str
    hash: str

    @property
    def tree(self) -> Any:
        """The payload; None where it is no JSON, as no entry is written."""
        try:
            return json.loads(self.payload)
        except (ValueError, RecursionError):
            return None

    @property
    def record(self) -> dict[str, Any]:
        """What was recorded."""
        return dict(self.tree["record"])

    @property
    def software(self) -> str:
        """Version of Micrographia that made it."""
        return str(self.tree["software"])


@dataclass(frozen=True, kw_only=True)
class Head:
    """The newest entry: its number and its hash."""

    sequence: int
    hash: str


def entry_hash(*, sequence: int, time: str, actor: str, action: str, payload: Any, previous: str) -> str:
    """Return the hash of an entry: SHA-256 of the canonical JSON of all its other fields.

    Parameters
    ----------
    sequence, time, actor, action, previous
        As in `Entry`.
    payload : JSON value
        What was recorded, not as text.

    Examples
    --------
    >>> entry_hash(sequence=1, time="", actor="", action="", payload={}, previous=GENESIS)[:8]
    '1854d7e0'
    """
    fields = {"sequence": sequence, "time": time, "actor": actor, "action": action, "payload": payload}
    return sha256(canonical({**fields, "previous": previous}))


def append_entry(connection: Connection, *, actor: str, action: str, record: Mapping[str, Any]) -> Entry:
    """Add an entry behind the newest one, within the transaction of the connection.

    Parameters
    ----------
    connection : Connection
        In a transaction that no other writer shares the time with.
    actor, action : str
        As in `Entry`.
    record : mapping
        JSON values.
    """
    last = newest(connection)
    payload = json.loads(canonical({"record": dict(record), "software": _software()}))
    sequence = last.sequence + 1
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    digest = entry_hash(sequence=sequence, time=time, actor=actor, action=action, payload=payload, previous=last.hash)
    entry = Entry(
        sequence=sequence,
        time=time,
        actor=actor,
        action=action,
        payload=canonical(payload).decode(),
        previous=last.hash,
        hash=digest,
    )
    connection.execute(insert(audit).values(**vars(entry)))
    return entry


@cache
def _software() -> str:
    """Return the version of Micrographia; looking it up takes longer than an entry."""
    return version("micrographia")


def newest(connection: Connection) -> Head:
    """Return the newest entry; before the first, number 0 and `GENESIS`."""
    row = connection.execute(select(audit.c.sequence, audit.c.hash).order_by(audit.c.sequence.desc()).limit(1)).first()
    return Head(sequence=0, hash=GENESIS) if row is None else Head(sequence=row.sequence, hash=row.hash)


def entries(connection: Connection) -> tuple[Entry, ...]:
    """Return all entries, the first one first."""
    return tuple(Entry(**row._mapping) for row in connection.execute(select(audit).order_by(audit.c.sequence)))


def read_head(folder: Path) -> Head:
    """Return the newest entry that the folder knows of.

    Raises
    ------
    IntegrityError
        The file is missing or is not what was written.
    """
    try:
        tree = json.loads((folder / HEAD_FILE).read_bytes())
        head = Head(sequence=tree["sequence"], hash=tree["hash"])
    except OSError as error:
        raise IntegrityError(
            f"library {folder}: {HEAD_FILE}, which names the newest entry of the audit chain, cannot be read "
            f"({error.strerror}); restore the folder from a copy"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"library {folder}: {HEAD_FILE} is damaged; restore it from a copy") from error
    if type(head.sequence) is not int or head.sequence < 1 or not isinstance(head.hash, str):
        raise IntegrityError(f"library {folder}: {HEAD_FILE} is damaged; restore it from a copy")
    return head


def write_head(folder: Path, head: Head) -> None:
    """Write the newest entry beside the records, in one step that outlives a power cut."""
    write_durably(folder / HEAD_FILE, canonical({"hash": head.hash, "sequence": head.sequence}) + b"\n")


def head_problem(connection: Connection, head: Head) -> str | None:
    """Return what is wrong with the chain if the folder's newest entry is not in it; None when it is.

    A chain that is longer is right: a process ended between its commit and its writing of the head.
    """
    found = connection.execute(select(audit.c.hash).where(audit.c.sequence == head.sequence)).scalar()
    if found == head.hash:
        return None
    if found is None:
        count = connection.execute(select(func.count()).select_from(audit)).scalar()
        return f"entry {head.sequence} of the audit chain is gone: {HEAD_FILE} names it, {count} entries are left"
    return f"entry {head.sequence} of the audit chain has another hash than {HEAD_FILE} says"


def write_durably(path: Path, data: bytes) -> None:
    """Write a file beside its place, then move it there; a crash leaves the old one or the new one.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        All of it.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with draft.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)  # noqa: PTH105 - the one-step replacement is the point
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have a folder's list of names outlive a power cut."""
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
