"""Find the lattice of a hexagonal monolayer in a scan, and every site of it, occupied or not.

The first-order reflections of the lattice carry a phase that follows each smooth distortion of the scan.
Demodulating them gives lattice coordinates at every pixel, and a site is where these take the values that
the unit cell prescribes. Nothing is looked for site by site, so a missing atom is found as surely as its
neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from jaxtyping import Bool, Complex, Float
from scipy.fft import fft2, fftfreq
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter, median_filter
from skimage.restoration import unwrap_phase

from micrographia.errors import InputError
from micrographia.findings import LatticeCheck
from micrographia.simulate.specimens.hosts import LATTICE_UNCERTAINTY

MIN_SPACING_PX: Final = 4.0
"""Smallest lattice constant that is looked for [px]: below it the columns are not resolved."""
LEAST_STRENGTH: Final = 0.3
"""Sites are judged where the lattice shows at this fraction of its usual amplitude, or more."""
_SMOOTHING: Final = 2.0
"""Standard deviation of the window in which the lattice's phase is measured, in lattice constants."""
_LEAST_PERIODS: Final = 4.0
"""Reflections with fewer periods than this across the scan are not told from what varies slowly."""
_MIN_STRENGTH: Final = 12.0
"""A reflection counts when its power exceeds this many times the median power at its spatial frequency."""


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """A hexagonal lattice with a smooth distortion.

    Parameters
    ----------
    g_per_px : float array (3, 2)
        Mean first-order reciprocal vectors (x, y) [1/px], which add up to zero.
    phase_rad : float array (2, height, width)
        Total phase of the first two reflections at every pixel [rad], unwrapped. Lattice coordinates are
        the phase over 2 pi, up to an origin common to the whole scan.
    strength : float array (height, width)
        Local amplitude of the reflections, a measure of how well the lattice shows: 1 where it shows as in most
        of the scan.
    """

    g_per_px: Float[np.ndarray, "3 2"]
    phase_rad: Float[np.ndarray, "2 height width"]
    strength: Float[np.ndarray, "height width"]

    @property
    def a_px(self) -> float:
        """Mean lattice constant [px]."""
        return float(2 / np.sqrt(3) / np.sqrt(abs(np.linalg.det(self.g_per_px[:2])) * 2 / np.sqrt(3)))

    @property
    def cell_area_px(self) -> float:
        """Mean area of the unit cell [px^2]."""
        return float(1 / abs(np.linalg.det(self.g_per_px[:2])))


def find_lattice(frames: Float[np.ndarray, "channel height width"], *, file: str) -> Lattice:
    """Find the hexagonal lattice of a scan.

    Parameters
    ----------
    frames : float array (channel, height, width)
        Simultaneous detectors; they share one lattice.
    file : str
        Name for messages.

    Raises
    ------
    InputError
        The scan is too small, has no contrast, or shows no hexagonal lattice.

    Notes
    -----
    The phase is measured as in geometric phase analysis, DOI 10.1016/S0304-3991(98)00035-7.
    """
    _, height, width = frames.shape
    if min(height, width) < 32:
        raise InputError(f"{file}: scan is {width} × {height} px; at least 32 × 32 px are needed to find a lattice")
    if not (np.ptp(frames, axis=(1, 2)) > 0).all():
        raise InputError(f"{file}: all pixels of a channel are equal; give a scan with contrast")
    flat = np.stack([_flattened(frame) for frame in frames])
    g = _first_order(flat, file)
    g = _refined(flat, g)
    a_px = 2 / np.sqrt(3) / np.mean(np.hypot(*g.T))
    if np.sqrt(3) * _LEAST_PERIODS > min(height, width) * np.mean(np.hypot(*g.T)):
        # These may be second-order reflections, sqrt(3) times as long, of a lattice too coarse for this scan.
        raise InputError(
            f"{file}: scan is {width} × {height} px, too small to tell its lattice; at least 6 lattice constants "
            "across are needed"
        )
    phases, amplitude = _demodulated(flat, g, sigma_px=_SMOOTHING * a_px)
    # Where the lattice fills less than half of the scan, the median is not the lattice's.
    strength = amplitude / max(float(np.median(amplitude)), 0.5 * float(np.percentile(amplitude, 95)))
    g[:2] = _gradient(phases, strength > LEAST_STRENGTH)
    g[2] = -g[0] - g[1]
    return Lattice(g_per_px=g, phase_rad=phases, strength=strength)


