"""When two values differ, and when that is too close to call."""

from __future__ import annotations

import math
from typing import Final, Literal

from micrographia.cues.cue import Cue
from micrographia.instruct.tasks.aspects import ASPECTS

SIGMAS: Final = 2.0
"""Standard uncertainties by which values must differ, besides the floor."""
TOO_CLOSE: Final = "too close to call"
LENGTHS: Final = ("nm", "px")
_RELATIVE_FLOOR: Final = 0.02
_WRITING: Final = 0.01
Outcome = Literal["more", "less", "close"]


def uncertainty(cue: Cue) -> float | None:
    """Return the standard uncertainty of a value: 0 of an exact count, None where nobody knows it.

    Examples
    --------
    >>> uncertainty(Cue(name="particles", value=7.0, uncertainty=None, unit="", sentence="Seven."))
    0.0
    """
    if cue.value is None:
        return None
    if cue.uncertainty is not None:
        return cue.uncertainty
    return 0.0 if cue.name in ASPECTS and ASPECTS[cue.name].counts else None


def floor(cue: Cue) -> float:
    """Return the difference that means nothing: as agreed for the cue, and 2 % of a length or of an intensity."""
    agreed = ASPECTS[cue.name].floor
    relative = 0.0 if agreed else _RELATIVE_FLOOR
    return max(agreed, relative * abs(cue.value or 0.0))


def tolerance(cue: Cue) -> float | None:
    """Return by how much a value must miss a threshold to be surely above or below: 2 uncertainties + floor.

    Examples
    --------
    >>> tolerance(Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges."))
    2.0
    """
    sd = uncertainty(cue)
    return None if sd is None else SIGMAS * sd + floor(cue)


def against(cue: Cue, threshold: float, *, room: float = 1.0) -> Outcome | None:
    """Return on which side of a threshold a value is.

    Parameters
    ----------
    cue : Cue
        What was measured.
    threshold : float
        In the cue's unit.
    room : float
        Factor on the tolerance, above 1 for those who ask and want no doubt.

    Returns
    -------
    str, optional
        ``"more"``, ``"less"``, or ``"close"``: within the tolerance. None where there is no value or no uncertainty.

    Examples
    --------
    >>> edges = Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges.")
    >>> against(edges, 27.0), against(edges, 28.5), against(edges, 28.0)
    ('more', 'close', 'close')
    """
    allowed = tolerance(cue)
    if cue.value is None or allowed is None:
        return None
    away = cue.value - threshold
    if abs(away) <= room * allowed:
        return "close"
    return "more" if away > 0 else "less"


def pair_tolerance(a: Cue, b: Cue) -> float | None:
    """Return by how much two values must differ: 2 combined uncertainties + floor; None where they do not compare.

    Lengths in pixels and in nanometres do not compare, nor do intensities in the units of two files.
    """
    sd_a, sd_b = uncertainty(a), uncertainty(b)
    if sd_a is None or sd_b is None or a.name != b.name or a.unit != b.unit or a.unit == "intensity units":
        return None
    return SIGMAS * math.hypot(sd_a, sd_b) + max(floor(a), floor(b))


def compare(a: Cue, b: Cue, *, room: float = 1.0) -> Outcome | None:
    """Return whether ``a`` is more or less than ``b``, or too close to call.

    Parameters
    ----------
    a, b : Cue
        The same quantity of two images.
    room : float
        With more than 1, differences within that factor of the tolerance are neither here nor there: None.

    Examples
    --------
    >>> a, b = (Cue(name="edges", value=v, uncertainty=0.5, unit="px per 1000 px²", sentence="") for v in (30.0, 28.0))
    >>> compare(a, b), compare(a, b, room=1.5)  # 2 uncertainties of 0.5 each are 1.41 together, and the floor is 1
    ('close', None)
    """
    allowed = pair_tolerance(a, b)
    if allowed is None or a.value is None or b.value is None:
        return None
    difference = a.value - b.value
    if abs(difference) <= allowed / room:
        return "close"
    if abs(difference) <= allowed * room:
        return None
    return "more" if difference > 0 else "less"


def number_tolerance(cue: Cue) -> float | None:
    """Return by how much a number said of a cue may miss it: 2 uncertainties, and what rounding in writing takes.

    Examples
    --------
    >>> number_tolerance(Cue(name="particles", value=7.0, uncertainty=None, unit="", sentence="Seven."))
    0.0
    """
    if cue.value is None:
        return None
    if uncertainty(cue) == 0.0:
        return 0.0
    return SIGMAS * (uncertainty(cue) or 0.0) + _WRITING * abs(cue.value)
