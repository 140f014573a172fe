"""Ablation: left-out scores and decisions against the same by the functions that verdicts use, and against noise."""

import numpy as np
import pytest

from micrographia.qualify.calibrated import calibrate, p_values
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.doubt import rejected_share
from micrographia.qualify.evidence import Known, Seen, View
from micrographia.qualify.study.ablate import _chosen, ablate_company
from micrographia.qualify.study.variants import company_of, nets_of, score_by, variants_of
from micrographia.qualify.verdict import judged, make_ready

CRITERION = Criterion(id="c", title="C", accept_texts=(), reject_texts=())
VIEWS = (
    View(encoder="eye", modality="image"),
    View(encoder="lens", modality="image"),
    View(encoder="lens", modality="text"),
)


def known_of(seed, per_side=22, apart=1.0, specimens=None):
    rng = np.random.default_rng(seed)
    accepted = np.arange(2 * per_side) < per_side
    towards = np.where(accepted, apart, 0.0)
    return Known(
        ids=tuple(f"R{k}" for k in range(2 * per_side)),
        accepted=accepted,
        specimens=np.arange(2 * per_side) if specimens is None else specimens,
        images=tuple(rng.normal(size=(2 * per_side, d)) + towards[:, None] for d in (4, 6)),
        nets=(0.1 * rng.normal(size=2 * per_side) + 0.1 * towards,),
    )


def company(known, views=VIEWS):
    return company_of(known, views, tuple(net + 0.5 for net in known.nets))


def ready_of(known, alpha=0.1, views=VIEWS):
    return make_ready(CRITERION, views, known, calibrated=calibrate(known), alpha=alpha)


def test_variants_are_those_that_differ():
    known = known_of(0)
    names = [v.name for v in variants_of(company(known))]
    assert names == [
        "all parts",
        "image only",
        "text only",
        "without negatives",
        "without z-score",
        "plain net cosine",
        "eye alone",
        "lens alone",
        "hybrid, equal weights",
    ]
    alone = Known(ids=known.ids, accepted=known.accepted, specimens=known.specimens, images=known.images[:1], nets=())
    assert [v.name for v in variants_of(company(alone, VIEWS[:1]))] == [
        "all parts",
        "without negatives",
        "plain net cosine",
    ]


def test_plain_and_accepted_only_leave_out_the_reference_and_its_specimen():
    specimens = np.array([0, 0, 1, 2, 2, 2, 3, 0])
    known = known_of(1, per_side=4, specimens=specimens)
    nets = nets_of(company(known), known.accepted)
    vectors = known.images[0]
    cosine = vectors @ vectors.T / np.outer(*[np.linalg.norm(vectors, axis=1)] * 2)
    for k in range(8):
        on = [j for j in range(4) if specimens[j] != specimens[k]]
        off = [j for j in range(4, 8) if specimens[j] != specimens[k]]
        assert nets["accepted only"][k, 0] == pytest.approx(cosine[k, on].mean())
        assert nets["plain"][k, 0] == pytest.approx(cosine[k, on].mean() - cosine[k, off].mean())
    assert nets["plain"][:, 2] == pytest.approx(known.nets[0])
    assert nets["accepted only"][:, 2] == pytest.approx(known.nets[0] + 0.5)


def test_the_score_of_all_parts_is_that_of_verdicts_and_equal_weights_are_the_mean_of_z():
    known = known_of(2)
    laid_out = company(known)
    nets = nets_of(laid_out, known.accepted)
    by_name = {v.name: score_by(v, nets, known.accepted) for v in variants_of(laid_out)}
    scored = calibrate(known).frozen.scored
    assert by_name["all parts"] == pytest.approx(scored.score)
    z = np.stack([s.z(n) for s, n in zip(scored.spreads, scored.nets.T, strict=True)])
    assert by_name["hybrid, equal weights"] == pytest.approx(z.mean(axis=0))
    assert by_name["text only"] == pytest.approx(z[2])
    assert by_name["without z-score"] == pytest.approx(scored.nets.sum(axis=1))


@pytest.mark.parametrize(("seed", "apart", "alpha"), [(0, 1.0, 0.1), (1, 0.6, 0.4)])
def test_decisions_are_those_on_each_reference_by_a_library_of_the_others(seed, apart, alpha):
    known = known_of(seed, apart=apart)
    ready = ready_of(known, alpha)
    tally = {True: 0, False: 0}
    for k in range(len(known.ids)):
        rest = known.only(np.delete(np.arange(len(known.ids)), k))
        sample = Seen(images=tuple(v[[k]] for v in known.images), nets=tuple(n[[k]] for n in known.nets))
        # The references' own scores are those of the whole library: one more or less hardly changes them.
        scores, others = ready.calibrated.frozen.scored.score, np.arange(len(known.ids)) != k
        rejected = rejected_share(scores[k], scores[known.accepted & others], scores[~known.accepted & others])
        verdict, _ = judged(p_values(sample, calibrate(rest)), rejected=rejected, missing=(0, 0), alpha=alpha)
        if verdict != "abstain":
            tally[(verdict == "accept") == bool(known.accepted[k])] += 1
    (first, *_) = ablate_company(company(known), ready)
    assert (first.variant, first.decided, first.wrong) == ("all parts", sum(tally.values()), tally[False])
    assert sum(tally.values()) > 0


def test_of_noise_no_variant_tells_anything():
    areas = {}
    for seed in range(40):
        known = known_of(seed, per_side=10, apart=0.0)
        for row in ablate_company(company(known), ready_of(known, alpha=0.01)):
            areas.setdefault(row.variant, []).append(row.auroc)
            assert (row.decided, row.wrong) == (None, None)
    for variant, values in areas.items():
        spread = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - 0.5) < 4 * spread, variant


def test_what_every_embedding_shares_hides_the_difference_unless_there_are_negatives():
    # A direction in which all images differ strongly: cosines to the accepted alone mostly measure it.
    known = known_of(3, per_side=20, apart=2.0)
    loud = np.hstack([known.images[0], 20 * np.random.default_rng(4).normal(size=(40, 1)) + 30])
    known = Known(ids=known.ids, accepted=known.accepted, specimens=known.specimens, images=(loud,), nets=())
    rows = {r.variant: r for r in ablate_company(company(known, VIEWS[:1]), ready_of(known, views=VIEWS[:1]))}
    assert rows["all parts"].auroc > 0.9
    assert rows["without negatives"].difference_interval[1] < 0


def test_of_many_references_as_many_of_either_side_are_studied():
    assert _chosen(np.arange(10) < 3).tolist() == list(range(10))
    for positive in (30, 500, 970):
        accepted = np.arange(1000) < positive
        chosen = _chosen(accepted)
        counts = (accepted[chosen].sum(), (~accepted[chosen]).sum())
        assert sum(counts) == 400
        assert min(counts) == min(positive, 1000 - positive, 200)
