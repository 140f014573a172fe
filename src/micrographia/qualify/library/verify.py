"""Find any record, image, vector or signature of a library that was altered, removed, added or moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from micrographia.errors import IntegrityError, LibraryError
from micrographia.qualify.canonical import canonical
from micrographia.qualify.library.chain import GENESIS, Entry, Head, entries, entry_hash, read_head
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.signatures import signature_findings
from micrographia.qualify.library.store import Kind, stored_problem
from micrographia.qualify.library.tables import MIGRATE_RECORDS, STORE_EMBEDDINGS, TABLE_OF, embeddings, row_of
from micrographia.qualify.library.transactions import looking
from micrographia.qualify.library.vectors import altered_vectors, batch_digest


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found when a library was held against its audit chain.

    Parameters
    ----------
    findings : tuple of str
        One line for each thing that is not as it was written; empty for a clean library.
    entries : int
        How many entries the audit chain has.
    files : int
        How many image and mask files were hashed.
    head : Head, optional
        The newest entry: to be kept elsewhere, so that a chain that was rewritten as a whole is found too.
    """

    findings: tuple[str, ...]
    entries: int
    files: int
    head: Head | None


def verify_library(library: Library, *, known_head: str | None = None) -> Verification:
    """Hold all of a library against its audit chain.

    The chain is hashed again and held against ``head.json``; every row of every table against the entry that it belongs
    to; every image and mask against the hash that is its name; every stored vector against its digest; every signature
    against the key that the reviewer had registered.

    Parameters
    ----------
    library : Library
        The library; it is only read.
    known_head : str, optional
        Hash of an entry that was written down elsewhere. It must still be in the chain.

    Examples
    --------
    >>> import tempfile
    >>> from micrographia.qualify.criteria import Criterion
    >>> from micrographia.qualify.library.home import create_library
    >>> pores = Criterion(id="pores", title="Few pores", accept_texts=("dense",), reject_texts=("porous",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = verify_library(create_library(f"{folder}/library", [pores], actor="A. Expert"))
    >>> found.findings, found.entries
    ((), 2)
    """
    findings: list[str] = []
    chain: tuple[Entry, ...] = ()
    try:
        # Before the records: others may be adding to them, and then the chain is the longer one.
        head = read_head(library.folder)
    except IntegrityError as error:
        findings.append(str(error))
        head = None
    try:
        with looking(library) as connection:
            chain = entries(connection)
            findings += chain_findings(chain, head=head, known_head=known_head)
            findings += _row_findings(connection, chain)
            findings += _embedding_findings(connection, chain)
    except LibraryError as error:
        findings.append(str(error))
    findings += signature_findings(chain, library_id=library.id)
    files = sorted(_files(chain))
    findings += [
        problem
        for kind, sha256, suffix in files
        if (problem := stored_problem(library.folder, kind, sha256=sha256, suffix=suffix))
    ]
    try:
        findings += altered_vectors(library)
    except LibraryError as error:
        findings.append(str(error))
    newest = Head(sequence=chain[-1].sequence, hash=chain[-1].hash) if chain else None
    return Verification(findings=tuple(findings), entries=len(chain), files=len(files), head=newest)


def chain_findings(chain: Sequence[Entry], *, head: Head | None, known_head: str | None = None) -> Iterator[str]:
    """Return one line for each entry of an audit chain that was altered, removed or moved.

    Parameters
    ----------
    chain : sequence of Entry
        By their numbers.
    head : Head, optional
        The newest entry that the folder knows of.
    known_head : str, optional
        As in `verify_library`.
    """
    previous, expected = GENESIS, 1
    for entry in chain:
        if entry.sequence != expected:
            missing = (
                f"entry {expected}" if entry.sequence == expected + 1 else f"entries {expected} to {entry.sequence - 1}"
            )
            yield f"{missing} of the audit chain: gone"
        elif entry.previous != previous:
            yield f"entry {entry.sequence} of the audit chain does not follow on entry {entry.sequence - 1}"
        if problem := _entry_problem(entry):
            yield f"entry {entry.sequence} of the audit chain ({entry.action}) was altered: {problem}"
        previous, expected = entry.hash, entry.sequence + 1
    by_sequence = {entry.sequence: entry.hash for entry in chain}
    if head is not None and by_sequence.get(head.sequence) != head.hash:
        if head.sequence >= expected:
            yield f"the audit chain ends at entry {expected - 1}, where head.json names entry {head.sequence}: gone"
        else:
            yield f"entry {head.sequence} of the audit chain is not the one that head.json names"
    if known_head is not None and known_head not in by_sequence.values():
        yield f"no entry of the audit chain has the hash {known_head[:64]} that was written down"


