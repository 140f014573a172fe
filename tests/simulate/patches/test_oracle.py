from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multinomial, norm, poisson

from micrographia.errors import ContextError
from micrographia.simulate.patches.library import role_tables
from micrographia.simulate.patches.oracle import (
    Hypothetical,
    counting_log_likelihood,
    entropy_nats,
    label_posterior,
    log_likelihoods,
    pattern_log_likelihood,
    posterior,
    reading_log_likelihood,
)
from micrographia.simulate.patches.recipe import recorded_electrons
from micrographia.simulate.patches.render import expected_signal
from micrographia.simulate.specimens.catalogue import labels
from micrographia.simulate.specimens.hosts import PRISTINE, ROLES

SIZE_PX = 16
PIXEL_A = 0.4


@pytest.fixture(scope="module")
def context(library, compound, imaging):
    """Return a function that gives a compound as one detector or both show it, with all of its labels."""

    def make(name, channels=1, **changes):
        seen = replace(imaging, collection_mrad=imaging.collection_mrad[-channels:], **changes)
        return Hypothetical(tables=role_tables(library, compound(name), seen), labels=labels(compound(name)))

    return make


@pytest.fixture(scope="module")
def scene(scene_of):
    """Return a function that makes scenes of a pixel so large that a small patch holds the site's surroundings."""

    def make(label="X2", **changes):
        return scene_of(**({"role": ROLES.index(label), "pixel_A": PIXEL_A, "rotation_deg": 12.0} | changes))

    return make


def expected_of(scene, made, label, **changes):
    other = np.array([scene])
    for name, value in changes.items():
        other[name] = value
    out = np.empty((made.mean.size, SIZE_PX, SIZE_PX), dtype=np.float32)
    expected_signal(other[0], made, ROLES.index(label), out)
    return out


def counts_of(scene, made):
    return recorded_electrons(scene, made, size_px=SIZE_PX)


def one_pixel(values):
    return np.array(values, dtype=float).reshape(1, 1, -1)


def reading(y, mean, pulse_spread, read_noise_e):
    return reading_log_likelihood(
        one_pixel([y]), one_pixel([mean]).astype(np.float32), float(pulse_spread), float(read_noise_e)
    )


def test_counts_of_two_hypotheses_compare_as_poisson_laws_do():
    counts, one, other = one_pixel([3, 0, 12]), one_pixel([2.5, 0.25, 9]), one_pixel([4, 0.125, 11])
    found = counting_log_likelihood(counts, one.astype(np.float32)) - counting_log_likelihood(
        counts, other.astype(np.float32)
    )
    exact = poisson.logpmf(counts, one).sum() - poisson.logpmf(counts, other).sum()
    assert found == pytest.approx(exact, rel=1e-12)


def test_patterns_of_two_hypotheses_compare_as_multinomial_laws_do():
    counts = np.array([[[3, 0, 12]], [[1, 5, 2]]], dtype=float)
    one, other = (np.array(v, dtype=np.float32) for v in ([[[2, 1, 9]], [[1, 1, 1]]], [[[4, 1, 5]], [[2, 6, 3]]]))
    found = pattern_log_likelihood(counts, one) - pattern_log_likelihood(counts, other)
    exact = sum(
        multinomial.logpmf(c.ravel(), c.sum(), a.ravel() / a.sum())
        - multinomial.logpmf(c.ravel(), c.sum(), b.ravel() / b.sum())
        for c, a, b in zip(counts, one.astype(float), other.astype(float), strict=True)
    )
    assert found == pytest.approx(exact, rel=1e-10)


def test_a_pattern_is_what_is_left_when_the_dose_is_integrated_out():
    # Doses from far below to far above, evenly in their logarithm: the prior 1 / dose.
    counts, shapes = one_pixel([30, 10, 22]), (one_pixel([3, 1, 2]), one_pixel([2, 2, 2]))
    doses = np.exp(np.linspace(np.log(0.5), np.log(100), 4001))
    evidence = [logsumexp([poisson.logpmf(counts, s * dose).sum() for dose in doses]) for s in shapes]
    found = [pattern_log_likelihood(counts, s.astype(np.float32)) for s in shapes]
    assert found[0] - found[1] == pytest.approx(evidence[0] - evidence[1], rel=1e-6)


