"""``report.html`` of an overview: what a micrograph tells without a decision about what it shows."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from micrographia.cues import Cue
from micrographia.cues.cue import length_unit, length_words
from micrographia.instruct.describing import Sentence
from micrographia.micrograph import Micrograph
from micrographia.report.cue_value import cue_value
from micrographia.report.described import description_section
from micrographia.report.document import document
from micrographia.report.fields import FIELDS, context_rows
from micrographia.report.markup import doubts, section, table, text, value_and_badge
from micrographia.report.missing import missing_context
from micrographia.report.numbers import magnitude
from micrographia.report.records import versions
from micrographia.report.views import views_section

_NAV: Final = (
    ("views", "Image"),
    ("cues", "What can be seen"),
    ("context", "Context"),
    ("provenance", "Provenance"),
)
_FOUND: Final = (("fields", "What was found"), ("measurements", "Measurements"))
_WORDS: Final = (("words", "In words"),)
_MEASURED_HOLDS: Final = (
    "Objects are counted here by another method than above; where the numbers differ, the measurements hold."
)
_LONGEST_METADATA: Final = 200_000


def overview_page(
    micrograph: Micrograph,
    cues: Sequence[Cue],
    advice: Sequence[str],
    *,
    parts: Sequence[str] = (),
    described: Sequence[Sentence] = (),
) -> str:
    """Return the whole overview as HTML.

    Parameters
    ----------
    micrograph : Micrograph
        What was looked at.
    cues : sequence of Cue
        What was measured.
    advice : sequence of str
        Why no more was done, and what would change that.
    parts : sequence of str
        Sections of what was found and measured, if it was, as HTML.
    described : sequence of Sentence
        The image in words.
    """
    nav = (*_NAV[:1], *(_FOUND if parts else ()), *(_WORDS if described else ()), *_NAV[1:])
    return document(
        title=f"{micrograph.provenance.file} – Micrographia",
        kind="overview",
        sections=nav,
        body=(
            _head(micrograph, cues, advice),
            views_section(micrograph, cues),
            *parts,
            *([description_section(described, note=_MEASURED_HOLDS if parts else "")] if described else []),
            _cues_section(micrograph, cues),
            _context_section(micrograph),
            _provenance_section(micrograph),
        ),
    )


def overview_headline(micrograph: Micrograph) -> str:
    """Return in a sentence what kind of image this is.

    Examples
    --------
    >>> import numpy as np
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> overview_headline(Micrograph(frames=np.ones((1, 768, 1024), dtype=np.float32), pixel_size_nm=2.9,
    ...                              context=Context(technique="SEM", origin="file"), provenance=source))
    'SEM image, 1024 × 768 px of 2.9 nm: a field of 2.97 × 2.23 µm.'
    """
    channels, height, width = micrograph.frames.shape
    technique, size = micrograph.context.technique, micrograph.pixel_size_nm
    kind = {None: "Image of unknown technique", "light": "Light micrograph", "diffraction": "Diffraction pattern"}
    what = kind.get(technique, f"{technique} image")
    several = f", {channels} channels" if channels > 1 else ""
    if technique == "diffraction":
        return f"{what}, {width} × {height} px{several}."
    if size is None:
        return f"{what}, {width} × {height} px{several}; the pixel size is unknown."
    scale, unit = length_unit(width * size)
    field = f"{width * size / scale:.3g} × {height * size / scale:.3g} {unit}"
    return f"{what}, {width} × {height} px of {length_words(size, 'nm')}{several}: a field of {field}."


def _head(micrograph: Micrograph, cues: Sequence[Cue], advice: Sequence[str]) -> str:
    context, size = micrograph.context, micrograph.pixel_size_nm
    facts = {
        "Technique": context.technique or "unknown",
        "Pixel size": "unknown" if size is None else length_words(size, "nm"),
        "Beam energy": "unknown" if context.energy_kev is None else f"{context.energy_kev:g} keV",
        "Intensities": f"{magnitude(float(micrograph.frames.min()), 3)} to "
        f"{magnitude(float(micrograph.frames.max()), 3)}",
        "Date": (context.date or "unknown").replace("T", " "),
    }
    listed = "".join(f"<div><dt>{title}</dt><dd>{text(value)}</dd></div>" for title, value in facts.items())
    missing, headline = missing_context(micrograph), overview_headline(micrograph)
    gaps = [f"{_title(name)} unknown. {why}" for name, why in missing.items()]
    items = [*advice, *gaps, *context.notes]
    box = doubts("Limits, and what would tell more", items) if items else '<p class="calm">The context is complete.</p>'
    return (
        f'<p class="file">{text(micrograph.provenance.file)}</p><h1>{text(_unbroken(headline))}</h1>'
        f'<p class="second">{text(_second_line(cues))}</p><dl class="facts">{listed}</dl>{box}'
    )


def _second_line(cues: Sequence[Cue]) -> str:
    """Return the strongest periodicity and the information limit of the first channel, in words."""
    first = [cue for cue in cues if cue.channel == 0]
    spacings = [cue for cue in first if cue.name == "spacing"]
    limits = [cue.sentence for cue in first if cue.name == "information limit"]
    if len(spacings) < 2:
        return " ".join([*(cue.sentence for cue in spacings), *limits])
    strongest = spacings[0].sentence[:1].lower() + spacings[0].sentence[1:]
    return " ".join([f"{len(spacings)} periodicities stand out; the strongest {strongest}", *limits])


def _unbroken(words: str) -> str:
    """Keep numbers and their units on one line."""
    return re.sub(r" (?=(?:×|px|nm|µm|mm)\b|×)|(?<=×) ", "\u00a0", words)


def _title(name: str) -> str:
    return "Pixel size" if name == "pixel_size_nm" else FIELDS[name][0]


def _cues_section(micrograph: Micrograph, cues: Sequence[Cue]) -> str:
    several = len(micrograph.frames) > 1
    numbers: dict[int, int] = {}
    rows = []
    for cue in cues:
        name = cue.name[:1].upper() + cue.name[1:]
        if cue.name == "spacing" and cue.value is not None:
            numbers[cue.channel] = numbers.get(cue.channel, 0) + 1
            name = f"{name} {numbers[cue.channel]}"
        if several:
            name += f", channel {cue.channel + 1}"
        rows.append(
            f'<tr><td class="label">{text(name)}</td><td class="n">{cue_value(cue)}</td>'
            f'<td class="wordy">{text(cue.sentence)}</td></tr>'
        )
    note = (
        '<p class="note">Measured on the picture alone, without the information bar if there is one. '
        "± is one standard uncertainty; that of a length leaves out the error of the pixel size. Intensities are in "
        "the file’s own units.</p>"
    )
    heads = (("Quantity", ""), ("Value", "n"), ("In words", "wordy"))
    return section("cues", "What can be seen", note, table(heads, rows))


def _context_section(micrograph: Micrograph) -> str:
    missing = missing_context(micrograph)
    rows = []
    for row in context_rows(micrograph, always=tuple(missing)):
        value, badge = value_and_badge(row)
        why = missing.get(row.name.partition("[")[0], "") if row.value is None else ""
        because = f'<td class="wordy">{text(why)}</td>' if missing else ""
        rows.append(f"<tr><td>{text(row.title)}</td><td>{value}</td><td>{badge}</td>{because}</tr>")
    note = '<p class="note">What is known about how the image was made, and who said so.</p>'
    heads = [("Quantity", ""), ("Value", ""), ("Origin", "")]
    if missing:
        heads.append(("Why it would matter, and how to give it", "wordy"))
    return section("context", "Context", note, table(heads, rows))


def _provenance_section(micrograph: Micrograph) -> str:
    source = micrograph.provenance
    facts = (
        ("File", text(source.file)),
        ("SHA-256", f'<span class="id hash">{text(source.sha256 or "–")}</span>'),
        ("Read by", text(source.reader)),
        ("Software", text(", ".join(f"{name} {version}" for name, version in versions().items()))),
        ("Beside this page", "result.json"),
    )
    rows = [f"<tr><td>{title}</td><td>{value}</td></tr>" for title, value in facts]
    raw = ""
    if source.raw_metadata:
        full = json.dumps(dict(source.raw_metadata), indent=2, ensure_ascii=False, default=str)
        shown = full[:_LONGEST_METADATA] + ("\n… (shortened)" if len(full) > _LONGEST_METADATA else "")
        raw = f"<details><summary>All that the file says about itself</summary><pre>{text(shown)}</pre></details>"
    return section("provenance", "Where this comes from", table((("", ""), ("", "")), rows), raw)
