"""Embeddings of references, for studies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from micrographia.embed.cache import cached_embeddings
from micrographia.embed.encoder import Encoder
from micrographia.qualify.library import Library, Reference, load_vectors
from micrographia.qualify.qualify import reference_frame


def reference_vectors(
    library: Library, references: Sequence[Reference], encoder: Encoder
) -> Float[np.ndarray, "reference dimension"]:
    """Return the embedding of each reference: the stored one, or a new one where the library cannot be written to."""
    stored = load_vectors(library, [(r.image_sha256, r.region) for r in references], encoder=encoder)
    vectors = []
    for reference in references:
        vector = stored.get((reference.image_sha256, reference.region))
        if vector is None:
            (embedding,) = cached_embeddings(encoder, [reference_frame(library, reference)])
            vector = embedding.whole
        vectors.append(vector.astype(np.float64))
    return np.array(vectors)
