"""All that teachers may speak of: every measured cue of an image, each once and in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float

from micrographia.cues.compact import particles_and_pores
from micrographia.cues.cracks import cracks
from micrographia.cues.cue import Cue, length_words
from micrographia.cues.edge_slope import edge_slope
from micrographia.cues.fibres import fibres
from micrographia.cues.grounds import splits_of, working_copy
from micrographia.cues.intensity import contrast_of_frame
from micrographia.cues.kinds import MEASURED_CUES
from micrographia.cues.lattice_defects import lattice_defects
from micrographia.cues.layering import layering
from micrographia.cues.noise import noise_of_frame
from micrographia.cues.orientation import orientation_entropy
from micrographia.cues.periodicity import Periodicity, periodicity
from micrographia.cues.phases import dark_and_bright
from micrographia.cues.regularity import regularity
from micrographia.cues.spacings import spacing_at
from micrographia.cues.structure import anisotropy, edges, grain_size
from micrographia.cues.texture_maps import texture_maps
from micrographia.errors import InputError

__all__ = ["MEASURED_CUES", "measure"]

_RELATIVE_SD: Final = 0.03
_TEXTURE_SIDE_PX: Final = 1024
_LEAST_SHARE: Final = 1e-3
_CLOSE_SIDE_PX: Final = 1024
_LEAST_DIAMETER_PX: Final = 8.0
"""Diameter of objects on a working copy below which touching ones run together."""


def measure(frame: Float[np.ndarray, "height width"], *, pixel_size_nm: float | None = None) -> tuple[Cue, ...]:
    """Measure what is visible in an image, without knowing what it shows.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units, without a bar of print.
    pixel_size_nm : float, optional
        Size of a pixel [nm]; where it is known, lengths are in nm, else in px. Lengths per area stay in px.

    Returns
    -------
    tuple of Cue
        One of each of `MEASURED_CUES`, in that order. A value is None where it cannot be told, or where there is
        nothing that could have one, and the sentence says why; it is 0 where something was looked for and is not there.
        The same image gives the same cues.

    Raises
    ------
    InputError
        The image is smaller than 32 x 32 px, not finite, all pixels are equal, or the size of a pixel is not
        above zero.

    Examples
    --------
    >>> y, x = np.mgrid[:160, :160]
    >>> frame = 80.0 + 60 * (np.hypot(y % 20 - 10, x % 20 - 10) < 5)
    >>> frame += np.random.default_rng(0).normal(0, 3, frame.shape)
    >>> by_name = {cue.name: cue for cue in measure(frame, pixel_size_nm=2.0)}
    >>> by_name["particles"].sentence
    'Many compact bright objects stand out of a plain ground: 64 in view.'
    >>> print(f"{by_name['spacing'].value:.0f} {by_name['spacing'].unit}")
    40 nm
    """
    if pixel_size_nm is not None and not (pixel_size_nm > 0 and math.isfinite(pixel_size_nm)):
        raise InputError(f"pixel_size_nm is {pixel_size_nm}; accepted is above 0, or None where it is not known")
    if not np.isfinite(frame).all():
        raise InputError("the image holds values that are not finite; replace or crop them first")
    if frame.size and frame.min() == frame.max():
        raise InputError(f"all pixels are equal ({frame.flat[0]:g}), so there is nothing to measure")
    image = np.asarray(frame, dtype=np.float64)
    found = periodicity(image)
    regular = regularity(image, found)
    # Of large images the texture is looked at on a smaller copy, for time.
    smaller, shrunk = working_copy(image, side=_TEXTURE_SIDE_PX)
    maps = texture_maps(smaller, zoom=shrunk)
    direction = anisotropy(maps)
    copy, zoom = working_copy(image)
    splits = splits_of(copy)
    # Without a direction there are no slopes beyond those of noise.
    empty = direction.value is None
    compact, any_found = particles_and_pores(splits, zoom=zoom, pixel_size_nm=pixel_size_nm, empty=empty)
    if zoom > 1 and _are_small(compact, zoom, pixel_size_nm):
        closer, closer_zoom = working_copy(image, side=_CLOSE_SIDE_PX)
        compact, _ = particles_and_pores(splits_of(closer), zoom=closer_zoom, pixel_size_nm=pixel_size_nm)
    dark_share, phase_contrast = dark_and_bright(maps)
    cues = (
        _spacing(image, found, pixel_size_nm),
        regular,
        edges(maps),
        orientation_entropy(maps),
        direction,
        contrast_of_frame(image, spectrum=found.spectrum),
        *noise_of_frame(image, spectrum=found.spectrum),
        edge_slope(maps),
        _dominant_scale(grain_size(maps), pixel_size_nm),
        *compact,
        *fibres(copy, splits, zoom=zoom, compact=any_found, empty=empty, pixel_size_nm=pixel_size_nm),
        *layering(maps, direction.direction_deg),
        *cracks(maps, regularity=regular.value or 0.0, pixel_size_nm=pixel_size_nm),
        lattice_defects(image, found),
        replace(phase_contrast, name="phase contrast"),
        dark_share,
    )
    by_name = {cue.name: cue for cue in cues}
    return tuple(by_name[name] for name in MEASURED_CUES)


def _are_small(compact: Sequence[Cue], zoom: float, pixel_size_nm: float | None) -> bool:
    """Return whether objects are so small on the working copy that neighbours run together."""
    sizes = [c.value for c in compact if c.name.endswith("diameter") and c.value is not None]
    return bool(sizes) and min(sizes) / (zoom * (pixel_size_nm or 1.0)) < _LEAST_DIAMETER_PX


def _spacing(frame: Float[np.ndarray, "height width"], found: Periodicity, pixel_size_nm: float | None) -> Cue:
    """Return the strongest periodicity, unless it is so weak that interference or a digital pattern would do."""
    size, unit = (pixel_size_nm, "nm") if pixel_size_nm else (1.0, "px")
    peak = max(found.peaks, key=lambda peak: peak.share, default=None)
    if peak is None or peak.share < _LEAST_SHARE:
        return Cue(
            name="spacing",
            value=None,
            uncertainty=None,
            unit=unit,
            sentence="No periodicity stands out of the power spectrum.",
        )
    return spacing_at(frame, found.spectrum, peak.row, peak.col, peak.strength, size, unit, 0)


def _dominant_scale(grain: Cue, pixel_size_nm: float | None) -> Cue:
    """Return the size of features, by the width of the autocorrelation."""
    size, unit = (pixel_size_nm, "nm") if pixel_size_nm else (1.0, "px")
    if grain.value is None:
        return replace(grain, name="dominant scale", unit=unit)
    doubt = math.hypot(grain.uncertainty or _RELATIVE_SD * grain.value, _RELATIVE_SD * grain.value)
    return Cue(
        name="dominant scale",
        value=grain.value * size,
        uncertainty=doubt * size,
        unit=unit,
        sentence=f"Typical features are about {length_words(grain.value * size, unit)} large.",
    )
