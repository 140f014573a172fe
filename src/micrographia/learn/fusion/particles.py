"""Made-up micrographs of particles: touching, heaped, sparse on a ground, or grown in a matrix."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from micrographia.learn.fusion.fields import (
    Cells,
    Picture,
    cells,
    coloured_noise,
    edge_bright,
    hollows,
    log_uniform,
    relief,
    scatter,
    smooth_noise,
    stretched,
)

SHAPES: Final = ("round", "box", "hexagon", "triangle", "oval", "rod")


def out_of(
    around: Cells, *, shape: str, radius_px: Float[np.ndarray, " seed"], turn_rad: Float[np.ndarray, " seed"],
    aspect: Float[np.ndarray, " seed"],
) -> Picture:  # fmt: skip
    """Return how far out in its particle each pixel lies: 0 at the seed, 1 on the outline, more outside.

    Parameters
    ----------
    around : Cells
        One particle sits on each seed; it ends where its cell does.
    shape : str
        One of `SHAPES`.
    radius_px : float array (seed,)
        From the middle to the outline along the long axis [px].
    turn_rad : float array (seed,)
        Direction of the long axis [rad].
    aspect : float array (seed,)
        Length over width.
    """
    c, s = around.each(np.cos(turn_rad) / radius_px), around.each(np.sin(turn_rad) / radius_px)
    along = around.right_px * c + around.down_px * s
    across = (around.down_px * c - around.right_px * s) * around.each(aspect)
    if shape == "box":
        along, across = along * along, across * across
        out: Picture = np.sqrt(np.hypot(along, across))
    elif shape == "hexagon":
        across = np.abs(across)
        out = np.maximum(across, 0.5 * across + 0.866 * np.abs(along))
    elif shape == "triangle":
        out = np.maximum(-2 * across, across + 1.732 * np.abs(along))
    elif shape == "rod":
        out = np.maximum(np.abs(along), np.abs(across))
    else:
        out = np.hypot(along, across)
    return out


def _layer(
    rng: np.random.Generator, *, side_px: int, spacing_px: float, radius: tuple[float, float], aligned: bool = False,
    shape: str | None = None, disorder: float | None = None,
) -> tuple[Cells, Picture, Float[np.ndarray, " seed"]]:  # fmt: skip
    """Return the cells of a layer of particles, how far out each pixel lies in them, and their radii [px]."""
    angle = rng.uniform(0, np.pi)
    mess = float(rng.choice([0.1, 0.25, 0.5])) if disorder is None else disorder
    around = cells(
        scatter(rng, side_px=side_px, spacing_px=spacing_px, disorder=mess, angle_rad=angle), side_px=side_px
    )
    count = around.count
    spread = rng.choice([0.03, 0.2, 0.45])
    radius_px = spacing_px * rng.uniform(*radius) * np.exp(spread * rng.standard_normal(count))
    radius_px = np.clip(radius_px, 0.8, None)
    shape = str(rng.choice(SHAPES)) if shape is None else shape
    long = {"oval": rng.uniform(1.1, 2.5), "rod": rng.uniform(1.5, 5), "box": rng.uniform(1, 1.4)}.get(shape, 1.0)
    turn = np.full(count, angle) if aligned else rng.uniform(0, 2 * np.pi, count)
    aspect = 1 + (long - 1) * (np.ones(count) if aligned else rng.random(count))
    out = out_of(around, shape=shape, radius_px=radius_px, turn_rad=turn, aspect=aspect)
    return around, out, radius_px


def _covered(around: Cells, out: Picture, radius_px: Float[np.ndarray, " seed"]) -> Picture:
    """Return which share of each pixel a particle covers."""
    covered: Picture = np.clip((1 - out) * around.each(radius_px) + 0.5, 0, 1)
    return covered


def _shaded(rng: np.random.Generator, around: Cells, out: Picture, radius_px: Float[np.ndarray, " seed"]) -> Picture:
    """Return the grey of particles: shaded balls, flat discs, bright rims, shells, cores, or by thickness."""
    dome = np.sqrt(np.clip(1 - out * out, 0, 1))
    style = rng.integers(6)
    if style == 0:
        light = rng.uniform(0, 2 * np.pi)
        facing = (around.right_px * np.cos(light) + around.down_px * np.sin(light)) / around.each(radius_px)
        grey = 0.6 * dome + 0.5 * np.clip(facing, -1, 1)
    elif style == 1:
        grey = np.ones_like(out)
    elif style == 2:
        grey = 0.3 + np.clip(out, 0, 1) ** rng.uniform(2, 8)
    elif style == 3:
        grey = np.where(out > rng.uniform(0.6, 0.88), 1.0, rng.uniform(0, 0.5))
    elif style == 4:
        grey = np.where(out < rng.uniform(0.3, 0.7), 1.0, rng.uniform(0.1, 0.6))
    else:
        grey = dome
    shaded: Picture = grey + rng.uniform(0, 0.35) * around.each(rng.standard_normal(around.count))
    return shaded


def ground(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return what particles lie on: even, mottled, hilly or rough."""
    mottle = coloured_noise(rng, side_px=side_px, beta=rng.uniform(0, 3))
    hills = smooth_noise(rng, side_px=side_px, scale_px=log_uniform(rng, 10, side_px))
    mottled: Picture = rng.uniform(0.02, 0.2) * mottle + rng.uniform(0, 0.25) * hills
    return mottled


