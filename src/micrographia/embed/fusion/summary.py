"""From what the network makes of an image to the one vector that is compared and classified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from micrographia.embed.fusion.network import RELATED_LEVELS, Fused
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.relations import relations_of
from micrographia.embed.fusion.stem import DEEP_CHANNELS, DEEP_PX, FINE_CHANNELS, FINE_PX, SEEN_CHANNELS

STATISTICS: Final = 4
"""Mean, standard deviation, greatest and least value."""


def summary(fused: Fused) -> Float[Tensor, "batch dimension"]:
    """Return one vector of each image.

    Parameters
    ----------
    fused : Fused
        Of images.

    Returns
    -------
    float tensor (batch, dimension)
        As of `summarised`, of `vectors_of`, `grids_of` and what is related.
    """
    return summarised(vectors_of(fused), grids_of(fused), fused.related)


def vectors_of(fused: Fused) -> tuple[Float[Tensor, "batch width"], ...]:
    """Return the vectors of whole images: the fused ones, and what language added; none without streams."""
    if fused.streams is None:
        return ()
    return (*fused.streams.levels, *(() if fused.streams.spoken is None else (fused.streams.spoken.vector,)))


def grids_of(fused: Fused) -> tuple[Float[Tensor, "batch _channel _row _column"], ...]:
    """Return the maps whose statistics count: fused patches, the same as the stem saw them, and its last map."""
    return (*(() if fused.streams is None else fused.streams.patches), *fused.seen, fused.deep)


def grids_px(plan: FusionPlan) -> tuple[int, ...]:
    """Return the pixels between neighbours in the maps of `grids_of` [px]."""
    return (*(plan.patch_px if plan.fused else ()), *plan.patch_px, DEEP_PX)


def related_px(plan: FusionPlan) -> tuple[int, ...]:
    """Return the pixels between neighbours in the maps whose relations count [px]."""
    return (*plan.patch_px[-RELATED_LEVELS:], FINE_PX[-1]) if plan.relations else ()


def summarised(
    vectors: Sequence[Float[Tensor, "batch _width"]],
    grids: Sequence[Float[Tensor, "batch _channel _row _column"]],
    related: Sequence[Float[Tensor, "batch _direction _row _column"]],
) -> Float[Tensor, "batch dimension"]:
    """Return vectors, and what there is much of, what there is once and what goes together, side by side.

    Parameters
    ----------
    vectors : sequence of float tensor (batch, width)
        Of whole images.
    grids : sequence of float tensor (batch, channel, row, column)
        Of patches: of each channel mean, standard deviation, greatest and least value count.
    related : sequence of float tensor (batch, direction, row, column)
        Of patches: `relations_of` them count.

    Returns
    -------
    float tensor (batch, dimension)
        Each part is scaled to a root mean square of 1.

    Examples
    --------
    >>> summarised([torch.tensor([[3.0]])], [torch.tensor([[[[2.0, 6.0]]]])], []).tolist()
    [[1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    parts = list(vectors)
    for grid in grids:
        flat = grid.flatten(2).float()
        spread, mean = torch.std_mean(flat, dim=2, correction=0)
        parts += [mean, spread, flat.amax(2), flat.amin(2)]
    parts += [relations_of(features.float()) for features in related]
    scaled = [p.float() / p.float().square().mean(dim=1, keepdim=True).clamp_min(1e-12).sqrt() for p in parts]
    return torch.cat(scaled, dim=1)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Where in the vector of an image what stands.

    Parameters
    ----------
    fused, patches, statistics, relations : slice
        Fused vectors of the levels and of language, statistics of the fused patches, of what the stem sees, and
        relations.
    """

    fused: slice
    patches: slice
    statistics: slice
    relations: slice


def parts_of(plan: FusionPlan) -> Parts:
    """Return which part of what `summary` gives is what.

    Examples
    --------
    >>> parts_of(FusionPlan()).relations.stop == dimension_of(FusionPlan())
    True
    """
    levels = len(plan.blocks)
    pairs = [min(plan.relations, c) for c in (*[SEEN_CHANNELS] * min(levels, RELATED_LEVELS), FINE_CHANNELS[-1])]
    sizes = (
        plan.width * (levels + plan.language) if plan.fused else 0,
        STATISTICS * levels * plan.width if plan.fused else 0,
        STATISTICS * (levels * SEEN_CHANNELS + DEEP_CHANNELS),
        sum(n * (n + 1) // 2 for n in pairs),
    )
    ends = list(accumulate(sizes))
    fused, patches, statistics, relations = (slice(a, b) for a, b in zip([0, *ends], ends, strict=False))
    return Parts(fused=fused, patches=patches, statistics=statistics, relations=relations)


def dimension_of(plan: FusionPlan) -> int:
    """Return how many numbers `summary` gives.

    Examples
    --------
    >>> dimension_of(FusionPlan()), dimension_of(FusionPlan(relations=0))
    (4208, 2624)
    """
    return int(parts_of(plan).relations.stop)
