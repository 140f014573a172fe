"""``report.html`` of measurements: every number with its interval, and what it was measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from PIL import Image

from micrographia.micrograph import Micrograph
from micrographia.report.charts import bars, histogram, profile
from micrographia.report.class_colours import class_colours, legend_colour, tinted
from micrographia.report.document import document
from micrographia.report.images import data_uri, grey_limits
from micrographia.report.markup import doubts, section, table, text
from micrographia.report.numbers import decimals, interval, number
from micrographia.report.records import versions
from micrographia.report.segmented_overlay import share_words
from micrographia.segment.measure import Measurement
from micrographia.segment.measured import Measured, MeasuredClass, SegmentedField

_NAV: Final = (("fields", "Fields"), ("measurements", "Measurements"), ("provenance", "Provenance"))
_KIND_WORDS: Final = {
    "phase": "a phase",
    "objects": "separate objects",
    "powder": "powder particles",
    "grains": "grains",
    "cracks": "cracks",
    "layer": "a layer",
}
_MOST_SHOWN: Final = 24
_LONGEST_PX: Final = 900
_CRACK_BIN_DEG: Final = 15.0


def measurements_page(
    measured: Measured, micrographs: Mapping[str, Micrograph], *, source: str, pixel_size_origin: str | None
) -> str:
    """Return the whole report as HTML.

    Parameters
    ----------
    measured : Measured
        What was measured.
    micrographs : mapping of str to Micrograph
        Image of each field, by its name; fields without one are drawn as masks.
    source : str
        SHA-256 of the model, or where the masks came from.
    pixel_size_origin : str, optional
        Who said what the pixel size is.
    """
    count = len(measured.fields)
    title = measured.fields[0].name if count == 1 else f"{count} fields"
    return document(
        title=f"{title} – Micrographia",
        kind="measurements",
        sections=_NAV,
        body=(
            _head(measured, title, pixel_size_origin),
            fields_section(measured.fields, micrographs),
            classes_section(measured),
            _provenance(measured, source, pixel_size_origin),
        ),
    )


def fields_section(fields: Sequence[SegmentedField], micrographs: Mapping[str, Micrograph], *, how: str = "") -> str:
    """Return pictures of the fields with their classes, and how these were found."""
    figures = "".join(_figure(f, micrographs.get(f.name)) for f in fields[:_MOST_SHOWN])
    more = f'<p class="note">The first {_MOST_SHOWN} of {len(fields)} fields.</p>' if len(fields) > _MOST_SHOWN else ""
    more = (f'<p class="note">{text(how)}</p>' if how else "") + more
    return section("fields", "What was measured", more, f'<div class="fields">{figures}</div>')


def classes_section(measured: Measured) -> str:
    """Return tables and charts, class by class."""
    note = (
        '<p class="note">Intervals hold the true value in 95 of 100 cases; – stands where nothing can be said of it. '
        "What each rests on, and how it was measured, is beside it. Methods follow the standards named, on pixels "
        "instead "
        "of by eye.</p>"
    )
    return section("measurements", "Measurements", note, *(_class(one, measured) for one in measured.classes))


def _head(measured: Measured, title: str, origin: str | None) -> str:
    warnings = [
        f"{f.name} is unlike all images that the model learned from: what was measured on it means little."
        for f in measured.fields
        if f.segmentation.unfamiliar
    ]
    if not measured.scale.known:
        warnings.append(
            "The pixel size is unknown, so lengths are in pixels and grain size numbers cannot be given. "
            "Say --pixel-size-nm, or give the image with its information bar."
        )
    size = measured.scale.pixel_size_nm
    told = "pixels of unknown size" if size is None else f"pixels of {size:.4g} nm ({text(origin or 'as given')})"
    box = doubts("Before you rely on this", warnings) if warnings else ""
    sentences = " ".join(s for one in measured.classes if (s := _sentence(one)))
    return f'<p class="file">{text(title)}, {told}</p><h1>{text(sentences or "Nothing was measured.")}</h1>{box}'


def _sentence(one: MeasuredClass) -> str:
    """Return the most telling number of a class in words."""
    wanted = {
        "layer": "mean thickness",
        "cracks": "crack density",
        "objects": "mean diameter",
        "powder": "mean diameter",
        "grains": "mean lineal intercept",
    }
    share = next((m for m in one.overall if m.value is not None and m.unit == "%"), None)
    words = f"{one.name}: {_plain(share)}" if share is not None else one.name
    pool = [m for found in one.by_field for m in found] if len(one.by_field) == 1 else []
    telling = next((m for m in (*one.overall, *pool) if m.name == wanted.get(one.kind) and m.value is not None), None)
    if telling is not None:
        words += f", {telling.name} {_plain(telling)}"
    return f"{words}." if share is not None or telling is not None else ""


def _plain(m: Measurement) -> str:
    """Return value, unit and interval."""
    shown, ends = _shown(m)
    return f"{shown} {m.unit}".strip() + (f" (95 %: {ends})" if ends != "–" else "")


def _shown(m: Measurement) -> tuple[str, str]:
    if m.value is None:
        return "–", "–"
    if m.low is None or m.high is None:
        return f"{m.value:.4g}", "–"
    half = (m.high - m.low) / 2
    places = decimals(half) if half > 0 else 2
    return number(m.value, places), interval(m.low, m.high)


def _figure(field: SegmentedField, micrograph: Micrograph | None) -> str:
    segmentation = field.segmentation
    if micrograph is None:
        grey = np.full(segmentation.mask.shape, 0.25)
    else:
        low, high = grey_limits(micrograph.frames[0])
        grey = (micrograph.frames[0].astype(np.float64) - low) / (high - low)
    step = max(1, -(-max(grey.shape) // (2 * _LONGEST_PX)))
    picture = Image.fromarray(tinted(grey, segmentation)[::step, ::step])
    picture.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.BOX)
    legend = " ".join(
        f'<span class="class"><i style="background:{legend_colour(colour)}"></i>{text(name)} '
        f'<span class="soft">{share_words(segmentation, value)}</span></span>'
        for colour, value, name in zip(
            class_colours(segmentation), segmentation.values, segmentation.names, strict=True
        )
    )
    flag = '<span class="badge unknown">unlike the training images</span>' if segmentation.unfamiliar else ""
    return (
        f'<figure class="card"><img src="{data_uri(picture)}" alt="{text(field.name)} with its classes tinted">'
        f"<figcaption><span>{text(field.name)} {flag}</span><span>{legend}</span></figcaption></figure>"
    )


def _class(one: MeasuredClass, measured: Measured) -> str:
    rows = [_row("", m) for m in one.overall]
    several = len(measured.fields) > 1
    for field, found in zip(measured.fields, one.by_field, strict=False):
        rows += [_row(field.name if several else "", m) for m in found]
    heads = [("Quantity", ""), ("Value", "n"), ("95 % interval", "n"), ("Unit", ""), ("From", ""), ("How", "wordy")]
    kind = f"{_KIND_WORDS[one.kind]}, {one.reason}"
    charts = "".join(_charts(one, measured))
    return (
        f'<h3>{text(one.name)} <span class="badge">{text(kind)}</span></h3>'
        f'{table(heads, rows)}<div class="charts">{charts}</div>'
    )


def _row(where: str, m: Measurement) -> str:
    value, ends = _shown(m)
    clause = f'<span class="badge">{text(m.clause)}</span> ' if m.clause else ""
    note = f'<br><span class="soft">{text(m.note)}</span>' if m.note else ""
    place = f'<br><span class="soft small">{text(where)}</span>' if where else ""
    name = m.name[:1].upper() + m.name[1:]
    return (
        f'<tr><td>{text(name)}{place}</td><td class="n">{value}</td><td class="n">{ends}</td><td>{text(m.unit)}</td>'
        f"<td>{number(m.count, 0)} {text(m.counted)}</td>"
        f'<td class="wordy small">{clause}{text(m.method)}{note}</td></tr>'
    )


def _charts(one: MeasuredClass, measured: Measured) -> list[str]:
    scale, drawn = measured.scale, []
    if one.objects is not None and (~one.objects.cut).sum() >= 5:
        diameters = one.objects.diameter_px[~one.objects.cut] * scale.um_per_px
        drawn.append(histogram(diameters, title="Equivalent diameter", unit=scale.length_unit, counted=one.name))
    for field, line in zip(measured.fields, one.profiles, strict=False):
        if line is not None:
            chart = profile(
                line.position_px * scale.um_per_px,
                line.thickness_px * scale.um_per_px,
                title=f"Position along {line.along}" + (f", {field.name}" if len(measured.fields) > 1 else ""),
                unit=scale.length_unit,
                side=f"thickness [{scale.length_unit}]",
            )
            drawn.append(chart)
    if one.cracks and sum(len(c.piece_angle_deg) for c in one.cracks):
        angles = np.concatenate([c.piece_angle_deg for c in one.cracks])
        lengths = np.concatenate([c.piece_length_px for c in one.cracks]) * scale.um_per_px
        edges = np.arange(0, 180 + _CRACK_BIN_DEG, _CRACK_BIN_DEG)
        heights, _ = np.histogram(angles % 180, edges, weights=lengths)
        drawn.append(bars(edges, heights, title="Direction", unit="°", counted=f"length [{scale.length_unit}]"))
    return [f'<figure class="card">{chart}</figure>' for chart in drawn[:_MOST_SHOWN]]


def _provenance(measured: Measured, source: str, origin: str | None) -> str:
    facts = (
        ("Classes from", f'<span class="id hash">{text(source)}</span>'),
        ("Pixel size", text(origin or "unknown")),
        ("Software", text(", ".join(f"{name} {version}" for name, version in versions().items()))),
        ("Beside this page", "measurements.json, measurements.csv, and of objects: objects.csv, objects.coco.json"),
    )
    rows = [f"<tr><td>{title}</td><td>{value}</td></tr>" for title, value in facts]
    return section("provenance", "Where this comes from", table((("", ""), ("", "")), rows))
