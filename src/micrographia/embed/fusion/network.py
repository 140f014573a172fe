"""The fused network: on each level patches and their graph, a gate between both, and language at the end."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from micrographia.embed.fusion.graph import GraphStream
from micrographia.embed.fusion.language import LanguageJoin, Spoken
from micrographia.embed.fusion.patches import Block
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.stem import Stem
from micrographia.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Fused:
    """What the network makes of images.

    Parameters
    ----------
    levels : tuple of float tensor (batch, width)
        The fused vector of each level, coarsest first.
    patches : tuple of float tensor (batch, width, row, column)
        Vectors of the patches of each level, coarsest first.
    seen : tuple of float tensor (batch, channel, row, column)
        What the stem sees in the patches of each level, coarsest first, before anything is fused.
    fine : tuple of float tensor (batch, channel, row, column)
        Maps of the stem that are finer than patches, at 2, 4 and 8 px.
    gates : float tensor (batch, level, stream)
        Weight of the patch stream, and of the graph stream, on each level; their sum is 1.
    attention : tuple of float tensor (batch, row, column)
        How much the class token looked at each patch of each level, of sum 1.
    spoken : Spoken or None
        What language made of them.
    """

    levels: tuple[Float[Tensor, "batch width"], ...]
    patches: tuple[Float[Tensor, "batch width _row _column"], ...]
    seen: tuple[Float[Tensor, "batch _channel _row _column"], ...]
    fine: tuple[Float[Tensor, "batch _channel _row _column"], ...]
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
    >>> plan = FusionPlan(width=32, blocks=(1, 1), language=False)
    >>> fused = FusionNetwork(plan, torch.zeros(0, 384)).eval()(torch.zeros(1, 1, 64, 96))
    >>> [tuple(v.shape) for v in fused.levels], [tuple(p.shape[2:]) for p in fused.patches]
    ([(1, 32), (1, 32)], [(2, 3), (4, 6)])
    """

    bank: Tensor

    def __init__(self, plan: FusionPlan, bank: Float[Tensor, "sentence text_width"]) -> None:
        super().__init__()
        if plan.language and not (len(bank) and bank.shape[1] == plan.text_width):
            raise InputError(
                f"the bank of sentences has shape {tuple(bank.shape)}; accepted is (sentences, {plan.text_width}), "
                "with one sentence or more"
            )
        self.plan = plan
        self.stem = Stem(plan.width)
        self.start = nn.Parameter(torch.randn(1, 1, plan.width) * 0.02)
        self.levels = nn.ModuleList(Level(plan, blocks=blocks, first=k == 0) for k, blocks in enumerate(plan.blocks))
        self.language = LanguageJoin(plan.width, plan.text_width) if plan.language else None
        self.register_buffer("bank", bank)

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
        before = None
        maps: list[Tensor] = []
        seen: list[Tensor] = []
        vectors, patches, gates, attention = [], [], [], []
        for level, patch_px in zip(self.levels, self.plan.patch_px, strict=True):
            times = patch_px // self.plan.patch_px[-1]
            grid, maps = self.stem(functional.avg_pool2d(image, times) if times > 1 else image)
            seen.append(maps[-1])
            fused, grid, gate, looked = level(grid, before, self.start)
            before = (fused, grid)
            vectors.append(fused[:, 0])
            patches.append(grid)
            gates.append(gate)
            attention.append(looked)
        spoken = None
        if self.language is not None:
            spoken = self.language(self.bank, patches[-1].flatten(2).transpose(1, 2), sum(vectors))
        return Fused(
            levels=tuple(vectors),
            patches=tuple(patches),
            seen=tuple(seen),
            fine=tuple(maps[:-1]),
            gates=torch.stack(gates, dim=1),
            attention=tuple(attention),
            spoken=spoken,
        )
