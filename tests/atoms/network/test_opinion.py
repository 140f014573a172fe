"""From what the network says of single sites to an opinion of the scan."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from micrographia.atoms.decide import Prior
from micrographia.atoms.network.contexts import value_of
from micrographia.atoms.network.opinion import _Asker, _worth, arms, concentrated
from micrographia.atoms.network.trained import read_network
from micrographia.simulate import host, hypotheses

OPTIONS = hypotheses(host("WSe2"))
LABELS = [o.label for o in OPTIONS]


def lattice(to_px, cells=6):
    """A honeycomb: positions of metals and chalcogens, and which are metals."""
    n = np.stack([k.ravel() for k in np.meshgrid(np.arange(-cells, cells + 1), np.arange(-cells, cells + 1))], axis=1)
    a = np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    xy = np.concatenate([(n + third / 3) @ a for third in (0, 1)]) @ to_px.T
    return xy, np.repeat([True, False], len(n)), np.nonzero((np.abs(np.tile(n, (2, 1))) < cells - 1).all(axis=1))[0]


@pytest.mark.parametrize(
    "to_px",
    [13.0 * np.eye(2), 9.7 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])],
    ids=["straight", "turned"],
)
def test_arms_of_a_perfect_lattice(solved, to_px):
    xy, on_metal, inner = lattice(to_px)
    right, down = arms(solved(x_px=xy[:, 0], y_px=xy[:, 1], on_metal=on_metal), inner)
    a_px = np.sqrt(np.linalg.det(to_px))
    # A metal's neighbours lie 30°, 150° and 270° from a close-packed direction, a chalcogen's opposite.
    turn = np.arctan2(to_px[1, 0], to_px[0, 0])
    for n, row in enumerate(inner):
        angle = turn + np.deg2rad((30 if on_metal[row] else 210) + 120 * np.arange(3))
        wanted = a_px / np.sqrt(3) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        found = right[n]
        assert np.hypot(*(found[:, None] - wanted[None]).transpose(2, 0, 1)).min(axis=0).max() < 1e-9
    # Across an arm, to the same side for all.
    assert np.abs((right * down).sum(axis=2)).max() < 1e-9
    assert np.hypot(*down.transpose(2, 0, 1)) == pytest.approx(a_px / np.sqrt(3))
    side = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    assert side == pytest.approx(a_px**2 / 3)


def test_arms_follow_a_strain_exactly_and_forgive_a_site_its_own_error(solved):
    strained = 12.0 * np.array([[1.03, 0.02], [-0.01, 0.98]])
    xy, on_metal, inner = lattice(strained)
    here = inner[len(inner) // 3]
    straight = solved(x_px=xy[:, 0], y_px=xy[:, 1], on_metal=on_metal)
    right, down = arms(straight, np.array([here]))
    # The arms of the unstrained lattice, strained: across an arm too.
    unit = 1 / np.sqrt(3) * np.stack([np.cos(np.deg2rad([30, 150, 270])), np.sin(np.deg2rad([30, 150, 270]))], axis=1)
    across = unit @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    for arm, beside in zip(right[0], down[0], strict=True):
        n = int(np.argmin(np.hypot(*(unit @ strained.T - arm).T)))
        assert arm == pytest.approx(unit[n] @ strained.T, abs=1e-9)
        assert beside == pytest.approx(across[n] @ strained.T, abs=1e-9)
    moved = xy.copy()
    moved[here] += [0.9, -0.7]
    again, beside = arms(solved(x_px=moved[:, 0], y_px=moved[:, 1], on_metal=on_metal), np.array([here]))
    assert again == pytest.approx(right, abs=1e-9)
    assert beside == pytest.approx(down, abs=1e-9)


def test_a_strong_prior_is_bayes_rule():
    # Two labels, M and V_M, and chalcogens that are nobody's: with a prior of 1e12 sites the fractions stay its own.
    log_likelihood = np.zeros((3, len(OPTIONS)))
    log_likelihood[:, 1] = [0.0, np.log(99.0), np.log(999.0)]
    prior = Prior(fraction={"V_M": 0.01}, strength_sites=1e12)
    posterior, fraction, evidence = concentrated(log_likelihood, np.ones(3, dtype=bool), OPTIONS, prior)
    # Odds of 1 to 99, times the likelihoods' ratios.
    assert posterior[:, 1] == pytest.approx([0.01, 0.5, 999 / 1098], rel=1e-6)
    assert posterior[:, 0] == pytest.approx(1 - posterior[:, 1])
    assert (posterior[:, 2:] == 0).all()
    assert fraction[:2] == pytest.approx([0.99, 0.01], rel=1e-6)
    assert fraction.sum() == pytest.approx(2)  # each sublattice's add up to one
    assert evidence == pytest.approx(np.sum(np.log([1.0, 0.99 + 0.99, 0.99 + 9.99])), rel=1e-6)


def test_fractions_are_found_where_the_sites_tell_them():
    # Brightness of the labels, four standard deviations apart: the likelihoods overlap by 2 % of the sites.
    rng = np.random.default_rng(0)
    true = {"M": 0.93, "V_M": 0.07, "X2": 0.8, "V_X": 0.12, "V_X2": 0.05, "M_X2": 0.03}
    count = 20_000
    on_metal = np.arange(2 * count) < count
    level = {label: 4.0 * n for n, label in enumerate(LABELS)}
    metals, pairs = ("M", "V_M"), ("X2", "V_X", "V_X2", "M_X2")
    labels = np.concatenate([rng.choice(side, count, p=[true[s] for s in side]) for side in (metals, pairs)])
    brightness = np.array([level[label] for label in labels]) + rng.standard_normal(2 * count)
    log_likelihood = -0.5 * (brightness[:, None] - np.array([level[label] for label in LABELS])) ** 2
    prior = Prior()
    posterior, fraction, _ = concentrated(log_likelihood, on_metal, OPTIONS, prior)
    for label, found in zip(LABELS, fraction, strict=True):
        f = true[label]
        # Counting statistics of the labels that were drawn, a tenth more for the overlap; and what 100 sites of the
        # prior pull.
        noise = 1.1 * np.sqrt(f * (1 - f) / count)
        assert found == pytest.approx(f, abs=4.5 * noise + prior.strength_sites / count), label
    truth = np.array([LABELS.index(label) for label in labels])
    # Two neighbours 4 apart are confused by a tail beyond 2, 2.3 %, the rarer the more; the commoner gain by it.
    assert np.mean(posterior.argmax(axis=1) == truth) > 0.97
    # Confidence is as it should be: its mean is the accuracy.
    assert posterior.max(axis=1).mean() == pytest.approx(np.mean(posterior.argmax(axis=1) == truth), abs=0.003)


def test_the_wrong_way_round_explains_a_scan_less_well():
    rng = np.random.default_rng(1)
    on_metal = np.arange(400) < 200
    # Sites are M and X2, and every likelihood favours the truth by e^3.
    log_likelihood = rng.normal(0, 0.1, (400, len(OPTIONS)))
    log_likelihood[on_metal, LABELS.index("M")] += 3
    log_likelihood[~on_metal, LABELS.index("X2")] += 3
    _, _, right = concentrated(log_likelihood, on_metal, OPTIONS, Prior())
    _, _, wrong = concentrated(log_likelihood, ~on_metal, OPTIONS, Prior())
    # M_X2 may stand for a metal on the wrong sublattice, so that the gain is the pairs' most of all.
    assert right - wrong > 200


@pytest.mark.parametrize(
    ("named", "of_metal", "of_pair"),
    [
        (("Ti", "S", "Te"), ("Ti",), ("S", "Te")),
        (("S", "Te"), ("S",), ("S", "Te")),  # some substituent has to be thought of: the network knows no pure host
        (("Ti", "V"), ("Ti", "V"), ("Ti",)),
        ((), (), ()),
    ],
)
def test_substituents_are_asked_about_where_they_can_be(named, of_metal, of_pair):
    options = hypotheses(host("WSe2"), named, impurities=())
    asker = _Asker(trained=read_network(), options=options, per_a=0.1)
    found = asker.elements_on(np.array([True, False, True]))
    assert found.shape == (3, len(named))
    elements = np.array([options[i].element for i in asker.elements], dtype=object)
    for asked, wanted in zip(found, (of_metal, of_pair, of_metal), strict=True):
        assert tuple(elements[asked]) == wanted


ENERGIES, ANGLES = (60.0, 200.0), ((50.0, 120.0), (76.0, 200.0))


@pytest.fixture(scope="module")
def uncertain(solved):
    """Two energies and two detectors, all four combinations equally likely."""
    return solved(tried=[[(e, 30.0, angles, 0.25) for e in ENERGIES for angles in ANGLES]])


def worth(solution, name, at, runs=60):
    def of_all(contexts):
        return np.array([at(context) for context in contexts])

    return [_worth(name, solution, "WSe2", of_all, np.random.default_rng(n)) for n in range(runs)]


def by_energy(conditions):
    """A site that is one thing at one energy, and another at the other: the energy decides everything."""
    return np.eye(2)[[ENERGIES.index(conditions.energy_kev)]]


def test_nothing_is_learnt_where_answers_do_not_depend_on_context(uncertain):
    always = np.array([[0.7, 0.3], [0.2, 0.8]])
    for found in worth(uncertain, "energy_kev", lambda conditions: always, runs=5):
        assert found.reduction_nats == pytest.approx(0, abs=1e-12)
        # The mean entropy of both sites.
        wanted = -np.mean([0.7 * np.log(0.7) + 0.3 * np.log(0.3), 0.2 * np.log(0.2) + 0.8 * np.log(0.8)])
        assert found.entropy_nats == pytest.approx(wanted)


def test_what_decides_everything_is_worth_nearly_all_there_is(uncertain):
    found = worth(uncertain, "energy_kev", by_energy)
    for one in found:
        # Of 6 values drawn, k are the rarer: the mixture's entropy says which k. Nothing is in doubt within a group.
        k = int(np.argmin([abs(one.entropy_nats - _entropy(k / 6)) for k in range(4)]))
        assert one.entropy_nats == pytest.approx(_entropy(k / 6), abs=1e-9)
        assert one.reduction_nats == pytest.approx(one.entropy_nats, abs=1e-9)
    # The mutual information is ln 2; six values show 0.865 of it on average: the binomial mean of those entropies.
    expected = sum(binom(6, 0.5).pmf(k) * _entropy(k / 6) for k in range(7))
    mean = np.mean([one.reduction_nats for one in found])
    assert mean == pytest.approx(expected, abs=4 * 0.17 / np.sqrt(len(found)))


def test_what_decides_nothing_is_worth_nothing_beside_what_does(uncertain):
    idle = worth(uncertain, "collection_mrad[0]", by_energy)
    # Groups that share an irrelevant value differ as groups made at random do. Negative estimates count as none, which
    # leaves a mean of 0.4 of their standard deviation: of six groups' mean entropy, ln 2 / 2 / sqrt(6) = 0.14.
    assert np.mean([one.reduction_nats for one in idle]) < 0.4 * 0.14 * 1.5
    useful = worth(uncertain, "energy_kev", by_energy)
    assert np.mean([u.reduction_nats > i.reduction_nats for u, i in zip(useful, idle, strict=True)]) > 0.9


def test_draws_of_a_group_share_the_value_that_is_supposed_known(uncertain):
    asked = []

    def at(contexts):
        asked.extend(value_of(conditions, "collection_mrad[0]") for conditions in contexts)
        return np.ones((len(contexts), 1, 1))

    _worth("collection_mrad[0]", uncertain, "WSe2", at, np.random.default_rng(0))
    groups = np.array([ANGLES.index(value) for value in asked]).reshape(6, 4)
    assert (groups == groups[:, :1]).all()


def _entropy(p):
    return float(-sum(q * np.log(q) for q in (p, 1 - p) if q > 0))
