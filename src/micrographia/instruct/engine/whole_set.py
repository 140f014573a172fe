"""What can only be said of the records together: orders, duplicates, balance, and what the words alone tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from micrographia.instruct.engine.rows import to_record
from micrographia.instruct.record import Record
from micrographia.instruct.shortcut import Shortcut, shortcuts
from micrographia.instruct.verify.sets import SetChecks, check_set

_ROWS = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """How records stand among the others.

    Parameters
    ----------
    checks : SetChecks
        Orders, duplicates and balance.
    shortcuts : tuple of Shortcut
        What somebody gets right who reads the questions alone, of the verified records.
    """

    checks: SetChecks
    shortcuts: tuple[Shortcut, ...]

    def judged(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row; with the check that it failed, if the records beside it are the reason."""
        record = to_record(row)
        found = self.checks.judged(record)
        if found is record:
            return row
        checks = json.dumps([asdict(check) for check in found.checks], ensure_ascii=False, sort_keys=True)
        return {**row, "checks": checks, "verified": found.verified, "rejected_because": found.rejected_because}


def standing(shards: Sequence[Path], *, seed: int) -> Standing:
    """Check records as a set; they are read from their files, twice, and never held together.

    Parameters
    ----------
    shards : sequence of Path
        Files of records that have passed or failed their own checks.
    seed : int
        Seed of the split on which the reader of questions is trained.
    """
    checks = check_set(_records(shards))
    return Standing(
        checks=checks, shortcuts=shortcuts((checks.judged(record) for record in _records(shards)), seed=seed)
    )


def rows_of(files: Sequence[Path]) -> Iterator[list[dict[str, Any]]]:
    """Give the rows of files, some at a time."""
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                yield batch.to_pylist()


def _records(shards: Sequence[Path]) -> Iterator[Record]:
    return (to_record(row) for rows in rows_of(shards) for row in rows)
