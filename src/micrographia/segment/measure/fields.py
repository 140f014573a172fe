"""The fields that are measured: what is accepted, and how a single one is cut into parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from micrographia.errors import InputError

PARTS: Final = 4
ONE_FIELD: Final = (
    "One field only: the interval is from the scatter between its 16 parts. It holds where the structure is finer "
    "than a part, and says nothing about other fields."
)


def checked_fields(
    fields: Sequence[Shaped[np.ndarray, "_height _width"]], *, what: str
) -> list[Shaped[np.ndarray, "_height _width"]]:
    """Return the fields as a list, where each has pixels in rows and columns.

    Parameters
    ----------
    fields : sequence of (height, width) array
        Fields, of any sizes.
    what : str
        What they are, for the message.

    Returns
    -------
    list of (height, width) array
        The same fields.

    Raises
    ------
    InputError
        There is no field, or one is not of two axes with at least a pixel.

    Examples
    --------
    >>> len(checked_fields([np.zeros((4, 6), dtype=bool)], what="mask"))
    1
    """
    listed = list(fields)
    if not listed:
        raise InputError(f"no {what} came; accepted is a list of at least one field")
    for index, field in enumerate(listed):
        if field.ndim != 2 or field.size == 0:
            raise InputError(
                f"{what} {index} has the shape {field.shape}; accepted is a list of fields "
                "(height, width), each with at least a pixel"
            )
    return listed


def part_of_each_pixel(shape: tuple[int, int]) -> Int[np.ndarray, "_height _width"]:
    """Return which of the 4 × 4 parts of a field each pixel is in, from 0 to 15.

    Parameters
    ----------
    shape : tuple of int
        Height and width [px].

    Returns
    -------
    (height, width) array of int
        Number of the part.

    Examples
    --------
    >>> part_of_each_pixel((8, 8))[[0, 0, 7], [0, 7, 7]].tolist()
    [0, 3, 15]
    """
    rows, cols = (np.arange(n) * PARTS // n for n in shape)
    return np.asarray(rows[:, None] * PARTS + cols[None, :], dtype=np.int64)


def totals_by_part(
    amounts: Float[np.ndarray, "height width"] | Bool[np.ndarray, "height width"],
) -> Float[np.ndarray, " part"]:
    """Return the total of a map in each of the 4 × 4 parts of a field.

    Parameters
    ----------
    amounts : (height, width) array of float or bool
        What each pixel holds.

    Returns
    -------
    (16,) array of float
        One total a part.

    Examples
    --------
    >>> float(totals_by_part(np.ones((8, 8)))[0])
    4.0
    """
    parts = part_of_each_pixel((amounts.shape[0], amounts.shape[1]))
    return np.bincount(parts.ravel(), weights=amounts.ravel().astype(np.float64), minlength=PARTS**2)


def mask_of(field: Shaped[np.ndarray, "_height _width"], *, what: str) -> Bool[np.ndarray, "_height _width"]:
    """Return a mask of a single field, checked as `checked_fields` does."""
    return np.asarray(checked_fields([field], what=what)[0], dtype=bool)
