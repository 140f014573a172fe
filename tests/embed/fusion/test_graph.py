"""Graph and hypergraph convolution, held against torch_geometric's on lists of edges."""

import warnings

import pytest
import torch

from micrographia.embed.fusion.graph import (
    ChebyshevConv,
    GraphStream,
    HypergraphConv,
    nearest,
    patch_graph,
    patch_hypergraph,
)
from micrographia.embed.fusion.plan import FusionPlan

with warnings.catch_warnings():
    # It compiles parts of itself in a way that torch gives up.
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch_geometric.nn import ChebConv
    from torch_geometric.nn import HypergraphConv as ListedHypergraphConv


@pytest.fixture
def nodes():
    return torch.randn(2, 12, 32, generator=torch.Generator().manual_seed(0))


def with_global(nodes):
    return torch.cat([nodes, nodes.mean(dim=1, keepdim=True)], dim=1)


@pytest.mark.parametrize("orders", [1, 2, 3, 5])
def test_chebyshev_convolution_is_that_of_torch_geometric(nodes, orders):
    torch.manual_seed(1)
    ours, theirs = ChebyshevConv(32, orders), ChebConv(32, 32, K=orders)
    for mine, other in zip(ours.terms, theirs.lins, strict=True):
        other.weight.data = mine.weight.data
    theirs.bias.data = ours.terms[0].bias.data
    graph = patch_graph(nearest(nodes, 3))
    found = ours(with_global(nodes), graph)
    for image, adjacency, mine in zip(with_global(nodes), graph, found, strict=True):
        edges = adjacency.nonzero().T
        wanted = theirs(image, edges, adjacency[tuple(edges)], lambda_max=torch.tensor(2.0))
        torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-4)


def test_hypergraph_convolution_is_that_of_torch_geometric(nodes):
    torch.manual_seed(1)
    ours, theirs = HypergraphConv(32), ListedHypergraphConv(32, 32)
    theirs.lin.weight.data, theirs.bias.data = ours.layer.weight.data, ours.layer.bias.data
    hypergraph = patch_hypergraph(nearest(nodes, 3), 3, 4)
    found = ours(with_global(nodes), hypergraph)
    for image, incidence, mine in zip(with_global(nodes), hypergraph, found, strict=True):
        wanted = theirs(image, incidence.nonzero().T, num_edges=incidence.shape[1])
        torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-4)


def test_nearest_are_those_of_the_highest_cosine(nodes):
    unit = nodes / nodes.norm(dim=2, keepdim=True)
    for image, found in zip(unit, nearest(nodes, 4), strict=True):
        cosines = image @ image.T
        for k, row in enumerate(found):
            others = [j for j in cosines[k].argsort(descending=True).tolist() if j != k]
            assert sorted(row.tolist()) == sorted(others[:4])


def test_no_more_neighbours_than_there_are_other_patches(nodes):
    assert nearest(nodes[:, :4], 8).shape == (2, 4, 3)


def test_edges_of_the_graph():
    # Patch 0 is nearest to 1 and 2, 1 to 0, 2 to 1: one way counts once, both ways twice.
    graph = patch_graph(torch.tensor([[[1, 2], [0, 2], [1, 0]]]))[0]
    assert graph[:3, :3].tolist() == [[0, 2, 2], [2, 0, 2], [2, 2, 0]]
    assert graph[3].tolist() == [1, 1, 1, 0]
    assert torch.equal(graph, graph.T)


def test_edges_of_the_hypergraph():
    # A strip of four patches, each nearest to the one at the other end.
    found = patch_hypergraph(torch.tensor([[[3], [2], [1], [0]]]), 1, 4)[0]
    alike, beside = found[:4, :4], found[:4, 4:]
    assert alike.tolist() == [[1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]]
    assert beside.tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]
    assert found[4].tolist() == [1] * 8


def test_edges_to_the_side_do_not_reach_over_the_end_of_a_row():
    beside = patch_hypergraph(torch.tensor([[[1]] * 6]), 2, 3)[0, :6, 6:]
    # Patch 2 ends the first row, 3 begins the second.
    assert beside[2, 3] == 0
    assert beside[:, 0].tolist() == [1, 1, 0, 1, 1, 0]


def test_patches_that_are_numbered_otherwise_give_the_same(nodes):
    """Only neighbours in the image depend on where a patch is, so without them order is nothing."""
    torch.manual_seed(2)
    stream = GraphStream(FusionPlan(width=32, blocks=(1,), neighbours=3, graph=True)).eval()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    whole = nodes.mean(dim=1, keepdim=True)
    patches, image = stream(nodes, whole, 3, 4)
    shuffled, same = stream(nodes[:, order], whole, 3, 4)
    torch.testing.assert_close(shuffled, patches[:, order], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(same, image, atol=1e-5, rtol=1e-4)


def test_one_image_does_not_depend_on_the_others_of_its_batch(nodes):
    torch.manual_seed(2)
    stream = GraphStream(FusionPlan(width=32, blocks=(1,), neighbours=3, graph=True, hypergraph=True)).eval()
    whole = nodes.mean(dim=1, keepdim=True)
    together = stream(nodes, whole, 3, 4)
    alone = stream(nodes[:1], whole[:1], 3, 4)
    for both, one in zip(together, alone, strict=True):
        torch.testing.assert_close(both[:1], one, atol=1e-6, rtol=1e-5)
