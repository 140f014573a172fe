"""Write the results of `defects` into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from micrographia.findings import DefectFindings
from micrographia.instruct.describing import Sentence
from micrographia.report.folder import new_folder
from micrographia.report.opinions_table import write_opinions
from micrographia.report.overlay import write_overlay
from micrographia.report.page import defects_page
from micrographia.report.result import defects_result, result_json
from micrographia.report.sites import write_sites

_FILES: Final = ("report.html", "result.json", "sites.csv", "sites.parquet", "overlay.png")
_OPINIONS: Final = ("opinions.csv", "opinions.parquet")


def write_defects(findings: DefectFindings, out: Path, *, described: Sequence[Sentence] = ()) -> tuple[Path, ...]:
    """Write sites, summary, overlay and report of one scan; all of them, or nothing.

    Parameters
    ----------
    findings : DefectFindings
        What was found.
    out : Path
        Folder for the results. When it exists, files of the same name are replaced and others stay.
    described : sequence of Sentence
        The scan in words, as `micrographia.instruct.describing_sites.describe_sites` returns it.

    Returns
    -------
    tuple of Path
        ``report.html``, ``result.json``, ``sites.csv``, ``sites.parquet`` and ``overlay.png`` in ``out``; where
        physics and network were both asked, ``opinions.csv`` and ``opinions.parquet`` too.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    with new_folder(out) as folder:
        write_sites(findings.sites, folder / "sites.csv", folder / "sites.parquet")
        if findings.opinions is not None:
            write_opinions(findings.sites.labels, findings.opinions, *(folder / name for name in _OPINIONS))
        summary = result_json(defects_result(findings, described=described))
        (folder / "result.json").write_text(summary, encoding="utf-8")
        write_overlay(findings, folder / "overlay.png")
        (folder / "report.html").write_text(defects_page(findings, described=described), encoding="utf-8")
    written = _FILES if findings.opinions is None else _FILES + _OPINIONS
    return tuple(out / name for name in written)
