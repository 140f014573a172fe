"""What every ``result.json`` says alike: the scan, the context, the software; and how schemas are published."""

from __future__ import annotations

import json
import platform
from importlib import metadata, resources
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, NonNegativeInt

from micrographia.context import Context, Origin
from micrographia.micrograph import Micrograph
from micrographia.report.fields import FIELDS


class Part(BaseModel):
    """A part of a result: unchangeable, and without fields that the schema does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class ScanResult(Part):
    """The scan that was read."""

    file: str = Field(description="File name, with ::image appended where a file holds several")
    sha256: str | None = Field(description="SHA-256 of the file's bytes; null for an image that was never a file")
    reader: str
    width_px: NonNegativeInt
    height_px: NonNegativeInt
    channels: NonNegativeInt
    pixel_size_nm: FiniteFloat | None
    pixel_size_origin: Origin | None


class KnownValue(Part):
    """One known value of the context."""

    value: JsonValue
    unit: str
    origin: Origin


class ContextResult(Part):
    """The context used: known values with origins, and the names of what is unknown."""

    known: dict[str, KnownValue]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


def scan_result(micrograph: Micrograph) -> ScanResult:
    """Return what was read."""
    channels, height, width = micrograph.frames.shape
    return ScanResult(
        file=micrograph.provenance.file,
        sha256=micrograph.provenance.sha256,
        reader=micrograph.provenance.reader,
        width_px=width,
        height_px=height,
        channels=channels,
        pixel_size_nm=micrograph.pixel_size_nm,
        pixel_size_origin=None if micrograph.pixel_size_nm is None else micrograph.pixel_size_origin,
    )


def context_result(context: Context) -> ContextResult:
    """Return the context: what is known and by whom, what is unknown, what was not believed."""
    return ContextResult(
        known={
            name: KnownValue(
                value=json.loads(json.dumps(value)), unit=FIELDS.get(name, ("", ""))[1], origin=context.origins[name]
            )
            for name, value in context.known().items()
        },
        unknown=tuple(name for name in FIELDS if getattr(context, name) is None),
        notes=context.notes,
    )


def versions() -> dict[str, str]:
    """Return the versions of Micrographia, NumPy, SciPy and Python."""
    packages = {name: metadata.version(name) for name in ("micrographia", "numpy", "scipy")}
    return {**packages, "python": platform.python_version()}


def schema_of(model: type[BaseModel], name: str) -> dict[str, Any]:
    """Return the JSON Schema of a result, made from its model."""
    schema = model.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": name, **schema}


def read_schema(file: str) -> dict[str, Any]:
    """Return a JSON Schema that this version publishes.

    Examples
    --------
    >>> read_schema("defects-1.json")["$id"]
    'micrographia/defects/1'
    """
    raw = resources.files("micrographia.report").joinpath("schemas", file).read_text(encoding="utf-8")
    return dict(json.loads(raw))
