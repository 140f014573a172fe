"""Say which class an image is of, or that this is not known, and on which training images it rests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Float64

from micrographia.errors import InputError
from micrographia.qualify.classify.classifier import Classifier, TrainingImage, log_probabilities, mean_nearest
from micrographia.qualify.conformal import p_value, references_needed

Reason = Literal["decided", "ambiguous", "no class fits", "unlike all training images"]
NAMED: Final = 5
"""Training images that are named as evidence."""


@dataclass(frozen=True, kw_only=True)
class ClassifySettings:
    """When a class is said.

    Parameters
    ----------
    alpha : float
        Share of the images of any class whose own class may be ruled out, above 0 and up to 0.5.
    unlike : float
        Share of images like the training images that may be called unlike them, above 0 and up to 0.5.

    Raises
    ------
    InputError
        A share is out of range.
    """

    alpha: float = 0.1
    unlike: float = 0.05

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value <= 0.5:
                raise InputError(f"{name} is {value:g}; accepted is a share above 0 and up to 0.5, such as 0.1")


@dataclass(frozen=True, kw_only=True)
class NearImage:
    """A training image near the one that was classified.

    Parameters
    ----------
    image : TrainingImage
        The image.
    distance : float
        Root mean square difference of the standardised features; two images at random are about 1.4 apart.
    """

    image: TrainingImage
    distance: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is said of an image.

    Parameters
    ----------
    label : str, optional
        Its class; None where it is unknown.
    likeliest : str
        The most probable class, whether or not it is said.
    candidates : tuple of str
        Classes that are not ruled out, the most probable first.
    reason : str
        Why the class is said, or is not.
    probability : tuple of float
        Of each class, as if all were equally frequent.
    p_class : tuple of float
        Conformal p-value of each class.
    p_familiar : float
        Conformal p-value of the image being like the training images.
    distance : float
        Mean distance to the nearest training images.
    nearest : tuple of NearImage
        The nearest training images, the nearest first.
    remarks : tuple of str
        What should be known before this is relied on.
    """

    label: str | None
    likeliest: str
    candidates: tuple[str, ...]
    reason: Reason
    probability: tuple[float, ...]
    p_class: tuple[float, ...]
    p_familiar: float
    distance: float
    nearest: tuple[NearImage, ...]
    remarks: tuple[str, ...] = ()


def decide(
    vector: Float[np.ndarray, " dimension"],
    classifier: Classifier,
    *,
    settings: ClassifySettings | None = None,
    sha256: str | None = None,
) -> Decision:
    r"""Return what a classifier says of an image.

    A class is ruled out if the image is stranger for it than all but a share α of its own training images were for a
    model that did not know their specimen:

    .. math:: p_c = \frac{1 + \#\{i \in c : s_i \ge 1 - P(c)\}}{n_c + 1} \le \alpha

    So of images of a class, whichever it is, at most about a share α lose it (label-conditional conformal prediction).
    An image is unlike all training images if it is farther from its nearest ones than all but a share of them are from
    their nearest ones of other specimens. The class is said if exactly one is left, it is the most probable, and the
    image is like the training images.

    Parameters
    ----------
    vector : float array (dimension,)
        Of the encoder and version that the classifier learned with.
    classifier : Classifier
        What decides.
    settings : ClassifySettings, optional
        When a class is said.
    sha256 : str, optional
        Of the image's file, to tell whether it was learned from.

    Raises
    ------
    InputError
        The vector is of another length.

    Notes
    -----
    Vovk, Gammerman, Shafer (2022), 10.1007/978-3-031-06649-8, chapters 2 and 4. Scores come from cross-validation and
    the answer from a model of all images, so the share is approximate; Barber et al. (2021), 10.1214/20-AOS1965.
    """
    settings = settings or ClassifySettings()
    if vector.shape != classifier.mean.shape:
        raise InputError(f"the vector has shape {vector.shape}; the classifier knows {classifier.mean.shape}")
    features = (vector.astype(np.float64) - classifier.mean) / classifier.scale
    logits = classifier.weights.astype(np.float64) @ features + classifier.bias
    probability = np.exp(log_probabilities(logits[None], temperature=classifier.temperature)[0])
    labels = classifier.labels
    p_class = tuple(
        p_value(float(1 - p), classifier.strangeness[labels == k].astype(np.float64)) for k, p in enumerate(probability)
    )
    apart = np.sqrt(np.mean((classifier.features - features) ** 2, axis=1))
    distance = float(mean_nearest(apart, neighbours=classifier.neighbours))
    p_familiar = p_value(distance, classifier.distances.astype(np.float64))
    order = np.argsort(-probability, kind="stable")
    left = tuple(classifier.classes[k] for k in order if p_class[k] > settings.alpha)
    likeliest = classifier.classes[order[0]]
    reason = _reason(left, likeliest, unlike=p_familiar <= settings.unlike)
    return Decision(
        label=likeliest if reason == "decided" else None,
        likeliest=likeliest,
        candidates=left,
        reason=reason,
        probability=tuple(map(float, probability)),
        p_class=p_class,
        p_familiar=p_familiar,
        distance=distance,
        nearest=tuple(
            NearImage(image=classifier.images[k], distance=float(apart[k]))
            for k in np.argsort(apart, kind="stable")[:NAMED]
        ),
        remarks=tuple(f"it learned from this very file, {i.file}" for i in classifier.images if i.sha256 == sha256),
    )


