"""Evidence as pictures: the data beside each hypothesis simulated again, on common scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from micrographia.findings import DefectFindings, Evidence, SiteTable
from micrographia.report.images import data_uri, grey_image, grey_limits, residual_image, residual_limit
from micrographia.report.marks import PRISTINE
from micrographia.report.markup import mark_svg, section, table, text
from micrographia.report.numbers import magnitude, number, probability
from micrographia.report.words import Elements, label_words

INTENSITY_UNIT = "file's intensity units"
_SHOWN_AT_ONCE = 6


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Display range of each channel, one for the whole report, so that equal greys are equal intensities.

    Parameters
    ----------
    grey : tuple of (float, float)
        Intensities shown black and white, for data and model, in the file's units.
    residual : tuple of float
        Magnitude of data - model in full colour, in the file's units.
    """

    grey: tuple[tuple[float, float], ...]
    residual: tuple[float, ...]

    @staticmethod
    def of(findings: DefectFindings) -> Scales:
        """Return the scales of a scan: quantiles of its data, and of its residual."""
        frames, model = findings.micrograph.frames, findings.model
        return Scales(
            grey=tuple(grey_limits(frame) for frame in frames),
            residual=tuple(residual_limit(d - m) for d, m in zip(frames, model, strict=True)),
        )

    def grey_ends(self, channel: int) -> tuple[str, str]:
        """Return the intensities shown black and white."""
        low, high = self.grey[channel]
        return magnitude(low, 3), magnitude(high, 3)

    def residual_ends(self, channel: int) -> tuple[str, str]:
        """Return the residuals shown full blue and full red."""
        end = magnitude(self.residual[channel], 2)
        return f"−{end}", f"+{end}"


def scales_legend(scales: Scales) -> str:
    """Return the key to the greys and colours of all pictures."""
    rows = []
    for channel in range(len(scales.grey)):
        name = f" in channel {channel + 1}" if len(scales.grey) > 1 else ""
        for what, kind, (low, high) in (
            ("Intensity", "grey", scales.grey_ends(channel)),
            ("Residual, data − model,", "diverging", scales.residual_ends(channel)),
        ):
            rows.append(f'<div class="scale">{what}{name}: {low}<span class="ramp {kind}"></span>{high}</div>')
    return f'<div class="scales">{"".join(rows)}</div>'


def _patch(uri: str, evidence: Evidence, sites: SiteTable, what: str) -> str:
    height, width = evidence.data.shape[1:]
    across = 100 * (sites.x_px[evidence.site] - evidence.left_px + 0.5) / width
    down = 100 * (sites.y_px[evidence.site] - evidence.top_px + 0.5) / height
    alt = f"Site {evidence.site}, {what}"
    return (
        f'<span class="patch" style="--cx:{across:.1f}%;--cy:{down:.1f}%">'
        f'<img src="{uri}" width="{width}" height="{height}" alt="{text(alt)}" title="{text(what)}"></span>'
    )


def _grey(frame: Float[np.ndarray, "height width"], limits: tuple[float, float]) -> str:
    return data_uri(grey_image(frame, limits))


def labels_patches(evidence: Evidence, sites: SiteTable, scales: Scales, shown: Sequence[tuple[str, str]]) -> str:
    """Return data | simulated as one label | as another, one row a channel.

    Parameters
    ----------
    evidence : Evidence
        The window; a label that it was not simulated under is shown as a dash.
    sites : SiteTable
        Where the site is within the window.
    scales : Scales
        Display ranges.
    shown : sequence of (str, str)
        Labels, and what to call each in the heading.
    """
    rows = []
    for channel, limits in enumerate(scales.grey):
        cells = [_patch(_grey(evidence.data[channel], limits), evidence, sites, f"data, channel {channel + 1}")]
        for label, _ in shown:
            if label not in evidence.hypotheses:
                cells.append(f'<span class="absent" title="not simulated as {label}">–</span>')
                continue
            frame = evidence.rendered[evidence.hypotheses.index(label), channel]
            cells.append(_patch(_grey(frame, limits), evidence, sites, f"simulated as {label}, channel {channel + 1}"))
        rows.append(f'<div class="patches">{"".join(cells)}</div>')
    heads = text(" | ".join(("data", *(head for _, head in shown))))
    return f'<div class="stack side" data-evidence="{evidence.site}" data-heads="{heads}">{"".join(rows)}</div>'


def _residual_patches(evidence: Evidence, best: str, sites: SiteTable, scales: Scales) -> str:
    chosen = evidence.hypotheses.index(best)
    rows = []
    for channel, limits in enumerate(scales.grey):
        data, model = evidence.data[channel], evidence.rendered[chosen, channel]
        residual = data_uri(residual_image(data - model, scales.residual[channel]))
        rows.append(
            '<div class="patches">'
            + _patch(_grey(data, limits), evidence, sites, f"data, channel {channel + 1}")
            + _patch(_grey(model, limits), evidence, sites, f"simulated as {best}, channel {channel + 1}")
            + _patch(residual, evidence, sites, f"data − model, channel {channel + 1}")
            + "</div>"
        )
    heads = text(f"data | as {best} | residual")
    return f'<div class="stack" data-evidence="{evidence.site}" data-heads="{heads}">{"".join(rows)}</div>'


