"""Shapes of known size, drawn by which pixel centres they hold."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree


def bar(
    length: float,
    width: float,
    angle_deg: float,
    *,
    shape: tuple[int, int] = (160, 160),
    centre: tuple[float, float] = (79.6, 80.3),
) -> np.ndarray:
    """Bar at an angle counter-clockwise from x as seen on the screen (y down)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle = math.radians(angle_deg)
    along = (x - centre[1]) * math.cos(angle) - (y - centre[0]) * math.sin(angle)
    across = (x - centre[1]) * math.sin(angle) + (y - centre[0]) * math.cos(angle)
    return (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)


def disc(radius: float, *, shape: tuple[int, int], centre: tuple[float, float]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(y - centre[0], x - centre[1]) <= radius


def discs(centres: np.ndarray, radius: float, *, shape: tuple[int, int]) -> np.ndarray:
    """Union of discs."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    pixels = np.stack([y, x], axis=-1).reshape(-1, 2)
    if not len(centres):
        return np.zeros(shape, dtype=bool)
    return (cKDTree(centres).query(pixels)[0] <= radius).reshape(shape)


def squares(edge: int, *, shape: tuple[int, int], offset: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Grains that are squares, numbered from 1."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    rows, cols = (y + offset[0]) // edge, (x + offset[1]) // edge
    return 1 + rows * (cols.max() + 1) + cols


def voronoi(per_px2: float, *, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Poisson-Voronoi grains, with seeds beyond the border too."""
    beyond = 5 / math.sqrt(per_px2)
    extent = np.array(shape) + 2 * beyond
    seeds = rng.random((rng.poisson(per_px2 * extent.prod()), 2)) * extent - beyond
    y, x = np.mgrid[: shape[0], : shape[1]]
    return 1 + cKDTree(seeds).query(np.stack([y, x], axis=-1).reshape(-1, 2))[1].reshape(shape)
