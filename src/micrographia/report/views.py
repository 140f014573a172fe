"""The image and its power spectrum side by side, with scale bars and the spacings that were found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy.ndimage import maximum_filter

from micrographia.cues import Cue
from micrographia.cues.cue import information_bar, length_unit, picture
from micrographia.cues.spectrum import power_spectrum
from micrographia.micrograph import Micrograph
from micrographia.report.images import data_uri, grey_image, grey_limits
from micrographia.report.markup import section, text
from micrographia.report.numbers import scale_bar_length

_SPECTRUM_PX: Final = 560
_LEAST_HALF_WIDTH: Final = 0.06
_COLOUR: Final = "#ffb000"


def views_section(micrograph: Micrograph, cues: Sequence[Cue]) -> str:
    """Return the picture and the power spectrum of each channel.

    Parameters
    ----------
    micrograph : Micrograph
        What was looked at.
    cues : sequence of Cue
        What was measured; its spacings and information limit are drawn.
    """
    names = micrograph.context.detectors or (None,) * len(micrograph.frames)
    parts = []
    for channel in range(len(micrograph.frames)):
        own = [cue for cue in cues if cue.channel == channel]
        title = f"Channel {channel + 1}" + (f": {names[channel]}" if names[channel] else "")
        head = f"<h3>{text(title)}</h3>" if len(micrograph.frames) > 1 else ""
        parts.append(
            f'{head}<div class="views"><figure class="card">{_image_svg(micrograph, channel)}'
            f"<figcaption>{_image_words(micrograph, channel)}</figcaption></figure>"
            f'<figure class="card">{_spectrum_svg(micrograph, channel, own)}'
            f"<figcaption>{_spectrum_words(own)}</figcaption></figure></div>"
        )
    return section("views", "The image and its power spectrum", *parts)


def _image_words(micrograph: Micrograph, channel: int) -> str:
    bar = information_bar(micrograph.frames[channel])
    left_out = (
        "" if bar is None else f" Rows from {bar[0]} down, an information bar, were left out of all measurements."
    )
    return f"Grey from the 0.5 % to the 99.5 % quantile.{left_out}"


def _spectrum_words(cues: Sequence[Cue]) -> str:
    found = any(cue.name == "spacing" and cue.value is not None for cue in cues)
    limit = any(cue.name == "information limit" and cue.value is not None for cue in cues)
    parts = ["Power on a logarithmic scale, zero frequency in the middle."]
    if found:
        parts.append("Numbered rings: the spacings of the table, and their mirror images.")
    if limit:
        parts.append("Dashed circle: the information limit.")
    return " ".join(parts)


def _image_svg(micrograph: Micrograph, channel: int) -> str:
    frame = micrograph.frames[channel]
    height, width = frame.shape
    unit_px = width / 560  # a pixel of the page at its usual size, in pixels of the image
    size = micrograph.pixel_size_nm
    length = scale_bar_length(width * (size or 1.0))
    scale, unit = (1.0, "px") if size is None else length_unit(length)
    bar = information_bar(frame)
    long, left, bottom = length / (size or 1.0), 18 * unit_px, (bar[0] if bar else height) - 18 * unit_px
    label = f"{length / scale:g} {unit}"
    plate = max(long, 8.5 * len(label) * unit_px)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="The image">'
        f'<image href="{data_uri(grey_image(frame, grey_limits(frame)))}" width="{width}" height="{height}" '
        'preserveAspectRatio="none"/>'
        f'<g transform="translate({left:.2f} {bottom:.2f}) scale({unit_px:.5f})">'
        f'<rect x="-9" y="-29" width="{plate / unit_px + 18:.1f}" height="38" rx="5" fill="#14171a" opacity=".78"/>'
        f'<rect x="{(plate - long) / 2 / unit_px:.1f}" y="-4" width="{long / unit_px:.1f}" height="4" fill="#fff"/>'
        f'<text x="{plate / unit_px / 2:.1f}" y="-11" fill="#fff" font-size="14" text-anchor="middle">'
        f"{text(label)}</text></g></svg>"
    )


def _spectrum_svg(micrograph: Micrograph, channel: int, cues: Sequence[Cue]) -> str:
    size = micrograph.pixel_size_nm or 1.0
    spacings = [cue for cue in cues if cue.name == "spacing" and cue.value]
    limits = [cue.value for cue in cues if cue.name == "information limit" and cue.value]
    edges = [1.45 * size / value for value in (*limits, *(c.value for c in spacings if c.value))]
    half = min(0.5, max([_LEAST_HALF_WIDTH, *edges])) if edges else 0.5
    zoom = _SPECTRUM_PX / (2 * half)
    marks = []
    for limit in limits:
        marks.append(f'<circle r="{size / limit * zoom:.1f}" fill="none" stroke="#8fd3e8" stroke-dasharray="5 5"/>')
    for k, cue in enumerate(spacings, start=1):
        angle = math.radians(cue.direction_deg or 0.0)
        radius = size / (cue.value or 1.0) * zoom
        x, y = radius * math.cos(angle), -radius * math.sin(angle)
        for sign in (1, -1):
            marks.append(f'<circle cx="{sign * x:.1f}" cy="{sign * y:.1f}" r="11" fill="none" stroke="{_COLOUR}"/>')
        marks.append(
            f'<text x="{x * (1 + 22 / radius):.1f}" y="{y * (1 + 22 / radius) + 5:.1f}" fill="{_COLOUR}" '
            f'font-size="17" text-anchor="middle" class="halo">{k}</text>'
        )
    bar, label = _frequency_bar(half, micrograph.pixel_size_nm)
    middle = _SPECTRUM_PX / 2
    return (
        f'<svg viewBox="{-middle} {-middle} {_SPECTRUM_PX} {_SPECTRUM_PX}" role="img" aria-label="Power spectrum">'
        f'<image href="{data_uri(_spectrum_image(picture(micrograph, channel), half))}" x="{-middle}" y="{-middle}" '
        f'width="{_SPECTRUM_PX}" height="{_SPECTRUM_PX}"/><g stroke-width="1.8">{"".join(marks)}</g>'
        f'<g transform="translate({-middle + 18} {middle - 18})">'
        f'<rect x="-9" y="-29" width="{max(bar * zoom, 8.5 * len(label)) + 18:.1f}" height="38" rx="5" fill="#14171a" '
        f'opacity=".78"/><rect y="-4" width="{bar * zoom:.1f}" height="4" fill="#fff"/>'
        f'<text y="-11" fill="#fff" font-size="14">{text(label)}</text></g></svg>'
    )


def _frequency_bar(half: float, pixel_size_nm: float | None) -> tuple[float, str]:
    """Return length [1/px] and label of a scale bar for frequencies."""
    if pixel_size_nm is None:
        length = scale_bar_length(2 * half)
        return length, f"{length:g} px⁻¹"
    scale, unit = length_unit(pixel_size_nm / half)
    length = scale_bar_length(2 * half / pixel_size_nm * scale)
    return length * pixel_size_nm / scale, f"{length:g} {unit}⁻¹"


def _spectrum_image(frame: Float[np.ndarray, "height width"], half: float) -> Image.Image:
    """Return the power spectrum within ±``half`` [1/px] as a square picture; frequency up is image up."""
    spectrum = power_spectrum(frame)
    rows, cols = spectrum.power.shape
    width = frame.shape[1]
    # A peak is one bin wide: take the brightest bin of those that share a pixel, or it may fall between two.
    shared = [max(1, round(2 * half * n / _SPECTRUM_PX)) for n in (rows, width)]
    power = maximum_filter(spectrum.power, size=shared, mode="wrap")
    grid = np.linspace(-half, half, _SPECTRUM_PX, endpoint=False) + half / _SPECTRUM_PX
    down, right = np.meshgrid(grid, grid, indexing="ij")
    flip = np.where(right < 0, -1.0, 1.0)  # the half plane that is stored holds the other by symmetry
    row = np.rint(flip * down * rows).astype(int) % rows
    col = np.clip(np.rint(flip * right * width).astype(int), 0, cols - 1)
    seen = np.log(power[row, col] + 1e-12 * float(power.max()))
    low, high = (float(v) for v in np.percentile(seen, (2, 99.9)))
    return grey_image(seen, (low, max(high, low + 1e-6)))