def touching(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return particles that touch, in one layer or two, each with satellites now and then."""
    spacing_px = log_uniform(rng, 6, side_px / 2)
    grey = rng.uniform(-0.6, 0.3) + ground(rng, side_px=side_px)
    for _ in range(int(rng.integers(1, 3))):
        around, out, radius_px = _layer(rng, side_px=side_px, spacing_px=spacing_px, radius=(0.4, 0.65))
        missing = around.each((rng.random(around.count) < rng.uniform(0, 0.5)).astype(float))
        covered = _covered(around, out, radius_px) * (1 - missing)
        shadow = ndimage.gaussian_filter(covered, spacing_px / 8, truncate=2)
        grey = grey - rng.uniform(0, 0.5) * shadow
        grey = grey * (1 - covered) + covered * _shaded(rng, around, out, radius_px)
        borders = ndimage.gaussian_filter(around.borders(), max(0.5, spacing_px / 30), truncate=3)
        grey = grey - rng.uniform(0, 0.8) * borders * covered
    if rng.random() < 0.35:
        near, small, small_px = _layer(
            rng, side_px=side_px, spacing_px=max(4, spacing_px * 0.3), radius=(0.2, 0.45), shape="round", disorder=0.6
        )
        there = _covered(near, small, small_px) * near.each((rng.random(near.count) < 0.4).astype(float))
        grey = grey * (1 - there) + there * _shaded(rng, near, small, small_px)
    return stretched(grey)


def powder(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return a heap of balls or blocks as an SEM shows it: lit from a side, edges bright, gaps dark."""
    size_px = log_uniform(rng, 7, side_px / 2)
    shape = str(rng.choice(["round", "round", "oval", "hexagon", "box"]))
    height = np.full((side_px, side_px), -size_px, np.float32)
    tone = np.zeros((side_px, side_px), np.float32)
    for number in range(int(rng.integers(2, 4))):
        spacing_px = max(5.0, size_px * rng.uniform(0.35, 1.2) if number else size_px)
        around, out, radius_px = _layer(
            rng, side_px=side_px, spacing_px=spacing_px, radius=(0.35, 0.75), shape=shape, disorder=0.45
        )
        dome = np.sqrt(np.clip(1 - out * out, 0, 1)) if shape in ("round", "oval") else np.clip(3 * (1 - out), 0, 1)
        base = rng.uniform(-0.6, 0.4, around.count) * size_px
        top = np.where(out < 1, around.each(base) + dome * around.each(radius_px), -size_px)
        tone = np.where(top > height, around.each(rng.standard_normal(around.count)), tone)
        height = np.maximum(height, top).astype(np.float32)
    if rng.random() < 0.6:
        height += size_px * rng.uniform(0.002, 0.02) * coloured_noise(rng, side_px=side_px, beta=rng.uniform(1.5, 3))
    lit = relief(height, azimuth_rad=rng.uniform(0, 2 * np.pi), elevation_rad=rng.uniform(0.2, 1.1))
    grey = rng.uniform(0.5, 1.5) * lit + rng.uniform(0, 0.3) * edge_bright(height, most=3) + rng.uniform(0, 0.25) * tone
    gaps = hollows(height, reach_px=size_px * rng.uniform(0.5, 1.5)) / size_px
    deep = np.maximum(height / size_px, -0.6)
    return stretched(grey + rng.uniform(0.1, 0.6) * deep - rng.uniform(0.1, 1) * np.minimum(gaps, 0.4))


def sparse(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return small particles on a ground: few or many, bright or dark, of one size or several, clustered or not."""
    grey = ground(rng, side_px=side_px)
    clusters = smooth_noise(rng, side_px=side_px, scale_px=log_uniform(rng, side_px / 10, side_px))
    sign = rng.choice([-1, 1])
    for _ in range(int(rng.integers(1, 4))):
        spacing_px = log_uniform(rng, 8, side_px / 3)
        around, out, radius_px = _layer(
            rng, side_px=side_px, spacing_px=spacing_px, radius=(0.1, 0.4), disorder=rng.choice([0.3, 0.6])
        )
        near = np.zeros(around.count)
        near[around.label.ravel()] = clusters.ravel()
        present = near > rng.uniform(-1.5, 0.6)
        covered = _covered(around, out, radius_px) * around.each(present.astype(float))
        body = sign * (0.4 + _shaded(rng, around, out, radius_px))
        grey = grey * (1 - covered) + covered * (body + rng.uniform(0, 0.5) * grey)
        if rng.random() < 0.3:  # a halo, as of charge or of focus
            halo = ndimage.gaussian_filter(covered, spacing_px / 6, truncate=2)
            grey = grey + rng.uniform(-0.6, 0.8) * halo
    return stretched(grey)


def precipitates(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return precipitates in a matrix: cubes in rows, with fine ones in the channels, or spheroids."""
    spacing_px = log_uniform(rng, 9, side_px / 2.5)
    cubes = rng.random() < 0.7
    around, out, radius_px = _layer(
        rng, side_px=side_px, spacing_px=spacing_px, radius=(0.32, 0.5) if cubes else (0.2, 0.45), aligned=cubes,
        shape="box" if cubes else str(rng.choice(["round", "oval"])), disorder=rng.uniform(0.04, 0.2 if cubes else 0.6),
    )  # fmt: skip
    covered = _covered(around, out, radius_px)
    if cubes:
        walls = ndimage.gaussian_filter(around.borders(), max(0.5, spacing_px / 40), truncate=3)
        covered *= np.clip(1 - 1.5 * walls, 0, 1)
    etched = np.clip(out, 0, 1) ** 6 * rng.uniform(-0.5, 0.6) + rng.uniform(0, 0.15) * around.each(
        rng.standard_normal(around.count)
    )
    matrix = ground(rng, side_px=side_px) * rng.uniform(0.2, 1)
    if rng.random() < 0.6:
        fine, small, small_px = _layer(
            rng, side_px=side_px, spacing_px=max(3.5, spacing_px * rng.uniform(0.08, 0.25)), radius=(0.25, 0.45),
            shape="round", disorder=0.3,
        )  # fmt: skip
        matrix = matrix + rng.uniform(0.4, 1) * _covered(fine, small, small_px)
    grain = rng.choice([0.0, 0.1]) * coloured_noise(rng, side_px=side_px, beta=rng.uniform(0, 2))
    return stretched(matrix * (1 - covered) + covered * (1 + etched) * rng.uniform(0.5, 1.2) + grain)
