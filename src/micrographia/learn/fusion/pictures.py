"""Pictures to learn from: micrographs that were given, photographs that come with scikit-image, and made-up ones."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8

from micrographia.cues.cue import picture
from micrographia.errors import InputError, MicrographiaError, ReadError
from micrographia.instruct.engine.images import pixel_hash
from micrographia.learn.fusion.made_up import KINDS, made_up
from micrographia.read import read

MADE_UP_PX: Final = 384
_LEAST_PX: Final = 64
_PHOTOGRAPHS: Final = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel", "horse"),
    *("hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture.

    Parameters
    ----------
    frame : float or uint8 array (height, width)
        Grey values in any units.
    label : int
        Number of its class; -1: none.
    answers : tuple of str
        What a language model said about it.
    """

    frame: Float[np.ndarray, "height width"] | UInt8[np.ndarray, "height width"]
    label: int = -1
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """All pictures of a training.

    Parameters
    ----------
    given : tuple of Picture
        Micrographs and photographs; each as often as any other.
    made_up : tuple of Picture
        Those that were made up; together as often as all given ones together.
    classes : tuple of str
        Names of the classes, in the order of their numbers.
    """

    given: tuple[Picture, ...]
    made_up: tuple[Picture, ...]
    classes: tuple[str, ...] = ()

    def draw(self, count: int, rng: np.random.Generator) -> list[Picture]:
        """Return pictures at random, with repetitions."""
        kinds = [kind for kind in (self.given, self.made_up) if kind]
        return [
            kind[int(rng.integers(len(kind)))] for kind in (kinds[int(rng.integers(len(kinds)))] for _ in range(count))
        ]


def make_up(
    count: int, *, seed: int, first_label: int = 0, progress: Callable[[int, int], None] | None = None
) -> tuple[Picture, ...]:
    """Return made-up pictures, of all kinds in turn.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Of all that is random in them.
    first_label : int
        Number of the class of the first of `KINDS`; the others follow.
    progress : callable, optional
        Told how many are made, and of how many.

    Examples
    --------
    >>> [one.frame.shape for one in make_up(2, seed=0)]
    [(384, 384), (384, 384)]
    """
    found = []
    for k in range(count):
        kind = k % len(KINDS)
        frame = made_up(KINDS[kind], np.random.default_rng([seed, k]), side_px=MADE_UP_PX)
        found.append(Picture(frame=np.round(frame * 255).astype(np.uint8), label=first_label + kind))
        if progress is not None:
            progress(k + 1, count)
    return tuple(found)


def photographs() -> tuple[Picture, ...]:
    """Return the photographs that come with scikit-image, in grey."""
    import skimage.data

    found = []
    for name in _PHOTOGRAPHS:
        image = np.asarray(getattr(skimage.data, name)(), dtype=np.float32)
        found.append(Picture(frame=image if image.ndim == 2 else image[..., :3].mean(axis=2)))
    return tuple(found)


def read_pictures(
    names: Iterable[str], labels: Mapping[str, str], answers: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[tuple[Picture, ...], tuple[str, ...], list[str]]:
    """Return micrographs from files, their classes, and why others could not be read.

    Parameters
    ----------
    names : iterable of str
        Files, ``FILE::image`` where one holds several. An information bar is cut off.
    labels : mapping of str to str
        Class of files, by name; others have none.
    answers : mapping of str to tuple of str, optional
        What was said about images, as of `read_answers`.

    Raises
    ------
    InputError
        There are answers, and none of them is about any of the images.
    """
    classes = tuple(sorted(set(labels.values())))
    found, failed = [], []
    for one in names:
        try:
            frame = picture(read(one)).astype(np.float32)
            if min(frame.shape) < _LEAST_PX:
                size = f"{frame.shape[1]} x {frame.shape[0]} px"
                raise InputError(f"{one} has {size}; accepted are {_LEAST_PX} x {_LEAST_PX} px or more")
        except MicrographiaError as error:
            failed.append(str(error))
            continue
        name = labels.get(Path(one).name)
        label = -1 if name is None else classes.index(name)
        said = answers.get(pixel_hash(frame), ()) if answers else ()
        found.append(Picture(frame=frame, label=label, answers=said))
    if answers and not any(one.answers for one in found):
        raise InputError("none of the answers is about one of the images; accepted are answers about these very images")
    return tuple(found), classes, failed


def read_labels(path: Path) -> dict[str, str]:
    """Return the class of each file, from a CSV file with the columns ``file`` and ``class``.

    Raises
    ------
    ReadError
        It cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return {row["file"]: row["class"] for row in csv.DictReader(handle)}
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise ReadError(
            f"--labels {path} cannot be read ({error}); accepted is CSV with the columns file,class"
        ) from error
