"""Files of `micrographia embed --text`: the vectors of each text and of its tokens, and a JSON that describes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from micrographia.embed.encoder import Encoder
from micrographia.embed.text_embedding import TextEmbedding
from micrographia.report.embedded import EncoderResult
from micrographia.report.folder import new_folder
from micrographia.report.records import Part, schema_of, versions

VECTORS: Final = "texts.npz"
RESULT: Final = "texts.json"


class TextResult(Part):
    """One text."""

    text: str
    sha256: str = Field(description="Of the text in UTF-8")
    first_token: NonNegativeInt = Field(description="Row of its first token in tokens")
    tokens: tuple[str, ...] = Field(description="What it was cut into, with the encoder's marks of start and end")
    spans: tuple[tuple[NonNegativeInt, NonNegativeInt], ...] = Field(
        description="Where each token begins and ends, in characters of the text; equal at marks"
    )


class TextsResult(Part):
    """All texts that one command embedded."""

    schema_: Literal["micrographia/texts/1"] = Field(alias="schema")
    encoder: EncoderResult
    vectors: str = Field(description="NumPy file (.npz) of wholes (text, dimension) and tokens (token, dimension)")
    dimension: PositiveInt
    texts: tuple[TextResult, ...]
    software: dict[str, str]


SCHEMAS: Final[dict[str, tuple[type[BaseModel], str]]] = {"texts-1.json": (TextsResult, "micrographia/texts/1")}
"""Published file, model and identifier of each schema of this module."""


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of a result of this module, made from its model."""
    model, name = SCHEMAS[file]
    return schema_of(model, name)


def write_texts(texts: Sequence[str], embedded: Sequence[TextEmbedding], encoder: Encoder, out: Path) -> TextsResult:
    """Write the vectors of texts; all of them, or nothing.

    Parameters
    ----------
    texts : sequence of str
        At least one.
    embedded : sequence of TextEmbedding
        Their vectors.
    encoder : Encoder
        What made them.
    out : Path
        Folder for the results.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    counts = [len(embedding.tokens) for embedding in embedded]
    starts = np.concatenate([[0], np.cumsum(counts)])
    result = TextsResult.model_validate(
        {
            "schema": "micrographia/texts/1",
            "encoder": EncoderResult(
                name=encoder.name, version=encoder.version, licence=encoder.licence, caution=encoder.caution
            ),
            "vectors": VECTORS,
            "dimension": len(embedded[0].whole),
            "texts": tuple(
                TextResult(
                    text=text,
                    sha256=hashlib.sha256(text.encode()).hexdigest(),
                    first_token=int(start),
                    tokens=embedding.tokens,
                    spans=tuple((int(a), int(b)) for a, b in embedding.spans),
                )
                for text, embedding, start in zip(texts, embedded, starts[:-1], strict=True)
            ),
            "software": versions(),
        }
    )
    with new_folder(out) as folder:
        np.savez(
            folder / VECTORS,
            wholes=np.stack([embedding.whole for embedding in embedded]),
            tokens=np.concatenate([embedding.vectors for embedding in embedded]),
        )
        said = json.dumps(result.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
        (folder / RESULT).write_text(said + "\n", encoding="utf-8")
    return result
