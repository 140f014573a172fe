"""Make records from images, block by block; whatever stops it, the same call goes on where it stopped."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Final

import pyarrow.parquet as pq

from micrographia.errors import InputError, MicrographiaError, OutputError
from micrographia.instruct.engine.account import Account, Stopped
from micrographia.instruct.engine.asking import Asking
from micrographia.instruct.engine.block import answer_block
from micrographia.instruct.engine.budget import Spending
from micrographia.instruct.engine.files import whole
from micrographia.instruct.engine.finish import Ended, finish
from micrographia.instruct.engine.images import ImageFile, Look, Seen, blocks, find_images
from micrographia.instruct.engine.job import BLOCK, Job
from micrographia.instruct.engine.looking import Looking, looking
from micrographia.instruct.engine.rows import table_of
from micrographia.instruct.engine.store import Store, open_store

SHARDS: Final = "shards"
Progress = Callable[[int, int, str], None]
"""Told images done, images in all, and figures to show."""


def generate(job: Job, *, progress: Progress) -> Account:
    """Make records, and write them with the account of how it went.

    Parameters
    ----------
    job : Job
        What is to be made.
    progress : callable
        Told how far it is.

    Returns
    -------
    Account
        Also written as ``account.json``. Where the budget was reached, it says so.

    Raises
    ------
    InputError
        There is no image, the folder was begun with other settings, or the teacher cannot be used at all.
    OutputError
        The folder cannot be written to. What was paid for before is kept.
    TeacherError
        The teacher is gone. What it answered is kept and in the account.
    KeyboardInterrupt
        Ctrl-C; after the account was written.

    Notes
    -----
    In the folder: ``records.parquet``, ``images.parquet`` (hash and file), ``cues.parquet``, ``card.md`` and
    ``account.json``; ``state.sqlite`` and ``shards`` are what goes on from.
    Measuring may start processes, so a script needs its ``if __name__ == "__main__":``.
    """
    total = sum(1 for _ in find_images(job.sources))
    if not total:
        raise InputError(f"no image in {', '.join(job.sources)}; give image files, or folders with some")
    started = time.monotonic()
    try:
        (job.out / SHARDS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {job.out}: {error.strerror or error}; give another folder") from error
    with open_store(job.out) as store:
        store.settle_settings(job.settings())
        spending = _spending(job, store)
        run = _Run(job, store, spending, total, progress)
        ends: BaseException | None = None
        try:
            with looking(total, scheduler=job.scheduler) as look:
                asyncio.run(run.all_blocks(look))
        except (MicrographiaError, KeyboardInterrupt) as error:
            ends = error
        account = _finished(job, store, run, ends, time.monotonic() - started)
        if ends is not None:
            raise ends
        return account


class _Run:
    """One pass over all blocks."""

    def __init__(self, job: Job, store: Store, spending: Spending, total: int, progress: Progress) -> None:
        self.job, self.store, self.spending = job, store, spending
        self.total, self.progress = total, progress
        self.blocks = 0
        self.records = 0
        self._done = 0
        self._hashes: set[bytes] = set()
        self._stop = Event()

    async def all_blocks(self, look: Looking) -> None:
        """Measure a block while the one before is asked about."""
        job = self.job
        asking = Asking(
            teacher=job.teacher, store=self.store, spending=self.spending, pace=job.pace, seed=job.asked.seed
        )
        waiting = self._open_blocks()
        async with job.teacher:
            ahead = self._measuring(waiting, look)
            try:
                while not self.spending.reached and (measured := await ahead) is not None:
                    ahead = self._measuring(waiting, look)
                    await self._one_block(asking, *measured)
            finally:
                self._stop.set()  # what is being measured ahead is not needed any more
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    def _open_blocks(self) -> Iterator[tuple[int, tuple[ImageFile, ...], list[Look]]]:
        """Give the blocks that are not done, with what is known of their images; count the others."""
        for number, files in enumerate(blocks(find_images(self.job.sources), BLOCK)):
            known = self.store.known_images(files)
            digest = _digest(files)
            if self.store.block_done(number) == digest and _shard(self.job.out, number).is_file():
                self._hashes |= self.store.hashes(number)
                self.blocks = number + 1
                self._done += len(files)
                self.records += pq.read_metadata(_shard(self.job.out, number)).num_rows
                self._tell(0.0)
                continue
            yield (
                number,
                files,
                [
                    Look(file=file, place=k, info_bar=self.job.asked.info_bar, sha256=sha256, cues=cues)
                    for k, file in enumerate(files)
                    for sha256, cues in [known.get(file.name, ("", ()))]
                ],
            )

    def _measuring(
        self, waiting: Iterator[tuple[int, tuple[ImageFile, ...], list[Look]]], look: Looking
    ) -> asyncio.Task[tuple[int, tuple[ImageFile, ...], list[Seen]] | None]:
        """Begin to measure the next block in a thread."""

        async def measured() -> tuple[int, tuple[ImageFile, ...], list[Seen]] | None:
            found = next(waiting, None)
            if found is None:
                return None
            number, files, looks = found
            return number, files, await asyncio.to_thread(look, looks, self._stop)

        return asyncio.create_task(measured())

    async def _one_block(self, asking: Asking, number: int, files: Sequence[ImageFile], seen: Sequence[Seen]) -> None:
        subjects, again = [], set()
        for one in seen:
            if one.subject is None:
                continue
            name = bytes.fromhex(one.subject.sha256)
            if name in self._hashes:
                again.add(one.file.name)
            else:
                self._hashes.add(name)
                subjects.append(one.subject)
        self.store.keep_images(number, seen, again)
        self.blocks = number + 1
        answered = await answer_block(
            self.job,
            asking,
            subjects,
            names={one.subject.sha256: one.file.name for one in seen if one.subject is not None},
            tell=lambda share: self._tell(share * len(files)),
        )
        with whole(_shard(self.job.out, number)) as draft:
            pq.write_table(table_of(answered.rows), draft, compression="zstd")
        self.store.finish_block(number, _digest(files), answered.failures, whole=answered.whole)
        self.records += len(answered.rows)
        self._done += len(files)
        self._tell(0.0)
        if answered.error is not None:
            raise answered.error

    def _tell(self, more: float) -> None:
        spent = self.spending.spent
        unit = "USD" if self.spending.budget is not None and self.spending.budget.unit == "USD" else "tokens"
        cost = f", {spent:,.4g} {unit}" if spent else ""
        self.progress(min(self.total, self._done + int(more)), self.total, f"{self.records:,} records{cost}")


def shards(out: Path, count: int) -> list[Path]:
    """Return the shards of the first blocks that are there."""
    return [path for path in (_shard(out, number) for number in range(count)) if path.is_file()]


def _finished(job: Job, store: Store, run: _Run, ends: BaseException | None, seconds: float) -> Account:
    """Write the results; a run that ends with an error leaves what it has, if it can be written."""
    stopped: Stopped = "finished"
    if ends is not None:
        stopped = "interrupted" if isinstance(ends, KeyboardInterrupt) else "error"
    elif run.spending.reached:
        stopped = "budget"
    because = "" if ends is None else str(ends)
    try:
        ended = Ended(stopped=stopped, because=because, seconds=seconds, blocks=run.blocks)
        return finish(job, store, shards(job.out, run.blocks), ended=ended)
    except OutputError as error:
        raise ends or error from None


def _spending(job: Job, store: Store) -> Spending:
    spending = Spending(budget=job.budget, price=job.teacher.price)
    used, perhaps = store.used(), store.perhaps_used()
    spending.spent = spending.amount(used.input_tokens + perhaps[0], used.output_tokens + perhaps[1])
    return spending


def _shard(out: Path, number: int) -> Path:
    return out / SHARDS / f"records-{number:06d}.parquet"


def _digest(files: Sequence[ImageFile]) -> str:
    said = "\n".join(f"{file.size_bytes} {file.changed_ns} {file.name}" for file in files)
    return hashlib.sha256(said.encode()).hexdigest()
