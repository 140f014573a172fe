"""Made-up micrographs of what fills space: grains, lamellae, layers, two phases grown apart, and foam."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from micrographia.learn.fusion.fields import (
    Cells,
    Picture,
    axes,
    band_noise,
    cells,
    coloured_noise,
    log_uniform,
    scatter,
    smooth_noise,
    stretched,
)


def bent_cells(rng: np.random.Generator, *, side_px: int, spacing_px: float, disorder: float | None = None) -> Cells:
    """Return cells of about one size, their borders straight or bent."""
    mess = rng.choice([0.15, 0.3, 0.6]) if disorder is None else disorder
    seeds = scatter(rng, side_px=side_px, spacing_px=spacing_px, disorder=mess, angle_rad=rng.uniform(0, np.pi))
    warp = None
    if rng.random() < 0.6:
        bend_px = spacing_px * rng.uniform(0.03, 0.25)
        scale_px = max(2.0, spacing_px * rng.uniform(0.15, 1.2))
        warp = bend_px * np.stack([smooth_noise(rng, side_px=side_px, scale_px=scale_px) for _ in range(2)])
    return cells(seeds, side_px=side_px, warp=warp)


def grains(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return a polycrystal: grains each of its grey, with borders, twins, sub-grains and inclusions now and then."""
    spacing_px = log_uniform(rng, 4, side_px / 2.5)
    polycrystal = bent_cells(rng, side_px=side_px, spacing_px=spacing_px)
    count = polycrystal.count
    tones = rng.random(count) if rng.random() < 0.7 else rng.choice([0.2, 0.5, 0.9], count)
    grey = polycrystal.each(tones)
    slope = rng.standard_normal((2, count)) * rng.choice([0.0, 0.15, 0.5]) / spacing_px
    grey += polycrystal.each(slope[0]) * polycrystal.down_px + polycrystal.each(slope[1]) * polycrystal.right_px
    if rng.random() < 0.4:
        period_px = spacing_px * rng.uniform(0.15, 0.8, count)
        phase = _across(polycrystal, rng.uniform(0, np.pi, count)) / polycrystal.each(period_px)
        twinned = (rng.random(count) < rng.uniform(0.2, 0.9)) * rng.uniform(-0.6, 0.6, count)
        grey += polycrystal.each(twinned) * ((phase % 1) < rng.uniform(0.15, 0.5))
    if rng.random() < 0.3:
        finer = bent_cells(rng, side_px=side_px, spacing_px=max(3.0, spacing_px * rng.uniform(0.1, 0.4)))
        grey += rng.uniform(0.1, 0.5) * finer.each(rng.standard_normal(finer.count))
    if rng.random() < 0.6:
        thick_px = log_uniform(rng, 0.5, max(0.6, spacing_px / 12))
        border = ndimage.gaussian_filter(polycrystal.borders(), thick_px, truncate=3)
        grey += rng.choice([-1.2, 1.0]) * rng.uniform(0.4, 1) * np.minimum(border / max(border.max(), 1e-6) * 1.5, 1)
    if rng.random() < 0.3:
        dots = band_noise(rng, side_px=side_px, period_px=log_uniform(rng, 4, 30), width=0.5)
        grey += rng.choice([-0.8, 0.8]) * (dots > rng.uniform(1.8, 2.6))
    return stretched(grey + rng.uniform(0, 0.1) * coloured_noise(rng, side_px=side_px, beta=rng.uniform(0, 2)))


def _across(colonies: Cells, angle_rad: Float[np.ndarray, " seed"]) -> Picture:
    """Return how far each pixel lies from its seed along the seed's direction [px]."""
    c, s = colonies.each(np.cos(angle_rad)), colonies.each(np.sin(angle_rad))
    across: Picture = colonies.right_px * c + colonies.down_px * s
    return across