@pytest.mark.parametrize("mean", [0.02, 0.7, 4.0, 31.0, 400.0, 30_000.0])
@pytest.mark.parametrize("noise", [(0.0, 0.3), (0.4, 0.3), (0.5, 0.05), (0.2, 3.0), (0.05, 40.0)])
def test_a_reading_is_likely_as_the_sum_over_all_counts_says(mean, noise):
    pulse_spread, read_noise_e = noise
    mean = float(np.float32(mean))
    deviation = np.sqrt(mean * (1 + pulse_spread**2) + read_noise_e**2)
    n = np.arange(max(0, int(mean - 40 * np.sqrt(mean) - 40)), int(mean + 40 * np.sqrt(mean) + 40))
    counts = poisson.logpmf(n, mean)
    spread = np.sqrt(n * pulse_spread**2 + read_noise_e**2)
    # The constant of the normal law is left out.
    for y in mean + deviation * np.array([-4, -1.5, -0.3, 0.0, 0.8, 2.0, 5.0]):
        exact = logsumexp(counts + norm.logpdf(y, n, spread)) + 0.5 * np.log(2 * np.pi)
        assert reading(y, mean, *noise) == pytest.approx(exact, abs=1e-6), y


def test_readings_of_many_electrons_are_normal():
    # Normal(lambda, lambda (1 + s^2) + r^2), but for the skewness that is left: about 1 / sqrt lambda.
    for mean, pulse_spread, read_noise_e in ((1e6, 0.4, 0.3), (1e8, 0.5, 300.0), (1e6, 0.0, 2e3)):
        deviation = np.sqrt(mean * (1 + pulse_spread**2) + read_noise_e**2)
        for z in (-2.0, 0.0, 1.0):
            y = mean + z * deviation
            normal = norm.logpdf(y, mean, deviation) + 0.5 * np.log(2 * np.pi)
            assert reading(y, mean, pulse_spread, read_noise_e) == pytest.approx(normal, abs=5 / np.sqrt(mean))


@settings(deadline=None)  # the first call compiles
@given(
    st.floats(0.01, 1e5), st.floats(0.0, 0.5), st.floats(0.05, 5.0), st.lists(st.floats(-4, 4), min_size=2, max_size=5)
)
def test_readings_of_pixels_are_independent(mean, pulse_spread, read_noise_e, places):
    y = mean + np.array(places) * np.sqrt(mean * (1 + pulse_spread**2) + read_noise_e**2)
    expected = np.full((1, 1, len(places)), mean, dtype=np.float32)
    together = reading_log_likelihood(one_pixel(y), expected, pulse_spread, read_noise_e)
    alone = sum(reading(one, mean, pulse_spread, read_noise_e) for one in y)
    assert together == pytest.approx(alone, rel=1e-9, abs=1e-9)


def test_the_likelihood_of_a_reading_is_a_law():
    # It sums to 1 over the readings.
    y = np.arange(-4, 40, 0.02)
    for noise in ((0.4, 0.3), (0.1, 0.6)):
        log = np.array([reading(one, 6.0, *noise) for one in y]) - 0.5 * np.log(2 * np.pi)
        assert np.exp(log).sum() * 0.02 == pytest.approx(1, abs=1e-4)


