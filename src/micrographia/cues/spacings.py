"""Dominant spacings: the strongest periodicities of a micrograph."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter

from micrographia.cues.cue import Cue, length_words, picture
from micrographia.cues.spectrum import BINS_PER_SAMPLE, Spectrum, hann, power_spectrum, radial_profile
from micrographia.micrograph import Micrograph

_MOST: Final = 6
_MOST_TRIED: Final = 80
_FEWEST_PERIODS: Final = 6
# One image in a thousand without any periodicity may show one.
_FALSE_ALARM: Final = 1e-3
# The window's side lobes are below this part of a peak, so weaker companions of a strong peak are not believed.
_DYNAMIC_RANGE: Final = 1e-6
_NEAR_RANGE: Final = 1e-3
_APART_BINS: Final = 4.0
_CLEAR_BINS: Final = 3
_FAR_BINS: Final = 8
_LN2: Final = math.log(2)

Frame = Float[np.ndarray, "height width"]


def dominant_spacings(micrograph: Micrograph, *, channel: int = 0) -> tuple[Cue, ...]:
    r"""Return the strongest periodicities: period, direction, and how far each stands above the background.

    Peaks of the power spectrum are compared with three backgrounds (the ring of the same radius, the surroundings,
    the ray through the origin), and must exceed the largest of them by so much that speckle would do it
    in one image of a thousand. Spots on a streak do not count. A position is refined to the maximum of the
    continuous transform. Its variance along an axis is, for a strength :math:`R` and a window :math:`w`,

    .. math:: \mathrm{var}(q_x) = \frac{(\sum w)^2 \sum w^2 x^2}{8\pi^2 R \sum w^2\,(\sum w x^2)^2}

    (from a small displacement of the maximum by white noise). Differences between the quarters of the image beyond
    that, from a distorted scan or a bent lattice, are added.

    Parameters
    ----------
    micrograph : Micrograph
        What to look at.
    channel : int
        Which channel.

    Returns
    -------
    tuple of Cue
        Up to six, named ``spacing``, the strongest first, with ``direction_deg``; values are in nm, or in px where the
        pixel size is unknown. When no periodicity stands out, one cue whose value is None. An error of the pixel size
        itself is not part of the uncertainty.

    Raises
    ------
    InputError
        All pixels are equal, or there is no such channel.

    Notes
    -----
    D. C. Rife and R. R. Boorstyn, IEEE Trans. Inf. Theory 20 (1974) 591, doi:10.1109/TIT.1974.1055282, for the
    maximum of the transform as the estimator of a frequency and for its variance.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> x = np.arange(128)
    >>> noise = np.random.default_rng(0).normal(0, 1, (1, 128, 128))
    >>> fringes = (np.cos(2 * np.pi * x / 9.7) + noise).astype(np.float32)
    >>> (found,) = dominant_spacings(
    ...     Micrograph(frames=fringes, pixel_size_nm=None, context=Context(), provenance=source))
    >>> print(f"{found.value:.2f} ± {found.uncertainty:.2f} px")
    9.71 ± 0.02 px
    """
    return spacings_of_frame(picture(micrograph, channel), pixel_size_nm=micrograph.pixel_size_nm, channel=channel)


def spacings_of_frame(frame: Frame, *, pixel_size_nm: float | None, channel: int = 0) -> tuple[Cue, ...]:
    """Return the periodicities of one frame without a bar of print, as `dominant_spacings` explains.

    Examples
    --------
    >>> fringes = np.cos(2 * np.pi * np.arange(128) / 9.7) + np.random.default_rng(0).normal(0, 1, (128, 128))
    >>> (found,) = spacings_of_frame(fringes, pixel_size_nm=None)
    >>> print(f"{found.value:.1f} {found.unit}")
    9.7 px
    """
    spectrum = power_spectrum(frame)
    size, unit = (pixel_size_nm, "nm") if pixel_size_nm else (1.0, "px")
    found = [
        spacing_at(frame, spectrum, row, col, strength, size, unit, channel) for row, col, strength in peaks(spectrum)
    ]
    if found:
        return tuple(found)
    return (
        Cue(
            name="spacing",
            value=None,
            uncertainty=None,
            unit=unit,
            sentence="No periodicity stands out of the power spectrum.",
            channel=channel,
        ),
    )


def peaks(spectrum: Spectrum, *, most: int = _MOST) -> list[tuple[int, int, float]]:
    """Return row, column and strength of the significant peaks, the strongest first.

    Rows are those of the transform: negative frequencies in the second half.
    """
    rows, cols = len(spectrum.row_frequency), len(spectrum.col_frequency)
    width = 2 * (cols - 1)
    power = np.fft.fftshift(spectrum.power, axes=0)
    zero = rows // 2
    radius = np.fft.fftshift(spectrum.radius, axes=0)
    profile = radial_profile(spectrum)
    ring = np.exp(np.interp(radius, profile.frequency, np.log(profile.background + 1e-300)))

    threshold = math.log(power.size / BINS_PER_SAMPLE / _FALSE_ALARM)
    usable = (radius * min(rows, width) >= _FEWEST_PERIODS) & (radius <= 0.5)
    usable[:zero, 0] = False  # the column of zero frequency holds each of its peaks twice
    peak = (power == maximum_filter(power, size=3, mode="wrap")) & usable & (power > threshold * ring)
    candidates = np.argwhere(peak)
    values = power[peak]
    strongest = float(values.max()) if len(values) else 0.0
    order = np.argsort(-values, kind="stable")[:_MOST_TRIED]

    kept: list[tuple[int, int, float]] = []
    for row, col in candidates[order]:
        value = float(power[row, col])
        near = [float(power[r, c]) for r, c, _ in kept if math.hypot(r - row, c - col) < 4 * _APART_BINS]
        if any(math.hypot(r - row, c - col) < _APART_BINS for r, c, _ in kept):
            continue
        if value < max([_NEAR_RANGE * v for v in near], default=0.0):
            continue
        background = max(float(ring[row, col]), _background(power, row, col, zero), _DYNAMIC_RANGE * strongest)
        if value > threshold * background and not _on_a_streak(power, row, col, zero, threshold):
            kept.append((int(row), int(col), value / background))
    kept.sort(key=lambda found: -power[found[0], found[1]])
    return [((row - zero) % rows, col, strength) for row, col, strength in kept[:most]]


def _background(power: np.ndarray, row: int, col: int, zero: int) -> float:
    """Return the larger of the mean power around a bin and along its ray, from medians."""
    down, right = np.mgrid[-_FAR_BINS : _FAR_BINS + 1, -_FAR_BINS : _FAR_BINS + 1]
    distance = np.hypot(down, right)
    around = (distance >= _CLEAR_BINS) & (distance <= _FAR_BINS)
    surroundings = _mirrored(power, row + down[around], col + right[around], zero)
    ray = _mean_along(power, row, col, zero, math.atan2(row - zero, col))
    return max(float(np.median(surroundings)) / _LN2, ray)


def _on_a_streak(power: np.ndarray, row: int, col: int, zero: int, threshold: float) -> bool:
    """Tell a bright spot of a streak, which a straight edge or its staircase of pixels leaves, from a peak."""
    streak = max(_mean_along(power, row, col, zero, math.pi * k / 12) for k in range(12))
    return float(power[row, col]) < threshold / 2 * streak


def _mean_along(power: np.ndarray, row: int, col: int, zero: int, angle: float) -> float:
    """Return the mean power along a line through a bin, on both sides of it, from the median."""
    along = np.arange(_CLEAR_BINS, _FAR_BINS + 3)
    offsets = np.concatenate([-along, along])
    rows = np.rint(row + offsets * math.sin(angle)).astype(int)
    cols = np.rint(col + offsets * math.cos(angle)).astype(int)
    away = np.hypot(rows - zero, cols) > 2  # what is next to zero frequency is shading
    return float(np.median(_mirrored(power, rows[away], cols[away], zero))) / _LN2


def _mirrored(power: np.ndarray, row: np.ndarray, col: np.ndarray, zero: int) -> np.ndarray:
    """Return power at bins of which some lie in the half plane that a real image repeats."""
    flip = (col < 0) | (col >= power.shape[1])
    inside = np.where(col < 0, -col, np.where(flip, 2 * (power.shape[1] - 1) - col, col))
    return np.asarray(power[np.where(flip, 2 * zero - row, row) % power.shape[0], inside])


def spacing_at(
    frame: Frame, spectrum: Spectrum, row: int, col: int, strength: float, size: float, unit: str, channel: int
) -> Cue:
    """Return the periodicity of one of the `peaks`, refined, as `dominant_spacings` explains."""
    start = np.array([spectrum.row_frequency[row], spectrum.col_frequency[col]])
    frequency = _refined(frame, start)
    sd = np.sqrt([_variance(length, other, strength) for length, other in (frame.shape, frame.shape[::-1])])
    quarters = np.array([_refined(part, frequency) for part in _quarters(frame)])
    # A quarter has half the length and a quarter of the pixels, so four times the standard deviation.
    excess = np.maximum(quarters.var(axis=0, ddof=1) / 4 - (4 * sd) ** 2 / 4, 0.0)
    sd = np.sqrt(sd**2 + excess)

    magnitude = float(np.hypot(*frequency))
    along = frequency / magnitude
    magnitude_sd = float(np.hypot(*(along * sd)))
    across_sd = float(np.hypot(along[1] * sd[0], along[0] * sd[1]))
    # Rows count downwards, angles upwards.
    direction = math.degrees(math.atan2(-frequency[0], frequency[1])) % 180.0
    direction = 0.0 if direction >= 180.0 - 1e-9 else direction
    period = 1 / magnitude
    return Cue(
        name="spacing",
        value=period * size,
        uncertainty=period * size * magnitude_sd / magnitude,
        unit=unit,
        sentence=_sentence(period, direction, strength, size, unit),
        channel=channel,
        direction_deg=direction,
        direction_sd_deg=math.degrees(across_sd / magnitude),
    )


def _sentence(period: float, direction: float, strength: float, size: float, unit: str) -> str:
    pixels = f" ({period:.3g} pixels)" if unit == "nm" else ""
    above = "far above" if strength >= 1000 else f"{strength:.0f} times"
    words = (
        f"Repeats every {length_words(period * size, unit)}{pixels} at {direction:.0f}° from the x axis, "
        f"{above} the background of the power spectrum."
    )
    if period < 3:
        words += " So near to the size of a pixel it may be interference or aliasing and not the specimen."
    if of_blocks(period, direction):
        words += " Eight pixels are a block of JPEG compression, and blocks leave this period along the axes."
    return words


def of_blocks(period_px: float, direction_deg: float) -> bool:
    """Tell whether JPEG compression, by blocks of 8 x 8 pixels, leaves this period in this direction.

    Examples
    --------
    >>> of_blocks(4.0, 90.0), of_blocks(4.2, 90.0), of_blocks(4.0, 30.0)
    (True, False, False)
    """
    order = 8 / period_px
    along_an_axis = min(abs(direction_deg), abs(direction_deg - 90), abs(direction_deg - 180)) < 0.5
    return along_an_axis and abs(order - round(order)) < 0.01


def _variance(length: int, other: int, strength: float) -> float:
    """Return the variance of a frequency along an axis of this length [px^-2], by the formula above."""
    window, across = hann(length), hann(other)
    x = np.arange(length) - (length - 1) / 2
    total = window.sum() * across.sum()
    squares = (window**2).sum() * (across**2).sum()
    moment = (window**2 * x**2).sum() * (across**2).sum()
    curvature = (window * x**2).sum() * across.sum()
    return float(total**2 * moment / (8 * math.pi**2 * strength * squares * curvature**2))


def _quarters(frame: Frame) -> tuple[Frame, Frame, Frame, Frame]:
    down, right = frame.shape[0] // 2, frame.shape[1] // 2
    return frame[:down, :right], frame[:down, right:], frame[down:, :right], frame[down:, right:]


def _refined(frame: Frame, start: np.ndarray) -> np.ndarray:
    """Return the frequency (down, right) [1/px] of the maximum of the windowed transform near ``start``.

    Newton's method on the logarithm of the power, whose derivatives are moments of the windowed image.
    """
    height, width = frame.shape
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    windowed = (frame - frame.mean()) * np.outer(hann(height), hann(width))
    bin_size = 1 / np.array([height, width])
    frequency = np.array(start, dtype=float)
    for _ in range(12):
        rows = np.exp(-2j * np.pi * frequency[0] * y)[:, None] * np.stack([np.ones(height), y, y**2], axis=1)
        cols = np.exp(-2j * np.pi * frequency[1] * x)[:, None] * np.stack([np.ones(width), x, x**2], axis=1)
        # Two real products: a complex one would copy the whole image into complex numbers each time.
        moments = rows.T @ (windowed @ cols.real + 1j * (windowed @ cols.imag))
        f = moments[0, 0]
        if abs(f) == 0:
            break
        first = -2j * np.pi * np.array([moments[1, 0], moments[0, 1]]) / f
        second = -4 * np.pi**2 * np.array([[moments[2, 0], moments[1, 1]], [moments[1, 1], moments[0, 2]]]) / f
        gradient = first.real
        hessian = (second - np.outer(first, first)).real
        if np.linalg.det(hessian) <= 0 or hessian[0, 0] >= 0:
            break  # not below a maximum: the start is the best there is
        step = np.clip(-np.linalg.solve(hessian, gradient), -bin_size / 2, bin_size / 2)
        moved = frequency + step
        if (np.abs(moved - start) > 1.5 * bin_size).any():
            break
        frequency = moved
        if (np.abs(step) < 1e-6 * bin_size).all():
            break
    return frequency
