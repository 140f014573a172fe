"""Made-up micrographs of what repeats: columns of atoms, fringes and rings, and patterns that were made."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float32
from PIL import Image, ImageDraw
from scipy import ndimage

from micrographia.learn.fusion.fields import (
    Picture,
    axes,
    cells,
    coloured_noise,
    log_uniform,
    scatter,
    smooth_noise,
    stretched,
)

_SITES: Final = 128
"""Columns of atoms along one side of the table that their heights repeat in."""


def columns(
    right_px: Float32[np.ndarray, "side side"], down_px: Float32[np.ndarray, "side side"], *,
    arms_px: tuple[float, float], between_rad: float, height: Float32[np.ndarray, "site site"], width_px: float,
    shift: tuple[float, float] = (0, 0),
) -> Picture:  # fmt: skip
    """Return columns of atoms on a lattice, as Gaussian peaks.

    Parameters
    ----------
    right_px, down_px : float32 array (side, side)
        Where each pixel lies along the first arm of the lattice, and across it [px]: turn and bend the lattice here.
    arms_px : tuple of float
        Lengths of the two arms of a cell [px].
    between_rad : float
        Angle between them [rad].
    height : float32 array (site, site)
        Heights of the peaks, which repeat where the table ends.
    width_px : float
        Standard deviation of a peak [px].
    shift : tuple of float
        Where in the cell the column stands, in fractions of the arms.

    Returns
    -------
    float32 array (side, side)
    """
    v = down_px / np.float32(arms_px[1] * np.sin(between_rad)) - np.float32(shift[1])
    u = (right_px - down_px / np.float32(np.tan(between_rad))) / np.float32(arms_px[0]) - np.float32(shift[0])
    at_u, at_v = np.floor(u), np.floor(v)
    found = np.zeros(u.shape, np.float32)
    for du in (0, 1):
        for dv in (0, 1):
            near_u, near_v = at_u + du, at_v + dv
            off_u, off_v = (u - near_u) * arms_px[0], (v - near_v) * arms_px[1]
            squared = off_u**2 + off_v**2 + 2 * np.cos(between_rad) * off_u * off_v
            at = height[near_u.astype(np.int32) % len(height), near_v.astype(np.int32) % height.shape[1]]
            found += at * np.exp(squared * np.float32(-0.5 / width_px**2))
    return found


def lattice(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return columns of atoms: square, hexagonal or oblique, of one or two sublattices, strained, with defects."""
    y, x = axes(side_px)
    arm_px = log_uniform(rng, 4, side_px / 4)
    between = float(rng.choice([np.pi / 2, np.pi / 3, rng.uniform(1.1, 1.5)]))
    arms_px = (arm_px, arm_px * (1.0 if rng.random() < 0.7 else rng.uniform(1.1, 1.8)))
    angle = np.full((side_px, side_px), rng.uniform(0, np.pi), np.float32)
    if rng.random() < 0.4:
        few = scatter(rng, side_px=side_px, spacing_px=side_px * rng.uniform(0.35, 1), disorder=0.5)
        crystals = cells(few, side_px=side_px)
        angle += crystals.each(rng.uniform(0, np.pi / 3, crystals.count) * rng.choice([0.2, 1.0]))
    bend_px = rng.choice([0.0, rng.uniform(0, 0.5) * arm_px])
    scale_px = max(3 * arm_px, side_px * rng.uniform(0.2, 1))
    bend = [np.float32(bend_px) * smooth_noise(rng, side_px=side_px, scale_px=scale_px) for _ in range(2)]
    c, s = np.cos(angle), np.sin(angle)
    right, down = (x + bend[0]) * c + (y + bend[1]) * s, (y + bend[1]) * c - (x + bend[0]) * s
    if rng.random() < 0.3:  # an edge dislocation: one more half-plane above it
        place = rng.uniform(-0.3, 0.3, 2) * side_px
        right = right + arms_px[0] / (2 * np.pi) * np.arctan2(down - np.float32(place[0]), right - np.float32(place[1]))
    if rng.random() < 0.25:  # a stacking fault or a boundary
        right = right + np.where(down > rng.uniform(-0.3, 0.3) * side_px, arms_px[0] * rng.uniform(0.2, 0.5), 0)
    width_px = arm_px * rng.uniform(0.12, 0.3)
    grey = np.zeros((side_px, side_px), np.float32)
    second = (1 / 3, 1 / 3) if abs(between - np.pi / 3) < 0.01 else (0.5, 0.5)
    for number in range(int(rng.integers(1, 3))):
        height = 1 + rng.uniform(0, 0.15) * rng.standard_normal((_SITES, _SITES))
        share = log_uniform(rng, 0.003, 0.12)
        height[rng.random(height.shape) < share] *= rng.choice([0.0, 0.4, 1.8])
        if rng.random() < 0.2:  # ordered: every second row another element
            height[:: int(rng.integers(2, 5))] *= rng.uniform(0.3, 0.8)
        grey += rng.uniform(0.3, 0.9) ** number * columns(
            right.astype(np.float32), down.astype(np.float32), arms_px=arms_px, between_rad=between,
            height=height.astype(np.float32), width_px=width_px * (1.0, 0.8)[number],
            shift=(0, 0) if number == 0 else second,
        )  # fmt: skip
    hills = smooth_noise(rng, side_px=side_px, scale_px=side_px * rng.uniform(0.15, 1))
    thick = 1 + rng.uniform(0, 0.5) * hills
    haze = rng.uniform(0, 0.25) * coloured_noise(rng, side_px=side_px, beta=rng.uniform(1, 3))
    grey = rng.choice([-1, 1], p=[0.25, 0.75]) * grey * np.clip(thick, 0.1, None) + haze
    if rng.random() < 0.25:
        grey = np.where(hills > rng.uniform(0.3, 1), haze + rng.uniform(-0.2, 0.8), grey)
    return stretched(grey)


