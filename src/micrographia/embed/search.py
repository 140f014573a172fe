"""Find, among vectors that were made before, those most like another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from micrographia.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One vector that was found.

    Parameters
    ----------
    row : int
        Its place among those that were searched.
    similarity : float
        Cosine, from -1 to 1.
    """

    row: int
    similarity: float


def nearest_vectors(
    query: Float[np.ndarray, " dimension"], vectors: Float[np.ndarray, "vector dimension"], *, most: int = 5
) -> tuple[Hit, ...]:
    """Return the vectors most like a query by their cosine, the most alike first; of equals the one that comes first.

    Parameters
    ----------
    query : float array (dimension,)
        A vector, not zero.
    vectors : float array (vector, dimension)
        Where to look.
    most : int
        How many, at most.

    Raises
    ------
    InputError
        The vectors are of another length than the query, a vector is zero, or none is asked for.

    Notes
    -----
    All vectors are compared, one by one: exact, and 100,000 of them take about a second.

    Examples
    --------
    >>> nearest_vectors(np.array([1.0, 0.0]), np.array([[0.0, 2.0], [3.0, 4.0]]), most=1)
    (Hit(row=1, similarity=0.6),)
    """
    if most < 1:
        raise InputError(f"{most} neighbours were asked for; accepted is 1 or more")
    if vectors.shape[1:] != query.shape:
        raise InputError(
            f"the query has {query.size} numbers, the vectors have {vectors.shape[-1]}; give those of one encoder"
        )
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1) * np.linalg.norm(query.astype(np.float64))
    if not (lengths > 0).all():
        raise InputError("a vector is zero, which has no direction to compare; embed its image again")
    cosines = np.clip(vectors.astype(np.float64) @ query / lengths, -1, 1)
    return tuple(Hit(row=int(k), similarity=float(cosines[k])) for k in np.argsort(-cosines, kind="stable")[:most])
