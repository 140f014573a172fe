"""References as an encoder sees them: stored in the library, or made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float32

from micrographia.embed.cache import cached_embeddings
from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.qualify.library import (
    Library,
    Reference,
    image_path,
    load_patches,
    load_vectors,
    region_mask,
    store_vectors,
)
from micrographia.qualify.library.vectors import VectorKey
from micrographia.qualify.similarity.patches import pooled_patches
from micrographia.read import read

_STORED_AT_ONCE: Final = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedded:
    """A reference as an encoder sees it.

    Parameters
    ----------
    whole : float32 array (dimension,)
        Of the whole image, or of its region.
    patches : float32 array (row, column, dimension), optional
        Its patches as `pooled_patches` gives them; None where they were not asked for.
    """

    whole: Float32[np.ndarray, " dimension"]
    patches: Float32[np.ndarray, "row column patch_dimension"] | None


def key_of(reference: Reference) -> VectorKey:
    """Return what the embedding of a reference is stored under."""
    return reference.image_sha256, reference.region


def embedded_references(
    library: Library,
    references: Sequence[Reference],
    encoder: Encoder,
    *,
    with_patches: Collection[VectorKey] = (),
    actor: str,
    progress: Callable[[int, int], None],
) -> dict[VectorKey, Embedded]:
    """Return the embedding of every reference; those that are not stored are made, and stored where that is allowed.

    Parameters
    ----------
    library : Library
        The library.
    references : sequence of Reference
        Which ones; several may be of one image.
    encoder : Encoder
        One that sees.
    with_patches : collection of VectorKey
        Those whose patches are wanted too: they take much more room than wholes.
    actor : str
        Who asks.
    progress : callable
        Told how many are embedded, of how many.

    Raises
    ------
    IntegrityError
        A stored embedding or image was altered.
    """
    by_key = {key_of(r): r for r in references}
    wholes = load_vectors(library, list(by_key), encoder=encoder)
    patches = load_patches(library, [key for key in by_key if key in with_patches], encoder=encoder)
    found = {
        key: Embedded(whole=whole, patches=patches[key].vectors if key in patches else None)
        for key, whole in wholes.items()
        if key in patches or key not in with_patches
    }
    missing = [key for key in by_key if key not in found]
    progress(len(found), len(by_key))
    for start in range(0, len(missing), _STORED_AT_ONCE):
        fresh: dict[VectorKey, ImageEmbedding] = {}
        for key in missing[start : start + _STORED_AT_ONCE]:
            (embedding,) = cached_embeddings(encoder, [reference_frame(library, by_key[key])])
            fresh[key] = replace(embedding, patches=pooled_patches(embedding.patches))
            found[key] = Embedded(whole=embedding.whole, patches=fresh[key].patches)
            progress(len(found), len(by_key))
        if library.writable:
            store_vectors(library, fresh, encoder=encoder, actor=actor)
    return found


def reference_frame(library: Library, reference: Reference) -> Float32[np.ndarray, "_height _width"]:
    """Return what counts of a reference's image: all of it, or the smallest upright box around its region."""
    frame: Float32[np.ndarray, "_height _width"] = read(image_path(library, reference)).frames[0]
    region = region_mask(library, reference, (frame.shape[0], frame.shape[1]))
    if region is None:
        return frame
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    box: Float32[np.ndarray, "_row _column"] = frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return box
