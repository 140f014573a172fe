"""Made-up micrographs of what is long: fibres, cracks, dislocations and needles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw
from scipy import ndimage

from micrographia.learn.fusion.fields import (
    Picture,
    axes,
    band_noise,
    coloured_noise,
    log_uniform,
    relief,
    smooth_noise,
    stretched,
)
from micrographia.learn.fusion.particles import ground
from micrographia.learn.fusion.solids import bent_cells, grains, layers

Curve = Float[np.ndarray, "point 2"]


def walk(
    rng: np.random.Generator, *, start_px: Float[np.ndarray, " 2"], angle_rad: float, length_px: float, bend: float,
    steps: int,
) -> Curve:  # fmt: skip
    """Return a curve that turns at random as it goes: columns and rows of its points [px].

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the turns.
    start_px : float array (2,)
        Column and row where it starts [px].
    angle_rad : float
        Where it heads at first [rad].
    length_px : float
        Its length [px].
    bend : float
        Standard deviation of the turn from its start to its end [rad].
    steps : int
        Straight pieces.

    Examples
    --------
    >>> straight = walk(np.random.default_rng(0), start_px=np.zeros(2), angle_rad=0.0, length_px=6, bend=0.0, steps=3)
    >>> straight.tolist()
    [[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [6.0, 0.0]]
    """
    angle = angle_rad + np.cumsum(rng.standard_normal(steps)) * bend / np.sqrt(steps)
    moves = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (length_px / steps)
    return np.concatenate([start_px[None], start_px + np.cumsum(moves, axis=0)])


def _draw(draw: ImageDraw.ImageDraw, curve: Curve, *, width_px: float, tone: float) -> None:
    """Draw a curve on a canvas of twice the picture's size; tones go from 0 to 1."""
    joint = "curve" if width_px > 3 else None
    draw.line((2 * curve).ravel().tolist(), fill=int(255 * tone), width=max(1, round(2 * width_px)), joint=joint)


def _canvas(side_px: int) -> Image.Image:
    return Image.new("L", (2 * side_px, 2 * side_px))


def _drawn(canvas: Image.Image) -> Picture:
    return np.asarray(canvas.reduce(2), dtype=np.float32) / np.float32(255)


def fibres(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return fibres, wires or tubes that cross: straight or curled, aligned or not, solid or hollow."""
    width_px = log_uniform(rng, 1.2, side_px / 7)
    count = int(np.clip(rng.uniform(0.3, 2.5) * side_px / (width_px + 2), 3, 60))
    bend, spread = rng.choice([0.05, 0.4, 1.5, 4.0]), rng.choice([0.1, 0.5, 3.0])
    direction, hollow, rounds = rng.uniform(0, np.pi), rng.random() < 0.25, 4 if width_px > 4 else 2
    light = rng.uniform(-0.25, 0.25) * width_px
    canvas, cover = _canvas(side_px), _canvas(side_px)
    draw, shade = ImageDraw.Draw(canvas), ImageDraw.Draw(cover)
    for number in range(count):
        wide_px = max(1.0, width_px * np.exp(0.3 * rng.standard_normal()))
        start = rng.uniform(-0.1, 1.1, 2) * side_px
        heading = direction + spread * rng.standard_normal()
        back = np.array([np.cos(heading), np.sin(heading)]) * side_px * rng.uniform(0.2, 0.8)
        curve = walk(
            rng,
            start_px=start - back,
            angle_rad=heading,
            length_px=1.6 * side_px,
            bend=bend,
            steps=6 if bend < 0.1 else 22,
        )
        tone = 0.35 + 0.4 * (number + 1) / count * rng.uniform(0.6, 1)
        _draw(shade, curve, width_px=wide_px, tone=1.0)
        for layer in range(rounds):
            share = layer / rounds
            level = tone * (1.2 - share if hollow else 0.45 + 0.8 * share)
            across = np.array([-np.sin(heading), np.cos(heading)]) * light * share
            _draw(draw, curve + across, width_px=wide_px * (1 - 0.85 * share), tone=min(level, 1.0))
    drawn, covered = _drawn(canvas), _drawn(cover)
    grey = drawn + covered * rng.uniform(0, 0.15) * coloured_noise(rng, side_px=side_px, beta=rng.uniform(0, 2))
    grey += (1 - covered) * (rng.uniform(-0.1, 0.4) + ground(rng, side_px=side_px))
    grey -= rng.uniform(0, 0.5) * ndimage.gaussian_filter(covered, max(2, width_px / 2), truncate=2) * (1 - covered)
    return stretched(grey if rng.random() < 0.8 else -grey)


def cracks(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return cracks with branches, in a coating on layers, in grains or in a plain ground, or a dried-up mud's."""
    style = rng.integers(4)
    if style == 0:
        grey = layers(rng, side_px=side_px)
    elif style == 1:
        grey = grains(rng, side_px=side_px) * rng.uniform(0.3, 1)
    else:
        grey = 0.5 + ground(rng, side_px=side_px)
    if style == 3:
        plates = bent_cells(rng, side_px=side_px, spacing_px=log_uniform(rng, 12, side_px / 2))
        open_px = log_uniform(rng, 0.8, side_px / 30)
        crack = ndimage.gaussian_filter(plates.borders(), open_px, truncate=3)
        width = 1 + 0.6 * smooth_noise(rng, side_px=side_px, scale_px=side_px / 4)
        crack = np.clip(crack / max(crack.max(), 1e-6) * 3 * np.clip(width, 0, 2) - 0.4, 0, 1)
        grey = grey + 0.15 * plates.each(rng.standard_normal(plates.count))
    else:
        canvas = _canvas(side_px)
        draw = ImageDraw.Draw(canvas)
        direction, width_px = rng.uniform(0, np.pi), log_uniform(rng, 1.2, side_px / 25)
        jagged, top, thick = rng.uniform(0.5, 2.2), rng.uniform(-0.5, -0.1), rng.uniform(0.3, 1)
        for _ in range(int(rng.integers(2, 8))):
            start = rng.uniform(0, 1, 2) * side_px
            if style == 0:  # from the coating's top down
                start[1], direction = (0.5 + top) * side_px, np.pi / 2
            _crack(rng, draw, start, direction + 0.4 * rng.standard_normal(), side_px, width_px, jagged, depth=0)
        crack = _drawn(canvas)
        if style == 0:  # within the coating only
            y, x = axes(side_px)
            rough = 0.03 * side_px * smooth_noise(rng, side_px=side_px, scale_px=side_px / 5)
            crack *= np.abs(y + 0.1 * x + rough - (top + thick / 2) * side_px) < thick / 2 * side_px
    rim = ndimage.gaussian_filter(crack, rng.uniform(1, 3), truncate=2) * (1 - crack)
    sign = rng.choice([-1, 1], p=[0.85, 0.15])
    return stretched(grey + sign * rng.uniform(0.6, 1.3) * crack * (0.5 + grey) - sign * rng.uniform(0, 1) * rim)


def _crack(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, start_px: Float[np.ndarray, " 2"], angle_rad: float,
    length_px: float, width_px: float, jagged: float, *, depth: int,
) -> None:  # fmt: skip
    """Draw a crack that narrows towards its end, and its branches."""
    curve = walk(rng, start_px=start_px, angle_rad=angle_rad, length_px=length_px, bend=jagged, steps=40)
    for piece in range(0, 40, 4):
        wide_px = width_px * (1 - piece / 44) * rng.uniform(0.7, 1.3)
        _draw(draw, curve[piece : piece + 5], width_px=wide_px, tone=1.0)
    if depth == 2:
        return
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(4, 36))
        ahead = curve[at + 1] - curve[at]
        turn = np.arctan2(ahead[1], ahead[0]) + rng.choice([-1, 1]) * rng.uniform(0.3, 1.1)
        shorter = length_px * rng.uniform(0.2, 0.5)
        _crack(rng, draw, curve[at], turn, shorter, width_px * 0.6, jagged, depth=depth + 1)


def dislocations(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return dislocation lines, straight, wavy or dotted, in rows or tangles, and loops, over bend contours."""
    hills = smooth_noise(rng, side_px=side_px, scale_px=side_px * rng.uniform(0.3, 1))
    grey = rng.uniform(0, 0.5) * np.sin(hills * rng.uniform(1, 6)) + 0.1 * rng.uniform(0, 1) * coloured_noise(
        rng, side_px=side_px, beta=1.5
    )
    width_px = log_uniform(rng, 1, side_px / 45)
    for _ in range(int(rng.integers(1, 4))):
        canvas = _canvas(side_px)
        draw = ImageDraw.Draw(canvas)
        style = rng.integers(4)
        direction, bend = rng.uniform(0, np.pi), rng.choice([0.05, 0.5, 2.5])
        count = int(rng.integers(4, 36))
        row = np.array([-np.sin(direction), np.cos(direction)]) * log_uniform(rng, 3, side_px / 8)
        first = rng.uniform(0.1, 0.6, 2) * side_px
        for number in range(count):
            start = first + row * number * rng.uniform(0.9, 1.1) if style == 0 else rng.uniform(0, 1, 2) * side_px
            tone = rng.uniform(0.5, 1)
            if style == 3:
                loop_px = log_uniform(rng, 2, side_px / 12) * np.array([1, rng.uniform(0.3, 1)])
                corners = np.concatenate([start - loop_px, start + loop_px]) * 2
                draw.ellipse(corners.tolist(), outline=int(255 * tone), width=max(1, round(2 * width_px)))
                continue
            heading = direction + (0.1 if style == 0 else rng.choice([0.2, 2.0])) * rng.standard_normal()
            curve = walk(
                rng, start_px=start, angle_rad=heading, length_px=side_px * rng.uniform(0.1, 0.9), bend=bend, steps=24
            )
            _draw(draw, curve, width_px=width_px, tone=tone)
        lines = ndimage.gaussian_filter(_drawn(canvas), max(0.4, width_px / 3), truncate=3)
        if rng.random() < 0.4:  # contrast that comes and goes with depth
            y, x = axes(side_px)
            angle, period_px = rng.uniform(0, np.pi), log_uniform(rng, 5, 40)
            lines *= 0.5 + 0.5 * np.sin(2 * np.pi / period_px * (x * np.cos(angle) + y * np.sin(angle) + 3 * hills))
        beside = np.roll(lines, max(1, round(width_px)), axis=int(rng.integers(2)))
        grey = grey - rng.uniform(0.6, 1.3) * lines + rng.choice([0.0, 0.5]) * beside * (0.5 + 0.5 * hills)
    if rng.random() < 0.3:  # black dots of irradiation
        dots = band_noise(rng, side_px=side_px, period_px=log_uniform(rng, 4, 12), width=0.6)
        grey = grey - 0.7 * np.clip(dots - rng.uniform(1.5, 2.5), 0, 1)
    return stretched(grey.astype(np.float32) * rng.choice([-1, 1], p=[0.25, 0.75]))


def needles(rng: np.random.Generator, *, side_px: int) -> Picture:
    """Return needles and blades: lying about, in parallel, or grown out of a few middles."""
    canvas, heights = _canvas(side_px), _canvas(side_px)
    draw, rise = ImageDraw.Draw(canvas), ImageDraw.Draw(heights)
    middles = rng.uniform(0, 1, (int(rng.integers(1, 12)), 2)) * side_px
    style, long_px = rng.integers(3), log_uniform(rng, side_px / 10, side_px)
    slim = log_uniform(rng, 4, 30)
    count = int(np.clip(rng.uniform(2, 6) * slim * (side_px / long_px) ** 2, 25, 350))
    direction, blunt = rng.uniform(0, np.pi), rng.uniform(0, 1)
    for number in range(count):
        angle = direction + (0.15 * rng.standard_normal() if style == 1 else rng.uniform(0, 2 * np.pi))
        start = middles[number % len(middles)] if style == 2 else rng.uniform(-0.1, 1.1, 2) * side_px
        length_px = long_px * rng.uniform(0.4, 1.1)
        ahead = np.array([np.cos(angle), np.sin(angle)])
        aside = np.array([-ahead[1], ahead[0]]) * max(0.8, length_px / slim / 2 * rng.uniform(0.6, 1.4))
        tip, ridge = start + ahead * length_px, 0.3 * aside
        tone = rng.uniform(0.35, 0.8) * (0.4 + 0.6 * number / count)
        bright = tone * (1.2 + 0.2 * np.sin(angle))
        for side, level in ((aside, bright), (-aside, 0.75 * tone)):
            face = np.array([start + side, tip + blunt * side, tip + ridge, start + ridge])
            draw.polygon((2 * face).ravel().tolist(), fill=int(min(255, 255 * level)))
        outline = np.array([start + aside, tip + blunt * aside, tip - blunt * aside, start - aside])
        rise.polygon((2 * outline).ravel().tolist(), fill=40 + int(215 * number / count))
    grey, height = _drawn(canvas), _drawn(heights)
    edge = relief(8 * height, azimuth_rad=rng.uniform(0, 2 * np.pi), elevation_rad=rng.uniform(0.5, 1.2))
    bare = height < 0.05
    grey = grey + rng.uniform(0, 0.5) * edge + bare * (rng.uniform(-0.3, 0.3) + 0.5 * ground(rng, side_px=side_px))
    return stretched(grey + rng.uniform(0, 0.08) * coloured_noise(rng, side_px=side_px, beta=1.0))
