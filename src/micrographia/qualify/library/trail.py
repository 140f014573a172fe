"""The audit chain as an assessor reads it: who did what and when, who checked it, what it was before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from micrographia.errors import IntegrityError
from micrographia.qualify.library.chain import Entry, entries
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.tables import CONTENT
from micrographia.qualify.library.transactions import looking


@dataclass(frozen=True, kw_only=True)
class Check:
    """That a reviewer signed: who, when, what was decided, and the number of the entry that says so."""

    reviewer: str
    at: str
    decision: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One entry of the audit chain in an assessor's terms (ISO/IEC 17025:2017, 7.5).

    Parameters
    ----------
    entry : Entry
        As it is in the chain.
    subject : str
        What it is about.
    original, amended : mapping, optional
        What was amended: the values before, which are kept, and after. None where nothing was.
    reason : str, optional
        Why.
    checked_by : tuple of Check
        Reviewers that signed the verdicts of this entry, up to now.
    library_version : str
        Version of the library after this entry.
    """

    entry: Entry
    subject: str
    original: Mapping[str, Any] | None
    amended: Mapping[str, Any] | None
    reason: str | None
    checked_by: tuple[Check, ...]
    library_version: str


def audit_trail(library: Library) -> tuple[Step, ...]:
    """Return all that was done to a library and with it, the first step first.

    Raises
    ------
    IntegrityError
        An entry cannot be read; `micrographia.qualify.library.verify.verify_library` says which.
    """
    with looking(library) as connection:
        chain = entries(connection)
    try:
        return _steps(chain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            f"library {library.folder}: the audit chain was altered and cannot be read; see `micrographia audit verify`"
        ) from error


def _steps(chain: Sequence[Entry]) -> tuple[Step, ...]:
    checks: dict[str, list[Check]] = {}
    for entry in chain:
        if entry.action == "sign verdicts":
            checks.setdefault(entry.record["verdicts_sha256"], []).append(_check(entry))
    steps, version = [], ""
    state: dict[str, dict[str, Any]] = {}
    for entry in chain:
        version = entry.hash if entry.action in CONTENT else version
        subject, record = _subject(entry), entry.record
        original, amended = _amendment(entry, subject, state)
        state[subject] = record
        steps.append(
            Step(
                entry=entry,
                subject=subject,
                original=original,
                amended=amended,
                reason=_reason(record),
                checked_by=tuple(checks.get(record["verdicts_sha256"], ()))
                if entry.action == "record verdicts"
                else (),
                library_version=version,
            )
        )
    return tuple(steps)


def _check(entry: Entry) -> Check:
    message = entry.record["message"]
    return Check(
        reviewer=message["reviewer"],
        at=message["signed_at"],
        decision=message["decision"],
        sequence=entry.sequence,
    )


def _reason(record: Mapping[str, Any]) -> str | None:
    reason = record.get("reason", record.get("message", {}).get("reason"))
    return None if reason is None else str(reason)


def _subject(entry: Entry) -> str:
    record = entry.record
    named = {
        "create library": ("library", "id"),
        "set criterion": ("criterion", "criterion_id"),
        "add reference": ("reference", "id"),
        "retire reference": ("reference", "reference_id"),
        "record opinion": ("opinion on image", "image_sha256"),
        "record verdicts": ("verdicts", "verdicts_sha256"),
        "sign verdicts": ("signature on verdicts", "verdicts_sha256"),
        "register key": ("key of", "reviewer"),
        "store embeddings": ("embeddings of", "encoder"),
    }
    if entry.action not in named:
        return entry.action
    what, key = named[entry.action]
    return f"{what} {record[key]}"


def _amendment(
    entry: Entry, subject: str, state: Mapping[str, Mapping[str, Any]]
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Return values before and after an amendment."""
    record, before = entry.record, state.get(subject)
    if entry.action == "retire reference":
        return before, {"retired": True}
    if entry.action in ("set criterion", "register key") and before is not None:
        changed = [name for name in record if record[name] != before.get(name) and name != "reason"]
        return {name: before[name] for name in changed}, {name: record[name] for name in changed}
    if entry.action == "sign verdicts" and record["message"]["decision"] != "confirm":
        return _overruled(record["message"], state)
    return None, None


def _overruled(
    message: Mapping[str, Any], state: Mapping[str, Mapping[str, Any]]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    verdicts = state[f"verdicts {message['verdicts_sha256']}"]
    sample = next(s for s in verdicts["samples"] if s["sha256"] == message["sample"])
    scope = {"sample": message["sample"], "criterion": message["criterion"]}
    new = str(message["decision"]).removeprefix("overrule ")
    return {**scope, "verdict": sample["criteria"][message["criterion"]]}, {**scope, "verdict": new}
