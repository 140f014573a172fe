"""Temperature and calibration error against what they are defined by; the shipped network on fresh patches."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from scipy.special import log_softmax, softmax

from micrographia.atoms.network.model import ContextNetwork
from micrographia.atoms.network.trained import LEVELS, STATES, read_network
from micrographia.learn.context.calibrate import ask_simulated, calibrate, calibration_error, fitted_temperature
from micrographia.learn.context.card import model_card
from micrographia.simulate.patches.library import build_library
from micrographia.simulate.patches.prior import ImagingPrior
from micrographia.simulate.patches.recipe import PatchRecipe
from micrographia.simulate.specimens.catalogue import Catalogue
from micrographia.simulate.specimens.hosts import ROLES


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature):
    rng = np.random.default_rng(0)
    count = 20_000
    logits = 2 * rng.standard_normal((count, len(ROLES)))
    # Two labels out of play for half of the sites.
    logits[: count // 2, [2, 6]] = -np.inf
    p = softmax(logits, axis=1)
    label = (p.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    # One over the curvature of the log loss is the error of the log of the temperature: the mean variance of a site's
    # logits under its own p.
    finite = np.where(np.isfinite(logits), logits, 0)
    variance = (p * finite**2).sum(axis=1) - (p * finite).sum(axis=1) ** 2
    error = 1 / np.sqrt(variance.sum())
    found = fitted_temperature(logits * temperature, label)
    assert np.log(found / temperature) == pytest.approx(0, abs=4 * error + 1e-4)
    # And that does not depend on what is common to the labels of a site.
    shifted = logits * temperature + rng.standard_normal((count, 1))
    assert fitted_temperature(log_softmax(shifted, axis=1), label) == pytest.approx(found, rel=1e-3)


def test_calibration_error_in_closed_form():
    # 60 sites said 0.9 of, of which 45 are right: off by 0.15. 40 said 0.55 of, 30 right: off by 0.2.
    p = np.concatenate([np.tile([0.9, 0.1], (60, 1)), np.tile([0.45, 0.55], (40, 1))])
    label = np.concatenate([np.repeat([0, 1], [45, 15]), np.repeat([1, 0], [30, 10])])
    assert calibration_error(p, label) == pytest.approx(0.6 * 0.15 + 0.4 * 0.2)
    # In one bin, over- and underconfidence cancel.
    p = np.array([[0.95, 0.05], [0.97, 0.03]])
    assert calibration_error(p, np.array([0, 1])) == pytest.approx(0.96 - 0.5)
    assert calibration_error(np.eye(3), np.arange(3)) == 0
    assert calibration_error(np.eye(3), np.array([1, 2, 0])) == 1


@settings(max_examples=20, deadline=None)
@given(sharpness=st.floats(0.1, 5), seed=st.integers(0, 100))
def test_honest_probabilities_have_no_calibration_error(sharpness, seed):
    rng = np.random.default_rng(seed)
    count = 4000
    p = softmax(sharpness * rng.standard_normal((count, 4)), axis=1)
    label = (p.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    # 15 bins, each off by up to half a standard deviation in the mean: sqrt(15 / n) / 2 in all at the very most.
    assert calibration_error(p, label) < 1.5 * np.sqrt(15 / count) / 2


@pytest.fixture(scope="module")
def source(small, made_up_library):
    return PatchRecipe(catalogue=small, library=made_up_library, seed=9, channels=2)


def test_asking_is_the_same_every_time_and_says_what_is_not_told(source):
    shipped = read_network()
    one, other = (ask_simulated(shipped, source, groups=2, known="all") for _ in range(2))
    assert np.array_equal(one.answers.log_posterior, other.answers.log_posterior)
    assert (one.state == STATES.index("several channels, calibrated")).all()
    assert len(one.label) == 128
    blind = ask_simulated(shipped, replace(source, channels=1), groups=2, known="image only")
    assert (blind.state == STATES.index("one channel, nothing")).all()
    assert len(blind.label) == 128
    without = ask_simulated(shipped, source, groups=2, known="uncalibrated", turns=2)
    assert (without.state == STATES.index("several channels, uncalibrated")).all()
    assert np.exp(without.answers.log_posterior).sum(axis=1) == pytest.approx(np.ones(128), abs=1e-5)
    # What may be at a site follows from the compound: told it, no other label has any probability.
    assert np.isneginf(one.answers.log_posterior).any()
    assert np.isfinite(blind.answers.log_posterior).all()


@pytest.mark.slow
def test_what_is_calibrated_can_be_read_and_described(source, tmp_path):
    torch.manual_seed(0)
    network = ContextNetwork()
    made = {"software": "micrographia 0", "commit": "0" * 40, "kernels": "none"}
    record = {"settings": {"steps": 1, "seed": 0}, "held_out": None, "made": made}
    raw = tmp_path / "trained.safetensors"
    halves = {name: values.half().contiguous() for name, values in network.state_dict().items()}
    save_file(halves, raw, metadata={"record": json.dumps(record)})
    told = []
    out = calibrate(raw, source, tmp_path / "context.safetensors", groups=16, progress=lambda *n: told.append(n))
    assert told == [(n + 1, len(STATES)) for n in range(len(STATES))]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["context.safetensors", "trained.safetensors"]
    assert out.stat().st_size <= 5e6
    found = read_network(out)
    assert found.scores.shape == (len(STATES), 8, LEVELS)
    for name, values in found.network.state_dict().items():
        assert torch.equal(values, halves[name].float()), name
    # Whitened features of what they were measured on have unit variance: a typical site is at a distance of 1.
    assert found.distances[:, LEVELS // 2] == pytest.approx(np.ones(len(STATES)), abs=0.5)
    assert tuple(found.record["measured"]) == STATES
    for measured in found.record["measured"].values():
        # It knows nothing: as many labels as there are, and that is what it says.
        assert measured["accuracy"] < 0.5
        assert measured["loss_nats"] > 1
    card = model_card(out)
    assert found.sha256 in card
    assert "micrographia train context --steps 1 --seed 0 --out DIR --everything" in card


@pytest.mark.slow
def test_the_shipped_network_tells_vacancies_at_a_high_dose(small, tmp_path):
    # Kernels by multislice. Both detectors collect some 1e4 electrons of a column, and none of an empty one.
    one = Catalogue(name="one", compounds=small.compounds[:1], conditions=small.conditions[2:4])
    library = build_library(one, tmp_path / "library", workers=1)
    dose = ImagingPrior(dose_e_per_A2=(1e7, 1.0001e7))
    fresh = PatchRecipe(catalogue=one, library=library, seed=77, channels=2, imaging=dose)
    asked = ask_simulated(read_network(), fresh, groups=16, known="all")
    some = [ROLES.index(role) for role in ("M", "X2", "V_M", "V_X2")]
    keep = np.isin(asked.label, some)
    answer = np.array(some)[asked.answers.log_posterior[keep][:, some].argmax(axis=1)]
    assert keep.sum() > 400
    assert np.mean(answer == asked.label[keep]) >= 0.95
    # Told nothing it can only do worse.
    blind = ask_simulated(read_network(), fresh, groups=16, known="image only")
    truth = np.arange(len(asked.label)), asked.label
    assert asked.answers.log_posterior[truth].mean() > blind.answers.log_posterior[truth].mean()
