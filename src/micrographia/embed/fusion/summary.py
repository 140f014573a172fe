"""From what the network makes of an image to the one vector that is compared and classified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from micrographia.embed.fusion.network import Fused
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.stem import SEEN_CHANNELS

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
        As of `summarised`, of the fused vector of each level, of what language added, and of the patches of all levels,
        as they are and as the stem saw them.
    """
    return summarised(vectors_of(fused), (*fused.patches, *fused.seen))


def vectors_of(fused: Fused) -> tuple[Float[Tensor, "batch width"], ...]:
    """Return the vectors of whole images: the fused ones, and what language added."""
    return (*fused.levels, *(() if fused.spoken is None else (fused.spoken.vector,)))


def summarised(
    vectors: Sequence[Float[Tensor, "batch _width"]], grids: Sequence[Float[Tensor, "batch _channel _row _column"]]
) -> Float[Tensor, "batch dimension"]:
    """Return vectors, and what there is much of and what there is once among patches, side by side.

    Parameters
    ----------
    vectors : sequence of float tensor (batch, width)
        Of whole images.
    grids : sequence of float tensor (batch, channel, row, column)
        Of patches: of each channel mean, standard deviation, greatest and least value count.

    Returns
    -------
    float tensor (batch, dimension)
        Each part is scaled to a root mean square of 1.

    Examples
    --------
    >>> summarised([torch.tensor([[3.0]])], [torch.tensor([[[[2.0, 6.0]]]])]).tolist()
    [[1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    parts = list(vectors)
    for grid in grids:
        flat = grid.flatten(2).float()
        spread, mean = torch.std_mean(flat, dim=2, correction=0)
        parts += [mean, spread, flat.amax(2), flat.amin(2)]
    scaled = [p.float() / p.float().square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-6) for p in parts]
    return torch.cat(scaled, dim=1)


def dimension_of(plan: FusionPlan) -> int:
    """Return how many numbers `summary` gives.

    Examples
    --------
    >>> dimension_of(FusionPlan(width=32, blocks=(1, 1), language=False))
    1216
    """
    levels = len(plan.blocks)
    return plan.width * (levels + plan.language) + STATISTICS * levels * (plan.width + SEEN_CHANNELS)
