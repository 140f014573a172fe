"""Made-up micrographs of surfaces: rough ones, tips and mounds before a void, and crystals with bright edges."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from micrographia.learn.fusion.fields import (
    Picture,
    axes,
    coloured_noise,
    edge_bright,
    hollows,
    log_uniform,
    relief,
    smooth_noise,
    stretched,
)


def fractal(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return a rough surface, 1/f^beta: lit from a side, or as grey itself; in ridges, terraces or plain."""
    height = coloured_noise(rng, side_px=side_px, beta=rng.uniform(1.8, 4))
    style = rng.integers(4)
    if style == 1:
        height = -np.abs(height - np.float32(rng.normal(0, 0.5)))
    elif style == 2:
        steps = rng.uniform(2, 9)
        at = height * np.float32(steps)
        height = (np.floor(at) + np.clip((at % 1) * rng.uniform(1.5, 8), 0, 1)).astype(np.float32) / np.float32(steps)
    elif style == 3:  # a fracture's: scales that face different ways
        other = coloured_noise(rng, side_px=side_px, beta=3.0)
        height = np.maximum(height, other + np.float32(rng.normal(0, 0.5)))
    if rng.random() < 0.25:
        return stretched(height)
    height = ndimage.gaussian_filter(height, log_uniform(rng, 0.3, side_px / 60), truncate=3)
    # Slopes of about one, whatever beta is.
    rise = height * np.float32(rng.uniform(0.3, 1.5) / max(float(np.diff(height, axis=1).std()), 1e-6))
    lit = relief(rise, azimuth_rad=rng.uniform(0, 2 * np.pi), elevation_rad=rng.uniform(0.25, 1.3))
    grey = lit + rng.uniform(0, 0.4) * edge_bright(rise) + rng.uniform(0, 0.3) * height
    return stretched(grey - rng.uniform(0, 0.1) * hollows(rise, reach_px=log_uniform(rng, 5, 40)))


def tips(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return tips, pillars, or the rim of a film or a mound before an even ground."""
    y, x = axes(side_px)
    turn = rng.normal(0, 0.25)
    up, along = -(y * np.cos(turn) + x * np.sin(turn)), x * np.cos(turn) - y * np.sin(turn)
    void = 0.15 * smooth_noise(rng, side_px=side_px, scale_px=side_px * rng.uniform(0.3, 1))
    height, inside = np.zeros((side_px, side_px), np.float32), np.zeros((side_px, side_px), np.float32)
    texture = coloured_noise(rng, side_px=side_px, beta=rng.uniform(1, 3))
    if rng.random() < 0.65:
        for _ in range(int(rng.integers(2, 8))):
            top, place = rng.uniform(-0.1, 0.5) * side_px, rng.uniform(-0.5, 0.5) * side_px
            below = np.maximum(top - up, 0)
            taper, blunt_px = rng.uniform(0.02, 0.6), log_uniform(rng, 1.5, side_px / 8)
            half = np.sqrt(below * (2 * blunt_px * rng.uniform(0.5, 2)))
            half = np.minimum(half, blunt_px + taper * below) + 0.03 * rng.uniform(0, 1) * texture * blunt_px
            off = (along - place + rng.normal(0, 0.15) * below) / np.maximum(half, 0.3)
            dome = np.sqrt(np.clip(1 - off * off, 0, 1))
            there = np.clip((1 - np.abs(off)) * half + 0.5, 0, 1) * (below > 0)
            height = np.where(there > 0.5, dome * half, height).astype(np.float32)
            inside = np.maximum(inside, there)
    else:
        rim = side_px * (
            rng.uniform(-0.1, 0.25) - rng.uniform(0, 0.6) * (along / side_px - rng.uniform(-0.3, 0.3)) ** 2
        )
        rough = smooth_noise(rng, side_px=side_px, scale_px=log_uniform(rng, 6, side_px / 2))
        depth = rim - up + log_uniform(rng, 1, side_px / 12) * rough
        inside = np.clip(depth + 0.5, 0, 1).astype(np.float32)
        curl_px = log_uniform(rng, 3, side_px / 3)
        height = (curl_px * np.sqrt(np.clip(1 - np.clip(1 - depth / curl_px, 0, 1) ** 2, 0, 1))).astype(np.float32)
        height = height + rng.uniform(0, 2) * texture
    height = ndimage.gaussian_filter(height, 0.7, truncate=3)
    lit = relief(height, azimuth_rad=rng.uniform(0, 2 * np.pi), elevation_rad=rng.uniform(0.4, 1.4))
    body = 0.4 + rng.uniform(0.1, 0.8) * lit + rng.uniform(0, 0.25) * edge_bright(height) + 0.1 * texture
    return stretched(inside * body + (1 - inside) * (rng.choice([0.0, 0.2, 1.2]) + void))


def edges(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return crystals and flakes on top of each other: flat facets, each of its grey, with bright edges."""
    canvas, heights = (Image.new("L", (2 * side_px, 2 * side_px)) for _ in range(2))
    draw, rise = ImageDraw.Draw(canvas), ImageDraw.Draw(heights)
    size_px = log_uniform(rng, side_px / 25, side_px / 2.5)
    count = int(np.clip(rng.uniform(0.4, 2.5) * (side_px / size_px) ** 2, 4, 220))
    corners, solid = int(rng.integers(3, 9)), rng.random() < 0.6
    clear = rng.random() < 0.3
    for number in range(count):
        middle, radius_px = rng.uniform(-0.1, 1.1, 2) * side_px, size_px * np.exp(0.4 * rng.standard_normal())
        around = (
            rng.uniform(0, 2 * np.pi) + 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
        )
        squeeze = np.array([1, rng.uniform(0.4, 1)])
        ring = middle + radius_px * np.stack([np.cos(around), np.sin(around)], axis=1) * squeeze
        tone = rng.uniform(40, 200)
        level = int(255 * (number + 1) / count)
        if clear:  # flakes seen through each other come later, as a difference
            tone = 40 + 0.5 * level
        draw.polygon((2 * ring).ravel().tolist(), fill=int(tone))
        rise.polygon((2 * ring).ravel().tolist(), fill=level)
        if solid:  # facets that meet in a point or around a smaller face
            inner = middle + (ring - middle) * rng.uniform(0, 0.7) + 0.2 * radius_px * rng.uniform(-1, 1, 2)
            light = rng.uniform(0, 2 * np.pi)
            for at in range(corners):
                after = (at + 1) % corners
                face = np.array([ring[at], ring[after], inner[after], inner[at]])
                lit = tone * (1 + 0.4 * np.cos(around[at] - light))
                draw.polygon((2 * face).ravel().tolist(), fill=int(min(lit, 255)))
    grey = np.asarray(canvas.reduce(2), dtype=np.float32) / 255
    height = np.asarray(heights.reduce(2), dtype=np.float32) / 255
    sharp_px = log_uniform(rng, 0.6, max(0.8, size_px / 10))
    steps = ndimage.gaussian_gradient_magnitude(height, sharp_px) * sharp_px
    facets = ndimage.gaussian_gradient_magnitude(grey, 0.7)
    grey = rng.uniform(0.4, 1) * grey + rng.uniform(0.3, 2) * steps + rng.uniform(0, 1) * facets
    grey += rng.uniform(-0.5, 0.5) * height
    grey -= rng.uniform(0, 1) * hollows(height, reach_px=size_px)
    return stretched(grey + rng.uniform(0, 0.06) * coloured_noise(rng, side_px=side_px, beta=rng.uniform(0.5, 2.5)))
