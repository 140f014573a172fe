"""Train a classifier: choose how strong the penalty is, fit, calibrate, and note what is familiar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float64

from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError
from micrographia.learn.classifier.folds import folds_of
from micrographia.learn.classifier.images import LabelledVectors
from micrographia.learn.classifier.logistic import balanced_loss, balanced_temperature, fit_logistic
from micrographia.learn.classifier.measure import measured
from micrographia.learn.classifier.settings import ClassifierSettings
from micrographia.qualify.classify.classifier import Classifier, floored, log_probabilities, mean_nearest, spread
from micrographia.qualify.classify.record import Measured

_AT_ONCE: Final = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedClassifier:
    """A classifier with what was measured on it.

    Parameters
    ----------
    classifier : Classifier
        The classifier, of all images.
    measured : Measured
        By cross-validation.
    strength : float
        Inverse strength of the penalty that was chosen.
    logits : float64 array (image, class)
        What models that did not know its specimen said of each image, before temperature.
    """

    classifier: Classifier
    measured: Measured
    strength: float
    logits: Float64[np.ndarray, "image class"]


def train_classifier(
    known: LabelledVectors,
    encoder: Encoder,
    *,
    tile_px: int | None = None,
    info_bar: bool = True,
    settings: ClassifierSettings | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> TrainedClassifier:
    """Train on vectors of known classes.

    The penalty is the one with the least balanced loss in cross-validation by specimen. What is measured, the
    temperature and the scores of label sets come from the same cross-validation: images are told by models that did not
    see their specimens, but that were one of a few penalties, chosen on them.

    Parameters
    ----------
    known : LabelledVectors
        What is learned from.
    encoder : Encoder
        What made the vectors.
    tile_px : int, optional
        How it was used, see `whole_vector`.
    info_bar : bool
        How images were read.
    settings : ClassifierSettings, optional
        How it is trained.
    progress : callable, optional
        Told how many folds are done, of how many.

    Raises
    ------
    InputError
        A class cannot be cross-validated, or all vectors are equal.
    """
    settings = settings or ClassifierSettings()
    labels = np.array([image.label for image in known.images])
    specimens = [image.specimen for image in known.images]
    rng = np.random.default_rng(settings.seed)
    fold = folds_of(labels, specimens, classes=known.classes, folds=settings.folds, rng=rng)
    parts = np.unique(fold)
    told = np.empty((len(settings.strengths), len(labels), len(known.classes)))
    for k, part in enumerate(parts):
        if progress is not None:
            progress(k, len(parts) + 1, "")
        out = fold == part
        models = fit_logistic(known.vectors[~out], labels[~out], strengths=settings.strengths)
        told[:, out] = [model.logits(known.vectors[out]) for model in models]
    losses = [balanced_loss(logits, labels) for logits in told]
    best = int(np.argmin(losses))
    logits, strength = told[best], settings.strengths[best]
    (model,) = fit_logistic(known.vectors, labels, strengths=[strength])
    temperature = balanced_temperature(logits, labels, specimens)
    probability = np.exp(log_probabilities(logits, temperature=temperature))
    distances, neighbours = left_out_distances(known.vectors, specimens, most=settings.neighbours)
    if progress is not None:
        progress(len(parts) + 1, len(parts) + 1, "")
    # Standardised as it will be from the file: with the rounded numbers.
    mean, scale = model.mean.astype(np.float32), model.scale.astype(np.float32)
    return TrainedClassifier(
        classifier=Classifier(
            classes=known.classes,
            encoder=encoder.name,
            version=encoder.version,
            tile_px=tile_px,
            info_bar=info_bar,
            mean=mean,
            scale=scale,
            weights=model.weights.astype(np.float32),
            bias=model.bias.astype(np.float32),
            temperature=temperature,
            features=((known.vectors - mean) / scale).astype(np.float32),
            images=known.images,
            neighbours=neighbours,
            distances=distances.astype(np.float32),
            strangeness=(1 - probability[np.arange(len(labels)), labels]).astype(np.float32),
        ),
        measured=measured(
            logits.argmax(axis=1),
            labels,
            specimens,
            classes=known.classes,
            loss_nats=balanced_loss(logits, labels, temperature=temperature),
            folds=len(parts),
        ),
        strength=strength,
        logits=logits,
    )


def left_out_distances(
    vectors: Float[np.ndarray, "image dimension"], specimens: Sequence[str], *, most: int
) -> tuple[Float64[np.ndarray, " image"], int]:
    """Return how far each image is from its nearest ones of other specimens, as if its own were not known.

    Its specimen counts neither among its neighbours nor in mean and spread, as is the case with an image that comes
    later. The distance is the root mean square difference of standardised features, and of the nearest few the mean
    counts.

    Parameters
    ----------
    vectors : float array (image, dimension)
        Of images.
    specimens : sequence of str
        Specimen of each image; two at least.
    most : int
        How many neighbours count, at most.

    Returns
    -------
    distances : float64 array (image,)
        In standard deviations.
    neighbours : int
        How many neighbours count: no more than every image has.

    Raises
    ------
    InputError
        Without a specimen all vectors are equal.
    """
    _, member = np.unique(np.asarray(specimens), return_inverse=True)
    sizes = np.bincount(member)
    count, dimension = vectors.shape
    neighbours = int(min(most, count - sizes.max()))
    if neighbours < 1:
        raise InputError("all images are of one specimen; accepted are two specimens or more")
    centred = np.asarray(vectors, dtype=np.float64) - spread(vectors)[0]
    squared = centred**2
    sums = np.zeros((len(sizes), dimension))
    squares = np.zeros((len(sizes), dimension))
    np.add.at(sums, member, centred)
    np.add.at(squares, member, squared)
    sums, squares = centred.sum(axis=0) - sums, squared.sum(axis=0) - squares
    found = np.empty(count)
    for start in range(0, count, _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        own = member[rows]
        others = (count - sizes[own])[:, None]
        variance = squares[own] / others - (sums[own] / others) ** 2
        weight = 1 / floored(np.sqrt(np.maximum(variance, 0))) ** 2 / dimension
        near = (weight * squared[rows]).sum(axis=1)[:, None]
        apart = near - 2 * (weight * centred[rows]) @ centred.T + weight @ squared.T
        apart[own[:, None] == member] = np.inf
        found[rows] = mean_nearest(np.sqrt(np.maximum(apart, 0)), neighbours=neighbours)
    return found, neighbours
