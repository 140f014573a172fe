"""Check the records of a folder again: against the cues that were kept, and those against the images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from micrographia.cues.cue import Cue
from micrographia.errors import InputError
from micrographia.instruct.engine.block import reason, telling_words
from micrographia.instruct.engine.images import Look, blocks, find_images
from micrographia.instruct.engine.job import BLOCK
from micrographia.instruct.engine.looking import looking
from micrographia.instruct.engine.rows import to_assignment, to_record, to_reply
from micrographia.instruct.engine.whole_set import rows_of
from micrographia.instruct.record import Record
from micrographia.instruct.subject import Subject
from micrographia.instruct.verify.check import check
from micrographia.instruct.verify.sets import check_set

_MOST_LISTED: Final = 20
_RELATIVE: Final = 1e-6
"""By how much a cue may differ on another machine."""
_NO_FRAME: Final = np.zeros((1, 1), dtype=np.float32)
"""Checks are made on cues."""


@dataclass(frozen=True, kw_only=True)
class Rechecked:
    """What a second check found.

    Parameters
    ----------
    records, verified : int
        How many there are, and how many of them are said to be verified.
    agreeing : int
        Those for which both checks say the same.
    differences : tuple of str
        What does not agree, a line each; the last one says how many are left out.
    """

    records: int
    verified: int
    agreeing: int
    differences: tuple[str, ...]


def recheck(folder: Path, *, images: bool, progress: Callable[[int, int], None]) -> Rechecked:
    """Check records again, each for itself and all as a set.

    Parameters
    ----------
    folder : Path
        Folder of `generate`.
    images : bool
        Whether to read the images and measure them anew; those that are no longer there are told.
    progress : callable
        Told how much is done, and of how much.

    Raises
    ------
    InputError
        The folder does not hold such records.
    """
    files = {name: folder / f"{name}.parquet" for name in ("records", "cues", "images")}
    if missing := [path.name for path in files.values() if not path.is_file()]:
        raise InputError(f"{folder} holds no {missing[0]}; give a folder of `micrographia instruct generate`")
    found = _Differences()
    if images:
        _check_cues(files, found, progress)
    total = pq.read_metadata(files["records"]).num_rows
    kept = _KeptCues(files)
    checks = check_set(_judged_again(files["records"], kept))
    records = verified = agreeing = 0
    for row, again in zip(_rows(files["records"]), _judged_again(files["records"], kept), strict=True):
        now = checks.judged(again)
        records += 1
        verified += row["verified"]
        if now.rejected_because == row["rejected_because"] and row["verified"] == now.verified:
            agreeing += 1
        else:
            found.add(
                f"record {row['id']}, recorded: {row['rejected_because'] or 'verified'}; now: "
                f"{now.rejected_because or 'verified'}"
            )
        if not images and records % BLOCK == 0:
            progress(records, total)
    return Rechecked(records=records, verified=verified, agreeing=agreeing, differences=found.lines())


@dataclass
class _Differences:
    """Lines, of which only the first are kept."""

    kept: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, line: str) -> None:
        if len(self.kept) < _MOST_LISTED:
            self.kept.append(line)
        else:
            self.more += 1

    def lines(self) -> tuple[str, ...]:
        return (*self.kept, *([f"and {self.more:,} more"] if self.more else []))


class _KeptCues:
    """Images by what was measured on them; in columns, for there may be millions of cues."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._table = pq.read_table(files["cues"], read_dictionary=["image", "name", "unit", "sentence"])
        names = self._table.column("image").to_pylist()
        self._first: dict[str, int] = {}
        self._count: dict[str, int] = {}
        for k, name in enumerate(names):
            self._first.setdefault(name, k)
            self._count[name] = self._count.get(name, 0) + 1
        images = pq.read_table(files["images"], columns=["sha256", "file", "pixel_size_nm"]).to_pylist()
        self.images = {row["sha256"]: row for row in reversed(images)}
        self.subject = lru_cache(maxsize=4 * BLOCK)(self._subject)

    def _subject(self, sha256: str) -> Subject:
        if sha256 not in self._first or sha256 not in self.images:
            raise InputError(f"image {sha256} of a record is not in cues.parquet; the folder's files are of two runs")
        rows = self._table.slice(self._first[sha256], self._count[sha256]).drop_columns(["image"]).to_pylist()
        size = self.images[sha256]["pixel_size_nm"]
        return Subject(sha256=sha256, frame=_NO_FRAME, pixel_size_nm=size, cues=tuple(Cue(**row) for row in rows))


def _rows(records: Path) -> Iterator[dict[str, Any]]:
    return (row for rows in rows_of([records]) for row in rows)


def _judged_again(records: Path, kept: _KeptCues) -> Iterator[Record]:
    """Give the records with the checks that they pass or fail now, each for itself."""
    for row in _rows(records):
        assignment = to_assignment(row)
        subjects = [kept.subject(image) for image in assignment.images]
        forbidden = {word for image in assignment.images for word in telling_words(kept.images[image]["file"])}
        checks = check(assignment, to_reply(row), subjects, forbidden=forbidden)
        yield replace(to_record(row), checks=checks, rejected_because=reason(checks))


def _check_cues(files: dict[str, Path], found: _Differences, progress: Callable[[int, int], None]) -> None:
    rows = [row for row in pq.read_table(files["images"]).to_pylist() if not row["duplicate"]]
    there = [row for row in rows if Path(row["file"].partition("::")[0]).exists()]
    for row in rows:
        if row not in there:
            found.add(f"{row['file']} is no longer there")
    kept = _KeptCues(files)
    by_file = {row["file"]: row for row in there}
    done = 0
    with looking(len(there), scheduler=None) as look:
        for block in blocks(find_images(list(by_file)), BLOCK):
            looks = [Look(file=f, place=k, info_bar=by_file[f.name]["info_bar"]) for k, f in enumerate(block)]
            for seen in look(looks, Event()):
                sha256 = by_file[seen.file.name]["sha256"]
                if seen.subject is None:
                    found.add(f"{seen.file.name} cannot be read any more: {seen.error}")
                elif seen.subject.sha256 != sha256:
                    found.add(f"{seen.file.name} is another image now")
                else:
                    _compare(kept.subject(sha256), seen.subject, seen.file.name, found)
            done += len(block)
            progress(done, len(there))


def _compare(kept: Subject, now: Subject, file: str, found: _Differences) -> None:
    for before, after in zip(kept.cues, now.cues, strict=True):
        if before.name != after.name or before.unit != after.unit or not _same(before.value, after.value):
            found.add(f"{file}: {before.name} was {before.value} {before.unit}, and is now {after.value} {after.unit}")


def _same(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is after
    return math.isclose(before, after, rel_tol=_RELATIVE)
