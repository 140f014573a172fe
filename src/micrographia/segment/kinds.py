"""What a class of a segmented image is: told by its name, else by its shape. It decides what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

import numpy as np
from jaxtyping import Bool

from micrographia.errors import InputError

Kind = Literal["phase", "objects", "powder", "grains", "cracks", "layer"]
"""What a class is: a phase (only its share counts), objects, powder with satellites, grains, cracks or a layer."""

KINDS: Final[tuple[str, ...]] = get_args(Kind)

BOUNDARIES: Final = "boundar"
SATELLITES: Final = "satellite"
"""What names of classes hold that are parts of another one."""

# The first that a name holds decides: an oxide particle is an object, a grain boundary no grain, and a powder's
# satellites no powder.
_WORDS: Final[Mapping[str, Kind]] = {
    "crack": "cracks",
    BOUNDARIES: "phase",
    SATELLITES: "objects",
    "grain": "grains",
    "powder": "powder",
    "pore": "objects",
    "void": "objects",
    "particle": "objects",
    "precipitate": "objects",
    "loop": "objects",
    "layer": "layer",
    "oxide": "layer",
    "coating": "layer",
    "tgo": "layer",
}
_MOST_SHARE_OF_OBJECTS: Final = 0.6
_LEAST_SHARE_OF_LAYER: Final = 0.5
_LEAST_ELONGATION: Final = 12.0
_WIDEST_CRACK_PX: Final = 12.0


def kind_of(masks: Sequence[Bool[np.ndarray, "_height _width"]], name: str) -> tuple[Kind, str]:
    """Tell what a class is by its name, and else by its shape.

    Parameters
    ----------
    masks : sequence of bool array (height, width)
        Where the class is, in each field.
    name : str
        What it is called.

    Returns
    -------
    kind : Kind
        What it is.
    reason : str
        How that was told.

    Examples
    --------
    >>> kind_of([np.ones((8, 8), dtype=bool)], "microcracks")
    ('cracks', 'by its name')
    """
    for word, kind in _WORDS.items():
        if word in name.lower():
            return kind, "by its name"
    filled = [m for m in masks if m.any()]
    if not filled:
        return "phase", "it is in none of the fields"
    if all(_spans(m) for m in filled):
        return "layer", "by its shape: it runs from one side of the field to the other"
    if float(np.mean([m.mean() for m in masks])) > _MOST_SHARE_OF_OBJECTS:
        return "phase", "it fills most of the field"
    if all(_thin(m) for m in filled):
        return "cracks", "by its shape: it is much longer than wide"
    return "objects", "by its shape: it lies in separate pieces"


def _spans(mask: Bool[np.ndarray, "height width"]) -> bool:
    """Whether one piece holds most of a class and reaches from one border to the other, but not to all four."""
    from skimage.measure import label

    pieces = label(mask)
    largest = pieces == np.argmax(np.bincount(pieces[mask]))
    down, along = largest[0].any() and largest[-1].any(), largest[:, 0].any() and largest[:, -1].any()
    most = largest.sum() > _LEAST_SHARE_OF_LAYER * mask.sum() and largest.mean() < _MOST_SHARE_OF_OBJECTS
    return bool(down != along and most)


def _thin(mask: Bool[np.ndarray, "height width"]) -> bool:
    """Whether pieces are, by their areas, much longer than wide, and narrow."""
    from skimage.measure import label
    from skimage.morphology import skeletonize

    lengths = np.bincount(label(mask)[skeletonize(mask)]).astype(np.float64)
    area = float(mask.sum())
    # A piece of length l and width w has the area a = l w; the mean of l / w over pieces, weighted by a, is this.
    elongation = float((lengths**2).sum()) / area
    return elongation > _LEAST_ELONGATION and area < _WIDEST_CRACK_PX * float(lengths.sum())


def check_kinds(kinds: Mapping[str, Kind], names: Sequence[str]) -> None:
    """Refuse kinds of classes that are not there, and a single class that is not named among them.

    Raises
    ------
    InputError
        As said above.
    """
    for name, kind in kinds.items():
        if name not in names:
            raise InputError(f"class {name!r} is not among {', '.join(names)}; accepted is one of them")
        if kind not in KINDS:
            raise InputError(f"class {name} is said to be {kind!r}; accepted is one of {', '.join(KINDS)}")
    if len(names) == 1 and not kinds:
        raise InputError(
            f"there is only one class, {names[0]}, and it fills every field; to measure it say what it is, e.g. "
            f"--kind '{names[0]}=phase'"
        )
