"""The stem and what it inherits, held against the network of which it is the first part."""

import pytest
import torch

from micrographia.embed.fusion.maps import FusionMaps
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.stem import FINE_PX, Stem, inherit
from micrographia.segment.network.encoder import load_packaged


@pytest.fixture(scope="module")
def teacher():
    return load_packaged().eval()


@torch.inference_mode()
def test_an_heir_sees_what_its_teacher_sees(teacher):
    """All five maps, with batch normalisation folded into the convolutions."""
    stem = Stem().eval()
    inherit(stem, teacher)
    image = torch.randn(2, 1, 96, 64, generator=torch.Generator().manual_seed(0))
    maps = stem(image)
    for found, right in zip([*maps, stem.deeper(maps[-1])], teacher(image), strict=True):
        torch.testing.assert_close(found, right, atol=2e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_stem_without_weights_neither_fades_nor_grows():
    """Through all blocks of random weights the spread stays within an order of magnitude."""
    torch.manual_seed(0)
    stem = Stem()
    maps = stem(torch.randn(1, 1, 128, 128))
    for found in (*maps, stem.deeper(maps[-1])):
        assert 0.1 < float(found.std()) < 10


@torch.inference_mode()
@pytest.mark.parametrize("blocks", [(1, 1, 1), (0, 0, 0)])
def test_maps_for_segmentation_are_those_of_the_network(blocks):
    torch.manual_seed(0)
    network = FusionNetwork(FusionPlan(width=32, blocks=blocks), torch.zeros(0, 8)).eval()
    maps = FusionMaps(network, name="fusion:here").eval()
    image = torch.randn(1, 1, 64, 128)
    fused = network(image)
    found = maps(image)
    assert maps.strides == (*FINE_PX, 16, 32)
    assert [m.shape[1] for m in found] == list(maps.channels)
    assert [128 // m.shape[3] for m in found] == list(maps.strides)
    coarse = [fused.seen[2], fused.deep] if fused.streams is None else fused.streams.patches[:0:-1]
    for one, other in zip(found, [*fused.fine, *coarse], strict=True):
        assert torch.equal(one, other)
