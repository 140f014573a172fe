"""A description as part of a page: sentences, each of which leads to the cue that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from micrographia.cues import Cue
from micrographia.instruct.describing import Sentence
from micrographia.report.cue_value import cue_value
from micrographia.report.markup import section, table, text


def description_section(described: Sequence[Sentence], *, note: str = "") -> str:
    """Return a description and the table of its cues, as HTML.

    Parameters
    ----------
    described : sequence of Sentence
        What `micrographia.instruct.describing.describe_subject` says.
    note : str
        What a reader must know besides; plain text.
    """
    told = "".join(
        f"<div><dt>{text(heading)}</dt><dd>{' '.join(_linked(one) for one in sentences)}</dd></div>"
        for heading, sentences in groupby(described, key=lambda one: one.section)
    )
    words = (
        "Worded from measurements alone, without knowing what the image shows. Each sentence leads to the cue that it "
        "rests on."
    )
    rows = [_row(one.cue) for one in described]
    cues = table((("Cue", ""), ("Value", "n"), ("What was measured", "wordy")), rows)
    return section(
        "words",
        "In words",
        f'<p class="note">{text(f"{words} {note}".strip())}</p>',
        f'<dl class="words">{told}</dl>',
        f"<details open><summary>Its cues</summary>{cues}</details>",
    )


def _linked(one: Sentence) -> str:
    return f'<a class="fact" href="#{_anchor(one.cue)}">{text(one.text)}</a>'


def _row(cue: Cue) -> str:
    name = cue.name[:1].upper() + cue.name[1:]
    return (
        f'<tr id="{_anchor(cue)}"><td class="label">{text(name)}</td><td class="n">{cue_value(cue)}</td>'
        f'<td class="wordy">{text(cue.sentence)}</td></tr>'
    )


def _anchor(cue: Cue) -> str:
    return f"cue-{cue.name.replace(' ', '-')}"
