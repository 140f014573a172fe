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
_TEMPERATURES: Final = (-4.0, 4.0)
"""Logarithms of the least and the greatest temperature."""


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


def balanced_temperature(
    logits: Float[np.ndarray, "image class"], labels: Int[np.ndarray, " image"], specimens: Sequence[str]
) -> float:
    """Return the temperature under which true classes are as probable as they deserve, classes weighing alike.

    Even if every image is told right, n specimens of a class say no more than that (n + 1) / (n + 2) of its images
    will be: that is what the true class is to get, and the others share the rest.

    Parameters
    ----------
    logits : float array (image, class)
        Said of images that were not learned from.
    labels : int array (image,)
        The truth.
    specimens : sequence of str
        What specimen each image is of.

    Notes
    -----
    Guo et al. (2017), arXiv 1706.04599; targets as of J. Platt, Probabilistic outputs for support vector machines, in
    Advances in Large Margin Classifiers (1999), here of specimens rather than of images.

    Examples
    --------
    Three of four are right and each counts as 5/6, so the answer deserves 3/4 × 5/6 + 1/4 × 1/6 = 2/3: logits 2 apart
    are to be divided by 2 / ln 2.

    >>> logits = np.array([[2.0, 0.0]] * 3 + [[0.0, 2.0]] + [[0.0, 2.0]] * 3 + [[2.0, 0.0]])
    >>> round(balanced_temperature(logits, np.repeat([0, 1], 4), "abcdefgh"), 4), round(2 / float(np.log(2)), 4)
    (2.8854, 2.8854)
    """
    count, classes = logits.shape
    of_class = np.array([len({s for s, k in zip(specimens, labels, strict=True) if k == c}) for c in range(classes)])
    rest = 1 / (of_class[labels] + 2)
    wanted = np.repeat((rest / (classes - 1))[:, None], classes, axis=1)
    wanted[np.arange(count), labels] = 1 - rest
    weighed = balanced_weights(labels)[:, None] * wanted

    def loss(log_temperature: float) -> float:
        return float(-(weighed * log_probabilities(logits, temperature=float(np.exp(log_temperature)))).sum())

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
