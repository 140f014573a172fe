"""The plan of a fused encoder: its levels, its width, and which streams it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from micrographia.embed.fusion.stem import DEEP_PX, SEEN_CHANNELS
from micrographia.errors import InputError

STEM_PX: Final = 16
"""Side of a patch on the finest level; on each coarser level it is twice as large [px]."""
HEAD_WIDTH: Final = 32
ALL_BLOCKS: Final = (2, 2, 3)
"""Transformer blocks of a student with a patch stream."""


@dataclass(frozen=True, kw_only=True)
class FusionPlan:
    """What a fused encoder is made of.

    Parameters
    ----------
    width : int
        Numbers in the vector of a patch; a multiple of 32.
    blocks : tuple of int
        Transformer blocks on each level, coarsest first; there are as many levels as numbers. With zeros there are no
        streams to fuse, and an image is what the stem sees on each level.
    relations : int
        Along how many directions it counts which features of patches go together; 0: it does not count.
    neighbours : int
        Nearest patches in feature space that a patch is joined with in graph and hypergraph.
    orders : int
        Terms of the Chebyshev series: how many steps along the graph one convolution sees, less one.
    graph, hypergraph, language, gates : bool
        Which parts there are beside the patch stream. Without gates, both streams count one half on each level.
    text_width : int
        Numbers in the vector of a sentence.

    Raises
    ------
    InputError
        A number that makes no network.

    Examples
    --------
    >>> FusionPlan().side_px, FusionPlan().patch_px
    (64, (64, 32, 16))
    >>> FusionPlan().fused, FusionPlan(blocks=ALL_BLOCKS, language=True).fused
    (False, True)
    """

    width: int = 160
    blocks: tuple[int, ...] = (0, 0, 0)
    relations: int = 32
    neighbours: int = 8
    orders: int = 3
    graph: bool = False
    hypergraph: bool = False
    language: bool = False
    gates: bool = False
    text_width: int = 384

    def __post_init__(self) -> None:
        if self.width < HEAD_WIDTH or self.width % HEAD_WIDTH:
            raise InputError(f"width is {self.width}; accepted is a multiple of {HEAD_WIDTH}")
        if not self.blocks or min(self.blocks) < (1 if any(self.blocks) else 0):
            raise InputError(
                f"blocks are {self.blocks}; accepted is at least one level, with at least one block each or none at all"
            )
        if not 0 <= self.relations <= SEEN_CHANNELS:
            raise InputError(f"relations are {self.relations}; accepted is 0 to {SEEN_CHANNELS}")
        for name in ("neighbours", "orders", "text_width"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is 1 or more")
        if not self.fused and (self.nodes or self.language):
            raise InputError(
                "graph, hypergraph and language join a patch stream, and there is none; give blocks, such as "
                f"{ALL_BLOCKS}"
            )
        if self.gates and not self.nodes:
            raise InputError(
                "gates weigh two streams, and there is only one; give gates=False, or a graph or hypergraph"
            )

    @property
    def fused(self) -> bool:
        """Whether there is a patch stream."""
        return any(self.blocks)

    @property
    def nodes(self) -> bool:
        """Whether there is a graph stream."""
        return self.graph or self.hypergraph

    @property
    def patch_px(self) -> tuple[int, ...]:
        """Side of a patch on each level, coarsest first [px]."""
        return tuple(STEM_PX * 2**k for k in reversed(range(len(self.blocks))))

    @property
    def side_px(self) -> int:
        """What height and width of an image must be multiples of [px]."""
        return max(self.patch_px[0], DEEP_PX)