def test_two_labels_compare_by_their_poisson_laws(context, scene):
    # The logistic of the log-likelihoods' difference.
    made = replace(context("WSe2:S"), labels=("X2", "V_X"))
    true = scene("V_X", electrons_per_px=100.0)
    counts = counts_of(true, made.tables)
    laws = [
        poisson.logpmf(counts, 100.0 * expected_of(true, made.tables, label).astype(float)).sum()
        for label in made.labels
    ]
    found = label_posterior(counts, true, [made], true_a_A=made.tables.a_A)
    assert found[ROLES.index("V_X")] == pytest.approx(1 / (1 + np.exp(laws[0] - laws[1])), rel=1e-4)
    assert found[ROLES.index("X2")] == pytest.approx(1 / (1 + np.exp(laws[1] - laws[0])), rel=1e-4)
    assert 0.001 < found[ROLES.index("V_X")] < 0.999
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("noise", [{}, {"pulse_spread": 0.4, "read_noise_e": 0.5}])
def test_two_labels_are_mistaken_as_often_as_their_distance_says(context, scene, noise):
    # Under a bright haze, some 500 electrons a pixel, both laws are normal and of nearly the same variance:
    # errors occur with Phi(-d' / 2).
    noise = noise | {"haze": 20.0, "haze_period_px": 16.0}
    made = replace(context("WSe2:S"), labels=("X2", "D_X"))
    dose, draws = 6500.0, 1500
    one, other = (dose * expected_of(scene(**noise), made.tables, label).astype(float) for label in made.labels)
    variance = (one + other) / 2 * (1 + noise.get("pulse_spread", 0.0) ** 2) + noise.get("read_noise_e", 0.0) ** 2
    rate = norm.cdf(-np.sqrt(((one - other) ** 2 / variance).sum()) / 2)
    assert one.min() > 300
    assert 0.05 < rate < 0.3
    wrong = 0
    for n in range(draws):
        label = made.labels[n % 2]
        true = scene(label, seed=n + 1, electrons_per_px=dose, **noise)
        found = label_posterior(counts_of(true, made.tables), true, [made], true_a_A=made.tables.a_A)
        wrong += ROLES[found.argmax()] != label
    assert wrong / draws == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / draws) + 0.01)


@pytest.mark.parametrize(
    ("dose", "known", "channels", "effects"),
    [
        (150.0, {}, 1, {}),
        (150.0, {"dose_known": False}, 2, {"haze": 0.2, "dwell_travel": 1.0}),
        (300.0, {"sublattice_known": True}, 1, {"defect_fraction": 0.1, "relaxation_A": 0.1, "row_jitter_px": 0.2}),
        (300.0, {}, 2, {"pulse_spread": 0.5, "read_noise_e": 0.5, "flyback_px": 1.0, "drift_x_px": 0.02}),
        (300.0, {}, 1, {"read_noise_e": 0.1}),
    ],
)
def test_the_posterior_is_right_as_often_as_it_says(context, scene, dose, known, channels, effects):
    # Labels equally likely, as the posterior takes them to be, of all or of the site's own sublattice.
    made = context("WSe2:S", channels)
    rng = np.random.default_rng(5)
    draws, right, claimed, on_truth = 700, [], [], []
    for seed in range(1, draws + 1):
        label = str(rng.choice(made.labels))
        true = scene(
            label, seed=seed, electrons_per_px=dose, haze_period_px=20.0,
            rotation_deg=rng.uniform(0, 360), offset_x_px=rng.uniform(-0.5, 0.5), **effects,
        )  # fmt: skip
        found = label_posterior(counts_of(true, made.tables), true, [made], true_a_A=made.tables.a_A, **known)
        right.append(ROLES[found.argmax()] == label)
        claimed.append(found.max())
        on_truth.append(found[ROLES.index(label)] - (found**2).sum())
    assert 0.3 < np.mean(right) < 0.97
    # Each draw is right with the probability that is claimed: a binomial spread; 3.5 standard errors.
    error = np.sqrt(np.mean(np.array(claimed) * (1 - np.array(claimed))) / draws)
    assert np.mean(right) == pytest.approx(np.mean(claimed), abs=3.5 * error)
    # And what is given to the truth is on average the sum of squares of what is given to all.
    assert np.mean(on_truth) == pytest.approx(0, abs=3.5 * np.std(on_truth) / np.sqrt(draws))


