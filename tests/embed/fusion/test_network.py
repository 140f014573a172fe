"""The fused network: what gates, streams and language do to its vectors, and what can be read out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from micrographia.embed.fusion.language import LanguageJoin
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.patches import Block
from micrographia.embed.fusion.plan import ALL_BLOCKS, FusionPlan
from micrographia.embed.fusion.relations import relations_of
from micrographia.embed.fusion.saved import bank_sentences, read_fusion, write_fusion
from micrographia.embed.fusion.summary import dimension_of, parts_of, summary
from micrographia.errors import InputError, ReadError

PATCHES = FusionPlan(width=32, blocks=(1, 1, 1), relations=8, neighbours=3, text_width=8)
SMALL = replace(PATCHES, graph=True, hypergraph=True, language=True, gates=True)


def network_of(plan, seed=0):
    torch.manual_seed(seed)
    return as_if_learned(FusionNetwork(plan, torch.randn(5, plan.text_width)).eval())


@torch.no_grad()
def as_if_learned(module):
    """Give what begins with nothing some weights, so that it does something."""
    for parameter in module.parameters():
        if not parameter.any():
            parameter.normal_(0, 0.1)
    return module


@pytest.fixture
def images():
    return torch.randn(2, 1, 128, 192, generator=torch.Generator().manual_seed(0))


def test_a_student_has_at_most_six_million_parameters():
    plan = FusionPlan(blocks=ALL_BLOCKS, graph=True, hypergraph=True, language=True, gates=True)
    network = FusionNetwork(plan, torch.zeros(len(bank_sentences()), 384))
    assert sum(p.numel() for p in network.parameters()) <= 6_000_000


@torch.inference_mode()
def test_weights_that_can_be_read_out_are_shares(images):
    fused = network_of(SMALL)(images).streams
    assert fused.gates.shape == (2, 3, 2)
    torch.testing.assert_close(fused.gates.sum(dim=2), torch.ones(2, 3))
    for looked, side_px in zip(fused.attention, SMALL.patch_px, strict=True):
        assert looked.shape == (2, 128 // side_px, 192 // side_px)
        torch.testing.assert_close(looked.sum(dim=(1, 2)), torch.ones(2))
    torch.testing.assert_close(fused.spoken.patches.sum(dim=2), torch.ones(2, 5))
    assert fused.spoken.patches.shape == (2, 5, 8 * 12)


@torch.inference_mode()
@pytest.mark.parametrize("stream", [0, 1])
def test_a_gate_that_is_shut_lets_one_stream_through_only(images, stream):
    """With all weight on one stream, the fused vector is that stream's projection."""
    network = network_of(SMALL)
    level = network.streams.levels[0]
    level.gate.weight.zero_()
    level.gate.bias.copy_(torch.tensor([60.0, -60.0] if stream == 0 else [-60.0, 60.0]))
    fused = network(images).streams
    assert fused.gates[0, 0, stream] == 1
    grid = network.streams.projection(network.stem(torch.nn.functional.avg_pool2d(images, 4))[-1])
    tokens = torch.cat([network.streams.start.expand(2, -1, -1), grid.flatten(2).transpose(1, 2)], dim=1)
    tokens = level.blocks[0](tokens, 2, 3)
    _, nodes = level.graph(tokens[:, 1:], tokens[:, 1:].mean(dim=1, keepdim=True), 2, 3)
    wanted = level.from_class(tokens[:, :1]) if stream == 0 else level.from_nodes(nodes)
    torch.testing.assert_close(fused.levels[0], wanted[:, 0])


@torch.inference_mode()
def test_without_gates_both_streams_count_one_half(images):
    fused = network_of(replace(SMALL, gates=False))(images).streams
    assert torch.equal(fused.gates, torch.full((2, 3, 2), 0.5))


@torch.inference_mode()
def test_what_a_coarse_level_found_reaches_the_finer_ones(images):
    network = network_of(PATCHES)
    before = network(images).streams
    network.streams.levels[0].from_class[1].bias += 1
    after = network(images).streams
    assert not torch.allclose(before.levels[1], after.levels[1])
    assert not torch.allclose(before.levels[2], after.levels[2])


