"""Write an overview of a micrograph, or an index of several results, into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from micrographia.cues import Cue
from micrographia.instruct.describing import Sentence
from micrographia.micrograph import Micrograph
from micrographia.report.batch_entry import BatchEntry
from micrographia.report.batch_page import batch_page
from micrographia.report.field_pictures import grey_picture
from micrographia.report.folder import new_folder
from micrographia.report.measurements import measurement_tables
from micrographia.report.measurements_page import classes_section, fields_section, warnings_of
from micrographia.report.overview_page import overview_headline, overview_page
from micrographia.report.overview_result import batch_result, overview_result
from micrographia.segment.measured import Measured

__all__ = ["BatchEntry", "Segments", "overview_headline", "write_index", "write_overview"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Segments:
    """What was found on a micrograph and measured.

    Parameters
    ----------
    measured : Measured
        The measurements.
    how : str
        How it was found, in sentences.
    source : str
        SHA-256 of the model, or the name of the method.
    """

    measured: Measured
    how: str
    source: str


def write_overview(
    micrograph: Micrograph,
    cues: Sequence[Cue],
    advice: Sequence[str],
    out: Path,
    *,
    segments: Segments | None = None,
    described: Sequence[Sentence] = (),
) -> tuple[Path, ...]:
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
    segments : Segments, optional
        What was found and measured, which is told too.
    described : sequence of Sentence
        The image in words, each sentence with its cue.

    Returns
    -------
    tuple of Path
        ``report.html`` and ``result.json`` in ``out``; with segments, the tables of `measurement_tables` too.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    parts: tuple[str, ...] = ()
    tables: dict[str, str] = {}
    if segments is not None:
        measured = segments.measured
        advice = (*warnings_of(measured), *advice)
        greys = {measured.fields[0].name: grey_picture(micrograph.frames[0])}
        parts = (
            fields_section("What was found", measured, greys, how=segments.how),
            classes_section(measured),
        )
        origin = None if micrograph.pixel_size_nm is None else micrograph.pixel_size_origin
        tables = measurement_tables(measured, source=segments.source, pixel_size_origin=origin)
    texts = {
        "report.html": overview_page(micrograph, cues, advice, parts=parts, described=described),
        "result.json": overview_result(micrograph, cues, advice, described=described).model_dump_json(indent=2) + "\n",
        **tables,
    }
    with new_folder(out) as folder:
        for name, words in texts.items():
            (folder / name).write_text(words, encoding="utf-8")
    return tuple(out / name for name in texts)


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
    return tuple(out / name for name in ("report.html", "result.json"))
