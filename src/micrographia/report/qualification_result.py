"""``verdicts.json``: the models that it follows, and the published schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field, FiniteFloat, JsonValue, NonNegativeInt, PositiveInt

from micrographia.errors import InputError
from micrographia.findings import Decision, Nearest, Qualification, Reason, Verdict, WhereEvidence
from micrographia.qualify.library import Reference
from micrographia.report import records

SCHEMA_NAME: Final = "micrographia/verdicts/1"
SCHEMA_FILE: Final = "verdicts-1.json"
_MAP_DIGITS: Final = 4
_NUMBERS: Final = re.compile(r"\[\n[-+\s\d.,eEnul]+\]")


class LibraryResult(records.Part):
    """The references and criteria that the verdicts rest on."""

    path: str = Field(description="Folder of the library when the verdicts were made")
    id: str
    version: str = Field(description="Hash of the audit entry that last changed its criteria or references")


class CountResult(records.Part):
    """A number of references of each kind."""

    accept: NonNegativeInt
    reject: NonNegativeInt


class PartResult(records.Part):
    """What one encoder, by images or by texts, contributed to a score."""

    encoder: str
    modality: Literal["image", "patches", "text"]
    net: FiniteFloat = Field(description="Net similarity; higher is more like what is accepted")
    z: FiniteFloat | None = Field(description="Net in units of its spread over the references; not a probability")
    weight: FiniteFloat = Field(description="Share in the score")


class ReferenceResult(records.Part):
    """A reference that a verdict rests on."""

    id: str
    polarity: Literal["accept", "reject"]
    similarity: FiniteFloat = Field(description="Cosine, centred and scaled by the references: -1 to 1")
    encoder: str
    file: str
    sha256: str = Field(description="SHA-256 of the image's bytes")


class MapResult(records.Part):
    """Score of each part of the image by itself."""

    tile_px: PositiveInt = Field(description="Side of a part")
    step_px: PositiveInt = Field(description="Distance of neighbouring parts; the first is at the top left corner")
    score: tuple[tuple[FiniteFloat | None, ...], ...] = Field(
        description="Rows from the top, to 4 decimals; null where there is none"
    )


class UnlikeResult(records.Part):
    """Parts of the image that are least like anything accepted, as patches compare them."""

    rows: PositiveInt = Field(description="Parts along the height of the image, all of one size")
    columns: PositiveInt = Field(description="Parts along its width")
    parts: tuple[tuple[NonNegativeInt, NonNegativeInt], ...] = Field(description="Row and column of each, from 0")


class CriterionResult(records.Part):
    """The verdict on one criterion."""

    id: str
    title: str
    verdict: Decision
    score: FiniteFloat | None = Field(description="Weighted sum of z; higher is more acceptable; not a probability")
    p_accept: FiniteFloat | None = Field(description="Conformal p-value of 'it is acceptable'", gt=0, le=1)
    p_reject: FiniteFloat | None = Field(description="Conformal p-value of 'it is to be rejected'", gt=0, le=1)
    p_familiar: FiniteFloat | None = Field(
        description="Conformal p-value of 'it is of the kind of the references'", gt=0, le=1
    )
    rejected_share: FiniteFloat | None = Field(
        description="Share of samples with this score that are to be rejected, were both kinds equally frequent",
        ge=0,
        le=1,
    )
    reason: Reason
    explanation: str
    missing: CountResult = Field(description="References that a decision at this level lacks")
    counts: CountResult = Field(description="References that the verdict rests on")
    parts: tuple[PartResult, ...]
    references: tuple[ReferenceResult, ...] = Field(description="The nearest of either kind, the nearest first")
    map: MapResult | None
    unlike: UnlikeResult | None
    remarks: tuple[str, ...]


class SampleResult(records.Part):
    """The verdicts on one sample."""

    file: str
    sha256: str | None = Field(description="SHA-256 of the file's bytes; null for an image that was never a file")
    disposition: Decision = Field(description="Reject if any criterion rejects, else abstain if any abstains")
    remarks: tuple[str, ...]
    criteria: tuple[CriterionResult, ...]


class VerdictsResult(records.Part):
    """All samples that one command qualified."""

    schema_: Literal["micrographia/verdicts/1"] = Field(alias="schema")
    library: LibraryResult
    software: dict[str, str]
    encoders: dict[str, str] = Field(description="Version of each encoder by its name")
    settings: dict[str, JsonValue]
    alpha: FiniteFloat = Field(description="Share of wrong decisions that is allowed for", gt=0, lt=1)
    samples: tuple[SampleResult, ...]


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What all verdicts of a file rest on alike.

    Parameters
    ----------
    path : str
        Folder of the library.
    library_id, library_version : str
        Which references, exactly.
    encoders : mapping of str to str
        Version of each encoder by its name.
    settings : mapping
        Resolved settings, JSON-ready, with ``alpha``.
    """

    path: str
    library_id: str
    library_version: str
    encoders: Mapping[str, str]
    settings: Mapping[str, Any]

    @staticmethod
    def of(qualification: Qualification, *, path: str) -> Basis:
        """Return what the verdicts on a sample rest on."""
        return Basis(
            path=path,
            library_id=qualification.library_id,
            library_version=qualification.library_version,
            encoders=dict(qualification.encoders),
            settings=dict(qualification.settings),
        )


