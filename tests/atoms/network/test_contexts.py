"""Contexts are drawn as often as they are probable, and their parts belong together."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from micrographia.atoms.network.contexts import draw_contexts, unknown_quantities, value_of

SLOW, FAST = (60.0, 30.0), (200.0, 25.0)
LOW, MIDDLE, HIGH = (40.0, 70.0), (50.0, 120.0), (76.0, 200.0)
DRAWS = 4000
# Probability of a probe, and of each channel's angles given the probe.
OF_PROBE = {SLOW: 0.3, FAST: 0.7}
OF_ANGLES = (
    {SLOW: {LOW: 0.5, MIDDLE: 0.5}, FAST: {LOW: 0.9, MIDDLE: 0.1}},
    {SLOW: {HIGH: 1.0}, FAST: {HIGH: 0.25, MIDDLE: 0.75}},
)


@pytest.fixture(scope="module")
def solution(solved):
    tried = [
        [(*probe, angles, OF_PROBE[probe] * share) for probe in OF_PROBE for angles, share in of[probe].items()]
        for of in OF_ANGLES
    ]
    return solved(tried=tried)


def parts(conditions):
    return (conditions.energy_kev, conditions.convergence_mrad), *conditions.collection_mrad


def assert_as_probable(drawn, expected):
    counts = Counter(parts(c) for c in drawn)
    assert set(counts) <= {k for k, p in expected.items() if p}
    some = [k for k, p in expected.items() if p]
    total = sum(expected.values())
    assert chisquare([counts[k] for k in some], [len(drawn) * expected[k] / total for k in some]).pvalue > 1e-3


def joint(keep=lambda probe, first, second: True):
    return {
        (probe, first, second): OF_PROBE[probe] * OF_ANGLES[0][probe].get(first, 0) * OF_ANGLES[1][probe].get(second, 0)
        for probe, first, second in product(OF_PROBE, (LOW, MIDDLE), (HIGH, MIDDLE))
        if keep(probe, first, second)
    }


def test_contexts_come_as_often_as_they_are_probable(solution):
    # One probe for all channels; given it, their angles are independent.
    drawn = draw_contexts(solution, np.random.default_rng(0), DRAWS, host="WSe2")
    assert_as_probable(drawn, joint())
    assert {(c.host, c.dopant) for c in drawn} == {("WSe2", None)}


@pytest.mark.parametrize(
    ("name", "value", "keep"),
    [
        ("energy_kev", 60.0, lambda probe, first, second: probe == SLOW),
        ("convergence_mrad", 25.0, lambda probe, first, second: probe == FAST),
        ("collection_mrad[0]", LOW, lambda probe, first, second: first == LOW),
        # Only the faster probe goes with it: what is known of one channel says something of all.
        ("collection_mrad[1]", MIDDLE, lambda probe, first, second: second == MIDDLE),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_is_fixed_stays_and_the_rest_follows_bayes(solution, name, value, keep):
    drawn = draw_contexts(solution, np.random.default_rng(1), DRAWS, host="WSe2", fixed={name: value})
    assert {value_of(c, name) for c in drawn} == {value}
    assert_as_probable(drawn, joint(keep))


def test_two_fixed_quantities(solution):
    fixed = {"energy_kev": 200.0, "collection_mrad[1]": HIGH}
    drawn = draw_contexts(solution, np.random.default_rng(2), DRAWS, host="WSe2", fixed=fixed)
    assert_as_probable(drawn, joint(lambda probe, first, second: probe == FAST and second == HIGH))


def test_the_same_generator_gives_the_same_contexts(solution):
    one, other = (draw_contexts(solution, np.random.default_rng(5), 20, host="WSe2") for _ in range(2))
    assert one == other


def test_unknown_is_what_has_several_values(solution, solved):
    both = ("collection_mrad[0]", "collection_mrad[1]")
    assert unknown_quantities(solution) == ("energy_kev", "convergence_mrad", *both)
    assert {name.partition("[")[0] for name in unknown_quantities(solution)} == {
        "energy_kev",
        "convergence_mrad",
        "collection_mrad",
    }
    known = [(*SLOW, HIGH, 1.0)]
    assert unknown_quantities(solved(tried=[known, known])) == ()
    one = [(*SLOW, HIGH, 0.5), (*SLOW, MIDDLE, 0.5)]
    assert unknown_quantities(solved(tried=[known, one])) == ("collection_mrad[1]",)
