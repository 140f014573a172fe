"""The scale bar of a figure."""

from __future__ import annotations

from typing import Any

from matplotlib.patches import Rectangle

from micrographia.cues.cue import length_unit
from micrographia.report.numbers import scale_bar_length


def draw_scale_bar(
    axes: Any, *, shape: tuple[int, int], pixel_size_nm: float | None, em_px: float, text_pt: float
) -> None:
    """Draw a scale bar on a plate at the lower left; in pixels where the pixel size is unknown.

    Parameters
    ----------
    axes : matplotlib axes
        Axes in pixels of the image, y down.
    shape : (int, int)
        Height and width of the image [px].
    pixel_size_nm : float, optional
        Edge of a pixel [nm].
    em_px : float
        Height of a line of text, in pixels of the image.
    text_pt : float
        The same in points.
    """
    height, width = shape
    size = pixel_size_nm or 1.0
    length = scale_bar_length(width * size)
    scale, unit = (1.0, "px") if pixel_size_nm is None else length_unit(length)
    left, bottom = 1.2 * em_px, height - 1.2 * em_px
    plate = (left - 0.6 * em_px, bottom - 2.6 * em_px, length / size + 1.2 * em_px, 3.2 * em_px)
    axes.add_patch(Rectangle(plate[:2], *plate[2:], fc="#101010", ec="none", alpha=0.72, zorder=1.5))
    axes.add_patch(Rectangle((left, bottom - 0.4 * em_px), length / size, 0.4 * em_px, fc="white", ec="none", zorder=6))
    middle = left + length / size / 2
    label = f"{length / scale:g} {unit}"
    axes.text(middle, bottom - 0.8 * em_px, label, color="white", fontsize=text_pt * 1.1, ha="center", zorder=6)
