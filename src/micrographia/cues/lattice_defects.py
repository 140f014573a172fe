"""Defects of a lattice: the share of its cells that differ from the mean cell. No material is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from jaxtyping import Bool, Complex, Float, Int
from scipy.ndimage import correlate1d, gaussian_filter, map_coordinates

from micrographia.cues.cue import Cue
from micrographia.cues.grounds import WORKING_SIDE_PX, working_copy
from micrographia.cues.periodicity import Periodicity
from micrographia.cues.texture_maps import two_digits

_LEAST_SPACING_PX: Final = 4.0
_MOST_SPACING_PX: Final = 80.0
_LEAST_SHARE: Final = 0.08
_LEAST_ANGLE_DEG: Final = 25.0
_LONGEST_RATIO: Final = 2.1
_FEWEST_CELLS: Final = 60
_LEAST_OF_STRONGEST: Final = 0.03
_SPACING_PX: Final = 8.0
_MOST_SIDE_PX: Final = 640
_SMOOTHING: Final = 0.12
_MOST_SMOOTHING_PX: Final = 1.5
_RELATIVE_SD: Final = 0.3
_SAME_AREA: Final = 1.15
_SAMPLES: Final = 6
_SMOOTHING_CELLS: Final = 1.6
_AROUND_CELLS: Final = 4
_SDS: Final = 5.0
_LEAST_SPREAD: Final = 0.1
_LEAST_DIFFERENCE: Final = 0.02
_OTHER_SDS: Final = (4.0, 6.5)
_MOST_DIFFER: Final = 25.0
_NO_LATTICE: Final = "The image shows no lattice, so it has no lattice defects."


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """A lattice as it lies in an image.

    Parameters
    ----------
    g_per_px : float array (2, 2)
        Two reciprocal vectors, (down, right) each [1/px].
    phase : float array (2, height, width)
        Lattice coordinates minus those of the mean lattice, at every pixel [cells]: the distortion.
    """

    g_per_px: Float[np.ndarray, "2 2"]
    phase: Float[np.ndarray, "2 height width"]


def lattice_defects(frame: Float[np.ndarray, "height width"], found: Periodicity) -> Cue:
    r"""Return the share of lattice cells that differ from the mean cell.

    Two of the strongest peaks of the spectrum span the lattice: those of the longest spacings that are not in line.
    Its local phase at both follows smooth distortions of the scan. Each cell is sampled at the same 6 × 6 places and
    compared with the median cell, of which brightness and contrast follow those of its surroundings. It differs where
    the mean of its differences, each over the usual one at its place, exceeds their median over all cells by 5 robust
    standard deviations. Of images larger than 640 px, when the cell is 8 px large, the middle is looked at.

    Parameters
    ----------
    frame : float array (height, width)
        Intensities in any units.
    found : Periodicity
        What repeats in it.

    Returns
    -------
    Cue
        ``lattice defects`` [%]; None unless the image shows a lattice of at least 60 cells, in peaks that hold 8 % of
        the variance. The uncertainty covers counting, and thresholds of 4 and 6.5 standard deviations.

    Notes
    -----
    The phase as in geometric phase analysis: M. J. Hÿtch et al., doi:10.1016/S0304-3991(98)00035-7.

    Examples
    --------
    >>> from micrographia.cues.periodicity import periodicity
    >>> y, x = np.mgrid[:240, :240]
    >>> atoms = np.exp(-((y % 12 - 6) ** 2 + (x % 12 - 6) ** 2) / 8)
    >>> for row, col in ((60, 60), (120, 84), (84, 180)):
    ...     atoms[row : row + 12, col : col + 12] = 0  # 3 of 400 are missing, of 361 whole cells seen
    >>> atoms += np.random.default_rng(0).normal(0, 0.02, atoms.shape)
    >>> print(f"{lattice_defects(atoms, periodicity(atoms)).value:.1f} %")
    0.8 %
    """
    g = _basis(found)
    if g is None:
        return _none(_NO_LATTICE)
    shortest = float(1 / np.hypot(*g.T).max())
    grey, zoom = working_copy(frame, side=max(WORKING_SIDE_PX, round(max(frame.shape) * _SPACING_PX / shortest)))
    grey, g = _middle(grey), g * zoom
    # Noise of a pixel says nothing of a cell; smoothing must leave the cell its shape.
    grey = gaussian_filter(grey, min(_SMOOTHING * shortest / zoom, _MOST_SMOOTHING_PX))
    scores, shown = _differences(grey, Cells(g_per_px=g, phase=_distortion(grey, g)))
    if shown < _FEWEST_CELLS:
        return _none(f"The image shows a lattice, but only {shown} whole cells of it: too few to compare.")
    count = int(_differs(scores, _SDS).sum())
    others = [int(_differs(scores, sds).sum()) for sds in _OTHER_SDS]
    share = 100 * count / shown
    if share > _MOST_DIFFER:
        return _none(
            "The lattice changes so much over the image that single cells cannot be compared with a mean cell."
        )
    off = math.sqrt(float(np.mean([(other - count) ** 2 for other in others])))
    doubt = math.sqrt(off**2 + count + 1 + (_RELATIVE_SD * count) ** 2)
    return Cue(
        name="lattice defects",
        value=share,
        uncertainty=100 * doubt / shown,
        unit="%",
        sentence=f"None of {shown} lattice cells differs from the mean cell."
        if not count
        else f"{count} of {shown} lattice cells ({two_digits(share)} %) differ from the mean cell.",
    )


def _middle(grey: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return the middle of an image, of 640 px along either side at most."""
    top, left = (max(0, (n - _MOST_SIDE_PX) // 2) for n in grey.shape)
    return grey[top : top + _MOST_SIDE_PX, left : left + _MOST_SIDE_PX]


def _none(sentence: str) -> Cue:
    return Cue(name="lattice defects", value=None, uncertainty=None, unit="%", sentence=sentence)


def _basis(found: Periodicity) -> Float[np.ndarray, "2 2"] | None:
    """Return two reciprocal vectors (down, right) that span the lattice; None without one."""
    usable = [peak for peak in found.peaks if 1 / _MOST_SPACING_PX <= math.hypot(*peak.place) <= 1 / _LEAST_SPACING_PX]
    strongest = max((peak.share for peak in usable), default=0.0)
    strong = [peak for peak in usable if peak.share >= _LEAST_OF_STRONGEST * strongest]
    pairs = []
    for first, second in combinations(strong, 2):
        pair = np.array([first.place, second.place])
        lengths, area = np.hypot(*pair.T), abs(float(np.linalg.det(pair)))
        sine = area / float(lengths.prod())
        if sine >= math.sin(math.radians(_LEAST_ANGLE_DEG)) and lengths.max() <= _LONGEST_RATIO * lengths.min():
            pairs.append((area, pair))
    if not pairs or sum(peak.share for peak in strong) < _LEAST_SHARE:
        return None
    # Of the pairs that span the whole lattice, the shortest vectors are placed best by their phase.
    least = min(area for area, _ in pairs)
    area, g = min(
        ((area, pair) for area, pair in pairs if area <= _SAME_AREA * least),
        key=lambda found: float(np.hypot(*found[1].T).sum()),
    )
    pixels = len(found.spectrum.row_frequency) * 2 * (len(found.spectrum.col_frequency) - 1)
    return g if pixels * area >= _FEWEST_CELLS else None


def _distortion(
    grey: Float[np.ndarray, "height width"], g: Float[np.ndarray, "2 2"]
) -> Float[np.ndarray, "2 height width"]:
    """Return how far lattice coordinates run ahead of those of the mean lattice, at every pixel [cells]."""
    height, width = grey.shape
    sigma = _SMOOTHING_CELLS / float(np.hypot(*g.T).min())
    grey = grey.astype(np.float32)
    flat = grey - gaussian_filter(grey, sigma, truncate=3.0)
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    found = np.zeros((2, height, width))
    for k, (down, right) in enumerate(g):
        wave = flat * np.exp(-2j * np.pi * (down * y + right * x)).astype(np.complex64)
        first = _unwrapped(_blurred(wave, sigma))
        # What the blur has levelled off of the distortion shows when the rest is taken off.
        rest = np.angle(_blurred(wave * np.exp(-1j * first).astype(np.complex64), sigma))
        found[k] = (first + rest) / (2 * np.pi)
    return found


def _blurred(image: Complex[np.ndarray, "height width"], sigma: float) -> Complex[np.ndarray, "height width"]:
    smooth: Complex[np.ndarray, "height width"] = gaussian_filter(
        image.real, sigma, truncate=3.0
    ) + 1j * gaussian_filter(image.imag, sigma, truncate=3.0)
    return smooth


def _unwrapped(wave: Complex[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return the phase of a smooth wave without its jumps: down the middle column, then out along the rows."""
    phase = np.angle(wave)
    middle = phase.shape[1] // 2
    out = np.empty_like(phase)
    out[:, middle:] = np.unwrap(phase[:, middle:], axis=1)
    out[:, middle::-1] = np.unwrap(phase[:, middle::-1], axis=1)
    down = np.unwrap(phase[:, middle]) - phase[:, middle]
    return np.asarray(out + down[:, None])


def _differences(grey: Float[np.ndarray, "height width"], cells: Cells) -> tuple[Float[np.ndarray, " cell"], int]:
    """Return by how much each whole cell differs from the mean cell, and how many cells there are."""
    origin, ways = _corners(grey.shape, cells)
    offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    inside = np.stack([o.ravel() for o in np.meshgrid(offsets, offsets, indexing="ij")], axis=1)
    # Within a cell the distortion hardly changes.
    steps = (inside - 0.5) @ np.linalg.inv(cells.g_per_px).T
    where = _positions(origin + 0.5, cells)[:, None, :] + steps[None]
    height, width = grey.shape
    whole = ((where >= 1) & (where <= np.array([height, width]) - 2)).all(axis=(1, 2))
    where, ways = where[whole], ways[whole]
    if len(where) < _FEWEST_CELLS:
        return np.zeros(0), len(where)
    values = map_coordinates(grey, [where[..., 0], where[..., 1]], order=1, mode="nearest")
    mean = np.median(values, axis=0)
    shape = mean - mean.mean()
    gains = values @ shape / max(float(shape @ shape), 1e-300)
    scores, whole_cells = np.zeros(len(where)), np.ones(len(where))
    # In the second round cells that differ are not taken for what their neighbours should be like.
    for _ in range(2):
        level = _of_neighbours(values.mean(axis=1), whole_cells, ways)
        gain = _of_neighbours(gains, whole_cells, ways)
        apart = values - level[:, None] - gain[:, None] * shape[None]
        # Each place of the cell has its own spread: flanks differ by jitter more than hollows do.
        spread = 1.4826 * np.median(np.abs(apart - np.median(apart, axis=0)), axis=0)
        spread = np.hypot(spread, _LEAST_DIFFERENCE * float(np.ptp(mean)))
        scores = np.abs(apart / spread).mean(axis=1)
        whole_cells = (~_differs(scores, _SDS)).astype(float)
    return scores, len(where)


def _differs(scores: Float[np.ndarray, " cell"], sds: float) -> Bool[np.ndarray, " cell"]:
    """Tell which cells differ from the mean cell."""
    middle = float(np.median(scores))
    spread = 1.4826 * float(np.median(np.abs(scores - middle)))
    # Cells of a lattice without noise hardly differ at all.
    return np.asarray(scores > middle + sds * max(spread, _LEAST_SPREAD, middle / 3))


def _corners(shape: tuple[int, ...], cells: Cells) -> tuple[Float[np.ndarray, "cell 2"], Int[np.ndarray, "cell 2"]]:
    """Return the lattice coordinates of the corners of all cells that may lie in the image, as numbers and rounded."""
    ends = np.array([[0, 0], [0, shape[1]], [shape[0], 0], [shape[0], shape[1]]]) @ cells.g_per_px.T
    low, high = np.floor(ends.min(axis=0)) - 2, np.ceil(ends.max(axis=0)) + 2
    first, second = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1), indexing="ij")
    numbers = np.stack([first.ravel(), second.ravel()], axis=1)
    # The phase of the first order is zero on sites: with those in the middle, a defect lies in one cell.
    return numbers - 0.5, numbers.astype(np.int64)


def _positions(places: Float[np.ndarray, "place 2"], cells: Cells) -> Float[np.ndarray, "place 2"]:
    """Return where (row, column) lattice coordinates take these values, by following the distortion."""
    inverse = np.linalg.inv(cells.g_per_px)
    where = places @ inverse.T
    for _ in range(6):
        ahead = np.stack(
            [map_coordinates(part, [where[:, 0], where[:, 1]], order=1, mode="nearest") for part in cells.phase], axis=1
        )
        where = (places - ahead) @ inverse.T
    return np.asarray(where)


def _of_neighbours(
    values: Float[np.ndarray, " cell"], weights: Float[np.ndarray, " cell"], ways: Int[np.ndarray, "cell 2"]
) -> Float[np.ndarray, " cell"]:
    """Return the weighted mean over the cells around each, itself not counted."""
    low = ways.min(axis=0)
    size = ways.max(axis=0) - low + 1
    place = tuple((ways - low).T)
    grid, there = np.zeros(size), np.zeros(size)
    grid[place], there[place] = values * weights, weights
    reach = np.arange(-_AROUND_CELLS, _AROUND_CELLS + 1)
    weight = np.exp(-(reach**2) / (_AROUND_CELLS**2 / 2))
    itself = (1 / weight.sum()) ** 2

    def around(field: Float[np.ndarray, "first second"]) -> Float[np.ndarray, "first second"]:
        rows = correlate1d(field, weight / weight.sum(), axis=0, mode="constant")
        return np.asarray(correlate1d(rows, weight / weight.sum(), axis=1, mode="constant") - itself * field)

    near = around(grid) / np.maximum(around(there), 1e-12)
    return np.asarray(near[place])
