"""Images that are asked about together, directly or through others: what a split must not tear apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from micrographia.instruct.tasks.words import rank


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Disjoint groups of images, joined one record after the other.

    Examples
    --------
    >>> groups = Groups()
    >>> for images in (("a", "b"), ("c",), ("b", "d")):
    ...     groups.join(images)
    >>> groups.of("a") == groups.of("d"), groups.of("a") == groups.of("c")
    (True, False)
    """

    parents: dict[int, int] = field(default_factory=dict)

    def join(self, images: Sequence[str]) -> None:
        """Put images into one group, and all that are in a group with one of them."""
        roots = sorted({self.root(rank(image)) for image in images})
        for root in roots[1:]:
            self.parents[root] = roots[0]

    def of(self, image: str) -> int:
        """Return the number of an image's group, which is final once all records were seen."""
        return self.root(rank(image))

    def root(self, number: int) -> int:
        """Return the number of the group of an image that is given as its own number."""
        path = []
        while (parent := self.parents.setdefault(number, number)) != number:
            path.append(number)
            number = parent
        for passed in path:
            self.parents[passed] = number
        return number
