"""How a classifier of whole micrographs is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from micrographia.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """How a classifier is trained.

    Parameters
    ----------
    folds : int
        Parts of the cross-validation, at most.
    strengths : tuple of float
        Inverse strengths of the penalty that are tried, for features of which one image has a squared norm of about 1.
    neighbours : int
        How many of the nearest training images an image is compared with, at most.
    seed : int
        Of the division into folds, which is all that is random.

    Raises
    ------
    InputError
        A value is out of range.
    """

    folds: int = 5
    strengths: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
    neighbours: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {"folds": 2, "neighbours": 1, "seed": 0}.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is {least} or more")
        if not self.strengths or not all(math.isfinite(s) and s > 0 for s in self.strengths):
            raise InputError(f"strengths are {self.strengths}; accepted are positive numbers, at least one")
