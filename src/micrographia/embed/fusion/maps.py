"""The fused network as an encoder for segmentation: maps from 2 px to 32 px."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from micrographia.embed.choose import FUSION
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import STEM_PX
from micrographia.embed.fusion.saved import packaged_fusion, read_fusion
from micrographia.embed.fusion.stem import DEEP_CHANNELS, DEEP_PX, FINE_CHANNELS, FINE_PX, SEEN_CHANNELS
from micrographia.errors import InputError
from micrographia.segment.network.encoder import Encoder, load_encoder

_PATCH_LEVELS: Final = 2


class FusionMaps(Encoder):
    """Maps of a fused network: those of its stem and, if there are streams, the patches of the two finest levels.

    Parameters
    ----------
    network : FusionNetwork
        With its weights.
    name : str
        See `Encoder`.

    Examples
    --------
    >>> from micrographia.embed.fusion.plan import FusionPlan
    >>> maps = FusionMaps(FusionNetwork(FusionPlan(), torch.zeros(0, 384)), name="fusion:tiny").eval()
    >>> [tuple(m.shape[1:]) for m in maps(torch.zeros(1, 1, 64, 64))]
    [(16, 32, 32), (24, 16, 16), (40, 8, 8), (112, 4, 4), (320, 2, 2)]
    """

    def __init__(self, network: FusionNetwork, *, name: str) -> None:
        plan = network.plan
        patch_px = plan.patch_px[: -_PATCH_LEVELS - 1 : -1] if plan.fused else (STEM_PX, DEEP_PX)
        channels = (plan.width,) * len(patch_px) if plan.fused else (SEEN_CHANNELS, DEEP_CHANNELS)
        super().__init__(
            name=name,
            channels=(*FINE_CHANNELS, *channels),
            strides=(*FINE_PX, *patch_px),
            divisor=plan.side_px,
        )
        self.network = network

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps, finest first."""
        if self.network.streams is None:
            # Nothing but the stem on the finest level is asked for.
            *fine, patches = self.network.stem(image)
            return [*fine, patches, self.network.stem.deeper(patches)]
        fused = self.network(image)
        return [*fused.fine, *fused.streams.patches[: -_PATCH_LEVELS - 1 : -1]]


def load_segmenting(name: str) -> Encoder:
    """Return an encoder for segmentation by name: ``fusion``, ``fusion:FILE``, or what `load_encoder` takes.

    Raises
    ------
    ReadError
        The file is no fused encoder.
    InputError
        See `load_encoder`.
    """
    kind, colon, file = name.partition(":")
    if kind != FUSION:
        return load_encoder(name)
    if colon and not file:
        raise InputError(f"encoder is {name!r}; accepted is fusion, or fusion:FILE of `micrographia train fusion`")
    network, _ = read_fusion(Path(file) if colon else packaged_fusion())
    return FusionMaps(network, name=name)
