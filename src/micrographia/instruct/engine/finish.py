"""Put shards together: the set as a whole is checked, and records, images, cues, card and account are written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from micrographia.instruct.card import card
from micrographia.instruct.engine.account import (
    ACCOUNT,
    Account,
    ImagesPart,
    RecordsPart,
    SpentPart,
    Stopped,
    TeacherPart,
    Unanswered,
    Unusable,
    price_words,
    requests_part,
    software,
)
from micrographia.instruct.engine.files import whole
from micrographia.instruct.engine.job import Job
from micrographia.instruct.engine.rows import SCHEMA, table_of
from micrographia.instruct.engine.store import Store
from micrographia.instruct.engine.whole_set import Standing, rows_of, standing

_ROWS: Final = 256
_IMAGES: Final = pa.schema(
    [
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("height_px", pa.int64(), nullable=False),
        pa.field("width_px", pa.int64(), nullable=False),
        pa.field("pixel_size_nm", pa.float64()),
        pa.field("duplicate", pa.bool_(), nullable=False),
        pa.field("info_bar", pa.bool_(), nullable=False),
    ]
)
_CUES: Final = pa.schema(
    [
        pa.field("image", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("uncertainty", pa.float64()),
        pa.field("unit", pa.string(), nullable=False),
        pa.field("sentence", pa.string(), nullable=False),
        pa.field("channel", pa.int64(), nullable=False),
        pa.field("direction_deg", pa.float64()),
        pa.field("direction_sd_deg", pa.float64()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended.

    Parameters
    ----------
    stopped : str
        Kind of end.
    because : str
        In words.
    seconds : float
        How long it took.
    blocks : int
        Blocks that were worked on, in this run or before.
    """

    stopped: Stopped
    because: str
    seconds: float
    blocks: int


def finish(job: Job, store: Store, shards: Sequence[Path], *, ended: Ended) -> Account:
    """Write the results of a run, each file whole or not at all; the account is the last.

    Parameters
    ----------
    job : Job
        What was to be made.
    store : Store
        What is known of it.
    shards : sequence of Path
        Records of each block.
    ended : Ended
        How the run ended.

    Returns
    -------
    Account
        As it was written.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    found = standing(shards, seed=job.asked.seed)
    counts = _write_records(shards, found, job.out / "records.parquet")
    images, unusable = _write_images(store, ended.blocks, job)
    used, perhaps = store.used(), store.perhaps_used()
    account = Account.model_validate(
        {
            "schema": ACCOUNT,
            "stopped": ended.stopped,
            "stopped_because": ended.because,
            "teacher": TeacherPart(name=job.kind, model=job.teacher.model, settings=dict(job.teacher.settings)),
            "images": ImagesPart(**images, unusable=unusable),
            "requests": requests_part(store.requests()),
            "unanswered": tuple(
                Unanswered(assignment=f.assignment, task=f.task, question=f.question, reason=f.reason)
                for f in store.failures(ended.blocks)
            ),
            "spent": SpentPart.model_validate(
                {
                    "input_tokens": used.input_tokens,
                    "output_tokens": used.output_tokens,
                    "cost_usd": used.cost_usd,
                    "perhaps_input_tokens": perhaps[0],
                    "perhaps_output_tokens": perhaps[1],
                    **price_words(job.teacher.price, job.budget),
                }
            ),
            "records": counts,
            "seconds": round(ended.seconds, 2),
            "software": software(),
        }
    )
    with whole(job.out / "card.md") as draft:
        draft.write_text(card(account, found, job.settings()), encoding="utf-8")
    with whole(job.out / "account.json") as draft:
        text = json.dumps(account.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
        draft.write_text(text + "\n", encoding="utf-8")
    return account


def _write_records(shards: Sequence[Path], found: Standing, path: Path) -> RecordsPart:
    tasks: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    verified = repaired = 0
    with whole(path) as draft, pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
        for rows in rows_of(shards):
            judged = [found.judged(row) for row in rows]
            writer.write_table(table_of(judged))
            for row in judged:
                tasks[row["task"]] += 1
                verified += row["verified"]
                repaired += row["verified"] and row["repaired"]
                if not row["verified"]:
                    reasons[row["rejected_because"].partition(":")[0]] += 1
    total = sum(tasks.values())
    return RecordsPart(
        total=total,
        verified=verified,
        rejected=total - verified,
        repaired=repaired,
        by_task=dict(sorted(tasks.items())),
        rejected_because=dict(reasons.most_common()),
    )


def _write_images(store: Store, blocks: int, job: Job) -> tuple[dict[str, int], tuple[Unusable, ...]]:
    """Write which file each hash is, apart from all that teachers see, and the cues by hash."""
    counts = dict.fromkeys(("found", "used", "duplicates"), 0)
    unusable: list[Unusable] = []
    with (
        whole(job.out / "images.parquet") as images_draft,
        whole(job.out / "cues.parquet") as cues_draft,
        pq.ParquetWriter(images_draft, _IMAGES, compression="zstd") as images,
        pq.ParquetWriter(cues_draft, _CUES, compression="zstd") as cues,
    ):
        for rows in _batches(store.images(blocks)):
            counts["found"] += len(rows)
            unusable += [Unusable(file=row["file"], reason=row["error"]) for row in rows if row["error"]]
            good = [row for row in rows if not row["error"]]
            own = [row for row in good if not row["duplicate"]]
            counts["used"] += len(own)
            counts["duplicates"] += len(good) - len(own)
            names = [name for name in _IMAGES.names if name != "info_bar"]
            table = [
                {**{n: row[n] for n in names}, "duplicate": bool(row["duplicate"]), "info_bar": job.asked.info_bar}
                for row in good
            ]
            images.write_table(pa.Table.from_pylist(table, _IMAGES))
            of_images = [{"image": row["sha256"], **cue} for row in own for cue in json.loads(row["cues"])]
            cues.write_table(pa.Table.from_pylist(of_images, _CUES))
    return counts, tuple(unusable)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
