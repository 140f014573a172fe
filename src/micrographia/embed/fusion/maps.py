"""The fused network as an encoder for segmentation: maps from 2 px to patches of 32 px."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from micrographia.embed.choose import FUSION
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.saved import read_fusion
from micrographia.embed.fusion.stem import FINE_CHANNELS, FINE_PX
from micrographia.errors import InputError
from micrographia.segment.network.encoder import Encoder, load_encoder

_PATCH_LEVELS: Final = 2


class FusionMaps(Encoder):
    """Maps of a fused network: those of its stem, and the patches of its two finest levels.

    Parameters
    ----------
    network : FusionNetwork
        With its weights.
    name : str
        See `Encoder`.

    Examples
    --------
    >>> from micrographia.embed.fusion.plan import FusionPlan
    >>> plan = FusionPlan(width=32, blocks=(1, 1, 1), language=False)
    >>> maps = FusionMaps(FusionNetwork(plan, torch.zeros(0, 384)), name="fusion:tiny").eval()
    >>> [tuple(m.shape[1:]) for m in maps(torch.zeros(1, 1, 64, 64))]
    [(16, 32, 32), (24, 16, 16), (40, 8, 8), (32, 4, 4), (32, 2, 2)]
    """

    def __init__(self, network: FusionNetwork, *, name: str) -> None:
        patch_px = network.plan.patch_px[: -_PATCH_LEVELS - 1 : -1]
        super().__init__(
            name=name,
            channels=(*FINE_CHANNELS, *(network.plan.width,) * len(patch_px)),
            strides=(*FINE_PX, *patch_px),
            divisor=network.plan.side_px,
        )
        self.network = network

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps, finest first."""
        fused = self.network(image)
        return [*fused.fine, *fused.patches[: -_PATCH_LEVELS - 1 : -1]]


def load_segmenting(name: str) -> Encoder:
    """Return an encoder for segmentation by name: ``fusion:FILE``, or what `load_encoder` takes.

    Raises
    ------
    ReadError
        The file is no fused encoder.
    InputError
        See `load_encoder`.
    """
    kind, _, file = name.partition(":")
    if kind != FUSION:
        return load_encoder(name)
    if not file:
        raise InputError(f"encoder is {name!r}; accepted is fusion:FILE, what `micrographia train fusion` wrote")
    network, _ = read_fusion(Path(file))
    return FusionMaps(network, name=name)
