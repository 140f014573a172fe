"""A segmented image: the class of every pixel, how sure that is, and whether the image is like those learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from micrographia.errors import InputError

MOST_DISSENT: Final = 0.2
"""Share of pixels on which a network's two opinions may differ before its answer means little."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmentation:
    """The class of every pixel of an image.

    Parameters
    ----------
    values : tuple of int
        Number of each class in masks, 0 to 254.
    names : tuple of str
        What each class is called.
    mask : uint8 array (height, width)
        Number of each pixel's class, one of ``values``.
    uncertainty : float32 array (height, width), optional
        Entropy of each pixel's class over the largest possible: 0 where the model is sure, 1 where all classes are
        equally likely. None for a mask that somebody drew.
    probability : float32 array (class, height, width), optional
        Probability of each class; None where it was not asked for.
    strangeness : float, optional
        How unlike the training images the image is: 1 is the most that they differ among themselves. None where it
        cannot be told.
    dissent : float, optional
        Share of pixels, 0 to 1, for which the network's two opinions name different classes. None where there is one
        opinion only.
    own_weight : float
        How much the image's own clear pixels counted beside the network, which counts 1; 0 where its two opinions
        agree.
    seen : str
        What was done to the image to make it look like the training images; empty where it was seen as it is.

    Raises
    ------
    InputError
        The mask holds a number that is not among ``values``, or shapes differ.
    """

    values: tuple[int, ...]
    names: tuple[str, ...]
    mask: UInt8[np.ndarray, "height width"]
    uncertainty: Float32[np.ndarray, "height width"] | None = None
    probability: Float32[np.ndarray, "class height width"] | None = None
    strangeness: float | None = None
    dissent: float | None = None
    own_weight: float = 0.0
    seen: str = ""

    def __post_init__(self) -> None:
        if len(self.values) != len(self.names):
            raise InputError(f"{len(self.values)} classes have {len(self.names)} names; accepted is one name a class")
        if stray := sorted({int(v) for v in np.unique(self.mask)} - set(self.values)):
            raise InputError(f"the mask holds {stray[0]}; accepted is one of {', '.join(str(v) for v in self.values)}")
        for extra in (self.uncertainty, None if self.probability is None else self.probability[0]):
            if extra is not None and extra.shape != self.mask.shape:
                raise InputError(f"mask has shape {self.mask.shape} and its uncertainty or probability {extra.shape}")

    @property
    def unfamiliar(self) -> bool:
        """Whether the image is unlike all that the model learned from, so that its answer means little."""
        return self.strangeness is not None and self.strangeness > 1

    @property
    def warning(self) -> str:
        """Why the answer means little, in words; empty where nothing speaks against it."""
        reasons = ["unlike the training images"] if self.unfamiliar else []
        if self.dissent is not None and self.dissent > MOST_DISSENT:
            reasons.append(f"the two opinions of the model differ on {100 * self.dissent:.0f} % of it")
        return "; ".join(reasons)

    def of(self, name: str) -> Bool[np.ndarray, "height width"]:
        """Return where a class is, bool array (height, width).

        Raises
        ------
        InputError
            There is no such class.
        """
        if name not in self.names:
            raise InputError(f"class is {name!r}; accepted is one of {', '.join(self.names)}")
        here: Bool[np.ndarray, "height width"] = self.mask == self.values[self.names.index(name)]
        return here
