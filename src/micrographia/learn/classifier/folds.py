"""Cross-validation by specimen: every class in every training part, no specimen on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from micrographia.errors import InputError

LEAST_SPECIMENS = 2
"""Specimens of each class that cross-validation takes: one to learn from while another is told."""


def folds_of(
    labels: Int[np.ndarray, " image"],
    specimens: Sequence[str],
    *,
    classes: Sequence[str],
    folds: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " image"]:
    """Return the fold of each image; images of a specimen are in one, and every class is in two folds or more.

    Specimens are dealt out in turn, those of the rarest classes and the largest first, each into the fold that has the
    least of what it brings.

    Parameters
    ----------
    labels : int array (image,)
        Number of the class of each image.
    specimens : sequence of str
        Specimen of each image.
    classes : sequence of str
        Names of the classes, for messages.
    folds : int
        How many folds, at most; there are no more than specimens.
    rng : numpy.random.Generator
        Decides among equals.

    Returns
    -------
    int array (image,)
        Numbers from 0.

    Raises
    ------
    InputError
        A class has one specimen only, or its specimens cannot be told from each other's.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 1, 1])
    >>> found = folds_of(labels, list("aabcd"), classes=("p", "q"), folds=2, rng=np.random.default_rng(0))
    >>> bool(found[0] == found[1]), sorted(found[3:].tolist())
    (True, [0, 1])
    """
    names, member = np.unique(np.asarray(specimens), return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (member, labels), 1)
    _check(counts, classes)
    total = counts.sum(axis=0)
    folds = min(folds, len(names))
    # Of the rarest class that a specimen shows, how many specimens show it.
    shown_by = (counts > 0).sum(axis=0)
    rarest = np.where(counts > 0, shown_by, len(names) + 1).min(axis=1)
    order = np.lexsort((rng.random(len(names)), -counts.sum(axis=1), rarest))
    held = np.zeros((folds, len(classes)))
    chosen = np.empty(len(names), dtype=np.int64)
    for specimen in order:
        weight = counts[specimen] / total
        fullness = (held / total) @ weight
        # Rounding apart, equally full folds are told by all that they hold.
        best = np.lexsort((held.sum(axis=1), np.round(fullness, 12)))[0]
        held[best] += counts[specimen]
        chosen[specimen] = best
    if alone := [name for name, column in zip(classes, (held > 0).sum(axis=0), strict=True) if column < 2]:
        raise InputError(
            f"class {alone[0]} cannot be divided so that some of it is learned from while the rest is told, as its "
            "specimens are those of other classes too; add specimens of it"
        )
    return chosen[member]


def _check(counts: np.ndarray, classes: Sequence[str]) -> None:
    """Refuse classes that cannot be divided."""
    for k, name in enumerate(classes):
        images, specimens = int(counts[:, k].sum()), int((counts[:, k] > 0).sum())
        if specimens < LEAST_SPECIMENS:
            of = "image" if images == 1 else "images"
            came = f"{images} {of}" + (" of one specimen" if images > 1 else "")
            raise InputError(
                f"class {name} has {came}, which cannot be cross-validated; {LEAST_SPECIMENS} images of different "
                "specimens are needed in every class, and ten or more make the figures worth reading"
            )
