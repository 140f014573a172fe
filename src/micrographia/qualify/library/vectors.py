"""Embeddings of images, so that no image is encoded twice: a cache, whose digests are among the records.

A vector that was tampered with could turn a verdict, so each is held against its digest when it is loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np
from jaxtyping import Float32
from sqlalchemy import Connection, insert, select

from micrographia.embed.embedding import ImageEmbedding
from micrographia.errors import IntegrityError, LibraryError
from micrographia.qualify.canonical import canonical, sha256
from micrographia.qualify.library.chain import append_entry
from micrographia.qualify.library.folder import inside
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.tables import STORE_EMBEDDINGS, embeddings
from micrographia.qualify.library.transactions import changing, looking
from micrographia.qualify.plain import plain_text

VECTORS_FOLDER: Final = "vectors.lance"
VectorKey = tuple[str, str]
"""SHA-256 of an image file, and a region of it as `micrographia.qualify.library.reference.Reference.region` has it."""

Part = Literal["whole", "patches"]
_MOST_AT_ONCE: Final = 400
"""How many images' rows are asked for in one query."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Patches:
    """Vectors of an image's patches.

    Parameters
    ----------
    vectors : float32 array (row, column, dimension)
        Of each patch, from the top left.
    patch_px : float
        Edge of a patch [px of the image].
    """

    vectors: Float32[np.ndarray, "row column dimension"]
    patch_px: float


class EncoderName(Protocol):
    """Which encoder made an embedding: an encoder of `micrographia.embed`, or whatever names one."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def version(self) -> str:
        """Which one of that name: weights and settings included."""


@dataclass(frozen=True, kw_only=True)
class EncoderVersion:
    """The name and version of an encoder that is not loaded.

    Parameters
    ----------
    name, version : str
        As in `EncoderName`.
    """

    name: str
    version: str


def store_vectors(
    library: Library, vectors: Mapping[VectorKey, ImageEmbedding], *, encoder: EncoderName, actor: str
) -> None:
    """Store embeddings, best many at once. What is stored with the same bytes already is left out.

    Parameters
    ----------
    library : Library
        Open to be changed.
    vectors : mapping of VectorKey to ImageEmbedding
        All from one encoder.
    encoder : EncoderName
        What made them.
    actor : str
        Who stores them.

    Raises
    ------
    LibraryError
        Vectors differ in length, or the library cannot be written to.
    """
    actor = plain_text(actor, name="actor")
    rows = [_row(key, vector) for key, vector in vectors.items()]
    if len({len(row["whole"]) for row in rows}) > 1:
        raise LibraryError(f"vectors of {encoder.name} have different lengths; accepted is one length an encoder")
    with changing(library) as connection:
        known = _digests(connection, encoder)
        fresh = [row for row in rows if known.get((row["image_sha256"], row["region"])) != _digest(row)]
        if not fresh:
            return
        _add_to_cache(library, encoder, fresh)
        listed = [{name: row[name] for name in _RECORDED} for row in fresh]
        record = {"encoder": encoder.name, "version": encoder.version, **batch_digest(listed)}
        entry = append_entry(connection, actor=actor, action=STORE_EMBEDDINGS, record=record)
        common = {"sequence": entry.sequence, "encoder": encoder.name, "version": encoder.version}
        connection.execute(insert(embeddings), [{**common, **row} for row in listed])


def load_vectors(
    library: Library, keys: Sequence[VectorKey], *, encoder: EncoderName
) -> dict[VectorKey, Float32[np.ndarray, " dimension"]]:
    """Return the vectors of whole images that are stored; those that are not are left out.

    Parameters
    ----------
    library : Library
        The library.
    keys : sequence of VectorKey
        Which images.
    encoder : EncoderName
        What made them.

    Raises
    ------
    IntegrityError
        A stored vector is not what was stored.
    """
    return {key: row["whole"] for key, row in _load(library, keys, encoder=encoder, part="whole").items()}


def load_patches(library: Library, keys: Sequence[VectorKey], *, encoder: EncoderName) -> dict[VectorKey, Patches]:
    """Return the vectors of patches that are stored; those that are not are left out.

    Parameters
    ----------
    library : Library
        The library.
    keys : sequence of VectorKey
        Which images; a few hundred at a time, as patches are large.
    encoder : EncoderName
        What made them.

    Raises
    ------
    IntegrityError
        A stored vector is not what was stored.
    """
    rows = _load(library, keys, encoder=encoder, part="patches")
    return {
        key: Patches(
            vectors=row["patches"].reshape(row["patch_rows"], row["patch_columns"], -1), patch_px=row["patch_px"]
        )
        for key, row in rows.items()
    }


def altered_vectors(library: Library) -> Iterator[str]:
    """Return one line for each stored vector that is not what was stored; one that is gone can be made again."""
    with looking(library) as connection:
        pairs = connection.execute(select(embeddings.c.encoder, embeddings.c.version).distinct()).all()
        known = {
            EncoderVersion(name=n, version=v): _digests(connection, EncoderVersion(name=n, version=v)) for n, v in pairs
        }
    for encoder, digests in known.items():
        for part in _PARTS:
            keys = list(digests)
            for start in range(0, len(keys), _MOST_AT_ONCE):
                some = {key: digests[key] for key in keys[start : start + _MOST_AT_ONCE]}
                _, altered = _matching(library, some, encoder=encoder, part=part)
                for image, region in altered:
                    yield f"the {part} vector of image {image}, region {region}, encoder {encoder.name} was altered"


def batch_digest(listed: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return number and digest of embeddings that were stored together, whatever their order.

    Parameters
    ----------
    listed : sequence of mapping
        For each ``image_sha256``, ``region``, ``whole_sha256`` and ``patches_sha256``.
    """
    lines = sorted([row[name] for name in _RECORDED] for row in listed)
    return {"count": len(lines), "digest": sha256(canonical(lines))}


