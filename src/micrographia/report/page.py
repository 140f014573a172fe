"""``report.html`` of `defects`: one file that opens anywhere and loads nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from micrographia.findings import SUBLATTICE, DefectFindings, Opinions, SiteTable
from micrographia.instruct.describing import Sentence
from micrographia.report.described import description_section
from micrographia.report.document import document, template
from micrographia.report.images import data_uri, grey_image, residual_image
from micrographia.report.marks import MARKS, PRISTINE
from micrographia.report.markup import mark_svg, section, text
from micrographia.report.numbers import number
from micrographia.report.opinions import opinions_section
from micrographia.report.patches import INTENSITY_UNIT, Scales, gallery_section, least_certain_section
from micrographia.report.sections import (
    amounts_section,
    answer_section,
    context_section,
    lattice_section,
    provenance_section,
)
from micrographia.report.words import Elements, label_words

_MOST_ROWS: Final = 2000
_FOUND: Final = (
    ("viewer", "Scan"),
    ("amounts", "Amounts"),
    ("doubtful", "Doubtful sites"),
    ("evidence", "Evidence"),
)
_KNOWN: Final = (
    ("context", "Context"),
    ("lattice", "Lattice"),
    ("provenance", "Provenance"),
)
_LEFT_OUT: Final = (
    "Edges, scales and objects are left out, as they are the atoms here, and so is the share of cells that differ: the "
    "sites above answer that."
)


def defects_page(findings: DefectFindings, *, described: Sequence[Sentence] = ()) -> str:
    """Return the whole report as HTML.

    Parameters
    ----------
    findings : DefectFindings
        What was found.
    described : sequence of Sentence
        The scan in words.

    Returns
    -------
    str
        An HTML document without any address outside itself; its security policy forbids loading.
    """
    scales = Scales.of(findings)
    both = findings.opinions is not None
    return document(
        title=f"Defects in {findings.micrograph.provenance.file} – Micrographia",
        kind="defect report",
        sections=(
            *((("opinions", "Two opinions"),) if both else ()),
            *_FOUND,
            *((("words", "In words"),) if described else ()),
            *_KNOWN,
        ),
        body=(
            answer_section(findings),
            *((opinions_section(findings, scales),) if both else ()),
            viewer_section(findings),
            amounts_section(findings),
            least_certain_section(findings, scales),
            gallery_section(findings, scales),
            *((_words_section(findings, described),) if described else ()),
            context_section(findings),
            lattice_section(findings),
            provenance_section(findings),
        ),
        script=template("defects.js"),
        data=viewer_data(findings, scales),
    )


def _words_section(findings: DefectFindings, described: Sequence[Sentence]) -> str:
    channels = len(findings.micrograph.frames)
    which = [f"Of the first of {channels} channels."] if channels > 1 else []
    return description_section(described, note=" ".join([*which, _LEFT_OUT]))


def viewer_data(findings: DefectFindings, scales: Scales) -> dict[str, Any]:
    """Return what the viewer draws: pictures of each channel, marks, and every site with its posterior."""
    sites, elements = findings.sites, Elements.of(findings.micrograph.context, findings.settings)
    frames, model = findings.micrograph.frames, findings.model
    return {
        "width": frames.shape[2],
        "height": frames.shape[1],
        "nm": findings.micrograph.pixel_size_nm,
        "unit": INTENSITY_UNIT,
        "spacing": float(np.mean(findings.lattice.spacings_px)),
        "most_rows": _MOST_ROWS,
        "labels": [
            {
                "id": label,
                "words": label_words(label, elements),
                "sublattice": SUBLATTICE[label],
                "defect": label not in PRISTINE,
                "colour": MARKS[label].colour,
                "shape": MARKS[label].shape,
            }
            for label in sites.labels
        ],
        "channels": [
            {
                "data": data_uri(grey_image(frames[c], scales.grey[c])),
                "model": data_uri(grey_image(model[c], scales.grey[c])),
                "residual": data_uri(residual_image(frames[c] - model[c], scales.residual[c])),
                "ends": scales.grey_ends(c),
                "residual_ends": scales.residual_ends(c),
            }
            for c in range(len(frames))
        ],
        "sites": {
            "x": _short(sites.x_px, 2),
            "y": _short(sites.y_px, 2),
            "label": sites.posterior.argmax(axis=1).tolist(),
            "p": _short(sites.posterior.ravel(), 4),
            "entropy": _short(sites.entropy_nats, 3),
            "residual": _short(sites.residual, 3),
        },
        **({} if findings.opinions is None else {"opinions": _opinions_data(sites, findings.opinions)}),
    }


def _opinions_data(sites: SiteTable, opinions: Opinions) -> dict[str, Any]:
    """Return both posteriors, label sets and flags; null for the posterior that the sites have already."""
    powers = 1 << np.arange(len(sites.labels))
    return {
        **{
            name: None if np.array_equal(posterior, sites.posterior) else _short(posterior.ravel(), 4)
            for name, posterior in (("physics", opinions.physics), ("network", opinions.network))
        },
        "sets": (opinions.label_set @ powers).tolist(),  # one bit a label
        "unfamiliar": np.flatnonzero(opinions.unfamiliar).tolist(),
    }


def _short(values: np.ndarray, places: int) -> list[float | int | None]:
    """Round for the page; whole numbers lose their ``.0``, which in a posterior is most of the text."""
    rounded = np.round(values.astype(float), places).tolist()
    return [None if not math.isfinite(v) else int(v) if v == int(v) else v for v in rounded]


def viewer_section(findings: DefectFindings) -> str:
    """Return the frame of the viewer; the script fills it."""
    elements = Elements.of(findings.micrograph.context, findings.settings)
    counts = {f.label: f.count for f in findings.findings}
    filters = "".join(
        f'<label><input type="checkbox" name="label" value="{label}" checked>'
        f"{mark_svg(label, identifier=f'mark-{label}')}{text(label_words(label, elements))} "
        f'<span class="soft">{label}</span><span class="count">{number(counts.get(label, 0), 0)}</span></label>'
        for label in findings.sites.labels
    )
    layers = _segments("layer", "Show", (("data", "Data"), ("model", "Model"), ("residual", "Residual")))
    names = findings.micrograph.context.detectors or (None,) * len(findings.micrograph.frames)
    options = tuple((str(k), f"{k + 1}: {name}" if name else str(k + 1)) for k, name in enumerate(names))
    channels = _segments("channel", "Channel", options) if len(options) > 1 else ""
    return section(
        "viewer",
        "The scan, site by site",
        '<noscript><p class="note">This viewer needs JavaScript; overlay.png beside this page shows the same.</p>'
        "</noscript>",
        '<div class="card viewer"><div class="stage">'
        '<canvas id="scan" tabindex="0" role="application" aria-label="The scan with its sites. Plus and minus zoom, '
        'arrows move, n and p step through the defects."></canvas>'
        '<div class="tools"><button id="closer" type="button" aria-label="Zoom in">+</button>'
        '<button id="away" type="button" aria-label="Zoom out">−</button>'
        '<button id="whole" type="button" aria-label="Show the whole scan" title="Whole scan">⤢</button></div>'
        '<div id="readout" class="readout"></div></div>'
        f'<div class="panel"><div class="choices">{layers}{channels}</div>'
        '<div class="scale"><span id="low"></span><span id="ramp" class="ramp grey"></span><span id="high"></span>'
        '<span id="unit"></span></div>'
        f'<fieldset class="filters"><legend>Sites</legend>{filters}<div class="quick">'
        '<button class="jump" type="button" id="show-all">all</button>'
        '<button class="jump" type="button" id="show-defects">defects only</button>'
        '<button class="jump" type="button" id="show-none">none</button></div></fieldset>'
        '<div id="site" class="site" aria-live="polite"></div></div></div>',
    )


def _segments(name: str, title: str, options: tuple[tuple[str, str], ...]) -> str:
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{" checked" if k == 0 else ""}>'
        f"<span>{text(words)}</span></label>"
        for k, (value, words) in enumerate(options)
    )
    return f'<fieldset><legend>{title}</legend><div class="segments">{buttons}</div></fieldset>'
