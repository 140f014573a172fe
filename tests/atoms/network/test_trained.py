"""The shipped file, and the decisions that rest on its calibration."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.special import log_softmax
from scipy.stats import kstest

from micrographia.atoms.network.canonical import SIDE, CanonicalPatches
from micrographia.atoms.network.descriptors import KNOWABLE, PER_CHANNEL, SHARED, Descriptors
from micrographia.atoms.network.trained import (
    LEVELS,
    STATES,
    TrainedNetwork,
    _unpacked,
    ask,
    familiarity,
    p_values,
    packed,
    quantiles,
    read_network,
    see,
    state_of,
)
from micrographia.errors import ReadError
from micrographia.simulate.specimens.hosts import ROLES

STATE = 2
SITES = 7


@pytest.fixture(scope="module")
def shipped() -> TrainedNetwork:
    return read_network()


def calibrated(shipped, scores=None, distances=None) -> TrainedNetwork:
    """The network with another calibration of one state."""
    of_scores, of_distances = shipped.scores.copy(), shipped.distances.copy()
    if scores is not None:
        of_scores[STATE] = [quantiles(own) for own in scores]
    if distances is not None:
        of_distances[STATE] = quantiles(distances)
    return replace(shipped, scores=of_scores, distances=of_distances)


def states(count):
    return np.full(count, STATE)


def test_the_shipped_file_is_small_and_says_where_it_comes_from(shipped):
    path = Path(str(resources.files("micrographia.weights").joinpath("context.safetensors")))
    assert path.stat().st_size <= 5e6
    assert sum(values.numel() for values in shipped.network.parameters()) <= 2_000_000
    assert {"settings", "held_out", "made", "measured"} <= set(shipped.record)
    assert tuple(shipped.record["measured"]) == STATES
    assert not shipped.network.training
    assert len(shipped.sha256) == 64
    # Quantiles ascend, and temperatures are positive: a calibration, not zeros.
    assert (np.diff(shipped.scores, axis=2) >= 0).all()
    assert (np.diff(shipped.distances, axis=1) >= 0).all()
    assert (shipped.temperature > 0.1).all()


@pytest.mark.parametrize("kind", ["missing", "garbage", "empty", "folder", "other tensors", "raw weights", "no record"])
def test_a_file_that_is_no_trained_network_is_refused_in_one_line(shipped, tmp_path, kind):
    path = tmp_path / "some.safetensors"
    if kind == "garbage":
        path.write_bytes(b"not a safetensors file" * 100)
    elif kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "other tensors":
        save_file({"weight": torch.zeros(3)}, path, metadata={"record": "{}"})
    elif kind == "raw weights":
        # As training leaves them, before they are calibrated.
        save_file(dict(shipped.network.state_dict()), path, metadata={"record": "{}"})
    elif kind == "no record":
        save_file({f"network.{n}": v for n, v in shipped.network.state_dict().items()}, path)
    with pytest.raises(ReadError, match=r"some\.safetensors.*micrographia train context") as refused:
        read_network(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(path))


def test_a_file_that_changed_is_read_anew(shipped, tmp_path):
    source = Path(str(resources.files("micrographia.weights").joinpath("context.safetensors")))
    with safe_open(source, framework="pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    path = tmp_path / "mine.safetensors"
    save_file(tensors, path, metadata=metadata)
    assert np.array_equal(read_network(path).temperature, shipped.temperature)
    tensors["calibration.temperature"] = 2 * tensors["calibration.temperature"]
    save_file(tensors, path, metadata=metadata)
    found = read_network(path)
    assert np.array_equal(found.temperature, 2 * shipped.temperature)
    assert found.sha256 != shipped.sha256


@pytest.mark.parametrize(
    ("unknown", "channels", "state"),
    [
        ((), 1, "one channel, calibrated"),
        (("dose",), 1, "one channel, uncalibrated"),
        (("pixel", "dose", "brightness"), 1, "one channel, uncalibrated"),
        (("energy",), 1, "one channel, partial"),
        (KNOWABLE, 1, "one channel, nothing"),
        ((), 2, "several channels, calibrated"),
        (("brightness",), 3, "several channels, uncalibrated"),
        (("dopant", "dose"), 2, "several channels, partial"),
    ],
)
def test_the_state_of_knowledge(unknown, channels, state):
    known = np.array([[name not in unknown for name in KNOWABLE]])
    present = np.pad(np.ones((1, channels), dtype=np.float32), ((0, 0), (0, 3 - channels)))
    assert STATES[int(state_of(known, present)[0])] == state


def asked(shipped, count=SITES, channels=2, seed=0, apart=1.0, **changes):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.standard_normal((count, *shape)).astype(np.float32)

    patches = CanonicalPatches(
        image=normal(channels, SIDE, SIDE),
        mean=np.ones((count, channels), np.float32),
        spread=np.ones((count, channels), np.float32),
        covered=np.ones(count, np.float32),
    )
    # Contexts that differ by so much.
    shared, channel, brightness = (
        values[:1] + apart * (values - values[:1])
        for values in (normal(SHARED), normal(channels, PER_CHANNEL), normal(channels, 2))
    )
    told = Descriptors(shared=shared, channel=channel, brightness=brightness)
    given = {
        "in_play": np.ones((count, len(ROLES)), dtype=bool),
        "state": states(count),
        "present": np.ones((count, channels), dtype=np.float32),
    }
    return ask(shipped, see(shipped, patches), told, **(given | changes))


def test_answers_are_probabilities_of_the_labels_in_play(shipped):
    in_play = np.ones((SITES, len(ROLES)), dtype=bool)
    in_play[:, 2] = in_play[0, 5] = False
    found = asked(shipped, in_play=in_play)
    p = np.exp(found.log_posterior.astype(float))
    assert p.sum(axis=1) == pytest.approx(np.ones(SITES), abs=1e-5)
    assert np.isneginf(found.log_posterior[~in_play]).all()
    assert (p[in_play] > 0).all()
    assert (found.distance > 0).all()


def test_the_temperature_of_its_state_cools_each_site(shipped):
    warm = replace(shipped, temperature=np.full(len(STATES), 1.0, np.float32))
    of_states = np.array([0, 1, 2, 4, 5, 7, 0])
    temperature = np.array([0.5, 1.0, 1.5, 9.0, 2.0, 3.0, 9.0, 4.0], np.float32)
    found = asked(replace(shipped, temperature=temperature), state=of_states)
    plain = asked(warm, state=of_states)
    wanted = log_softmax(plain.log_posterior / temperature[of_states][:, None], axis=1)
    assert found.log_posterior == pytest.approx(wanted, abs=1e-3)
    assert np.array_equal(found.distance, plain.distance)


def test_sites_are_asked_in_parts_and_answered_alike(shipped, monkeypatch):
    whole = asked(shipped)
    monkeypatch.setattr("micrographia.atoms.network.trained._BATCH", 3)
    parts = asked(shipped)
    # Most products are in bfloat16, of 8 bits, and may be added up in another order.
    assert parts.log_posterior == pytest.approx(whole.log_posterior, abs=0.1)
    assert parts.distance == pytest.approx(whole.distance, rel=0.02)


def test_sites_of_one_context_are_answered_like_sites_of_many(shipped):
    # What is made once for all of a context, or for each site where contexts differ by next to nothing.
    one, many = asked(shipped, apart=0.0), asked(shipped, apart=1e-6)
    # Products are in bfloat16, of 8 bits, and in which order they are added differs from processor to processor: each
    # logit of a site is right to 2^-8 of the largest, and so is the sum that they are divided by.
    allowed = np.maximum(0.1, 2**-8 * np.abs(one.log_posterior).max(axis=1, keepdims=True))
    assert (np.abs(many.log_posterior - one.log_posterior) <= allowed).all()
    assert many.distance == pytest.approx(one.distance, rel=0.02)


def test_the_distance_is_that_of_mahalanobis_in_the_sites_state(shipped):
    # Two states whose features spread by 1 and by 2: the same site is half as far in the second.
    features = shipped.centre.shape[1]
    whitener = np.zeros((len(STATES), features, features), np.float32)
    whitener[0], whitener[1] = np.eye(features), np.eye(features) / 2
    plain = replace(shipped, centre=np.zeros((len(STATES), features), np.float32), whitener=whitener)
    one, other = (asked(plain, state=np.full(SITES, k)).distance for k in (0, 1))
    assert other == pytest.approx(one / 2, rel=1e-5)
    mixed = asked(plain, state=np.arange(SITES) % 2).distance
    assert mixed == pytest.approx(np.where(np.arange(SITES) % 2, other, one), rel=1e-5)


def test_a_whitener_survives_packing():
    lower = np.tril(np.random.default_rng(0).normal(size=(2, 5, 5))).astype(np.float32)
    assert packed(lower).shape == (2, 15)
    assert np.array_equal(_unpacked(packed(lower), 5), lower)


def made_up(count, seed):
    """Sites of every label, and log-probabilities that favour the truth, some labels' more than others'."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(ROLES)), count)
    logits = rng.standard_normal((label.size, len(ROLES))) * 1.5
    logits[np.arange(label.size), label] += 1.0 + 0.5 * label
    return log_softmax(logits, axis=1), label


