"""Grain size: the number G of ASTM E112, and what both ways to find it share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Integer
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import expand_labels

from micrographia.segment.measure.fields import ONE_FIELD
from micrographia.segment.measure.intervals import Ratio
from micrographia.segment.measure.measurement import Measurement

NO_PIXEL_SIZE: Final = "The pixel size is unknown, and the grain size number is defined by millimetres."
_FEWEST_GRAINS: Final = 50


def grain_number_by_count(per_mm2: float) -> float:
    r"""Return the grain size number of a number of grains per area.

    .. math:: G = 3.321928 \log_{10} N_A - 2.954

    Parameters
    ----------
    per_mm2 : float
        Grains per area [1/mm²], positive.

    Returns
    -------
    float
        Grain size number G.

    Notes
    -----
    ASTM E112, planimetric procedure.

    Examples
    --------
    >>> round(grain_number_by_count(1984.0), 2)
    8.0
    """
    return 3.321928 * math.log10(per_mm2) - 2.954


def grain_number_by_intercept(length_mm: float) -> float:
    r"""Return the grain size number of a mean lineal intercept.

    .. math:: G = -6.643856 \log_{10} \bar\ell - 3.288

    Parameters
    ----------
    length_mm : float
        Mean lineal intercept [mm], positive.

    Returns
    -------
    float
        Grain size number G.

    Notes
    -----
    ASTM E112, intercept procedure.

    Examples
    --------
    >>> round(grain_number_by_intercept(0.0200), 2)
    8.0
    """
    return -6.643856 * math.log10(length_mm) - 3.288


def grown_over_boundaries(
    grains: Integer[np.ndarray, "height width"], *, widest_px: float
) -> Integer[np.ndarray, "height width"]:
    """Let grains grow over the boundaries between them, from both sides until they meet.

    Parameters
    ----------
    grains : (height, width) array of int
        Number of the grain, 0 on boundaries and where there is no grain.
    widest_px : float
        Greatest thickness of a boundary [px]. Areas without a grain that are wider by half as much again stay as they
        are.

    Returns
    -------
    (height, width) array of int
        Number of the grain, 0 only where there is none.

    Examples
    --------
    >>> rows = np.tile([1, 1, 0, 2, 2, 0, 0, 0, 0, 0], (9, 1))
    >>> grown_over_boundaries(rows, widest_px=1)[4]
    array([1, 1, 1, 2, 2, 0, 0, 0, 0, 0])
    """
    bare = grains == 0
    if not bare.any() or bare.all():
        return grains
    # Where boundaries meet at right angles there is room for a circle wider by the root of two.
    reach = math.sqrt(2) * (widest_px + 1) / 2
    # Beyond the border nothing is known; as grains there, a boundary that it cuts stays narrow.
    core = np.asarray(distance_transform_edt(np.pad(bare, 1)))[1:-1, 1:-1] > reach
    # Opening by a disc: what a boundary is too narrow to hold.
    wide = bare & (np.asarray(distance_transform_edt(~core)) <= reach) if core.any() else np.zeros_like(bare)
    return np.where(wide, 0, expand_labels(grains, distance=reach)).astype(grains.dtype)


def ends_of(found: Ratio, turn: Callable[[float], float]) -> tuple[float, float | None, float | None]:
    """Return value, low and high of a quantity that rises or falls with a positive ratio.

    The interval is None where the ratio may be zero, for then the quantity may be anything.
    """
    if found.low is None or found.high is None or found.low <= 0:
        return turn(found.value), None, None
    low, high = sorted((turn(found.low), turn(found.high)))
    return turn(found.value), low, high


def note_on(found: Ratio, *, fields: int, grains: int) -> str:
    """Return what to know before relying on a grain size."""
    notes = []
    if grains < _FEWEST_GRAINS:
        notes.append(f"Only {grains} grains are seen; ASTM E112 asks for at least {_FEWEST_GRAINS} in a field.")
    if found.low is None:
        notes.append("No interval: there is no scatter between units to judge by.")
    elif found.low <= 0:
        notes.append("No interval: too few grains in too few units.")
    elif fields == 1:
        notes.append(ONE_FIELD)
    return " ".join(notes)


def reported(
    name: str,
    *,
    of: str,
    unit: str,
    ends: tuple[float, float | None, float | None] | None,
    count: int,
    counted: str,
    method: str,
    note: str,
) -> Measurement:
    """Return a grain size as a measurement by ASTM E112, without a value where ``ends`` is None."""
    value, low, high = ends or (None, None, None)
    return Measurement(
        name=name,
        of=of,
        value=value,
        unit=unit,
        low=low,
        high=high,
        count=count,
        counted=counted,
        method=method,
        clause="ASTM E112",
        note=note,
    )
