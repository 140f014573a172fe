"""Write verified records for training programs, with their pictures, split by image."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from micrographia.cues.cue import picture
from micrographia.errors import InputError
from micrographia.instruct.engine.images import pixel_hash
from micrographia.instruct.engine.rows import SCHEMA, to_record
from micrographia.instruct.export.conversations import IMAGES, llava, picture_name, sharegpt
from micrographia.instruct.export.split import held_out
from micrographia.instruct.record import Record
from micrographia.instruct.teachers.pictures import png
from micrographia.read import read

EXPORT: Final = "micrographia/instruct-export/1"
Format = Literal["parquet", "llava", "sharegpt"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_ROWS: Final = 4096
_FORMS: Final[dict[str, Callable[[Record], dict[str, Any]]]] = {"llava": llava, "sharegpt": sharegpt}
_KEPT: Final = [name for name in SCHEMA.names if name not in ("assignment", "checks", "refused")]
"""Columns that training has a use for."""


class ExportManifest(BaseModel):
    """What was exported: ``export.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    schema_: Literal["micrographia/instruct-export/1"] = Field(alias="schema")
    format: Format
    verified_only: bool
    seed: NonNegativeInt
    records: dict[str, NonNegativeInt] = Field(description="By split")
    images: dict[str, NonNegativeInt] = Field(description="By split; no image is in both")
    files: dict[str, str] = Field(description="By split")


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What to export.

    Parameters
    ----------
    format : str
        ``"parquet"``, ``"llava"`` or ``"sharegpt"``.
    verified_only : bool
        Whether rejected records are left out.
    held_out : float
        Share of the images for ``val``.
    seed : int
        Seed of the split.

    Raises
    ------
    InputError
        There is no such format.
    """

    format: Format
    verified_only: bool = True
    held_out: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InputError(f"--format is {self.format!r}; accepted is {', '.join(FORMATS)}")


def export(
    source: Path, folder: Path, *, settings: ExportSettings, progress: Callable[[int, int], None]
) -> ExportManifest:
    """Write records and pictures.

    Parameters
    ----------
    source : Path
        Folder of `generate`.
    folder : Path
        An empty folder to write into.
    settings : ExportSettings
        What and how.
    progress : callable
        Told pictures done, and pictures in all.

    Returns
    -------
    ExportManifest
        Also written as ``export.json``.

    Raises
    ------
    InputError
        There are no records, or an image is no longer what it was.
    """
    records = source / "records.parquet"
    if not records.is_file():
        raise InputError(f"{source} holds no records.parquet; give a folder of `micrographia instruct generate`")
    groups = [tuple(row["images"]) for row in _rows(records, settings, ["images", "verified"])]
    if not groups:
        raise InputError(f"{source} holds no verified record; give --all to export the rejected ones too")
    val = held_out(groups, share=settings.held_out, seed=settings.seed)
    used = sorted({image for images in groups for image in images})
    counts = {"train": 0, "val": 0}
    files = {split: f"{split}.{'parquet' if settings.format == 'parquet' else 'json'}" for split in counts}
    for split in counts:
        kept = (row for row in _rows(records, settings, SCHEMA.names) if (row["images"][0] in val) == (split == "val"))
        counts[split] = _write(kept, folder / files[split], settings.format)
    _pictures(source, folder, used, progress)
    manifest = ExportManifest.model_validate(
        {
            "schema": EXPORT,
            "format": settings.format,
            "verified_only": settings.verified_only,
            "seed": settings.seed,
            "records": counts,
            "images": {"train": len(used) - len(val), "val": len(val)},
            "files": files,
        }
    )
    text = json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2)
    (folder / "export.json").write_text(text + "\n", encoding="utf-8")
    return manifest


def _rows(records: Path, settings: ExportSettings, columns: list[str]) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(records) as file:
        for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
            for row in batch.to_pylist():
                if row["verified"] or not settings.verified_only:
                    yield row


def _write(rows: Iterator[dict[str, Any]], path: Path, form: Format) -> int:
    """Write the records of a split as they come, and return how many there were."""
    count = 0
    if form == "parquet":
        schema = pa.schema([SCHEMA.field(name) for name in _KEPT])
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for rows_together in _batches(rows):
                writer.write_table(pa.Table.from_pylist([{n: r[n] for n in _KEPT} for r in rows_together], schema))
                count += len(rows_together)
        return count
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for row in rows:
            text = json.dumps(_FORMS[form](to_record(row)), ensure_ascii=False)
            file.write(f"{',' if count else ''}\n{text}")
            count += 1
        file.write("\n]\n")
    return count


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _pictures(source: Path, folder: Path, used: list[str], progress: Callable[[int, int], None]) -> None:
    table = pq.read_table(source / "images.parquet", columns=["sha256", "file", "info_bar"])
    rows = {row["sha256"]: row for row in reversed(table.to_pylist())}  # the first file of the same pixels
    (folder / IMAGES).mkdir()
    for k, sha256 in enumerate(used):
        progress(k, len(used))
        row = rows[sha256]
        frame = picture(read(row["file"], info_bar=row["info_bar"])).astype(np.float32)
        if pixel_hash(frame) != sha256:
            raise InputError(
                f"{row['file']} is no longer the image that was asked about; put it back, or generate the records anew"
            )
        (folder / picture_name(sha256)).write_bytes(png(frame))
    progress(len(used), len(used))