def fringes(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return waves: bend contours, moiré, rings around a centre, bands that cross, or spots of diffraction."""
    y, x = axes(side_px)
    centre = rng.uniform(-0.6, 0.6, 2).astype(np.float32) * side_px
    radius = np.hypot(y - centre[0], x - centre[1])
    style = rng.integers(5)
    hills = smooth_noise(rng, side_px=side_px, scale_px=side_px * rng.uniform(0.25, 0.9))
    if style == 0:
        grey = np.cos(hills * rng.uniform(4, 25))
    elif style == 1:
        grey = np.zeros((side_px, side_px), np.float32)
        angle, period_px = rng.uniform(0, np.pi), log_uniform(rng, 3.5, side_px / 6)
        for _ in range(int(rng.integers(2, 5))):
            along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
            grey = grey + np.cos(2 * np.pi / period_px * (along + rng.uniform(0, 2) * hills))
            angle += rng.choice([0.08, np.pi / 3, rng.uniform(0, 0.3)])
            period_px *= rng.uniform(0.9, 1.1)
    elif style == 2:
        rings = np.zeros(2 * side_px)
        at = rng.integers(4, 2 * side_px, int(rng.integers(4, 30)))
        rings[at] = rng.random(len(at)) * np.exp(-at / side_px)
        rings = ndimage.gaussian_filter1d(rings, log_uniform(rng, 0.6, 5)) * 5
        rings += rng.uniform(0, 0.6) * np.exp(-np.arange(2 * side_px) / side_px * rng.uniform(1, 8))
        grey = np.sqrt(rings)[np.minimum(radius, 2 * side_px - 1).astype(np.int32)].astype(np.float32)
        grey = grey * (1 + rng.choice([0.0, 0.5]) * hills)
    elif style == 3:
        grey = rng.uniform(0, 0.5) * hills
        for _ in range(int(rng.integers(4, 16))):
            angle, width_px = rng.uniform(0, np.pi), log_uniform(rng, 3, side_px / 6)
            off = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) - rng.uniform(-0.5, 0.5) * side_px
            grey = grey + rng.uniform(0.2, 1) * np.clip((width_px - np.abs(off)) / 2, 0, 1)
            grey = grey + rng.uniform(-0.5, 0.5) * np.exp(-(((np.abs(off) - width_px) / 1.5) ** 2))
    else:
        arm_px = log_uniform(rng, 9, side_px / 3)
        angle = rng.uniform(0, np.pi)
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        heights = rng.random((_SITES, _SITES)).astype(np.float32) ** 2
        right, down = (x - centre[1]) * c + (y - centre[0]) * s, (y - centre[0]) * c - (x - centre[1]) * s
        spots = columns(
            right, down, arms_px=(arm_px, arm_px * rng.uniform(0.8, 1.3)), between_rad=rng.uniform(1.0, np.pi / 2),
            height=heights, width_px=arm_px * rng.uniform(0.06, 0.2),
        )  # fmt: skip
        fall = np.exp(-radius / side_px * rng.uniform(1, 5))
        grey = spots * (fall + 0.1) + rng.uniform(0.1, 1) * fall**2
    return stretched(grey + rng.uniform(0, 0.1) * coloured_noise(rng, side_px=side_px, beta=1.0))


def pattern(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return what lithography makes: pads, tracks, combs, gratings, holes and marks like text, seen by an SEM."""
    canvas = Image.new("L", (2 * side_px, 2 * side_px), int(rng.integers(20, 90)))
    draw = ImageDraw.Draw(canvas)
    turn = rng.choice([0.0, rng.normal(0, 0.05), rng.uniform(0, np.pi)])
    for _ in range(int(rng.integers(4, 18))):
        tone = int(rng.integers(60, 255))
        place = rng.uniform(-0.5, 0.5, 2) * side_px
        extent = np.array([log_uniform(rng, side_px / 10, side_px) for _ in range(2)])
        for corners in _motif(rng, extent):
            middle, half, round_ = corners[:2] + place, corners[2:4], corners[4]
            box = middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
            if round_:
                ring = np.linspace(0, 2 * np.pi, 16, endpoint=False)
                box = middle + half * np.stack([np.cos(ring), np.sin(ring)], axis=1)
            c, s = np.cos(turn), np.sin(turn)
            box = (box @ np.array([[c, s], [-s, c]]) + side_px / 2) * 2
            draw.polygon(box.ravel().tolist(), fill=tone)
    level = np.asarray(canvas.reduce(2), dtype=np.float32) / 255
    sharp_px = log_uniform(rng, 0.5, 2.5)
    slope = ndimage.gaussian_gradient_magnitude(level, sharp_px) * sharp_px
    shadow = level - ndimage.uniform_filter(level, max(3, int(log_uniform(rng, 3, side_px / 5)) | 1))
    grey = rng.uniform(0.3, 1) * level + rng.uniform(0, 3) * slope + rng.uniform(0, 0.8) * shadow
    return stretched(grey + rng.uniform(0, 0.12) * coloured_noise(rng, side_px=side_px, beta=rng.uniform(0, 3)))


def _motif(rng: np.random.Generator, extent_px: np.ndarray) -> np.ndarray:
    """Return one motif's boxes: middles, half sides [px], and whether they are round (box, 5)."""
    style = rng.integers(5)
    long, wide = float(extent_px[0]), float(extent_px[1])
    if style == 0:  # a pad, with a hole or a frame
        return np.array([[0, 0, long / 2, wide / 2, rng.integers(2)]])
    pitch_px = log_uniform(rng, 4, max(5.0, min(long, wide) / 2))
    share = rng.uniform(0.25, 0.75)
    steps = np.arange(-long / 2, long / 2, max(pitch_px, long / 40))
    if style == 1:  # a grating, or a comb
        boxes = np.stack([steps, 0 * steps, 0 * steps + pitch_px * share / 2, 0 * steps + wide / 2, 0 * steps], axis=1)
        spine = np.array([[0, -wide / 2, long / 2, pitch_px / 2, 0]])
        return np.concatenate([boxes, spine]) if rng.random() < 0.5 else boxes
    others = np.arange(-wide / 2, wide / 2, max(pitch_px, wide / 25))
    at = np.stack(np.meshgrid(steps, others), axis=-1).reshape(-1, 2)[:400]
    if style == 2:  # an array of pads or holes
        return np.column_stack([at, np.full((len(at), 2), pitch_px * share / 2), np.full(len(at), rng.integers(2))])
    if style == 3:  # marks like text: strokes of letters, in lines
        kept = at[rng.random(len(at)) < 0.7]
        upright = rng.random(len(kept)) < 0.5
        size = pitch_px * np.where(upright[:, None], [0.12, 0.45], [0.45, 0.12])
        return np.column_stack([kept, size, np.zeros(len(kept))])
    # a track that turns
    corners = np.cumsum(rng.uniform(-0.5, 0.5, (int(rng.integers(3, 9)), 2)) * extent_px, axis=0)
    found = []
    for first, last in pairwise(corners):
        for begin, end in ((first, np.array([last[0], first[1]])), (np.array([last[0], first[1]]), last)):
            found.append([*(begin + end) / 2, *np.abs(end - begin) / 2 + pitch_px * share / 2, 0])
    return np.array(found)
