"""The plan of a fused encoder: its levels, its width, and which streams it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from micrographia.errors import InputError

STEM_PX: Final = 16
"""Side of a patch on the finest level; on each coarser level it is twice as large [px]."""
HEAD_WIDTH: Final = 32


@dataclass(frozen=True, kw_only=True)
class FusionPlan:
    """What a fused encoder is made of.

    Parameters
    ----------
    width : int
        Numbers in the vector of a patch; a multiple of 32.
    blocks : tuple of int
        Transformer blocks on each level, coarsest first; there are as many levels as numbers.
    neighbours : int
        Nearest patches in feature space that a patch is joined with in graph and hypergraph.
    orders : int
        Terms of the Chebyshev series: how many steps along the graph one convolution sees, less one.
    graph, hypergraph, language, gates : bool
        Which parts there are. Without gates, both streams count one half on each level.
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
    """

    width: int = 192
    blocks: tuple[int, ...] = (2, 2, 3)
    neighbours: int = 8
    orders: int = 3
    graph: bool = True
    hypergraph: bool = True
    language: bool = True
    gates: bool = True
    text_width: int = 384

    def __post_init__(self) -> None:
        if self.width < HEAD_WIDTH or self.width % HEAD_WIDTH:
            raise InputError(f"width is {self.width}; accepted is a multiple of {HEAD_WIDTH}")
        if not self.blocks or min(self.blocks) < 1:
            raise InputError(f"blocks are {self.blocks}; accepted is at least one level with at least one block each")
        for name in ("neighbours", "orders", "text_width"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is 1 or more")
        if self.gates and not self.nodes:
            raise InputError(
                "gates weigh two streams, and there is only one; give gates=False, or a graph or hypergraph"
            )

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
        return self.patch_px[0]
