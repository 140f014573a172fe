"""Pictures of samples and references, each kept once in a page, and maps of the evidence laid over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from micrographia.errors import MicrographiaError
from micrographia.micrograph import Micrograph
from micrographia.qualify.library import Library, Reference, image_path, region_mask
from micrographia.read import read
from micrographia.report.field_pictures import grey_picture, jpeg_uri, scale_bar
from micrographia.report.images import data_uri
from micrographia.report.markup import text
from micrographia.report.qualification_result import MapResult, UnlikeResult

_LONGEST_PX: Final = 560
_OUTSIDE: Final = 0.35
"""Brightness of what lies outside the region of a reference."""
_ACCEPT: Final = (25, 84, 166)
_REJECT: Final = (176, 32, 38)
_STRONGEST: Final = 0.72
"""Opacity of the map at the ends of its scale."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture as a page shows it.

    Parameters
    ----------
    uri : str
        The picture itself, as a data URI.
    width_px, height_px : int
        Size of the image that it shows [px].
    pixel_size_nm : float, optional
        Edge of a pixel of that image [nm].
    region : bool
        Whether only a region counts, which is shown brighter than the rest.
    """

    uri: str
    width_px: int
    height_px: int
    pixel_size_nm: float | None
    region: bool = False


def shown(micrograph: Micrograph, *, region: Bool[np.ndarray, "height width"] | None = None) -> Shown:
    """Return the first channel of a micrograph as a page shows it.

    Parameters
    ----------
    micrograph : Micrograph
        The image.
    region : bool array (height, width), optional
        Pixels that count; the others are darkened.
    """
    grey: UInt8[np.ndarray, "height width"] = grey_picture(micrograph.frames[0])
    if region is not None:
        grey = np.where(region, grey, (grey * _OUTSIDE).astype(np.uint8))
    height, width = grey.shape
    return Shown(
        uri=jpeg_uri(grey, _LONGEST_PX),
        width_px=width,
        height_px=height,
        pixel_size_nm=micrograph.pixel_size_nm,
        region=region is not None,
    )


def reference_pictures(library: Library, references: Iterable[Reference]) -> dict[str, Shown]:
    """Return the pictures of references by their ids; one that cannot be read is left out.

    Parameters
    ----------
    library : Library
        The library.
    references : iterable of Reference
        Some of its references.
    """
    pictures = {}
    for reference in references:
        try:
            micrograph = read(image_path(library, reference))
            height, width = micrograph.frames.shape[1:]
            pictures[reference.id] = shown(micrograph, region=region_mask(library, reference, (height, width)))
        except MicrographiaError:
            continue  # the page says so in its place
    return pictures


def kept_pictures(pictures: Mapping[str, Shown]) -> str:
    """Return pictures as HTML that shows nothing by itself, for `placed_picture` to point at by their names."""
    images = "".join(
        f'<image id="{text(name)}" href="{picture.uri}" width="{picture.width_px}" height="{picture.height_px}" '
        'preserveAspectRatio="none"/>'
        for name, picture in pictures.items()
    )
    return f'<svg class="kept" aria-hidden="true" width="0" height="0"><defs>{images}</defs></svg>'


def placed_picture(name: str, picture: Shown, *, words: str, over: str = "") -> str:
    """Return one of the kept pictures with its scale bar, as HTML.

    Parameters
    ----------
    name : str
        Of the picture among `kept_pictures`.
    picture : Shown
        The same picture.
    words : str
        What it shows, for those who cannot see it; plain text.
    over : str
        SVG that is laid over it, in pixels of the image.
    """
    return (
        f'<div class="picture"><svg viewBox="0 0 {picture.width_px} {picture.height_px}" role="img" '
        f'aria-label="{text(words)}"><use href="#{text(name)}"/>{over}</svg>'
        f"{scale_bar(picture.width_px, picture.pixel_size_nm)}</div>"
    )


def evidence_svg(found: MapResult, picture: Shown, *, limit: float) -> str:
    """Return a map of the evidence as SVG to lay over the picture, blue where the score is above 0, red where below.

    Where parts overlap, their scores are averaged.

    Parameters
    ----------
    found : MapResult
        The map.
    picture : Shown
        What it lies over.
    limit : float
        Score of full colour.
    """
    score = np.array([[math.nan if v is None else v for v in row] for row in found.score], dtype=np.float64)
    cells = cell_scores(score, tile_px=found.tile_px, step_px=found.step_px)
    rows, cols = cells.shape
    width, height = min(cols * found.step_px, picture.width_px), min(rows * found.step_px, picture.height_px)
    return (
        f'<svg width="{width}" height="{height}"><image href="{data_uri(_tint(cells, limit))}" '
        f'width="{cols * found.step_px}" height="{rows * found.step_px}" preserveAspectRatio="none"/></svg>'
    )


def unlike_svg(found: UnlikeResult, picture: Shown) -> str:
    """Return frames around the parts that are least like anything accepted, as SVG to lay over the picture."""
    height, width = picture.height_px / found.rows, picture.width_px / found.columns
    return "".join(
        f'<rect class="unlike" x="{column * width:.1f}" y="{row * height:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}"/>'
        for row, column in found.parts
    )


def map_limit(maps: Iterable[MapResult]) -> float:
    """Return the score that is shown in full colour, the same for all maps: the largest magnitude; 1 without any."""
    magnitudes = [abs(v) for found in maps for row in found.score for v in row if v is not None]
    return max(magnitudes, default=1.0) or 1.0


def cell_scores(
    score: Float[np.ndarray, "row col"], *, tile_px: int, step_px: int
) -> Float[np.ndarray, "cell_row cell_col"]:
    """Return the mean score of the parts that cover each cell of ``step_px``; NaN where none does.

    Examples
    --------
    >>> cell_scores(np.array([[1.0, 3.0]]), tile_px=20, step_px=10).tolist()
    [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    """
    rows, cols = score.shape
    reach = -(-tile_px // step_px)
    total = np.zeros((rows + reach - 1, cols + reach - 1))
    count = np.zeros_like(total)
    told = np.isfinite(score)
    for down in range(reach):
        for right in range(reach):
            total[down : down + rows, right : right + cols] += np.where(told, score, 0.0)
            count[down : down + rows, right : right + cols] += told
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _tint(cells: Float[np.ndarray, "row col"], limit: float) -> Image.Image:
    """Return the colour of each cell: clear at 0, opaque at the ends."""
    strength = np.clip(np.nan_to_num(cells) / limit, -1, 1)
    rgba = np.empty((*cells.shape, 4), dtype=np.uint8)
    rgba[..., :3] = np.where((strength > 0)[..., None], np.array(_ACCEPT), np.array(_REJECT))
    rgba[..., 3] = np.rint(255 * _STRONGEST * np.abs(strength))
    return Image.fromarray(rgba, "RGBA")
