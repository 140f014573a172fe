"""What a run knows and has paid for, on disk before it counts: survives a killed process without loss or repetition."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from micrographia.cues.cue import Cue
from micrographia.errors import InputError, OutputError
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.engine.images import ImageFile, Seen
from micrographia.instruct.record import Reply, Usage

FILE: Final = "state.sqlite"
LOCK: Final = ".lock"
_SPARE: Final = ".spare"
_SPARE_BYTES: Final = 4 << 20
"""Room that is set aside, so that answers under way can still be kept when the disk is full."""

_TABLES: Final = """
create table if not exists settings (name text primary key, value text not null);
create table if not exists images (
    file text primary key, size_bytes integer not null, changed_ns integer not null, block integer not null,
    place integer not null, sha256 text, height_px integer, width_px integer, pixel_size_nm real, cues text,
    error text not null, duplicate integer not null);
create index if not exists image_blocks on images (block, place);
create table if not exists replies (
    key text primary key, reasoning text not null, answer text not null, refused integer not null,
    input_tokens integer not null, output_tokens integer not null, cost_usd real);
create table if not exists requests (
    id integer primary key, key text not null, outcome text not null, said text not null,
    most_input integer not null, most_output integer not null, input_tokens integer not null,
    output_tokens integer not null, cost_usd real);
create table if not exists failures (
    assignment text primary key, block integer not null, task text not null, question text not null,
    reason text not null);
create table if not exists blocks (number integer primary key, digest text not null, complete integer not null);
"""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A question that was never answered.

    Parameters
    ----------
    assignment : str
        Its id.
    task : str
        Its kind.
    question : str
        Its words.
    reason : str
        What happened the last time.
    """

    assignment: str
    task: str
    question: str
    reason: str


class Store:
    """The state of a run.

    Parameters
    ----------
    connection : sqlite3.Connection
        Open data base.
    folder : Path
        Where it lies.
    """

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._db = connection
        self._folder = folder

    def settle_settings(self, settings: dict[str, Any]) -> None:
        """Remember what a run depends on, or compare it with what the folder was begun with.

        Raises
        ------
        InputError
            They differ.
        """
        known = dict(self._db.execute("select name, value from settings").fetchall())
        said = {name: json.dumps(value, sort_keys=True) for name, value in settings.items()}
        if known:
            other = [name for name in sorted({*known, *said}) if known.get(name) != said.get(name)]
            if other:
                name = other[0]
                raise InputError(
                    f"{self._folder} was begun with {name} {known.get(name)} and {name} is now {said.get(name)}; give "
                    "the same settings to go on, or another folder for --out"
                )
            return
        self._write([("insert into settings values (?, ?)", pair) for pair in said.items()])

    def known_images(self, files: Sequence[ImageFile]) -> dict[str, tuple[str, tuple[Cue, ...]]]:
        """Return hash and cues of those files that did not change since they were measured."""
        found: dict[str, tuple[str, tuple[Cue, ...]]] = {}
        for file in files:
            row = self._db.execute(
                "select sha256, cues from images where file = ? and size_bytes = ? and changed_ns = ? and error = ''",
                (file.name, file.size_bytes, file.changed_ns),
            ).fetchone()
            if row is not None:
                found[file.name] = (row[0], tuple(Cue(**cue) for cue in json.loads(row[1])))
        return found

    def keep_images(self, block: int, seen: Sequence[Seen], duplicates: set[str]) -> None:
        """Remember what became of a block's files."""
        self._write(
            [("delete from images where block = ?", (block,))]
            + [
                ("insert or replace into images values (?,?,?,?,?,?,?,?,?,?,?,?)", _image_row(block, k, s, duplicates))
                for k, s in enumerate(seen)
            ]
        )

    def hashes(self, block: int) -> set[bytes]:
        """Return the hashes of a block's images, those left out that an earlier block has."""
        rows = self._db.execute("select sha256 from images where block = ? and error = '' and not duplicate", (block,))
        return {bytes.fromhex(sha256) for (sha256,) in rows}

    def images(self, blocks: int) -> Iterator[dict[str, Any]]:
        """Give what became of each file of the first blocks, in their order."""
        cursor = self._db.execute("select * from images where block < ? order by block, place", (blocks,))
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def reply(self, key: str) -> Reply | None:
        """Return an answer that was paid for."""
        row = self._db.execute(
            "select reasoning, answer, refused, input_tokens, output_tokens, cost_usd from replies where key = ?",
            (key,),
        ).fetchone()
        if row is None:
            return None
        usage = Usage(input_tokens=row[3], output_tokens=row[4], cost_usd=row[5])
        return Reply(reasoning=row[0], answer=row[1], refused=bool(row[2]), usage=usage)

    def sent(self, key: str, *, most: tuple[int, int]) -> int:
        """Remember, before it goes out, that a request is sent and how many tokens it may take; return its number."""
        return self._write([("insert into requests values (null, ?, 'sent', '', ?, ?, 0, 0, null)", (key, *most))])

    def returned(self, request: int, *, outcome: str, said: str, usage: Usage | None) -> None:
        """Remember that a request brought no answer, and why."""
        self._write([_request_row(request, outcome=outcome, said=said, usage=usage)])

    def answered(self, request: int, key: str, reply: Reply) -> None:
        """Remember an answer and that its request is done, both or neither."""
        used = reply.usage
        row = (key, reply.reasoning, reply.answer, reply.refused, used.input_tokens, used.output_tokens, used.cost_usd)
        outcome = "refused" if reply.refused else "answered"
        self._write(
            [
                ("insert or replace into replies values (?, ?, ?, ?, ?, ?, ?)", row),
                _request_row(request, outcome=outcome, said="", usage=used),
            ]
        )

    def finish_block(
        self, number: int, digest: str, failures: Sequence[tuple[Assignment, str]], *, whole: bool
    ) -> None:
        """Remember that a block's shard is written, and which of its questions were never answered."""
        complete = whole and not failures
        self._write(
            [
                ("delete from failures where block = ?", (number,)),
                *(
                    ("insert or replace into failures values (?, ?, ?, ?, ?)", (a.id, number, a.task, a.question, why))
                    for a, why in failures
                ),
                ("insert or replace into blocks values (?, ?, ?)", (number, digest, complete)),
            ]
        )

    def block_done(self, number: int) -> str | None:
        """Return the digest of a block that is complete."""
        row = self._db.execute("select digest from blocks where number = ? and complete", (number,)).fetchone()
        return None if row is None else str(row[0])

    def failures(self, blocks: int) -> tuple[Failure, ...]:
        """Return the questions of the first blocks that were never answered."""
        rows = self._db.execute(
            "select assignment, task, question, reason from failures where block < ? order by block, rowid", (blocks,)
        )
        return tuple(Failure(assignment=a, task=t, question=q, reason=r) for a, t, q, r in rows)

    def requests(self) -> dict[str, int]:
        """Return how many requests came to what end, over all runs in the folder."""
        return dict(self._db.execute("select outcome, count(*) from requests group by outcome").fetchall())

    def used(self) -> Usage:
        """Return what all requests cost; the cost is None where the price of any is not known."""
        sent, answered, cost, unknown = self._db.execute(
            "select coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cost_usd), 0.0), "
            "count(*) filter (where cost_usd is null and input_tokens + output_tokens > 0) from requests"
        ).fetchone()
        return Usage(input_tokens=sent, output_tokens=answered, cost_usd=None if unknown else float(cost))

    def perhaps_used(self) -> tuple[int, int]:
        """Return how many tokens requests may have taken, sent and answered, of which nothing came back."""
        sent, answered = self._db.execute(
            "select coalesce(sum(most_input), 0), coalesce(sum(most_output), 0) from requests "
            "where outcome in ('sent', 'silent')"
        ).fetchone()
        return int(sent), int(answered)

    def _write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> int:
        """Carry out statements, all or none, and have them on the disk; return the number of the last row."""
        try:
            return self._carry_out(statements)
        except sqlite3.OperationalError as error:
            spare = self._folder / _SPARE
            if "full" not in str(error) or not spare.exists():
                raise _told_plainly(error, self._folder) from error
            spare.unlink()  # what was paid for is kept in the room that was set aside, and then the run stops
            try:
                self._carry_out(statements)
            except sqlite3.Error as again:
                raise _told_plainly(again, self._folder) from again
            raise _told_plainly(error, self._folder) from error
        except sqlite3.DatabaseError as error:
            raise _told_plainly(error, self._folder) from error

    def _carry_out(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> int:
        with self._db:
            cursor = self._db.cursor()
            for statement, values in statements:
                cursor.execute(statement, values)
        return cursor.lastrowid or 0


@contextmanager
def open_store(folder: Path) -> Iterator[Store]:
    """Open the state of a folder, which no other run may have open.

    Parameters
    ----------
    folder : Path
        Folder of the results; it exists.

    Raises
    ------
    InputError
        Another run works in the folder, or its state is damaged.
    OutputError
        It cannot be written to.
    """
    try:
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror or error}; give another folder") from error
    with lock:
        _lock(lock, folder)
        connection = sqlite3.connect(folder / FILE, isolation_level="DEFERRED", check_same_thread=False)
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.executescript(_TABLES)
            _set_room_aside(folder)
            yield Store(connection, folder)
        except sqlite3.DatabaseError as error:
            raise _told_plainly(error, folder) from error
        finally:
            connection.close()
            (folder / _SPARE).unlink(missing_ok=True)


