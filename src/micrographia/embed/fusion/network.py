"""The fused network: what the stem sees on each level, which of it goes together, and what the streams make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.relations import along
from micrographia.embed.fusion.stem import FINE_CHANNELS, SEEN_CHANNELS, Stem
from micrographia.embed.fusion.streams import FusedStreams, Streams
from micrographia.errors import InputError

RELATED_LEVELS: Final = 2
"""Levels, the finest ones, on which relations of patches count."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fused:
    """What the network makes of images.

    Parameters
    ----------
    seen : tuple of float tensor (batch, channel, row, column)
        What the stem sees in the patches of each level, coarsest first.
    fine : tuple of float tensor (batch, channel, row, column)
        Its maps that are finer than patches, at 2, 4 and 8 px.
    deep : float tensor (batch, channel, row, column)
        Its last map, at 32 px.
    related : tuple of float tensor (batch, direction, row, column)
        Features whose relations count: of the patches of the finest levels, coarser first, and of the map at 8 px.
    streams : Streams or None
        What the streams make of the patches.
    """

    seen: tuple[Float[Tensor, "batch _channel _row _column"], ...]
    fine: tuple[Float[Tensor, "batch _channel _row _column"], ...]
    deep: Float[Tensor, "batch _channel _row _column"]
    related: tuple[Float[Tensor, "batch _direction _row _column"], ...]
    streams: Streams | None


class FusionNetwork(nn.Module):
    """Images to vectors, on several levels, coarse to fine.

    Parameters
    ----------
    plan : FusionPlan
        What it is made of.
    bank : float tensor (sentence, text_width)
        Vectors of the sentences; no row where there is no language.

    Raises
    ------
    InputError
        Language without sentences, or sentences of another width.

    Examples
    --------
    >>> fused = FusionNetwork(FusionPlan(), torch.zeros(0, 384)).eval()(torch.zeros(1, 1, 64, 128))
    >>> [tuple(m.shape[2:]) for m in fused.seen], tuple(fused.deep.shape)
    ([(1, 2), (2, 4), (4, 8)], (1, 320, 2, 4))
    >>> [tuple(m.shape[1:]) for m in fused.related], fused.streams
    ([(32, 2, 4), (32, 4, 8), (32, 8, 16)], None)
    """

    bank: Tensor
    patch_directions: Tensor
    fine_directions: Tensor

    def __init__(self, plan: FusionPlan, bank: Float[Tensor, "sentence text_width"]) -> None:
        super().__init__()
        if plan.language and not (len(bank) and bank.shape[1] == plan.text_width):
            raise InputError(
                f"the bank of sentences has shape {tuple(bank.shape)}; accepted is (sentences, {plan.text_width}), "
                "with one sentence or more"
            )
        self.plan = plan
        self.stem = Stem()
        self.streams = FusedStreams(plan) if plan.fused else None
        self.register_buffer("bank", bank)
        # The first features, until a training sets them to the principal directions of what it sees.
        for name, channels in (("patch_directions", SEEN_CHANNELS), ("fine_directions", FINE_CHANNELS[-1])):
            self.register_buffer(name, torch.eye(min(plan.relations, channels), channels))

    def forward(
        self, image: Float[Tensor, "batch 1 height width"], hidden: Float[Tensor, "batch row column"] | None = None
    ) -> Fused:
        """Return what the network makes of images.

        Parameters
        ----------
        image : float tensor (batch, 1, height, width)
            Grey values as `normalised` makes them: black near -1, white near 1. Height and width are multiples of
            ``plan.side_px``.
        hidden : bool tensor (batch, row, column), optional
            Patches of the finest level, of which the image is to show nothing: they are set to its mean grey.
        """
        if hidden is not None:
            size = image.shape[2:]
            cover = functional.interpolate(hidden[:, None].to(image.dtype), size=size, mode="nearest")
            image = image * (1 - cover) + image.mean(dim=(2, 3), keepdim=True) * cover
        seen: list[Tensor] = []
        fine: list[Tensor] = []
        for patch_px in self.plan.patch_px:
            times = patch_px // self.plan.patch_px[-1]
            *fine, patches = self.stem(functional.avg_pool2d(image, times) if times > 1 else image)
            seen.append(patches)
        related: list[Tensor] = []
        if self.plan.relations:
            related = [along(grid, self.patch_directions) for grid in seen[-RELATED_LEVELS:]]
            related.append(along(fine[-1], self.fine_directions))
        return Fused(
            seen=tuple(seen),
            fine=tuple(fine),
            deep=self.stem.deeper(seen[-1]),
            related=tuple(related),
            streams=None if self.streams is None else self.streams(seen, self.bank),
        )
