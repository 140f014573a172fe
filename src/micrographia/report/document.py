"""A report as one HTML file that opens anywhere and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import metadata, resources
from string import Template
from typing import Any

from micrographia.report.markup import script_json, text


def document(
    *,
    title: str,
    kind: str,
    sections: Sequence[tuple[str, str]],
    body: Sequence[str],
    script: str = "",
    data: Mapping[str, Any] | None = None,
) -> str:
    """Return a whole page.

    Parameters
    ----------
    title : str
        For the tab of the browser; plain text.
    kind : str
        What kind of report it is; plain text.
    sections : sequence of (str, str)
        Identifier and title of each section that the page's head shall link.
    body : sequence of str
        HTML of the sections.
    script : str
        The only script that may run, if there is one.
    data : mapping, optional
        What the script works on, JSON-ready.

    Returns
    -------
    str
        HTML without any address outside itself; its security policy forbids loading, and any other script.

    Examples
    --------
    >>> "script-src 'none'" in document(title="A", kind="overview", sections=(), body=("<h1>A</h1>",))
    True
    """
    scripts, source = "", "'none'"
    if script:
        run = "\n" + script
        digest = base64.b64encode(hashlib.sha256(run.encode()).digest()).decode("ascii")
        source = f"'sha256-{digest}'"
        scripts = (
            f'<script type="application/json" id="report-data">{script_json(data)}</script>\n<script>{run}</script>\n'
        )
    return Template(template("page.html")).substitute(
        title=text(title),
        kind=text(kind),
        css=template("report.css"),
        nav="".join(f'<a href="#{name}">{text(words)}</a>' for name, words in sections),
        body="\n".join(body),
        version=metadata.version("micrographia"),
        scripts=scripts,
        script_source=source,
    )


def template(name: str) -> str:
    """Return the text of a file beside the reports' code."""
    return resources.files("micrographia.report").joinpath("templates", name).read_text(encoding="utf-8")
