"""``measurements.json`` and its tables: the models that they follow, and the published schema."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt

from micrographia.report.records import Part, schema_of, versions
from micrographia.segment.measure import Measurement, rows_of
from micrographia.segment.measured import Measured

ALL_FIELDS: Final = "all fields"
_COLUMNS: Final = (
    *("field", "class", "name", "value", "unit", "low", "high", "count", "counted", "clause", "method", "note"),
)


class MeasurementResult(Part):
    """One number with its interval."""

    field: str = Field(description=f"Name of the field, or {ALL_FIELDS!r}")
    class_: str = Field(alias="class", description="What it was measured on")
    name: str
    value: FiniteFloat | None = Field(description="null where it cannot be told; the note says why")
    unit: str
    low: FiniteFloat | None = Field(description="Lower end of the 95 % interval; null where none can be given")
    high: FiniteFloat | None = Field(description="Upper end of the 95 % interval; null where none can be given")
    count: NonNegativeInt = Field(description="How much the number rests on")
    counted: str = Field(description="What is counted there")
    clause: str = Field(description="Standard that describes the method; empty where there is none")
    method: str
    note: str


class KindResult(Part):
    """What a class was measured as."""

    name: str
    kind: str
    reason: str


class FieldResult(Part):
    """One field of view."""

    name: str
    width_px: NonNegativeInt
    height_px: NonNegativeInt
    unfamiliar: bool = Field(description="Whether the image is unlike those that the model learned from")
    warning: str = Field(description="Why its mask means little; empty where nothing speaks against it")


class MeasurementsResult(Part):
    """All that was measured on the fields of one specimen."""

    schema_: Literal["micrographia/measurements/1"] = Field(alias="schema")
    pixel_size_nm: FiniteFloat | None = Field(description="null: lengths are in pixels")
    pixel_size_origin: str | None
    source: str = Field(description="SHA-256 of the model, or where the masks came from")
    fields: tuple[FieldResult, ...]
    kinds: tuple[KindResult, ...]
    measurements: tuple[MeasurementResult, ...]
    software: dict[str, str]


SCHEMAS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "measurements-1.json": (MeasurementsResult, "micrographia/measurements/1"),
}
"""Published file, model and identifier of each schema of this module."""


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of one of `SCHEMAS`, made from its model."""
    return schema_of(*SCHEMAS[file])


def measurements_result(measured: Measured, *, source: str, pixel_size_origin: str | None) -> MeasurementsResult:
    """Return what ``measurements.json`` says.

    Parameters
    ----------
    measured : Measured
        What was measured.
    source : str
        SHA-256 of the model, or where the masks came from.
    pixel_size_origin : str, optional
        Who said what the pixel size is.
    """
    return MeasurementsResult.model_validate(
        {
            "schema": "micrographia/measurements/1",
            "pixel_size_nm": measured.scale.pixel_size_nm,
            "pixel_size_origin": pixel_size_origin,
            "source": source,
            "fields": tuple(
                FieldResult(
                    name=f.name,
                    width_px=f.segmentation.mask.shape[1],
                    height_px=f.segmentation.mask.shape[0],
                    unfamiliar=f.segmentation.unfamiliar,
                    warning=f.segmentation.warning,
                )
                for f in measured.fields
            ),
            "kinds": tuple(KindResult(name=c.name, kind=c.kind, reason=c.reason) for c in measured.classes),
            "measurements": tuple(_result(where, m) for where, m in listed(measured)),
            "software": versions(),
        }
    )


def listed(measured: Measured) -> list[tuple[str, Measurement]]:
    """Return every measurement with the field that it is of, class by class."""
    rows: list[tuple[str, Measurement]] = []
    for one in measured.classes:
        rows += [(ALL_FIELDS if len(measured.fields) > 1 else measured.fields[0].name, m) for m in one.overall]
        for field, found in zip(measured.fields, one.by_field, strict=False):
            rows += [(field.name, m) for m in found]
    return rows


def measurements_csv(measured: Measured) -> str:
    """Return every measurement as a row of a CSV table."""
    return _csv(_COLUMNS, [_result(where, m).model_dump(by_alias=True) for where, m in listed(measured)])


def objects_csv(measured: Measured) -> str | None:
    """Return every object of every class as a row of a CSV table; None where there are none."""
    rows: list[dict[str, Any]] = []
    for one in measured.classes:
        if one.objects is None:
            continue
        for row in rows_of(one.objects, scale=measured.scale):
            rows.append({"image": measured.fields[int(row["field"])].name, "class": one.name, **row})
    return _csv(tuple(rows[0]), rows) if rows else None


def _result(where: str, m: Measurement) -> MeasurementResult:
    return MeasurementResult.model_validate(
        {
            "field": where,
            "class": m.of,
            "name": m.name,
            "value": m.value,
            "unit": m.unit,
            "low": m.low,
            "high": m.high,
            "count": m.count,
            "counted": m.counted,
            "clause": m.clause,
            "method": m.method,
            "note": m.note,
        }
    )


def _csv(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {k: "" if v is None else f"{v:.10g}" if isinstance(v, float) else v for k, v in r.items()} for r in rows
    )
    return text.getvalue()
