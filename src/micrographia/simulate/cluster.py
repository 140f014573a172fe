"""Work on a Dask cluster: this computer's own, or any by its scheduler's address."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from micrographia.errors import InputError, OutputError

if TYPE_CHECKING:
    from distributed import Client

Job = TypeVar("Job")
Result = TypeVar("Result")

_PATIENCE_S: Final = 8
"""How long to wait for a scheduler to answer, and for its first worker [s]."""
_LOGGERS: Final = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")


@contextmanager
def cluster(*, scheduler: str | None, workers: int) -> Iterator[Client]:
    """Give a client of a Dask cluster; a cluster that was started for it ends with it.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running scheduler, such as ``tcp://10.0.0.1:8786``. Without it, worker processes are started
        on this computer.
    workers : int
        Number of processes to start, of one thread each; a scheduler has workers of its own.

    Yields
    ------
    distributed.Client
        For `each_done`.

    Raises
    ------
    InputError
        The scheduler cannot be reached, or has no worker.

    Notes
    -----
    Processes are spawned: a script that calls this needs its ``if __name__ == "__main__":``.
    """
    from distributed import Client, LocalCluster

    with _quiet(), ExitStack() as stack:
        if scheduler is None:
            with _children_deaf_to_interrupts():
                target: Any = stack.enter_context(
                    LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        # Dask would pause and end workers by its own measure of memory; a shard's memory is known.
                        memory_limit=0,
                        dashboard_address="127.0.0.1:0",
                        silence_logs=logging.CRITICAL,
                    )
                )
        else:
            _require_scheduler(scheduler)
            target = scheduler
        client = stack.enter_context(Client(target, timeout=_PATIENCE_S, set_as_default=False))
        try:
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except TimeoutError as error:
            raise InputError(
                f"the Dask scheduler at {scheduler} has no workers; start some with `dask worker {scheduler}`"
            ) from error
        yield client


def require_shared_folder(client: Client, draft: Path) -> None:
    """Have every worker read and write a probe file.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    draft : Path
        An existing folder.

    Raises
    ------
    InputError
        A worker has no Micrographia.
    OutputError
        A worker does not see the folder, or cannot write there.
    """
    word = secrets.token_hex(8)
    (draft / "probe").write_text(word, encoding="utf-8")
    try:
        found = client.run(_probe, str(draft), word)
    except Exception as error:  # whatever keeps a worker from loading this module
        raise InputError(
            f"the workers of the Dask cluster cannot run Micrographia ({type(error).__name__}: {_first_line(error)}); "
            "install the same version for them"
        ) from error
    for worker, trouble in found.items():
        if trouble is None and not (draft / f"{word}-{_name(worker)}").is_file():
            trouble = "its files do not arrive here"
        if trouble is not None:
            raise OutputError(
                f"the worker {worker} cannot use the folder {draft.parent} ({trouble}); "
                "give a folder that all workers see under the same path and may write to"
            )


def each_done(client: Client, task: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """Do jobs on a cluster, and give their results as they come.

    Two jobs for each thread of the cluster are under way at a time, so that neither jobs nor results pile up,
    and workers that join later get their share.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    task : callable
        What to do with a job; importable by the workers.
    jobs : iterable
        The jobs.

    Yields
    ------
    Result
        In the order in which the jobs finish.

    Raises
    ------
    MicrographiaError
        What the task raises on purpose, or the cluster was lost.
    """
    from distributed import CancelledError, wait
    from distributed.comm import CommClosedError

    waiting = iter(jobs)
    pending: set[Any] = set()
    try:
        with client.as_current():
            while True:
                room = 2 * max(1, sum(client.nthreads().values())) - len(pending)
                pending |= {client.submit(task, job, pure=False) for _, job in zip(range(room), waiting, strict=False)}
                if not pending:
                    return
                finished, pending = wait(pending, return_when="FIRST_COMPLETED")
                for future in finished:
                    if future.status == "error":
                        raise _told_plainly(future.exception())
                    yield future.result()
    except (CancelledError, CommClosedError, TimeoutError) as error:
        raise OutputError(
            f"the Dask cluster was lost ({_first_line(error)}); give the same command again to go on"
        ) from error
    finally:
        for future in pending:
            future.cancel()


def _told_plainly(error: BaseException) -> BaseException:
    """Return what a job failed of in words of this package; a bug stays what it is."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker | MemoryError):
        return OutputError(
            f"a worker was ended while it wrote a shard ({_first_line(error)}), most likely for want of memory; "
            "give the same command with fewer workers to go on"
        )
    if isinstance(error, OSError):
        return OutputError(f"a worker failed: {error}; put that right, then give the same command again to go on")
    return error


def _require_scheduler(address: str) -> None:
    """Ask for an answer before a client is made: one that fails to connect goes on trying behind the caller's back."""
    from distributed.core import rpc
    from distributed.security import Security

    async def ask() -> None:
        async with rpc(address, timeout=_PATIENCE_S, connection_args=Security().get_connection_args("client")) as peer:
            found = await peer.identity()
        if found.get("type") != "Scheduler":
            raise ValueError(f"a {found.get('type', 'program')} answers there")

    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook has an event loop of its own in this thread
            pool.submit(lambda: asyncio.run(asyncio.wait_for(ask(), _PATIENCE_S))).result()
    except Exception as error:  # what answers may be anything, and so may be what it says
        reason = "no answer" if isinstance(error, TimeoutError | OSError) else _first_line(error)
        raise InputError(
            f"there is no Dask scheduler at {address!r} ({reason}); give the address that `dask scheduler` shows, "
            "such as tcp://10.0.0.1:8786, or none to work on this computer"
        ) from error


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _probe(draft: str, word: str, *, dask_worker: Any) -> str | None:
    """Return what is wrong with the folder on the worker that Dask passes here, if anything is."""
    folder = Path(draft)
    try:
        if (folder / "probe").read_text(encoding="utf-8") != word:
            return "another folder of that name is there"
        (folder / f"{word}-{_name(dask_worker.address)}").touch()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _name(address: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in address)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def _children_deaf_to_interrupts() -> Iterator[None]:
    """Have Ctrl-C reach this process alone, which then ends its workers, and not the workers, which would print."""
    if sys.platform == "win32":
        yield
        return
    # Started before the signal is blocked, for it unblocks the signal when it starts.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield  # threads and processes that start here inherit the block
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the cluster's own log from standard error: what matters reaches the caller as an error."""
    with ExitStack() as stack:
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            muted: list[logging.Logger | logging.Handler] = [logger, *logger.handlers]
            for one in muted:
                stack.callback(one.setLevel, one.level)
                one.setLevel(logging.CRITICAL + 1)
        yield
