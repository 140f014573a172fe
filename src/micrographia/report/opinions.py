"""The section of the defect report that sets physics and network side by side, their disagreements first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from micrographia.findings import DefectFindings, Evidence, Information, Opinions
from micrographia.report.agreement import Agreement, agreement, opinions_of, set_sizes
from micrographia.report.fields import field_title
from micrographia.report.markup import doubts, mark_svg, section, table, text
from micrographia.report.numbers import decimals, number, probability
from micrographia.report.opinions_table import label_sets
from micrographia.report.patches import Scales, labels_patches
from micrographia.report.words import Elements, label_words

_MOST_ROWS: Final = 60
_ROWS_OPEN: Final = 12
"""Rows that are not folded away, so that the scan itself is not far below."""
_MOST_UNFAMILIAR: Final = 0.02
"""Fraction of flagged sites above which a reader is warned."""


def opinions_section(findings: DefectFindings, scales: Scales) -> str:
    """Return the disagreements, how well both agree, what the network cannot rule out, and what would help.

    Parameters
    ----------
    findings : DefectFindings
        Findings with opinions.
    scales : Scales
        Display ranges of the pictures.

    Raises
    ------
    InputError
        The findings hold one method's answer only.
    """
    opinions = opinions_of(findings)
    compared = agreement(findings.sites.labels, opinions)
    return section(
        "opinions",
        "Where physics and network disagree",
        _disagreements(findings, opinions, scales),
        '<div class="two"><div><h3>How well they agree</h3>',
        _agreement(compared),
        "</div><div><h3>What the network cannot rule out</h3>",
        _sets(opinions),
        "</div></div>",
        _familiarity(opinions),
        "<h3>What would help</h3>",
        _information(opinions.information),
    )


def _disagreements(findings: DefectFindings, opinions: Opinions, scales: Scales) -> str:
    total, differ = len(findings.sites), len(opinions.disagreements)
    if not differ:
        return f'<p class="calm">Nowhere: both give the same label to every one of {_sites(total)}.</p>'
    shown = opinions.disagreements[:_MOST_ROWS]
    cut = "" if differ <= _MOST_ROWS else f" The first {_MOST_ROWS} are shown; opinions.csv has all."
    note = (
        f'<p class="note">They disagree on <strong>{_of(differ, total)}</strong>, the most striking '
        f"first.{cut} Each picture shows the scan around the site, then the same window simulated under the label "
        "of either method; orange ticks point at the site. Label set and familiarity are explained below.</p>"
    )
    sets = label_sets(findings.sites.labels, opinions)
    by_site = {evidence.site: evidence for evidence in findings.evidence}
    elements = Elements.of(findings.micrograph.context, findings.settings)
    rows = [_row(s, findings, opinions, sets[s], by_site.get(s), scales, elements) for s in shown]
    heads = (
        ("Site", ""),
        ("x, y / px", "n"),
        ("Physics says", ""),
        ("Network says", ""),
        ("Label set", ""),
        ("Familiarity", "n"),
        ("Channel by channel:<br>data | as physics says | as network says", ""),
    )
    rest = len(rows) - _ROWS_OPEN
    more = (
        f"<details><summary>{rest} more of them</summary>{table(heads, rows[_ROWS_OPEN:])}</details>"
        if rest > 0
        else ""
    )
    return note + table(heads, rows[:_ROWS_OPEN]) + more


def _row(
    site: int,
    findings: DefectFindings,
    opinions: Opinions,
    held: tuple[str, ...],
    evidence: Evidence | None,
    scales: Scales,
    elements: Elements,
) -> str:
    sites = findings.sites
    said = []
    for method, posterior in (("physics", opinions.physics[site]), ("network", opinions.network[site])):
        best = int(np.argmax(posterior))
        said.append((method, sites.labels[best], float(posterior[best])))
    answers = "".join(f"<td>{_answer(label, p, elements)}</td>" for _, label, p in said)
    pictures = '<span class="soft">–</span>'
    if evidence is not None:
        shown = [(label, f"as {label} ({method})") for method, label, _ in said]
        pictures = labels_patches(evidence, sites, scales, shown)
    flag = '<br><span class="badge unknown">unfamiliar</span>' if opinions.unfamiliar[site] else ""
    return (
        f'<tr data-site="{site}"><td><button class="jump" type="button">{site}</button></td>'
        f'<td class="n">{sites.x_px[site]:.1f}, {sites.y_px[site]:.1f}</td>{answers}'
        f'<td class="label">{_set_words(held)}</td>'
        f'<td class="n">{_percent(round(float(opinions.familiarity[site]), 4))}{flag}</td><td>{pictures}</td></tr>'
    )


def _answer(label: str, p: float, elements: Elements) -> str:
    return (
        f'<span class="answer">{mark_svg(label)}<span>{text(label_words(label, elements))}<br>'
        f'<span class="soft">{label}, {probability(p)}</span></span></span>'
    )


def _set_words(held: tuple[str, ...]) -> str:
    return text(f"{{{', '.join(held)}}}") if held else '<span class="soft">no label</span>'


def _agreement(compared: Agreement) -> str:
    fraction, kappa = compared.fraction, compared.kappa
    if fraction is None:
        return '<p class="note">There is no site to compare.</p>'
    total = int(compared.confusion.sum())
    beyond = (
        "Cohen’s kappa cannot be given, as both say one and the same label everywhere."
        if kappa is None
        else f"Cohen’s kappa is {number(kappa, 3)} (1 is full agreement, 0 what chance alone would give)."
    )
    words = f"Both give the same label to {_of(int(np.trace(compared.confusion)), total)}. {beyond}"
    return f'<p class="note">{words}</p>{_cross_table(compared)}'


def _cross_table(compared: Agreement) -> str:
    """Return the number of sites for each label of physics (rows) and of the network (columns)."""
    counts = compared.confusion
    rows_used, columns_used = np.flatnonzero(counts.sum(axis=1)), np.flatnonzero(counts.sum(axis=0))
    heads = [("Physics ↓ &nbsp; Network →", ""), *((compared.labels[k], "n") for k in columns_used)]
    rows = []
    for i in rows_used:
        cells = "".join(
            f'<td class="n{"" if i == k else " differ" if counts[i, k] else " soft"}">'
            f"{number(counts[i, k], 0) if counts[i, k] else '–'}</td>"
            for k in columns_used
        )
        name = compared.labels[i]
        rows.append(f'<tr><th scope="row">{mark_svg(name)}{name}</th>{cells}</tr>')
    return f'<div class="cross">{table(heads, rows)}</div>'


def _sets(opinions: Opinions) -> str:
    one, several, none = set_sizes(opinions)
    return (
        f'<p class="note">A label set holds the labels that the network cannot rule out. With '
        f"{_percent(opinions.coverage)} of sites of simulated scans like this, the set holds the truth.</p>"
        + table(
            (("Labels in the set", ""), ("Sites", "n"), ("What it means", "wordy")),
            [
                f'<tr><td>{size}</td><td class="n">{number(count, 0)}</td><td class="wordy">{words}</td></tr>'
                for size, count, words in (
                    ("one", one, "decided at this level"),
                    ("several", several, "more than one label is still possible"),
                    ("none", none, "no label fits well enough: a site to look at"),
                )
            ],
        )
    )


def _familiarity(opinions: Opinions) -> str:
    flagged, total = int(opinions.unfamiliar.sum()), len(opinions.familiarity)
    least = _percent(opinions.least_familiarity)
    words = (
        f"Familiarity says how usual a site looks to the network: the fraction of simulated sites that are at least as "
        f"unlike the others. Below {least} a site is flagged unfamiliar: {_of(flagged, total)}. Of sites like the "
        f"simulated ones, {least} would be flagged."
    )
    warning = ""
    if total and flagged > _MOST_UNFAMILIAR * total:
        warning = doubts(
            "Before you rely on the network",
            (
                f"{number(100 * flagged / total, 1)} % of the sites look unlike anything that the network was made "
                "for. Do not rely on its labels there without a look at the pictures.",
            ),
        )
    return f'<p class="note below">{words}</p>{warning}'


def _information(information: Sequence[Information]) -> str:
    if not information:
        return '<p class="calm">Nothing that matters is missing: all that the network asks for is known.</p>'
    best, *others = information
    places = decimals(best.reduction_sd_nats)
    before, after = best.entropy_nats, best.entropy_nats - best.reduction_nats
    first = (
        f"If it were recorded, <strong>{_quantity(best)}</strong> would help most: it is expected to cut the entropy "
        f"of the doubtful sites from {number(before, places)} to {number(after, places)} nats "
        f"(± {number(best.reduction_sd_nats, places)})."
        if best.reduction_nats > 2 * best.reduction_sd_nats
        else "Nothing that was not recorded would help noticeably; the most promising is "
        f"{_quantity(best)} ({_reduction(best)})."
    )
    rest = "; ".join(f"{_quantity(i)} ({_reduction(i)})" for i in others)
    then = f" After it: {rest}." if rest else ""
    return (
        f'<p class="help">{first}{then}</p><p class="note">Entropy measures doubt: 0 nats when decided, 0.69 between '
        "two equal options.</p>"
    )


def _quantity(information: Information) -> str:
    """Return a quantity's name as it stands within a sentence."""
    title, _ = field_title(information.name)
    return text(f"the {title[:1].lower()}{title[1:]}")


def _reduction(information: Information) -> str:
    places = decimals(information.reduction_sd_nats)
    change, sd = number(abs(information.reduction_nats), places), number(information.reduction_sd_nats, places)
    return f"{change} ± {sd} nats {'less' if information.reduction_nats >= 0 else 'more'}"


def _of(part: int, total: int) -> str:
    return f"{number(part, 0)} of {_sites(total)}"


def _sites(count: int) -> str:
    return f"{number(count, 0)} {'site' if count == 1 else 'sites'}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"