def test_contexts_count_by_their_weight_and_their_evidence(context, scene):
    # Two materials and two source sizes, worked out by hand.
    true = scene("V_X", electrons_per_px=60.0, rotation_deg=30.0)
    asked = [
        replace(context("WSe2:S"), weight=0.5),
        replace(context("MoS2:Nb"), weight=0.3),
        replace(context("WSe2:S", source_sigma_A=0.6), weight=0.2),
    ]
    true_a_A = asked[0].tables.a_A
    counts = counts_of(true, asked[0].tables)
    roles, logs = [], []
    for each in asked:
        for label in each.labels:
            turn = 0.0 if PRISTINE[ROLES.index(label)] == "X2" else 180.0
            # Pixels are as large in units of the lattice constant.
            pixel_A = PIXEL_A * each.tables.a_A / true_a_A
            there = expected_of(true, each.tables, label, rotation_deg=30 + turn, pixel_A=pixel_A).astype(float)
            logs.append(np.log(each.weight / len(each.labels)) + poisson.logpmf(counts, 60.0 * there).sum())
            roles.append(ROLES.index(label))
    share = np.exp(np.array(logs) - logsumexp(logs))
    assert share.max() < 0.9
    found = label_posterior(counts, true, asked, true_a_A=true_a_A)
    assert found == pytest.approx(np.bincount(roles, share, minlength=8), rel=1e-3, abs=1e-6)
    # The same from each context's own posterior and evidence.
    own = [label_posterior(counts, true, [each], true_a_A=true_a_A) for each in asked]
    cuts = np.cumsum([len(each.labels) for each in asked])[:-1]
    evidence = np.array([part.sum() for part in np.split(share, cuts)])
    assert found == pytest.approx(evidence @ np.array(own), rel=1e-3, abs=1e-6)


def test_likelihoods_can_be_weighed_afterwards(context, scene):
    asked = [context("WSe2:S"), replace(context("MoS2:Nb"), labels=("X2", "V_X"))]
    true = scene("V_X", electrons_per_px=40.0)
    counts = counts_of(true, asked[0].tables)
    fits = log_likelihoods(counts, true, asked, true_a_A=asked[0].tables.a_A)
    assert [[ROLES[n] for n in np.flatnonzero(np.isfinite(row))] for row in fits] == [
        [label for label in ROLES if label in each.labels] for each in asked
    ]
    laws = [
        poisson.logpmf(counts, 40.0 * expected_of(true, asked[0].tables, r).astype(float)).sum() for r in ("X2", "D_X")
    ]
    assert fits[0, 6] - fits[0, 3] == pytest.approx(laws[1] - laws[0], abs=1e-3)
    for weights in ((1.0, 1.0), (0.2, 0.8)):
        weighed = [replace(each, weight=w) for each, w in zip(asked, weights, strict=True)]
        by_hand = sum(w / len(e.labels) * np.exp(f - fits.max()) for w, e, f in zip(weights, asked, fits, strict=True))
        assert posterior(fits, weighed) == pytest.approx(by_hand / by_hand.sum())


def test_a_known_sublattice_leaves_only_its_own_labels(context, scene):
    made = context("WSe2:S")
    for label, own in (("V_M", ("M", "V_M")), ("D_X", ("X2", "V_X", "V_X2", "D_X", "M_X2"))):
        true = scene(label, electrons_per_px=20.0)
        counts = counts_of(true, made.tables)
        known = label_posterior(counts, true, [made], true_a_A=made.tables.a_A, sublattice_known=True)
        both = label_posterior(counts, true, [made], true_a_A=made.tables.a_A)
        inside = np.array([r in own for r in ROLES])
        assert not known[~inside].any()
        assert both[~inside].sum() > 1e-6
        # Given its sublattice, the posterior of all labels is that of the sublattice's.
        assert known[inside] == pytest.approx(both[inside] / both[inside].sum(), rel=1e-6)


def test_with_an_unknown_dose_brightness_does_not_count(context, scene):
    made = context("WSe2:S", 2)
    true = scene("V_X", electrons_per_px=50.0)
    counts = counts_of(true, made.tables)
    found, brighter = (
        label_posterior(counts, one, [made], true_a_A=made.tables.a_A, dose_known=False)
        for one in (true, scene("V_X", electrons_per_px=80.0))
    )
    scaled = made.tables._replace(
        mean=7 * made.tables.mean, series=7 * made.tables.series, change=7 * made.tables.change,
        column=7 * made.tables.column,
    )  # fmt: skip
    thicker = label_posterior(counts, true, [replace(made, tables=scaled)], true_a_A=made.tables.a_A, dose_known=False)
    assert brighter == pytest.approx(found, rel=1e-6)
    assert thicker == pytest.approx(found, rel=1e-3, abs=1e-6)
    with_dose = label_posterior(counts, true, [made], true_a_A=made.tables.a_A)
    assert np.abs(with_dose - found).max() > 1e-3