@torch.inference_mode()
def test_a_block_attends_as_torch_does():
    """The block's attention, by torch's own layer of many heads with the same weights."""
    torch.manual_seed(0)
    block = as_if_learned(Block(64).eval())
    block.place.weight.zero_()
    block.place.bias.zero_()
    block.inner[2].weight.zero_()
    block.inner[2].bias.zero_()
    reference = torch.nn.MultiheadAttention(64, 2, batch_first=True)
    reference.in_proj_weight.data, reference.in_proj_bias.data = block.asked.weight.data, block.asked.bias.data
    reference.out_proj.weight.data, reference.out_proj.bias.data = block.told.weight.data, block.told.bias.data
    tokens = torch.randn(2, 7, 64)
    x = block.before(tokens)
    wanted, weights = reference(x, x, x)
    torch.testing.assert_close(block(tokens, 2, 3), tokens + wanted, atol=1e-5, rtol=1e-4)
    looked = weights[:, 0, 1:] / weights[:, 0, 1:].sum(dim=1, keepdim=True)
    torch.testing.assert_close(block.class_attention(tokens), looked, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_what_has_learned_nothing_changes_nothing():
    """Fresh blocks and graphs leave the patches as the stem's projection made them, on the coarsest level."""
    torch.manual_seed(0)
    network = FusionNetwork(SMALL, torch.randn(5, 8)).eval()
    image = torch.randn(1, 1, 128, 128)
    seen = network.stem(torch.nn.functional.avg_pool2d(image, 4))[-1]
    fused = network(image)
    torch.testing.assert_close(fused.streams.patches[0], network.streams.projection(seen))
    torch.testing.assert_close(fused.seen[0], seen)


@torch.inference_mode()
def test_hidden_patches_show_nothing(images):
    """What stands in a hidden patch makes no difference, but for the mean grey that fills it."""
    network = network_of(SMALL)
    hidden = torch.zeros(2, 8, 12, dtype=torch.bool)
    hidden[:, 2:5, 3:7] = True
    other = images.clone()
    other[:, :, 32:80, 48:112] = images[:, :, 32:80, 48:112].flip(2)
    torch.testing.assert_close(summary(network(images, hidden)), summary(network(other, hidden)), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(summary(network(images)), summary(network(other)), atol=1e-3)


@torch.inference_mode()
def test_the_order_of_sentences_does_not_matter():
    torch.manual_seed(0)
    join = LanguageJoin(32, 8)
    bank, patches, whole = torch.randn(5, 8), torch.randn(2, 9, 32), torch.randn(2, 32)
    order = torch.tensor([3, 1, 4, 0, 2])
    one, other = join(bank, patches, whole), join(bank[order], patches, whole)
    torch.testing.assert_close(one.vector, other.vector, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(one.sentences[:, order], other.sentences, atol=1e-6, rtol=1e-5)


@torch.inference_mode()
def test_a_blank_bank_tells_all_sentences_alike():
    torch.manual_seed(0)
    join = LanguageJoin(32, 8)
    patches, whole = torch.randn(2, 9, 32), torch.randn(2, 32)
    said = join(torch.zeros(5, 8), patches, whole)
    torch.testing.assert_close(said.sentences, said.sentences[:, :1].expand(-1, 5))


@torch.inference_mode()
def test_the_summary_by_hand(images):
    fused = network_of(SMALL)(images)
    found = summary(fused)
    assert found.shape == (2, dimension_of(SMALL))
    fine = fused.streams.patches[2].flatten(2)
    for k, part in enumerate((fine.mean(2), fine.std(2, correction=0), fine.amax(2), fine.amin(2))):
        wanted = part / part.square().mean(dim=1, keepdim=True).sqrt()
        torch.testing.assert_close(found[:, (12 + k) * 32 : (13 + k) * 32], wanted, atol=1e-5, rtol=1e-4)
    own = fused.related[1].flatten(2)
    torch.testing.assert_close(own, fused.seen[2].flatten(2)[:, :8])
    wanted = relations_of(fused.related[1])
    first = parts_of(SMALL).relations.start + 36
    torch.testing.assert_close(
        found[:, first : first + 36], wanted / wanted.square().mean(dim=1, keepdim=True).sqrt(), atol=1e-5, rtol=1e-4
    )


def test_relations_are_the_square_root_of_covariances():
    """Features of like spread, against SciPy; of unlike spread, the same five steps on each eigenvalue by itself."""
    rng = np.random.default_rng(0)
    near = torch.from_numpy(rng.normal(size=(1, 6, 40, 50)))
    spread = near * torch.tensor([3.0, 2.0, 1.0, 1.0, 0.7, 0.1]).double()[None, :, None, None]
    entries = np.triu_indices(6)
    covariance = np.cov(near[0].flatten(1).numpy(), bias=True)
    exact = linalg.sqrtm(covariance / np.trace(covariance))[entries]
    np.testing.assert_allclose(relations_of(near)[0], exact, atol=1e-4)
    covariance = np.cov(spread[0].flatten(1).numpy(), bias=True)
    values, vectors = np.linalg.eigh(covariance / np.trace(covariance))
    root, inverse = values.copy(), np.ones(6)
    for _ in range(5):
        root, inverse = root * (3 - inverse * root) / 2, inverse * (3 - inverse * root) / 2
    np.testing.assert_allclose(relations_of(spread)[0], ((vectors * root) @ vectors.T)[entries], atol=1e-9)
    # What five steps leave out: a share of 0.1^2 / 15.5 of the variance has a root of 0.025, and gets a third of it.
    assert root[0] == pytest.approx(0.2 * np.sqrt(values[0]), rel=0.2)


def test_relations_of_patches_that_are_all_alike_are_zero():
    assert not relations_of(torch.ones(2, 4, 3, 5)).any()


@given(st.floats(0.01, 100), st.floats(-50, 50))
def test_contrast_and_offset_of_features_make_no_difference(gain, offset):
    features = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 4, 6, 7)))
    torch.testing.assert_close(relations_of(features * gain + offset), relations_of(features), atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 48}, "width is 48; accepted is a multiple of 32"),
        ({"blocks": ()}, "at least one level"),
        ({"blocks": (0, 1)}, "at least one block each or none at all"),
        ({"blocks": (0, 0)}, "join a patch stream, and there is none"),
        ({"relations": 113}, "relations are 113; accepted is 0 to 112"),
        ({"neighbours": 0}, "neighbours is 0"),
        ({"graph": False, "hypergraph": False}, "gates weigh two streams"),
    ],
)
def test_plans_that_make_no_network(changes, said):
    with pytest.raises(InputError, match=said):
        replace(SMALL, **changes)


