"""``result.json`` of an overview and of a batch: the models that they follow, and the published schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from micrographia.cues import Cue
from micrographia.instruct.describing import Sentence
from micrographia.micrograph import Micrograph
from micrographia.report.batch_entry import BatchEntry
from micrographia.report.description_result import CueResult, DescriptionResult, cue_result, description_result
from micrographia.report.records import (
    ContextResult,
    Part,
    ScanResult,
    context_result,
    scan_result,
    schema_of,
    versions,
)


class OverviewResult(Part):
    """What can be told about a micrograph without deciding what it shows."""

    schema_: Literal["micrographia/overview/1"] = Field(alias="schema")
    scan: ScanResult
    cues: tuple[CueResult, ...]
    description: DescriptionResult
    context: ContextResult
    advice: tuple[str, ...]
    software: dict[str, str] = Field(description="Version of each package that the result rests on")


class BatchEntryResult(Part):
    """One scan of a batch."""

    name: str
    folder: str | None = Field(description="Folder of its results beside this file; null when it failed")
    headline: str | None
    error: str | None = Field(description="Why it failed; null when it did not")


class BatchResult(Part):
    """The scans of one run, each with a folder of results."""

    schema_: Literal["micrographia/batch/1"] = Field(alias="schema")
    scans: tuple[BatchEntryResult, ...]
    software: dict[str, str]


SCHEMAS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "overview-1.json": (OverviewResult, "micrographia/overview/1"),
    "batch-1.json": (BatchResult, "micrographia/batch/1"),
}
"""Published file, model and identifier of each schema of this module."""


def overview_result(
    micrograph: Micrograph, cues: Sequence[Cue], advice: Sequence[str], *, described: Sequence[Sentence] = ()
) -> OverviewResult:
    """Return what ``result.json`` of an overview says.

    Parameters
    ----------
    micrograph : Micrograph
        What was looked at.
    cues : sequence of Cue
        What was measured.
    advice : sequence of str
        What would tell more.
    described : sequence of Sentence
        The image in words.
    """
    return OverviewResult(
        schema="micrographia/overview/1",
        scan=scan_result(micrograph),
        cues=tuple(cue_result(cue) for cue in cues),
        description=description_result(described),
        context=context_result(micrograph.context),
        advice=tuple(advice),
        software=versions(),
    )


def batch_result(entries: Sequence[BatchEntry]) -> BatchResult:
    """Return what ``result.json`` of a batch says."""
    return BatchResult(
        schema="micrographia/batch/1",
        scans=tuple(
            BatchEntryResult(name=e.name, folder=e.folder, headline=e.headline, error=e.error) for e in entries
        ),
        software=versions(),
    )


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of one of `SCHEMAS`, made from its model."""
    return schema_of(*SCHEMAS[file])
