"""Measure blocks of images: in this process, in others, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Final

from micrographia.instruct.engine.images import Look, Seen, look_at
from micrographia.simulate.cluster import cluster, each_done, usable_cores

Looking = Callable[[Sequence[Look], Event], list[Seen]]
"""Images to look at in; what became of each, in the same order, out. Once the event is set, no other is begun."""

_FEW: Final = 8
"""So few images are measured before other processes have started."""


@contextmanager
def looking(images: int, *, scheduler: str | None, workers: int | None = None) -> Iterator[Looking]:
    """Give what measures images.

    Parameters
    ----------
    images : int
        How many there will be.
    scheduler : str, optional
        Address of a Dask scheduler.
    workers : int, optional
        Processes on this computer; by default one a core.

    Raises
    ------
    InputError
        The scheduler does not answer.
    """
    count = usable_cores() if workers is None else workers
    if scheduler is None and (count == 1 or images <= _FEW):
        yield lambda looks, stop: [look_at(look)[1] for look in _until(stop, looks)]
        return
    with cluster(scheduler=scheduler, workers=count) as client:

        def measured(looks: Sequence[Look], stop: Event) -> list[Seen]:
            found = each_done(client, look_at, _until(stop, looks))
            return [seen for _, seen in sorted(found, key=lambda one: one[0])]

        yield measured


def _until(stop: Event, looks: Sequence[Look]) -> Iterator[Look]:
    return (look for look in looks if not stop.is_set())
