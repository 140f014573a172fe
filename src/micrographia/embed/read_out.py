"""What an encoder says of how it came to its vector, as far as it can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True, kw_only=True)
class LevelReadOut:
    """One level of a network that looks at patches of several sizes.

    Parameters
    ----------
    patch_px : int
        Side of a patch [px].
    patch_stream, graph_stream : float
        Weights of the two streams in what the level says; their sum is 1.
    """

    patch_px: int
    patch_stream: float
    graph_stream: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadOut:
    """What an encoder attended to in one image.

    Parameters
    ----------
    levels : tuple of LevelReadOut
        Coarsest first.
    patches : float32 array (row, column)
        How much each patch was looked at, as a multiple of the mean. Where a network sees an image in windows, the
        looks at a window have the same sum, whatever is in it.
    patch_px : int
        Side of these patches [px].
    sentences : tuple of (str, float)
        Sentences with their weights, the heaviest first; the sum of all is 1. Empty where there is no language.
    """

    levels: tuple[LevelReadOut, ...]
    patches: Float32[np.ndarray, "row column"]
    patch_px: int
    sentences: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchEvidence:
    """What each patch of an image adds to a score of the image's vector.

    Parameters
    ----------
    patch_px : int
        Side of a patch [px].
    added : float32 array (row, column)
        In the unit of the score; above 0 where a patch raises it.
    """

    patch_px: int
    added: Float32[np.ndarray, "row column"]
