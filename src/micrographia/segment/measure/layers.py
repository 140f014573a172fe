"""Thickness of a layer, such as an oxide or a coating, along its length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_fill_holes
from scipy.signal import savgol_filter
from skimage.measure import label, regionprops

from micrographia.segment.measure.fields import mask_of
from micrographia.segment.measure.intervals import quantile_interval, t_factor
from micrographia.segment.measure.measurement import Measurement, Scale

_FEWEST_COLUMNS: Final = 16
_LEAST_SHARE: Final = 0.5
_LEAST_WINDOW: Final = 11
# Rounding of one edge to pixels has a variance of 1/12 px².
_TWO_EDGES_PX: Final = math.sqrt(2 / 12)
_NORMAL_95: Final = 1.96
_FEWEST_INDEPENDENT: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class LayerProfile:
    """Thickness along a layer, and where its edges are.

    Parameters
    ----------
    along : str
        ``"x"`` where the layer runs from left to right, ``"y"`` where it runs from top to bottom.
    position_px : (position,) array of float
        Column, or row, of each place along the layer [px].
    near_px, far_px : (position,) array of float
        Rows, or columns, of its two edges, outside of the outermost pixels [px].
    tilt_deg : (position,) array of float
        Tilt of its mid-line against the axis it runs along [°].
    thickness_px : (position,) array of float
        Thickness across the mid-line [px].
    """

    along: Literal["x", "y"]
    position_px: Float[np.ndarray, " position"]
    near_px: Float[np.ndarray, " position"]
    far_px: Float[np.ndarray, " position"]
    tilt_deg: Float[np.ndarray, " position"]
    thickness_px: Float[np.ndarray, " position"]


def layer_thickness(
    mask: Bool[np.ndarray, "height width"], *, scale: Scale, of: str
) -> tuple[tuple[Measurement, ...], LayerProfile | None]:
    r"""Return the thickness of a layer: mean, scatter along it, extremes.

    The layer is the largest connected shape that reaches from one border of the field to the opposite one, with its
    holes filled. In each column (each row, for a layer that runs down) its extent from the first to the last pixel,
    times the cosine of the local tilt of its mid-line, is the thickness there. Columns in which the border cuts
    the layer are left out.

    Neighbouring columns are alike, so the 95 % interval is :math:`\pm t s / \sqrt{n_e}` with as many independent
    columns as the autocorrelation :math:`\rho` leaves,

    .. math:: n_e = n \Big/ \Big(1 + 2 \sum_k (1 - k/n) \rho_k \Big)

    summed up to the first lag without a positive correlation. The rounding of the edges to pixels adds to it; it
    averages out only where the edges step from row to row.

    Parameters
    ----------
    mask : (height, width) array of bool
        Pixels of the class.
    scale : Scale
        Size of a pixel.
    of : str
        Name of the class.

    Returns
    -------
    tuple of Measurement
        ``mean thickness``, ``standard deviation of thickness``, ``minimum thickness``, ``maximum thickness``,
        ``p5 thickness``, ``p95 thickness``; all without a value where the class does not form a layer.
    LayerProfile or None
        Thickness along the layer.

    Raises
    ------
    InputError
        The mask has no pixels.

    Notes
    -----
    ASTM B487, ISO 1463. Effective number: G. V. Bayley and J. M. Hammersley, J. R. Stat. Soc. Suppl. 8 (1946) 184,
    doi:10.2307/2983560.

    Examples
    --------
    >>> mask = np.zeros((60, 200), dtype=bool)
    >>> mask[20:32] = True
    >>> (mean, *_), profile = layer_thickness(mask, scale=Scale(pixel_size_nm=500.0), of="oxide")
    >>> print(f"{mean.value} {mean.unit} ({mean.low:.1f} to {mean.high:.1f})")  # pixels hide up to one of 12
    6.0 µm (5.6 to 6.4)
    """
    checked = mask_of(mask, what="mask")
    profile, why = _profile(checked)
    names = ("mean", "standard deviation of", "minimum", "maximum", "p5", "p95")
    if profile is None:
        missing = (_found(f"{name} thickness", None, scale=scale, of=of, count=0, note=why) for name in names)
        return tuple(missing), None
    thickness = profile.thickness_px
    count = len(thickness)
    independent = _independent(thickness)
    ranked = np.sort(thickness)
    note = f"Along the layer in this field only; its {count} columns are worth {independent:.0f} independent ones."
    values = {
        "mean": (float(thickness.mean()), _mean_interval(profile, independent)),
        "standard deviation of": (float(thickness.std(ddof=1)), None),
        "minimum": (float(ranked[0]), None),
        "maximum": (float(ranked[-1]), None),
        "p5": (float(np.quantile(ranked, 0.05)), quantile_interval(ranked, share=0.05, independent=independent)),
        "p95": (float(np.quantile(ranked, 0.95)), quantile_interval(ranked, share=0.95, independent=independent)),
    }
    notes = {
        "mean": note if values["mean"][1] else f"No interval: thickness varies too slowly. {note}",
        "standard deviation of": "Along the layer, with the rounding of edges to pixels.",
        "minimum": "An extreme of this field; a longer layer has a smaller one.",
        "maximum": "An extreme of this field; a longer layer has a larger one.",
    }
    return tuple(
        _found(
            f"{name} thickness",
            value,
            scale=scale,
            of=of,
            count=count,
            ends=_around(ends, value),
            note=notes.get(name, note if ends else f"No interval: too few independent columns. {note}"),
        )
        for name, (value, ends) in values.items()
    ), profile


def _profile(mask: Bool[np.ndarray, "height width"]) -> tuple[LayerProfile | None, str]:
    """Profile of the layer, or why there is none."""
    if not mask.any():
        return None, "The class is not in the field."
    if mask.all():
        return None, "The class fills the field, so its edges are not seen."
    shapes = label(mask, connectivity=2)
    for region in sorted(regionprops(shapes), key=lambda r: -r.area):
        top, left, bottom, right = region.bbox
        across, down = left == 0 and right == mask.shape[1], top == 0 and bottom == mask.shape[0]
        if not (across or down):
            continue
        filled = np.asarray(binary_fill_holes(shapes == region.label))
        ways = [_along_x(filled, "x")] if across else []
        ways += [_along_x(filled.T, "y")] if down else []
        seen = [way for way in ways if way is not None]
        if seen:
            return max(seen, key=lambda way: len(way.position_px)), ""
        return None, "The border of the field cuts the layer along most of its length, so its edges are not seen."
    return None, "No connected shape of the class reaches from one border of the field to the opposite one."


def _along_x(layer: Bool[np.ndarray, "height width"], along: Literal["x", "y"]) -> LayerProfile | None:
    """Profile of a layer that runs from left to right; None where too few columns show both edges."""
    height, width = layer.shape
    near = layer.argmax(axis=0).astype(np.float64)
    far = (height - 1 - layer[::-1].argmax(axis=0)).astype(np.float64)
    seen = (near > 0) & (far < height - 1)
    if seen.sum() < max(_FEWEST_COLUMNS, _LEAST_SHARE * width):
        return None
    extent = far - near + 1
    # The tilt is that over about twice the thickness, within which edges of a layer run together.
    window = min(max(2 * round(float(np.median(extent[seen]))) + 1, _LEAST_WINDOW), (width - 1) // 2 * 2 + 1)
    slope = savgol_filter((near + far) / 2, window, 1, deriv=1, mode="interp")
    tilt = np.arctan(slope)
    return LayerProfile(
        along=along,
        position_px=np.flatnonzero(seen).astype(np.float64),
        near_px=near[seen] - 0.5,
        far_px=far[seen] + 0.5,
        tilt_deg=np.degrees(tilt)[seen],
        thickness_px=(extent * np.cos(tilt))[seen],
    )


def _independent(values: Float[np.ndarray, " position"]) -> float:
    """How many independent values a correlated series is worth for its mean."""
    count = len(values)
    apart = values - values.mean()
    if not np.ptp(values) > 1e-9:
        return float(count)
    power = np.abs(np.fft.rfft(apart, 2 * count)) ** 2
    correlation = np.fft.irfft(power)[:count]
    correlation = correlation / correlation[0] * count / np.arange(count, 0, -1)
    ends = np.flatnonzero(correlation <= 0)
    last = int(ends[0]) if len(ends) else count
    lags = np.arange(1, last)
    return min(count / (1 + 2 * float(((1 - lags / count) * correlation[1:last]).sum())), float(count))


def _mean_interval(profile: LayerProfile, independent: float) -> tuple[float, float] | None:
    thickness = profile.thickness_px
    if independent < _FEWEST_INDEPENDENT:
        return None
    scatter = t_factor(independent - 1) * float(thickness.std(ddof=1)) / math.sqrt(independent)
    steps = (np.count_nonzero(np.diff(profile.near_px)) + np.count_nonzero(np.diff(profile.far_px))) / 2
    rounding = _NORMAL_95 * _TWO_EDGES_PX / math.sqrt(1 + steps)
    half = math.hypot(scatter, rounding)
    mean = float(thickness.mean())
    return max(mean - half, 0.0), mean + half


def _around(ends: tuple[float, float] | None, value: float) -> tuple[float, float] | None:
    """Let the interval hold the value, which interpolates between columns."""
    return None if ends is None else (min(ends[0], value), max(ends[1], value))


def _found(
    name: str,
    value: float | None,
    *,
    scale: Scale,
    of: str,
    count: int,
    ends: tuple[float, float] | None = None,
    note: str,
) -> Measurement:
    low, high = (scale.length(ends[0])[0], scale.length(ends[1])[0]) if ends else (None, None)
    return Measurement(
        name=name,
        of=of,
        value=None if value is None else scale.length(value)[0],
        unit=scale.length_unit,
        low=low,
        high=high,
        count=count,
        counted="columns",
        method="Extent of the layer in each column, holes filled, times the cosine of the local tilt of its mid-line.",
        clause="ASTM B487, ISO 1463",
        note=note,
    )
