"""Net similarity with what the references share taken out: a shrunken discriminant, and each reference left out of it.

With v the standardised embeddings of the references, K = v vᵀ their Gram matrix scaled to a mean diagonal of 1, and t
their side (positive for accepted, negative for rejected, both sides of equal weight), the net similarity of a sample
is ``k(sample)ᵀ (K + λ I)⁻¹ t``. As λ grows it turns into the plain net similarity of centred embeddings, the mean of
the similarities to one side less that to the other; at small λ directions in which references of one side differ among
themselves count less (kernel ridge regression on the side; with two classes it is Fisher's discriminant with a shrunken
covariance: Hastie, Tibshirani, Friedman, 10.1007/978-0-387-84858-7, section 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

RIDGE: Final = 0.1
"""λ. From 0.03 to 0.3 the few-shot tasks of docs/benchmarks/qualification.md hardly change."""

_PRIOR: Final = 4.0
"""Weight, in references, of the mean variance of all features beside the variance of each."""

_BLOCK: Final = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class Standard:
    """Centre and scale of embeddings.

    Parameters
    ----------
    centre : float array (dimension,)
        Mean of each feature.
    scale : float array (dimension,)
        Standard deviation of each feature, its square shrunk towards the mean of all.
    """

    centre: Float[np.ndarray, " dimension"]
    scale: Float[np.ndarray, " dimension"]

    def of(self, vectors: Float[np.ndarray, "vector dimension"]) -> Float[np.ndarray, "vector dimension"]:
        """Return vectors centred and scaled."""
        standardised: Float[np.ndarray, "vector dimension"] = (vectors - self.centre) / self.scale
        return standardised


def standard_of(vectors: Float[np.ndarray, "vector dimension"]) -> Standard:
    """Return centre and shrunken scale of embeddings, whatever side they are on.

    Examples
    --------
    >>> s = standard_of(np.array([[0.0, 10.0], [2.0, 10.0]]))
    >>> s.centre.tolist(), (s.scale**2).round(3).tolist()
    ([1.0, 10.0], [0.6, 0.4])
    """
    # Counted from the first, what all have in common is exactly 0, and does not become a direction of rounding errors.
    shifted = vectors - vectors[0].astype(np.float64)
    variance = shifted.var(axis=0)
    freedom = len(vectors) - 1
    shrunk = (freedom * variance + _PRIOR * variance.mean()) / (freedom + _PRIOR)
    scale = np.sqrt(shrunk) if shrunk.any() else np.ones_like(shrunk)
    return Standard(centre=vectors[0] + shifted.mean(axis=0), scale=scale)


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """References laid out so that those nearest to a sample are found quickly.

    Parameters
    ----------
    standard : Standard
        Their centre and scale.
    unit : float32 array (reference, dimension)
        Centred, scaled, and of length 1.
    """

    standard: Standard
    unit: Float32[np.ndarray, "reference dimension"]

    def cosines(self, vectors: Float[np.ndarray, "sample dimension"]) -> Float[np.ndarray, "sample reference"]:
        """Return the cosine between each sample and each reference."""
        cosine: Float[np.ndarray, "sample reference"] = directions(self.standard.of(vectors)) @ self.unit.T
        return cosine


def neighbours_of(vectors: Float[np.ndarray, "reference dimension"]) -> Neighbours:
    """Lay out references.

    Examples
    --------
    >>> neighbours_of(np.array([[0.0, 1.0], [2.0, 1.0]])).cosines(np.array([[5.0, 1.0]])).round(3).tolist()
    [[-1.0, 1.0]]
    """
    standard = standard_of(vectors)
    unit = np.empty(vectors.shape, dtype=np.float32)
    # Block by block: ten thousand references in double precision would take half a gigabyte.
    for start in range(0, len(vectors), _BLOCK):
        unit[start : start + _BLOCK] = directions(standard.of(vectors[start : start + _BLOCK]))
    return Neighbours(standard=standard, unit=unit)


def directions(vectors: Float[np.ndarray, "vector dimension"]) -> Float32[np.ndarray, "vector dimension"]:
    """Return vectors of length 1; one in the centre has no direction and stays there."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    of_one: Float32[np.ndarray, "vector dimension"] = (vectors / np.maximum(length, 1e-300)).astype(np.float32)
    return of_one


def sides(accepted: Bool[np.ndarray, " reference"]) -> Float[np.ndarray, " reference"]:
    """Return +1 over the share of the accepted for these, -1 over the share of the rejected for those, halved.

    Examples
    --------
    >>> sides(np.array([True, False, False, False])).round(4).tolist()
    [2.0, -0.6667, -0.6667, -0.6667]
    """
    count = len(accepted)
    positive = int(np.count_nonzero(accepted))
    side: Float[np.ndarray, " reference"] = np.where(
        accepted, count / (2 * max(positive, 1)), -count / (2 * max(count - positive, 1))
    )
    return side


