"""Where an encoder looked: as part of a result, and as a figure in a report."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float
from PIL import Image
from pydantic import Field, FiniteFloat, NonNegativeFloat, PositiveInt

from micrographia.embed.read_out import ReadOut
from micrographia.report.images import data_uri
from micrographia.report.markup import table, text
from micrographia.report.numbers import number
from micrographia.report.qualification_pictures import Shown, placed_picture
from micrographia.report.records import Part

_COLOUR: Final = (255, 176, 0)
_STRONGEST: Final = 0.75
_FULL_COLOUR: Final = 4.0
"""How many times as much as on average a patch is looked at that has the full colour."""
_SENTENCES: Final = 5
_DIGITS: Final = 4


class LevelResult(Part):
    """One level of the encoder."""

    patch_px: PositiveInt = Field(description="Side of a patch")
    patch_stream: FiniteFloat = Field(ge=0, le=1, description="Weight of the patches, each with all others")
    graph_stream: FiniteFloat = Field(ge=0, le=1, description="Weight of the graph of similar and neighbouring patches")


class SentenceResult(Part):
    """A sentence of the encoder's bank, the same for all images."""

    sentence: str
    weight: FiniteFloat = Field(ge=0, le=1)


class ReadOutResult(Part):
    """Where the encoder looked in an image."""

    levels: tuple[LevelResult, ...] = Field(description="Coarsest first")
    patch_px: PositiveInt = Field(description="Side of the patches below")
    patches: tuple[tuple[NonNegativeFloat, ...], ...] = Field(
        description="How much each was looked at, row by row; 1 if all were alike"
    )
    sentences: tuple[SentenceResult, ...] = Field(description="The heaviest first; empty without language")


def read_out_result(found: ReadOut) -> ReadOutResult:
    """Return where an encoder looked as it is written."""
    return ReadOutResult(
        levels=tuple(
            LevelResult(
                patch_px=level.patch_px,
                patch_stream=round(level.patch_stream, _DIGITS),
                graph_stream=round(level.graph_stream, _DIGITS),
            )
            for level in found.levels
        ),
        patch_px=found.patch_px,
        patches=tuple(tuple(round(float(v), _DIGITS) for v in row) for row in found.patches),
        sentences=tuple(SentenceResult(sentence=s, weight=round(w, _DIGITS)) for s, w in found.sentences),
    )


def read_out_figure(found: ReadOutResult, name: str, picture: Shown) -> str:
    """Return a figure of where an encoder looked, as HTML.

    Parameters
    ----------
    found : ReadOutResult
        Where it looked.
    name : str
        Of the picture among `kept_pictures`.
    picture : Shown
        The same picture.
    """
    over = looks_svg(np.array(found.patches), found.patch_px)
    drawn = placed_picture(name, picture, words="Where the encoder looked", over=over)
    levels = [
        f'<tr><td class="n">{level.patch_px}</td><td class="n">{_percent(level.patch_stream)}</td>'
        f'<td class="n">{_percent(level.graph_stream)}</td></tr>'
        for level in found.levels
    ]
    heads = (("Patches of / px", "n"), ("Weight of patches", "n"), ("of their graph", "n"))
    said = [
        f'<tr><td class="wordy">{text(s.sentence)}</td><td class="n">{_percent(s.weight)}</td></tr>'
        for s in found.sentences[:_SENTENCES]
    ]
    fair = 1 / max(1, len(found.sentences))
    listed = table(((f"Sentence; {_percent(fair)} each if all were alike", ""), ("Weight", "n")), said) if said else ""
    return (
        '<details class="looks"><summary>Where the encoder looked</summary>'
        f'<div class="beside"><figure>{drawn}<figcaption>Clear: as much as on average or less; amber: '
        f"{_FULL_COLOUR:g} times as much, or more. Weights tell what the network attended to, not why a class was said."
        f"</figcaption></figure><div>{table(heads, levels)}{listed}</div></div></details>"
    )


def looks_svg(patches: Float[np.ndarray, "row column"], patch_px: int) -> str:
    """Return a tint over patches that were looked at more than others, as SVG in pixels of the image."""
    rows, columns = patches.shape
    strength = np.clip((patches - 1) / (_FULL_COLOUR - 1), 0, 1)
    rgba = np.empty((rows, columns, 4), dtype=np.uint8)
    rgba[..., :3] = _COLOUR
    rgba[..., 3] = np.rint(255 * _STRONGEST * strength)
    uri = data_uri(Image.fromarray(rgba, "RGBA"))
    return (
        f'<image href="{uri}" width="{columns * patch_px}" height="{rows * patch_px}" preserveAspectRatio="none" '
        'style="image-rendering: pixelated"/>'
    )


def _percent(share: float) -> str:
    return f"{number(100 * share, 1)} %"