def own_scores(logs, label):
    return [-logs[label == role, role] for role in range(len(ROLES))]


def test_p_values_are_those_of_another_implementation(shipped):
    crepes = pytest.importorskip("crepes")
    count = 1500
    logs, label = made_up(count, seed=0)
    scores = own_scores(logs, label)
    fresh, _ = made_up(40, seed=1)
    found = p_values(calibrated(shipped, scores), fresh, states(len(fresh)))
    for role, own in enumerate(scores):
        other = crepes.ConformalClassifier()
        other.fit(own)
        wanted = other.predict_p(-fresh[:, role : role + 1], smoothing=False)[:, 0]
        # Between two of the quantiles that are kept; and theirs counts the site itself in, (n + 1) / (N + 1) for n / N.
        assert found[:, role] == pytest.approx(wanted, abs=1 / (LEVELS - 1) + 2 / count)


def test_p_values_of_equal_scores_count_them_all(shipped):
    # A network that is often certain gives -log p = 0 exactly for most sites: none of the others fits any better.
    rng = np.random.default_rng(0)
    own = np.concatenate([np.zeros(990), rng.exponential(1.0, 10)])
    certain = np.full((1, len(ROLES)), -np.inf)
    certain[0, 3] = 0.0
    found = p_values(calibrated(shipped, [own] * len(ROLES)), certain, states(1))[0]
    assert found[3] == pytest.approx(1, abs=1e-6)
    assert (np.delete(found, 3) == 0).all()


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_label_sets_hold_every_label_as_often_as_promised(shipped, level):
    count = 3000
    trained = calibrated(shipped, own_scores(*made_up(count, seed=2)))
    logs, label = made_up(count, seed=3)
    held = p_values(trained, logs, states(len(label))) > 1 - level
    # However rare or hard a label is. Both halves count: the calibration's quantile errs as much as the test.
    sd = np.sqrt(level * (1 - level) * 2 / count)
    for role in range(len(ROLES)):
        assert held[label == role, role].mean() == pytest.approx(level, abs=4 * sd + 0.5 / (LEVELS - 1)), ROLES[role]
    # Sets that hold everything would cover too.
    assert held.sum(axis=1).mean() < 6


