"""The fused network on images of any size."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from micrographia.embed.fusion.encoder import WINDOW_PX, FusionEncoder, _starts, _windows
from micrographia.embed.fusion.looks import looked_at
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.summary import dimension_of, parts_of, summarised, summary
from micrographia.errors import InputError
from micrographia.segment.network.normalise import normalised

SENTENCES = ("it is dark", "it is bright", "lines run", "spots lie", "grains touch")
BARE = FusionPlan(relations=8)
SMALL = FusionPlan(
    width=32,
    blocks=(1, 1, 1),
    relations=8,
    neighbours=3,
    graph=True,
    hypergraph=True,
    language=True,
    gates=True,
    text_width=8,
)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return FusionEncoder(
        FusionNetwork(SMALL, torch.randn(5, 8)), SENTENCES, name="fusion", version="0" * 16, licence="", caution=""
    )


@torch.inference_mode()
def fused_of(encoder, frame):
    return encoder._network(torch.from_numpy(normalised(frame))[None, None])


def test_a_window_is_what_the_network_makes_of_it(encoder):
    frame = np.random.default_rng(0).normal(size=(192, 192)).astype(np.float32)
    (found,) = encoder.embed_images([frame])
    fused = fused_of(encoder, frame)
    np.testing.assert_allclose(found.whole, summary(fused)[0], atol=2e-5)
    np.testing.assert_allclose(found.patches[..., :32], fused.streams.patches[2][0].permute(1, 2, 0), atol=1e-5)
    np.testing.assert_allclose(found.patches[..., 64:176], fused.seen[2][0].permute(1, 2, 0), atol=1e-4)
    deep = fused.deep[0].repeat_interleave(2, 1).repeat_interleave(2, 2)
    np.testing.assert_allclose(found.patches[..., 176:], deep.permute(1, 2, 0), atol=1e-4)
    assert found.patch_px == 16


def test_batches_make_no_difference(encoder):
    frame = np.random.default_rng(1).normal(size=(300, 600))
    (one,), (other,) = encoder.embed_images([frame], batch=1), encoder.embed_images([frame], batch=8)
    np.testing.assert_allclose(one.whole, other.whole, atol=1e-3)


@pytest.mark.parametrize("shape", [(32, 40), (64, 64), (100, 300), (257, 511), (640, 333)])
def test_every_size_has_its_patches(encoder, shape):
    frame = np.random.default_rng(2).normal(size=shape)
    (found,) = encoder.embed_images([frame])
    assert found.patches.shape == (shape[0] // 16, shape[1] // 16, 64 + 112 + 320)
    assert found.whole.shape == (dimension_of(SMALL),)


def test_a_patch_lies_where_its_window_lay():
    """Two windows of 2 x 2 patches in a strip of 3: they share the middle column."""
    parts = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]], [[[6.0, 7.0], [8.0, 9.0]]]])
    shown = replace(_windows(np.eye(32), 16), corners=[(0, 0), (0, 16)], shape=(32, 48))
    merged = shown.merged(parts, 16)
    assert merged.tolist() == [[[[1.0, 4.0, 7.0], [3.0, 6.0, 9.0]]]]


@given(st.integers(1, 60), st.integers(1, 4))
def test_windows_cover_everything_from_end_to_end(length, side):
    side = min(side, length)
    starts = _starts(64 * length, 64 * side, 64)
    assert starts[0] == 0
    assert starts[-1] + 64 * side == 64 * length
    assert all(start % 64 == 0 for start in starts)
    assert all(0 < b - a <= 64 * side for a, b in pairwise(starts))
    assert len(starts) == -(-length // side)


def test_gain_and_offset_make_no_difference(encoder):
    frame = np.random.default_rng(4).normal(size=(128, 128))
    (one,), (other,) = encoder.embed_images([frame]), encoder.embed_images([frame * 37 + 1000])
    np.testing.assert_allclose(one.whole, other.whole, atol=1e-3)


@pytest.mark.parametrize("shape", [(20, 100), (100, 20), (4, 100, 100)])
def test_what_is_too_small_or_no_image(encoder, shape):
    with pytest.raises(InputError, match=r"accepts \(height, width\) of at least 32 x 32 px"):
        list(encoder.embed_images([np.zeros(shape)]))


def test_a_read_out_is_what_the_network_says_of_itself(encoder):
    frame = np.random.default_rng(5).normal(size=(128, 192))
    fused = fused_of(encoder, frame).streams
    found = encoder.read_out(frame)
    for level, gates, patch_px in zip(found.levels, fused.gates[0].tolist(), (64, 32, 16), strict=True):
        assert [level.patch_stream, level.graph_stream] == pytest.approx(gates)
        assert level.patch_px == patch_px
    weights = fused.spoken.sentences[0].softmax(dim=0)
    assert found.sentences[0][0] == SENTENCES[int(weights.argmax())]
    assert [weight for _, weight in found.sentences] == pytest.approx(sorted(weights.tolist(), reverse=True))
    np.testing.assert_allclose(found.patches, looked_at(fused)[0] * 8 * 12, rtol=1e-5)


def test_what_was_looked_at_by_hand(encoder):
    """Uniform looks give each patch its share; a coarse patch hands its look down to the finer ones in it."""
    fused = fused_of(encoder, np.random.default_rng(6).normal(size=(64, 128))).streams
    everywhere = tuple(torch.full_like(looked, 1 / looked[0].numel()) for looked in fused.attention)
    left = (torch.tensor([[[1.0, 0.0]]]), *everywhere[1:])
    spoken = replace(fused.spoken, patches=torch.full_like(fused.spoken.patches, 1 / 32))
    torch.testing.assert_close(
        looked_at(replace(fused, attention=everywhere, spoken=spoken)), torch.full((1, 4, 8), 1 / 32)
    )
    found = looked_at(replace(fused, attention=left, spoken=spoken))
    assert found[0, :, :4].sum().item() == pytest.approx((1 + 3 * 0.5) / 4)


@pytest.mark.parametrize("shape", [(40, 300), (500, 333)])
def test_a_read_out_covers_images_of_every_size(encoder, shape):
    found = encoder.read_out(np.random.default_rng(7).normal(size=shape))
    assert found.patches.shape == (shape[0] // 16, shape[1] // 16)
    assert sum(weight for _, weight in found.sentences) == pytest.approx(1)


def test_what_is_too_small_cannot_be_read_out(encoder):
    with pytest.raises(InputError, match="the image is of shape"):
        encoder.read_out(np.zeros((300, 20)))


def test_images_of_one_size_go_through_together(encoder):
    """Sizes alternate and repeat; each image gets what it gets alone, and its own place."""
    rng = np.random.default_rng(8)
    frames = [rng.normal(size=shape) for shape in [(64, 64)] * 3 + [(300, 80)] * 2 + [(64, 64)]]
    together = list(encoder.embed_images(frames, batch=4))
    for frame, found in zip(frames, together, strict=True):
        (alone,) = encoder.embed_images([frame])
        np.testing.assert_allclose(found.whole, alone.whole, atol=2e-3)
        np.testing.assert_allclose(found.patches, alone.patches, atol=2e-3)


def test_windows_are_read_out_side_by_side(encoder):
    """Two windows: gates and sentences are means; looks of each lie where it lay, relative to the mean of all."""
    frame = np.random.default_rng(9).normal(size=(64, 2 * WINDOW_PX))
    grey = torch.from_numpy(normalised(frame))[None, None]
    with torch.inference_mode():
        one, other = (encoder._network(part).streams for part in grey.split(WINDOW_PX, dim=3))
    found = encoder.read_out(frame)
    gates = (one.gates[0, 0, 0] + other.gates[0, 0, 0]) / 2
    assert found.levels[0].patch_stream == pytest.approx(float(gates), abs=1e-5)
    looks = torch.cat([looked_at(one), looked_at(other)], dim=2)[0]
    np.testing.assert_allclose(found.patches, looks / looks.mean(), rtol=1e-3)


def test_evidence_adds_up_to_what_a_score_gains(encoder):
    """A score of means only: what patches add is its slope times their distance from the mean, so the sum is 0."""
    plan = encoder.plan
    frame = np.random.default_rng(10).normal(size=(128, 192))
    (embedding,) = encoder.embed_images([frame])
    slopes = np.random.default_rng(11).normal(size=len(embedding.whole))
    first = parts_of(plan).patches.start + 2 * 4 * plan.width
    only_fine_means = np.where(np.arange(len(slopes)) // plan.width == first // plan.width, slopes, 0)
    found = encoder.evidence(frame, only_fine_means)
    fine = fused_of(encoder, frame).streams.patches[2][0]
    size = fine.mean(dim=(1, 2)).square().mean().sqrt()
    slope = torch.from_numpy(slopes[first : first + plan.width]).float()
    mean = fine.mean(dim=(1, 2))
    # The root mean square by which the mean is divided turns the slope.
    along = (slope - mean * (slope @ mean) / (plan.width * size**2)) / size
    wanted = torch.einsum("c,cij->ij", along, fine - mean[:, None, None]) / fine[0].numel()
    np.testing.assert_allclose(found.added, wanted, atol=1e-4)
    assert found.added.sum() == pytest.approx(0, abs=1e-3)
    assert found.patch_px == 16


@pytest.mark.parametrize("shape", [(40, 300), (500, 333), (32, 32)])
def test_evidence_covers_images_of_every_size(encoder, shape):
    frame = np.random.default_rng(12).normal(size=shape)
    (embedding,) = encoder.embed_images([frame])
    found = encoder.evidence(frame, np.ones(len(embedding.whole)))
    assert found.added.shape == (shape[0] // 16, shape[1] // 16)
    assert np.isfinite(found.added).all()


@pytest.mark.parametrize(
    "plan",
    [
        BARE,
        replace(BARE, blocks=(0,), relations=0),
        replace(SMALL, blocks=(1,)),
        replace(SMALL, language=False, graph=False, hypergraph=False, gates=False),
        replace(SMALL, gates=False, hypergraph=False),
    ],
)
def test_plans_without_some_parts_say_what_they_have(plan):
    bank = torch.randn(5, 8) if plan.language else torch.zeros(0, 8)
    words = SENTENCES if plan.language else ()
    less = FusionEncoder(FusionNetwork(plan, bank), words, name="f", version="0" * 16, licence="", caution="")
    frame = np.random.default_rng(13).normal(size=(96, 300))
    (found,) = less.embed_images([frame])
    assert found.whole.shape == (dimension_of(plan),)
    assert found.patches.shape == (6, 18, 432 + 32 * plan.fused * min(2, len(plan.blocks)))
    assert less.evidence(frame, np.ones(len(found.whole))).added.shape == (6, 18)
    read = less.read_out(frame)
    if not plan.fused:
        assert read is None
        return
    assert len(read.levels) == len(plan.blocks)
    assert len(read.sentences) == len(words)


def test_evidence_of_relations_is_their_slope():
    """A score of relations does not change with the contrast of features, so that what patches add has the sum 0."""
    torch.manual_seed(1)
    network = FusionNetwork(BARE, torch.zeros(0, 8)).eval()
    own = FusionEncoder(network, (), name="f", version="0" * 16, licence="", caution="")
    frame = np.random.default_rng(14).normal(size=(128, 128))
    parts = parts_of(BARE)
    slopes = np.zeros(dimension_of(BARE))
    slopes[parts.relations] = np.random.default_rng(15).normal(size=parts.relations.stop - parts.relations.start)
    with torch.no_grad():
        fused = network(torch.from_numpy(normalised(frame))[None, None])
        scores = []
        for share in (1.0, 1.001):
            related = [m.mean(dim=(2, 3), keepdim=True) * (1 - share) + m * share for m in fused.related]
            made = summarised([], [], [m.double() for m in related])[0].double()
            scores.append(made @ torch.from_numpy(slopes[parts.relations]))
    # Contrast of the features cancels in relations, so what the patches add has the sum 0.
    assert float(scores[1] - scores[0]) == pytest.approx(0, abs=1e-4)
    found = own.evidence(frame, slopes).added
    assert float(np.abs(found).sum()) > 1
    assert float(found.sum()) == pytest.approx(0, abs=1e-3)
