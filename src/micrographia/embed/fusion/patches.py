"""The patch stream: vectors of patches that attend to each other."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from micrographia.embed.fusion.plan import HEAD_WIDTH

_MLP: Final = 3


class Block(nn.Module):
    """A transformer block: place, attention, and a network for each token by itself; all added to what was there.

    Place is what a patch sees of its eight neighbours (X. Chu et al., arXiv:2102.10882), so that images of all sizes
    can be looked at and nothing depends on where the image was cut.

    Parameters
    ----------
    width : int
        Numbers in the vector of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.before = nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width)
        self.told = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.inner = nn.Sequential(nn.Linear(width, _MLP * width), nn.GELU(), nn.Linear(_MLP * width, width))
        self.heads = width // HEAD_WIDTH
        # A block that has learned nothing changes nothing: T. Bachlechner et al. (2020), arXiv:2003.04887.
        for last in (self.place, self.told, self.inner[2]):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def forward(
        self, tokens: Float[Tensor, "batch token width"], rows: int, columns: int
    ) -> Float[Tensor, "batch token width"]:
        """Return the tokens after the block; the first is the class token, the rest are patches row by row."""
        first, patches = tokens[:, :1], tokens[:, 1:]
        grid = patches.transpose(1, 2).reshape(tokens.shape[0], -1, rows, columns)
        patches = patches + self.place(grid).flatten(2).transpose(1, 2)
        tokens = torch.cat([first, patches], dim=1)
        q, k, v = self._heads(self.before(tokens))
        seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.told(seen)
        after: Tensor = tokens + self.inner(self.between(tokens))
        return after

    def class_attention(self, tokens: Float[Tensor, "batch token width"]) -> Float[Tensor, "batch patch"]:
        """Return how much the class token looks at each patch in this block: mean over heads, of the patches' sum 1."""
        q, k, _ = self._heads(self.before(tokens))
        weights = (q[:, :, :1] @ k.transpose(2, 3) / HEAD_WIDTH**0.5).softmax(dim=-1)[:, :, 0, 1:].mean(dim=1)
        shares: Tensor = weights / weights.sum(dim=1, keepdim=True)
        return shares

    def _heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, count, _ = tokens.shape
        q, k, v = self.asked(tokens).reshape(batch, count, 3, self.heads, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        return q, k, v
