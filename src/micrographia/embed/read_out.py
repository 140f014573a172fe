"""What an encoder says of where it looked, as far as it can."""

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
    """Where an encoder looked in one image.

    Parameters
    ----------
    levels : tuple of LevelReadOut
        Coarsest first.
    patches : float32 array (row, column)
        How much each patch was looked at, as a multiple of what it would be if all were alike.
    patch_px : int
        Side of these patches [px].
    sentences : tuple of (str, float)
        Sentences with their weights, the heaviest first; the sum of all is 1. None where there is no language.
    """

    levels: tuple[LevelReadOut, ...]
    patches: Float32[np.ndarray, "row column"]
    patch_px: int
    sentences: tuple[tuple[str, float], ...]