def test_knowing_less_is_never_better(context, scene):
    # Mean entropy grows from a known dose to an unknown one, and from more electrons to fewer.
    made = context("WSe2:S")
    entropy = {}
    for dose in (30.0, 300.0):
        for known in (True, False):
            rng = np.random.default_rng(8)
            posteriors = []
            for seed in range(1, 61):
                true = scene(str(rng.choice(made.labels)), seed=seed, electrons_per_px=dose)
                counts = counts_of(true, made.tables)
                posteriors.append(label_posterior(counts, true, [made], true_a_A=made.tables.a_A, dose_known=known))
            entropy[dose, known] = entropy_nats(np.array(posteriors)).mean()
    assert entropy[300.0, True] < entropy[30.0, True]
    assert entropy[300.0, True] < entropy[300.0, False]


@settings(max_examples=25, deadline=None)
@given(st.permutations([0, 1, 2]), st.integers(1, 1000), st.booleans(), st.sampled_from(["X2", "V_M", "V_X", "M_X2"]))
def test_the_order_of_contexts_does_not_matter_and_it_all_adds_up_to_one(
    context, scene_of, order, seed, dose_known, label
):  # fmt: skip
    asked = [context("WSe2:S"), replace(context("MoS2:Nb"), weight=2.0), replace(context("WSe2:S"), labels=("X2", "M"))]
    true = scene_of(role=ROLES.index(label), pixel_A=PIXEL_A, electrons_per_px=20.0, seed=seed)
    counts = counts_of(true, asked[0].tables)
    first = label_posterior(counts, true, asked, true_a_A=3.3, dose_known=dose_known)
    other = label_posterior(counts, true, [asked[n] for n in order], true_a_A=3.3, dose_known=dose_known)
    assert first.sum() == pytest.approx(1, abs=1e-12)
    assert (first >= 0).all()
    assert other == pytest.approx(first, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda p: sum(p) > 1e-3))
def test_entropy_lies_between_certainty_and_indifference(parts):
    probability = np.array(parts) / sum(parts)
    entropy = entropy_nats(probability)
    assert -1e-12 <= entropy <= np.log(len(parts)) + 1e-12
    # Splitting every label in two equal ones adds a bit.
    assert entropy_nats(np.repeat(probability / 2, 2)) == pytest.approx(entropy + np.log(2))


def test_entropy_of_certainty_and_of_indifference():
    certain, even = np.eye(8)[2], np.full(8, 1 / 8)
    assert entropy_nats(np.stack([certain, even])) == pytest.approx([0, np.log(8)])
    assert entropy_nats(np.array([0.9, 0.1])) == pytest.approx(0.9 * np.log(1 / 0.9) + 0.1 * np.log(10))


def test_what_cannot_be_asked_is_refused(context, scene):
    made = context("WSe2:S")
    patch, a_A = np.zeros((1, SIZE_PX, SIZE_PX)), made.tables.a_A
    with pytest.raises(ContextError, match="set sublattice_known or no defects"):
        label_posterior(patch, scene(defect_fraction=0.1), [made], true_a_A=a_A)
    for noise in ({"pulse_spread": 0.1}, {"read_noise_e": 0.1}):
        with pytest.raises(ContextError, match="unknown dose needs a counting detector"):
            label_posterior(patch, scene(**noise), [made], true_a_A=a_A, dose_known=False)
    for contexts, known in (([], False), ([replace(made, labels=("X2", "V_X"))], True)):
        with pytest.raises(ContextError, match="no context has a label for this site"):
            label_posterior(patch, scene("M"), contexts, true_a_A=a_A, sublattice_known=known)


@pytest.mark.parametrize(
    ("change", "channels"),
    [({"weight": 0.0}, 1), ({"weight": -1.0}, 1), ({"weight": float("nan")}, 1), ({"labels": ("X2", "X")}, 1), ({}, 2)],
)
def test_contexts_that_do_not_fit_are_refused(context, scene, change, channels):
    # A weight that is no probability, a label that is none of `ROLES`, another number of detectors than the patch has.
    made, patch = context("WSe2:S"), np.zeros((channels, SIZE_PX, SIZE_PX))
    with pytest.raises(ContextError):
        label_posterior(patch, scene(), [made, replace(made, **change)], true_a_A=3.3)
