"""Net similarity: how much more a sample is like what was accepted than like what was rejected."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from micrographia.errors import InputError


def net_similarity(
    samples: Float[np.ndarray, "sample dimension"],
    accepted: Float[np.ndarray, "positive dimension"],
    rejected: Float[np.ndarray, "negative dimension"],
) -> Float[np.ndarray, " sample"]:
    """Return the mean cosine to what is accepted less the mean cosine to what is rejected.

    Of images against reference images it is unimodal, of images against a criterion's texts cross-modal (Safdar et
    al. 2025, arXiv 2508.20243).

    Parameters
    ----------
    samples : float array (sample, dimension)
        Embeddings of the samples.
    accepted, rejected : float array (positive, dimension), (negative, dimension)
        Embeddings of the positive and negative references or texts, from the same encoder.

    Returns
    -------
    float array (sample,)
        From -2 to 2; positive where a sample is more like what is accepted.

    Raises
    ------
    InputError
        One of the sides is empty, or a vector is zero.

    Examples
    --------
    >>> north, east = np.array([[0.0, 2.0]]), np.array([[1.0, 0.0]])
    >>> net_similarity(np.array([[0.0, 1.0], [1.0, 1.0]]), north, east).round(6).tolist()
    [1.0, 0.0]
    """
    if not len(accepted) or not len(rejected):
        raise InputError(
            f"net similarity has {len(accepted)} positive and {len(rejected)} negative references; accepted is at "
            "least one of each"
        )
    # The mean of cosines is the product with the mean of unit vectors.
    towards = unit(accepted).mean(axis=0) - unit(rejected).mean(axis=0)
    net: Float[np.ndarray, " sample"] = unit(samples) @ towards
    return net


def unit(vectors: Float[np.ndarray, "vector dimension"]) -> Float[np.ndarray, "vector dimension"]:
    """Return vectors with the length 1.

    Raises
    ------
    InputError
        A vector is zero and has no direction.

    Examples
    --------
    >>> unit(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not length.all():
        raise InputError("an embedding is zero and has no direction; check the encoder's weights")
    of_one: Float[np.ndarray, "vector dimension"] = vectors / length
    return of_one
