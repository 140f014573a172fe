"""Reviewers' keys and signatures among a library's records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from micrographia.qualify.canonical import canonical
from micrographia.qualify.library.chain import Entry
from micrographia.qualify.library.tables import reviewer_keys
from micrographia.qualify.library.tables import signatures as signatures_table


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A reviewer's word on a verdict file.

    Parameters
    ----------
    message : mapping
        What was signed, as canonical JSON: ``verdicts_sha256``, ``library_id``, ``library_version``, ``reviewer``,
        ``decision``, ``sample``, ``criterion``, ``reason``, ``signed_at``, and ``amends``: the earlier signature that
        this one amends, or null.
    public_key : str
        The reviewer's Ed25519 key, hexadecimal.
    signature : str
        Hexadecimal.
    sequence : int
        Number of its entry in the audit chain.
    """

    message: Mapping[str, Any]
    public_key: str
    signature: str
    sequence: int

    @property
    def problem(self) -> str | None:
        """What is wrong with the signature itself; None when it is the key's on this message."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
            key.verify(bytes.fromhex(self.signature), canonical(self.message))
        except InvalidSignature:
            return "was not made by that key on that message"
        except ValueError:
            return "is damaged"
        return None

    @property
    def name(self) -> str:
        """Who signed, and when, for messages."""
        return f"{self.message.get('reviewer')} on {self.message.get('signed_at')}"


def registered_key(connection: Connection, reviewer: str) -> str | None:
    """Return the newest public key of a reviewer, hexadecimal; None before the first."""
    query = (
        select(reviewer_keys.c.public_key)
        .where(reviewer_keys.c.reviewer == reviewer)
        .order_by(reviewer_keys.c.sequence.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def signatures_of(connection: Connection, verdicts_sha256: str) -> tuple[Signature, ...]:
    """Return the signatures on a verdict file, the first one first."""
    query = (
        select(signatures_table)
        .where(signatures_table.c.verdicts_sha256 == verdicts_sha256)
        .order_by(signatures_table.c.sequence)
    )
    return tuple(
        Signature(
            message=json.loads(row.message), public_key=row.public_key, signature=row.signature, sequence=row.sequence
        )
        for row in connection.execute(query)
    )


def signature_findings(entries: Sequence[Entry], *, library_id: str) -> Iterator[str]:
    """Return one line for each signature of an audit chain that does not hold.

    Parameters
    ----------
    entries : sequence of Entry
        Whole, in their order.
    library_id : str
        Of the library.
    """
    keys: dict[str, str] = {}
    for entry in entries:
        if entry.action not in ("register key", "sign verdicts"):
            continue
        try:
            record = entry.record
            if entry.action == "register key":
                keys[record["reviewer"]] = record["public_key"]
                continue
            signed = Signature(
                message=record["message"],
                public_key=record["public_key"],
                signature=record["signature"],
                sequence=entry.sequence,
            )
            problem = signed.problem or _contradiction(signed, record, keys, library_id)
        except (ValueError, KeyError, TypeError, AttributeError):
            yield f"entry {entry.sequence} of the audit chain holds no signature or key that can be read"
            continue
        if problem:
            yield f"the signature in entry {entry.sequence}, by {signed.name}, {problem}"


def _contradiction(
    signed: Signature, record: Mapping[str, Any], keys: Mapping[str, str], library_id: str
) -> str | None:
    if keys.get(signed.message["reviewer"]) != signed.public_key:
        return "was made with a key that is not the reviewer's"
    if signed.message["library_id"] != library_id:
        return "is on verdicts of another library"
    if signed.message["verdicts_sha256"] != record["verdicts_sha256"]:
        return "is on another verdict file than its record says"
    return None
