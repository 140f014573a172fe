"""``overlay.png``: the scan with every site marked by what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from micrographia.findings import DefectFindings
from micrographia.report.images import grey_limits
from micrographia.report.marks import MARKS, PRISTINE
from micrographia.report.numbers import number
from micrographia.report.scale_bar import draw_scale_bar
from micrographia.report.words import Elements, label_words

_SHAPES: Final = {"circle": "o", "double circle": "o", "square": "s", "diamond": "D", "triangle": "^", "hexagon": "h"}
_DPI: Final = 100
_SMALLEST_EDGE_PX: Final = 1400


def write_overlay(findings: DefectFindings, path: Path) -> None:
    """Draw the first channel with its sites: pristine as faint dots, defects as outlines, with counts.

    The scan is enlarged by a whole factor where it is small, so that a mark stays readable, and is never reduced.

    Parameters
    ----------
    findings : DefectFindings
        What was found.
    path : Path
        PNG file to write.
    """
    frame = findings.micrograph.frames[0]
    height, width = frame.shape
    scale = max(1, -(-_SMALLEST_EDGE_PX // max(height, width)))
    wide, high = width * scale, height * scale
    text_pt = max(wide, _SMALLEST_EDGE_PX) * 0.0125 * 72 / _DPI
    present = [f for f in findings.findings if f.label not in PRISTINE or f.count]
    across = 3 if wide >= 900 else 1
    strip = int((-(-len(present) // across) * 1.9 + 1.6) * text_pt * _DPI / 72)

    figure = Figure(figsize=(wide / _DPI, (high + strip) / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, strip / (high + strip), 1, high / (high + strip)))
    low, top = grey_limits(frame)
    axes.imshow(
        frame, cmap="gray", vmin=low, vmax=top, interpolation="nearest", extent=(-0.5, width - 0.5, height - 0.5, -0.5)
    )
    axes.set_axis_off()
    _draw_sites(axes, findings, scale)
    draw_scale_bar(
        axes,
        shape=(height, width),
        pixel_size_nm=findings.micrograph.pixel_size_nm,
        em_px=text_pt * _DPI / 72 / scale,
        text_pt=text_pt,
    )
    _draw_legend(figure, findings, text_pt, across, strip / (high + strip))
    figure.savefig(path, dpi=_DPI, metadata={"Software": "Micrographia"})


def _draw_sites(axes: Any, findings: DefectFindings, scale: int) -> None:
    spacing = float(np.mean(findings.lattice.spacings_px)) * scale
    points = 72 / _DPI
    ring = max(0.62 * spacing, 13.0) * points
    dot = max(0.13 * spacing, 2.0) * points
    sites, label = findings.sites, findings.sites.label
    for name in sites.labels:
        here = label == name
        mark = MARKS[name]
        x, y = sites.x_px[here], sites.y_px[here]
        if mark.shape == "dot":
            axes.plot(x, y, ls="", marker="o", ms=dot, mec="none", mfc=mark.colour, alpha=0.55)
            continue
        sizes = (ring, 0.5 * ring) if mark.shape == "double circle" else (ring,)
        for size in sizes:
            width = max(0.12 * ring, 1.3)
            # A dark rim keeps a bright outline readable on bright columns.
            for colour, line in (("#101010", width + 1.1), (mark.colour, width)):
                axes.plot(x, y, ls="", marker=_SHAPES[mark.shape], ms=size, mfc="none", mec=colour, mew=line)
    height, width_px = findings.micrograph.frames.shape[1:]
    axes.set_xlim(-0.5, width_px - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _draw_legend(figure: Any, findings: DefectFindings, text_pt: float, across: int, share: float) -> None:
    elements = Elements.of(findings.micrograph.context, findings.settings)
    handles = []
    for f in findings.findings:
        if f.label in PRISTINE and not f.count:
            continue
        mark = MARKS[f.label]
        dot = mark.shape == "dot"
        handles.append(
            Line2D(
                [],
                [],
                ls="",
                marker="o" if dot else _SHAPES[mark.shape],
                ms=text_pt * (0.5 if dot else 0.95),
                mfc=mark.colour if dot else "#3a3a3a",
                mec="none" if dot else mark.colour,
                mew=0 if dot else 0.2 * text_pt,
                label=f"{number(f.count, 0)}  {label_words(f.label, elements, plural=f.count != 1)} ({f.label})",
            )
        )
    figure.legend(
        handles=handles,
        loc="center",
        bbox_to_anchor=(0.0, 0.0, 1.0, share),
        ncols=across,
        frameon=False,
        fontsize=text_pt,
        handletextpad=0.6,
        columnspacing=2.5,
    )
