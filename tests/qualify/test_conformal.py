"""Conformal p-values against another implementation."""

import math

import numpy as np
import pytest
from crepes.base import ConformalClassifier
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.qualify.conformal import p_value, references_needed

SCORES = st.lists(st.integers(-50, 50).map(float), min_size=0, max_size=30)


@pytest.mark.parametrize("ties", [False, True])
def test_p_values_equal_those_of_crepes(ties):
    rng = np.random.default_rng(0)
    for n in (1, 2, 9, 40):
        known, samples = rng.normal(size=n), rng.normal(size=20)
        if ties:
            known, samples = known.round(), samples.round()
        theirs = ConformalClassifier().fit(known).predict_p(samples[:, None], smoothing=False)[:, 0]
        np.testing.assert_allclose([p_value(s, known) for s in samples], theirs, rtol=0, atol=1e-12)


def test_p_values_of_each_side_by_itself_equal_those_of_a_mondrian_classifier():
    rng = np.random.default_rng(1)
    sides = np.repeat([0, 1], [12, 7])
    known, samples = rng.normal(size=19).round(1), rng.normal(size=20).round(1)
    classifier = ConformalClassifier().fit(known, bins=sides)
    for side in (0, 1):
        theirs = classifier.predict_p(samples[:, None], bins=np.full(20, side), smoothing=False)[:, 0]
        np.testing.assert_allclose([p_value(s, known[sides == side]) for s in samples], theirs, rtol=0, atol=1e-12)


def test_p_values_go_from_one_in_n_plus_one_to_one():
    known = np.arange(19.0)
    assert p_value(19.0, known) == 1 / 20
    assert p_value(-1.0, known) == p_value(0.0, known) == 1
    assert p_value(18.0, known) == 2 / 20  # a tie counts
    assert p_value(5.0, np.empty(0)) == 1


def test_a_tie_up_to_rounding_is_a_tie():
    tenth = 0.1 + 0.2  # 0.30000000000000004
    assert p_value(tenth, np.array([0.3, 0.3, 0.2])) == p_value(0.3, np.array([tenth, tenth, 0.2])) == 3 / 4


@given(SCORES, st.floats(-60, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_p_value_does_not_depend_on_the_order_of_references(known, score, seed):
    mixed = np.random.default_rng(seed).permutation(known)
    assert p_value(score, np.array(known)) == p_value(score, mixed)


@given(SCORES, st.floats(-60, 60), st.floats(0, 20))
@settings(max_examples=40)
def test_what_is_stranger_has_no_larger_p_value(known, score, more):
    p = p_value(score + more, np.array(known))
    assert 1 / (len(known) + 1) <= p <= p_value(score, np.array(known)) <= 1


@given(SCORES.filter(bool))
@settings(max_examples=40)
def test_of_n_plus_one_alike_at_most_a_share_alpha_has_a_p_value_as_small(known):
    """The theorem itself: each of n + 1 scores in turn is the sample, the others are the references."""
    scores = np.array(known)
    p = np.array([p_value(scores[k], np.delete(scores, k)) for k in range(len(scores))])
    for k in range(1, len(scores) + 1):
        assert np.count_nonzero(p <= k / len(scores) + 1e-12) <= k


@pytest.mark.parametrize("alpha", [0.5, 0.34, 1 / 3, 0.3, 0.2, 0.1, 0.05, 0.025, 0.01, 0.001])
def test_so_many_references_are_needed_that_the_smallest_p_value_is_alpha(alpha):
    needed = next(n for n in range(2000) if 1 / (n + 1) <= alpha + 1e-12)
    assert references_needed(alpha) == needed


def test_references_needed_at_usual_levels():
    assert [references_needed(a) for a in (0.5, 0.2, 0.1, 0.05, 0.01)] == [1, 4, 9, 19, 99]


@pytest.mark.parametrize("alpha", [0, -0.1, 0.51, 1, 1.5, math.nan, math.inf])
def test_a_level_that_is_none_is_refused(alpha):
    with pytest.raises(InputError, match=r"above 0 and up to 0\.5"):
        references_needed(alpha)
