"""The sections of the defect report that are words, tables and numbers."""

from __future__ import annotations

import json
import math

import numpy as np

from micrographia.findings import SUBLATTICE, DefectFindings, Finding, Marginal
from micrographia.report.fields import ContextRow, context_rows, field_title
from micrographia.report.marks import PRISTINE
from micrographia.report.markup import doubts, marginal_svg, mark_svg, section, table, text, value_and_badge
from micrographia.report.numbers import estimate, number, value_and_interval
from micrographia.report.records import versions
from micrographia.report.words import Elements, headline, label_words, second_line, sublattice_sizes


def answer_section(findings: DefectFindings) -> str:
    """Return the answer in a sentence, the facts of the scan, and the doubts."""
    scan = findings.micrograph
    channels, height, width = scan.frames.shape
    size = scan.pixel_size_nm
    field = f"{width} × {height} px" if size is None else f"{width * size:.3g} × {height * size:.3g} nm"
    facts = {
        "Host": scan.context.host or "unknown",
        "Field of view": field,
        "Pixel size": "unknown" if size is None else f"{size:.4g} nm",
        "Channels": str(channels),
        "Sites": number(len(findings.sites), 0),
        "Method": findings.method,
    }
    listed = "".join(f"<div><dt>{title}</dt><dd>{text(value)}</dd></div>" for title, value in facts.items())
    second = second_line(findings)
    return (
        f'<p class="file">{text(scan.provenance.file)}</p><h1>{text(headline(findings))}</h1>'
        + (f'<p class="second">{text(second)}</p>' if second else "")
        + '<p class="note">± is one standard uncertainty. Counts are sums of probabilities over sites, so a doubtful '
        "site counts in part.</p>" + f'<dl class="facts">{listed}</dl>{_doubts(findings)}'
    )


def _doubts(findings: DefectFindings) -> str:
    items = [*findings.remarks, *findings.micrograph.context.notes]
    if not items:
        return '<p class="calm">The method raised no doubts about this scan.</p>'
    return doubts("Before you rely on this", items)


def amounts_section(findings: DefectFindings) -> str:
    """Return counts, densities and shares of every label, with 95 % intervals."""
    elements, sizes = Elements.of(findings.micrograph.context, findings.settings), sublattice_sizes(findings)
    ordered = sorted((f for f in findings.findings if f.label not in PRISTINE), key=lambda f: -f.expected_count)
    rest = " and ".join(
        f"{number(f.count, 0)} {label_words(f.label, elements, plural=f.count != 1)} ({f.label})"
        for f in findings.findings
        if f.label in PRISTINE
    )
    rows = [_amount_row(f, findings, elements, sizes[SUBLATTICE[f.label]]) for f in ordered]
    heads = (
        ("Defect", ""),
        ("Most probable at", "n"),
        ("Expected count<br>(95 % interval)", "n"),
        ("Density / nm⁻²<br>(95 % interval)", "n"),
        ("Share of such sites / %<br>(95 % interval)", "n"),
    )
    best = findings.sites.posterior.max(axis=1)
    sure, unsure = int((best > 0.99).sum()), int((best < 0.9).sum())
    note = (
        f'<p class="note">Of {number(len(best), 0)} sites, {number(sure, 0)} are decided with a probability above '
        f"0.99; {number(unsure, 0)} {'is' if unsure == 1 else 'are'} below 0.9. Intervals cover counting statistics "
        "and doubtful sites together. A click on a row shows the clearest example.</p>"
    )
    missing = (
        '<p class="note">The pixel size is unknown, so densities for an area cannot be given; shares of sites can.</p>'
        if findings.micrograph.pixel_size_nm is None
        else ""
    )
    pristine = (
        f'<p class="note below">All other sites are those of a perfect crystal: {text(rest)}.</p>' if rest else ""
    )
    return section("amounts", "How much there is", note, missing, table(heads, rows), pristine)


