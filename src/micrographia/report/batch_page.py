"""``report.html`` of a batch: an index of the scans."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from micrographia.report.batch_entry import BatchEntry
from micrographia.report.document import document
from micrographia.report.markup import section, table, text


def batch_page(entries: Sequence[BatchEntry]) -> str:
    """Return the index of a batch as HTML.

    Parameters
    ----------
    entries : sequence of BatchEntry
        The scans in the order in which they were given.
    """
    failed = [entry for entry in entries if entry.error is not None]
    done = len(entries) - len(failed)
    headline = f"{len(entries)} {'scan' if len(entries) == 1 else 'scans'}: " + (
        "all analysed." if not failed else f"{done} analysed, {len(failed)} failed."
    )
    rows = "".join(_row(entry) for entry in entries)
    return document(
        title=f"{len(entries)} scans – Micrographia",
        kind="batch",
        sections=(),
        body=(
            f'<p class="file">Batch</p><h1>{text(headline)}</h1>',
            section("scans", "Scans", table((("File", ""), ("Result", "")), (rows,))),
        ),
    )


def _row(entry: BatchEntry) -> str:
    if entry.folder is None:
        return (
            f'<tr><td class="name">{text(entry.name)}</td><td><span class="badge unknown">failed</span> '
            f"{text(entry.error)}</td></tr>"
        )
    address = f"{quote(entry.folder, safe='')}/report.html"
    return (
        f'<tr><td class="name"><a href="./{text(address)}">{text(entry.name)}</a></td>'
        f"<td>{text(entry.headline or '')}</td></tr>"
    )
