"""Verdict files of which a library knows: their digest, and what they said in short."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from micrographia.errors import LibraryError
from micrographia.qualify.canonical import sha256
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.rows import append
from micrographia.qualify.library.tables import CONTENT, audit
from micrographia.qualify.library.tables import verdicts as verdicts_table
from micrographia.qualify.library.transactions import changing
from micrographia.qualify.plain import plain_text


@dataclass(frozen=True, kw_only=True)
class VerdictFile:
    """What records and signatures need of a verdict file.

    Parameters
    ----------
    sha256 : str
        SHA-256 of its bytes, hexadecimal.
    library_id, library_version : str
        The library that its verdicts rest on.
    library_path : Path
        Where that library was.
    samples : tuple of dict
        For each sample ``file``, ``sha256``, ``disposition``, and the verdict on each criterion under ``criteria``.
    """

    sha256: str
    library_id: str
    library_version: str
    library_path: Path
    samples: tuple[dict[str, Any], ...]


def parse_verdicts(raw: bytes, *, name: str = "verdicts.json") -> VerdictFile:
    """Take a verdict file apart.

    Parameters
    ----------
    raw : bytes
        The file, as ``micrographia qualify`` writes it.
    name : str
        What it is called in messages.

    Raises
    ------
    LibraryError
        It is no verdict file.
    """
    try:
        tree = json.loads(raw)
        held = tree["library"]
        return VerdictFile(
            sha256=sha256(raw),
            library_id=str(held["id"]),
            library_version=str(held["version"]),
            library_path=Path(held["path"]),
            samples=tuple(_sample(sample) for sample in tree["samples"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LibraryError(
            f"{name} is no verdict file ({type(error).__name__}: {error}); give the verdicts.json that "
            "`micrographia qualify` wrote"
        ) from error


def record_verdicts(library: Library, verdicts_json_bytes: bytes, *, actor: str) -> None:
    """Record that a verdict file was written: its digest, the version it rests on, and each verdict.

    Parameters
    ----------
    library : Library
        The library that the verdicts rest on, open to be changed.
    verdicts_json_bytes : bytes
        The file, exactly as it is written.
    actor : str
        Who had it made.

    Raises
    ------
    LibraryError
        It is no verdict file, rests on another library or on a version that this one never had, or the library cannot
        be written to.
    """
    file = parse_verdicts(verdicts_json_bytes)
    if file.library_id != library.id:
        raise LibraryError(
            f"the verdicts rest on library {file.library_id[:64]}, not on {library.id}; name the right library"
        )
    record = {
        "verdicts_sha256": file.sha256,
        "library_version": file.library_version,
        "samples": list(file.samples),
    }
    with changing(library) as connection:
        require_version(connection, file.library_version)
        append(connection, actor=plain_text(actor, name="actor"), action="record verdicts", record=record)


def require_version(connection: Connection, version: str) -> None:
    """Refuse a version that a library never had.

    Raises
    ------
    LibraryError
        No entry of the audit chain that changed criteria or references has that hash.
    """
    query = select(audit.c.sequence).where(audit.c.hash == version, audit.c.action.in_(CONTENT))
    if connection.execute(query).first() is None:
        raise LibraryError(
            f"the verdicts rest on version {version[:64]!r}, which this library never had; qualify the samples again"
        )


def is_recorded(connection: Connection, verdicts_sha256: str) -> bool:
    """Return whether a verdict file with that digest was recorded."""
    query = select(verdicts_table.c.sequence).where(verdicts_table.c.verdicts_sha256 == verdicts_sha256)
    return connection.execute(query).first() is not None


def _sample(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "file": str(sample["file"]),
        "sha256": str(sample["sha256"]),
        "disposition": str(sample["disposition"]),
        "criteria": {str(c["id"]): str(c["verdict"]) for c in sample["criteria"]},
    }
