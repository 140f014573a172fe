"""``report.html`` of `qualify`: each verdict with what it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from micrographia.embed.choose import kind_of
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.library import Reference
from micrographia.report.document import document
from micrographia.report.markup import doubts, section, table, text
from micrographia.report.qualification_criterion import CriterionView, criterion_card
from micrographia.report.qualification_pictures import Shown, kept_pictures, map_limit
from micrographia.report.qualification_result import CriterionResult, SampleResult, VerdictsResult
from micrographia.report.verdict_marks import DISPOSITION_WORDS, verdict_mark

_NAV: Final = (
    ("matrix", "Overview"),
    ("samples", "Samples"),
    ("reading", "How to read this"),
    ("provenance", "Provenance"),
)
_RULE: Final = (
    "A sample is rejected if any criterion rejects it, left undecided if none rejects it and any abstains, and "
    "accepted if all accept it."
)


@dataclass(frozen=True, kw_only=True)
class Illustrations:
    """What a page shows besides the verdicts.

    Parameters
    ----------
    samples : sequence of Shown
        Picture of each sample, in the order of the results.
    references : mapping of str to Reference
        References by their ids.
    pictures : mapping of str to Shown
        Pictures of references by their ids; one that is missing is said to be.
    criteria : mapping of str to Criterion
        Criteria by their ids.
    failures : sequence of str
        Why each of the other samples could not be qualified.
    """

    samples: Sequence[Shown]
    references: Mapping[str, Reference]
    pictures: Mapping[str, Shown]
    criteria: Mapping[str, Criterion]
    failures: Sequence[str] = field(default=())


def qualification_page(result: VerdictsResult, shown: Illustrations) -> str:
    """Return the whole report as HTML.

    Parameters
    ----------
    result : VerdictsResult
        The verdicts, as they are written to ``verdicts.json``.
    shown : Illustrations
        Pictures and texts.
    """
    kept = {f"sample-{k}-picture": picture for k, picture in enumerate(shown.samples)}
    kept |= {f"reference-{name}": picture for name, picture in shown.pictures.items()}
    return document(
        title=f"{_title(result)} – Micrographia",
        kind="qualification",
        sections=_NAV,
        body=(
            kept_pictures(kept),
            _head(result, shown.failures),
            _matrix(result),
            _samples(result, shown),
            _reading(result),
            _provenance(result),
        ),
    )


def headline(sample: SampleResult) -> str:
    """Return the disposition of a sample and why, in a line."""
    words = DISPOSITION_WORDS[sample.disposition]
    if sample.disposition == "accept":
        count = len(sample.criteria)
        return f"{words}: it meets " + (f"all {count} criteria" if count > 1 else f"“{sample.criteria[0].title}”")
    telling = [c for c in sample.criteria if c.verdict == sample.disposition]
    return f"{words}: " + ", ".join(f"“{c.title}”{_why(c)}" for c in telling)


def _why(criterion: CriterionResult) -> str:
    return "" if criterion.reason == "decided" else f" ({criterion.reason})"


def _title(result: VerdictsResult) -> str:
    count = len(result.samples)
    return result.samples[0].file if count == 1 else f"{count} samples"


def _head(result: VerdictsResult, failures: Sequence[str]) -> str:
    first = result.samples[0]
    counted = {kind: sum(s.disposition == kind for s in result.samples) for kind in DISPOSITION_WORDS}
    if len(result.samples) == 1:
        title = f"{verdict_mark(first.disposition)}{text(headline(first))}"
    else:
        title = f"{len(result.samples)} samples: " + ", ".join(
            f"{count} {DISPOSITION_WORDS[kind].lower()}" for kind, count in counted.items() if count
        )
    names = list(dict.fromkeys(c.title for s in result.samples for c in s.criteria))
    facts = {
        "Criteria": ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else ""),
        "Wrong decisions allowed for": f"{100 * result.alpha:g} % a criterion",
        "Library version": result.library.version[:12],
        "Encoders": ", ".join(result.encoders),
    }
    listed = "".join(f"<div><dt>{title}</dt><dd>{text(value)}</dd></div>" for title, value in facts.items())
    remarks = [f"Not qualified: {reason}" for reason in failures]
    remarks += [_about(result, s, remark) for s in result.samples for remark in s.remarks]
    box = doubts("Before you rely on this", list(dict.fromkeys(remarks))) if remarks else ""
    return (
        f'<p class="file">{text(_title(result))}</p><h1 class="disposition">{title}</h1>'
        f'<p class="second">{_RULE}</p><dl class="facts">{listed}</dl>{box}'
    )


def _about(result: VerdictsResult, sample: SampleResult, remark: str) -> str:
    return remark if len(result.samples) == 1 else f"On {sample.file}: {remark}"


def _matrix(result: VerdictsResult) -> str:
    """Return a table of samples by criteria; each verdict leads to what it rests on."""
    titles = {c.id: c.title for s in result.samples for c in s.criteria}
    heads = [("Sample", ""), ("Disposition", ""), *((f"{text(title)}", "wrap") for title in titles.values())]
    rows = []
    for k, sample in enumerate(result.samples):
        cells = {c.id: _cell(c, k) for c in sample.criteria}
        rows.append(
            f'<tr><td class="name"><a href="#sample-{k}">{text(sample.file)}</a></td>'
            f'<td class="label"><b>{verdict_mark(sample.disposition)}{DISPOSITION_WORDS[sample.disposition]}</b></td>'
            f"{''.join(cells.get(name, '<td>–</td>') for name in titles)}</tr>"
        )
    return section("matrix", "Samples and criteria", f'<div class="verdicts">{table(heads, rows)}</div>')


def _cell(criterion: CriterionResult, sample: int) -> str:
    why = "" if criterion.reason == "decided" else f'<br><span class="soft small">{text(criterion.reason)}</span>'
    return (
        f'<td><a class="plain" href="#sample-{sample}-{text(criterion.id)}">{verdict_mark(criterion.verdict)}'
        f"{criterion.verdict}</a>{why}</td>"
    )


def _samples(result: VerdictsResult, shown: Illustrations) -> str:
    limits = {
        name: map_limit(c.map for s in result.samples for c in s.criteria if c.id == name and c.map is not None)
        for name in {c.id for s in result.samples for c in s.criteria}
    }
    parts = [_sample(k, sample, shown, limits) for k, sample in enumerate(result.samples)]
    return f'<div id="samples">{"".join(parts)}</div>'


def _sample(number_of: int, sample: SampleResult, shown: Illustrations, limits: Mapping[str, float]) -> str:
    cards = [
        criterion_card(
            CriterionView(
                name=f"sample-{number_of}-{criterion.id}",
                result=criterion,
                picture_name=f"sample-{number_of}-picture",
                picture=shown.samples[number_of],
                file=sample.file,
                references=shown.references,
                pictures=shown.pictures,
                criterion=shown.criteria.get(criterion.id),
                map_limit=limits[criterion.id],
            )
        )
        for criterion in sample.criteria
    ]
    title = f"{verdict_mark(sample.disposition)}{text(sample.file)}"
    remarks = "".join(f"<li>{text(remark)}</li>" for remark in sample.remarks)
    listed = f'<ul class="remarks">{remarks}</ul>' if remarks else ""
    return section(f"sample-{number_of}", title, f'<p class="note">{text(headline(sample))}.</p>{listed}', *cards)


def _reading(result: VerdictsResult) -> str:
    percent = f"{100 * result.alpha:g} %"
    items = (
        (
            "Accept, reject",
            f"Decided at a level at which at most {percent} of decisions are expected to be wrong, where both kinds "
            "are equally frequent and samples are of the same kind as the references.",
        ),
        (
            "Abstain, ambiguous",
            "The references do not tell at this level. Look at the sample yourself; references like it, of either "
            "kind, would help.",
        ),
        (
            "Abstain, novel",
            "The sample is unlike all references, so they say nothing about it. Look at it yourself; if such samples "
            "belong to the criterion, add some as references.",
        ),
        (
            "Abstain, insufficient references",
            "Too few references for a decision at this level, whatever the sample looks like. The verdict says how "
            "many are missing.",
        ),
        (
            "p-value",
            "How often a sample that truly is of a kind would fit the references of that kind as badly as this one "
            "does, or worse. It is not the probability that the sample is of that kind.",
        ),
        (
            "Score and z",
            "How far the sample lies from midway between what is accepted and what is rejected, in units of the spread "
            "of the references. It orders samples; it is not a probability.",
        ),
        (
            "Map",
            "Each part of the image scored by itself, as if it were a whole sample, and averaged where parts overlap. "
            "It shows where to look; the verdict is on the whole.",
        ),
    )
    rows = [f'<tr><td class="label"><b>{title}</b></td><td class="wordy">{words}</td></tr>' for title, words in items]
    return section("reading", "How to read this", table((("", ""), ("", "wordy")), rows))


def _provenance(result: VerdictsResult) -> str:
    files = "".join(
        f'<div>{text(s.file)} <span class="id hash soft">{text(s.sha256 or "–")}</span></div>' for s in result.samples
    )
    facts = (
        ("Library", f"{text(result.library.path)}"),
        ("Its id", f'<span class="id hash">{text(result.library.id)}</span>'),
        ("Its version", f'<span class="id hash">{text(result.library.version)}</span>'),
        ("Samples, SHA-256", files),
        ("Settings", f'<span class="id hash">{text(json.dumps(result.settings, ensure_ascii=False))}</span>'),
        ("Software", text(", ".join(f"{name} {version}" for name, version in result.software.items()))),
        ("Beside this page", "verdicts.json, which <b>micrographia sign</b> signs"),
    )
    rows = [f'<tr><td class="label">{title}</td><td>{value}</td></tr>' for title, value in facts]
    encoders = [_encoder_row(name, version) for name, version in result.encoders.items()]
    heads = (("Encoder", ""), ("Version", ""), ("Licence", ""), ("What its authors warn of", "wordy"))
    return section(
        "provenance",
        "Where this comes from",
        table((("", ""), ("", "")), rows),
        "<h3>Encoders</h3>",
        table(heads, encoders),
    )


def _encoder_row(name: str, version: str) -> str:
    kind = kind_of(name)
    licence, caution = ("–", "–") if kind is None else (kind.licence, kind.caution)
    return (
        f'<tr><td class="label">{text(name)}</td><td class="id">{text(version)}</td><td>{text(licence)}</td>'
        f'<td class="wordy">{text(caution)}</td></tr>'
    )
