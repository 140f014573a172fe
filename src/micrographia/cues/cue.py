"""What a cue is, and the part of a micrograph that cues are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.errors import InputError
from micrographia.micrograph import Micrograph

# An information bar is black or white but for its text, lies in the lower part, and is this part of the height.
_BAR_SHARE: Final = (0.02, 0.25)
_BAR_FROM: Final = 0.5
_BAR_GREY: Final = 0.006
_LEAST_SIDE_PX: Final = 8


@dataclass(frozen=True, kw_only=True)
class Cue:
    """One thing that can be measured on a micrograph without knowing what it shows.

    Parameters
    ----------
    name : str
        What was measured, e.g. ``"noise"``.
    value : float, optional
        Its value; None where it was looked for and cannot be told, or is not there.
    uncertainty : float, optional
        Standard uncertainty of ``value``, in the same unit; None for an exact count.
    unit : str
        Unit of ``value``: ``"nm"``, ``"px"``, ``"%"``, ``"bit"``, ``"intensity units"`` (the file's own),
        ``"px per 1000 px²"``, ``"per 1000 × 1000 px"``, or empty.
    sentence : str
        What it means, for a person.
    channel : int
        Channel that it was measured on.
    direction_deg : float, optional
        Direction of a periodicity, across its fringes: counter-clockwise from the x axis as seen on the screen,
        0 included, 180 excluded [°].
    direction_sd_deg : float, optional
        Its standard uncertainty [°].
    """

    name: str
    value: float | None
    uncertainty: float | None
    unit: str
    sentence: str
    channel: int = 0
    direction_deg: float | None = None
    direction_sd_deg: float | None = None


def length_words(value: float, unit: str) -> str:
    """Return a length to three digits, in the unit that suits it.

    Examples
    --------
    >>> length_words(10123.0, "nm"), length_words(8.16, "px")
    ('10.1 µm', '8.16 px')
    """
    scale, name = length_unit(value) if unit == "nm" else (1.0, unit)
    shown = value / scale
    return f"{shown:.0f} {name}" if shown >= 100 else f"{shown:.3g} {name}"


def length_unit(length_nm: float) -> tuple[float, str]:
    """Return the unit that suits a length: how many nanometres it is, and its name.

    Examples
    --------
    >>> length_unit(2614.5)
    (1000.0, 'µm')
    """
    for scale, name in ((1e6, "mm"), (1e3, "µm")):
        if abs(length_nm) >= scale:
            return scale, name
    return 1.0, "nm"


def picture(micrograph: Micrograph, channel: int = 0) -> Float[np.ndarray, "height width"]:
    """Return one channel without the information bar that some microscopes draw into it.

    Parameters
    ----------
    micrograph : Micrograph
        What to look at.
    channel : int
        Which channel.

    Returns
    -------
    float array (height, width)
        Intensities in the file's units: all rows, or the rows above the bar.

    Raises
    ------
    InputError
        There is no such channel, or all pixels are equal.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> ramp = np.arange(64, dtype=np.float32).reshape(1, 8, 8)
    >>> picture(Micrograph(frames=ramp, pixel_size_nm=None, context=Context(), provenance=source)).shape
    (8, 8)
    """
    if not 0 <= channel < len(micrograph.frames):
        raise InputError(
            f"channel is {channel}; accepted is 0 to {len(micrograph.frames) - 1}, "
            f"the channels of {micrograph.provenance.file}"
        )
    frame: np.ndarray = micrograph.frames[channel].astype(np.float64)
    bar = information_bar(frame)
    frame = frame if bar is None else frame[: bar[0]]
    if frame.min() == frame.max():
        raise InputError(
            f"{micrograph.provenance.file}: all pixels are equal ({frame.flat[0]:g}), so there is nothing to measure; "
            "check that the right image of the file was read"
        )
    if min(frame.shape) < _LEAST_SIDE_PX:
        raise InputError(
            f"{micrograph.provenance.file} is {frame.shape[0]} x {frame.shape[1]} px; accepted is at least "
            f"{_LEAST_SIDE_PX} x {_LEAST_SIDE_PX}"
        )
    return frame


def information_bar(frame: Float[np.ndarray, "height width"]) -> tuple[int, int] | None:
    """Return the first row of an information bar and the row after its last; None where there is none.

    A bar is a run of rows in the lower half, each mostly black or mostly white, with the picture above it.

    Examples
    --------
    >>> scan = np.random.default_rng(0).normal(100, 10, (100, 80))
    >>> scan[90:] = 255.0
    >>> information_bar(scan)
    (90, 100)
    """
    height = len(frame)
    low, high = float(frame.min()), float(frame.max())
    grey = _BAR_GREY * (high - low)
    middle = np.median(frame, axis=1)
    plain = (np.abs(frame - middle[:, None]) <= grey).mean(axis=1) > 0.5
    plain &= (middle <= low + 15 * grey) | (middle >= high - 15 * grey)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], plain, [False]]).astype(int)))
    runs: list[tuple[int, int]] = []
    for first, end in edges.reshape(-1, 2):
        # A line of text or a frame may interrupt the bar for a few rows.
        if runs and first - runs[-1][1] <= max(2, height // 100):
            runs[-1] = (runs[-1][0], int(end))
        else:
            runs.append((int(first), int(end)))
    if not runs:
        return None
    bar = max(runs, key=lambda run: run[1] - run[0])
    share = (bar[1] - bar[0]) / height
    return bar if _BAR_SHARE[0] <= share <= _BAR_SHARE[1] and bar[0] >= _BAR_FROM * height else None
