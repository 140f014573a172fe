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
    """The maps at 2, 4 and 8 px are the teacher's own, and patches a linear function of its map at 16 px."""
    stem = Stem(32).eval()
    inherit(stem, teacher)
    image = torch.randn(2, 1, 96, 64, generator=torch.Generator().manual_seed(0))
    patches, maps = stem(image)
    wanted = teacher(image)
    for found, right in zip(maps, wanted, strict=False):
        torch.testing.assert_close(found, right, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(patches, stem.projection(wanted[3]), atol=2e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_stem_without_weights_neither_fades_nor_grows():
    """Through eleven blocks of random weights the spread stays within an order of magnitude."""
    torch.manual_seed(0)
    patches, maps = Stem(32)(torch.randn(1, 1, 128, 128))
    for found in (*maps, patches):
        assert 0.1 < float(found.std()) < 10


@torch.inference_mode()
def test_maps_for_segmentation_are_those_of_the_network():
    torch.manual_seed(0)
    plan = FusionPlan(width=32, blocks=(1, 1, 1), neighbours=3, text_width=8, language=False)
    network = FusionNetwork(plan, torch.zeros(0, 8)).eval()
    maps = FusionMaps(network, name="fusion:here").eval()
    image = torch.randn(1, 1, 64, 128)
    fused = network(image)
    found = maps(image)
    assert maps.strides == (*FINE_PX, 16, 32)
    assert [m.shape[1] for m in found] == list(maps.channels)
    assert [128 // m.shape[3] for m in found] == list(maps.strides)
    for one, other in zip(found, [*fused.fine, fused.patches[2], fused.patches[1]], strict=True):
        assert torch.equal(one, other)
