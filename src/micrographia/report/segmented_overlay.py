"""``<stem>-overlay.png``: the image with its classes tinted, a legend with shares, and what to be careful about."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from micrographia.micrograph import Micrograph
from micrographia.report.class_colours import class_colours, legend_colour, tinted
from micrographia.report.images import grey_limits
from micrographia.report.scale_bar import draw_scale_bar
from micrographia.segment.segmentation import Segmentation

_DPI: Final = 100
_SMALLEST_EDGE_PX: Final = 1000
_LARGEST_EDGE_PX: Final = 4096
_ACROSS: Final = 4
_MARK_EM: Final = 5.0
_LETTER_EM: Final = 0.6


def write_segmented_overlay(micrograph: Micrograph, segmentation: Segmentation, path: Path) -> None:
    """Draw an image with its classes.

    Small images are enlarged by a whole factor; very large ones are reduced by one.

    Parameters
    ----------
    micrograph : Micrograph
        The image; its first channel is drawn.
    segmentation : Segmentation
        Its classes.
    path : Path
        PNG file to write.
    """
    frame = micrograph.frames[0]
    height, width = frame.shape
    low, high = grey_limits(frame)
    picture = tinted((frame.astype(np.float64) - low) / (high - low), segmentation)
    grow = max(1, -(-_SMALLEST_EDGE_PX // max(height, width)))
    shrink = max(1, -(-max(height, width) // _LARGEST_EDGE_PX))
    picture = picture[::shrink, ::shrink]
    wide, tall = picture.shape[1] * grow, picture.shape[0] * grow
    text_pt = max(wide, _SMALLEST_EDGE_PX) * 0.0135 * 72 / _DPI
    em_px = text_pt * _DPI / 72
    warning = f"{segmentation.warning.upper()}: do not rely on this" if segmentation.warning else ""
    remark = warning or (f"Seen {segmentation.seen}" if segmentation.seen else "")
    labels = [
        f"{name}  {share_words(segmentation, value)}"
        for value, name in zip(segmentation.values, segmentation.names, strict=True)
    ]
    room = int(wide / em_px / (_MARK_EM + _LETTER_EM * max(len(label) for label in labels)))
    across = min(max(room, 1), _ACROSS, len(labels))
    rows = -(-len(labels) // across) + bool(remark)
    strip = round((rows * 2.0 + 1.2) * em_px)
    figure = Figure(figsize=(wide / _DPI, (tall + strip) / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    share = strip / (tall + strip)
    axes = figure.add_axes((0, share, 1, 1 - share))
    axes.imshow(picture, interpolation="nearest", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set_axis_off()
    draw_scale_bar(
        axes,
        shape=(height, width),
        pixel_size_nm=micrograph.pixel_size_nm,
        em_px=em_px * width / wide,
        text_pt=text_pt,
    )
    if remark:
        colour, below = "#b02026" if warning else "#404040", share - 1.2 * em_px / (tall + strip)
        figure.text(0.5, below, remark, color=colour, fontsize=text_pt, ha="center")
    legend = figure.legend(
        handles=[Patch(fc=legend_colour(c), ec="#404040", lw=0.5) for c in class_colours(segmentation)],
        labels=[" " for _ in labels],
        loc="lower center",
        bbox_to_anchor=(0.0, 0.0, 1.0, share),
        ncols=across,
        frameon=False,
        fontsize=text_pt,
        columnspacing=2.5,
    )
    for shown, label in zip(legend.get_texts(), labels, strict=True):
        # Only so is a name what it is: a legend leaves out what begins with _, and $ would begin a formula.
        shown.set_text(label)
        shown.set_parse_math(False)
    figure.savefig(path, dpi=_DPI, metadata={"Software": "Micrographia"})


def share_words(segmentation: Segmentation, value: int) -> str:
    """Return the share of a class in words.

    Examples
    --------
    >>> mask = np.array([[0, 0, 0, 1]], dtype=np.uint8)
    >>> share_words(Segmentation(values=(0, 1), names=("matrix", "pore"), mask=mask), 1)
    '25.0 %'
    """
    percent = 100 * float((segmentation.mask == value).mean())
    return f"{percent:.2f} %" if 0 < percent < 1 else f"{percent:.1f} %"
