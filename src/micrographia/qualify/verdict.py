"""The verdict on one criterion: accept, reject, or abstain and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from micrographia.findings import Decision, Nearest, Part, Reason, Verdict, WhereEvidence
from micrographia.qualify.calibrated import Calibrated, PValues, p_values
from micrographia.qualify.conformal import references_needed
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.doubt import rejected_share
from micrographia.qualify.evidence import Known, Seen, View
from micrographia.qualify.similarity.patches import least_familiar
from micrographia.qualify.similarity.retrieval import nearest_references


@dataclass(frozen=True, kw_only=True, eq=False)
class Ready:
    """A criterion with all that its verdicts rest on.

    Parameters
    ----------
    criterion : Criterion
        In the expert's words.
    views : tuple of View
        The parts of its score: by images, by patches, by texts.
    known : Known
        Its references.
    calibrated : Calibrated, optional
        The score; None where references of one side are missing.
    alpha : float
        Share of decisions that may be wrong.
    remarks : tuple of str
        What a reader must know.
    """

    criterion: Criterion
    views: tuple[View, ...]
    known: Known
    calibrated: Calibrated | None
    alpha: float
    remarks: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[int, int]:
        """How many more references of either side a decision needs."""
        held = self.calibrated.held_back if self.calibrated else None
        counts = (held or self.known).counts
        needed = references_needed(self.alpha)
        return max(0, needed - counts[0]), max(0, needed - counts[1])


def decide(sample: Seen, ready: Ready, *, where: WhereEvidence | None = None) -> Verdict:
    """Return the verdict on one criterion.

    Accept where the sample is too unlike what was rejected to be one of it, and not too unlike what was accepted;
    reject likewise. Of such decisions more than alpha may be wrong where few samples are decided, so the share of
    samples with this score that are of the other side must be at most alpha too. Otherwise abstain: *novel* where it is
    unlike both, or unlike all references; *ambiguous* where it could be either; *insufficient references* where no
    p-value can be small enough.

    Parameters
    ----------
    sample : Seen
        One sample, by the criterion's views.
    ready : Ready
        The criterion.
    where : WhereEvidence, optional
        Map of the evidence.
    """
    if ready.calibrated is None:
        return _verdict(ready, Numbers(), (), (), "abstain", "insufficient references", where)
    calibrated = ready.calibrated
    frozen = calibrated.frozen
    nets = frozen.nets(sample)
    z = frozen.z(nets)[0]
    parts = tuple(
        Part(encoder=v.encoder, modality=v.modality, net=float(n), z=float(s), weight=float(w))
        for v, n, s, w in zip(ready.views, nets[0], z, frozen.scored.weights, strict=True)
    )
    names = tuple(v.encoder for v in ready.views if v.modality == "image")
    nearest = nearest_references(sample, ready.known, names)
    p = p_values(sample, calibrated)
    score = float(z @ frozen.scored.weights)
    rejected = None
    if len(calibrated.known.ids) > 2:
        on, off = calibrated.accepted_scores, calibrated.rejected_scores
        rejected = rejected_share(score, on, off, specimens=calibrated.specimens)
    unlike = None
    if sample.patches:
        known = calibrated.known
        unlike = least_familiar(known.banks[0], known.accepted, sample.patches[0][0])
    verdict, reason = judged(p, rejected=rejected, missing=ready.missing, alpha=ready.alpha)
    numbers = Numbers(p=p, rejected=rejected, unlike=unlike)
    return _verdict(ready, numbers, parts, nearest, verdict, reason, where)


def judged(p: PValues, *, rejected: float | None, missing: tuple[int, int], alpha: float) -> tuple[Decision, Reason]:
    """Return the verdict that p-values and the share of rejected among samples of this score lead to, and the reason.

    Parameters
    ----------
    p : PValues
        Of the sample.
    rejected : float, optional
        See `rejected_share`; None where the references are too few to tell.
    missing : (int, int)
        References to accept and to reject that are missing.
    alpha : float
        Share of decisions that may be wrong.

    Examples
    --------
    >>> p = PValues(accept=0.6, reject=0.04, familiar=0.5)
    >>> judged(p, rejected=0.02, missing=(0, 0), alpha=0.05), judged(p, rejected=0.08, missing=(0, 0), alpha=0.05)
    (('accept', 'decided'), ('abstain', 'ambiguous'))
    """
    if any(missing) or rejected is None:
        return "abstain", "insufficient references"
    if p.familiar <= alpha or (p.accept <= alpha and p.reject <= alpha):
        return "abstain", "novel"
    if p.reject <= alpha and rejected <= alpha:
        return "accept", "decided"
    if p.accept <= alpha and rejected >= 1 - alpha:
        return "reject", "decided"
    return "abstain", "ambiguous"


def make_ready(
    criterion: Criterion, views: tuple[View, ...], known: Known, *, calibrated: Calibrated | None, alpha: float
) -> Ready:
    """Return a criterion ready for samples, with what a reader must know."""
    remarks = []
    if calibrated is not None:
        apart = len(np.unique(known.specimens))
        if apart < len(known.ids):
            remarks.append(
                f"References are of {apart} specimens, of which one at a time was left out: p-values are meant for a "
                "sample of a new specimen, and hold as far as these specimens stand for it."
            )
    return Ready(
        criterion=criterion,
        views=views,
        known=known,
        calibrated=calibrated,
        alpha=alpha,
        remarks=tuple(remarks),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """What a verdict's numbers are; see `micrographia.findings.Verdict`."""

    p: PValues | None = None
    rejected: float | None = None
    unlike: Bool[np.ndarray, "row col"] | None = None


