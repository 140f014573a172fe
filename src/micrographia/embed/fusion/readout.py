"""What a fused encoder looked at: which levels and streams counted, which patches, which sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from micrographia.embed.fusion.language import Spoken
from micrographia.embed.fusion.network import Fused


@dataclass(frozen=True, kw_only=True)
class LevelReadOut:
    """One level.

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
    """What a fused encoder looked at in one image.

    Parameters
    ----------
    levels : tuple of LevelReadOut
        Coarsest first.
    patches : float tensor (row, column)
        How much each patch of the finest level was looked at, as a multiple of what it would be if all were alike.
    patch_px : int
        Side of these patches [px].
    sentences : tuple of (str, float)
        Sentences with their weights, the heaviest first; the sum of all is 1. None where there is no language.
    """

    levels: tuple[LevelReadOut, ...]
    patches: Float[Tensor, "row column"]
    patch_px: int
    sentences: tuple[tuple[str, float], ...]


def looked_at(fused: Fused) -> Float[Tensor, "batch row column"]:
    """Return how much each patch of the finest level was looked at; the sum over an image is 1.

    The mean of what the class token of each level looked at, spread over the finer patches in each of its own, and,
    where there is language, of what the sentences looked at, each by its weight.

    Parameters
    ----------
    fused : Fused
        Of images.
    """
    rows, columns = fused.patches[-1].shape[2:]
    shares = []
    for looked in fused.attention:
        times = rows // looked.shape[1]
        shares.append(functional.interpolate(looked[:, None], scale_factor=times, mode="nearest")[:, 0] / times**2)
    if fused.spoken is not None:
        weights = fused.spoken.sentences.softmax(dim=1)[:, None]
        shares.append((weights @ fused.spoken.patches)[:, 0].reshape(-1, rows, columns))
    return torch.stack(shares).mean(dim=0)


def said(spoken: Sequence[Spoken], sentences: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return sentences with their weights, mean over all images, the heaviest first; none where there is no language.

    Parameters
    ----------
    spoken : sequence of Spoken
        What language made of batches of images.
    sentences : sequence of str
        Of the bank.
    """
    if not spoken:
        return ()
    weights = torch.cat([one.sentences.softmax(dim=1) for one in spoken]).mean(dim=0).tolist()
    return tuple(sorted(zip(sentences, weights, strict=True), key=lambda pair: -pair[1]))
