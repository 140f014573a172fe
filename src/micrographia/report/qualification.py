"""Write what was qualified into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from micrographia.findings import Qualification
from micrographia.qualify.library import Contents, Library, Reference
from micrographia.report.folder import new_folder
from micrographia.report.qualification_criterion import nearest
from micrographia.report.qualification_page import Illustrations, headline, qualification_page
from micrographia.report.qualification_pictures import Shown, reference_pictures, shown
from micrographia.report.qualification_result import Basis, SampleResult, sample_result, verdicts_json, verdicts_result

__all__ = ["Qualified", "headline", "qualified", "write_qualification"]

VERDICTS_FILE: Final = "verdicts.json"
REPORT_FILE: Final = "report.html"


@dataclass(frozen=True, kw_only=True)
class Qualified:
    """A sample with its verdicts as they are written and shown: without its pixels, as there may be many samples.

    Parameters
    ----------
    result : SampleResult
        The verdicts.
    picture : Shown
        What it looks like.
    basis : Basis
        What the verdicts rest on.
    """

    result: SampleResult
    picture: Shown
    basis: Basis


def qualified(qualification: Qualification, library: Library, held: Contents) -> Qualified:
    """Return a sample with its verdicts as they are written and shown.

    Parameters
    ----------
    qualification : Qualification
        The verdicts.
    library : Library
        What they rest on.
    held : Contents
        What the library held when they were made.

    Raises
    ------
    InputError
        A verdict rests on a reference that the library did not hold.
    """
    return Qualified(
        result=sample_result(qualification, _by_id(held)),
        picture=shown(qualification.micrograph),
        basis=Basis.of(qualification, path=str(library.folder)),
    )


def write_qualification(
    samples: Sequence[Qualified],
    library: Library,
    held: Contents,
    out: Path,
    *,
    failures: Sequence[str] = (),
) -> bytes:
    """Write ``verdicts.json`` and ``report.html``; both files, or nothing.

    Parameters
    ----------
    samples : sequence of Qualified
        At least one; all rest on the same library, encoders and settings.
    library : Library
        What they rest on.
    held : Contents
        What the library held when they were made.
    out : Path
        Folder for the results. When it exists, files of the same name are replaced and others stay.
    failures : sequence of str
        Why each of the other samples could not be qualified, which the report tells.

    Returns
    -------
    bytes
        ``verdicts.json``, byte for byte.

    Raises
    ------
    OutputError
        ``out`` cannot be written to.
    """
    result = verdicts_result([s.result for s in samples], samples[0].basis)
    references = _by_id(held)
    pictured = {
        found.id: references[found.id]
        for sample in result.samples
        for criterion in sample.criteria
        for polarity in ("accept", "reject")
        if (found := nearest(criterion, polarity)) is not None
    }
    page = qualification_page(
        result,
        Illustrations(
            samples=tuple(s.picture for s in samples),
            references=references,
            pictures=reference_pictures(library, pictured.values()),
            criteria={c.id: c for c in held.criteria},
            failures=failures,
        ),
    )
    raw = verdicts_json(result)
    with new_folder(out) as folder:
        (folder / VERDICTS_FILE).write_bytes(raw)
        (folder / REPORT_FILE).write_text(page, encoding="utf-8")
    return raw


def _by_id(held: Contents) -> dict[str, Reference]:
    return {r.id: r for several in held.references.values() for r in several}