def _verdict(
    ready: Ready,
    numbers: Numbers,
    parts: tuple[Part, ...],
    nearest: tuple[Nearest, ...],
    verdict: Decision,
    reason: Reason,
    where: WhereEvidence | None,
) -> Verdict:
    p, rejected = numbers.p, numbers.rejected
    return Verdict(
        criterion=ready.criterion.id,
        title=ready.criterion.title,
        verdict=verdict,
        reason=reason,
        explanation=_explanation(ready, p, rejected, verdict, reason),
        score=sum(part.weight * (part.z or 0.0) for part in parts) if parts else None,
        p_accept=p.accept if p else None,
        p_reject=p.reject if p else None,
        p_familiar=p.familiar if p else None,
        rejected_share=rejected,
        missing=ready.missing,
        counts=ready.known.counts,
        parts=parts,
        references=nearest,
        where=where,
        unlike=numbers.unlike,
        remarks=ready.remarks,
    )


def _explanation(ready: Ready, p: PValues | None, rejected: float | None, verdict: Decision, reason: Reason) -> str:
    """Return the verdict in a sentence, with the numbers that it rests on."""
    alpha = ready.alpha
    if p is None or rejected is None or reason == "insufficient references":
        sides = [f"{n} more to {side}" for n, side in zip(ready.missing, ("accept", "reject"), strict=True) if n]
        return f"Too few references for at most {alpha:.0%} of decisions to be wrong: {' and '.join(sides)} are needed."
    if verdict == "accept":
        return (
            f"Of what was rejected, {_share(p.reject)} is as acceptable as this (p = {p.reject:.3f}); of samples with "
            f"this score {_percent(rejected)} would be rejected."
        )
    if verdict == "reject":
        return (
            f"Of what was accepted, {_share(p.accept)} is as little acceptable as this (p = {p.accept:.3f}); of "
            f"samples with this score {_percent(1 - rejected)} would be accepted."
        )
    if reason == "novel":
        if p.familiar <= alpha:
            return f"Unlike all references (p = {p.familiar:.3f}): an expert should see it."
        return f"Unlike what was accepted (p = {p.accept:.3f}) and what was rejected (p = {p.reject:.3f})."
    if min(p.accept, p.reject) <= alpha:
        side, share = ("rejected", rejected) if p.reject <= p.accept else ("accepted", 1 - rejected)
        return (
            f"The references are not far enough apart: of samples with this score {_percent(share)} would be {side}, "
            f"where at most {alpha:.0%} of decisions may be wrong."
        )
    return f"It could be either: p = {p.accept:.3f} for accept and p = {p.reject:.3f} for reject, both above {alpha:g}."


def _share(p: float) -> str:
    return f"at most {p:.0%}" if p >= 0.01 else "less than 1 %"


def _percent(share: float) -> str:
    return f"about {share:.0%}" if share >= 0.01 else "less than 1 %"
