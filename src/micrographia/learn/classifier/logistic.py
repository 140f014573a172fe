"""Multinomial logistic regression on standardised vectors, classes counting alike however many images they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.optimize import minimize_scalar

from micrographia.qualify.classify.classifier import log_probabilities, spread

_MOST_STEPS: Final = 10_000
_LEAST_SHARE: Final = 1e-12
"""Directions in which the images vary by less of the largest variance are rounding."""
_TEMPERATURES: Final = (-1.5, 1.5)
"""Logarithms of the least and the greatest temperature: few images that are all told right say nothing of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearModel:
    """What was learned, for vectors that are standardised.

    Parameters
    ----------
    mean, scale : float64 arrays (dimension,)
        See `spread`.
    weights : float64 array (class, dimension)
        Of the standardised features.
    bias : float64 array (class,)
        Added to it.
    """

    mean: Float64[np.ndarray, " dimension"]
    scale: Float64[np.ndarray, " dimension"]
    weights: Float64[np.ndarray, "class dimension"]
    bias: Float64[np.ndarray, " class"]

    def logits(self, vectors: Float[np.ndarray, "image dimension"]) -> Float64[np.ndarray, "image class"]:
        """Return the score of each class for each image, before temperature."""
        return np.asarray(((vectors - self.mean) / self.scale) @ self.weights.T + self.bias)


def fit_logistic(
    vectors: Float[np.ndarray, "image dimension"], labels: Int[np.ndarray, " image"], *, strengths: Sequence[float]
) -> tuple[LinearModel, ...]:
    r"""Fit a regression for every strength.

    .. math:: \min_{W, b} \; \tfrac12 \lVert W \rVert^2
              - C \sum_i \frac{n}{K n_{y_i}} \log P(y_i \mid z_i / \sqrt d)

    with z the standardised vector, of d features, and n_k the images of class k of K. Where there are fewer images than
    features, the regression is solved in the space that the images span, in which its solution lies (the representer
    theorem), so that it costs what the images cost.

    Parameters
    ----------
    vectors : float array (image, dimension)
        Of images.
    labels : int array (image,)
        Number of the class of each image; every number up to the largest occurs.
    strengths : sequence of float
        Values of C, the inverse strength of the penalty.

    Returns
    -------
    tuple of LinearModel
        One a strength.

    Raises
    ------
    InputError
        All vectors are equal.

    Examples
    --------
    >>> vectors = np.array([[0.0, 0.0], [0.0, 1.0], [4.0, 0.0], [4.0, 1.0]])
    >>> (model,) = fit_logistic(vectors, np.array([0, 0, 1, 1]), strengths=[10.0])
    >>> model.logits(np.array([[0.0, 0.5], [4.0, 0.5]])).argmax(axis=1).tolist()
    [0, 1]
    """
    # Loaded late: it takes a second.
    from sklearn.linear_model import LogisticRegression

    mean, scale = spread(vectors)
    root = np.sqrt(vectors.shape[1])
    scaled = (np.asarray(vectors, dtype=np.float64) - mean) / scale / root
    rotated, axes = _spanned(scaled)
    models = []
    for strength in strengths:
        solver = LogisticRegression(C=strength, class_weight="balanced", max_iter=_MOST_STEPS, tol=1e-6)
        solver.fit(rotated, labels)
        coefficients, bias = solver.coef_, solver.intercept_
        if len(coefficients) == 1:  # two classes: one score, of which each has its half
            coefficients, bias = np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-bias, bias]) / 2
        weights = coefficients if axes is None else coefficients @ axes
        models.append(LinearModel(mean=mean, scale=scale, weights=weights / root, bias=bias))
    return tuple(models)


def balanced_weights(labels: Int[np.ndarray, " image"]) -> Float64[np.ndarray, " image"]:
    """Return a weight for each image so that classes weigh alike; their sum is 1.

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 1])).tolist()
    [0.25, 0.25, 0.5]
    """
    counts = np.bincount(labels)
    return np.asarray(1 / (np.count_nonzero(counts) * counts[labels]))


def balanced_loss(
    logits: Float[np.ndarray, "image class"], labels: Int[np.ndarray, " image"], *, temperature: float = 1.0
) -> float:
    """Return the mean negative log-probability of the true class [nats], classes weighing alike."""
    told = log_probabilities(logits, temperature=temperature)[np.arange(len(labels)), labels]
    return float(-(balanced_weights(labels) @ told))


def balanced_temperature(logits: Float[np.ndarray, "image class"], labels: Int[np.ndarray, " image"]) -> float:
    """Return the temperature, from 0.22 to 4.5, under which the true classes are most probable, classes weighing alike.

    Parameters
    ----------
    logits : float array (image, class)
        Said of images that were not learned from.
    labels : int array (image,)
        The truth.

    Notes
    -----
    Guo et al. (2017), arXiv 1706.04599.

    Examples
    --------
    Three of four are right, so the answer deserves 0.75: logits 2 apart are to be divided by 2 / ln 3.

    >>> logits = np.array([[2.0, 0.0]] * 3 + [[0.0, 2.0]] + [[0.0, 2.0]] * 3 + [[2.0, 0.0]])
    >>> round(balanced_temperature(logits, np.repeat([0, 1], 4)), 4), round(2 / float(np.log(3)), 4)
    (1.8205, 1.8205)
    """

    def loss(log_temperature: float) -> float:
        return balanced_loss(logits, labels, temperature=float(np.exp(log_temperature)))

    return float(np.exp(minimize_scalar(loss, bounds=_TEMPERATURES, method="bounded", options={"xatol": 1e-7}).x))


def _spanned(
    scaled: Float64[np.ndarray, "image dimension"],
) -> tuple[Float64[np.ndarray, "image axis"], Float64[np.ndarray, "axis dimension"] | None]:
    """Return images along axes that span them, and these axes; as they are where that saves nothing."""
    count, dimension = scaled.shape
    if count >= dimension:
        return scaled, None
    variance, directions = np.linalg.eigh(scaled @ scaled.T)
    kept = variance > _LEAST_SHARE * variance[-1]
    length = np.sqrt(variance[kept])
    return directions[:, kept] * length, (directions[:, kept] / length).T @ scaled
