"""Which pixels are neighbours, where objects touch, and along which length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Bool, Int32

EIGHT: Final = np.ones((3, 3), dtype=bool)
"""Pixels that meet at a corner are neighbours."""

View = tuple[slice, slice]


def neighbours() -> Iterator[tuple[View, View]]:
    """Yield pairs of views of an image that lay each pixel over one of its neighbours."""
    all_, fore, aft = slice(None), slice(None, -1), slice(1, None)
    yield (all_, fore), (all_, aft)
    yield (fore, all_), (aft, all_)
    yield (fore, fore), (aft, aft)
    yield (fore, aft), (aft, fore)


def meetings(
    labels: Int32[np.ndarray, "height width"],
) -> Iterator[tuple[View, View, Bool[np.ndarray, "_height _width"]]]:
    """Yield the pairs of views of `neighbours`, each with where two objects meet in it."""
    for here, there in neighbours():
        a, b = labels[here], labels[there]
        yield here, there, (a != b) & (a > 0) & (b > 0)


def contact_lengths(labels: Int32[np.ndarray, "height width"]) -> dict[tuple[int, int], float]:
    """Return how long the contact of each two touching objects is [px]: the span of the pixels that meet there.

    Examples
    --------
    >>> contact_lengths(np.array([[1, 1, 1], [0, 2, 2]], dtype=np.int32))
    {(1, 2): 3.0}
    """
    spans: dict[tuple[int, int], list[int]] = {}
    rows, cols = np.mgrid[: labels.shape[0], : labels.shape[1]]
    for here, there, meet in meetings(labels):
        a, b = labels[here][meet], labels[there][meet]
        for low, high, y, x in zip(
            np.minimum(a, b).tolist(),
            np.maximum(a, b).tolist(),
            rows[here][meet].tolist(),
            cols[here][meet].tolist(),
            strict=True,
        ):
            span = spans.setdefault((low, high), [y, y, x, x])
            span[0], span[1] = min(span[0], y), max(span[1], y)
            span[2], span[3] = min(span[2], x), max(span[3], x)
    return {pair: math.hypot(y1 - y0, x1 - x0) + 1 for pair, (y0, y1, x0, x1) in spans.items()}