def verdicts_result(samples: Sequence[SampleResult], basis: Basis) -> VerdictsResult:
    """Return a verdict file as it is written.

    Parameters
    ----------
    samples : sequence of SampleResult
        From `sample_result`.
    basis : Basis
        What all of them rest on.
    """
    return VerdictsResult.model_validate(
        {
            "schema": SCHEMA_NAME,
            "library": LibraryResult(path=basis.path, id=basis.library_id, version=basis.library_version),
            "software": records.versions(),
            "encoders": dict(sorted(basis.encoders.items())),
            "settings": json.loads(json.dumps(dict(basis.settings))),
            "alpha": basis.settings["alpha"],
            "samples": tuple(samples),
        }
    )


def sample_result(qualification: Qualification, references: Mapping[str, Reference]) -> SampleResult:
    """Return the verdicts on one sample as they are written.

    Parameters
    ----------
    qualification : Qualification
        The verdicts.
    references : mapping of str to Reference
        References of the library by their ids.

    Raises
    ------
    InputError
        A verdict rests on a reference that is not among them.
    """
    source = qualification.micrograph.provenance
    return SampleResult(
        file=source.file,
        sha256=source.sha256,
        disposition=qualification.disposition,
        remarks=qualification.remarks,
        criteria=tuple(_criterion(verdict, references) for verdict in qualification.verdicts),
    )


def verdicts_json(result: VerdictsResult) -> bytes:
    """Return a verdict file, byte for byte the same for the same verdicts."""
    tree = result.model_dump(mode="json", by_alias=True)
    lines = json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False)
    # A row of a map is one line. No text of JSON holds a line break, so only lists begin like this.
    rows = _NUMBERS.sub(lambda row: re.sub(r"\s+", " ", row[0]).replace("[ ", "[").replace(" ]", "]"), lines)
    return (rows + "\n").encode()


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of the models, as it should be published in ``report/schemas``."""
    return records.schema_of(VerdictsResult, {SCHEMA_FILE: SCHEMA_NAME}[file])


def _criterion(verdict: Verdict, references: Mapping[str, Reference]) -> CriterionResult:
    return CriterionResult(
        id=verdict.criterion,
        title=verdict.title,
        verdict=verdict.verdict,
        score=verdict.score,
        p_accept=verdict.p_accept,
        p_reject=verdict.p_reject,
        p_familiar=verdict.p_familiar,
        rejected_share=verdict.rejected_share,
        reason=verdict.reason,
        explanation=verdict.explanation,
        missing=CountResult(accept=verdict.missing[0], reject=verdict.missing[1]),
        counts=CountResult(accept=verdict.counts[0], reject=verdict.counts[1]),
        parts=tuple(PartResult(**vars(part)) for part in verdict.parts),
        references=tuple(_reference(near, references) for near in verdict.references),
        map=None if verdict.where is None else _map(verdict.where),
        unlike=None if verdict.unlike is None else _unlike(verdict.unlike),
        remarks=verdict.remarks,
    )


def _unlike(parts: Bool[np.ndarray, "row col"]) -> UnlikeResult:
    rows, columns = parts.shape
    return UnlikeResult(rows=rows, columns=columns, parts=tuple((int(r), int(c)) for r, c in np.argwhere(parts)))


def _reference(near: Nearest, references: Mapping[str, Reference]) -> ReferenceResult:
    if near.reference not in references:
        raise InputError(f"a verdict rests on reference {near.reference!r}, which the library does not hold any more")
    held = references[near.reference]
    return ReferenceResult(
        id=near.reference,
        polarity=near.polarity,
        similarity=near.similarity,
        encoder=near.encoder,
        file=held.file,
        sha256=held.image_sha256,
    )


def _map(where: WhereEvidence) -> MapResult:
    return MapResult(tile_px=where.tile_px, step_px=where.step_px, score=_rounded(where.score))


def _rounded(score: Float[np.ndarray, "row col"]) -> tuple[tuple[float | None, ...], ...]:
    """Round without ever writing -0, and say null for what is no number."""
    rows = (np.round(score.astype(np.float64), _MAP_DIGITS) + 0.0).tolist()
    return tuple(tuple(v if math.isfinite(v) else None for v in row) for row in rows)
