"""Cues, and a description that rests on them, as every ``result.json`` has them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, FiniteFloat, NonNegativeFloat, NonNegativeInt

from micrographia.cues import Cue
from micrographia.instruct.describing import Sentence
from micrographia.report.records import Part


class CueResult(Part):
    """One thing that was measured."""

    name: str
    channel: NonNegativeInt
    value: FiniteFloat | None = Field(description="null where it was looked for and cannot be told, or is not there")
    uncertainty: NonNegativeFloat | None = Field(description="Standard uncertainty; null for an exact count")
    unit: str
    direction_deg: FiniteFloat | None = Field(description="Counter-clockwise from the x axis as seen on the screen")
    direction_sd_deg: NonNegativeFloat | None
    sentence: str


class SentenceResult(Part):
    """A sentence of the description."""

    section: str
    text: str
    cue: str = Field(description="Name of the cue that it rests on, among those of the description")


class DescriptionResult(Part):
    """The image in words, and the cues that they rest on."""

    sentences: tuple[SentenceResult, ...]
    cues: tuple[CueResult, ...]


def cue_result(cue: Cue) -> CueResult:
    """Return what ``result.json`` says of a cue."""
    return CueResult(
        name=cue.name,
        channel=cue.channel,
        value=cue.value,
        uncertainty=cue.uncertainty,
        unit=cue.unit,
        direction_deg=cue.direction_deg,
        direction_sd_deg=cue.direction_sd_deg,
        sentence=cue.sentence,
    )


def description_result(described: Sequence[Sentence]) -> DescriptionResult:
    """Return what ``result.json`` says of an image in words.

    Parameters
    ----------
    described : sequence of Sentence
        The image in words.

    Examples
    --------
    >>> noise = Cue(name="noise", value=2.0, uncertainty=0.1, unit="intensity units", sentence="Of one pixel.")
    >>> told = description_result([Sentence(section="Image quality", text="The noise of a pixel is 2.", cue=noise)])
    >>> told.sentences[0].cue, told.cues[0].value
    ('noise', 2.0)
    """
    return DescriptionResult(
        sentences=tuple(SentenceResult(section=s.section, text=s.text, cue=s.cue.name) for s in described),
        cues=tuple(cue_result(s.cue) for s in described),
    )
