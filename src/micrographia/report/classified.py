"""Files of `micrographia classify`: a table, one JSON that says everything, and the report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeFloat, PositiveInt

from micrographia.embed.read_out import PatchEvidence, ReadOut
from micrographia.micrograph import Micrograph
from micrographia.qualify.classify.classifier import UNKNOWN, Classifier
from micrographia.qualify.classify.decide import ClassifySettings, Decision, Reason, shortages
from micrographia.qualify.classify.record import ClassifierRecord, Share
from micrographia.report.folder import new_folder
from micrographia.report.qualification_pictures import Shown, shown
from micrographia.report.read_out import PatchEvidenceResult, ReadOutResult, patch_evidence_result, read_out_result
from micrographia.report.records import Part, ScanResult, scan_result, schema_of, versions

_DIGITS: Final = 6


class ClassChance(Part):
    """One class of one image."""

    name: str
    probability: FiniteFloat = Field(ge=0, le=1, description="As if all classes were equally frequent")
    p_value: FiniteFloat = Field(gt=0, le=1, description="Conformal; the class is ruled out where it is at most alpha")


class NearResult(Part):
    """A training image near the one that was classified."""

    file: str
    sha256: str
    class_: str = Field(alias="class")
    specimen: str
    distance: NonNegativeFloat = Field(description="Root mean square difference of standardised features")


class ClassifiedResult(Part):
    """One image."""

    scan: ScanResult
    class_: str | None = Field(alias="class", description="Null where it is unknown")
    likeliest: str = Field(description="Most probable class, said or not")
    candidates: tuple[str, ...] = Field(description="Classes that are not ruled out, the most probable first")
    reason: Reason
    classes: tuple[ClassChance, ...]
    distance: NonNegativeFloat = Field(description="Mean distance to the nearest training images")
    p_familiar: FiniteFloat = Field(gt=0, le=1, description="Conformal p-value of being like the training images")
    nearest: tuple[NearResult, ...]
    remarks: tuple[str, ...]
    evidence: PatchEvidenceResult | None = Field(
        default=None, description="Which parts speak for the most probable class; null for encoders that cannot say"
    )
    read_out: ReadOutResult | None = Field(
        default=None, description="What the encoder attended to; null for encoders that cannot say"
    )


class ModelResult(Part):
    """What decided."""

    path: str
    weights_sha256: str
    encoder: str
    encoder_version: str
    images: PositiveInt = Field(description="Images that it learned from")
    accuracy: Share
    balanced_accuracy: Share
    software: dict[str, str] = Field(description="What it was trained by")


class FailureResult(Part):
    """An image that could not be classified."""

    file: str
    error: str


class ClassesResult(Part):
    """All images that one command classified."""

    schema_: Literal["micrographia/classes/1"] = Field(alias="schema")
    model: ModelResult
    alpha: FiniteFloat = Field(description="Share of the images of any class whose own class may be ruled out")
    unlike: FiniteFloat = Field(description="Share of familiar images that may be called unlike the training images")
    remarks: tuple[str, ...] = Field(description="What too few training images make impossible")
    images: tuple[ClassifiedResult, ...]
    failures: tuple[FailureResult, ...]
    software: dict[str, str]


SCHEMAS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "classes-1.json": (ClassesResult, "micrographia/classes/1"),
    "classifier-1.json": (ClassifierRecord, "micrographia/classifier/1"),
}
"""Published file, model and identifier of each schema of this module."""


@dataclass(frozen=True, kw_only=True)
class Classified:
    """An image with its class as it is written and shown: without its pixels, as there may be many.

    Parameters
    ----------
    result : ClassifiedResult
        What is said of it.
    picture : Shown
        What it looks like.
    """

    result: ClassifiedResult
    picture: Shown


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of a result of this module, made from its model."""
    model, name = SCHEMAS[file]
    return schema_of(model, name)


def classified(
    micrograph: Micrograph,
    found: Decision,
    classifier: Classifier,
    *,
    evidence: PatchEvidence | None = None,
    read_out: ReadOut | None = None,
) -> Classified:
    """Return an image with its class as it is written and shown.

    Parameters
    ----------
    micrograph : Micrograph
        The image.
    found : Decision
        What is said of it.
    classifier : Classifier
        What decided.
    evidence : PatchEvidence, optional
        Which patches speak for the most probable class.
    read_out : ReadOut, optional
        What the encoder attended to.
    """
    result = _result(micrograph, found, classifier)
    seen = {
        "evidence": None if evidence is None else patch_evidence_result(evidence),
        "read_out": None if read_out is None else read_out_result(read_out),
    }
    return Classified(result=result.model_copy(update=seen), picture=shown(micrograph))


