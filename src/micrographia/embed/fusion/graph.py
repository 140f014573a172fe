"""The graph stream: patches that look alike, or lie side by side, exchange what they know.

Written as products of small dense matrices: for some hundred patches that is faster on processors than the lists of
edges of torch_geometric, and exports to ONNX. `tests/embed/fusion/test_graph.py` holds both against each other.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from micrographia.embed.fusion.plan import FusionPlan


def nearest(nodes: Float[Tensor, "batch node width"], count: int) -> Int[Tensor, "batch node neighbour"]:
    """Return the numbers of the most similar other nodes of each node, by cosine.

    Examples
    --------
    >>> nearest(torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]]]), 1).flatten().tolist()
    [2, 2, 0]
    """
    unit = functional.normalize(nodes.float(), dim=-1)
    alike = unit @ unit.transpose(1, 2) - 4 * torch.eye(nodes.shape[1], device=nodes.device)
    return alike.topk(min(count, nodes.shape[1] - 1), dim=-1).indices


def patch_graph(neighbours: Int[Tensor, "batch node neighbour"]) -> Float[Tensor, "batch joined joined"]:
    """Return the weights of the edges of an undirected graph whose last node, the global one, is joined to all others.

    Two patches that are each other's neighbours are joined twice as strongly as two of which only one is the other's.

    Examples
    --------
    >>> patch_graph(torch.tensor([[[1], [0]]])).tolist()
    [[[0.0, 2.0, 1.0], [2.0, 0.0, 1.0], [1.0, 1.0, 0.0]]]
    """
    batch, nodes, _ = neighbours.shape
    one_way = torch.zeros(batch, nodes, nodes, device=neighbours.device).scatter(2, neighbours, 1.0)
    to_all = torch.ones(batch, nodes, 1, device=neighbours.device)
    corner = torch.zeros(batch, 1, 1, device=neighbours.device)
    return torch.cat(
        [
            torch.cat([one_way + one_way.transpose(1, 2), to_all], dim=2),
            torch.cat([to_all.transpose(1, 2), corner], dim=2),
        ],
        dim=1,
    )


def patch_hypergraph(
    neighbours: Int[Tensor, "batch node neighbour"], rows: int, columns: int
) -> Float[Tensor, "batch joined edge"]:
    """Return which nodes lie on which hyperedges, 1 or 0; the last node is the global one, which lies on all.

    For each patch one edge of it with its nearest neighbours in feature space, and then for each patch one of it with
    the eight around it in the image.

    Examples
    --------
    >>> patch_hypergraph(torch.tensor([[[1], [0]]]), 1, 2).tolist()
    [[[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]]
    """
    batch, nodes, _ = neighbours.shape
    device = neighbours.device
    alike = torch.zeros(batch, nodes, nodes, device=device).scatter(2, neighbours, 1.0) + torch.eye(
        nodes, device=device
    )
    near = _within_one(rows, device)[:, None, :, None] * _within_one(columns, device)[None, :, None, :]
    beside = near.reshape(1, nodes, nodes).expand(batch, -1, -1)
    edges = torch.cat([alike.transpose(1, 2), beside], dim=2)
    return torch.cat([edges, torch.ones(batch, 1, 2 * nodes, device=device)], dim=1)


def _within_one(count: int, device: torch.device) -> Float[Tensor, "place place"]:
    places = torch.arange(count, device=device)
    return ((places[:, None] - places[None, :]).abs() <= 1).float()


class ChebyshevConv(nn.Module):
    """Chebyshev convolution on a graph: M. Defferrard et al. (2016), arXiv:1606.09375, equations 4 and 5.

    Parameters
    ----------
    width : int
        Numbers in the vector of a node.
    orders : int
        Terms of the series.
    """

    def __init__(self, width: int, orders: int) -> None:
        super().__init__()
        self.terms = nn.ModuleList(nn.Linear(width, width, bias=k == 0) for k in range(orders))

    def forward(
        self, nodes: Float[Tensor, "batch node width"], graph: Float[Tensor, "batch node node"]
    ) -> Float[Tensor, "batch node width"]:
        """Return the convolved vectors.

        Parameters
        ----------
        nodes : float tensor (batch, node, width)
            Vectors.
        graph : float tensor (batch, node, node)
            Symmetric weights of the edges. Every node has one.
        """
        root = graph.sum(dim=2).rsqrt()
        # The normalised Laplacian less the identity: its eigenvalues lie between -1 and 1.
        laplacian = (-root[:, :, None] * graph * root[:, None, :]).to(nodes.dtype)
        before, term = nodes, laplacian @ nodes
        found: Tensor = self.terms[0](nodes)
        for k, layer in enumerate(self.terms[1:]):
            if k:
                before, term = term, 2 * (laplacian @ term) - before
            found = found + layer(term)
        return found


class HypergraphConv(nn.Module):
    """Convolution on a hypergraph: mean of each edge's nodes, then of each node's edges.

    Y. Feng et al. (2019), doi:10.1609/aaai.v33i01.33013558, and S. Bai et al. (2021), doi:10.1016/j.patcog.2020.107637.

    Parameters
    ----------
    width : int
        Numbers in the vector of a node.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(
        self, nodes: Float[Tensor, "batch node width"], hypergraph: Float[Tensor, "batch node edge"]
    ) -> Float[Tensor, "batch node width"]:
        """Return the convolved vectors.

        Parameters
        ----------
        nodes : float tensor (batch, node, width)
            Vectors.
        hypergraph : float tensor (batch, node, edge)
            1 where a node lies on an edge, else 0. Every edge has a node, and every node an edge.
        """
        of_edges = (hypergraph / hypergraph.sum(dim=1, keepdim=True)).to(nodes.dtype)
        of_nodes = (hypergraph / hypergraph.sum(dim=2, keepdim=True)).to(nodes.dtype)
        found: Tensor = self.layer(of_nodes @ (of_edges.transpose(1, 2) @ nodes))
        return found


class GraphStream(nn.Module):
    """Graph and hypergraph convolution of the patches of one level, with a global node.

    Parameters
    ----------
    plan : FusionPlan
        Which of the two there are, and how large.
    """

    def __init__(self, plan: FusionPlan) -> None:
        super().__init__()
        self.neighbours = plan.neighbours
        self.chebyshev = ChebyshevConv(plan.width, plan.orders) if plan.graph else None
        self.hyper = HypergraphConv(plan.width) if plan.hypergraph else None
        self.before_graph = nn.LayerNorm(plan.width) if plan.graph else None
        self.before_hyper = nn.LayerNorm(plan.width) if plan.hypergraph else None
        # As blocks do, a stream that has learned nothing changes nothing.
        for layer in (*(self.chebyshev.terms if self.chebyshev else ()), *((self.hyper.layer,) if self.hyper else ())):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(
        self,
        patches: Float[Tensor, "batch patch width"],
        whole: Float[Tensor, "batch 1 width"],
        rows: int,
        columns: int,
    ) -> tuple[Float[Tensor, "batch patch width"], Float[Tensor, "batch 1 width"]]:
        """Return the vectors of the patches and of the global node, after what they exchanged was added."""
        neighbours = nearest(patches.detach(), self.neighbours)
        nodes = torch.cat([patches, whole], dim=1)
        if self.chebyshev is not None and self.before_graph is not None:
            nodes = nodes + functional.gelu(self.chebyshev(self.before_graph(nodes), patch_graph(neighbours)))
        if self.hyper is not None and self.before_hyper is not None:
            edges = patch_hypergraph(neighbours, rows, columns)
            nodes = nodes + functional.gelu(self.hyper(self.before_hyper(nodes), edges))
        return nodes[:, :-1], nodes[:, -1:]
