"""Write an overview of a micrograph, or an index of several results, into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from micrographia.cues import Cue
from micrographia.micrograph import Micrograph
from micrographia.report.batch_entry import BatchEntry
from micrographia.report.batch_page import batch_page
from micrographia.report.folder import new_folder
from micrographia.report.overview_page import overview_headline, overview_page
from micrographia.report.overview_result import batch_result, overview_result

__all__ = ["BatchEntry", "overview_headline", "write_index", "write_overview"]

_FILES: Final = ("report.html", "result.json")


def write_overview(micrograph: Micrograph, cues: Sequence[Cue], advice: Sequence[str], out: Path) -> tuple[Path, ...]:
    """Write what can be told about a micrograph without deciding what it shows; both files, or nothing.

    Parameters
    ----------
    micrograph : Micrograph
        What was looked at.
    cues : sequence of Cue
        What was measured, as `micrographia.cues.look` returns it.
    advice : sequence of str
        Sentences that say why no more was done, and what would change that. What is missing from the context
        is found out here and need not be repeated.
    out : Path
        Folder for the results. When it exists, files of the same name are replaced and others stay.

    Returns
    -------
    tuple of Path
        ``report.html`` and ``result.json`` in ``out``.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    with new_folder(out) as folder:
        summary = overview_result(micrograph, cues, advice).model_dump_json(indent=2)
        (folder / "result.json").write_text(summary + "\n", encoding="utf-8")
        (folder / "report.html").write_text(overview_page(micrograph, cues, advice), encoding="utf-8")
    return tuple(out / name for name in _FILES)


def write_index(entries: Sequence[BatchEntry], out: Path) -> tuple[Path, ...]:
    """Write the index of a batch: what became of each scan, with a link to its report; both files, or nothing.

    Parameters
    ----------
    entries : sequence of BatchEntry
        The scans in the order in which they were given.
    out : Path
        Folder of the batch, which holds the folders that the entries name.

    Returns
    -------
    tuple of Path
        ``report.html`` and ``result.json`` in ``out``.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    with new_folder(out) as folder:
        summary = batch_result(entries).model_dump_json(indent=2)
        (folder / "result.json").write_text(summary + "\n", encoding="utf-8")
        (folder / "report.html").write_text(batch_page(entries), encoding="utf-8")
    return tuple(out / name for name in _FILES)
