"""Patches for training as they are made: a `torch` data set without end that needs no disk.

Importing this module imports torch; `micrographia.simulate` does not import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from micrographia.errors import InputError
from micrographia.findings import LABELS
from micrographia.simulate.datasets.source import PatchBlock, PatchSource, beam_fractions, checked_groups


@dataclass(frozen=True, eq=False)
class PatchStream(IterableDataset[dict[str, torch.Tensor]]):
    """A stream of batches of patches, each of whole groups.

    Use it as ``DataLoader(stream, batch_size=None, num_workers=4)``: the batches are made already. Each batch of the
    stream comes to exactly one rank, and on a rank they come in the order of their numbers however many workers the
    loader has.

    Parameters
    ----------
    source : PatchSource
        Gives the patches; picklable.
    first_group : int
        Number of the first group, so that training and testing can be kept apart.
    groups : int, optional
        How many groups there are; without it, the stream has no end.
    groups_per_batch : int
        Groups in a batch. Patches of a group share their optics: several groups mix them.
    shuffle_groups : int
        Length of the stretches within which groups are shuffled; 1 leaves them in order.
    shuffle_seed : int
        Which order.
    rank, world_size : int
        This process's number, and how many processes share the stream.
    start_batch : int
        Number of the batch to begin with, to go on where training stopped: one more than the last ``"batch"`` of
        all ranks.
    labels : tuple of str
        What the numbers in ``"label"`` stand for.

    Raises
    ------
    InputError
        A number out of range.

    Notes
    -----
    A batch is a dict of tensors: ``"image"`` float32 (patch, channel, y, x), fraction of the beam; ``"clean"``, the
    same without noise, where the source gives it; ``"label"`` int64 (patch,), positions in ``labels``; ``"batch"``,
    its number; and every column of numbers of the index, as float64 or int64 (patch,).

    With a finite stream whose batches do not divide by ``world_size``, some ranks get one batch less.
    """

    source: PatchSource
    _: KW_ONLY
    first_group: int = 0
    groups: int | None = None
    groups_per_batch: int = 1
    shuffle_groups: int = 1
    shuffle_seed: int = 0
    rank: int = 0
    world_size: int = 1
    start_batch: int = 0
    labels: tuple[str, ...] = tuple(LABELS)

    def __post_init__(self) -> None:
        for name, least in (
            *(("first_group", 0), ("groups", 1), ("groups_per_batch", 1), ("shuffle_groups", 1)),
            *(("shuffle_seed", 0), ("world_size", 1), ("start_batch", 0)),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{name} is {value}; accepted is {least} or more")
        if not 0 <= self.rank < self.world_size:
            raise InputError(f"rank is {self.rank}; accepted is 0 to {self.world_size - 1}, one less than world_size")

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        workers, number = (1, 0) if worker is None else (worker.num_workers, worker.id)
        # Loaders take from their workers in turn. Dealing to the ranks first, and then within a rank to its workers,
        # gives each rank the same batches in the same order however many workers it has.
        batch = self.start_batch + number * self.world_size + self.rank
        while self.groups is None or batch * self.groups_per_batch < self.groups:
            yield self.batch(batch)
            batch += workers * self.world_size

    def batch(self, number: int) -> dict[str, torch.Tensor]:
        """Return a batch by its number.

        Parameters
        ----------
        number : int
            From 0.

        Raises
        ------
        InputError
            There is no such batch, or the source gives a label that is not among ``labels``.
        """
        first = number * self.groups_per_batch
        last = first + self.groups_per_batch if self.groups is None else min(self.groups, first + self.groups_per_batch)
        if not 0 <= first < last:
            raise InputError(f"batch {number} was asked for; the stream has {self.groups} groups")
        if self.shuffle_groups == 1:
            return self._tensors(number, [checked_groups(self.source, self.first_group + first, last - first)])
        places = [self._shuffled(place) for place in range(first, last)]
        return self._tensors(number, [checked_groups(self.source, self.first_group + place, 1) for place in places])

    def _shuffled(self, place: int) -> int:
        """Return which group is at a place of the shuffled order."""
        stretch, within = divmod(place, self.shuffle_groups)
        start = stretch * self.shuffle_groups
        length = self.shuffle_groups if self.groups is None else min(self.shuffle_groups, self.groups - start)
        order = np.random.default_rng((self.shuffle_seed, stretch)).permutation(length)
        return start + int(order[within])

    def _tensors(self, number: int, blocks: list[PatchBlock]) -> dict[str, torch.Tensor]:
        columns = {name: np.concatenate([block.index[name] for block in blocks]) for name in blocks[0].index}
        levels = np.concatenate([block.levels for block in blocks])
        found = {
            "batch": torch.tensor(number),
            "image": torch.from_numpy(beam_fractions(levels, columns)),
            "label": torch.from_numpy(self._label_numbers(columns["label"])),
        }
        clean = [block.clean for block in blocks if block.clean is not None]
        if clean:
            found["clean"] = torch.from_numpy(np.concatenate(clean))
        for name, values in columns.items():
            if values.dtype.kind in "iuf":
                found[name] = torch.from_numpy(values.astype(np.float64 if values.dtype.kind == "f" else np.int64))
        return found

    def _label_numbers(self, words: np.ndarray) -> np.ndarray:
        known = {label: number for number, label in enumerate(self.labels)}
        distinct, which = np.unique(words.astype(str), return_inverse=True)
        if strange := [word for word in distinct if str(word) not in known]:
            raise InputError(f"the source gives the label {str(strange[0])!r}; accepted are {', '.join(self.labels)}")
        numbers: np.ndarray = np.array([known[str(word)] for word in distinct], dtype=np.int64)[which]
        return numbers
