"""Cracks: how many, how long, how wide, how dense, and which way they run."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import numpy as np
from jaxtyping import Bool

from micrographia.segment.measure.crack_table import Cracks, find_cracks
from micrographia.segment.measure.fields import ONE_FIELD, totals_by_part
from micrographia.segment.measure.intervals import ratio_of_totals, t_factor
from micrographia.segment.measure.measurement import Measurement, Scale

_FEWEST: Final = 5
_LEVEL: Final = 0.05
_LEAST_ALIGNED: Final = 0.1
_SHORT: Final = 3.0
_FILLED: Final = "The class fills the field, so no crack can be told from another."
_NONE: Final = "There is no crack in the field."

Ends = tuple[float, float] | None


def crack_measurements(
    mask: Bool[np.ndarray, "height width"], *, scale: Scale, of: str
) -> tuple[tuple[Measurement, ...], Cracks]:
    r"""Return number, length, density, width and direction of cracks.

    Directions are weighted by length, and doubled before they are averaged since a crack has no head:

    .. math:: R e^{2 i \bar\theta} = \frac{\sum l e^{2 i \theta}}{\sum l}, \qquad
              s = \frac12 \sqrt{-2 \ln R}

    Intervals of width and direction are from the scatter between cracks and need five of them; that of the density is
    from the scatter between the 4 × 4 parts of the field. There is no spacing of cracks among them: it means
    something along the layer that they cross, which a mask of cracks does not show.

    Parameters
    ----------
    mask : (height, width) array of bool
        Pixels of cracks.
    scale : Scale
        Size of a pixel.
    of : str
        Name of the class.

    Returns
    -------
    tuple of Measurement
        ``number of cracks``, ``total crack length``, ``longest crack``, ``crack density`` [mm/mm² or px/px²],
        ``mean crack width``, ``maximum crack width``, ``crack direction`` [°, from 0 to 180 counter-clockwise from x as
        seen on the screen], ``spread of crack directions`` [°], and ``crack alignment`` (R, from 0 to 1).
    Cracks
        One row a crack, for tables and figures.

    Raises
    ------
    InputError
        The mask has no pixels.

    Notes
    -----
    Axial statistics: K. V. Mardia and P. E. Jupp, *Directional Statistics* (2000), doi:10.1002/9780470316979.

    Examples
    --------
    >>> mask = np.zeros((200, 100), dtype=bool)
    >>> mask[20::40, 10:90] = True
    >>> found, cracks = crack_measurements(mask, scale=Scale(pixel_size_nm=1000.0), of="cracks")
    >>> for m in found[:4]:
    ...     print(f"{m.name}: {m.value:.1f} {m.unit}".strip())
    number of cracks: 5.0
    total crack length: 400.0 µm
    longest crack: 80.0 µm
    crack density: 20.0 mm/mm²
    """
    cracks = find_cracks(mask)
    found = partial(_found, of=of, count=len(cracks))
    names = (
        ("number of cracks", "", 0.0),
        ("total crack length", scale.length_unit, 0.0),
        ("longest crack", scale.length_unit, None),
        ("crack density", "mm/mm²" if scale.known else "px/px²", 0.0),
        ("mean crack width", scale.length_unit, None),
        ("maximum crack width", scale.length_unit, None),
        ("crack direction", "°", None),
        ("spread of crack directions", "°", None),
        ("crack alignment", "", None),
    )
    if not len(cracks) or mask.all():
        why = _FILLED if mask.all() else _NONE
        return tuple(found(n, None if mask.all() else v, unit=u, note=why) for n, u, v in names), cracks
    total = float(cracks.length_px.sum())
    short = int(np.count_nonzero(cracks.length_px < _SHORT * cracks.mean_width_px))
    cut = int(np.count_nonzero(cracks.cut))
    lengths = "Length along the smoothed mid-line without spurs, ends included."
    in_field = f"As seen in this field; its border cuts {cut} of them." if cut else "As seen in this field."
    blobs = f" {short} are less than {_SHORT:g} times as long as wide." if short else ""
    return (
        found("number of cracks", float(len(cracks)), unit="", method="Connected shapes.", note=in_field + blobs),
        found("total crack length", scale.length(total)[0], unit=scale.length_unit, method=lengths, note=in_field),
        found(
            "longest crack",
            scale.length(float(cracks.length_px.max()))[0],
            unit=scale.length_unit,
            method=f"{lengths} Branches count.",
            note="At least: the border cuts it." if cracks.cut[cracks.length_px.argmax()] else "",
        ),
        _density(cracks, scale=scale, of=of),
        *_widths(cracks, scale=scale, of=of),
        *_directions(cracks, scale=scale, of=of),
    ), cracks


def _density(cracks: Cracks, *, scale: Scale, of: str) -> Measurement:
    """Length of cracks per area of the field."""
    height, width = cracks.shape
    per_pixel = np.zeros(cracks.shape)
    rows = np.clip(np.round(cracks.piece_y_px).astype(np.int64), 0, height - 1)
    cols = np.clip(np.round(cracks.piece_x_px).astype(np.int64), 0, width - 1)
    np.add.at(per_pixel, (rows, cols), cracks.piece_length_px)
    scatter = ratio_of_totals(totals_by_part(per_pixel), totals_by_part(np.ones(cracks.shape)))
    density = float(cracks.length_px.sum()) / (height * width)
    per_px = 1e3 / scale.um_per_px if scale.known else 1.0
    ends: Ends = None
    if scatter.low is not None and scatter.high is not None:
        half = (scatter.high - scatter.low) / 2
        ends = (max(density - half, 0.0) * per_px, (density + half) * per_px)
    return _found(
        "crack density",
        density * per_px,
        of=of,
        unit="mm/mm²" if scale.known else "px/px²",
        ends=ends,
        count=len(cracks),
        method="Length of cracks over the area of the field.",
        note=ONE_FIELD if ends else "No interval: the parts of the field do not scatter.",
    )


def _widths(cracks: Cracks, *, scale: Scale, of: str) -> tuple[Measurement, ...]:
    ratio = ratio_of_totals(cracks.area_px2, cracks.length_px)
    few = len(cracks) < _FEWEST
    ends: Ends = None
    if not few and ratio.low is not None and ratio.high is not None:
        ends = (scale.length(max(ratio.low, 0.0))[0], scale.length(ratio.high)[0])
    note = f"No interval: fewer than {_FEWEST} cracks." if few else "" if ends else "No interval: all have one width."
    return (
        _found(
            "mean crack width",
            scale.length(ratio.value)[0],
            of=of,
            unit=scale.length_unit,
            ends=ends,
            count=len(cracks),
            method="Area over length of all cracks.",
            note=note,
        ),
        _found(
            "maximum crack width",
            scale.length(float(cracks.max_width_px.max()))[0],
            of=of,
            unit=scale.length_unit,
            count=len(cracks),
            method="Greatest width across a mid-line, averaged over 5 pixels along it.",
            note="An extreme of this field; a larger field has a larger one. Good to about a pixel.",
        ),
    )


def _directions(cracks: Cracks, *, scale: Scale, of: str) -> tuple[Measurement, ...]:
    count = len(cracks)
    doubled = cracks.piece_length_px * np.exp(2j * np.radians(cracks.piece_angle_deg))
    total = float(cracks.piece_length_px.sum())
    each = np.zeros(count, dtype=np.complex128)
    np.add.at(each, cracks.piece_crack, doubled)
    resultant = complex(doubled.sum())
    found = partial(_found, of=of, count=count)
    if total <= 0:
        why = "The cracks are too short to have a direction."
        return (
            found("crack direction", None, unit="°", note=why),
            found("spread of crack directions", None, unit="°", note=why),
            found("crack alignment", None, unit="", note=why),
        )
    alignment = min(abs(resultant) / total, 1.0)
    # Whether cracks as wholes, each with its own length, could point anywhere.
    p = math.exp(-(abs(resultant) ** 2) / max(float((np.abs(each) ** 2).sum()), 1e-300))
    directed = alignment >= _LEAST_ALIGNED and (count < _FEWEST or p < _LEVEL)
    method = "Mean direction of mid-lines weighted by length, doubled angles; counter-clockwise from x."
    spread = math.degrees(math.sqrt(max(-2 * math.log(max(alignment, 1e-300)), 0.0))) / 2
    about_spread = "Circular standard deviation of directions weighted by length."
    about_alignment = "Length of the mean of doubled directions: 1 if all cracks are parallel, 0 if none prevails."
    aligned = found("crack alignment", alignment, unit="", method=about_alignment)
    if not directed:
        why = "No direction prevails."
        return (
            found("crack direction", None, unit="°", method=method, note=why),
            found("spread of crack directions", None, unit="°", method=about_spread, note=why),
            aligned,
        )
    mean = math.degrees(math.atan2(resultant.imag, resultant.real)) / 2 % 180
    across = (each * np.conj(resultant)).imag / abs(resultant)
    ends: Ends = None
    note = f"No interval: fewer than {_FEWEST} cracks."
    if count >= _FEWEST:
        error = math.sqrt(float((across**2).sum()) * count / (count - 1)) / abs(resultant)
        half = math.degrees(t_factor(count - 1) * error) / 2
        ends, note = (mean - half, mean + half), "Ends of the interval may lie outside of 0 to 180°."
    return (
        found("crack direction", mean, unit="°", ends=ends, method=method, note=note),
        found("spread of crack directions", spread, unit="°", method=about_spread),
        aligned,
    )


def _found(
    name: str,
    value: float | None,
    *,
    of: str,
    unit: str,
    count: int,
    ends: Ends = None,
    method: str = "Mid-lines of connected shapes.",
    note: str = "",
) -> Measurement:
    low, high = ends or (None, None)
    return Measurement(
        name=name,
        of=of,
        value=value,
        unit=unit,
        low=low,
        high=high,
        count=count,
        counted="cracks",
        method=method,
        clause="",
        note=note,
    )
