"""Particles and pores: compact bright and dark objects on a plain ground, counted, sized and weighed."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from micrographia.cues.cue import Cue, length_words
from micrographia.cues.grounds import ObjectsFound, Split, Tone, compact_objects, equivalent_diameters, outliers_beside
from micrographia.cues.texture_maps import graded, two_digits

_RELATIVE_COUNT_SD: Final = 0.1
_CROWDED_SD: Final = 0.4
_RELATIVE_SIZE_SD: Final = 0.05
_OUTLINE_SD_PX: Final = 0.5
_COVERAGE_SD: Final = 0.2
_NAMES: Final[dict[Tone, tuple[str, str]]] = {"bright": ("particle", "bright"), "dark": ("pore", "dark")}
_FEW: Final = (1.5, 4.5, 15.5)


def particles_and_pores(
    splits: tuple[Split, ...], *, zoom: float, pixel_size_nm: float | None, empty: bool = False
) -> tuple[tuple[Cue, ...], bool]:
    """Return number, mean diameter and coverage of bright objects (particles) and of dark ones (pores).

    Whether a dark place is a pore or a dark particle cannot be told from the image alone; the names go by the tone.
    What the border cuts is counted and covers area, but has no diameter. The uncertainty of a count is what other
    thresholds and ways to cut touching objects find, and 10 % of the count, by which counts of annotated
    images differ even where all thresholds agree (``docs/benchmarks/cues.md``); where objects are crowded, more, for
    they hide each other.

    Parameters
    ----------
    splits : tuple of Split
        The working copy of the image, parted at its thresholds.
    zoom : float
        Pixels of the image per pixel of the working copy.
    pixel_size_nm : float, optional
        Size of a pixel of the image [nm].
    empty : bool
        Whether noise is all that the image shows.

    Returns
    -------
    cues : tuple of Cue
        ``particles``, ``particle diameter`` [nm or px], ``particle coverage`` [%], and the same of pores. All None
        where there is no plain ground to count on.
    found : bool
        Whether any were found.

    Examples
    --------
    >>> from micrographia.cues.grounds import splits_of
    >>> y, x = np.mgrid[:160, :160]
    >>> discs = 1.0 * (np.hypot(y % 40 - 20, x % 40 - 20) < 10)  # 16 of 20 px
    >>> (count, diameter, coverage, *_), _ = particles_and_pores(splits_of(discs), zoom=1.0, pixel_size_nm=2.0)
    >>> print(f"{count.value:.0f}, {diameter.value:.0f} {diameter.unit}, {coverage.value:.0f} %")
    16, 40 nm, 20 %
    """
    tones: tuple[Tone, Tone] = ("bright", "dark")
    found = {tone: compact_objects(splits, tone, zoom=zoom) for tone in tones}
    there = [objects for objects in found.values() if objects is not None]
    # Seen from the objects, ground between them can pass for objects too: the clearer view holds.
    best = max(there, key=lambda objects: objects.whole, default=None)
    cues: list[Cue] = []
    for tone in tones:
        if best is not None and best.tone == tone:
            cues += _counted(best, pixel_size_nm)
        elif best is not None:
            cues += _beside(tone, outliers_beside(best, tone), pixel_size_nm)
        elif empty:
            cues += _none(tone, pixel_size_nm)
        else:
            cues += _cannot_tell(tone, pixel_size_nm)
    return tuple(cues), best is not None


def _counted(found: ObjectsFound, pixel_size_nm: float | None) -> tuple[Cue, Cue, Cue]:
    name, tone = _NAMES[found.tone]
    count = found.counts[0]
    off = math.sqrt(float(np.mean([(other - count) ** 2 for other in found.counts])))
    share = 100 * found.coverages[0]
    share_off = 100 * math.sqrt(float(np.mean([(other - found.coverages[0]) ** 2 for other in found.coverages])))
    # Where exactly an outline runs is in doubt by half a pixel, on all outlines alike.
    outlines = math.sqrt(4 * math.pi * count * float((found.labels > 0).sum()))
    share_off = math.hypot(share_off, 100 * _OUTLINE_SD_PX * outlines / found.labels.size)
    size, unit = (found.zoom * pixel_size_nm, "nm") if pixel_size_nm else (found.zoom, "px")
    diameters = equivalent_diameters(found.labels) * size
    diameter = float(diameters.mean()) if len(diameters) else None
    diameter_sd = None
    if diameter is not None:
        scatter = float(diameters.std(ddof=1)) / math.sqrt(len(diameters)) if len(diameters) > 1 else 0.0
        diameter_sd = math.sqrt(scatter**2 + (_OUTLINE_SD_PX * size) ** 2 + (_RELATIVE_SIZE_SD * diameter) ** 2)
    how_many = graded(count, _FEW, ("One", "A few", "Some", "Many"))
    plural = "" if count == 1 else "s"
    stand = "stands" if count == 1 else "stand"
    return (
        Cue(
            name=f"{name}s",
            value=float(count),
            uncertainty=math.hypot(off, (_RELATIVE_COUNT_SD + _CROWDED_SD * share / 100) * count),
            unit="",
            sentence=f"{how_many} compact {tone} object{plural} {stand} out of a plain ground: {count} in view.",
        ),
        Cue(
            name=f"{name} diameter",
            value=diameter,
            uncertainty=diameter_sd,
            unit=unit,
            sentence=f"No compact {tone} object is whole in view, so they have no diameter."
            if diameter is None
            else f"Compact {tone} objects are {length_words(diameter, unit)} across on average.",
        ),
        Cue(
            name=f"{name} coverage",
            value=share,
            uncertainty=math.hypot(share_off, _COVERAGE_SD),
            unit="%",
            sentence=f"Compact {tone} objects cover {two_digits(share)} % of the image.",
        ),
    )


def _beside(tone: Tone, count: int, pixel_size_nm: float | None) -> tuple[Cue, Cue, Cue]:
    if not count:
        return _none(tone, pixel_size_nm)
    name, shade = _NAMES[tone]
    sentence = f"About {count} {shade} places lie beside the clearer objects of the other tone"
    return (
        Cue(name=f"{name}s", value=float(count), uncertainty=max(1.0, count / 2), unit="", sentence=f"{sentence}."),
        Cue(
            name=f"{name} diameter",
            value=None,
            uncertainty=None,
            unit="nm" if pixel_size_nm else "px",
            sentence=f"{sentence}, too faint to size.",
        ),
        Cue(
            name=f"{name} coverage",
            value=None,
            uncertainty=None,
            unit="%",
            sentence=f"{sentence}, too faint to weigh.",
        ),
    )


def _none(tone: Tone, pixel_size_nm: float | None) -> tuple[Cue, Cue, Cue]:
    name, shade = _NAMES[tone]
    sentence = f"No compact {shade} objects stand out."
    return (
        Cue(name=f"{name}s", value=0.0, uncertainty=0.0, unit="", sentence=sentence),
        Cue(
            name=f"{name} diameter",
            value=None,
            uncertainty=None,
            unit="nm" if pixel_size_nm else "px",
            sentence=f"{sentence[:-1]}, so they have no diameter.",
        ),
        Cue(name=f"{name} coverage", value=0.0, uncertainty=_COVERAGE_SD, unit="%", sentence=sentence),
    )


def _cannot_tell(tone: Tone, pixel_size_nm: float | None) -> tuple[Cue, Cue, Cue]:
    name, shade = _NAMES[tone]
    sentence = f"There is no plain ground that compact {shade} objects could be counted on."
    names = ((f"{name}s", ""), (f"{name} diameter", "nm" if pixel_size_nm else "px"), (f"{name} coverage", "%"))
    first, second, third = (
        Cue(name=what, value=None, uncertainty=None, unit=unit, sentence=sentence) for what, unit in names
    )
    return first, second, third
