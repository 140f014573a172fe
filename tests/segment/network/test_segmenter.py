"""The vote of a table of pixels and of a whole image are one function; the answer is the mean of two opinions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from micrographia.segment.network.encoder import load_encoder
from micrographia.segment.network.segmenter import Maps, Segmenter, features_at, maps_of, multiple_px


@pytest.fixture(scope="module")
def network() -> Segmenter:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Segmenter(load_encoder("efficientnet-lite0"), classes=3).eval()


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return functional.avg_pool2d(torch.randn(1, 1, 128, 192, generator=generator), 5, 1, 2)


@torch.no_grad()
def test_a_pixel_votes_alike_alone_and_in_its_image(network, image):
    maps = maps_of(image, network.encoder)
    logits = network.vote(maps)
    rows, columns = torch.meshgrid(torch.arange(8, 120, 8), torch.arange(8, 184, 8), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], 1).numpy()
    alone = network.vote.of_pixels(features_at(maps, places))
    whole = functional.interpolate(logits, size=(128, 192), mode="bilinear")[0][:, places[:, 0], places[:, 1]].T
    # Both are smooth functions of the same features, which differ by how grey values are averaged only.
    assert float((alone - whole).abs().mean()) < 0.08 * float(alone.std())
    assert float((alone - whole).abs().max()) < 0.4 * float(alone.std())


@torch.no_grad()
def test_the_first_layer_is_the_linear_layer_of_standardised_features(network, image):
    maps = maps_of(image[..., :64, :64], network.encoder)
    vote = network.vote
    flat = [functional.interpolate(m, size=(32, 32), mode="bilinear") for m in maps.flat[:-1]]
    flat.append(functional.avg_pool2d(maps.flat[-1], 2))
    table = torch.cat(flat, 1)[0].flatten(1).T
    expected = vote.of_pixels(table).T.reshape(3, 32, 32)
    assert torch.allclose(vote(maps)[0], expected, atol=1e-4)


@torch.no_grad()
def test_the_answer_is_the_weighted_geometric_mean_of_both_opinions(network, image):
    answer = network(image)
    assert torch.allclose(answer.exp().sum(1), torch.ones(1, 128, 192), atol=1e-5)
    maps = maps_of(image, network.encoder)
    votes = functional.interpolate(network.vote(maps), size=(128, 192), mode="bilinear").softmax(1)
    both = votes ** (1 / 3) * network.shapes(maps).softmax(1) ** (2 / 3)
    assert torch.allclose(answer.exp(), both / both.sum(1, keepdim=True), atol=1e-5)


def test_a_frozen_encoder_keeps_its_statistics_while_the_rest_learns(network, image):
    before = network.encoder.stem[1].running_mean.clone()
    network.train()
    network(image)
    assert torch.equal(network.encoder.stem[1].running_mean, before)
    assert network.drop.training
    network.eval()


def test_maps_halve_from_level_to_level_and_hold_both_magnifications(network, image):
    maps = maps_of(image, network.encoder)
    assert isinstance(maps, Maps)
    assert [tuple(m.shape[-2:]) for m in maps.features[0]] == [(64, 96), (32, 48), (16, 24), (8, 12), (4, 6)]
    assert [tuple(m.shape[-2:]) for m in maps.features[1]] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert multiple_px(network.encoder) == 64
