"""Ablation: how well references are told apart, each left out, by the whole method and by parts of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from micrographia.qualify.calibrated import MOST_TOGETHER, PValues, calibrate
from micrographia.qualify.conformal import p_value
from micrographia.qualify.doubt import rejected_share
from micrographia.qualify.prepare import Prepared
from micrographia.qualify.similarity.net import unit
from micrographia.qualify.study.auroc import area, difference
from micrographia.qualify.study.variants import Company, Variant, company_of, nets_of, score_by, variants_of
from micrographia.qualify.verdict import Ready, judged

MOST_STUDIED: Final = MOST_TOGETHER
"""References of a criterion up to which all are studied; of more, as many of either side evenly chosen."""


@dataclass(frozen=True, kw_only=True)
class Ablated:
    """How well one way to score tells references apart.

    Parameters
    ----------
    variant : str
        Its name.
    parts : tuple of str
        What it compares by, such as ``"efficientnet-lite0, image"``.
    auroc : float
        Area under the ROC curve of the left-out scores.
    auroc_interval : (float, float)
        Its 95 % interval.
    difference : float
        Its area less that of all parts.
    difference_interval : (float, float), optional
        95 % interval of that; None where nothing can be said of it, and for all parts themselves.
    decided, wrong : int, optional
        References that would be accepted or rejected at alpha by the others, and those of them against what the expert
        said; None where there are too few references for any decision.
    """

    variant: str
    parts: tuple[str, ...]
    auroc: float
    auroc_interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float] | None
    decided: int | None
    wrong: int | None


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """The ablation of one criterion.

    Parameters
    ----------
    criterion, title : str
        The criterion.
    counts : (int, int)
        Accepted and rejected references that were studied.
    specimens : int
        Groups of them that were left out together: specimens, or each reference by itself.
    alpha : float
        Share of decisions that may be wrong.
    rows : tuple of Ablated
        The ways to score; none where a side has less than two references.
    remarks : tuple of str
        What a reader must know.
    """

    criterion: str
    title: str
    counts: tuple[int, int]
    specimens: int
    alpha: float
    rows: tuple[Ablated, ...]
    remarks: tuple[str, ...]


def ablate(prepared: Prepared, *, progress: Callable[[int, int], None] | None = None) -> tuple[Ablation, ...]:
    """Return the ablation of each criterion of a library.

    Parameters
    ----------
    prepared : Prepared
        What `prepare` made of the library; its settings name encoders, criteria and alpha.
    progress : callable, optional
        Told how many criteria are done, of how many.
    """
    done = []
    for k, ready in enumerate(prepared.ready):
        if progress is not None:
            progress(k, len(prepared.ready))
        done.append(_of_criterion(ready, prepared))
    return tuple(done)


def ablate_company(company: Company, ready: Ready) -> tuple[Ablated, ...]:
    """Return how well each way to score tells the references of a criterion apart.

    Every reference is scored by a fit that it, and all of its specimen, was left out of. Decisions are those of
    `judged`: p-values as of a sample that all references of other specimens calibrate, the reference taking first its
    own side and then the other. Whether it is novel is judged by all encoders, whatever the variant.

    Parameters
    ----------
    company : Company
        The references, at least two of either side.
    ready : Ready
        The criterion.
    """
    known = company.known
    variants = variants_of(company)
    nets = nets_of(company, known.accepted)
    scores = [score_by(v, nets, known.accepted) for v in variants]
    areas = [area(s, known.accepted, known.specimens) for s in scores]
    decisions = _decisions(company, variants, scores, ready) if not any(ready.missing) else None
    rows = []
    for k, variant in enumerate(variants):
        apart, apart_interval = difference(areas[k], areas[0])
        right, wrong = decisions[k] if decisions else (None, None)
        rows.append(
            Ablated(
                variant=variant.name,
                parts=tuple(f"{company.views[j].encoder}, {company.views[j].modality}" for j in variant.parts),
                auroc=areas[k].value,
                auroc_interval=areas[k].interval,
                difference=apart,
                difference_interval=apart_interval if k else None,
                decided=None if right is None or wrong is None else right + wrong,
                wrong=wrong,
            )
        )
    return tuple(rows)


def _of_criterion(ready: Ready, prepared: Prepared) -> Ablation:
    references = prepared.contents.references[ready.criterion.id]
    chosen = _chosen(ready.known.accepted)
    known = ready.known.only(chosen)
    remarks = list(ready.remarks)
    rows: tuple[Ablated, ...] = ()
    if min(known.counts) < 2:
        remarks.append(
            f"There are {known.counts[0]} references to accept and {known.counts[1]} to reject; a study needs two of "
            "each."
        )
    else:
        if len(chosen) < len(references):
            remarks.append(f"Of {len(references)} references {len(chosen)} were studied, evenly chosen.")
        used = tuple(references[int(k)] for k in chosen)
        positive = tuple(
            unit(prepared.comparable(used, name)) @ unit(sides[0].astype(np.float64)).mean(axis=0)
            for name, sides in prepared.text_sides[ready.criterion.id].items()
        )
        rows = ablate_company(company_of(known, ready.views, positive), ready)
        if any(ready.missing):
            remarks.append(
                f"Nothing can be decided at alpha = {ready.alpha:g}: {ready.missing[0]} more references to accept and "
                f"{ready.missing[1]} to reject are needed."
            )
    return Ablation(
        criterion=ready.criterion.id,
        title=ready.criterion.title,
        counts=known.counts,
        specimens=len(np.unique(known.specimens)),
        alpha=ready.alpha,
        rows=rows,
        remarks=tuple(remarks),
    )


def _chosen(accepted: Bool[np.ndarray, " reference"]) -> Int[np.ndarray, " chosen"]:
    """Return which references are studied: all, or of many as many of either side."""
    if len(accepted) <= MOST_STUDIED:
        return np.arange(len(accepted))
    on, off = np.flatnonzero(accepted), np.flatnonzero(~accepted)
    fewer = min(len(on), len(off), MOST_STUDIED // 2)
    room = (max(fewer, MOST_STUDIED - len(off)), max(fewer, MOST_STUDIED - len(on)))
    parts = [
        own[np.unique(np.linspace(0, len(own) - 1, min(len(own), size)).round().astype(int))]
        for own, size in zip((on, off), room, strict=True)
    ]
    return np.sort(np.concatenate(parts))


def _decisions(
    company: Company, variants: tuple[Variant, ...], scores: list[Float[np.ndarray, " reference"]], ready: Ready
) -> list[tuple[int, int]]:
    """Return for each variant how many references would be decided rightly and wrongly."""
    known = company.known
    accepted = known.accepted
    strangeness = calibrate(known).strangeness
    tally = [[0, 0] for _ in variants]
    for row in range(len(accepted)):
        argued = accepted.copy()
        argued[row] = not accepted[row]
        nets = nets_of(company, argued)
        others = known.specimens != known.specimens[row]
        familiar = p_value(float(strangeness[row]), strangeness[others])
        on_of, off_of = known.specimens[others & accepted], known.specimens[others & ~accepted]
        specimens = len(np.unique(on_of)), len(np.unique(off_of))
        for k, variant in enumerate(variants):
            of_other_side = score_by(variant, nets, argued)
            p = _p_values(row, scores[k], of_other_side, accepted, others, familiar)
            own, on, off = scores[k][row], scores[k][others & accepted], scores[k][others & ~accepted]
            rejected = rejected_share(float(own), on, off, specimens=specimens)
            verdict, _ = judged(p, rejected=rejected, missing=(0, 0), alpha=ready.alpha)
            if verdict != "abstain":
                tally[k][int((verdict == "accept") != accepted[row])] += 1
    return [(right, wrong) for right, wrong in tally]


def _p_values(
    row: int,
    as_it_is: Float[np.ndarray, " reference"],
    as_argued: Float[np.ndarray, " reference"],
    accepted: Bool[np.ndarray, " reference"],
    others: Bool[np.ndarray, " reference"],
    familiar: float,
) -> PValues:
    """Return the p-values of a reference from scores in which it takes its own side, and the other."""
    if accepted[row]:
        to_accept, to_reject = as_it_is, as_argued
    else:
        to_accept, to_reject = as_argued, as_it_is
    return PValues(
        accept=p_value(-float(to_accept[row]), -to_accept[others & accepted]),
        reject=p_value(float(to_reject[row]), to_reject[others & ~accepted]),
        familiar=familiar,
    )
