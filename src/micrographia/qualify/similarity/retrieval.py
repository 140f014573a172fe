"""Retrieval: the references that are most like a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from micrographia.findings import Nearest
from micrographia.qualify.evidence import Known, Seen

TOP: Final = 5
"""References of either side that are named in a verdict."""


def nearest_references(sample: Seen, known: Known, encoders: Sequence[str], *, top: int = TOP) -> tuple[Nearest, ...]:
    """Return the references most like a sample, the nearest first.

    Similarity is the cosine between embeddings that are centred and scaled by the references; several encoders vote by
    the mean of theirs.

    Parameters
    ----------
    sample : Seen
        One sample.
    known : Known
        The references.
    encoders : sequence of str
        Names of the views by images.
    top : int
        How many of either side.
    """
    cosines = [own.cosines(vectors)[0] for own, vectors in zip(known.neighbours, sample.images, strict=True)]
    if not cosines:
        return ()
    likeness = np.mean(cosines, axis=0)
    chosen = []
    for side in (True, False):
        own = np.flatnonzero(known.accepted == side)
        chosen += own[np.argsort(-likeness[own], kind="stable")[:top]].tolist()
    return tuple(
        Nearest(
            reference=known.ids[k],
            polarity="accept" if known.accepted[k] else "reject",
            similarity=float(np.clip(likeness[k], -1, 1)),
            encoder=" + ".join(encoders),
        )
        for k in sorted(chosen, key=lambda k: -likeness[k])
    )