def _flattened(frame: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Remove what varies slowly, and scale to unit variance."""
    image = frame.astype(np.float64)
    image = image - gaussian_filter(image, min(image.shape) / 16)
    flat: Float[np.ndarray, "height width"] = image / image.std()
    return flat


def _first_order(flat: Float[np.ndarray, "channel height width"], file: str) -> Float[np.ndarray, "3 2"]:
    """Find the shortest hexagon of strong reflections."""
    _, height, width = flat.shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    power = (np.abs(fft2(flat * window, axes=(1, 2))) ** 2).sum(axis=0)
    fy, fx = np.meshgrid(fftfreq(height), fftfreq(width), indexing="ij")
    radius = np.hypot(fx, fy)
    # Noise and haze fall off with frequency: compare each reflection with the median at its own radius.
    bins = (radius * min(height, width) / 2).astype(int)
    floor = np.array([np.median(power[bins == b]) if (bins == b).any() else np.inf for b in range(bins.max() + 1)])
    floor = np.maximum(median_filter(floor, 5, mode="nearest"), 1e-300)
    excess = power / floor[bins]
    longest = 2 / np.sqrt(3) / MIN_SPACING_PX
    allowed = (radius > _LEAST_PERIODS / min(height, width)) & (radius < longest) & ((fx > 0) | ((fx == 0) & (fy > 0)))
    peaks = (excess == maximum_filter(excess, 5, mode="wrap")) & allowed & (excess > _MIN_STRENGTH)
    rows, cols = np.nonzero(peaks)
    strongest = np.argsort(-excess[rows, cols])[:40]
    vectors = np.stack([fx[rows, cols], fy[rows, cols]], axis=1)[strongest]
    strengths = excess[rows, cols][strongest]

    def strength_at(v: Float[np.ndarray, " 2"]) -> float:
        row, col = round(float(v[1]) * height), round(float(v[0]) * width)
        window = np.ix_(np.arange(row - 2, row + 3) % height, np.arange(col - 2, col + 3) % width)
        return float(excess[window].max())

    hexagons = []
    for i, j in combinations(range(len(vectors)), 2):
        u, v = vectors[i], vectors[j]
        if u @ v < 0:
            v = -v
        third = v - u
        lengths = np.hypot(*np.stack([u, v, third], axis=1))
        # 15 % covers a scan stretched or sheared as much as scans are.
        if lengths.max() < 1.15 * lengths.min() and lengths.max() < longest:
            weakest = min(float(strengths[i]), float(strengths[j]), strength_at(third))
            if weakest > _MIN_STRENGTH:
                hexagons.append((weakest, np.stack([u, -v, third])))
    if not hexagons:
        raise InputError(
            f"{file}: no hexagonal lattice shows; give an atomic-resolution scan of an MX2 monolayer seen along its "
            f"normal, with a lattice constant of at least {MIN_SPACING_PX:g} px"
        )
    best = max(weakest for weakest, _ in hexagons)
    # Higher orders make hexagons too; the first order is the shortest that is not far weaker than the best.
    strong = [h for weakest, h in hexagons if weakest > max(_MIN_STRENGTH, 0.02 * best)]
    return min(strong, key=lambda h: float(np.hypot(*h.T).mean()))


def _refined(flat: Float[np.ndarray, "channel height width"], g: Float[np.ndarray, "3 2"]) -> Float[np.ndarray, "3 2"]:
    """Place reciprocal vectors between the pixels of the transform, by the phase step between scan quarters."""
    _, height, width = flat.shape
    x, y = np.arange(width), np.arange(height)
    window = np.hanning(height)[:, None] * np.hanning(width)
    g = g.copy()
    for _ in range(3):
        for k in range(2):
            wave = np.exp(-2j * np.pi * (g[k, 0] * x + g[k, 1] * y[:, None])) * window
            spectrum = (flat * wave).reshape(len(flat), -1)
            total = spectrum.sum(axis=1)
            xs = np.broadcast_to(x - x.mean(), (height, width)).ravel()
            ys = np.broadcast_to((y - y.mean())[:, None], (height, width)).ravel()
            norm = (window.ravel() * xs**2).sum(), (window.ravel() * ys**2).sum()
            # First moments of the demodulated scan tell how fast its phase still turns.
            turn = [
                float(np.sum(np.imag((spectrum @ axis) * total.conj())) / np.sum(np.abs(total) ** 2)) * window.sum() / n
                for axis, n in ((xs, norm[0]), (ys, norm[1]))
            ]
            g[k] += np.array(turn) / (2 * np.pi)
        g[2] = -g[0] - g[1]
    return g


def _demodulated(
    flat: Float[np.ndarray, "channel height width"], g: Float[np.ndarray, "3 2"], sigma_px: float
) -> tuple[Float[np.ndarray, "2 height width"], Float[np.ndarray, "height width"]]:
    """Return the total phase of the first two reflections, and the mean amplitude of all three."""
    _, height, width = flat.shape
    x, y = np.arange(width), np.arange(height)[:, None]
    # The channels may show the unit cell with different, even inverted, contrast: turn each to a common phase.
    local = np.empty((3, height, width), dtype=complex)
    coverage = gaussian_filter(np.ones((height, width)), sigma_px, mode="constant")
    for k in range(3):
        wave = np.exp(-2j * np.pi * (g[k, 0] * x + g[k, 1] * y))
        parts = np.stack([_smoothed(frame * wave, sigma_px) / coverage for frame in flat])
        reference = parts[np.argmax(np.abs(parts).mean(axis=(1, 2)))]
        turned = [part * np.exp(-1j * np.angle(np.vdot(reference, part))) for part in parts]
        local[k] = np.sum(turned, axis=0)
    # Three reflections for two coordinates: share the closure error of the third among all.
    closure = np.prod(local, axis=0)
    common = np.angle(closure.sum())
    error = np.angle(closure * np.exp(-1j * common)) / 3
    phases = np.stack(
        [
            unwrap_phase(np.angle(local[k] * np.exp(-1j * error)), rng=0) + 2 * np.pi * (g[k, 0] * x + g[k, 1] * y)
            for k in range(2)
        ]
    )
    return phases, np.abs(local).mean(axis=0)


def _smoothed(image: Complex[np.ndarray, "height width"], sigma_px: float) -> Complex[np.ndarray, "height width"]:
    real = gaussian_filter(image.real, sigma_px, mode="constant")
    smooth: Complex[np.ndarray, "height width"] = real + 1j * gaussian_filter(image.imag, sigma_px, mode="constant")
    return smooth


def place_sites(
    lattice: Lattice, origin: Float[np.ndarray, " 2"], *, margin_px: float
) -> tuple[Float[np.ndarray, " site"], Float[np.ndarray, " site"]]:
    """Return where the lattice coordinates equal an integer plus an origin.

    Parameters
    ----------
    lattice : Lattice
        The lattice.
    origin : float array (2,)
        Lattice coordinates of the wanted site in the unit cell.
    margin_px : float
        Sites closer than this to an edge are left out [px]; negative values go past the edge.

    Returns
    -------
    x_px, y_px : float array (site,)
        Positions [px].
    """
    _, height, width = lattice.phase_rad.shape
    inverse = np.linalg.inv(lattice.g_per_px[:2])
    coordinates = lattice.phase_rad / (2 * np.pi)
    # A lattice constant past the edge is 1.2 in lattice coordinates.
    past = 2 - 1.2 * min(margin_px, 0.0) / lattice.a_px
    low = np.floor(coordinates.min(axis=(1, 2)) - past)
    high = np.ceil(coordinates.max(axis=(1, 2)) + past)
    n1, n2 = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
    wanted = np.stack([n1.ravel(), n2.ravel()], axis=1) + origin
    rows, cols = np.mgrid[0:height, 0:width]
    smooth = coordinates - np.stack([g[0] * cols + g[1] * rows for g in lattice.g_per_px[:2]])
    xy = (wanted - np.median(smooth, axis=(1, 2))) @ inverse.T
    for _ in range(8):
        offset = np.stack(
            [map_coordinates(smooth[k], [xy[:, 1], xy[:, 0]], order=1, mode="nearest") for k in range(2)], axis=1
        )
        xy = (wanted - offset) @ inverse.T
    x, y = xy.T
    inside = (x >= margin_px) & (x <= width - 1 - margin_px) & (y >= margin_px) & (y <= height - 1 - margin_px)
    return x[inside], y[inside]


def well_ordered(
    lattice: Lattice,
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    *,
    least: float = LEAST_STRENGTH,
) -> Bool[np.ndarray, " site"]:
    """Return which positions lie where the lattice shows, at ``least`` this fraction of its median amplitude."""
    values = map_coordinates(lattice.strength, [y_px, x_px], order=1, mode="nearest")
    shown: Bool[np.ndarray, " site"] = values > least
    return shown


def check_lattice(lattice: Lattice, *, lattice_constant_nm: float, header_pixel_size_nm: float | None) -> LatticeCheck:
    """Hold the lattice against the host's lattice constant and the recorded pixel size.

    Parameters
    ----------
    lattice : Lattice
        The lattice.
    lattice_constant_nm : float
        Lattice constant of the host [nm].
    header_pixel_size_nm : float, optional
        Recorded pixel size [nm].

    Notes
    -----
    The standard error of a spacing comes from those quarters of the scan that show the lattice, so that it holds
    scan distortion as well as noise. The uncertainty of the pixel size adds that of the lattice constant and the
    disagreement of the three directions.
    """
    _, height, width = lattice.phase_rad.shape
    rows, cols = np.mgrid[0:height, 0:width]
    quarters = [
        np.s_[top : top + height // 2, left : left + width // 2] for top in (0, height // 2) for left in (0, width // 2)
    ]
    shown = lattice.strength > LEAST_STRENGTH
    spacings = np.array(
        [
            _spacings(_gradient(lattice.phase_rad[(slice(None), *q)], shown[q]))[0]
            for q in quarters
            if shown[q].mean() > 0.5
        ]
    )
    mean, directions = _spacings(lattice.g_per_px[:2])
    plane = np.stack([2 * np.pi * (g[0] * cols + g[1] * rows) for g in lattice.g_per_px[:2]])
    smooth = lattice.phase_rad - plane
    smooth = smooth[:, shown] - smooth[:, shown].mean(axis=1, keepdims=True)
    displacement = np.linalg.inv(lattice.g_per_px[:2]) @ smooth / (2 * np.pi)
    # Without two quarters to compare, the difference between directions has to do.
    sd = spacings.std(axis=0, ddof=1) / np.sqrt(len(spacings)) if len(spacings) > 1 else np.full(3, mean.std(ddof=1))
    pixel_size_nm = lattice_constant_nm / lattice.a_px
    relative = np.sqrt(
        LATTICE_UNCERTAINTY**2 + (mean.std(ddof=1) / mean.mean()) ** 2 / 3 + float(np.mean((sd / mean) ** 2))
    )
    return LatticeCheck(
        spacings_px=(float(mean[0]), float(mean[1]), float(mean[2])),
        spacings_sd_px=(float(sd[0]), float(sd[1]), float(sd[2])),
        directions_deg=(float(directions[0]), float(directions[1]), float(directions[2])),
        distortion_rms_px=float(np.sqrt(np.mean(np.sum(displacement**2, axis=0)))),
        host_lattice_constant_nm=lattice_constant_nm,
        pixel_size_nm=pixel_size_nm,
        pixel_size_sd_nm=float(pixel_size_nm * relative),
        header_pixel_size_nm=header_pixel_size_nm,
    )


def _gradient(
    phase_rad: Float[np.ndarray, "2 height width"], shown: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "2 2"]:
    """Return the mean reciprocal vectors (x, y) of what is shown of a part of the scan [1/px], by least squares."""
    rows, cols = np.nonzero(shown)
    design = np.stack([cols - cols.mean(), rows - rows.mean()])
    phase = phase_rad[:, rows, cols]
    gradient: Float[np.ndarray, "2 2"] = np.linalg.solve(design @ design.T, design @ phase.T).T / (2 * np.pi)
    return gradient


def _spacings(g_per_px: Float[np.ndarray, "2 2"]) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Return repeat distances [px] along the close-packed directions, and these [° counter-clockwise on the screen]."""
    a, b = np.linalg.inv(g_per_px).T
    # Reciprocal vectors 120° apart belong to direct ones 60° apart, whose difference is as short.
    third = a - b if a @ b > 0 else a + b
    vectors = np.stack([a, b, third])
    return np.hypot(*vectors.T), np.rad2deg(np.arctan2(-vectors[:, 1], vectors[:, 0])) % 180
