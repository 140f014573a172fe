"""A context as text: the file a user writes, the sidecar of an array, the record in files that we write."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import numpy as np
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from micrographia.context import ORIGINS, Context, Origin
from micrographia.errors import ContextError, ReadError
from micrographia.micrograph import Micrograph
from micrographia.read.entry import Recorded

_MOST_BYTES: Final = 1_000_000
EXAMPLE: Final = "pixel_size_nm: 0.02, energy_kev: 80, host: WSe2, dopants: [Ti], collection_mrad: [[76, 200]]"
"""A context file in one line, for messages."""

_PLAIN: Final = (
    "technique",
    "host",
    "energy_kev",
    "convergence_mrad",
    "camera_length_mm",
    "probe_current_pa",
    "dose_e_per_A2",
    "dwell_us",
    "working_distance_mm",
    "magnification",
    "tilt_deg",
    "date",
    "sample",
)
_PER_CHANNEL: Final = ("collection_mrad", "detectors")


Model = TypeVar("Model", bound="ContextRecord")


def _listed(value: Any) -> Any:
    """Let one word stand for a list of one, as people write ``dopants: Ti``."""
    return [value] if isinstance(value, str) else value


def _pairs(value: Any) -> Any:
    """Let one pair stand for a list of one pair, as people write ``collection_mrad: [76, 200]``."""
    is_pair = isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
    return [value] if is_pair else value


def _dated(value: Any) -> Any:
    """Undo YAML's turning of an ISO 8601 date into a date object."""
    return value.isoformat() if isinstance(value, date | datetime) else value