def slopes_for(label: str, probability: Sequence[float], classifier: Classifier) -> Float64[np.ndarray, " dimension"]:
    r"""Return how the log-odds of a class against all others change with each number of the vector of an image [nats].

    .. math:: \nabla \log\frac{P_c}{1 - P_c} = \frac{1}{T} \left(w_c - \sum_{k \ne c} \frac{P_k}{1 - P_c} w_k\right)

    Parameters
    ----------
    label : str
        The class.
    probability : sequence of float
        Of each class, for that image.
    classifier : Classifier
        What decides.

    Examples
    --------
    With two classes it is the difference of their weights:

    >>> from types import SimpleNamespace as Known
    >>> two = Known(classes=("a", "b"), weights=np.array([[3.0], [1.0]]), scale=np.array([2.0]), temperature=0.5)
    >>> slopes_for("a", (0.9, 0.1), two).tolist()
    [2.0]
    """
    own = classifier.classes.index(label)
    others = np.array(probability, dtype=np.float64)
    others[own] = 0
    # All of it may be with one class, to the last digit.
    others = others / others.sum() if others.sum() > 0 else (np.arange(len(others)) != own) / (len(others) - 1)
    weights = classifier.weights.astype(np.float64)
    return np.asarray((weights[own] - others @ weights) / classifier.temperature / classifier.scale)


def shortages(classifier: Classifier, settings: ClassifySettings) -> tuple[str, ...]:
    """Return in sentences what too few training images make impossible, whatever an image looks like.

    Parameters
    ----------
    classifier : Classifier
        With the images that it learned from.
    settings : ClassifySettings
        What is asked of it.
    """
    counts, needed = np.bincount(classifier.labels), references_needed(settings.alpha)
    found = [
        f"class {name} has {count} training images and can never be ruled out at alpha {settings.alpha:g}, so no other "
        f"class is ever said; {needed} are needed, or a larger --alpha"
        for name, count in zip(classifier.classes, counts, strict=True)
        if count < needed
    ]
    if (count := len(classifier.images)) < (needed := references_needed(settings.unlike)):
        found.append(
            f"{count} training images cannot show that an image is unlike them at the level {settings.unlike:g}; "
            f"{needed} are needed, or a larger --unlike"
        )
    return tuple(found)


def _reason(left: tuple[str, ...], likeliest: str, *, unlike: bool) -> Reason:
    if unlike:
        return "unlike all training images"
    if not left:
        return "no class fits"
    return "decided" if left == (likeliest,) else "ambiguous"