def _amount_row(finding: Finding, findings: DefectFindings, elements: Elements, sites: int) -> str:
    count = _with_interval(finding.expected_count, finding.count_interval)
    density = "–"
    if finding.density_per_nm2 is not None and finding.density_interval_per_nm2 is not None:
        density = _with_interval(finding.density_per_nm2, finding.density_interval_per_nm2)
    share = "–"
    if sites:
        low, high = finding.count_interval
        share = _with_interval(
            100 * finding.expected_count / sites, (100 * low / sites, min(100.0, 100 * high / sites))
        )
    example = ""
    if finding.count:
        own = findings.sites.posterior[:, findings.sites.labels.index(finding.label)]
        example = f' data-site="{int(np.argmax(own))}"'
    name = text(label_words(finding.label, elements, plural=True))
    cells = (number(finding.count, 0), count, density, share)
    numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    return (
        f'<tr{example}><td class="label">{mark_svg(finding.label)}{name} <span class="soft">{finding.label}</span></td>'
        f"{numbers}</tr>"
    )


def _with_interval(value: float, bounds: tuple[float, float]) -> str:
    shown, between = value_and_interval(value, bounds)
    return f'{shown} <span class="soft">({between})</span>'


def context_section(findings: DefectFindings) -> str:
    """Return the context: values, origins, and what the data said about what was unknown."""
    said = {m.name: m for m in findings.marginals}
    rows: list[str] = []
    for row in context_rows(findings.micrograph):
        marginal = said.pop(row.name, None) or said.pop(f"{row.name}[0]", None)
        rows.append(_context_row(row, marginal))
    for marginal in said.values():
        title, unit = field_title(marginal.name)
        rows.append(
            _context_row(ContextRow(name=marginal.name, title=title, value=None, unit=unit, origin=None), marginal)
        )
    note = (
        '<p class="note">What the decision was told, and who said so. Over a value that nobody gave, the answer is '
        "averaged as far as the method can; the chart shows how probable the data make each value that was tried.</p>"
    )
    heads = (("Quantity", ""), ("Value", ""), ("Origin", ""), ("What the data said", ""))
    return section("context", "Context", note, table(heads, rows))


def _context_row(row: ContextRow, marginal: Marginal | None) -> str:
    value, badge = value_and_badge(row)
    said = (
        ""
        if marginal is None
        else f'<div class="marginal">{text(marginal_words(marginal))}{marginal_svg(marginal)}</div>'
    )
    if row.value is None and marginal is None:
        said = '<span class="soft">no estimate from this scan</span>'
    return f"<tr><td>{text(row.title)}</td><td>{value}</td><td>{badge}</td><td>{said}</td></tr>"


def marginal_words(marginal: Marginal) -> str:
    """Return what the data said about an unknown quantity, in words.

    Examples
    --------
    >>> print(marginal_words(Marginal(name="energy_kev", unit="keV", values=(60.0, 80.0, 200.0, 300.0),
    ...                               weights=(0.05, 0.9, 0.05, 0.0))))
    85 ± 27 keV: the data narrow it down.
    """
    even = Marginal(
        name=marginal.name,
        unit=marginal.unit,
        values=marginal.values,
        weights=(1 / len(marginal.values),) * len(marginal.values),
    )
    answer = f"{estimate(marginal.mean, marginal.standard_deviation)} {marginal.unit}".strip()
    if len(marginal.values) == 1:
        return f"{marginal.values[0]:.4g} {marginal.unit}, the only value tried."
    if max(marginal.weights[0], marginal.weights[-1]) > max(0.35, 1.5 / len(marginal.values)):
        return f"{answer}: the weight gathers at the edge of the range tried, so the true value may lie outside it."
    if marginal.standard_deviation < 0.7 * even.standard_deviation:
        return f"{answer}: the data narrow it down."
    return f"{answer}: the data hardly say; the answer is averaged over the range."


