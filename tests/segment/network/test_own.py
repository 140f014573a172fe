"""An image's own discriminant: exact on Gaussians, silent while opinions agree, and right where a network half sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_textures import discs
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from micrographia.segment.network import predict
from micrographia.segment.network.encoder import load_encoder
from micrographia.segment.network.own import Own, adjusted, discriminant, learn_own, weight_of_own
from micrographia.segment.network.predict import ApplySettings, segment
from micrographia.segment.network.segmenter import Segmenter, joined, maps_of


@pytest.fixture(scope="module")
def network() -> Segmenter:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Segmenter(load_encoder("efficientnet-lite0"), classes=3).eval()


def test_the_discriminant_is_that_of_scikit_learn_with_the_same_shrinkage():
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(5, 5))
    groups = [rng.normal(size=(400, 5)) @ spread + centre for centre in rng.normal(size=(3, 5))]
    slopes, offsets = discriminant([torch.from_numpy(g) for g in groups])
    # scikit-learn mixes with 1 - s and s of the mean variance; ours adds a tenth of it, so s = 0.1 / 1.1.
    peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1 / 1.1, priors=[1 / 3] * 3)
    peer.fit(np.concatenate(groups), np.repeat([0, 1, 2], 400))
    new = rng.normal(size=(50, 5))
    ours = new @ slopes.numpy().T + offsets.numpy()
    theirs = peer.decision_function(new)
    # Ours adds a tenth instead of mixing, so that its covariance is 1.1 times theirs.
    assert np.allclose(ours - ours[:, :1], (theirs - theirs[:, :1]) / 1.1, atol=1e-6)


@pytest.mark.parametrize(("dissent", "weight"), [(0.0, 0.0), (0.05, 0.0), (0.075, 0.075), (0.15, 0.3), (1.0, 0.3)])
def test_the_weight_rises_from_one_dissent_to_another(dissent, weight):
    assert weight_of_own(dissent) == pytest.approx(weight)


@torch.no_grad()
def test_classes_share_what_they_had_and_others_keep_theirs(network):
    maps = maps_of(torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(2)), network.encoder)
    before = joined(*network.opinions(maps))
    channels = sum(network.vote.channels)
    # Offsets alone: log-odds of the two known classes change by weight times their difference, everywhere.
    own = Own(classes=(0, 2), slopes=torch.zeros(2, channels), offsets=torch.tensor([1.0, -3.0]), weight=0.25)
    after = adjusted(before, maps, network.vote, own)
    assert torch.allclose(after[:, 1], before[:, 1])
    assert torch.allclose(after.exp().sum(1), torch.ones(1, 64, 64), atol=1e-5)
    odds = (after[:, 0] - after[:, 2]) - (before[:, 0] - before[:, 2])
    assert torch.allclose(odds, torch.full_like(odds, 1.0), atol=1e-4)


def test_a_class_of_less_than_a_hundredth_has_no_say_and_one_alone_teaches_nothing(network, monkeypatch):
    told = torch.tensor([0.7, 0.2, 0.1])[None, :, None, None].log().repeat(1, 1, 128, 128)
    told[0, 1, :40, :4] = 0  # 160 of 16384 pixels
    monkeypatch.setattr(network, "opinions", lambda maps: (told, told))
    assert learn_own([torch.zeros(1, 1, 128, 128)], network, weight=0.3) is None
    told[0, 1, :41, :4] = 0  # 164
    assert learn_own([torch.zeros(1, 1, 128, 128)], network, weight=0.3).classes == (0, 1)


def test_an_image_on_which_opinions_agree_is_looked_at_once(model):
    found = segment(discs(9, 160)[0], model)
    assert found.dissent < 0.05
    assert found.own_weight == 0


@torch.no_grad()
def test_clear_pixels_teach_the_doubtful_ones(network, monkeypatch):
    # Dark noise above, bright noise below; the network knows the bright one on the right only, and doubts the left.
    true = np.zeros((256, 256), dtype=np.int64)
    true[128:] = 1
    noise = np.random.default_rng(0).normal(0, 0.2, true.shape)
    image = torch.from_numpy((true - 0.5 + noise).astype(np.float32))[None, None]
    p = np.full((3, 256, 256), 0.005)
    p[0, :128], p[1, 128:, 128:] = 0.99, 0.99
    p[0, 128:, :128], p[1, 128:, :128] = 0.6, 0.395
    told = torch.from_numpy(np.log(p)).float()[None]
    monkeypatch.setattr(network, "opinions", lambda maps: (told, told))
    own = learn_own([image], network, weight=0.3)
    assert own.classes == (0, 1)
    after = adjusted(told, maps_of(image, network.encoder), network.vote, own)[0]
    assert (told[0].argmax(0).numpy() == true).mean() == 0.75
    assert (after.argmax(0).numpy() == true).mean() > 0.97


def test_a_disputed_image_is_segmented_with_its_own_say(model, monkeypatch):
    frame = discs(21, 160)[0]
    alone = segment(frame, model, settings=ApplySettings(own=False, match=False))
    monkeypatch.setattr(predict, "weight_of_own", lambda dissent: 0.3)
    with_own = segment(frame, model, settings=ApplySettings(match=False))
    assert (alone.own_weight, with_own.own_weight) == (0.0, 0.3)
    assert with_own.dissent == pytest.approx(alone.dissent)
