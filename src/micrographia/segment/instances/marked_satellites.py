"""Satellites as a mask marks them: on the face of a particle too, where an outline shows nothing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int32

from micrographia.errors import InputError
from micrographia.segment.instances.contacts import contact_lengths
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.separate import ObjectSettings, separate_objects


def mark_satellites(
    instances: Instances, marked: Bool[np.ndarray, "height width"], *, settings: ObjectSettings | None = None
) -> Instances:
    """Return the objects with the satellites that a mask marks on them, and with the parent of each.

    A network, or a person, tells satellites by their shading, and so those on the face of a particle too. The parent is
    the particle that a satellite covers most of, else the one with which its contact is longest. One that sits
    on nothing larger than itself is a particle.

    Parameters
    ----------
    instances : Instances
        Particles together with what sits on them. One that is marked to more than half is taken for a satellite that
        was cut off its particle.
    marked : bool array (height, width)
        Where satellites are. Marks outside all objects are left out.
    settings : ObjectSettings, optional
        How satellites that touch each other are told apart, and the least area of one.

    Returns
    -------
    Instances
        Particles first, in their order, then satellites. Satellites take the class and score of their parent, and
        their pixels.

    Raises
    ------
    InputError
        The mask has another shape than the labels.

    Examples
    --------
    A small disk on the face of a large one:

    >>> from micrographia.segment.instances.separate import separate_objects
    >>> y, x = np.mgrid[:80, :80]
    >>> found = separate_objects(np.hypot(y - 40, x - 40) < 30)
    >>> mark_satellites(found, np.hypot(y - 30, x - 40) < 6).parents
    (None, 1)
    """
    labels = instances.labels
    if marked.shape != labels.shape:
        raise InputError(f"the mask of satellites is {marked.shape}, the labels {labels.shape}; give one frame's")
    areas = np.append(0, instances.areas_px2)
    bare = np.bincount(labels[~marked], minlength=len(areas))
    cut_off = 2 * bare < areas
    cut_off[0] = bare[0] = False
    patches = separate_objects((marked & (labels > 0)) | cut_off[labels], settings=settings).labels
    largest = np.where(cut_off, 0, bare)
    parents = _carriers(patches, labels, largest)

    # Particles are numbered anew without those that were cut off; patches without a parent go with them.
    order = [int(k) for k in np.flatnonzero(~cut_off)[1:]]
    alone = [k for k, parent in enumerate(parents, start=1) if parent is None]
    sitting = [k for k, parent in enumerate(parents, start=1) if parent is not None]
    place = np.zeros(len(areas), dtype=np.int32)
    place[order] = np.arange(1, len(order) + 1)
    patch_place = np.zeros(len(parents) + 1, dtype=np.int32)
    patch_place[alone + sitting] = len(order) + np.arange(1, len(parents) + 1)
    seats = [int(parent) for parent in parents if parent is not None]
    under = [int(np.bincount(labels[patches == k]).argmax()) for k in alone]
    rows = [k - 1 for k in order + under + seats]
    return Instances(
        labels=np.where(patches > 0, patch_place[patches], place[labels]).astype(np.int32),
        names=tuple(instances.names[k] for k in rows),
        parents=(None,) * (len(order) + len(alone)) + tuple(int(place[parent]) for parent in seats),
        scores=None if instances.scores is None else tuple(instances.scores[k] for k in rows),
    )


def with_satellites(instances: Instances) -> Int32[np.ndarray, "height width"]:
    """Return labels on which each satellite belongs to its particle, as particles are outlined by hand.

    Labels of satellites are left out: after `mark_satellites`, which puts them last, those of particles are 1 to n.

    Examples
    --------
    >>> labels = np.array([[1, 1, 2, 3]], dtype=np.int32)
    >>> with_satellites(Instances(labels=labels, names=("powder",) * 3, parents=(None, None, 2)))
    array([[1, 1, 2, 2]], dtype=int32)
    """
    parents = [label if parent is None else parent for label, parent in enumerate(instances.parents, start=1)]
    whole: Int32[np.ndarray, "height width"] = np.array([0, *parents], dtype=np.int32)[instances.labels]
    return whole


def _carriers(
    patches: Int32[np.ndarray, "height width"], labels: Int32[np.ndarray, "height width"], largest: np.ndarray
) -> list[int | None]:
    """Return the label that each patch sits on; `largest` is the area of a patch that a label can carry [px²]."""
    sizes = np.bincount(patches.ravel())
    around = np.where(patches > 0, len(largest) - 1 + patches, np.where(largest[labels] > 0, labels, 0))
    contacts: dict[int, dict[int, float]] = {}
    for (first, second), length in contact_lengths(around).items():
        if first < len(largest) <= second:
            contacts.setdefault(second - len(largest) + 1, {})[first] = length
    covered: dict[int, dict[int, float]] = {}
    pairs, counts = np.unique(np.stack([patches, labels])[:, patches > 0], axis=1, return_counts=True)
    for patch, label, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        covered.setdefault(patch, {})[label] = count
    carriers: list[int | None] = []
    for patch in range(1, len(sizes)):
        carrier = None
        for near in (covered.get(patch, {}), contacts.get(patch, {})):
            fit = [label for label in near if largest[label] > sizes[patch]]
            if carrier is None and fit:
                carrier = max(fit, key=lambda label: (near[label], -label))
        carriers.append(carrier)
    return carriers
