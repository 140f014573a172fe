"""``report.html`` of measurements: every number with its interval, and what it was measured on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import UInt8

from micrographia.report.charts import bars, histogram, profile
from micrographia.report.document import document
from micrographia.report.field_pictures import MOST_SHOWN, field_pictures
from micrographia.report.markup import doubts, section, table, text
from micrographia.report.numbers import magnitude, number
from micrographia.report.records import versions
from micrographia.segment.measure import Measurement
from micrographia.segment.measured import Measured, MeasuredClass

_NAV: Final = (("fields", "Fields"), ("measurements", "Measurements"), ("provenance", "Provenance"))
_KIND_WORDS: Final = {
    "phase": "a phase",
    "objects": "separate objects",
    "powder": "powder particles",
    "grains": "grains",
    "cracks": "cracks",
    "layer": "a layer",
}
_TELLING: Final = {
    "layer": "mean thickness",
    "cracks": "crack density",
    "objects": "mean diameter",
    "powder": "mean diameter",
    "grains": "mean lineal intercept",
}
_MOST_NAMED: Final = 5
_SHA256: Final = re.compile("[0-9a-f]{64}")
_CRACK_TICKS_DEG: Final = 45.0


def measurements_page(
    measured: Measured,
    greys: Mapping[str, UInt8[np.ndarray, "_height _width"]],
    *,
    source: str,
    pixel_size_origin: str | None,
) -> str:
    """Return the whole report as HTML.

    Parameters
    ----------
    measured : Measured
        What was measured.
    greys : mapping of str to uint8 array (height, width)
        Image of each field, by its name; fields without one are drawn as masks.
    source : str
        SHA-256 of the model, or where the masks came from.
    pixel_size_origin : str, optional
        Who said what the pixel size is.
    """
    return document(
        title=f"{_title(measured)} – Micrographia",
        kind="measurements",
        sections=_NAV,
        body=(
            _head(measured, pixel_size_origin),
            fields_section("Fields", measured, greys),
            classes_section(measured),
            _provenance(measured, source, pixel_size_origin),
        ),
    )


def fields_section(
    title: str, measured: Measured, greys: Mapping[str, UInt8[np.ndarray, "_height _width"]], *, how: str = ""
) -> str:
    """Return pictures of the fields with their classes, and how these were found."""
    fields = measured.fields
    notes = [how] if how else []
    if len(fields) > MOST_SHOWN:
        notes.append(f"The first {MOST_SHOWN} of {len(fields)} fields.")
    labels = [[one.instances[k].labels for one in measured.classes if one.instances] for k in range(len(fields))]
    note = f'<p class="note">{text(" ".join(notes))}</p>' if notes else ""
    return section("fields", title, note, field_pictures(fields, greys, labels))


def classes_section(measured: Measured) -> str:
    """Return tables and charts, class by class."""
    note = (
        '<p class="note">Intervals hold the true value in 95 of 100 cases; – stands where nothing can be said. '
        "Methods follow the standards named, on pixels instead of by eye.</p>"
    )
    return section("measurements", "Measurements", note, *(_class(one, measured) for one in measured.classes))


def warnings_of(measured: Measured) -> list[str]:
    """Return what a reader must know before relying on anything, in sentences."""
    warnings = []
    if strange := [f.name for f in measured.fields if f.segmentation.unfamiliar]:
        warnings.append(
            f"Unlike the training images: {_listed(strange)}. The model never saw such an image, so what was measured "
            "on it means little."
        )
    for field in measured.fields:
        if field.segmentation.warning and not field.segmentation.unfamiliar:
            warnings.append(
                f"Doubtful: on {field.name} {field.segmentation.warning}, so what was measured on it means little."
            )
    for seen in dict.fromkeys(f.segmentation.seen for f in measured.fields if f.segmentation.seen):
        these = [f.name for f in measured.fields if f.segmentation.seen == seen]
        warnings.append(f"Seen {seen}, which makes it like the training images: {_listed(these)}.")
    return warnings


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def headlines(measured: Measured) -> list[str]:
    """Return the most telling numbers of each class, a line a class."""
    return [
        f"{one.name}: {', '.join(words)}"
        for one in measured.classes
        if (words := [f"{m.name} {_with_unit(m)}" for m in _most_telling(one)])
    ]


def _title(measured: Measured) -> str:
    count = len(measured.fields)
    return measured.fields[0].name if count == 1 else f"{count} fields"


def _head(measured: Measured, origin: str | None) -> str:
    warnings = warnings_of(measured)
    if not measured.scale.known:
        warnings.append(
            "The pixel size is unknown, so lengths are in pixels and grain size numbers cannot be given. "
            "Say --pixel-size-nm, or give the image with its information bar."
        )
    size = measured.scale.pixel_size_nm
    told = "pixels of unknown size" if size is None else f"pixels of {size:.4g} nm ({origin or 'as given'})"
    box = doubts("Before you rely on this", warnings) if warnings else ""
    names = [one.name for one in measured.classes]
    what = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    where = "one field" if len(measured.fields) == 1 else f"{len(measured.fields)} fields"
    facts = "".join(
        f"<div><dt>{text(one.name)}: {text(m.name)}</dt><dd>{text(_with_unit(m))}</dd></div>"
        for one in measured.classes
        for m in _most_telling(one)
    )
    return (
        f'<p class="file">{text(_title(measured))}, {text(told)}</p><h1>{text(_capital(what))}, on {where}</h1>'
        f'<dl class="facts">{facts}</dl><p class="note">In brackets: 95 % intervals.</p>{box}'
    )


def _most_telling(one: MeasuredClass) -> list[Measurement]:
    """Return the share of a class, and the number that its kind is looked at for."""
    pool = [*one.overall, *(one.by_field[0] if len(one.by_field) == 1 else ())]
    wanted = _TELLING.get(one.kind)
    return [m for m in pool if m.value is not None and (m is one.overall[0] or m.name == wanted)]


def _with_unit(m: Measurement) -> str:
    value, ends = shown(m)
    return f"{value} {m.unit}".strip() + (f" ({ends})" if ends != "–" else "")


def shown(m: Measurement) -> tuple[str, str]:
    """Return a value and its interval with the digits that the interval allows; three where there is none.

    Examples
    --------
    >>> def found(value, *ends):
    ...     return Measurement(name="n", of="pores", value=value, unit="", low=ends[0] if ends else None,
    ...                        high=ends[1] if ends else None, count=1, counted="pores", method="counted")
    >>> shown(found(239353, 154896, 353332)), shown(found(18.849, 15.783, 21.916)), shown(found(7.7277e-7))
    (('240,000', '150,000–350,000'), ('19', '16–22'), ('7.73 × 10⁻⁷', '–'))
    """
    if m.value is None:
        return "–", "–"
    if m.low is None or m.high is None:
        whole = float(m.value).is_integer() and abs(m.value) < 1e6
        return number(m.value, 0) if whole else magnitude(m.value, 3), "–"
    half = (m.high - m.low) / 2
    if not half > 1e-9 * abs(m.value):
        return magnitude(m.value, 3), "–"
    step = 10.0 ** math.floor(math.log10(half))
    if half / step < 2.95:  # two digits of an uncertainty that begins with 1 or 2
        step /= 10
    if step < 1e-4:
        value, low, high = (magnitude(v, 2) for v in (m.value, m.low, m.high))
        return value, f"{low}–{high}"
    places = max(-round(math.log10(step)), 0)
    value, low, high = (number(round(v / step) * step, places) for v in (m.value, m.low, m.high))
    return value, f"{low}–{high}"


def _class(one: MeasuredClass, measured: Measured) -> str:
    several = len(measured.fields) > 1
    pool = [*one.overall, *(() if several or not one.by_field else one.by_field[0])]
    notes = list(dict.fromkeys(m.note for m in pool if m.note))
    rows = [_row(m, notes, names=[other.name for other in pool]) for m in pool]
    heads = (("Quantity", ""), ("Value", "n"), ("95 % interval", "n"), ("Unit", ""), ("From", ""), ("Standard", ""))
    listed = "".join(f"<li>{text(note)}</li>" for note in notes)
    remarks = f'<ol class="remarks">{listed}</ol>' if notes else ""
    charts, profiles = _charts(one, measured)
    more = _folded("How each was measured", _methods(pool))
    if several and one.by_field:
        more += _folded("Field by field", _by_field(one, measured) + _side_by_side(profiles))
    else:
        charts += profiles
    return (
        f'<h3>{text(one.name)} <span class="badge">{text(f"{_KIND_WORDS[one.kind]}, {one.reason}")}</span></h3>'
        f"{table(heads, rows)}{remarks}{_side_by_side(charts)}{more}"
    )


def _row(m: Measurement, notes: Sequence[str], *, names: Sequence[str]) -> str:
    """Return a row; what is told of another quantity stands below it, indented."""
    value, ends = shown(m)
    short, _, whole = m.name.partition(" of ")
    below = whole in names
    kind, name = (' class="below"', short) if below else ("", _capital(m.name))
    mark = f" <sup>{notes.index(m.note) + 1}</sup>" if m.note else ""
    clause = f'<span class="badge">{text(m.clause)}</span>' if m.clause else ""
    counted = m.counted.removesuffix("s") if m.count == 1 else m.counted
    return (
        f'<tr{kind}><td>{text(name)}{mark}</td><td class="n">{value}</td><td class="n">{ends}</td>'
        f"<td>{text(m.unit)}</td><td>{number(m.count, 0)} {text(counted)}</td><td>{clause}</td></tr>"
    )


def _methods(pool: Sequence[Measurement]) -> str:
    """Return a list of methods, each with what it was used for."""
    named: dict[str, list[str]] = {}
    for m in pool:
        named.setdefault(m.method, []).append(m.name)
    items = "".join(
        f"<li><b>{text(_capital(', '.join(names)))}.</b> {text(method)}</li>" for method, names in named.items()
    )
    return f'<ul class="methods">{items}</ul>'


def _by_field(one: MeasuredClass, measured: Measured) -> str:
    """Return a table with a row a field and a column a quantity; why a number is missing shows beneath the pointer."""
    units = {m.name: m.unit for found in one.by_field for m in found}
    heads = [("Field", ""), *((text(f"{_capital(n)} [{u}]" if u else _capital(n)), "n") for n, u in units.items())]
    rows = []
    for field, found in zip(measured.fields, one.by_field, strict=True):
        cells = {m.name: m for m in found}
        rows.append(
            f'<tr><td class="name">{text(field.name)}</td>{"".join(_cell(cells.get(name)) for name in units)}</tr>'
        )
    return table(heads, rows)


def _cell(m: Measurement | None) -> str:
    if m is None:
        return '<td class="n">–</td>'
    value, ends = shown(m)
    below = f'<br><span class="soft small">{ends}</span>' if ends != "–" else ""
    return f'<td class="n" title="{text(m.note)}">{value}{below}</td>'


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:] if words[:2].isalpha() else words  # d10 stays as it is


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>{content}</details>"


def _side_by_side(charts: Sequence[str]) -> str:
    figures = "".join(f'<figure class="card">{chart}</figure>' for chart in charts)
    return f'<div class="charts">{figures}</div>' if figures else ""


def _charts(one: MeasuredClass, measured: Measured) -> tuple[list[str], list[str]]:
    """Return charts of all fields together, and profiles of layers field by field."""
    scale, drawn, profiles = measured.scale, [], []
    if one.objects is not None and (~one.objects.cut).sum() >= 5:
        diameters = one.objects.diameter_px[~one.objects.cut] * scale.um_per_px
        drawn.append(
            histogram(diameters, title="Equivalent diameter", unit=scale.length_unit, counted="objects, uncut")
        )
    for field, line in zip(measured.fields, one.profiles, strict=False):
        if line is not None:
            where = f", {field.name}" if len(measured.fields) > 1 else ""
            chart = profile(
                line.position_px * scale.um_per_px,
                line.thickness_px * scale.um_per_px,
                title=f"Position along {line.along}{where}",
                unit=scale.length_unit,
                side=f"thickness [{scale.length_unit}]",
            )
            profiles.append(chart)
    if one.cracks and sum(len(c.piece_angle_deg) for c in one.cracks):
        edges = one.cracks[0].by_direction()[0]
        heights = np.sum([c.by_direction()[1] for c in one.cracks], axis=0) * scale.um_per_px
        drawn.append(
            bars(
                edges,
                heights,
                title="Crack direction, 0 along rows, 90 upright",
                unit="°",
                counted=f"length [{scale.length_unit}]",
                every=_CRACK_TICKS_DEG,
            )
        )
    return drawn, profiles[:MOST_SHOWN]


def _provenance(measured: Measured, source: str, origin: str | None) -> str:
    coco = any(one.instances for one in measured.classes)
    beside = "measurements.json, measurements.csv" + (", objects.csv, and outlines in COCO format" if coco else "")
    model = "a model with the SHA-256 " if _SHA256.fullmatch(source) else ""
    facts = (
        ("Classes from", f'{model}<span class="id hash">{text(source)}</span>'),
        ("Pixel size", text(origin or "unknown")),
        ("Software", text(", ".join(f"{name} {version}" for name, version in versions().items()))),
        ("Beside this page", beside),
    )
    rows = [f"<tr><td>{title}</td><td>{value}</td></tr>" for title, value in facts]
    return section("provenance", "Where this comes from", table((("", ""), ("", "")), rows))
