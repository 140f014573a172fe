"""When two values differ, and when that is too close to call."""

from __future__ import annotations

import math
from typing import Final, Literal

from micrographia.cues.cue import Cue
from micrographia.cues.kinds import CUE_KINDS
from micrographia.instruct.subject import Subject
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


def floor(subject: Subject, name: str) -> float:
    """Return the difference that means nothing: as agreed for the cue, and at least 2 % of a length."""
    kind = CUE_KINDS[name]
    agreed = kind.floor_in_unit(subject.pixel_size_nm)
    return max(agreed, _RELATIVE_FLOOR * abs(subject.by_name[name].value or 0.0)) if kind.is_length else agreed


def tolerance(subject: Subject, name: str) -> float | None:
    """Return by how much a value must miss a threshold to be surely above or below: 2 uncertainties + floor.

    Parameters
    ----------
    subject : Subject
        The image.
    name : str
        Name of the cue.
    """
    sd = uncertainty(subject.by_name[name])
    return None if sd is None else SIGMAS * sd + floor(subject, name)


def against(subject: Subject, name: str, threshold: float, *, room: float = 1.0) -> Outcome | None:
    """Return on which side of a threshold a value is.

    Parameters
    ----------
    subject : Subject
        The image.
    name : str
        Name of the cue.
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
    >>> import numpy as np
    >>> edges = Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges.")
    >>> image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=(edges,))
    >>> against(image, "edges", 25.0), against(image, "edges", 26.5)  # 2 uncertainties are 1, and the floor is 3
    ('more', 'close')
    """
    value, allowed = subject.by_name[name].value, tolerance(subject, name)
    if value is None or allowed is None:
        return None
    if abs(value - threshold) <= room * allowed:
        return "close"
    return "more" if value > threshold else "less"


def pair_tolerance(a: Subject, b: Subject, name: str) -> float | None:
    """Return by how much two values must differ: 2 combined uncertainties + floor; None where they do not compare.

    Lengths in pixels and in nanometres do not compare, nor do intensities in the units of two files.
    """
    one, other = a.by_name[name], b.by_name[name]
    sd_a, sd_b = uncertainty(one), uncertainty(other)
    if sd_a is None or sd_b is None or one.unit != other.unit or one.unit == "intensity units":
        return None
    return SIGMAS * math.hypot(sd_a, sd_b) + max(floor(a, name), floor(b, name))


def compare(a: Subject, b: Subject, name: str, *, room: float = 1.0) -> Outcome | None:
    """Return whether ``a`` has more or less than ``b``, or too close to call.

    Parameters
    ----------
    a, b : Subject
        Two images.
    name : str
        Name of the cue.
    room : float
        With more than 1, differences within that factor of the tolerance are neither here nor there: None.

    Examples
    --------
    >>> import numpy as np
    >>> frame = np.zeros((2, 2), np.float32)
    >>> a, b = (Subject(sha256="aa", frame=frame, pixel_size_nm=None, cues=(Cue(
    ...     name="edges", value=v, uncertainty=0.5, unit="px per 1000 px²", sentence=""),)) for v in (34.0, 30.0))
    >>> compare(a, b, "edges"), compare(a, b, "edges", room=1.5)  # 2 uncertainties make 1.41, and the floor is 3
    ('close', None)
    """
    allowed = pair_tolerance(a, b, name)
    mine, other = a.by_name[name].value, b.by_name[name].value
    if allowed is None or mine is None or other is None:
        return None
    if abs(mine - other) <= allowed / room:
        return "close"
    if abs(mine - other) <= allowed * room:
        return None
    return "more" if mine > other else "less"


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