_PARTS: Final[tuple[Part, ...]] = ("whole", "patches")
_RECORDED: Final = ("image_sha256", "region", "whole_sha256", "patches_sha256")
_KEYS: Final = ("image_sha256", "region")
_LAYOUT: Final = ("patch_rows", "patch_columns", "patch_px")


def _digest(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["whole_sha256"], row["patches_sha256"]


def _row(key: VectorKey, embedding: ImageEmbedding) -> dict[str, Any]:
    patches = embedding.patches
    row: dict[str, Any] = dict(zip(_KEYS, key, strict=True)) | {
        "whole": _flat(embedding.whole),
        "patches": _flat(patches),
        "patch_rows": patches.shape[0],
        "patch_columns": patches.shape[1],
        "patch_px": float(embedding.patch_px),
    }
    return row | {f"{part}_sha256": _digest_of(row, part) for part in _PARTS}


def _digest_of(row: Mapping[str, Any], part: Part) -> str:
    """Return the SHA-256 of a vector's bytes; for patches with their layout in front of them."""
    layout = canonical([row[name] for name in _LAYOUT]) if part == "patches" else b""
    return sha256(layout + row[part].tobytes())


def _flat(values: np.ndarray) -> Float32[np.ndarray, " number"]:
    """Return numbers in one row, in the byte order that their digest is of."""
    return np.ascontiguousarray(values, dtype="<f4").ravel()


def _digests(connection: Connection, encoder: EncoderName) -> dict[VectorKey, tuple[str, str]]:
    """Return the newest digests of all embeddings of an encoder."""
    query = (
        select(*(embeddings.c[name] for name in _RECORDED))
        .where(embeddings.c.encoder == encoder.name, embeddings.c.version == encoder.version)
        .order_by(embeddings.c.sequence)
    )
    return {(image, region): (whole, patches) for image, region, whole, patches in connection.execute(query)}


def _load(
    library: Library, keys: Sequence[VectorKey], *, encoder: EncoderName, part: Part
) -> dict[VectorKey, dict[str, Any]]:
    with looking(library) as connection:
        known = _digests(connection, encoder)
    wanted = {key: known[key] for key in keys if key in known}
    found, altered = _matching(library, wanted, encoder=encoder, part=part)
    if altered:
        raise IntegrityError(
            f"library {library.folder}: {len(altered)} stored vectors of {encoder.name} are not what was stored, the "
            f"first that of image {altered[0][0]}; see `micrographia audit verify`; without {VECTORS_FOLDER} they are "
            "made again"
        )
    return found


def _matching(
    library: Library, wanted: Mapping[VectorKey, tuple[str, str]], *, encoder: EncoderName, part: Part
) -> tuple[dict[VectorKey, dict[str, Any]], list[VectorKey]]:
    """Return the rows that have the recorded digest, and the keys of which there are only others."""
    found: dict[VectorKey, dict[str, Any]] = {}
    seen: set[VectorKey] = set()
    try:
        for row in _cached_rows(library, list(wanted), encoder=encoder, part=part):
            key = (row["image_sha256"], row["region"])
            if key not in wanted:
                continue
            seen.add(key)
            # A writer that was killed leaves a row without a record: another one of the same key is right.
            if _digest_of(row, part) == wanted[key][_PARTS.index(part)]:
                found[key] = row
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise IntegrityError(
            f"library {library.folder}: {VECTORS_FOLDER} is damaged ({reason}); remove it, and vectors are made again"
        ) from error
    return found, [key for key in wanted if key in seen and key not in found]


def _cached_rows(
    library: Library, keys: Sequence[VectorKey], *, encoder: EncoderName, part: Part
) -> Iterator[dict[str, Any]]:
    folder = inside(library.folder, VECTORS_FOLDER)
    if not keys or not folder.is_dir():
        return
    database = _lancedb().connect(folder)
    if _table_of(encoder) not in _table_names(database):
        return
    query = database.open_table(_table_of(encoder)).search().select([*_KEYS, part, *_LAYOUT])
    if len(keys) <= _MOST_AT_ONCE:
        images = sorted({image for image, _ in keys})
        if not all(image.isalnum() for image in images):  # hashes are, and nothing else gets into the query
            return
        query = query.where(f"image_sha256 IN ({', '.join(repr(image) for image in images)})")
    for batch in query.to_batches(2048):
        columns = {name: batch.column(name).to_pylist() for name in (*_KEYS, *_LAYOUT)}
        values, ends = batch.column(part).flatten().to_numpy(), _ends(batch.column(part))
        for k in range(batch.num_rows):
            yield {name: column[k] for name, column in columns.items()} | {part: values[ends[k] : ends[k + 1]]}


def _ends(column: Any) -> np.ndarray:
    """Return where each list of a column of lists ends in its flattened values, with 0 in front."""
    offsets: np.ndarray = column.offsets.to_numpy()
    starts: np.ndarray = offsets - offsets[0]
    return starts


def _add_to_cache(library: Library, encoder: EncoderName, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa

    folder = inside(library.folder, VECTORS_FOLDER)
    types = {**dict.fromkeys(_KEYS, pa.string()), **dict.fromkeys(_PARTS, pa.large_list(pa.float32()))}
    types |= {"patch_rows": pa.int32(), "patch_columns": pa.int32(), "patch_px": pa.float64()}
    columns = {name: [row[name] for row in rows] for name in types}
    table = pa.table({name: pa.array(column, type=types[name]) for name, column in columns.items()})
    try:
        database = _lancedb().connect(folder)
        if _table_of(encoder) in _table_names(database):
            database.open_table(_table_of(encoder)).add(table)
        else:
            database.create_table(_table_of(encoder), table)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise LibraryError(f"library {library.folder}: {VECTORS_FOLDER} cannot be written to: {reason}") from error


def _table_of(encoder: EncoderName) -> str:
    return "encoder_" + sha256(canonical([encoder.name, encoder.version]))[:24]


def _table_names(database: Any) -> list[str]:
    names, token = [], None
    while True:
        page = database.list_tables(page_token=token)
        names += page.tables
        token = page.page_token
        if not token:
            return names


def _lancedb() -> Any:
    """Import LanceDB where it is needed: it takes seconds."""
    return importlib.import_module("lancedb")