class ContextRecord(BaseModel):
    """What a context file may hold: the fields of `micrographia.context.Context`, and the pixel size [nm]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    technique: str | None = None
    host: str | None = None
    dopants: Annotated[tuple[str, ...] | None, BeforeValidator(_listed)] = None
    energy_kev: float | None = None
    convergence_mrad: float | None = None
    collection_mrad: Annotated[tuple[tuple[float, float] | None, ...] | None, BeforeValidator(_pairs)] = None
    detectors: Annotated[tuple[str | None, ...] | None, BeforeValidator(_listed)] = None
    camera_length_mm: float | None = None
    probe_current_pa: float | None = None
    dose_e_per_A2: float | None = None  # noqa: N815 - the unit's own spelling
    dwell_us: float | None = None
    working_distance_mm: float | None = None
    magnification: float | None = None
    tilt_deg: float | None = None
    date: Annotated[str | None, BeforeValidator(_dated)] = None
    sample: str | None = None
    notes: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    pixel_size_nm: float | None = Field(default=None)


class ScanRecord(ContextRecord):
    """What the sidecar of an array, or the record in a file that we wrote, may hold besides."""

    channels: bool = False
    origins: dict[str, Origin] | None = None
    pixel_size_origin: Origin = "file"


@dataclass(frozen=True, kw_only=True)
class GivenContext:
    """What a user says about a scan.

    Parameters
    ----------
    context : Context
        Its fields have the origin ``"user"``.
    pixel_size_nm : float, optional
        Pixel size [nm].
    """

    context: Context
    pixel_size_nm: float | None


def read_context(path: str | Path) -> GivenContext:
    r"""Read a context that a user wrote, in YAML or JSON.

    Parameters
    ----------
    path : str or Path
        A file with fields of `Context` and ``pixel_size_nm``. Angles are pairs ``[inner, outer]`` in mrad, one a
        channel, or null.

    Raises
    ------
    ContextError
        The file is missing, is no YAML or JSON, has an unknown key, or a value is impossible.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "context.yaml"
    ...     _ = path.write_text("host: WSe2\nenergy_kev: 80\npixel_size_nm: 0.02\n")
    ...     given = read_context(path)
    >>> given.context.energy_kev, given.context.origins["host"], given.pixel_size_nm
    (80.0, 'user', 0.02)
    """
    path = Path(path)
    record = _validated(ContextRecord, _mapping(path), file=path.name)
    return GivenContext(context=_context(record, "user", file=path.name), pixel_size_nm=record.pixel_size_nm)


def read_sidecar(path: Path) -> ScanRecord:
    """Read the sidecar of an array.

    Parameters
    ----------
    path : Path
        YAML or JSON.

    Raises
    ------
    ContextError
        As `read_context`.
    """
    return _validated(ScanRecord, _mapping(path), file=path.name)


def record_of(micrograph: Micrograph) -> dict[str, Any]:
    """Return everything about a micrograph but its pixels and provenance, ready for JSON or YAML.

    Examples
    --------
    >>> import numpy as np
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> zeros = np.zeros((1, 8, 8), dtype=np.float32)
    >>> scan = Micrograph(frames=zeros, pixel_size_nm=0.1, context=Context(), provenance=source)
    >>> record_of(scan)
    {'pixel_size_nm': 0.1, 'pixel_size_origin': 'file', 'channels': True, 'origins': {}}
    """
    known = {
        name: [list(v) if isinstance(v, tuple) else v for v in value] if isinstance(value, tuple) else value
        for name, value in micrograph.context.known().items()
    }
    record: dict[str, Any] = {**known, "pixel_size_nm": micrograph.pixel_size_nm}
    if micrograph.context.notes:
        record["notes"] = list(micrograph.context.notes)
    record["pixel_size_origin"] = micrograph.pixel_size_origin
    record["channels"] = True
    record["origins"] = dict(micrograph.context.origins)
    return record


def recorded_by_us(
    written: str, *, pixels: np.ndarray, name: str, file: str, raw_metadata: Mapping[str, Any]
) -> Recorded:
    """Return the image of a file that we wrote, from the JSON record that it carries.

    Parameters
    ----------
    written : str
        The record, JSON.
    pixels : array (height, width) or (channel, height, width)
        Intensities.
    name, file : str
        Name of the image, and of its file for messages.
    raw_metadata : mapping
        Metadata beside the record.

    Raises
    ------
    ContextError
        The record has been edited into something impossible.
    """
    try:
        tree = json.loads(written)
    except ValueError as error:
        raise ContextError(f"{file}: the record of Micrographia in it is no JSON any more ({error})") from error
    record = _validated(ScanRecord, tree, file=file)
    return recorded_with(record, pixels=pixels, name=name, file=file, raw_metadata=raw_metadata)


def recorded_with(
    record: ScanRecord, *, pixels: np.ndarray, name: str, file: str, raw_metadata: Mapping[str, Any]
) -> Recorded:
    """Return an image with the context of a record, as `recorded_by_us` does."""
    if not 2 <= pixels.ndim <= 3:
        raise ReadError(f"{file} has shape {pixels.shape}; accepted is (height, width) or (channel, height, width)")
    return Recorded(
        name=name,
        kind="channels" if pixels.ndim == 3 else "image",
        pixels=pixels,
        pixel_size_nm=record.pixel_size_nm,
        context=_context(record, "file", file=file),
        raw_metadata=raw_metadata,
        pixel_size_origin=record.pixel_size_origin,
    )


def _mapping(path: Path) -> Any:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ContextError(f"{path.name} has more than {_MOST_BYTES} bytes, it is no context file")
        written = path.read_text(encoding="utf-8")
        return json.loads(written) if path.suffix.lower() == ".json" else yaml.safe_load(written)
    except OSError as error:
        raise ContextError(f"{path} cannot be read: {error.strerror}; give a YAML or JSON file") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ContextError(f"{path.name} is no valid YAML or JSON ({reason}); write for instance {EXAMPLE}") from error


def _validated(model: type[Model], tree: Any, *, file: str) -> Model:
    if not isinstance(tree, Mapping):
        raise ContextError(f"{file} holds no keys and values; write for instance {EXAMPLE}")
    try:
        record = model.model_validate(dict(tree))
    except ValidationError as error:
        raise ContextError(f"{file}: {_first_problem(error, model)}") from error
    size = record.pixel_size_nm
    if size is not None and not (math.isfinite(size) and size > 0):
        raise ContextError(f"{file}: pixel_size_nm is {size:g}; accepted is a positive number, or leave it out")
    return record


def _first_problem(error: ValidationError, model: type[ContextRecord]) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"key {where!r} is unknown; accepted are {', '.join(model.model_fields)}"
    if where.startswith("collection_mrad"):
        return f"{where} is {first['input']!r}; accepted is one [inner, outer] in mrad a channel, or null"
    if where.startswith(("origins", "pixel_size_origin")):
        return f"{where} is {first['input']!r}; accepted is one of {', '.join(ORIGINS)}"
    return f"{where} is {first['input']!r}; {first['msg'][0].lower()}{first['msg'][1:]}"


def _context(record: ContextRecord, origin: Origin, *, file: str) -> Context:
    stated = {name: getattr(record, name) for name in (*_PLAIN, "dopants", *_PER_CHANNEL)}
    origins = record.origins if isinstance(record, ScanRecord) else None
    try:
        if origins is None:
            return Context(**stated, notes=record.notes, origin=origin)
        return Context(**stated, notes=record.notes, origins=origins)
    except ContextError as error:
        raise ContextError(f"{file}: {error}") from error
