"""Which images are learned from and which are held out: an image, and all that it is compared with, on one side."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from micrographia.errors import InputError


def held_out(groups: Iterable[tuple[str, ...]], *, share: float, seed: int) -> frozenset[str]:
    """Choose images to hold out.

    Parameters
    ----------
    groups : iterable of tuple of str
        Images of each record, by hash: those of one record go together.
    share : float
        Share of the images that are held out, at least; 0 for none.
    seed : int
        Seed of the choice.

    Returns
    -------
    frozenset of str
        At most half of the sets that belong together, and at least one of them where there are two.

    Raises
    ------
    InputError
        The share is not from 0 to 0.5.

    Examples
    --------
    >>> sorted(held_out([("a", "b"), ("b", "c"), ("d",), ("e",)], share=0.2, seed=0))
    ['e']
    """
    if not 0 <= share <= 0.5:
        raise InputError(f"the share to hold out is {share:g}; accepted is 0 to 0.5")
    parent: dict[str, str] = {}
    for images in groups:
        roots = [_root(parent, image) for image in images]
        for root in roots[1:]:
            parent[_root(parent, root)] = _root(parent, roots[0])
    root_of = {image: _root(parent, image) for image in parent}
    sizes = Counter(root_of.values())
    # the smallest hash of a set names it, whatever order the records came in
    names: dict[str, str] = {}
    for image, root in root_of.items():
        names[root] = min(names.get(root, image), image)
    order = sorted(sizes, key=lambda root: hashlib.sha256(f"{seed} {names[root]}".encode()).digest())
    chosen: set[str] = set()
    count = 0
    for root in order[: len(order) // 2]:
        if count >= share * len(parent):
            break
        chosen.add(root)
        count += sizes[root]
    return frozenset(image for image, root in root_of.items() if root in chosen)


def _root(parent: dict[str, str], image: str) -> str:
    """Return who stands for the set of an image, and shorten the way there."""
    parent.setdefault(image, image)
    while parent[image] != image:
        parent[image] = image = parent[parent[image]]
    return image
