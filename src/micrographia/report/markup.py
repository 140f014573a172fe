"""Small pieces of HTML and SVG. Everything that came from outside goes through `text` or `script_json`."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from micrographia.findings import Marginal
from micrographia.report.fields import ContextRow
from micrographia.report.marks import MARKS

_HEXAGON = "6,0 3,5.2 -3,5.2 -6,0 -3,-5.2 3,-5.2"
_SHAPES = {
    "dot": '<circle r="2.6"/>',
    "circle": '<circle r="5"/>',
    "double circle": '<circle r="5.5"/><circle r="2"/>',
    "square": '<rect x="-4.6" y="-4.6" width="9.2" height="9.2"/>',
    "diamond": '<polygon points="0,-6 6,0 0,6 -6,0"/>',
    "triangle": '<polygon points="0,-5.6 5.6,4.2 -5.6,4.2"/>',
    "hexagon": f'<polygon points="{_HEXAGON}"/>',
}


def text(value: object) -> str:
    """Return ``value`` as text that HTML cannot mistake for markup, in an attribute too.

    Examples
    --------
    >>> text('<script>"')
    '&lt;script&gt;&quot;'
    """
    return html.escape(str(value), quote=True)


def script_json(value: object) -> str:
    r"""Return ``value`` as JSON that cannot end the script element that holds it.

    Examples
    --------
    >>> print(script_json({"file": "</script>"}))
    {"file":"\u003c/script\u003e"}
    """
    raw = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def mark_svg(label: str, *, identifier: str = "") -> str:
    """Return the small picture of a label's mark, on the dark ground that it has on the scan."""
    mark = MARKS[label]
    paint = f'fill="{mark.colour}"' if mark.shape == "dot" else f'fill="none" stroke="{mark.colour}" stroke-width="2.2"'
    name = f' id="{identifier}"' if identifier else ""
    return (
        f'<svg{name} class="mark" viewBox="-10 -10 20 20" aria-hidden="true">'
        '<rect x="-10" y="-10" width="20" height="20" rx="5" fill="#2b3035"/>'
        f"<g {paint}>{_SHAPES[mark.shape]}</g></svg>"
    )


def table(heads: Sequence[tuple[str, str]], rows: Sequence[str]) -> str:
    """Return a table: ``(title, class)`` of each column, and rows that are HTML already."""
    cells = "".join(f'<th scope="col"{f" class={kind!r}" if kind else ""}>{title}</th>' for title, kind in heads)
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def section(identifier: str, title: str, *parts: str) -> str:
    """Return a section with its heading."""
    return f'<section id="{identifier}"><h2>{title}</h2>{"".join(parts)}</section>'


def doubts(title: str, items: Sequence[str]) -> str:
    """Return a box of sentences that a reader must not miss."""
    listed = "".join(f"<li>{text(item[:1].upper() + item[1:])}</li>" for item in items)
    return f'<aside class="doubts" aria-label="{text(title)}"><h2>{text(title)}</h2><ul>{listed}</ul></aside>'


def value_and_badge(row: ContextRow) -> tuple[str, str]:
    """Return a value of the context with its unit, and the badge that says who gave it."""
    if row.value is None:
        return '<span class="soft">–</span>', '<span class="badge unknown">unknown</span>'
    return f'{text(row.value)} <span class="soft">{row.unit}</span>', f'<span class="badge">{text(row.origin)}</span>'


def marginal_svg(marginal: Marginal) -> str:
    """Return a bar chart of a marginal's weights over the grid that was tried."""
    width, height, floor = 230.0, 46.0, 50.0
    count, largest = len(marginal.values), max(marginal.weights)
    step = width / count
    bars = "".join(
        f'<rect x="{k * step + 0.08 * step:.1f}" y="{floor - height * w / largest:.1f}" '
        f'width="{0.84 * step:.1f}" height="{height * w / largest:.1f}">'
        f"<title>{v:g} {text(marginal.unit)}: {w:.2f}</title></rect>"
        for k, (v, w) in enumerate(zip(marginal.values, marginal.weights, strict=True))
    )
    first, last = f"{marginal.values[0]:.4g}", f"{marginal.values[-1]:.4g}"
    return (
        f'<svg viewBox="0 0 {width:g} 66" width="{width:g}" height="66" role="img" '
        'aria-label="Probability of each value">'
        f'<line x1="0" y1="{floor}" x2="{width}" y2="{floor}"/><g class="bars">{bars}</g>'
        f'<text x="0" y="63">{first}</text>'
        f'<text x="{width}" y="63" text-anchor="end">{last} {text(marginal.unit)}</text></svg>'
    )
