"""A library's audit chain as files for an assessor: JSON with a published schema, or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, JsonValue, PositiveInt

from micrographia.errors import OutputError
from micrographia.qualify.library.trail import Step
from micrographia.report.folder import new_folder
from micrographia.report.records import Part, schema_of, versions

SCHEMA_NAME: Final = "micrographia/audit/1"


class CheckResult(Part):
    """That a reviewer signed."""

    reviewer: str
    at: str
    decision: str
    sequence: PositiveInt = Field(description="Number of the entry that holds the signature")


class StepResult(Part):
    """One entry of the audit chain."""

    sequence: PositiveInt
    time: str = Field(description="UTC, ISO 8601")
    performed_by: str
    action: str
    subject: str
    checked_by: tuple[CheckResult, ...] = Field(description="Reviewers that signed the verdicts of this entry")
    original: dict[str, JsonValue] | None = Field(
        description="Values before an amendment; null where nothing was amended"
    )
    amended: dict[str, JsonValue] | None = Field(description="Values after an amendment")
    reason: str | None
    software_version: str
    library_version: str = Field(description="Version of the library after this entry")
    payload: JsonValue = Field(description="What was recorded")
    previous: str = Field(description="Hash of the entry before")
    hash: str = Field(
        description="SHA-256 of the canonical JSON (sorted keys, no spaces, UTF-8) of sequence, time, actor, action, "
        "payload and previous"
    )


class AuditResult(Part):
    """All that was done to a library and with it (ISO/IEC 17025:2017, 7.5)."""

    schema_: Literal["micrographia/audit/1"] = Field(alias="schema")
    library: str = Field(description="Id of the library")
    findings: tuple[str, ...] = Field(description="What is not as it was written; empty for a clean library")
    entries: tuple[StepResult, ...]
    versions: dict[str, str]


def audit_result(steps: Sequence[Step], *, library_id: str, findings: Sequence[str]) -> AuditResult:
    """Return an audit chain as it is written.

    Parameters
    ----------
    steps : sequence of Step
        As `micrographia.qualify.library.trail.audit_trail` returns them.
    library_id : str
        Of the library.
    findings : sequence of str
        What was found when it was verified.
    """
    return AuditResult(
        schema=SCHEMA_NAME,
        library=library_id,
        findings=tuple(findings),
        entries=tuple(_step_result(step) for step in steps),
        versions=versions(),
    )


def write_audit(result: AuditResult, out: Path) -> None:
    """Write an audit chain to a ``.json`` or ``.csv`` file.

    Raises
    ------
    OutputError
        The name ends in something else, or the file cannot be written.
    """
    if out.suffix.lower() not in (".json", ".csv"):
        raise OutputError(f"--out is {out}; accepted is a file name that ends in .json or .csv")
    text = audit_json(result) if out.suffix.lower() == ".json" else audit_csv(result)
    with new_folder(out.parent) as folder:
        (folder / out.name).write_bytes(text.encode())


def audit_json(result: AuditResult) -> str:
    """Return an audit chain as JSON."""
    return json.dumps(result.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def audit_csv(result: AuditResult) -> str:
    """Return an audit chain as CSV, one line an entry; what has parts is JSON in its cell."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(StepResult.model_fields)
    for entry in result.entries:
        table.writerow([_cell(value) for value in entry.model_dump(mode="json").values()])
    return written.getvalue()


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of the models, as it should be published in ``report/schemas``."""
    return schema_of(AuditResult, {"audit-1.json": SCHEMA_NAME}[file])


def _step_result(step: Step) -> StepResult:
    entry = step.entry
    return StepResult(
        sequence=entry.sequence,
        time=entry.time,
        performed_by=entry.actor,
        action=entry.action,
        subject=step.subject,
        checked_by=tuple(CheckResult(**vars(check)) for check in step.checked_by),
        original=None if step.original is None else dict(step.original),
        amended=None if step.amended is None else dict(step.amended),
        reason=step.reason,
        software_version=entry.software,
        library_version=step.library_version,
        payload=entry.tree,
        previous=entry.previous,
        hash=entry.hash,
    )


def _cell(value: Any) -> str | int:
    """Return a value as a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, int):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
