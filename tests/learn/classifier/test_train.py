"""A classifier from vectors: separable ones, ones that say nothing, ones that tell specimens, and its distances."""

from __future__ import annotations

import numpy as np
import pytest

from micrographia.learn.classifier.settings import ClassifierSettings
from micrographia.learn.classifier.train import left_out_distances, train_classifier
from micrographia.qualify.classify.classifier import spread
from micrographia.qualify.classify.decide import decide


def test_classes_far_apart_are_all_told_and_new_ones_too(known, encoder):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    centres = np.array([[0, 0, 0, 0], [9, 0, 0, 0], [0, 9, 0, 0]])
    trained = train_classifier(known(centres[labels] + rng.normal(0, 1, (60, 4)), labels), encoder)
    assert trained.measured.accuracy.value == 1
    assert trained.measured.accuracy.low == pytest.approx(0.025 ** (1 / 60))
    assert trained.measured.confusion == ((20, 0, 0), (0, 20, 0), (0, 0, 20))
    said = [decide(c + rng.normal(0, 1, 4), trained.classifier) for c in np.repeat(centres, 40, axis=0)]
    decided = [s.label for s in said if s.label is not None]
    assert len(decided) > 80  # at most about a tenth is lost to alpha and a twentieth to unlike
    assert all(s.label in (None, "abc"[k // 40]) for k, s in enumerate(said))
    assert decide(np.array([90.0, 90, 90, 90]), trained.classifier).reason == "unlike all training images"


def test_vectors_that_say_nothing_are_told_by_chance(known, encoder):
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 60)
    trained = train_classifier(known(rng.normal(0, 1, (120, 6)), labels), encoder)
    found = trained.measured.balanced_accuracy
    assert found.low < 0.5 < found.high
    assert trained.measured.loss_nats == pytest.approx(np.log(2), abs=0.05)


def test_what_only_tells_specimens_apart_helps_where_they_are_not_told(known, encoder):
    # Every specimen has a mark of its own, and a class by the toss of a coin.
    rng = np.random.default_rng(2)
    specimens = np.repeat(np.arange(24), 4)
    labels = specimens % 2
    vectors = rng.normal(0, 3, (24, 30))[specimens] + rng.normal(0, 0.1, (96, 30))
    leaked = train_classifier(known(vectors, labels), encoder).measured.accuracy.value
    honest = train_classifier(known(vectors, labels, specimens), encoder).measured.accuracy
    assert leaked == 1
    assert honest.low < 0.5 < honest.high


@pytest.mark.parametrize("specimens", [range(9), [0, 0, 1, 1, 2, 2, 3, 3, 3]])
def test_left_out_distances_are_those_of_a_loop(specimens):
    vectors = np.random.default_rng(3).normal(5, 2, (9, 4))
    found, neighbours = left_out_distances(vectors, [str(s) for s in specimens], most=3)
    assert neighbours == 3
    own = np.array(specimens)
    for k, vector in enumerate(vectors):
        others = vectors[own != own[k]]
        mean, scale = spread(others)
        apart = np.sqrt(np.mean(((others - mean) / scale - (vector - mean) / scale) ** 2, axis=1))
        assert found[k] == pytest.approx(np.sort(apart)[:3].mean())


def test_ordinary_images_are_called_unlike_no_more_often_than_asked_for(known, encoder):
    # More features than images, where a spread that knows an image makes it look nearer than a new one.
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1], 20)
    shares = []
    for _ in range(5):
        trained = train_classifier(known(rng.normal(0, 1, (40, 80)), labels), encoder)
        new = [decide(v, trained.classifier).p_familiar for v in rng.normal(0, 1, (60, 80))]
        shares.append(np.mean(np.array(new) <= 0.05))
    assert np.mean(shares) < 0.1


def test_two_images_of_each_class_are_enough_to_train_but_not_to_decide(known, encoder):
    vectors = [[0.0, 0.0], [0.1, 0.0], [5.0, 0.0], [5.1, 0.1]]
    trained = train_classifier(known(vectors, [0, 0, 1, 1]), encoder, settings=ClassifierSettings(strengths=(1.0,)))
    assert trained.classifier.neighbours == 3
    assert decide(np.array([0.05, 0.0]), trained.classifier).label is None
