"""From p-values to a verdict: every branch, and on references whose sides are known to be apart or not."""

import numpy as np
import pytest

from micrographia.findings import WhereEvidence
from micrographia.qualify import calibrated as module
from micrographia.qualify.calibrated import PValues, calibrate
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.evidence import Known, Seen, View
from micrographia.qualify.verdict import decide, judged, make_ready

CRACKS = Criterion(id="cracks", title="No cracks", accept_texts=(), reject_texts=())
VIEWS = (View(encoder="eye", modality="image"),)


@pytest.mark.parametrize(
    ("p", "rejected", "missing", "expected"),
    [
        # accept, reject, familiar
        ((0.60, 0.04, 0.5), 0.02, (0, 0), ("accept", "decided")),
        ((0.60, 0.05, 0.5), 0.05, (0, 0), ("accept", "decided")),
        ((0.04, 0.60, 0.5), 0.98, (0, 0), ("reject", "decided")),
        ((0.05, 0.60, 0.5), 0.95, (0, 0), ("reject", "decided")),
        ((0.60, 0.60, 0.5), 0.02, (0, 0), ("abstain", "ambiguous")),
        ((0.60, 0.06, 0.5), 0.02, (0, 0), ("abstain", "ambiguous")),
        ((0.04, 0.04, 0.5), 0.02, (0, 0), ("abstain", "novel")),
        ((0.60, 0.04, 0.05), 0.02, (0, 0), ("abstain", "novel")),
        ((0.60, 0.60, 0.01), 0.02, (0, 0), ("abstain", "novel")),
        # p is small enough, but of samples with this score too many are of the other side
        ((0.60, 0.04, 0.5), 0.06, (0, 0), ("abstain", "ambiguous")),
        ((0.60, 0.01, 0.5), 0.98, (0, 0), ("abstain", "ambiguous")),
        ((0.04, 0.60, 0.5), 0.94, (0, 0), ("abstain", "ambiguous")),
        # whatever the numbers
        ((0.60, 0.04, 0.5), 0.02, (1, 0), ("abstain", "insufficient references")),
        ((0.60, 0.04, 0.01), 0.02, (0, 1), ("abstain", "insufficient references")),
        ((0.60, 0.04, 0.5), None, (0, 0), ("abstain", "insufficient references")),
    ],
)
def test_the_verdict_that_p_values_lead_to(p, rejected, missing, expected):
    values = PValues(accept=p[0], reject=p[1], familiar=p[2])
    assert judged(values, rejected=rejected, missing=missing, alpha=0.05) == expected


def test_trading_the_sides_trades_accept_and_reject():
    grid = [0.01, 0.05, 0.06, 0.5, 1.0]
    trade = {"accept": "reject", "reject": "accept", "abstain": "abstain"}
    for a in grid:
        for r in grid:
            for share in (0.03, 0.5, 0.99):
                there, why = judged(
                    PValues(accept=a, reject=r, familiar=0.3), rejected=share, missing=(0, 0), alpha=0.05
                )
                back = judged(PValues(accept=r, reject=a, familiar=0.3), rejected=1 - share, missing=(0, 0), alpha=0.05)
                assert back == (trade[there], why)


def references(positive, negative, *, apart=6.0, seed=0, dimension=6, specimens=None):
    rng = np.random.default_rng(seed)
    accepted = np.arange(positive + negative) < positive
    vectors = rng.normal(size=(len(accepted), dimension))
    vectors[:, 0] += np.where(accepted, apart / 2, -apart / 2)
    return Known(
        ids=tuple(f"R{k}" for k in range(len(accepted))),
        accepted=accepted,
        specimens=np.arange(len(accepted)) if specimens is None else specimens,
        images=(vectors,),
        nets=(),
    )


def ready_of(known, alpha=0.05):
    return make_ready(CRACKS, VIEWS, known, calibrated=calibrate(known) if min(known.counts) else None, alpha=alpha)


def sample_at(first, dimension=6):
    """A sample that is ordinary but for its first feature."""
    vector = np.full((1, dimension), 0.3)
    vector[0, 0] = first
    return Seen(images=(vector,), nets=())


def test_with_nineteen_references_of_either_side_that_are_apart_it_decides():
    ready = ready_of(references(19, 19))
    assert ready.missing == (0, 0)
    good, bad = decide(sample_at(3.0), ready), decide(sample_at(-3.0), ready)
    assert (good.verdict, good.reason, good.p_reject) == ("accept", "decided", 1 / 20)
    assert (bad.verdict, bad.reason, bad.p_accept) == ("reject", "decided", 1 / 20)
    assert good.score > 0 > bad.score
    assert (good.criterion, good.title, good.counts) == ("cracks", "No cracks", (19, 19))
    (part,) = good.parts
    assert (part.encoder, part.modality, part.weight) == ("eye", "image", 1.0)
    assert good.score == pytest.approx(part.z)
    assert part.net > 0
    assert good.rejected_share < 0.01 < 0.99 < bad.rejected_share
    assert good.explanation == (
        "Of what was rejected, at most 5% is as acceptable as this (p = 0.050); of samples with this score less than "
        "1 % would be rejected."
    )
    assert bad.explanation == (
        "Of what was accepted, at most 5% is as little acceptable as this (p = 0.050); of samples with this score less "
        "than 1 % would be accepted."
    )
    assert {n.polarity for n in good.references[:3]} == {"accept"}


