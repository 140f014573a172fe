"""How far physics and network agree, site by site."""

from __future__ import annotations

import numpy as np

from micrographia.atoms.compare import LabelScore, SiteComparison
from micrographia.errors import InputError
from micrographia.findings import DefectFindings, Opinions


def opinions_of(findings: DefectFindings) -> Opinions:
    """Return both methods' opinions.

    Raises
    ------
    InputError
        The findings hold one method's answer only.
    """
    if findings.opinions is None:
        raise InputError(
            f"findings hold the answer of one method, {findings.method}; accepted are findings with opinions of both"
        )
    return findings.opinions


def agreement(labels: tuple[str, ...], opinions: Opinions) -> SiteComparison:
    """Compare the most probable labels of both methods, the same row being the same site.

    Parameters
    ----------
    labels : tuple of str
        Labels in play: the columns of both posteriors.
    opinions : Opinions
        Both posteriors.

    Returns
    -------
    SiteComparison
        Physics as A (rows of the confusion matrix) and network as B (columns), with Cohen's kappa. Its labels are
        those that either method finds most probable somewhere.

    Examples
    --------
    >>> both = Opinions(physics=np.array([[0.9, 0.1], [0.2, 0.8]]), network=np.array([[0.7, 0.3], [0.6, 0.4]]),
    ...                 label_set=np.ones((2, 2), dtype=bool), coverage=0.95, familiarity=np.array([0.4, 0.6]),
    ...                 least_familiarity=0.01, disagreements=(1,), information=())
    >>> agreement(("X2", "V_X"), both).confusion.tolist()
    [[1, 0], [1, 0]]
    """
    physics, network = opinions.physics.argmax(axis=1), opinions.network.argmax(axis=1)
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (physics, network), 1)
    occurs = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    confusion = counts[np.ix_(occurs, occurs)]
    rows = np.arange(len(physics))
    none = np.zeros(0, dtype=np.int64)
    return SiteComparison(
        tolerance_px=0.0,
        labels=tuple(labels[k] for k in occurs),
        pairs=np.stack([rows, rows], axis=1),
        distances_px=np.zeros(len(rows)),
        offset_px=(0.0, 0.0) if len(rows) else None,
        unmatched_a=none,
        unmatched_b=none,
        confusion=confusion,
        scores=tuple(
            LabelScore(
                label=labels[k],
                tested=int(confusion[i].sum()),
                reference=int(confusion[:, i].sum()),
                found=int(confusion[:, i].sum()),
                agreed=int(confusion[i, i]),
            )
            for i, k in enumerate(occurs)
        ),
    )


def agreed_fraction(comparison: SiteComparison) -> float | None:
    """Return the fraction of sites with one label from both methods; None without sites."""
    total = int(comparison.confusion.sum())
    return float(np.trace(comparison.confusion)) / total if total else None


def set_sizes(opinions: Opinions) -> tuple[int, int, int]:
    """Return the number of sites whose label set has one, several, and no labels.

    Examples
    --------
    >>> both = Opinions(physics=np.full((3, 2), 0.5), network=np.full((3, 2), 0.5),
    ...                 label_set=np.array([[True, False], [True, True], [True, True]]), coverage=0.95,
    ...                 familiarity=np.ones(3), least_familiarity=0.01, disagreements=(), information=())
    >>> set_sizes(both)
    (1, 2, 0)
    """
    sizes = opinions.label_set.sum(axis=1)
    return int((sizes == 1).sum()), int((sizes > 1).sum()), int((sizes == 0).sum())