def test_higher_coverage_takes_larger_sets(shipped):
    trained = calibrated(shipped, own_scores(*made_up(1000, seed=4)))
    logs, label = made_up(500, seed=5)
    fit = p_values(trained, logs, states(len(label)))
    sizes = [(fit > 1 - level).sum(axis=1).mean() for level in (0.9, 0.95, 0.99)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


def test_familiarity_is_uniform_over_what_it_was_measured_on(shipped):
    distances = np.random.default_rng(6).gamma(30, 0.03, 5000)
    found = familiarity(calibrated(shipped, distances=distances), distances, states(5000))
    # But for the grid of quantiles it is exactly so.
    assert np.sort(found) == pytest.approx(np.linspace(0, 1, 5000), abs=1 / (LEVELS - 1))
    fresh = np.random.default_rng(7).gamma(30, 0.03, 5000)
    assert kstest(familiarity(calibrated(shipped, distances=distances), fresh, states(5000)), "uniform").pvalue > 1e-3


def test_what_is_farther_is_less_familiar(shipped):
    trained = calibrated(shipped, distances=np.linspace(1, 2, 1000))
    found = familiarity(trained, np.array([0.5, 1.0, 1.25, 1.75, 2.0, 50.0]), states(6))
    assert found == pytest.approx([1, 1, 0.75, 0.25, 0, 0], abs=2e-3)


def test_each_state_has_its_own_calibration(shipped):
    trained = calibrated(shipped, distances=np.linspace(100, 200, 500))
    found = familiarity(trained, np.array([150.0, 150.0]), np.array([STATE, 0]))
    assert found == pytest.approx([0.5, 0], abs=2e-3)
