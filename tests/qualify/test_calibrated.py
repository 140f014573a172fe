"""Conformal p-values of samples: exact for whatever is exchangeable with the references, and by no one's order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.qualify import calibrated as module
from micrographia.qualify.calibrated import PValues, calibrate, p_values
from micrographia.qualify.conformal import p_value
from micrographia.qualify.evidence import Known, Seen
from micrographia.qualify.scoring import freeze

DISTRIBUTIONS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy tails": lambda rng, shape: rng.standard_cauchy(shape),
    "skew": lambda rng, shape: rng.lognormal(0, 2, shape),
    "few values": lambda rng, shape: 0.3 + 0.1 * rng.integers(0, 2, shape),
}


def known_of(vectors, accepted, specimens=None, nets=()):
    count = len(accepted)
    return Known(
        ids=tuple(f"R{k}" for k in range(count)),
        accepted=accepted,
        specimens=np.arange(count) if specimens is None else specimens,
        images=(vectors,),
        nets=nets,
    )


def seen_of(vector, nets=()):
    return Seen(images=(vector[None],), nets=nets)


def leave_in_turn(vectors, accepted, side):
    """Return the p-value of a side for each image of that side: it is the sample, all others are the references."""
    found = []
    for k in np.flatnonzero(accepted == side):
        rest = np.delete(np.arange(len(vectors)), k)
        p = p_values(seen_of(vectors[k]), calibrate(known_of(vectors[rest], accepted[rest])))
        found.append(p.accept if side else p.reject)
    return np.array(found)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("side", [True, False])
def test_of_images_of_a_side_at_most_a_share_alpha_has_a_p_value_as_small(name, side):
    """The guarantee itself, for every α: an exchangeable sample is any one of them with the same chance."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        vectors, accepted = DISTRIBUTIONS[name](rng, (15, 3)), np.arange(15) < 7 + side
        p = np.sort(leave_in_turn(vectors, accepted, side))
        ranks = np.arange(1, 9) / 8
        if name == "few values":
            assert (p >= ranks - 1e-12).all()
        else:
            np.testing.assert_allclose(p, ranks)


@pytest.mark.parametrize("apart", [0.0, 1.5])
@pytest.mark.parametrize("name", ["normal", "few values"])
def test_samples_of_a_side_are_refused_to_it_in_a_share_alpha(name, apart):
    rng = np.random.default_rng(1)
    problems, n, alpha = 200, 9, 0.2
    refused = strange = 0
    for _ in range(problems):
        accepted = np.append(np.arange(2 * n) < n, rng.random() < 0.5)
        vectors = DISTRIBUTIONS[name](rng, (2 * n + 1, 3)) + np.where(accepted, apart, 0)[:, None]
        p = p_values(seen_of(vectors[-1]), calibrate(known_of(vectors[:-1], accepted[:-1])))
        refused += (p.accept if accepted[-1] else p.reject) <= alpha
        strange += p.familiar <= alpha
    margin = 4 * np.sqrt(problems * alpha * (1 - alpha))
    assert refused <= alpha * problems + margin
    assert strange <= alpha * problems + margin
    if name != "few values":  # without ties the share is exactly α
        assert refused >= alpha * problems - margin


def problem(seed, positive=11, negative=8, apart=0.7):
    rng = np.random.default_rng(seed)
    accepted = np.arange(positive + negative) < positive
    vectors = rng.normal(size=(positive + negative, 3)) + np.where(accepted, apart, 0)[:, None]
    net = rng.normal(size=positive + negative) + np.where(accepted, apart, 0)
    return known_of(vectors, accepted, nets=(net,)), seen_of(rng.normal(size=3), nets=(rng.normal(size=1),))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_the_order_of_references_changes_nothing(seed):
    known, sample = problem(seed)
    order = np.random.default_rng(seed).permutation(len(known.ids))
    straight, mixed = (p_values(sample, calibrate(k)) for k in (known, known.only(order)))
    assert straight == mixed == p_values(sample, calibrate(known))


def test_p_values_are_those_of_a_score_fitted_with_the_sample_on_either_side():
    """The definition, with every fit made anew."""
    known, sample = problem(1)
    found = p_values(sample, calibrate(known))
    for side in (True, False):
        company = known_of(
            np.vstack([known.images[0], sample.images[0]]),
            np.append(known.accepted, side),
            nets=(np.append(known.nets[0], sample.nets[0]),),
        )
        score = freeze(company).scored.score * (-1 if side else 1)
        expected = p_value(score[-1], score[:-1][known.accepted == side])
        assert (found.accept if side else found.reject) == expected


def test_familiarity_is_the_rank_of_the_cosine_to_the_nearest():
    known, sample = problem(2)
    vectors = np.vstack([known.images[0], sample.images[0]])
    n, variance = len(vectors), vectors.var(axis=0)
    v = (vectors - vectors.mean(axis=0)) / np.sqrt(((n - 1) * variance + 4 * variance.mean()) / (n + 3))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    nearest = [max(float(v[a] @ v[b]) for b in range(n) if b != a) for a in range(n)]
    expected = (1 + sum(x <= nearest[-1] for x in nearest[:-1])) / n
    assert p_values(sample, calibrate(known)).familiar == pytest.approx(expected)