def test_language_without_sentences():
    with pytest.raises(InputError, match=r"the bank of sentences has shape \(0, 8\)"):
        FusionNetwork(SMALL, torch.zeros(0, 8))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "fusion.safetensors"
    write_fusion(network_of(SMALL), {"sentences": list("abcde")}, path)
    return path


@torch.inference_mode()
def test_weights_come_back_but_for_bfloat16(saved, images):
    network, record = read_fusion(saved)
    assert record["sentences"] == list("abcde")
    before, after = network_of(SMALL).state_dict(), network.state_dict()
    assert torch.equal(before["bank"], after["bank"])
    for name, value in before.items():
        # bfloat16 has 8 bits: half a step is 2^-9 of the value.
        torch.testing.assert_close(after[name], value, rtol=2**-8, atol=0)
    cosine = torch.nn.functional.cosine_similarity(summary(network(images)), summary(network_of(SMALL)(images)))
    assert cosine.min() > 0.999


def test_damaged_weights_and_another_architecture(saved, tmp_path):
    from safetensors.torch import load_file, save_file

    (tmp_path / "half").write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(ReadError, match="is no fused encoder"):
        read_fusion(tmp_path / "half")
    save_file(load_file(saved), tmp_path / "bare")
    with pytest.raises(ReadError, match=r"is no fused encoder \('record'\); accepted is what"):
        read_fusion(tmp_path / "bare")
    with pytest.raises(ReadError, match="is no fused encoder"):
        read_fusion(tmp_path / "none")


def test_sentences_that_are_not_those_of_the_bank(tmp_path):
    path = tmp_path / "fusion.safetensors"
    write_fusion(network_of(SMALL), {"sentences": ["a"]}, path)
    with pytest.raises(ReadError, match="1 sentences and 5 vectors"):
        read_fusion(path)
