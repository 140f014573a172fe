"""The weights that come with the package: what they are, and that they learned what they were taught."""

import numpy as np
import pytest
import torch

from micrographia.embed.choose import load_embedder
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.saved import packaged_fusion, read_fusion
from micrographia.embed.fusion.stem import inherit
from micrographia.embed.fusion.summary import dimension_of, summary
from micrographia.learn.fusion.pictures import make_up
from micrographia.learn.fusion.views import clean_view, degraded
from micrographia.segment.network.encoder import load_packaged

HELD_OUT_SEED = 77_777


@pytest.fixture(scope="module")
def shipped():
    return read_fusion(packaged_fusion())


def test_they_are_small_and_of_the_usual_plan(shipped):
    network, record = shipped
    assert network.plan == FusionPlan()
    assert packaged_fusion().stat().st_size < 12e6
    assert sum(p.numel() for p in network.parameters()) < 6e6
    assert record["teachers"]["sees"] == []
    assert record["pictures"]["given"] == 17, "photographs that come with scikit-image, and no micrograph"


def test_they_are_named_without_a_file():
    encoder = load_embedder("fusion")
    frame = np.random.default_rng(0).normal(size=(100, 300))
    (found,) = encoder.embed_images([frame])
    assert found.whole.shape == (dimension_of(FusionPlan()),)
    assert found.patches.shape == (6, 18, 112 + 320)
    assert encoder.name == "fusion"


@torch.inference_mode()
def test_the_first_blocks_are_those_of_the_packaged_encoder(shipped):
    """What was kept agrees but for bfloat16, and so do the three finest maps."""
    network, _ = shipped
    image = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    for found, wanted in zip(network.stem(image)[:3], load_packaged().eval()(image), strict=False):
        assert float((found - wanted).abs().mean() / wanted.abs().mean()) < 0.02


@torch.inference_mode()
def test_worse_views_are_seen_more_like_clean_ones_than_before_training(shipped):
    """On made-up pictures of another seed: how far the vector of a worse view is from that of the clean one.

    Each number by its spread over the clean views, against the same network with what it inherited.
    """
    network, _ = shipped
    before = FusionNetwork(network.plan, network.bank).eval()
    before.load_state_dict(network.state_dict())
    inherit(before.stem, load_packaged())
    rng = np.random.default_rng(HELD_OUT_SEED)
    clean = np.stack([clean_view(p.frame, rng, side_px=192) for p in make_up(40, seed=HELD_OUT_SEED)])
    worse = np.stack([degraded(view, rng) for view in clean])
    shown = [torch.from_numpy(views)[:, None] for views in (clean, worse)]

    def far(net):
        one, other = (torch.cat([summary(net(part)) for part in views.split(8)]) for views in shown)
        return float(((one - other) / (one.std(dim=0) + 0.05)).square().mean())

    assert far(network) < 0.9 * far(before)