def headline(image: ClassifiedResult) -> str:
    """Return what is said of an image, in a line."""
    chance = {c.name: c.probability for c in image.classes}
    if image.class_ is not None:
        return f"{image.class_} ({chance[image.class_]:.2f})"
    if image.reason == "ambiguous" and len(image.candidates) > 1:
        return f"{UNKNOWN}: " + " or ".join(f"{name} ({chance[name]:.2f})" for name in image.candidates)
    return f"{UNKNOWN}: {image.reason}; nearest to {image.likeliest} ({chance[image.likeliest]:.2f})"


def write_classes(
    images: Sequence[Classified],
    classifier: Classifier,
    record: ClassifierRecord,
    out: Path,
    *,
    path: Path,
    settings: ClassifySettings,
    failures: Sequence[tuple[str, str]] = (),
) -> ClassesResult:
    """Write ``classes.csv``, ``result.json`` and ``report.html``; all of them, or nothing.

    Parameters
    ----------
    images : sequence of Classified
        At least one.
    classifier : Classifier
        What decided.
    record : ClassifierRecord
        What was measured on it.
    out : Path
        Folder for the results. When it exists, files of the same name are replaced and others stay.
    path : Path
        Folder of the classifier.
    settings : ClassifySettings
        When a class was said.
    failures : sequence of (str, str)
        Files that could not be classified, and why.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    from micrographia.report.classified_page import classified_page

    result = ClassesResult.model_validate(
        {
            "schema": "micrographia/classes/1",
            "model": ModelResult(
                path=str(path),
                weights_sha256=record.weights_sha256,
                encoder=record.encoder.name,
                encoder_version=record.encoder.version,
                images=len(record.images),
                accuracy=record.measured.accuracy,
                balanced_accuracy=record.measured.balanced_accuracy,
                software=record.software,
            ),
            "alpha": settings.alpha,
            "unlike": settings.unlike,
            "remarks": shortages(classifier, settings),
            "images": tuple(image.result for image in images),
            "failures": tuple(FailureResult(file=file, error=error) for file, error in failures),
            "software": versions(),
        }
    )
    page = classified_page(result, [image.picture for image in images], record)
    said = json.dumps(result.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
    with new_folder(out) as folder:
        (folder / "classes.csv").write_text(classes_csv(result), encoding="utf-8")
        (folder / "result.json").write_text(said + "\n", encoding="utf-8")
        (folder / "report.html").write_text(page, encoding="utf-8")
    return result


def classes_csv(result: ClassesResult) -> str:
    """Return the table, one row an image; where no class is said it holds "unknown"."""
    names = [c.name for c in result.images[0].classes]
    handle = io.StringIO()
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(
        ["file", "sha256", "class", "reason", "likeliest", "candidates", "p_familiar", "distance", "nearest"]
        + [f"p_{name}" for name in names]
    )
    for image in result.images:
        writer.writerow(
            [image.scan.file, image.scan.sha256 or "", image.class_ or UNKNOWN, image.reason, image.likeliest]
            + [" | ".join(image.candidates), image.p_familiar, image.distance, image.nearest[0].file]
            + [c.probability for c in image.classes]
        )
    return handle.getvalue()


def _result(micrograph: Micrograph, found: Decision, classifier: Classifier) -> ClassifiedResult:
    return ClassifiedResult.model_validate(
        {
            "scan": scan_result(micrograph),
            "class": found.label,
            "likeliest": found.likeliest,
            "candidates": found.candidates,
            "reason": found.reason,
            "classes": tuple(
                ClassChance(name=name, probability=round(p, _DIGITS), p_value=round(q, _DIGITS))
                for name, p, q in zip(classifier.classes, found.probability, found.p_class, strict=True)
            ),
            "distance": round(found.distance, _DIGITS),
            "p_familiar": round(found.p_familiar, _DIGITS),
            "nearest": tuple(
                NearResult.model_validate(
                    {
                        "file": near.image.file,
                        "sha256": near.image.sha256,
                        "class": classifier.classes[near.image.label],
                        "specimen": near.image.specimen,
                        "distance": round(near.distance, _DIGITS),
                    }
                )
                for near in found.nearest
            ),
            "remarks": found.remarks,
        }
    )
