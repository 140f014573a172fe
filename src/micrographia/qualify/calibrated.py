"""p-values of a sample: against all references at once, or, where there are many, against some that were held back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.qualify.conformal import p_value
from micrographia.qualify.evidence import Known, Seen
from micrographia.qualify.scoring import Frozen, freeze, score_together
from micrographia.qualify.similarity.patches import joined
from micrographia.qualify.similarity.shrunken import together

MOST_TOGETHER: Final = 400
"""References of a criterion up to which each takes part in the fit and in the calibration."""

MOST_FITTED: Final = 1000
"""References of a side that a score is fitted to, where others are held back for the calibration."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibrated:
    """A criterion made ready: the score, and the references that calibrate it.

    Parameters
    ----------
    known : Known
        All references.
    frozen : Frozen
        The score.
    held_back : Known, optional
        References that the score was not fitted to; None where all take part in the fit and in the calibration.
    accepted_scores, rejected_scores : float array (reference,)
        Scores of the references that calibrate, none by a fit that it is part of.
    strangeness : float array (reference,)
        Of the same references: 1 less the cosine to the nearest reference that was fitted to, itself left out.
    """

    known: Known
    frozen: Frozen
    held_back: Known | None
    accepted_scores: Float[np.ndarray, " positive"]
    rejected_scores: Float[np.ndarray, " negative"]
    strangeness: Float[np.ndarray, " reference"]

    @property
    def specimens(self) -> tuple[int, int]:
        """How many specimens the accepted and the rejected references that calibrate are of."""
        known = self.held_back or self.known
        return len(np.unique(known.specimens[known.accepted])), len(np.unique(known.specimens[~known.accepted]))


@dataclass(frozen=True, kw_only=True)
class PValues:
    """Conformal p-values of a sample.

    Parameters
    ----------
    accept, reject : float
        Of "the sample is acceptable", and of "it is to be rejected".
    familiar : float
        Of "the sample is of the kind of the references, on whichever side".
    """

    accept: float
    reject: float
    familiar: float


def calibrate(known: Known) -> Calibrated:
    """Fit a score to the references of a criterion and say how ordinary each of them is.

    Up to 400 references each takes part in both. From there on half of them, whole specimens chosen by a hash of their
    ids and about 1,000 a side at most, are fitted to, and the rest calibrates.

    Parameters
    ----------
    known : Known
        References of both sides.
    """
    if len(known.ids) <= MOST_TOGETHER:
        frozen = freeze(known)
        score = frozen.scored.score
        cosines = [together(v).cosine for v in known.images]
        return Calibrated(
            known=known,
            frozen=frozen,
            held_back=None,
            accepted_scores=score[known.accepted],
            rejected_scores=score[~known.accepted],
            strangeness=_strangeness(cosines, known.specimens),
        )
    fitted, held_back = _halves(known)
    frozen = freeze(fitted)
    score = frozen.score(Seen(images=held_back.images, nets=held_back.nets))
    return Calibrated(
        known=fitted,
        frozen=frozen,
        held_back=held_back,
        accepted_scores=score[held_back.accepted],
        rejected_scores=score[~held_back.accepted],
        strangeness=_strangeness_to(fitted, held_back.images),
    )


def p_values(sample: Seen, calibrated: Calibrated) -> PValues:
    """Return the p-values of one sample.

    Against all references at once, the sample joins them and takes first one side, then the other; the fit, the
    normalisation and the weights are those of that company, and every member is scored by a fit that leaves it out
    (full conformal prediction). So the p-value holds exactly for any sample that is exchangeable with the references,
    if each counts by itself. Where specimens are known, references of a specimen are left out together, so that they
    are scored as a specimen never seen; that is stricter, and no longer exact.

    Parameters
    ----------
    sample : Seen
        One sample.
    calibrated : Calibrated
        The criterion.
    """
    if calibrated.held_back is not None:
        score = float(calibrated.frozen.score(sample)[0])
        strange = float(_strangeness_to(calibrated.known, sample.images)[0])
        return PValues(
            accept=p_value(-score, -calibrated.accepted_scores),
            reject=p_value(score, calibrated.rejected_scores),
            familiar=p_value(strange, calibrated.strangeness),
        )
    known = calibrated.known
    company = Known(
        ids=(*known.ids, "sample"),
        accepted=np.append(known.accepted, True),
        specimens=np.append(known.specimens, known.specimens.max() + 1),
        images=tuple(np.vstack([v, s]) for v, s in zip(known.images, sample.images, strict=True)),
        nets=tuple(np.append(n, s) for n, s in zip(known.nets, sample.nets, strict=True)),
        banks=tuple(joined(bank, s[0]) for bank, s in zip(known.banks, sample.patches, strict=True)),
    )
    side_by_side = tuple(together(v) for v in company.images)
    p = {}
    for side in (True, False):
        argued = replace(company, accepted=np.append(known.accepted, side))
        unlike = score_together(argued, side_by_side).score * (-1 if side else 1)
        p[side] = p_value(float(unlike[-1]), unlike[:-1][known.accepted == side])
    strange_to = _strangeness([t.cosine for t in side_by_side], company.specimens)
    return PValues(accept=p[True], reject=p[False], familiar=p_value(float(strange_to[-1]), strange_to[:-1]))


def _strangeness(cosines: list[Float[np.ndarray, "image image"]], specimens: np.ndarray) -> Float[np.ndarray, " image"]:
    """Return 1 less the cosine to the nearest image of another specimen, the mean over the views by images."""
    own = specimens[:, None] == specimens[None, :]
    nearest = np.stack([np.where(own, -1.0, c).max(axis=1) for c in cosines])
    strangeness: Float[np.ndarray, " image"] = 1 - nearest.mean(axis=0)
    return strangeness


def _strangeness_to(
    fitted: Known, images: tuple[Float[np.ndarray, "sample _dimension"], ...]
) -> Float[np.ndarray, " sample"]:
    """Return 1 less the cosine to the nearest fitted reference, the mean over the views by images."""
    nearest = [own.cosines(vectors).max(axis=1) for own, vectors in zip(fitted.neighbours, images, strict=True)]
    strangeness: Float[np.ndarray, " sample"] = 1 - np.stack(nearest).mean(axis=0)
    return strangeness


def _halves(known: Known) -> tuple[Known, Known]:
    """Return the references to fit to and those held back: whole specimens, by a hash of their ids."""
    names, specimen = np.unique(known.specimens, return_inverse=True)
    first = [known.ids[int(np.flatnonzero(specimen == s)[0])] for s in range(len(names))]
    # References of each specimen by side: (side, specimen)
    counts = np.stack([np.bincount(specimen[known.accepted == side], minlength=len(names)) for side in (True, False)])
    half = np.minimum(counts.sum(axis=1) / 2, MOST_FITTED)
    chosen = np.zeros(len(names), dtype=bool)
    for s in sorted(range(len(names)), key=lambda s: hashlib.sha256(first[s].encode()).hexdigest()):
        so_far, own = counts[:, chosen].sum(axis=1), counts[:, s]
        # It comes to a side that has none yet, or that it brings nearer to the half.
        chosen[s] = bool(((own > 0) & ((so_far == 0) | (so_far + own / 2 < half))).any())
    return known.only(np.flatnonzero(chosen[specimen])), known.only(np.flatnonzero(~chosen[specimen]))
