"""The streams that are fused: on each level patches and their graph, a gate between both, and language at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from micrographia.embed.fusion.graph import GraphStream
from micrographia.embed.fusion.language import LanguageJoin, Spoken
from micrographia.embed.fusion.patches import Block
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.stem import SEEN_CHANNELS


@dataclass(frozen=True, kw_only=True, eq=False)
class Streams:
    """What the streams make of images.

    Parameters
    ----------
    levels : tuple of float tensor (batch, width)
        The fused vector of each level, coarsest first.
    patches : tuple of float tensor (batch, width, row, column)
        Vectors of the patches of each level, coarsest first.
    gates : float tensor (batch, level, stream)
        Weight of the patch stream, and of the graph stream, on each level; their sum is 1.
    attention : tuple of float tensor (batch, row, column)
        How much the class token looked at each patch of each level, of sum 1.
    spoken : Spoken or None
        What language made of them.
    """

    levels: tuple[Float[Tensor, "batch width"], ...]
    patches: tuple[Float[Tensor, "batch width _row _column"], ...]
    gates: Float[Tensor, "batch level stream"]
    attention: tuple[Float[Tensor, "batch _row _column"], ...]
    spoken: Spoken | None


class Level(nn.Module):
    """One level: the patch stream, the graph stream, and the gate between the two.

    Parameters
    ----------
    plan : FusionPlan
        What there is.
    blocks : int
        Transformer blocks.
    first : bool
        Whether nothing comes from a coarser level.
    """

    def __init__(self, plan: FusionPlan, *, blocks: int, first: bool) -> None:
        super().__init__()
        width = plan.width
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.graph = GraphStream(plan) if plan.nodes else None
        self.from_class = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.from_nodes = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width)) if plan.nodes else None
        self.gate = nn.Linear(2 * width, 2) if plan.gates else None
        self.to_class = None if first else nn.Linear(width, width)
        self.to_nodes = nn.Linear(width, width) if plan.nodes and not first else None
        self.from_coarser = None if first else nn.Linear(width, width)

    def forward(
        self,
        grid: Float[Tensor, "batch width row column"],
        before: tuple[Float[Tensor, "batch 1 width"], Float[Tensor, "batch width coarse_row coarse_column"]] | None,
        start: Float[Tensor, "1 1 width"],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the fused vector, the patches, the gate and the attention of the class token.

        Parameters
        ----------
        grid : float tensor (batch, width, row, column)
            What the stem made of the patches.
        before : tuple of tensors, optional
            Fused vector and patches of the level before.
        start : float tensor (1, 1, width)
            The class token before it saw anything.
        """
        batch, _, rows, columns = grid.shape
        if before is not None and self.from_coarser is not None and self.to_class is not None:
            fused, coarser = before
            told = self.from_coarser(coarser.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            grid = grid + functional.interpolate(told, size=(rows, columns), mode="nearest")
            first = start + self.to_class(fused)
        else:
            first = start.expand(batch, -1, -1)
        tokens = torch.cat([first.to(grid.dtype), grid.flatten(2).transpose(1, 2)], dim=1)
        for block in self.blocks[:-1]:
            tokens = block(tokens, rows, columns)
        looked = self.blocks[-1].class_attention(tokens).float()  # type: ignore[operator]
        tokens = self.blocks[-1](tokens, rows, columns)
        patches = tokens[:, 1:]
        of_class = self.from_class(tokens[:, :1])
        if self.graph is None or self.from_nodes is None:
            gates = torch.tensor([[1.0, 0.0]], device=grid.device).expand(batch, -1)
            fused = of_class
        else:
            whole = patches.mean(dim=1, keepdim=True)
            if before is not None and self.to_nodes is not None:
                whole = whole + self.to_nodes(before[0])
            patches, whole = self.graph(patches, whole, rows, columns)
            of_nodes = self.from_nodes(whole)
            if self.gate is None:
                gates = torch.full((batch, 2), 0.5, device=grid.device)
            else:
                gates = self.gate(torch.cat([of_class, of_nodes], dim=2))[:, 0].float().softmax(dim=1)
            weights = gates.to(of_class.dtype)[:, :, None, None]
            fused = weights[:, 0] * of_class + weights[:, 1] * of_nodes
        grid = patches.transpose(1, 2).unflatten(2, (rows, columns))
        return fused, grid, gates, looked.unflatten(1, (rows, columns))


class FusedStreams(nn.Module):
    """The streams of all levels, coarse to fine.

    Parameters
    ----------
    plan : FusionPlan
        What there is.
    """

    def __init__(self, plan: FusionPlan) -> None:
        super().__init__()
        self.projection = nn.Conv2d(SEEN_CHANNELS, plan.width, 1)
        self.start = nn.Parameter(torch.randn(1, 1, plan.width) * 0.02)
        self.levels = nn.ModuleList(Level(plan, blocks=blocks, first=k == 0) for k, blocks in enumerate(plan.blocks))
        self.language = LanguageJoin(plan.width, plan.text_width) if plan.language else None

    def forward(
        self,
        seen: Sequence[Float[Tensor, "batch _channel _row _column"]],
        bank: Float[Tensor, "sentence text_width"],
    ) -> Streams:
        """Return what the streams make of images.

        Parameters
        ----------
        seen : sequence of float tensor (batch, channel, row, column)
            What the stem sees in the patches of each level, coarsest first.
        bank : float tensor (sentence, text_width)
            Vectors of the sentences; not looked at without language.
        """
        before = None
        vectors, patches, gates, attention = [], [], [], []
        for level, grid in zip(self.levels, seen, strict=True):
            fused, own, gate, looked = level(self.projection(grid), before, self.start)
            before = (fused, own)
            vectors.append(fused[:, 0])
            patches.append(own)
            gates.append(gate)
            attention.append(looked)
        spoken = None
        if self.language is not None:
            spoken = self.language(bank, patches[-1].flatten(2).transpose(1, 2), sum(vectors))
        return Streams(
            levels=tuple(vectors),
            patches=tuple(patches),
            gates=torch.stack(gates, dim=1),
            attention=tuple(attention),
            spoken=spoken,
        )
