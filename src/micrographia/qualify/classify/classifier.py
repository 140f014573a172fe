"""A classifier of whole micrographs: linear in what an encoder says, with the images that it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.special import log_softmax

from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError

UNKNOWN: Final = "unknown"
"""What stands in tables where no class is said; no class may be called so."""
_LEAST_SPREAD: Final = 0.05
"""Features spread at least so much of the mean spread: one that hardly ever varied must not outweigh all others."""


@dataclass(frozen=True, kw_only=True)
class TrainingImage:
    """An image that a classifier learned from.

    Parameters
    ----------
    file : str
        Its file within the folder that was learned from, class folder included.
    sha256 : str
        SHA-256 of the file's bytes, hexadecimal.
    label : int
        Number of its class.
    specimen : str
        What it is of: images of one specimen are alike for other reasons than their class.
    """

    file: str
    sha256: str
    label: int
    specimen: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """A trained classifier.

    Parameters
    ----------
    classes : tuple of str
        Their names.
    encoder, version : str
        What made the vectors.
    tile_px : int, optional
        Side of the tiles over which vectors are averaged [px].
    info_bar : bool
        Whether bars of print were read and cut off, as in `read`.
    mean, scale : float32 arrays (dimension,)
        By which vectors are standardised, see `spread`.
    weights : float32 array (class, dimension)
        Of the standardised features.
    bias : float32 array (class,)
        Added to it.
    temperature : float
        By which both are divided before they become probabilities.
    features : float32 array (image, dimension)
        Standardised features of the training images.
    images : tuple of TrainingImage
        The same images.
    neighbours : int
        How many of the nearest training images an image is compared with.
    distances : float32 array (image,)
        How far each training image is from its nearest ones of other specimens, see `left_out_distances`.
    strangeness : float32 array (image,)
        1 minus the probability of its own class, said by a model that did not know its specimen.
    sha256 : str
        Of the file of weights; empty before it is saved.

    Raises
    ------
    InputError
        Shapes do not fit each other, a value is not finite, or a class has no image.
    """

    classes: tuple[str, ...]
    encoder: str
    version: str
    tile_px: int | None
    info_bar: bool
    mean: Float32[np.ndarray, " dimension"]
    scale: Float32[np.ndarray, " dimension"]
    weights: Float32[np.ndarray, "class dimension"]
    bias: Float32[np.ndarray, " class"]
    temperature: float
    features: Float32[np.ndarray, "image dimension"]
    images: tuple[TrainingImage, ...]
    neighbours: int
    distances: Float32[np.ndarray, " image"]
    strangeness: Float32[np.ndarray, " image"]
    sha256: str = ""

    def __post_init__(self) -> None:
        count, dimension, images = len(self.classes), self.mean.size, len(self.images)
        wanted = {
            "mean": (dimension,),
            "scale": (dimension,),
            "weights": (count, dimension),
            "bias": (count,),
            "features": (images, dimension),
            "distances": (images,),
            "strangeness": (images,),
        }
        for name, shape in wanted.items():
            array: np.ndarray = getattr(self, name)
            if array.shape != shape:
                raise InputError(
                    f"{name} of the classifier has shape {array.shape}; {shape} fits its classes and images"
                )
            if not np.isfinite(array).all():
                raise InputError(f"{name} of the classifier holds values that are not finite")
        if count < 2 or {image.label for image in self.images} != set(range(count)):
            raise InputError(
                f"a classifier has two classes or more, each with images; here are {', '.join(self.classes)}"
            )
        if not (self.temperature > 0 and (self.scale > 0).all() and 1 <= self.neighbours < images):
            raise InputError("temperature, scale or number of neighbours of the classifier is not positive")

    @property
    def labels(self) -> Int[np.ndarray, " image"]:
        """Number of the class of each training image."""
        return np.array([image.label for image in self.images])


def check_encoder(classifier: Classifier, encoder: Encoder) -> None:
    """Refuse an encoder whose vectors the classifier does not know.

    Raises
    ------
    InputError
        It is another one, or another version of it.
    """
    if encoder.version != classifier.version:
        raise InputError(
            f"the classifier learned with {classifier.encoder} of version {classifier.version}, but {encoder.name} is "
            f"{encoder.version} here; use the software and weights that it learned with, or train it again"
        )


def spread(vectors: Float[np.ndarray, "image dimension"]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each feature, float64 (dimension,).

    The standard deviation of a feature is no less than 5 % of the root mean square of all of them.

    Raises
    ------
    InputError
        All vectors are equal.

    Examples
    --------
    >>> mean, scale = spread(np.array([[0.0, 5.0], [2.0, 5.0]]))
    >>> mean.tolist(), scale.round(4).tolist()  # 0.05 of the root of (1 + 0) / 2
    ([1.0, 5.0], [1.0, 0.0354])
    """
    found = np.asarray(vectors, dtype=np.float64)
    return found.mean(axis=0), floored(found.std(axis=0))


def floored(sd: Float[np.ndarray, "*image dimension"]) -> Float[np.ndarray, "*image dimension"]:
    """Return standard deviations of features, none less than 5 % of their root mean square; see `spread`."""
    whole = np.sqrt(np.mean(sd**2, axis=-1, keepdims=True))
    if not (whole > 0).all():
        raise InputError("the encoder says the same of all images; accepted are images that differ, or another encoder")
    return np.asarray(np.maximum(sd, _LEAST_SPREAD * whole))


def log_probabilities(
    logits: Float[np.ndarray, "image class"], *, temperature: float
) -> Float[np.ndarray, "image class"]:
    """Return the logarithm of the probability of each class.

    Examples
    --------
    >>> np.exp(log_probabilities(np.array([[0.0, 2 * np.log(3)]]), temperature=2.0)).round(2).tolist()
    [[0.25, 0.75]]
    """
    return np.asarray(log_softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1))


def mean_nearest(distances: Float[np.ndarray, "*image other"], *, neighbours: int) -> Float[np.ndarray, "*image"]:
    """Return the mean of the smallest distances along the last axis.

    Examples
    --------
    >>> float(mean_nearest(np.array([4.0, 1.0, 9.0, 3.0]), neighbours=2))
    2.0
    """
    return np.asarray(np.partition(distances, neighbours - 1, axis=-1)[..., :neighbours].mean(axis=-1))