def test_far_away_samples_are_the_strangest_of_all():
    """Far away in a direction of its own: of many, each is near to no other."""
    rng = np.random.default_rng(3)
    accepted = np.arange(40) < 20
    vectors = np.zeros((40, 12))
    vectors[:, :2] = rng.normal(size=(40, 2)) * 0.1 + np.where(accepted[:, None], [3.0, 0], [0, 3.0])
    sample = np.zeros(12)
    sample[7] = 20
    for most in (400, 10):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "MOST_TOGETHER", most)
            ready = calibrate(known_of(vectors, accepted))
        assert p_values(seen_of(sample), ready).familiar == 1 / (len(ready.strangeness) + 1)


def test_images_of_a_specimen_are_scored_by_a_fit_without_that_specimen():
    known, _ = problem(4, positive=8, negative=8)
    specimens = np.arange(16) // 4
    grouped = calibrate(known_of(known.images[0], known.accepted, specimens))
    single = calibrate(known_of(known.images[0], known.accepted))
    assert not np.allclose(grouped.accepted_scores, single.accepted_scores)
    assert (grouped.strangeness >= single.strangeness - 1e-12).all()  # siblings are not looked at


@pytest.fixture
def split(monkeypatch):
    """From 11 references on, half of them are held back."""
    monkeypatch.setattr(module, "MOST_TOGETHER", 10)


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("seed", range(5))
def test_no_reference_is_both_fitted_to_and_held_back(seed):
    known, _ = problem(seed, positive=31, negative=20)
    ready = calibrate(known)
    fitted, held = set(ready.known.ids), set(ready.held_back.ids)
    assert not fitted & held
    assert fitted | held == set(known.ids)
    assert (ready.known.counts, ready.held_back.counts) == ((15, 10), (16, 10))
    assert (len(ready.accepted_scores), len(ready.rejected_scores), len(ready.strangeness)) == (16, 10, 26)


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("seed", range(20))
def test_a_specimen_is_fitted_to_or_held_back_as_a_whole(seed):
    known, _ = problem(seed, positive=40, negative=30)
    specimens = np.random.default_rng(seed).integers(0, 9, 70) if seed % 2 else np.arange(70) // 7
    ready = calibrate(known_of(known.images[0], known.accepted, specimens))
    assert not set(ready.known.specimens) & set(ready.held_back.specimens)
    assert len(ready.known.ids) + len(ready.held_back.ids) == 70
    assert min(*ready.known.counts, *ready.held_back.counts) > 0


@pytest.mark.usefixtures("split")
def test_of_one_large_specimen_and_others_both_halves_have_some():
    known, _ = problem(0, positive=30, negative=30)
    for large in range(2):  # whichever comes first
        specimens = np.where(np.arange(30) < 20, large, 1 - large)
        ready = calibrate(known_of(known.images[0], known.accepted, np.concatenate([specimens, 2 + np.arange(30)])))
        assert sorted([ready.known.counts[0], ready.held_back.counts[0]]) == [10, 20]
        assert ready.known.counts[1] == 15


@pytest.mark.usefixtures("split")
def test_a_score_is_fitted_to_no_more_than_it_must_be(monkeypatch):
    monkeypatch.setattr(module, "MOST_FITTED", 4)
    known, _ = problem(0, positive=31, negative=20)
    ready = calibrate(known)
    assert (ready.known.counts, ready.held_back.counts) == ((4, 4), (27, 16))


@pytest.mark.usefixtures("split")
def test_which_are_held_back_depends_on_ids_alone():
    known, sample = problem(1, positive=30, negative=30)
    order = np.random.default_rng(0).permutation(60)
    straight, mixed = calibrate(known), calibrate(known.only(order))
    assert set(straight.held_back.ids) == set(mixed.held_back.ids)
    assert p_values(sample, straight) == p_values(sample, mixed)


@pytest.mark.usefixtures("split")
def test_held_back_references_calibrate_a_score_that_has_not_seen_them():
    known, sample = problem(2, positive=25, negative=21)
    ready = calibrate(known)
    frozen, held = freeze(ready.known), ready.held_back
    score = frozen.score(Seen(images=held.images, nets=held.nets))
    own = frozen.score(sample)[0]
    found = p_values(sample, ready)
    assert found.accept == (1 + np.count_nonzero(score[held.accepted] <= own)) / (held.counts[0] + 1)
    assert found.reject == (1 + np.count_nonzero(score[~held.accepted] >= own)) / (held.counts[1] + 1)
    assert isinstance(found, PValues)


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_held_back_references_keep_the_guarantee(name):
    rng = np.random.default_rng(3)
    problems, alpha = 150, 0.2
    refused = strange = 0
    for _ in range(problems):
        accepted = np.append(np.arange(36) < 18, rng.random() < 0.5)
        vectors = DISTRIBUTIONS[name](rng, (37, 3)) + accepted[:, None]
        p = p_values(seen_of(vectors[-1]), calibrate(known_of(vectors[:-1], accepted[:-1])))
        refused += (p.accept if accepted[-1] else p.reject) <= alpha
        strange += p.familiar <= alpha
    margin = 4 * np.sqrt(problems * alpha * (1 - alpha))
    assert refused <= alpha * problems + margin
    assert strange <= alpha * problems + margin
    if name != "few values":
        assert refused >= alpha * problems - margin
