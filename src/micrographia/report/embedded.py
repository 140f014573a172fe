"""Files of `micrographia embed`: the vectors of each image, and one JSON that describes them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, PositiveFloat, PositiveInt

from micrographia.embed.choose import ENCODERS
from micrographia.embed.describe import Description
from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.micrograph import Micrograph
from micrographia.report.folder import new_folder
from micrographia.report.records import Part, ScanResult, scan_result, schema_of, versions


class CueResult(Part):
    """One measured cue."""

    name: str
    value: FiniteFloat | None = Field(description="Null where it cannot be told, or is not there")
    uncertainty: FiniteFloat | None
    unit: str
    sentence: str


class EmbeddedResult(Part):
    """One image."""

    scan: ScanResult
    vectors: str = Field(description="NumPy file (.npz) of whole, patches and patch_px")
    dimension: PositiveInt = Field(description="Length of the vector of the whole image")
    patches: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(description="Rows, columns, length of each vector")
    patch_px: PositiveFloat = Field(description="Edge of a patch in pixels of the image")
    description: str = Field(description="Measured texture in words")
    cues: tuple[CueResult, ...]


class EncoderResult(Part):
    """What made the vectors."""

    name: str
    version: str = Field(description="First 16 digits of a SHA-256 of its weights and settings")
    licence: str
    caution: str


class EmbeddingsResult(Part):
    """All images that one command embedded."""

    schema_: Literal["micrographia/embeddings/1"] = Field(alias="schema")
    encoder: EncoderResult
    images: tuple[EmbeddedResult, ...]
    software: dict[str, str]


class KindResult(Part):
    """One kind of encoder."""

    name: str
    example: str = Field(description="As it is given on the command line")
    sees: bool
    reads: bool
    shared_space: bool = Field(description="Whether texts compare with images")
    licence: str
    caution: str


class EncodersResult(Part):
    """Every kind of encoder."""

    schema_: Literal["micrographia/encoders/1"] = Field(alias="schema")
    encoders: tuple[KindResult, ...]


SCHEMAS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "embeddings-1.json": (EmbeddingsResult, "micrographia/embeddings/1"),
    "encoders-1.json": (EncodersResult, "micrographia/encoders/1"),
}
"""Published file, model and identifier of each schema of this module."""


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of a result of this module, made from its model."""
    model, name = SCHEMAS[file]
    return schema_of(model, name)


def encoders_json() -> str:
    """Return the encoders that there are, as JSON."""
    kinds = tuple(KindResult.model_validate(vars(kind)) for kind in ENCODERS)
    return _json(EncodersResult.model_validate({"schema": "micrographia/encoders/1", "encoders": kinds}))


def vectors_file(name: str) -> str:
    """Return the file of the vectors of an image.

    Examples
    --------
    >>> vectors_file("a")
    'a.npz'
    """
    return f"{name}.npz"


def write_vectors(
    micrograph: Micrograph, embedding: ImageEmbedding, description: Description, *, name: str, out: Path
) -> EmbeddedResult:
    """Write the vectors of one image; all of them, or nothing.

    Parameters
    ----------
    micrograph : Micrograph
        The image.
    embedding : ImageEmbedding
        Its vectors.
    description : Description
        Its texture.
    name : str
        Stem of the file.
    out : Path
        Folder for the results.

    Returns
    -------
    EmbeddedResult
        Its entry in ``embeddings.json``.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    file = vectors_file(name)
    with new_folder(out) as folder:
        np.savez(
            folder / file, whole=embedding.whole, patches=embedding.patches, patch_px=np.float64(embedding.patch_px)
        )
    rows, columns, length = embedding.patches.shape
    return EmbeddedResult(
        scan=scan_result(micrograph),
        vectors=file,
        dimension=len(embedding.whole),
        patches=(rows, columns, length),
        patch_px=embedding.patch_px,
        description=description.text,
        cues=tuple(
            CueResult(name=c.name, value=c.value, uncertainty=c.uncertainty, unit=c.unit, sentence=c.sentence)
            for c in description.cues
        ),
    )


def write_embeddings(entries: Sequence[EmbeddedResult], encoder: Encoder, out: Path) -> Path:
    """Write ``embeddings.json``.

    Parameters
    ----------
    entries : sequence of EmbeddedResult
        From `write_vectors`.
    encoder : Encoder
        What made the vectors.
    out : Path
        Folder of the results.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    result = EmbeddingsResult.model_validate(
        {
            "schema": "micrographia/embeddings/1",
            "encoder": EncoderResult(
                name=encoder.name, version=encoder.version, licence=encoder.licence, caution=encoder.caution
            ),
            "images": tuple(entries),
            "software": versions(),
        }
    )
    with new_folder(out) as folder:
        (folder / "embeddings.json").write_text(_json(result) + "\n", encoding="utf-8")
    return out / "embeddings.json"


def _json(result: BaseModel) -> str:
    return json.dumps(result.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
