"""What made-up micrographs are made of: noise of a known spectrum, reliefs, and cells around seeds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Int, Int32
from PIL import Image
from scipy import fft, ndimage

Picture = Float32[np.ndarray, "side side"]

_FEWEST_SEEDS: Final = 2


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a size, so that each octave is as likely as the next; ``low`` where ``high`` lies below it."""
    return float(low * (max(high, low) / low) ** rng.random())


def stretched(values: Float[np.ndarray, "side side"]) -> Picture:
    """Return values moved to 0..1, but for the outermost hundredths, which are cut off.

    Examples
    --------
    >>> stretched(np.linspace(3, 5, 1024).reshape(32, 32)).max().item()
    1.0
    """
    low, high = np.percentile(values[::3, ::3], (0.5, 99.5))
    found: Picture = np.clip((values - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return found


@lru_cache(maxsize=8)
def axes(side_px: int) -> tuple[Float32[np.ndarray, "side 1"], Float32[np.ndarray, "1 side"]]:
    """Return the rows and columns of a picture's pixels, from its middle [px]."""
    line = np.arange(side_px, dtype=np.float32) - (side_px - 1) / 2
    return line[:, None], line[None, :]


@lru_cache(maxsize=8)
def _frequencies(side_px: int) -> tuple[Float32[np.ndarray, "side 1"], Float32[np.ndarray, "1 half"]]:
    """Return the frequencies of a real picture's Fourier transform [1/px]."""
    rows, columns = fft.fftfreq(side_px), fft.rfftfreq(side_px)
    return rows.astype(np.float32)[:, None], columns.astype(np.float32)[None, :]


def _of_spectrum(rng: np.random.Generator, amplitude: Float32[np.ndarray, "side half"], *, side_px: int) -> Picture:
    parts = rng.standard_normal((2, *amplitude.shape), dtype=np.float32)
    field = fft.irfft2((parts[0] + 1j * parts[1]) * amplitude, s=(side_px, side_px))
    found: Picture = ((field - field.mean()) / max(field.std(), 1e-12)).astype(np.float32)
    return found


def coloured_noise(rng: np.random.Generator, *, side_px: int, beta: float) -> Picture:
    """Return noise whose power falls with frequency as 1/f^beta; mean 0, standard deviation 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws.
    side_px : int
        Side of the picture [px].
    beta : float
        0: white; 2 to 4: like rough surfaces.

    Returns
    -------
    float32 array (side, side)

    Examples
    --------
    >>> coloured_noise(np.random.default_rng(0), side_px=32, beta=2.0).shape
    (32, 32)
    """
    rows, columns = _frequencies(side_px)
    squared = rows**2 + columns**2
    squared[0, 0] = np.inf
    return _of_spectrum(rng, squared ** np.float32(-beta / 4), side_px=side_px)


def band_noise(
    rng: np.random.Generator,
    *,
    side_px: int,
    period_px: float,
    width: float,
    aspect: float = 1.0,
    angle_rad: float = 0.0,
) -> Picture:
    """Return noise of one period: blobs and worms of one size; mean 0, standard deviation 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws.
    side_px : int
        Side of the picture [px].
    period_px : float
        Period [px].
    width : float
        Standard deviation of the frequencies, in fractions of 1/period.
    aspect : float
        How many times longer than the period structures are along ``angle_rad``.
    angle_rad : float
        Direction of the long axis [rad].

    Returns
    -------
    float32 array (side, side)
    """
    rows, columns = _frequencies(side_px)
    c, s = np.float32(np.cos(angle_rad)), np.float32(np.sin(angle_rad))
    along, across = (columns * c + rows * s) * np.float32(aspect), rows * c - columns * s
    off = (np.hypot(along, across) * np.float32(period_px) - 1) / np.float32(width)
    amplitude = np.exp(-0.5 * off * off)
    amplitude[0, 0] = 0
    # A period beyond the picture leaves no frequency but the lowest.
    amplitude[0, 1] += 1e-6
    return _of_spectrum(rng, amplitude, side_px=side_px)


def smooth_noise(rng: np.random.Generator, *, side_px: int, scale_px: float) -> Picture:
    """Return smooth hills of about unit height, that far apart [px]."""
    spans = side_px / scale_px
    coarse = rng.standard_normal((int(np.ceil(spans)) + 4,) * 2, dtype=np.float32)
    box = (1.5, 1.5, 1.5 + spans, 1.5 + spans)
    return np.array(Image.fromarray(coarse).resize((side_px, side_px), Image.Resampling.BICUBIC, box=box))


def relief(height: Float32[np.ndarray, "side side"], *, azimuth_rad: float, elevation_rad: float) -> Picture:
    """Return how bright a matt surface is under a light: the cosine between its normal and the light (Lambert's law).

    Parameters
    ----------
    height : float array (side, side)
        Heights [px].
    azimuth_rad : float
        Where the light comes from, from the columns' axis towards the rows' [rad].
    elevation_rad : float
        How far above the picture's plane it stands [rad].

    Returns
    -------
    float32 array (side, side)
        0 (in shade) to 1 (facing the light).

    Examples
    --------
    >>> round(relief(np.zeros((8, 8), np.float32), azimuth_rad=0.0, elevation_rad=np.pi / 6).max().item(), 3)
    0.5
    """
    down, right = np.gradient(height)
    flat = np.cos(elevation_rad)
    towards = np.sin(elevation_rad) - flat * (np.cos(azimuth_rad) * right + np.sin(azimuth_rad) * down)
    lit: Picture = np.clip(towards / np.sqrt(1 + right * right + down * down), 0, 1).astype(np.float32)
    return lit


def edge_bright(height: Float32[np.ndarray, "side side"], *, most: float = 4.0) -> Picture:
    """Return the yield of secondary electrons over that of a flat surface: 1/cos of the tilt, at most ``most``.

    L. Reimer (1998), Scanning Electron Microscopy, doi:10.1007/978-3-540-38967-5, section 4.2.
    """
    down, right = np.gradient(height)
    found: Picture = np.minimum(np.sqrt(1 + right * right + down * down), most).astype(np.float32)
    return found


def hollows(height: Float32[np.ndarray, "side side"], *, reach_px: float) -> Picture:
    """Return how far a surface lies below its surroundings [px]: there few electrons escape."""
    size = max(3, int(reach_px) | 1)
    found: Picture = np.maximum(ndimage.uniform_filter(height, size) - height, 0).astype(np.float32)
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """The cells of seeds: each pixel belongs to the nearest one (Voronoi).

    Parameters
    ----------
    label : int array (side, side)
        Number of a pixel's seed.
    down_px, right_px : float array (side, side)
        Where the pixel lies from its seed [px].
    count : int
        Number of seeds.
    """

    label: Int32[np.ndarray, "side side"]
    down_px: Picture
    right_px: Picture
    count: int

    def each(self, values: Float[np.ndarray, " seed"]) -> Picture:
        """Return a value per seed, laid out on its cell."""
        found: Picture = values.astype(np.float32)[self.label]
        return found

    def borders(self) -> Picture:
        """Return 1 where the pixel below or to the right belongs to another cell, and 0 elsewhere."""
        found = np.zeros(self.label.shape, np.float32)
        found[:-1] = self.label[1:] != self.label[:-1]
        found[:, :-1] += self.label[:, 1:] != self.label[:, :-1]
        lines: Picture = np.minimum(found, 1)
        return lines


def cells(
    seeds: Int[np.ndarray, "seed 2"], *, side_px: int, warp: Float32[np.ndarray, "2 side side"] | None = None
) -> Cells:
    """Return the cells of some seeds.

    Parameters
    ----------
    seeds : int array (seed, 2)
        Rows and columns, each pair once [px].
    side_px : int
        Side of the picture [px].
    warp : float array (2, side, side), optional
        How far from its place each pixel is looked up, so that borders are bent [px].

    Examples
    --------
    >>> cells(np.array([[0, 0], [0, 7]]), side_px=8).label[4].tolist()
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    free = np.ones((side_px, side_px), bool)
    free[seeds[:, 0], seeds[:, 1]] = False
    row, column = ndimage.distance_transform_edt(free, return_distances=False, return_indices=True)
    numbers = np.zeros((side_px, side_px), np.int32)
    numbers[seeds[:, 0], seeds[:, 1]] = np.arange(len(seeds))
    label = numbers[row, column]
    if warp is not None:
        at = np.arange(side_px)
        y = np.clip(at[:, None] + np.rint(warp[0]).astype(int), 0, side_px - 1)
        x = np.clip(at[None, :] + np.rint(warp[1]).astype(int), 0, side_px - 1)
        label = label[y, x]
    line = np.arange(side_px, dtype=np.float32)
    down, right = line[:, None] - seeds[:, 0].astype(np.float32)[label], line - seeds[:, 1].astype(np.float32)[label]
    return Cells(label=label, down_px=down, right_px=right, count=len(seeds))


def scatter(
    rng: np.random.Generator, *, side_px: int, spacing_px: float, disorder: float, angle_rad: float = 0.0
) -> Int[np.ndarray, "seed 2"]:
    """Draw seeds, from a square grid to places at random.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws.
    side_px : int
        Side of the picture [px].
    spacing_px : float
        Mean distance to the next seed [px].
    disorder : float
        Standard deviation of a seed's place on the grid, in spacings; 0.5 or more: as at random.
    angle_rad : float
        Turn of the grid [rad].

    Returns
    -------
    int array (seed, 2)
        Rows and columns, each pair once; two or more.
    """
    reach = int(np.ceil(0.75 * side_px / spacing_px)) + 1
    steps = np.arange(-reach, reach + 1) * spacing_px
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    grid = grid + rng.uniform(0, spacing_px, 2) + rng.standard_normal(grid.shape) * disorder * spacing_px
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    at = np.rint(grid @ np.array([[c, s], [-s, c]]) + side_px / 2).astype(int)
    at = at[((at >= 0) & (at < side_px)).all(axis=1)]
    found = np.unique(at @ np.array([side_px, 1]))
    if len(found) < _FEWEST_SEEDS:
        found = np.sort(rng.choice(side_px * side_px, _FEWEST_SEEDS, replace=False))
    return np.stack(np.divmod(found, side_px), axis=1)
