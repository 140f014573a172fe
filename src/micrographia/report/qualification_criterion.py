"""One verdict on a page: pictures beside its references, where the evidence lies, and every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from micrographia.qualify.criteria import Criterion
from micrographia.qualify.library import Reference
from micrographia.report.markup import table, text
from micrographia.report.numbers import number
from micrographia.report.qualification_pictures import Shown, evidence_svg, placed_picture, unlike_svg
from micrographia.report.qualification_result import CriterionResult, PartResult, ReferenceResult
from micrographia.report.verdict_marks import verdict_mark

_POLARITY_WORDS: Final = {"accept": "accepted", "reject": "rejected"}
_MODALITY_WORDS: Final = {
    "image": "with reference images",
    "patches": "its patches with those of accepted images",
    "text": "with the criterion’s texts",
}


@dataclass(frozen=True, kw_only=True)
class CriterionView:
    """A verdict, and all that is needed to show it.

    Parameters
    ----------
    name : str
        Where links on the page lead to.
    result : CriterionResult
        The verdict.
    picture_name : str
        Of the sample's picture among those that the page keeps.
    picture : Shown
        That picture.
    file : str
        The sample's file.
    references : mapping of str to Reference
        References by their ids.
    pictures : mapping of str to Shown
        Their pictures; one that is missing is said to be.
    criterion : Criterion, optional
        The criterion with its texts.
    map_limit : float
        Score of full colour on maps.
    """

    name: str
    result: CriterionResult
    picture_name: str
    picture: Shown
    file: str
    references: Mapping[str, Reference]
    pictures: Mapping[str, Shown]
    criterion: Criterion | None
    map_limit: float


def criterion_card(view: CriterionView) -> str:
    """Return a verdict with what it rests on, as HTML."""
    result = view.result
    reason = "" if result.reason == "decided" else f", {result.reason}"
    unknown = " unknown" if result.verdict == "abstain" else ""
    title = (
        f'<h3 id="{text(view.name)}">{verdict_mark(result.verdict)}{text(result.title)} '
        f'<span class="badge{unknown}">{result.verdict}{reason}</span></h3>'
    )
    remarks = "".join(f"<li>{text(remark)}</li>" for remark in result.remarks)
    return (
        f'<article class="criterion card">{title}<p class="because">{text(result.explanation)}</p>'
        f"{f'<ul class=remarks>{remarks}</ul>' if remarks else ''}{_figures(view)}"
        f'<div class="two"><div>{_p_values(result)}</div><div>{_parts(result)}</div></div>'
        f"{_texts(view.criterion)}{_more_references(view)}</article>"
    )


def nearest(result: CriterionResult, polarity: str) -> ReferenceResult | None:
    """Return the nearest reference of a kind; None where there is none."""
    return next((r for r in result.references if r.polarity == polarity), None)


def _figures(view: CriterionView) -> str:
    unlike = view.result.unlike
    over = "" if unlike is None else unlike_svg(unlike, view.picture)
    framed = "<span>Framed: the parts least like anything accepted</span>" if over else ""
    sample = placed_picture(view.picture_name, view.picture, words=f"The sample {view.file}", over=over)
    figures = [
        f"<figure>{sample}<figcaption><b>The sample</b>{text(view.file)}{framed}</figcaption></figure>",
        _map_figure(view),
        _reference_figure(view, "accept"),
        _reference_figure(view, "reject"),
    ]
    return f'<div class="beside">{"".join(figures)}</div>'


def _map_figure(view: CriterionView) -> str:
    found = view.result.map
    if found is None:
        return ""
    over = evidence_svg(found, view.picture, limit=view.map_limit)
    picture = placed_picture(view.picture_name, view.picture, words="Where the evidence lies", over=over)
    end = number(view.map_limit, 1)
    return (
        f"<figure>{picture}<figcaption><b>Where the evidence lies</b>"
        f'<span class="evidence"><span>like rejected<br>−{end}</span><i class="ramp"></i><span>like accepted<br>+{end}'
        "</span></span><span>Score of each part by itself</span></figcaption></figure>"
    )


def _reference_figure(view: CriterionView, polarity: Literal["accept", "reject"]) -> str:
    """Return the nearest reference of a kind with what is known of it."""
    counts = view.result.counts
    words, found = _POLARITY_WORDS[polarity], nearest(view.result, polarity)
    if found is None:
        held = counts.accept if polarity == "accept" else counts.reject
        why = f"not compared with the {held} there {'is' if held == 1 else 'are'}" if held else f"no {words} reference"
        return f'<figure><div class="picture none">{why}</div><figcaption><b>Nearest {words}</b></figcaption></figure>'
    picture = view.pictures.get(found.id)
    drawn = (
        '<div class="picture none">its image cannot be read: see <b>micrographia audit verify</b></div>'
        if picture is None
        else placed_picture(f"reference-{found.id}", picture, words=f"Reference {found.id}, {words}")
    )
    region = "; only the box around the bright region counts" if picture is not None and picture.region else ""
    lines = (
        f"<b>{verdict_mark(found.polarity)}Nearest {words}: {text(found.id)}</b>",
        f"similarity {number(found.similarity, 2)} <span>({text(found.encoder)}){region}</span>",
        *_told(view.references.get(found.id), found),
    )
    return f"<figure>{drawn}<figcaption>{''.join(f'<span>{line}</span>' for line in lines)}</figcaption></figure>"


def _told(reference: Reference | None, found: ReferenceResult) -> list[str]:
    """Return file, expert, specimen and words of a reference, as far as they are known."""
    told = [text(found.file)]
    if reference is not None:
        who = [reference.expert, f"specimen {reference.specimen}" if reference.specimen else None]
        if any(who):
            told.append(text(", ".join(w for w in who if w)))
        if reference.text:
            told.append(f"“{text(reference.text)}”")
    return told


def _p_values(result: CriterionResult) -> str:
    rows = [
        _p_row("acceptable", result.p_accept),
        _p_row("to be rejected", result.p_reject),
        _p_row("of the references’ kind", result.p_familiar),
    ]
    counts, missing = result.counts, result.missing
    lacks = [f"{n} {w}" for n, w in ((missing.accept, "accepted"), (missing.reject, "rejected")) if n]
    lacking = f" For a decision at this level {' and '.join(lacks)} more are needed." if lacks else ""
    told = (
        ""
        if result.rejected_share is None
        else f" Of samples with this score {_percent(result.rejected_share)} % are to be rejected, were both kinds "
        "equally frequent."
    )
    score = "none" if result.score is None else f"{_signed(result.score, 2)}; above 0 is more like accepted"
    meaning = (
        '<p class="note below">A p-value says how often a sample of that kind would fit its references as badly as '
        "this one, or worse. It is not the probability that the sample is of that kind.</p>"
    )
    tested = any(p is not None for p in (result.p_accept, result.p_reject, result.p_familiar))
    return (
        f"{table((('If the sample were …', ''), ('p-value', 'n')), rows)}{meaning if tested else ''}"
        f'<p class="note below">Score: {score}.{told} Rests on {counts.accept} accepted and {counts.reject} rejected '
        f"references.{lacking}</p>"
    )


def _p_row(words: str, p: float | None) -> str:
    value = '<span class="soft">not tested</span>' if p is None else number(p, 3)
    return f'<tr><td>{words}</td><td class="n">{value}</td></tr>'


def _parts(result: CriterionResult) -> str:
    if not result.parts:
        return '<p class="note">Nothing was compared: that takes references of both kinds.</p>'
    heads = (
        ("Encoder", ""),
        ("compares", ""),
        ("net similarity", "n"),
        ("z, which is not<br>a probability", "n"),
        ("weight", "n"),
    )
    return table(heads, [_part_row(part) for part in result.parts]) + (
        '<p class="note below">Net similarity is higher where the sample is more like what is accepted; of patches, '
        "less the distance of the tenth that is least like any accepted one. z is the same, counted from midway "
        "between accepted and rejected references, in units of its spread over them. The score is the sum of z times "
        "weight.</p>"
    )


def _part_row(part: PartResult) -> str:
    z = "–" if part.z is None else _signed(part.z, 2)
    return (
        f"<tr><td>{text(part.encoder)}</td><td>{_MODALITY_WORDS[part.modality]}</td>"
        f'<td class="n">{_signed(part.net, 3)}</td><td class="n">{z}</td>'
        f'<td class="n">{number(part.weight, 2)}</td></tr>'
    )


def _percent(share: float) -> str:
    """Return a share in percent; one near 0 or 1 is not said to be there."""
    if 0.01 <= share <= 0.99:
        return number(100 * share, 0)
    return "less than 1" if share < 0.01 else "more than 99"


def _signed(value: float, places: int) -> str:
    shown = number(value, places)
    return f"+{shown}" if value > 0 and shown.strip("0.") else shown


def _texts(criterion: Criterion | None) -> str:
    if criterion is None:
        return ""
    sides = (("Acceptable", criterion.accept_texts), ("Not acceptable", criterion.reject_texts))
    words = "".join(f"<div><dt>{title}</dt><dd>{_lines(texts)}</dd></div>" for title, texts in sides)
    note = f"<div><dt>Note</dt><dd>{text(criterion.note)}</dd></div>" if criterion.note else ""
    return f'<dl class="criterion-texts">{words}{note}</dl>'


def _lines(texts: Sequence[str]) -> str:
    return "<br>".join(f"“{text(t)}”" for t in texts) or '<span class="soft">no text</span>'


def _more_references(view: CriterionView) -> str:
    """Return a table of all references that are named, folded."""
    if len(view.result.references) <= 2:
        return ""
    rows = [
        f'<tr><td class="label">{verdict_mark(r.polarity)}{text(r.id)}, {_POLARITY_WORDS[r.polarity]}</td>'
        f'<td class="n">{number(r.similarity, 3)}</td><td>{text(r.encoder)}</td>'
        f'<td class="name">{"; ".join(_told(view.references.get(r.id), r))}</td></tr>'
        for r in view.result.references
    ]
    heads = (("Reference", ""), ("Similarity", "n"), ("by", ""), ("File, and what is known of it", ""))
    return f"<details><summary>All {len(rows)} nearest references</summary>{table(heads, rows)}</details>"