@dataclass(frozen=True, kw_only=True, eq=False)
class Direction:
    """The direction in the space of embeddings along which net similarity is measured.

    Parameters
    ----------
    standard : Standard
        Centre and scale of the references.
    towards : float array (dimension,)
        From what is rejected to what is accepted.
    """

    standard: Standard
    towards: Float[np.ndarray, " dimension"]

    def net(self, vectors: Float[np.ndarray, "vector dimension"]) -> Float[np.ndarray, " vector"]:
        """Return the net similarity of embeddings: about 1 for the accepted references, -1 for the rejected."""
        along: Float[np.ndarray, " vector"] = self.standard.of(vectors) @ self.towards
        return along


def fit_direction(
    vectors: Float[np.ndarray, "reference dimension"], accepted: Bool[np.ndarray, " reference"]
) -> Direction:
    """Fit the direction of net similarity to references of both sides.

    Parameters
    ----------
    vectors : float array (reference, dimension)
        Embeddings.
    accepted : bool array (reference,)
        Which were accepted; the others were rejected.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> accepted = np.arange(20) < 10
    >>> vectors = rng.normal(0, 1, (20, 5)) + np.where(accepted, 3.0, 0.0)[:, None]
    >>> (fit_direction(vectors, accepted).net(vectors) > 0).tolist() == accepted.tolist()
    True
    """
    standard = standard_of(vectors)
    centred = standard.of(vectors)
    gram = centred @ centred.T
    size = np.trace(gram) / len(gram) or 1.0
    gram[np.diag_indices_from(gram)] += RIDGE * size
    return Direction(standard=standard, towards=centred.T @ np.linalg.solve(gram, sides(accepted)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Together:
    """References, or references with a sample among them, and all that can be said before sides are taken.

    Parameters
    ----------
    cosine : float array (image, image)
        Cosines between standardised embeddings.
    inverse : float array (image, image)
        Inverse of the scaled Gram matrix with a constant feature added and λ on its diagonal.
    """

    cosine: Float[np.ndarray, "image image"]
    inverse: Float[np.ndarray, "image image"]


def together(vectors: Float[np.ndarray, "image dimension"]) -> Together:
    """Put embeddings side by side; the order of the images makes no difference to any of them.

    Examples
    --------
    >>> both = together(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    >>> both.cosine.round(6).tolist(), both.inverse.round(4).tolist()
    ([[1.0, -1.0], [-1.0, 1.0]], [[0.6926, 0.2165], [0.2165, 0.6926]])
    """
    centred = standard_of(vectors).of(vectors)
    gram = centred @ centred.T
    length = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    size = np.trace(gram) / len(gram) or 1.0
    # Centred embeddings add up to zero and sides do too, so the others would give away the side of the one left out. A
    # constant feature as large as a reference's share in the centre makes up for it: of noise, nothing is learned.
    inverse = np.linalg.inv(gram / size + 1 / len(gram) + RIDGE * np.eye(len(gram)))
    return Together(cosine=gram / np.outer(length, length), inverse=inverse)


def left_out(
    images: Together, accepted: Bool[np.ndarray, " image"], groups: Int[np.ndarray, " image"]
) -> Float[np.ndarray, " image"]:
    """Return the net similarity of each image to the images of the other groups, without fitting again.

    The prediction of a ridge regression for points left out of it is ``t - (A⁻¹)_gg⁻¹ (A⁻¹ t)_g`` with A the
    regularised Gram matrix and g the points (block form of Allen's PRESS, 10.1080/00401706.1974.10489157).

    Parameters
    ----------
    images : Together
        The images.
    accepted : bool array (image,)
        Side of each.
    groups : int array (image,)
        Images that are left out together: a specimen, or each by itself.

    Examples
    --------
    >>> images = together(np.array([[1.0], [1.1], [-1.0], [-1.2]]))
    >>> left_out(images, np.array([True, True, False, False]), np.arange(4)).round(2).tolist()
    [0.86, 1.03, -0.79, -1.13]
    """
    side = sides(accepted)
    dual = images.inverse @ side
    net = side - dual / np.diag(images.inverse)
    several, count = np.unique(groups, return_counts=True)
    for group in several[count > 1]:
        out = np.flatnonzero(groups == group)
        net[out] = side[out] - np.linalg.solve(images.inverse[np.ix_(out, out)], dual[out])
    left: Float[np.ndarray, " image"] = net
    return left
