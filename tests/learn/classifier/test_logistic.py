"""The regression against scikit-learn in the space of all features, and the temperature against its closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from micrographia.learn.classifier.logistic import balanced_loss, balanced_temperature, fit_logistic
from micrographia.qualify.classify.classifier import log_probabilities, spread


def blobs(counts, dimension, *, apart=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = rng.normal(0, apart, (len(counts), dimension))
    return centres[labels] + rng.normal(0, 1, (len(labels), dimension)), labels


@pytest.mark.parametrize("counts", [(12, 9, 6), (14, 5)])
@pytest.mark.parametrize("dimension", [5, 60])
def test_in_the_span_of_the_images_it_is_scikit_learns_regression_in_the_whole_space(counts, dimension):
    vectors, labels = blobs(counts, dimension)
    new = np.random.default_rng(1).normal(0, 1, (7, dimension))
    (model,) = fit_logistic(vectors, labels, strengths=[10.0])
    mean, scale = spread(vectors)
    whole = LogisticRegression(C=10.0, class_weight="balanced", tol=1e-8, max_iter=10_000)
    whole.fit((vectors - mean) / scale / np.sqrt(dimension), labels)
    expected = whole.predict_log_proba((new - mean) / scale / np.sqrt(dimension))
    np.testing.assert_allclose(log_softmax(model.logits(new), axis=1), expected, atol=2e-4)


def test_a_hundred_to_one_does_not_drown_the_small_class():
    vectors, labels = blobs((1000, 10), 3, apart=0.0)
    vectors[labels == 1, 0] += 3.0
    (model,) = fit_logistic(vectors, labels, strengths=[100.0])
    mean, scale = spread(vectors)
    scaled = (vectors - mean) / scale / np.sqrt(3)
    # Weights are 1010 / 2000 and a hundred times that: as if each image of the small class was there a hundred times.
    often = np.repeat(np.arange(1010), np.where(labels == 1, 100, 1))
    repeated = LogisticRegression(C=100.0 * 1010 / 2000, tol=1e-8, max_iter=10_000).fit(scaled[often], labels[often])
    expected = repeated.decision_function(scaled)
    np.testing.assert_allclose(np.diff(model.logits(vectors), axis=1)[:, 0], expected, atol=5e-3)
    # What weighs all images alike misses half of the small class, which is 3 standard deviations away.
    alike = LogisticRegression(C=100.0).fit(scaled, labels)
    fresh = np.random.default_rng(5).normal(0, 1, (4000, 3)) + np.array([3.0, 0, 0])
    drowned = alike.predict((fresh - mean) / scale / np.sqrt(3)).mean()
    assert model.logits(fresh).argmax(axis=1).mean() > drowned + 0.1


@given(st.integers(6, 9), st.integers(6, 9), st.floats(1.0, 3.0))
@settings(max_examples=25, deadline=None)
def test_temperature_makes_probability_the_share_that_is_right(first, second, apart):
    # Of 10 images of either class first and second are right; classes weigh alike, so the share right is their mean.
    share = (first + second) / 20
    rows = [[apart, 0.0]] * first + [[0.0, apart]] * (10 - first) + [[0.0, apart]] * second
    logits, labels = np.array(rows + [[apart, 0.0]] * (10 - second)), np.repeat([0, 1], 10)
    # Ten specimens say no more than 11 of 12, whatever they say.
    deserved = share * 11 / 12 + (1 - share) / 12
    expected = apart / np.log(deserved / (1 - deserved))
    assert balanced_temperature(logits, labels, range(20)) == pytest.approx(expected, rel=1e-3)


@given(st.integers(2, 50), st.floats(0.5, 40.0))
@settings(max_examples=25, deadline=None)
def test_what_was_always_right_is_as_sure_as_its_specimens_allow(count, apart):
    logits, labels = np.repeat([[apart, 0.0], [0.0, apart]], count, axis=0), np.repeat([0, 1], count)
    temperature = balanced_temperature(logits, labels, range(2 * count))
    told = np.exp(log_probabilities(logits, temperature=temperature))
    np.testing.assert_allclose(told[np.arange(2 * count), labels], (count + 1) / (count + 2), rtol=1e-3)
    # Ten images of each specimen are no more specimens.
    often = balanced_temperature(np.repeat(logits, 10, axis=0), np.repeat(labels, 10), np.repeat(range(2 * count), 10))
    assert often == pytest.approx(temperature, rel=1e-3)


def test_the_loss_of_even_odds_is_the_logarithm_of_two_whatever_the_counts():
    assert balanced_loss(np.zeros((7, 2)), np.array([0, 0, 0, 0, 0, 0, 1])) == pytest.approx(np.log(2))
    # Three images at log(2), one of the other class at log(4): classes weigh alike.
    logits = np.array([[0.0, 0.0]] * 3 + [[np.log(3), 0.0]])
    assert balanced_loss(logits, np.array([0, 0, 0, 1])) == pytest.approx((np.log(2) + np.log(4)) / 2)