def stripes(phase: Float[np.ndarray, "side side"], *, share: float, soft: float) -> Picture:
    """Return lamellae of two phases.

    Parameters
    ----------
    phase : float array (side, side)
        Place across the lamellae, in periods.
    share : float
        Share of the bright phase.
    soft : float
        Width of the step between the phases, in periods.

    Returns
    -------
    float32 array (side, side)
        1 in the bright phase, 0 in the dark one.

    Examples
    --------
    >>> stripes(np.arange(8).reshape(1, 8) / 4, share=0.5, soft=1e-3).round(3).tolist()
    [[1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]]
    """
    # Around the bright lamella's middle, which lies a quarter of its width past the start of a period.
    off = np.abs((phase - share / 2 + 0.5 + soft / 2) % 1 - 0.5)
    return np.clip((share / 2 - off) / soft + 0.5, 0, 1).astype(np.float32)


def pearlite(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return colonies of lamellae, here and there broken up, with grains of one phase between them."""
    spacing_px = log_uniform(rng, 24, side_px * 0.9)
    colonies = bent_cells(rng, side_px=side_px, spacing_px=spacing_px)
    count = colonies.count
    period_px = log_uniform(rng, 4, min(30.0, side_px / 5)) * np.exp(0.25 * rng.standard_normal(count))
    wave_px = max(6.0, spacing_px * rng.uniform(0.2, 1))
    wavy = smooth_noise(rng, side_px=side_px, scale_px=wave_px) * rng.uniform(0, 0.06) * wave_px
    phase = (_across(colonies, rng.uniform(0, np.pi, count)) + wavy) / colonies.each(period_px)
    share = rng.uniform(0.15, 0.6)
    lamellae = stripes(phase, share=share, soft=rng.uniform(0.1, 0.4))
    if rng.random() < 0.4:
        gaps = band_noise(rng, side_px=side_px, period_px=float(period_px.mean()) * rng.uniform(1, 3), width=0.4)
        lamellae *= np.clip(2 * (gaps + rng.uniform(0.2, 1)), 0, 1)
    free = rng.random(count) < rng.choice([0.0, 0.1, 0.35])
    grey = np.where(colonies.each(free) > 0, rng.uniform(-0.2, 1.2), lamellae)
    grey += rng.uniform(0, 0.4) * colonies.each(rng.standard_normal(count))
    return stretched(grey + rng.uniform(0, 0.15) * coloured_noise(rng, side_px=side_px, beta=1.0))


def layers(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return a cross-section through layers, thick or thin, rough or smooth, some with columns or pores."""
    y, x = axes(side_px)
    tilt = rng.normal(0, 0.08) if rng.random() < 0.7 else rng.uniform(-0.8, 0.8)
    depth = (y * np.cos(tilt) + x * np.sin(tilt)).astype(np.float32)
    rough_px = log_uniform(rng, 0.3, side_px / 12)
    depth += rough_px * smooth_noise(rng, side_px=side_px, scale_px=log_uniform(rng, 5, side_px))
    thick_px = log_uniform(rng, 3, side_px / 2.5)
    spread = rng.choice([0.0, 0.3, 0.9])
    count = int(np.ceil(2.5 * side_px / thick_px)) + 2
    thickness = thick_px * np.exp(spread * rng.standard_normal(count))
    alternate = rng.random() < 0.4
    tones = np.where(np.arange(count) % 2, rng.random(), rng.random()) if alternate else rng.random(count)
    tones = tones + 0.1 * rng.standard_normal(count)
    # A table over depth at eight steps a pixel, its steps softened.
    edges = np.cumsum(thickness) - rng.uniform(0.8, 1.2) * side_px
    at = np.arange(-1.2 * side_px, 1.2 * side_px, 0.125)
    number = np.minimum(np.searchsorted(edges, at), count - 1)
    place = np.clip(((depth + 1.2 * side_px) * 8).astype(np.int32), 0, len(at) - 1)
    tone = ndimage.gaussian_filter1d(tones[number], 8 * log_uniform(rng, 0.3, thick_px / 3)).astype(np.float32)
    grey = tone[place]
    of = number[place]
    columns_px = log_uniform(rng, 3, 40)
    columnar = ndimage.gaussian_filter1d(rng.standard_normal(side_px), columns_px / 3)
    columnar = (columnar / max(columnar.std(), 1e-6)).astype(np.float32)
    sway = rng.uniform(0, 1.5) * columns_px * smooth_noise(rng, side_px=side_px, scale_px=side_px / 4)
    streaks = columnar[np.clip((x + side_px / 2 + sway).astype(np.int32), 0, side_px - 1)]
    grey += (rng.choice([0.0, 0.0, 0.25], count) * rng.random(count)).astype(np.float32)[of] * streaks
    mottle = coloured_noise(rng, side_px=side_px, beta=rng.uniform(0.5, 2.5))
    grey += rng.uniform(0, 0.2, count).astype(np.float32)[of] * mottle
    if rng.random() < 0.35:
        pores = band_noise(rng, side_px=side_px, period_px=log_uniform(rng, 5, 40), width=0.4)
        porous = (rng.random(count) < 0.4).astype(np.float32)[of]
        grey -= 0.7 * porous * np.clip(3 * (pores - rng.uniform(0.8, 1.8)), 0, 1)
    if rng.random() < 0.35:
        vacuum = rng.uniform(-0.35, 0) * side_px
        grey = np.where(depth < vacuum, rng.choice([grey.min() - 0.3, grey.max() + 0.3]), grey)
    return stretched(grey)


def spinodal(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return two phases grown apart: worms, mazes, stripes or islands, their borders soft or sharp, once or twice."""
    period_px = log_uniform(rng, 6, side_px / 2)
    aspect = rng.choice([1.0, 1.0, rng.uniform(1.5, 6)])
    field = band_noise(
        rng, side_px=side_px, period_px=period_px, width=rng.uniform(0.08, 0.45),
        aspect=float(aspect), angle_rad=rng.uniform(0, np.pi),
    )  # fmt: skip
    steep = log_uniform(rng, 0.8, 12)
    cut = rng.normal(0, 0.6)
    grey = np.tanh(steep * (field - cut))
    style = rng.integers(4)
    if style == 1:  # labyrinths: contours of the field
        grey = np.cos(field * rng.uniform(2, 7) + cut)
    elif style == 2:  # a third phase on the border
        grey += rng.choice([-1.5, 1.5]) * np.exp(-(((field - cut) * steep * 0.5) ** 2))
    elif style == 3:  # a finer one inside one of the two
        finer = band_noise(rng, side_px=side_px, period_px=max(4, period_px * rng.uniform(0.1, 0.4)), width=0.2)
        grey = np.where(field > cut, grey, np.tanh(3 * finer) * rng.uniform(0.4, 1))
    mottle = coloured_noise(rng, side_px=side_px, beta=rng.uniform(0, 2))
    return stretched(grey.astype(np.float32) + rng.uniform(0, 0.2) * mottle)


def foam(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return pores, round or with facets, with walls of one thickness, and more pores seen through them."""
    spacing_px = log_uniform(rng, 7, side_px / 2.2)
    grey = np.zeros((side_px, side_px), np.float32)
    style = rng.integers(3)
    for depth in range(int(rng.integers(1, 4))):
        size_px = max(5.0, spacing_px * 0.75**depth)
        pores = bent_cells(rng, side_px=side_px, spacing_px=size_px, disorder=rng.choice([0.12, 0.25, 0.5]))
        if style == 0:  # facets: what lies far from any border
            inner = pores.borders() == 0
            inner[[0, -1]], inner[:, [0, -1]] = True, True
            away = ndimage.distance_transform_edt(inner).astype(np.float32)
            hole = away - rng.uniform(0.08, 0.22) * size_px
        else:
            radius = size_px * rng.uniform(0.3, 0.62) * np.exp(rng.uniform(0, 0.4) * rng.standard_normal(pores.count))
            hole = pores.each(radius) - np.hypot(pores.down_px, pores.right_px)
        open_ = np.clip(hole + 0.5, 0, 1)
        rim = np.exp(-np.maximum(np.abs(hole) - 0.5, 0) / max(0.7, rng.uniform(0.03, 0.15) * size_px))
        front = 1 + rng.uniform(0, 0.9) * rim
        inside = np.clip(hole / size_px, 0, 1) * rng.uniform(-1.2, 0.4)
        sunk = grey * rng.uniform(0.3, 0.7) + inside if depth else inside
        grey = (front * (1 - open_) + sunk * open_).astype(np.float32)
        if style == 2:
            grey += 0.2 * smooth_noise(rng, side_px=side_px, scale_px=size_px)
    return stretched(grey + rng.uniform(0, 0.15) * coloured_noise(rng, side_px=side_px, beta=1.5))
