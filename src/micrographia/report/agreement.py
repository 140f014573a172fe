"""How far physics and network agree, site by site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from micrographia.atoms.compare import cohen_kappa
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


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The most probable labels of both methods against each other.

    Parameters
    ----------
    labels : tuple of str
        Labels that either method finds most probable somewhere.
    confusion : int array (label, label)
        Number of sites with physics' label in the row and the network's in the column.
    """

    labels: tuple[str, ...]
    confusion: Int[np.ndarray, "label label"]

    @property
    def fraction(self) -> float | None:
        """Fraction of sites with one label from both methods; None without sites."""
        total = int(self.confusion.sum())
        return float(np.trace(self.confusion)) / total if total else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa; None where chance explains all."""
        return cohen_kappa(self.confusion)


def agreement(labels: tuple[str, ...], opinions: Opinions) -> Agreement:
    """Compare the most probable labels of both methods, the same row being the same site.

    Parameters
    ----------
    labels : tuple of str
        Labels in play: the columns of both posteriors.
    opinions : Opinions
        Both posteriors.

    Examples
    --------
    >>> both = Opinions(physics=np.array([[0.9, 0.1], [0.2, 0.8]]), network=np.array([[0.7, 0.3], [0.6, 0.4]]),
    ...                 label_set=np.ones((2, 2), dtype=bool), coverage=0.95, familiarity=np.array([0.4, 0.6]),
    ...                 least_familiarity=0.01, disagreements=(1,), information=())
    >>> agreement(("X2", "V_X"), both).confusion.tolist()
    [[1, 0], [1, 0]]
    """
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (opinions.physics.argmax(axis=1), opinions.network.argmax(axis=1)), 1)
    occurs = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    return Agreement(labels=tuple(labels[k] for k in occurs), confusion=counts[np.ix_(occurs, occurs)])


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