def least_certain_section(findings: DefectFindings, scales: Scales) -> str:
    """Return the table of the most doubtful sites, with their two best hypotheses as pictures."""
    sites, elements = findings.sites, Elements.of(findings.micrograph.context, findings.settings)
    by_site = {e.site: e for e in findings.evidence}
    label, entropy = sites.label, sites.entropy_nats
    rows = []
    for site in findings.least_certain:
        ranked = np.argsort(-sites.posterior[site], kind="stable")[:2]
        options = "<br>".join(
            f'<span class="label">{mark_svg(sites.labels[k])}{text(label_words(sites.labels[k], elements))} '
            f'<span class="soft">{sites.labels[k]}</span></span>'
            for k in ranked
        )
        chances = "<br>".join(probability(float(sites.posterior[site, k])) for k in ranked)
        shown = [(sites.labels[k], f"as {sites.labels[k]}") for k in ranked]
        pictures = (
            labels_patches(by_site[site], sites, scales, shown) if site in by_site else '<span class="soft">–</span>'
        )
        rows.append(
            f'<tr data-site="{site}"><td><button class="jump" type="button">{site}</button></td>'
            f'<td class="n">{sites.x_px[site]:.1f}, {sites.y_px[site]:.1f}</td>'
            f'<td>{options}</td><td class="n">{chances}</td><td class="n">{entropy[site]:.2f}</td>'
            f'<td class="n">{number(float(sites.residual[site]), 2)}</td><td>{pictures}</td></tr>'
        )
    heads = (
        ("Site", ""),
        ("x, y / px", "n"),
        ("Two best hypotheses", ""),
        ("Posterior", "n"),
        ("Entropy<br>/ nats", "n"),
        ("Residual", "n"),
        ("Channel by channel: data | hypothesis 1 | hypothesis 2", ""),
    )
    note = (
        '<p class="note">The sites to look at first. Each picture shows the scan around the site, then the same '
        "window simulated under the first and the second hypothesis; orange ticks point at the site. Numbers are rows "
        "of sites.csv, the first being 0.</p>"
    )
    every = (
        '<details id="every-defect"><summary>Every defect, the least certain first</summary>'
        + table(
            (
                ("Site", ""),
                ("What it is", ""),
                ("x, y / px", "n"),
                ("Posterior", "n"),
                ("Entropy / nats", "n"),
                ("Residual", "n"),
            ),
            (),
        )
        + "</details>"
        if any(name not in PRISTINE for name in label)
        else ""
    )
    body = table(heads, rows) if rows else '<p class="calm">No site was singled out as uncertain.</p>'
    return section("doubtful", "The least certain sites", note, body, every)


def gallery_section(findings: DefectFindings, scales: Scales) -> str:
    """Return, for each kind of defect, examples of data, model and residual."""
    elements = Elements.of(findings.micrograph.context, findings.settings)
    groups: dict[str, list[Evidence]] = {}
    label = findings.sites.label
    for evidence in findings.evidence:
        # Evidence of a disagreement may show other labels first, or only other labels: no example of what was chosen.
        name = str(label[evidence.site])
        if name not in PRISTINE and name in evidence.hypotheses:
            groups.setdefault(name, []).append(evidence)
    parts = [
        '<p class="note">Does the simulation look like the data? Each example shows the scan, the same window '
        "simulated under the label that was chosen, and what is left over. A residual without structure at the ticks "
        "speaks for the label. Data and model share one grey scale over the whole report; intensities are in the "
        f"{INTENSITY_UNIT}.</p>",
        scales_legend(scales),
    ]
    for name in findings.sites.labels:
        if name in groups:
            parts.append(_gallery(name, groups[name], findings, scales, elements))
    if not groups:
        parts.append('<p class="calm">There is no defect to show.</p>')
    return section("evidence", "Evidence for each kind of defect", *parts)


def _gallery(
    label: str, examples: Sequence[Evidence], findings: DefectFindings, scales: Scales, elements: Elements
) -> str:
    counts: Mapping[str, int] = {f.label: f.count for f in findings.findings}
    words = text(label_words(label, elements, plural=True))
    figures = [_figure(e, label, findings.sites, scales) for e in examples]
    head = (
        f'<h3>{mark_svg(label)}{words} <span class="soft">{label}; '
        f"{len(examples)} of {number(counts.get(label, len(examples)), 0)} shown</span></h3>"
    )
    body = f'<div class="gallery">{"".join(figures[:_SHOWN_AT_ONCE])}</div>'
    if rest := figures[_SHOWN_AT_ONCE:]:
        body += f'<details><summary>{len(rest)} more</summary><div class="gallery">{"".join(rest)}</div></details>'
    return head + body


def _figure(evidence: Evidence, label: str, sites: SiteTable, scales: Scales) -> str:
    site = evidence.site
    best = probability(float(sites.posterior[site, sites.labels.index(label)]))
    return (
        f'<figure class="card" data-site="{site}">'
        f'<div class="heads"><span>data</span><span>as {label}</span><span>residual</span></div>'
        f"{_residual_patches(evidence, label, sites, scales)}"
        f'<figcaption><button class="jump" type="button">Site {site}</button>'
        f'<span class="soft">posterior {best}, residual {number(float(sites.residual[site]), 2)}</span>'
        "</figcaption></figure>"
    )