def _entry_problem(entry: Entry) -> str | None:
    payload = entry.tree
    if payload is None or _text_of(payload) != entry.payload:
        return "its payload is not what was written"
    try:
        digest = entry_hash(
            sequence=entry.sequence,
            time=entry.time,
            actor=entry.actor,
            action=entry.action,
            payload=payload,
            previous=entry.previous,
        )
    except ValueError:
        return "it holds bytes that are no text"
    return None if digest == entry.hash else "its hash is not that of what it holds"


def _text_of(payload: Any) -> str | None:
    try:
        return canonical(payload).decode()
    except ValueError:
        return None


def _row_findings(connection: Connection, chain: Sequence[Entry]) -> Iterator[str]:
    """Hold the row of each entry against the entry."""
    for entry in chain:
        if entry.action not in (*TABLE_OF, STORE_EMBEDDINGS, MIGRATE_RECORDS):
            yield f"entry {entry.sequence} of the audit chain has the unknown action {entry.action[:80]!r}"
    for action, table in TABLE_OF.items():
        rows = {row["sequence"]: dict(row) for row in connection.execute(select(table)).mappings()}
        for entry in chain:
            if entry.action == action:
                row = rows.pop(entry.sequence, None)
                if problem := _row_problem(entry, row):
                    yield f"the record of entry {entry.sequence} in table {table.name} {problem}"
        for sequence in rows:
            yield f"table {table.name} has a record for entry {sequence}, where the audit chain has none of that kind"


def _row_problem(entry: Entry, row: Mapping[str, Any] | None) -> str | None:
    if row is None:
        return f"is gone ({entry.action})"
    try:
        expected = {"sequence": entry.sequence, **row_of(TABLE_OF[entry.action], entry.record)}
    except (ValueError, KeyError, TypeError):
        return "cannot be compared, as the entry is damaged"
    different = [
        f"{name} is {str(row[name])[:60]!r}, not {str(value)[:60]!r}"
        for name, value in expected.items()
        if row[name] != value
    ]
    return f"was altered: {'; '.join(different)}" if different else None


def _embedding_findings(connection: Connection, chain: Sequence[Entry]) -> Iterator[str]:
    """Hold the digests of embeddings that were stored together against the entry of that."""
    batches: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(select(embeddings)).mappings():
        batches.setdefault(row["sequence"], []).append(dict(row))
    for entry in chain:
        if entry.action != STORE_EMBEDDINGS:
            continue
        listed = batches.pop(entry.sequence, [])
        try:
            expected = entry.record
            encoders = {(row["encoder"], row["version"]) for row in listed}
            right = batch_digest(listed) == {name: expected[name] for name in ("count", "digest")}
            right = right and encoders == {(expected["encoder"], expected["version"])}
        except (ValueError, KeyError, TypeError):
            right = False
        if not right:
            yield f"the digests of embeddings of entry {entry.sequence} in table embeddings were altered"
    for sequence in batches:
        yield f"table embeddings has records for entry {sequence}, where the audit chain has none of that kind"


def _files(chain: Sequence[Entry]) -> set[tuple[Kind, str, str]]:
    """Return kind, hash and extension of each file that was added, as the chain says."""
    files: set[tuple[Kind, str, str]] = set()
    for entry in chain:
        record = entry.tree.get("record") if entry.action == "add reference" and isinstance(entry.tree, dict) else None
        if not isinstance(record, dict):
            continue
        for kind, sha256, name in (
            ("images", record.get("image_sha256"), record.get("file")),
            ("masks", record.get("mask_sha256"), record.get("mask_file")),
        ):
            if isinstance(sha256, str) and isinstance(name, str):
                files.add(("images" if kind == "images" else "masks", sha256, Path(name).suffix.lower()))
    return files
