"""What an encoder attended to, and which patches speak for a class: in a result, and as figures in a report."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float
from PIL import Image
from pydantic import Field, FiniteFloat, NonNegativeFloat, PositiveInt

from micrographia.embed.read_out import PatchEvidence, ReadOut
from micrographia.report.images import data_uri
from micrographia.report.markup import table, text
from micrographia.report.numbers import number
from micrographia.report.qualification_pictures import Shown, evidence_svg, placed_picture
from micrographia.report.qualification_result import MapResult
from micrographia.report.records import Part

_COLOUR: Final = (255, 176, 0)
_STRONGEST: Final = 0.75
_FULL_COLOUR: Final = 4.0
"""How many times as much as on average a patch is looked at that has the full colour."""
_SENTENCES: Final = 5
_DIGITS: Final = 4
_MOST_PARTS: Final = 64


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
    """What the encoder attended to in an image."""

    levels: tuple[LevelResult, ...] = Field(description="Coarsest first")
    part_px: PositiveInt = Field(description="Side of the parts below")
    parts: tuple[tuple[NonNegativeFloat, ...], ...] = Field(
        description="How much each was looked at, row by row, as a multiple of the mean; alike in sum in each window"
    )
    sentences: tuple[SentenceResult, ...] = Field(description="The heaviest first; empty without language")


class PatchEvidenceResult(Part):
    """What each part of an image adds to the log-odds of its most probable class against all others."""

    part_px: PositiveInt = Field(description="Side of a part")
    added_nats: tuple[tuple[FiniteFloat, ...], ...] = Field(
        description="Row by row; above 0 where a part speaks for the class. To first order, by patches only"
    )


def read_out_result(found: ReadOut) -> ReadOutResult:
    """Return what an encoder attended to as it is written."""
    times = _times(found.patches)
    return ReadOutResult(
        levels=tuple(
            LevelResult(
                patch_px=level.patch_px,
                patch_stream=round(level.patch_stream, _DIGITS),
                graph_stream=round(level.graph_stream, _DIGITS),
            )
            for level in found.levels
        ),
        part_px=found.patch_px * times,
        parts=_rows(summed(found.patches, times) / summed(np.ones_like(found.patches), times)),
        sentences=tuple(SentenceResult(sentence=s, weight=round(w, _DIGITS)) for s, w in found.sentences),
    )


def patch_evidence_result(found: PatchEvidence) -> PatchEvidenceResult:
    """Return which patches speak for a class as it is written."""
    times = _times(found.added)
    return PatchEvidenceResult(part_px=found.patch_px * times, added_nats=_rows(summed(found.added, times)))


def summed(values: Float[np.ndarray, "row column"], times: int) -> Float[np.ndarray, "coarse_row coarse_column"]:
    """Return sums over squares of ``times`` x ``times`` values; those at the edges may be cut off.

    Examples
    --------
    >>> summed(np.arange(6.0).reshape(2, 3), 2).tolist()
    [[8.0, 7.0]]
    """
    rows, columns = values.shape
    padded = np.pad(values, ((0, -rows % times), (0, -columns % times)))
    return np.asarray(padded.reshape(-(-rows // times), times, -1, times).sum(axis=(1, 3)))


def _times(values: Float[np.ndarray, "row column"]) -> int:
    """Return how many patches along a side are put together, so that large images have no huge tables."""
    return math.ceil(max(len(values), len(values[0])) / _MOST_PARTS)


def _rows(values: Float[np.ndarray, "row column"]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(v), _DIGITS) for v in row) for row in values)


def evidence_figure(found: PatchEvidenceResult, label: str, name: str, picture: Shown) -> str:
    """Return a figure of the parts of an image that speak for a class, and against it, as HTML.

    Parameters
    ----------
    found : PatchEvidenceResult
        What speaks.
    label : str
        The class.
    name : str
        Of the picture among `kept_pictures`.
    picture : Shown
        The same picture.
    """
    limit = max(abs(v) for row in found.added_nats for v in row) or 1.0
    scores = MapResult(tile_px=found.part_px, step_px=found.part_px, score=found.added_nats)
    drawn = placed_picture(
        name, picture, words=f"What speaks for {label}", over=evidence_svg(scores, picture, limit=limit)
    )
    return (
        f"<figure>{drawn}<figcaption>Blue speaks for {text(label)}, red against it; full colour at "
        f"{number(limit, 2)} nats of log-odds for a part of {found.part_px} px.</figcaption></figure>"
    )


def read_out_figure(found: ReadOutResult, name: str, picture: Shown) -> str:
    """Return a figure of what an encoder attended to, as HTML.

    Parameters
    ----------
    found : ReadOutResult
        What it attended to.
    name : str
        Of the picture among `kept_pictures`.
    picture : Shown
        The same picture.
    """
    over = looks_svg(np.array(found.parts), found.part_px)
    drawn = placed_picture(name, picture, words="What the encoder attended to", over=over)
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
        "<details><summary>What the encoder attended to</summary>"
        f'<div class="two"><figure>{drawn}<figcaption>Amber: {_FULL_COLOUR:g} times as much as on average, or more; '
        "an image above 256 px is looked at in windows, each as much as any other. Attention is "
        "not a reason; the map of what speaks for a class is nearer to one.</figcaption></figure>"
        f"<div>{table(heads, levels)}{listed}</div></div></details>"
    )


def looks_svg(parts: Float[np.ndarray, "row column"], part_px: int) -> str:
    """Return a tint over parts that were looked at more than others, as SVG in pixels of the image."""
    rows, columns = parts.shape
    strength = np.clip((parts - 1) / (_FULL_COLOUR - 1), 0, 1)
    rgba = np.empty((rows, columns, 4), dtype=np.uint8)
    rgba[..., :3] = _COLOUR
    rgba[..., 3] = np.rint(255 * _STRONGEST * strength)
    uri = data_uri(Image.fromarray(rgba, "RGBA"))
    return (
        f'<image href="{uri}" width="{columns * part_px}" height="{rows * part_px}" preserveAspectRatio="none" '
        'style="image-rendering: pixelated"/>'
    )


def _percent(share: float) -> str:
    return f"{number(100 * share, 1)} %"
