"""What the network's shape alone promises, whatever its weights."""

from __future__ import annotations

import pytest
import torch

from micrographia.atoms.network.canonical import SIDE
from micrographia.atoms.network.descriptors import PER_CHANNEL, SHARED
from micrographia.atoms.network.model import ContextNetwork
from micrographia.simulate.specimens.hosts import ROLES

SITES = 5


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = ContextNetwork().eval()
    with torch.no_grad():
        # Blocks begin as nothing; here they are to do something.
        for values in made.parameters():
            values.add_(0.02 * torch.randn_like(values))
    return made


@pytest.fixture
def asked():
    torch.manual_seed(1)
    return {
        "image": torch.randn(SITES, 2, SIDE, SIDE),
        "shared": torch.randn(SITES, SHARED),
        "channel": torch.randn(SITES, 2, PER_CHANNEL),
        "brightness": torch.randn(SITES, 2, 2),
        "present": torch.ones(SITES, 2),
        "in_play": torch.ones(SITES, len(ROLES), dtype=torch.bool),
    }


OF_CHANNELS = ("image", "channel", "brightness", "present")


def answer(network, asked):
    with torch.inference_mode():
        return network(**asked)


def close(one, other):
    return torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_it_is_small_enough_to_ship(network):
    assert sum(values.numel() for values in network.parameters()) <= 2_000_000


def test_the_order_of_channels_does_not_matter(network, asked):
    swapped = asked | {name: asked[name].flip(1) for name in OF_CHANNELS}
    assert close(answer(network, swapped), answer(network, asked))
    # The channels differ: swapping the patches alone, each told the other's detector, is something else.
    assert not close(answer(network, asked | {"image": asked["image"].flip(1)}), answer(network, asked))


def test_an_absent_channel_changes_nothing(network, asked):
    first = asked | {"present": torch.tensor([[1.0, 0.0]] * SITES)}
    garbage = {name: asked[name].clone() for name in ("image", "channel", "brightness")}
    for values in garbage.values():
        values[:, 1] = 1e3 * torch.randn_like(values[:, 1])
    assert torch.equal(answer(network, first | garbage), answer(network, first))
    alone = {name: values[:, :1] if name in OF_CHANNELS else values for name, values in first.items()}
    assert close(answer(network, alone), answer(network, first))
    assert not close(answer(network, asked), answer(network, first))


def test_labels_that_are_not_in_play_have_no_probability(network, asked):
    asked["in_play"][:, [1, 6]] = False
    asked["in_play"][2] = torch.eye(len(ROLES), dtype=torch.bool)[3]
    logits = answer(network, asked)
    p = logits.softmax(dim=1)
    assert (p[~asked["in_play"]] == 0).all()
    assert torch.isneginf(logits[~asked["in_play"]]).all()
    assert p[2, 3] == 1
    assert torch.allclose(p.sum(dim=1), torch.ones(SITES))
    # What remains keeps its odds.
    everything = answer(network, asked | {"in_play": torch.ones_like(asked["in_play"])})
    assert torch.equal(logits[asked["in_play"]], everything[asked["in_play"]])


def test_what_is_seen_does_not_depend_on_the_context_and_is_linear(network, asked):
    one, other = asked["image"], torch.randn(SITES, 2, SIDE, SIDE)
    with torch.inference_mode():
        together = network.see(2 * one - other)
        assert torch.allclose(together, 2 * network.see(one) - network.see(other), atol=1e-4)


def test_a_patch_of_a_known_brightness_is_looked_at_as_it_was(network, asked):
    # (signal - mean) / spread, spread / expected and mean / expected - 1 make up signal / expected - 1: however a
    # patch was divided into them, the absolute views are the same.
    image, spread, mean = asked["image"], 0.4, 1.2
    with torch.inference_mode():
        views = network.see(image)
        absolute = spread * views + (mean - 1) * network.views.weight.sum(dim=1)
        assert torch.allclose(absolute, network.see(spread * image + mean - 1), atol=1e-4)


@pytest.mark.parametrize("name", ["image", "shared", "channel", "brightness"])
def test_everything_that_is_said_is_heard(network, asked, name):
    changed = asked | {name: asked[name] + 0.5 * torch.randn_like(asked[name])}
    assert not close(answer(network, changed), answer(network, asked))


def test_each_site_is_judged_for_itself(network, asked):
    whole = answer(network, asked)
    parts = [answer(network, {name: values[n : n + 1] for name, values in asked.items()}) for n in range(SITES)]
    assert close(torch.cat(parts), whole)
