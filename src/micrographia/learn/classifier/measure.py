"""What cross-validation says of a classifier: shares told right, with intervals that count specimens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Int
from scipy.stats import beta

from micrographia.qualify.classify.record import ClassRecord, Measured, Share

_TAIL: Final = 0.025


def measured(
    said: Int[np.ndarray, " image"],
    labels: Int[np.ndarray, " image"],
    specimens: Sequence[str],
    *,
    classes: Sequence[str],
    loss_nats: float,
    folds: int,
) -> Measured:
    """Return what a cross-validation measured.

    Parameters
    ----------
    said : int array (image,)
        Most probable class of each image.
    labels : int array (image,)
        The truth.
    specimens : sequence of str
        Specimen of each image.
    classes : sequence of str
        Names of the classes, each with at least one image.
    loss_nats : float
        See `Measured`.
    folds : int
        Parts of the cross-validation.
    """
    names = np.asarray(specimens)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (labels, said), 1)
    records = []
    for k, name in enumerate(classes):
        of = labels == k
        units = len(np.unique(names[of]))
        recall = share_of(float(np.mean(said[of] == k)), units=units)
        records.append(ClassRecord(name=name, images=int(of.sum()), specimens=units, recall=recall))
    return Measured(
        accuracy=share_of(float(np.mean(said == labels)), units=len(np.unique(names))),
        balanced_accuracy=mean_of_shares([record.recall for record in records]),
        classes=tuple(records),
        confusion=tuple(tuple(int(v) for v in row) for row in confusion),
        loss_nats=loss_nats,
        folds=folds,
    )


def share_of(value: float, *, units: int) -> Share:
    """Return a share with its 95 % interval by Clopper and Pearson.

    Parameters
    ----------
    value : float
        The share, from 0 to 1.
    units : int
        How many were independent. Images of one specimen may all be right or wrong together, so specimens are counted:
        the interval is too wide where they are not.

    Notes
    -----
    Clopper, Pearson (1934), 10.1093/biomet/26.4.404, with quantiles of the beta distribution, which take shares that no
    whole number of units gives.

    Examples
    --------
    >>> share_of(1.0, units=10)  # low is 0.025 ** (1 / 10)
    Share(value=1.0, low=0.6915..., high=1.0)
    """
    right = value * units
    return Share(
        value=value,
        low=0.0 if right <= 0 else float(beta.ppf(_TAIL, right, units - right + 1)),
        high=1.0 if right >= units else float(beta.ppf(1 - _TAIL, right + 1, units - right)),
    )


def mean_of_shares(shares: Sequence[Share]) -> Share:
    r"""Return the mean of independent shares with its 95 % interval.

    .. math:: \bar p - \tfrac1K \sqrt{\textstyle\sum (p_k - l_k)^2}, \qquad
              \bar p + \tfrac1K \sqrt{\textstyle\sum (u_k - p_k)^2}

    Notes
    -----
    Zou, Donner (2008), 10.1002/sim.3095: variances are recovered from the ends of the intervals of the parts.

    Examples
    --------
    >>> mean_of_shares([Share(value=0.8, low=0.5, high=0.9), Share(value=0.6, low=0.2, high=0.9)])
    Share(value=0.7, low=0.4..., high=0.858...)
    """
    values, low, high = (np.array([getattr(s, name) for s in shares]) for name in ("value", "low", "high"))
    mean, count = float(values.mean()), len(shares)
    return Share(
        value=mean,
        low=max(0.0, mean - float(np.sqrt(np.sum((values - low) ** 2))) / count),
        high=min(1.0, mean + float(np.sqrt(np.sum((high - values) ** 2))) / count),
    )