@pytest.mark.parametrize(("counts", "missing"), [((18, 19), (1, 0)), ((19, 18), (0, 1)), ((2, 3), (17, 16))])
def test_with_eighteen_it_says_that_one_is_missing(counts, missing):
    found = decide(sample_at(3.0), ready_of(references(*counts)))
    assert (found.verdict, found.reason, found.missing) == ("abstain", "insufficient references", missing)
    for count, side in zip(missing, ("accept", "reject"), strict=True):
        assert (f"{count} more to {side}" in found.explanation) == (count > 0)
    assert 0 < found.p_accept <= 1  # what can be said is said
    assert found.score > 0


def test_at_twenty_percent_four_references_a_side_suffice_to_have_none_missing():
    assert ready_of(references(4, 4), alpha=0.2).missing == (0, 0)
    assert ready_of(references(3, 4), alpha=0.2).missing == (1, 0)


@pytest.mark.parametrize("counts", [(0, 5), (5, 0), (0, 0)])
def test_without_references_of_a_side_there_is_no_score(counts):
    found = decide(sample_at(3.0), ready_of(references(*counts)))
    assert (found.verdict, found.reason) == ("abstain", "insufficient references")
    assert found.missing == (19 - counts[0], 19 - counts[1])
    assert found.counts == counts
    assert (found.score, found.p_accept, found.p_reject, found.p_familiar) == (None,) * 4
    assert found.parts == found.references == ()


def test_a_sample_unlike_all_references_is_novel():
    known = references(25, 25)
    known.images[0][:, 4:] *= 0.05
    vector = np.zeros((1, 6))
    vector[0, 0], vector[0, 5] = 0.1, 60.0
    found = decide(Seen(images=(vector,), nets=()), ready_of(known))
    assert (found.verdict, found.reason) == ("abstain", "novel")
    assert found.p_familiar == pytest.approx(1 / 51)
    assert found.explanation == "Unlike all references (p = 0.020): an expert should see it."


def test_a_sample_between_sides_that_are_apart_is_novel_or_ambiguous_and_never_decided():
    ready = ready_of(references(40, 40, apart=12.0))
    found = decide(sample_at(0.0), ready)
    assert found.verdict == "abstain"
    assert found.reason == "novel"  # fewer than 5 % of either side are this far from their own


def test_classes_that_overlap_are_ambiguous():
    ready = ready_of(references(30, 30, apart=0.0))
    rng = np.random.default_rng(1)
    found = [decide(Seen(images=(rng.normal(size=(1, 6)),), nets=()), ready) for _ in range(20)]
    assert {f.verdict for f in found} == {"abstain"}
    ambiguous = [f for f in found if f.reason == "ambiguous"]
    assert len(ambiguous) >= 15
    assert any(f.explanation.startswith("It could be either: p = ") for f in ambiguous)


def test_a_decision_that_would_be_wrong_too_often_says_so():
    ready = ready_of(references(30, 30, apart=0.0))
    found = decide(sample_at(-2.0), ready)
    close = [found, *(decide(sample_at(x), ready) for x in np.linspace(-6, 6, 13))]
    told = [f for f in close if f.reason == "ambiguous" and min(f.p_accept, f.p_reject) <= 0.05]
    assert told
    for f in told:
        assert "where at most 5% of decisions may be wrong" in f.explanation
        assert 0.05 < f.rejected_share < 0.95


def test_of_decisions_on_new_samples_few_are_wrong():
    """Sides two standard deviations apart each way, 60 samples: at most α of the decisions, with a margin of 4 SE."""
    ready = ready_of(references(25, 25, apart=3.5, seed=3), alpha=0.1)
    rng = np.random.default_rng(4)
    decided = wrong = 0
    for k in range(60):
        vector = rng.normal(size=(1, 6))
        vector[0, 0] += 1.75 if k % 2 else -1.75
        verdict = decide(Seen(images=(vector,), nets=()), ready).verdict
        decided += verdict != "abstain"
        wrong += verdict == ("reject" if k % 2 else "accept")
    assert decided >= 20
    assert wrong <= 0.1 * decided + 4 * np.sqrt(0.09 * decided)


def test_where_half_of_the_references_calibrate_those_count_as_missing(monkeypatch):
    monkeypatch.setattr(module, "MOST_TOGETHER", 10)
    few, enough = ready_of(references(37, 38)), ready_of(references(38, 38))
    assert few.calibrated.held_back.counts == (19, 19)  # of 37 the odd one calibrates
    assert enough.missing == few.missing == (0, 0)
    assert ready_of(references(36, 38)).missing == (1, 0)
    assert decide(sample_at(3.0), enough).verdict == "accept"
    assert decide(sample_at(3.0), enough).counts == (38, 38)


def test_specimens_are_told_in_a_remark_and_a_map_is_handed_on():
    known = references(20, 20, specimens=np.repeat(np.arange(20), 2))
    where = WhereEvidence(score=np.zeros((2, 3)), tile_px=64, step_px=32)
    ready = ready_of(known)
    found = decide(sample_at(3.0), ready, where=where)
    assert found.where is where
    assert "20 specimens" in found.remarks[0]
    assert ready_of(references(20, 20)).remarks == ()
