"""The network: a linear view of each channel's patch, set by the context, and a few residual blocks, set by it too."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from micrographia.atoms.network.canonical import SIDE
from micrographia.atoms.network.descriptors import PER_CHANNEL, SHARED
from micrographia.simulate.specimens.hosts import ROLES

VIEWS: Final = 256
"""Linear views of a patch."""
WIDTH: Final = 320
"""Width of the blocks."""
BLOCKS: Final = 3


class Modulated(nn.Module):
    """A residual block, each of whose hidden features the context turns up, down, or over.

    Parameters
    ----------
    width, context : int
        Features of the block, and of the context.
    """

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.inward = nn.Linear(width, width)
        self.outward = nn.Linear(width, width)
        self.set = nn.Linear(context, 2 * width)
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Return the features after the block."""
        scale, shift = self.set(context).chunk(2, dim=-1)
        hidden = self.inward(features) * (1 + scale) + shift
        after: Tensor = features + self.outward(nn.functional.gelu(hidden))
        return after


class ContextNetwork(nn.Module):
    """Label of a site from its canonical patch, one or several channels, and its context.

    The logarithm of the likelihood of a patch is linear in it, with weights that the context sets, as long as nothing
    but noise is unknown. So the first layer is linear; the context scales its views of the patch, and the
    residual blocks deal with the rest: blur, neighbours, haze. Evidence of the channels adds up.
    """

    def __init__(self, *, views: int = VIEWS, width: int = WIDTH, blocks: int = BLOCKS, context: int = 128) -> None:
        super().__init__()
        self.views = nn.Linear(SIDE * SIDE, views, bias=False)
        self.told_channel = nn.Sequential(
            *(nn.Linear(SHARED + PER_CHANNEL, context), nn.GELU(), nn.Linear(context, context), nn.GELU())
        )
        self.told_shared = nn.Sequential(
            nn.Linear(SHARED + context, context), nn.GELU(), nn.Linear(context, context), nn.GELU()
        )
        self.set_views = nn.Linear(context, 4 * views)
        self.enter = nn.Linear(2 * views, width)
        self.first = Modulated(width, context)
        self.blocks = nn.ModuleList(Modulated(width, context) for _ in range(blocks))
        self.labels = nn.Linear(width, len(ROLES))

    def see(self, image: Tensor) -> Tensor:
        """Return the linear views of patches, (site, channel, view): the same whatever the context."""
        # A per cent of brightness may decide: what is measured of the patch keeps single precision.
        with torch.autocast(image.device.type, enabled=False):
            views: Tensor = self.views(image.flatten(2))
        return views

    def features(self, views: Tensor, shared: Tensor, channel: Tensor, brightness: Tensor, present: Tensor) -> Tensor:
        """Return the features from which labels are read, (site, width). Arguments as for `see` and `forward`."""
        absolute = brightness[..., :1] * views + brightness[..., 1:] * self.views.weight.sum(dim=1)
        told = self.told_channel(torch.cat([shared[:, None].expand(-1, channel.shape[1], -1), channel], dim=-1))
        scale, shift = self.set_views(told).chunk(2, dim=-1)
        seen = torch.cat([views, absolute], dim=-1) * (1 + scale) + shift
        evidence = self.first(self.enter(seen), told) * present[..., None]
        together = (told * present[..., None]).sum(dim=1) / present.sum(dim=1, keepdim=True)
        context = self.told_shared(torch.cat([shared, together], dim=-1))
        found: Tensor = evidence.sum(dim=1)
        for block in self.blocks:
            found = block(found, context)
        return found

    def forward(
        self, image: Tensor, shared: Tensor, channel: Tensor, brightness: Tensor, present: Tensor, in_play: Tensor
    ) -> Tensor:
        """Return the logarithm of each label's posterior, up to a constant of the site.

        Parameters
        ----------
        image : float tensor (site, channel, 36, 36)
            Canonical patches.
        shared, channel, brightness : float tensor
            Of `Descriptors`.
        present : float tensor (site, channel)
            1 where a site has a channel, else 0.
        in_play : bool tensor (site, 8)
            Which of `ROLES` may be there at all.

        Returns
        -------
        float tensor (site, 8)
            Minus infinity where a label is not in play.
        """
        return self.label_logits(self.features(self.see(image), shared, channel, brightness, present), in_play)

    def label_logits(self, features: Tensor, in_play: Tensor) -> Tensor:
        """Return what `forward` does, from `features`."""
        logits: Tensor = self.labels(features).float()
        return logits.masked_fill(~in_play, -torch.inf)