def lattice_section(findings: DefectFindings) -> str:
    """Return the lattice held against the header."""
    lattice = findings.lattice
    spacings = "".join(
        f'<tr><td>Direction {k + 1}</td><td class="n">{number(angle, 1)}°</td>'
        f'<td class="n">{estimate(value, sd)} px</td></tr>'
        for k, (angle, value, sd) in enumerate(
            zip(lattice.directions_deg, lattice.spacings_px, lattice.spacings_sd_px, strict=True)
        )
    )
    size = lattice.header_pixel_size_nm
    facts = (
        ("Pixel size from the lattice", f"{estimate(lattice.pixel_size_nm, lattice.pixel_size_sd_nm)} nm"),
        ("Pixel size in the header", "unknown" if size is None else f"{size:.4g} nm"),
        ("Header against lattice", _excess_words(findings)),
        ("Lattice constant of the host, assumed", f"{lattice.host_lattice_constant_nm:.4f} nm"),
        ("Scan distortion, root mean square", f"{lattice.distortion_rms_px:.2f} px"),
    )
    values = "".join(f'<tr><td>{title}</td><td class="n">{text(value)}</td></tr>' for title, value in facts)
    return section(
        "lattice",
        "The lattice, held against the header",
        f'<p class="note">{text(lattice_words(findings))}</p>',
        '<div class="two">',
        table((("Close-packed direction", ""), ("Angle from x", "n"), ("Repeat distance", "n")), (spacings,)),
        table((("Quantity", ""), ("Value", "n")), (values,)),
        "</div>",
    )


def _excess_words(findings: DefectFindings) -> str:
    lattice = findings.lattice
    if lattice.header_excess is None:
        return "–"
    sd = 100 * (1 + lattice.header_excess) * lattice.pixel_size_sd_nm / lattice.pixel_size_nm
    sign = "+" if lattice.header_excess > 0 else ""
    return f"{sign}{estimate(100 * lattice.header_excess, sd)} %"


def lattice_words(findings: DefectFindings) -> str:
    """Return in plain words whether header and lattice agree, and whether the scan is sheared."""
    lattice = findings.lattice
    host = findings.micrograph.context.host or "the host"
    relative_sd = lattice.pixel_size_sd_nm / lattice.pixel_size_nm
    excess = lattice.header_excess
    if excess is None:
        first = "The file gives no pixel size; the lattice gives one."
    elif abs(excess) <= 2 * relative_sd:
        first = f"The header's pixel size agrees with the lattice of {host} within the uncertainty."
    else:
        way = "larger" if excess > 0 else "smaller"
        area, area_way = abs((1 + excess) ** 2 - 1), "large" if excess > 0 else "small"
        first = (
            f"The header's pixel size is {abs(100 * excess):.1f} % {way} than the lattice of {host} allows, "
            f"which is beyond the uncertainty. An area computed with it would be {100 * area:.0f} % too {area_way}."
        )
    spread = max(lattice.spacings_px) / min(lattice.spacings_px) - 1
    error = math.hypot(*sorted(lattice.spacings_sd_px)[1:]) / min(lattice.spacings_px)
    if spread > max(3 * error, 0.002):
        differ = f"The three repeat distances differ by up to {100 * spread:.1f} %"
        second = f"{differ}: the scan is stretched or sheared by that much."
    else:
        second = "The three repeat distances agree: the scan is not noticeably stretched or sheared."
    used = findings.micrograph.pixel_size_nm
    third = "" if used is None else f" Densities use {used:.4g} nm ({findings.micrograph.pixel_size_origin})."
    return f"{first} {second}{third}"


def provenance_section(findings: DefectFindings) -> str:
    """Return where all of this comes from: file, hash, reader, versions, settings."""
    source = findings.micrograph.provenance
    software = ", ".join(f"{name} {version}" for name, version in versions().items())
    both = "" if findings.opinions is None else "opinions.csv, opinions.parquet, "
    facts = (
        ("File", text(source.file)),
        ("SHA-256", f'<span class="id hash">{text(source.sha256 or "–")}</span>'),
        ("Read by", text(source.reader)),
        ("Method", text(findings.method)),
        ("Software", text(software)),
        ("Beside this page", f"sites.csv, sites.parquet, {both}result.json, overlay.png"),
    )
    rows = [f"<tr><td>{title}</td><td>{value}</td></tr>" for title, value in facts]
    settings = text(json.dumps(dict(findings.settings), indent=2, ensure_ascii=False, sort_keys=True))
    return section(
        "provenance",
        "Where this comes from",
        table((("", ""), ("", "")), rows),
        f"<details><summary>Settings of the method</summary><pre>{settings}</pre></details>",
    )
