"""Small charts as SVG that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from micrographia.report.markup import text
from micrographia.report.numbers import magnitude, scale_bar_length

_WIDTH, _HEIGHT = 440.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 10.0, 12.0, 36.0


def histogram(values: Float[np.ndarray, " value"], *, title: str, unit: str, counted: str) -> str:
    """Return a histogram, with bins of a round width.

    Parameters
    ----------
    values : float array (value,)
        What is counted.
    title, unit : str
        Of the x axis.
    counted : str
        What the y axis counts, in the plural.

    Examples
    --------
    >>> histogram(np.array([1.0, 2.0, 2.2]), title="Diameter", unit="µm", counted="grains").count("<rect")
    3
    """
    low, high = float(values.min()), float(values.max())
    wanted = min(max(round(2 * len(values) ** (1 / 3)), 5), 40)
    step = _round_up((high - low) / wanted) if high > low else max(abs(high), 1.0) / 10
    first = step * math.floor(low / step)
    edges = first + step * np.arange(round((high - first) / step) + 2)
    counts, _ = np.histogram(values, edges)
    edges = edges[: np.flatnonzero(counts)[-1] + 2]
    return bars(edges, counts[: len(edges) - 1].astype(np.float64), title=title, unit=unit, counted=counted)


def _round_up(step: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is not below ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * (1 - 1e-9))


def bars(
    edges: Float[np.ndarray, " edge"],
    heights: Float[np.ndarray, " bar"],
    *,
    title: str,
    unit: str,
    counted: str,
    every: float | None = None,
) -> str:
    """Return a bar chart of ``heights`` between ``edges``, with ticks at multiples of ``every``, or at round values."""
    top = float(heights.max()) or 1.0
    x = _axis(float(edges[0]), float(edges[-1]))
    shapes = "".join(
        f'<rect x="{x(a):.1f}" y="{_y(h, top):.1f}" width="{max(x(b) - x(a) - 1, 0.6):.1f}" '
        f'height="{_y(0, top) - _y(h, top):.1f}"><title>{a:.4g} to {b:.4g} {text(unit)}: {h:.4g}</title></rect>'
        for a, b, h in zip(edges[:-1], edges[1:], heights, strict=True)
    )
    low, high = float(edges[0]), float(edges[-1])
    return _framed(
        f'<g class="bars">{shapes}</g>', x, low, high, top, title=title, unit=unit, side=counted, every=every
    )


def profile(
    x_values: Float[np.ndarray, " point"], y_values: Float[np.ndarray, " point"], *, title: str, unit: str, side: str
) -> str:
    """Return a line over a position, from zero up."""
    top = float(y_values.max()) * 1.05 or 1.0
    x = _axis(float(x_values[0]), float(x_values[-1]))
    every = max(1, len(x_values) // 600)
    points = " ".join(f"{x(a):.1f},{_y(b, top):.1f}" for a, b in zip(x_values[::every], y_values[::every], strict=True))
    line = f'<polyline class="line" points="{points}"/>'
    return _framed(line, x, float(x_values[0]), float(x_values[-1]), top, title=title, unit=unit, side=side)


class _axis:  # noqa: N801 - it is used as a function
    """A linear scale from values to places on the page."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.per_unit = low, (_WIDTH - _LEFT - _RIGHT) / ((high - low) or 1.0)

    def __call__(self, value: float) -> float:
        return _LEFT + (value - self.low) * self.per_unit


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top


def _framed(
    shapes: str,
    x: _axis,
    low: float,
    high: float,
    top: float,
    *,
    title: str,
    unit: str,
    side: str,
    every: float | None = None,
) -> str:
    marks = "".join(
        f'<line class="tick" x1="{x(v):.1f}" x2="{x(v):.1f}" y1="{_y(0, 1)}" y2="{_y(0, 1) + 4}"/>'
        f'<text x="{x(v):.1f}" y="{_y(0, 1) + 15}" text-anchor="middle">{_label(v)}</text>'
        for v in _ticks(low, high, every)
    )
    marks += "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_y(v, top):.1f}" y2="{_y(v, top):.1f}"/>'
        f'<text x="{_LEFT - 5}" y="{_y(v, top) + 4:.1f}" text-anchor="end">{_label(v)}</text>'
        for v in _ticks(0, top)
    )
    words = f"{title} [{unit}]" if unit else title
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    named = f"{text(side)} over {text(title)}"
    upright = f"translate(11 {(_HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)"
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{named}">{marks}{shapes}'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_y(0, 1)}" y2="{_y(0, 1)}"/>'
        f'<text x="{middle:.0f}" y="{_HEIGHT - 4}" text-anchor="middle">{text(words)}</text>'
        f'<text transform="{upright}" text-anchor="middle">{text(side)}</text></svg>'
    )


def _label(value: float) -> str:
    """Return a tick's label: ``20,000`` rather than ``2e+04``, but a power of ten for what would be too long."""
    return "0" if value == 0 else magnitude(value, 1) if not 1e-3 <= abs(value) < 1e6 else f"{value:,.10g}"


def _ticks(low: float, high: float, every: float | None = None) -> Sequence[float]:
    step = every or scale_bar_length((high - low) or 1.0)
    while not every and (high - low) / step > 6:
        step = _round_up(step * 1.5)
    first = math.ceil(low / step - 1e-9)
    return [round(step * k, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]
