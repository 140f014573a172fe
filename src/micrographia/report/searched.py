"""`micrographia embed --search`: vectors of an earlier `embed`, and the files that say what was found among them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from micrographia.embed.encoder import Encoder
from micrographia.embed.search import nearest_vectors
from micrographia.errors import InputError, ReadError
from micrographia.micrograph import Micrograph
from micrographia.report.document import document
from micrographia.report.embedded import EmbeddedResult, EmbeddingsResult, EncoderResult
from micrographia.report.folder import new_folder
from micrographia.report.markup import section, table, text
from micrographia.report.numbers import number
from micrographia.report.qualification_pictures import Shown, kept_pictures, placed_picture, shown
from micrographia.report.records import Part, schema_of, versions

_DIGITS: Final = 6
_EMBEDDINGS: Final = "embeddings.json"


class FoundResult(Part):
    """One image that was found."""

    file: str
    sha256: str | None
    vectors: str = Field(description="File of its vectors in the folder that was searched")
    similarity: FiniteFloat = Field(ge=-1, le=1, description="Cosine between the vectors of the whole images")
    same_file: bool = Field(description="Whether it is the very file that was asked about")


class QueryResult(Part):
    """What was asked about, and what was found."""

    image: str | None = Field(description="File of the image; null for a text")
    sha256: str | None
    text: str | None
    found: tuple[FoundResult, ...] = Field(description="The most alike first")


class SearchResult(Part):
    """All searches of one command."""

    schema_: Literal["micrographia/search/1"] = Field(alias="schema")
    searched: str = Field(description="Folder")
    searched_images: int
    encoder: EncoderResult
    queries: tuple[QueryResult, ...]
    software: dict[str, str]


SCHEMAS: Final[dict[str, tuple[type[BaseModel], str]]] = {"search-1.json": (SearchResult, "micrographia/search/1")}
"""Published file, model and identifier of each schema of this module."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Searchable:
    """Vectors of an earlier `embed`.

    Parameters
    ----------
    folder : Path
        Where they are.
    encoder : EncoderResult
        What made them.
    images : tuple of EmbeddedResult
        The images.
    vectors : float32 array (image, dimension)
        Of the whole images.
    """

    folder: Path
    encoder: EncoderResult
    images: tuple[EmbeddedResult, ...]
    vectors: Float[np.ndarray, "image dimension"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """What was asked about, with what was found.

    Parameters
    ----------
    result : QueryResult
        As it is written.
    picture : Shown, optional
        What it looks like; None for a text.
    """

    result: QueryResult
    picture: Shown | None


def generated_schema(file: str) -> dict[str, Any]:
    """Return the JSON Schema of a result of this module, made from its model."""
    model, name = SCHEMAS[file]
    return schema_of(model, name)


def read_searchable(folder: Path) -> Searchable:
    """Read the vectors of whole images that an earlier `embed` wrote.

    Raises
    ------
    ReadError
        The folder holds no embeddings of images, or damaged ones.
    """
    path = folder / _EMBEDDINGS
    if not path.is_file():
        raise ReadError(
            f"--search {folder} holds no {_EMBEDDINGS}; accepted is a folder that `micrographia embed FILE...` wrote"
        )
    try:
        said = EmbeddingsResult.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ReadError(f"{path} is damaged ({_first_line(error)}); embed the images again") from error
    vectors = [_whole(folder / image.vectors) for image in said.images]
    if not vectors or len({len(v) for v in vectors}) != 1:
        raise ReadError(f"{path} names no vectors, or some of different lengths; embed the images again")
    return Searchable(folder=folder, encoder=said.encoder, images=said.images, vectors=np.stack(vectors))


def check_searchable(searched: Searchable, encoder: Encoder) -> None:
    """Refuse vectors that the encoder's do not compare with.

    Raises
    ------
    InputError
        Another encoder made them, or another version of it.
    """
    if encoder.version != searched.encoder.version:
        raise InputError(
            f"the vectors in {searched.folder} are of {searched.encoder.name}, version {searched.encoder.version}, and "
            f"{encoder.name} is {encoder.version} here, which do not compare; embed the images of the folder again, or "
            f"give --encoder {searched.encoder.name}"
        )


def searched_image(
    micrograph: Micrograph, vector: Float[np.ndarray, " dimension"], searched: Searchable, *, most: int
) -> Query:
    """Return what is most like an image.

    Parameters
    ----------
    micrograph : Micrograph
        The image.
    vector : float array (dimension,)
        Of the whole of it.
    searched : Searchable
        Where to look.
    most : int
        How many to find, at most.
    """
    source = micrograph.provenance
    found = _found(vector, searched, most=most, sha256=source.sha256)
    result = QueryResult(image=source.file, sha256=source.sha256, text=None, found=found)
    return Query(result=result, picture=shown(micrograph))


def searched_text(words: str, vector: Float[np.ndarray, " dimension"], searched: Searchable, *, most: int) -> Query:
    """Return the images that are most like a text, whose vector must be of the space of the images'."""
    found = _found(vector, searched, most=most, sha256=None)
    return Query(result=QueryResult(image=None, sha256=None, text=words, found=found), picture=None)


def write_search(queries: Sequence[Query], searched: Searchable, out: Path) -> SearchResult:
    """Write ``search.csv``, ``search.json`` and ``report.html``; all of them, or nothing.

    Parameters
    ----------
    queries : sequence of Query
        At least one.
    searched : Searchable
        Where they were looked for.
    out : Path
        Folder for the results.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    result = SearchResult.model_validate(
        {
            "schema": "micrographia/search/1",
            "searched": str(searched.folder),
            "searched_images": len(searched.images),
            "encoder": searched.encoder,
            "queries": tuple(query.result for query in queries),
            "software": versions(),
        }
    )
    said = json.dumps(result.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
    with new_folder(out) as folder:
        (folder / "search.csv").write_text(_csv(result), encoding="utf-8")
        (folder / "search.json").write_text(said + "\n", encoding="utf-8")
        (folder / "report.html").write_text(_page(queries, result), encoding="utf-8")
    return result


def _found(
    vector: Float[np.ndarray, " dimension"], searched: Searchable, *, most: int, sha256: str | None
) -> tuple[FoundResult, ...]:
    found = []
    for hit in nearest_vectors(vector, searched.vectors, most=most):
        image = searched.images[hit.row]
        found.append(
            FoundResult(
                file=image.scan.file,
                sha256=image.scan.sha256,
                vectors=image.vectors,
                similarity=round(hit.similarity, _DIGITS),
                same_file=sha256 is not None and image.scan.sha256 == sha256,
            )
        )
    return tuple(found)


def _whole(path: Path) -> Float[np.ndarray, " dimension"]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            whole: np.ndarray = stored["whole"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ReadError(f"{path} cannot be read ({_first_line(error)}); embed its image again") from error
    if whole.ndim != 1 or not np.isfinite(whole).all():
        raise ReadError(f"{path} holds no vector of a whole image; embed its image again")
    return whole


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _csv(result: SearchResult) -> str:
    handle = io.StringIO()
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(["query", "rank", "file", "sha256", "similarity", "same_file"])
    for query in result.queries:
        for rank, f in enumerate(query.found, start=1):
            same = "yes" if f.same_file else "no"
            writer.writerow([query.image or query.text, rank, f.file, f.sha256 or "", f.similarity, same])
    return handle.getvalue()


def _page(queries: Sequence[Query], result: SearchResult) -> str:
    pictures = {f"query-{k}-picture": q.picture for k, q in enumerate(queries) if q.picture is not None}
    count = len(queries)
    title = f"{count} {'search' if count == 1 else 'searches'} among {result.searched_images} images"
    about = (
        f"Vectors of {result.encoder.name}, version {result.encoder.version}. Similarity is the cosine between vectors "
        "of whole images: it orders images, and says of none that it shows the same."
    )
    return document(
        title=f"{title} – Micrographia",
        kind="search",
        sections=(),
        body=(
            kept_pictures(pictures),
            f'<p class="file">{text(result.searched)}</p><h1>{text(title)}</h1><p class="second">{text(about)}</p>',
            *(_section(k, query) for k, query in enumerate(queries)),
        ),
    )


def _section(place: int, query: Query) -> str:
    asked = query.result.image or f"“{query.result.text}”"
    drawn = ""
    if query.picture is not None:
        picture = placed_picture(f"query-{place}-picture", query.picture, words=f"The image {asked}")
        drawn = f'<div class="beside"><figure>{picture}</figure></div>'
    rows = [
        f'<tr><td class="n">{rank}</td><td class="name">{text(f.file)}{" (the same file)" if f.same_file else ""}<br>'
        f'<span class="id hash soft small">{text((f.sha256 or "–")[:16])}</span></td>'
        f'<td class="n">{number(f.similarity, 3)}</td></tr>'
        for rank, f in enumerate(query.result.found, start=1)
    ]
    found = table((("", "n"), ("Most alike", ""), ("Similarity", "n")), rows)
    return section(f"query-{place}", text(asked), f'<div class="two"><div>{drawn}</div><div>{found}</div></div>')
