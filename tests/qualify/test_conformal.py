"""Conformal p-values against another implementation, and the levels of decisions against a search."""

import math

import numpy as np
import pytest
from crepes.base import ConformalClassifier
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from micrographia.errors import InputError
from micrographia.qualify.conformal import decision_level, p_value, references_needed

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


def searched_level(p_of_side, other, alpha):
    """Try every level; find the share of decisions by bisection of the binomial distribution."""
    best = 0.0
    for k in range(1, math.floor(alpha * (other + 1) + 1e-9) + 1):
        level = k / (other + 1)
        decided = sum(p <= level + 1e-12 for p in p_of_side)
        if not decided:
            continue
        low, high = 0.0, 1.0
        for _ in range(30):  # so rare that as many decisions, or more, had a chance of 1 - 60 %
            share = (low + high) / 2
            if binom.sf(decided - 1, len(p_of_side), share) < 0.4:
                low = share
            else:
                high = share
        if level <= alpha * (level + low):
            best = max(best, level)
    return best


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2, 0.3])
def test_the_level_of_decisions_is_that_of_a_search(alpha):
    rng = np.random.default_rng(2)
    found = []
    for _ in range(8):
        n, other = rng.integers(3, 60, 2)
        ease = rng.uniform(0.2, 3)
        p = np.ceil(rng.random(n) ** ease * (other + 1)) / (other + 1)
        p[rng.random(n) < rng.random()] = 1 / (other + 1)
        level = decision_level(p, other=int(other), alpha=alpha)
        assert level == pytest.approx(searched_level(p, int(other), alpha), abs=1e-12)
        found.append(level)
    assert 0 < max(found) <= alpha


def test_the_level_leaves_at_most_alpha_of_the_decisions_wrong():
    # 30 of 100 decided at 0.05: at least 0.28 of all as sure as 60 %; 0.05 / 0.33 = 15 % wrong. At 0.01: 3.4 %.
    p = np.array([0.01] * 30 + [1.0] * 70)
    assert decision_level(p, other=99, alpha=0.05) == 0.01
    # 3 of 100 are too few at any level: 0.01 / 0.032 = 24 %.
    assert decision_level(np.array([0.01] * 3 + [1.0] * 97), other=99, alpha=0.05) == 0


def test_without_decisions_among_the_references_there_is_no_level():
    assert decision_level(np.ones(19), other=19, alpha=0.05) == 0
    assert decision_level(np.empty(0), other=19, alpha=0.05) == 0
    assert decision_level(np.full(19, 1 / 19), other=18, alpha=0.05) == 0  # p cannot be 0.05


@given(st.lists(st.integers(1, 40).map(lambda k: k / 40), min_size=1, max_size=25), st.floats(0.02, 0.5))
@settings(max_examples=50)
def test_the_level_is_a_p_value_at_most_alpha_and_grows_with_sides_apart(p, alpha):
    level = decision_level(np.array(p), other=39, alpha=alpha)
    assert 0 <= level <= alpha + 1e-9
    assert level * 40 == pytest.approx(round(level * 40))
    assert decision_level(np.array(p) / 2, other=39, alpha=alpha) >= level
