"""Dark and bright as two phases: their shares, how far apart they are, and the particles that either makes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import find_objects, label

from micrographia.cues.cue import Cue
from micrographia.cues.texture_maps import TextureMaps, graded, of_quarters, two_digits

PARTICLES_UNIT: Final = "per 1000 × 1000 px"
_LEAST_AREA_PX2: Final = 12
_LEVELS: Final = 256
_AS_GOOD: Final = 1e-3
_CLEAR: Final = (0.66, 0.8)


def phases(maps: TextureMaps) -> tuple[Cue, ...]:
    r"""Return shares and particles of the dark and the bright phase, by Otsu's threshold on the smoothed image.

    The threshold makes the variance between the two phases largest; its part of the total variance is ``phase
    separation``, which for a single normal distribution of greys is already :math:`2/\pi = 0.64`. Particles are
    connected pieces of at least 12 px². Those that touch the upper or the left border are not counted, so that many
    fields side by side would count each once. The mean diameter is that of circles of the areas of particles
    that touch no border; those of a few pixels come out up to 10 % too large, by the smoothing.

    Parameters
    ----------
    maps : TextureMaps
        The image.

    Returns
    -------
    tuple of Cue
        ``dark share`` [%], ``phase separation``, ``dark particles`` [per 1000 × 1000 px], ``dark particle diameter``
        [px, None where there is none whole], and the same of ``bright``. The uncertainty of a count is its square root.

    Notes
    -----
    N. Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62, doi:10.1109/TSMC.1979.4310076.

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> y, x = np.mgrid[:160, :160]
    >>> discs = 1.0 - ((x % 40 - 20) ** 2 + (y % 40 - 20) ** 2 < 100)  # 16 of 20 px
    >>> share, _, count, diameter, *_ = phases(texture_maps(discs))
    >>> print(f"{share.value:.1f} %, {count.value * 0.16**2:.0f}, {diameter.value:.0f} px")
    19.6 %, 16, 20 px
    """
    dark = maps.fine.grey <= _threshold(maps.fine.grey)
    return (*dark_and_bright(maps), *_particles(dark, "dark"), *_particles(~dark, "bright"))


def dark_and_bright(maps: TextureMaps) -> tuple[Cue, Cue]:
    """Return the share of the dark phase, and how far apart dark and bright are, as `phases` explains.

    Examples
    --------
    >>> from micrographia.cues.texture_maps import texture_maps
    >>> halves = np.where(np.arange(100) < 30, 0.0, 1.0) * np.ones((100, 1))
    >>> share, separation = dark_and_bright(texture_maps(halves))
    >>> print(f"{share.value:.0f} %, {separation.value:.2f}")
    30 %, 0.98
    """
    grey = maps.fine.grey
    dark = grey <= _threshold(grey)
    share = float(dark.mean())
    total = float(grey.var())
    between = (
        share * (1 - share) * (float(grey[dark].mean()) - float(grey[~dark].mean())) ** 2 if 0 < share < 1 else 0.0
    )
    separation = min(between / total, 1.0) if total > 0 else 0.0
    shares = [100 * float(dark[part].mean()) for part in maps.quarters]
    clear = graded(separation, _CLEAR, ("shade into each other", "can be told apart", "are clearly apart"))
    return (
        Cue(
            name="dark share",
            value=100 * share,
            uncertainty=of_quarters(shares),
            unit="%",
            sentence=f"Dark areas cover {two_digits(100 * share)} % of the image and bright areas "
            f"{two_digits(100 - 100 * share)} %.",
        ),
        Cue(
            name="phase separation",
            value=separation,
            uncertainty=of_quarters([_separation(maps, dark, part) for part in maps.quarters]),
            unit="",
            sentence=f"Dark and bright {clear}.",
        ),
    )


def _threshold(grey: Float32[np.ndarray, "height width"]) -> float:
    """Return Otsu's threshold; of the many that part two clear phases alike, the one in the middle."""
    low, high = float(grey.min()), float(grey.max())
    level = np.minimum((grey - low) * (_LEVELS / max(high - low, 1e-12)), _LEVELS - 1).astype(np.int64)
    count = np.bincount(level.ravel(), minlength=_LEVELS).astype(np.float64)
    below = np.cumsum(count)[:-1] / grey.size
    moment = np.cumsum(count * np.arange(_LEVELS)) / grey.size
    between = (moment[-1] * below - moment[:-1]) ** 2 / np.maximum(below * (1 - below), 1e-12)
    as_good = np.flatnonzero(between >= (1 - _AS_GOOD) * between.max())
    return low + (high - low) * (float(as_good[0] + as_good[-1]) / 2 + 1) / _LEVELS


def _separation(maps: TextureMaps, dark: Bool[np.ndarray, "height width"], part: tuple[slice, slice]) -> float:
    grey, here = maps.fine.grey[part], dark[part]
    share, total = float(here.mean()), float(grey.var())
    if not 0 < share < 1 or total == 0:
        return 0.0
    return share * (1 - share) * (float(grey[here].mean()) - float(grey[~here].mean())) ** 2 / total


def _particles(phase: Bool[np.ndarray, "height width"], tone: str) -> tuple[Cue, Cue]:
    pieces, _ = label(phase)
    areas = np.bincount(pieces.ravel())
    height, width = phase.shape
    count, whole = 0, []
    for k, box in enumerate(find_objects(pieces), start=1):
        if areas[k] < _LEAST_AREA_PX2 or box[0].start == 0 or box[1].start == 0:
            continue
        count += 1
        if box[0].stop < height and box[1].stop < width:
            whole.append(2 * math.sqrt(areas[k] / math.pi))
    scale = 1e6 / phase.size
    diameter = float(np.mean(whole)) if whole else None
    many = graded(count * scale, (30.0, 200.0, 1000.0), ("a few", "some", "many", "very many"))
    if count == 0:
        sentence = f"No separate {tone} particles."
    elif diameter is None:
        sentence = f"There are {many} separate {tone} particles, none of them whole in view."
    else:
        sentence = f"There are {many} separate {tone} particles, about {two_digits(diameter)} px across."
    return (
        Cue(
            name=f"{tone} particles",
            value=count * scale,
            uncertainty=math.sqrt(max(count, 1)) * scale,
            unit=PARTICLES_UNIT,
            sentence=sentence,
        ),
        Cue(
            name=f"{tone} particle diameter",
            value=diameter,
            uncertainty=float(np.std(whole, ddof=1)) / math.sqrt(len(whole)) if len(whole) > 1 else None,
            unit="px",
            sentence=f"Whole {tone} particles are {two_digits(diameter)} px across on average."
            if diameter is not None
            else f"No {tone} particle is whole in view.",
        ),
    )