def _lock(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(f"another run works in {folder}; wait for it, or give another folder for --out") from error


def _set_room_aside(folder: Path) -> None:
    try:
        with (folder / _SPARE).open("wb") as spare:
            os.posix_fallocate(spare.fileno(), 0, _SPARE_BYTES)
    except OSError as error:
        (folder / _SPARE).unlink(missing_ok=True)
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; make room, then give the same command again"
        ) from error


def _told_plainly(error: sqlite3.Error, folder: Path) -> InputError | OutputError:
    if isinstance(error, sqlite3.OperationalError):
        return OutputError(
            f"the state of the run in {folder} cannot be written: {error}; make room or check the disk, then give the "
            "same command again to go on"
        )
    return InputError(f"{folder / FILE} is damaged ({error}); move it away and begin anew, or restore it from a backup")


def _request_row(request: int, *, outcome: str, said: str, usage: Usage | None) -> tuple[str, Sequence[Any]]:
    used = Usage(cost_usd=0.0) if usage is None else usage
    return (
        "update requests set outcome = ?, said = ?, input_tokens = ?, output_tokens = ?, cost_usd = ? where id = ?",
        (outcome, said, used.input_tokens, used.output_tokens, used.cost_usd, request),
    )


def _image_row(block: int, place: int, seen: Seen, duplicates: set[str]) -> tuple[Any, ...]:
    file, subject = seen.file, seen.subject
    known: tuple[Any, ...] = (None, None, None, None, None)
    if subject is not None:
        cues = json.dumps([asdict(cue) for cue in subject.cues])
        known = (subject.sha256, seen.height_px, seen.width_px, subject.pixel_size_nm, cues)
    place_of = (file.name, file.size_bytes, file.changed_ns, block, place)
    return (*place_of, *known, seen.error, file.name in duplicates)
