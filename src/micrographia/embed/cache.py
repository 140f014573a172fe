"""Embeddings kept on disk under what they were made of, so that an image goes through an encoder once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float
from platformdirs import user_cache_path

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError

_KEY_DIGITS: Final = 40


def embedding_cache() -> Path:
    """Return the folder of cached embeddings: ``$MICROGRAPHIA_CACHE/embeddings``, else in the user's cache folder."""
    root = os.environ.get("MICROGRAPHIA_CACHE")
    return (Path(root) if root else user_cache_path("micrographia")) / "embeddings"


def cached_embeddings(
    encoder: Encoder,
    frames: Sequence[Float[np.ndarray, "_height _width"]],
    *,
    batch: int = 8,
    folder: Path | None = None,
    note: Callable[[str], None] | None = None,
) -> Iterator[ImageEmbedding]:
    """Embed images as `Encoder.embed_images` does, and keep the vectors on disk.

    Parameters
    ----------
    encoder : Encoder
        One that sees.
    frames : sequence of float array (height, width)
        Grey values in any units.
    batch : int
        As for the encoder.
    folder : Path, optional
        Cache folder; by default `embedding_cache`.
    note : callable, optional
        Told in a sentence when an entry was damaged and is made again.

    Yields
    ------
    ImageEmbedding
        Of each image, in their order; from the cache bit for bit what the encoder made.

    Raises
    ------
    InputError
        As the encoder does.

    Notes
    -----
    The key is a hash of the pixels, their shape and type, and the encoder's name and version. An entry appears whole
    or not at all, so processes can share a folder; one that cannot be written to is done without.
    """
    home = embedding_cache() if folder is None else folder
    for k in range(0, len(frames), batch):
        chunk = frames[k : k + batch]
        paths = [home / f"{_key(encoder, frame)}.npz" for frame in chunk]
        found = [_stored(path, note) for path in paths]
        absent = [j for j, embedding in enumerate(found) if embedding is None]
        made = encoder.embed_images([chunk[j] for j in absent], batch=batch) if absent else iter(())
        for j, embedding in zip(absent, made, strict=True):
            _store(embedding, paths[j])
            found[j] = embedding
        yield from (embedding for embedding in found if embedding is not None)


def _key(encoder: Encoder, frame: Float[np.ndarray, "height width"]) -> str:
    # A folder's place says nothing of what lies in it; the version does.
    digest = hashlib.sha256(f"{encoder.name.partition(':')[0]}|{encoder.version}|{frame.shape}|{frame.dtype}|".encode())
    digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()[:_KEY_DIGITS]


def _stored(path: Path, note: Callable[[str], None] | None) -> ImageEmbedding | None:
    """Return what is stored, or None where there is nothing or it is damaged."""
    try:
        # Opened here: np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return ImageEmbedding(whole=stored["whole"], patches=stored["patches"], patch_px=float(stored["patch_px"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, InputError):
        if note is not None:
            note(f"the cached embedding {path} is damaged; it is made again")
        return None


def _store(embedding: ImageEmbedding, path: Path) -> None:
    # A cache that cannot be written costs time, not results.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            try:
                np.savez(part, whole=embedding.whole, patches=embedding.patches, patch_px=embedding.patch_px)
                part.flush()
                Path(part.name).replace(path)
            finally:
                Path(part.name).unlink(missing_ok=True)
