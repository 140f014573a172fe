"""Data sets of simulated patches on disk: sharded Zarr with a Parquet index."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cloudpickle
import numpy as np
import pyarrow.dataset as pads
import zarr
from jaxtyping import Float32

from micrographia.errors import InputError, OutputError, ReadError
from micrographia.simulate.cluster import cluster, each_done, require_shared_folder, usable_cores
from micrographia.simulate.datasets.dataset_folder import (
    SCHEMA,
    DatasetRecord,
    begin,
    draft_folder,
    finish,
    read_record,
    require_same,
    sole_writer,
    versions,
)
from micrographia.simulate.datasets.shards import (
    STORE,
    Layout,
    ShardJob,
    default_shard_patches,
    packed,
    part_file,
    shard_done,
    shards_begun,
    write_shard,
)
from micrographia.simulate.datasets.source import PatchBlock, PatchSource, beam_fractions, checked_groups
from micrographia.simulate.scans.scan import Progress

_SAMPLED_GROUPS: Final = 4


@dataclass(frozen=True, kw_only=True)
class DatasetSummary:
    """What became of a run.

    Parameters
    ----------
    folder : Path
        The data set.
    patches : int
        Patches in it.
    written : int
        Patches that this run wrote; the others were there.
    seconds : float
        How long writing took [s].
    bytes : int
        Size on disk.
    """

    folder: Path
    patches: int
    written: int
    seconds: float
    bytes: int


def write_dataset(
    source: PatchSource,
    out: Path,
    *,
    patches: int,
    scheduler: str | None = None,
    workers: int | None = None,
    shard_patches: int | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> DatasetSummary:
    """Write a data set, or go on with one that was interrupted, or add to one that is there.

    The files depend on the source and on ``shard_patches`` alone: not on the number of workers, nor on how often
    the run was interrupted, by whatever means. A data set that was made larger has the files of one made at once.

    Parameters
    ----------
    source : PatchSource
        Gives the patches; picklable.
    out : Path
        Folder of the data set; with a scheduler, all workers must see it under this path.
    patches : int
        How many patches the data set shall have.
    scheduler : str, optional
        Address of a Dask scheduler; by default processes are started on this computer.
    workers : int, optional
        How many processes to start; by default one a core.
    shard_patches : int, optional
        Patches in a file, a multiple of the group size; by default 8192 of two channels of 64 x 64 px, and fewer
        where they are larger.
    command : str, optional
        The command line, for the data-set card.
    progress : callable, optional
        Called with the number of patches that are there, and that there shall be.

    Returns
    -------
    DatasetSummary
        What was written.

    Raises
    ------
    InputError
        A number out of range, a source that does not give what it promised, or a scheduler that cannot be reached.
    OutputError
        ``out`` is something else, holds a data set with other settings or with more patches, is being written by
        another process, or the disk is full.

    Examples
    --------
    ``write_dataset(source, Path("patches"), patches=1_000_000)``; then `open_dataset` reads it.
    """
    for name, value in (("patches", patches), ("workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; accepted is 1 or more")
    if scheduler is not None and workers is not None:
        raise InputError("both a scheduler and a number of workers were given; a scheduler has workers of its own")
    shard_patches = shard_patches or default_shard_patches(source)
    if shard_patches < 1 or shard_patches % source.group_size:
        raise InputError(
            f"a shard of {shard_patches} patches was asked for; accepted is a multiple of {source.group_size}"
        )
    out = out.absolute()
    sample = checked_groups(source, 0, min(_SAMPLED_GROUPS, -(-patches // source.group_size)))
    wanted = DatasetRecord(
        schema=SCHEMA,
        complete=False,
        patches=patches,
        size_px=source.size_px,
        channels=source.channels,
        group_size=source.group_size,
        shard_patches=shard_patches,
        clean=sample.clean is not None,
        settings=json.loads(json.dumps(source.settings())),
        software=versions(),
    )
    layout = wanted.layout
    require_same(read_record(out), wanted, out)
    done_shards = {shard for shard in shards_begun(out) if shard < layout.shards and shard_done(out, layout, shard)}
    there = sum(len(layout.rows(shard)) for shard in done_shards)
    missing = layout.shards - len(done_shards)
    _require_space(out, sample, layout, patches - there)
    started = time.monotonic()
    with ExitStack() as stack:
        # First the cluster, then the folder: when there is no scheduler, there is no empty data set either.
        client = None
        if missing:
            client = stack.enter_context(cluster(scheduler=scheduler, workers=min(workers or usable_cores(), missing)))
        stack.enter_context(sole_writer(out))
        record = begin(out, wanted, layout)
        if client is not None:
            draft = stack.enter_context(draft_folder(out))
            if scheduler is not None:
                require_shared_folder(client, draft)
            jobs = (
                ShardJob(source=pickled, layout=layout, folder=str(out), draft=str(draft), shard=shard)
                for pickled in [cloudpickle.dumps(source)]
                for shard in range(layout.shards)
                if shard not in done_shards
            )
            done = there
            if progress is not None:
                progress(done, patches)
            for count in each_done(client, write_shard, jobs):
                done += count
                if progress is not None:
                    progress(done, patches)
        finish(out, record, layout, command)
    return DatasetSummary(
        folder=out,
        patches=patches,
        written=patches - there,
        seconds=time.monotonic() - started,
        bytes=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
    )


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set that was opened for reading; row ``n`` of the index is about patch ``n``.

    Parameters
    ----------
    folder : Path
        Where it is.
    record : DatasetRecord
        What it holds, and how it was made.
    levels : zarr array (patch, channel, y, x)
        What the detector's digitiser gives, uint16.
    clean : zarr array (patch, channel, y, x), optional
        Fraction of the beam without noise, float32.
    index : pyarrow dataset
        A column each of what is known about the patches; ``index.to_table(columns=["label"])`` reads one.
    """

    folder: Path
    record: DatasetRecord
    levels: zarr.Array[Any]
    clean: zarr.Array[Any] | None
    index: pads.Dataset

    def __len__(self) -> int:
        return self.record.patches


def open_dataset(folder: Path) -> Dataset:
    """Open a data set for reading.

    Parameters
    ----------
    folder : Path
        What `write_dataset` wrote.

    Raises
    ------
    ReadError
        The folder holds no data set, or one that is not finished or lacks a file.
    """
    try:
        record = read_record(folder)
    except OutputError as error:
        raise ReadError(str(error)) from error
    if record is None:
        raise ReadError(f"there is no data set at {folder}; give a folder that `micrographia simulate dataset` wrote")
    parts = [part_file(folder, shard) for shard in range(record.layout.shards)]
    there = sum(path.is_file() for path in parts)
    if not record.complete or there < len(parts):
        raise ReadError(
            f"the data set at {folder} is not finished: {there} of {len(parts)} shards are there; "
            "give the command that it was begun with again"
        )
    try:
        arrays = {name: zarr.open_array(folder / STORE / name, mode="r") for name in record.layout.arrays}
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot read the arrays of the data set at {folder} ({error}); make it again") from error
    return Dataset(
        folder=folder,
        record=record,
        levels=arrays["levels"],
        clean=arrays.get("clean"),
        index=pads.dataset([str(path) for path in parts], format="parquet"),
    )


def images(dataset: Dataset, first: int, last: int) -> Float32[np.ndarray, "patch channel height width"]:
    """Return patches as fractions of the beam.

    Parameters
    ----------
    dataset : Dataset
        From `open_dataset`.
    first, last : int
        First patch, and the one after the last.

    Raises
    ------
    InputError
        There are no such patches.
    """
    if not 0 <= first < last <= len(dataset):
        raise InputError(f"patches {first} to {last} were asked for; accepted is 0 <= first < last <= {len(dataset)}")
    names = [f"{name}_{c}" for c in range(dataset.record.channels) for name in ("fraction_per_level", "zero_level")]
    rows = dataset.index.to_table(columns=names, filter=(pads.field("patch") >= first) & (pads.field("patch") < last))
    return beam_fractions(np.asarray(dataset.levels[first:last]), {name: rows[name].to_numpy() for name in names})


def _require_space(out: Path, sample: PatchBlock, layout: Layout, patches: int) -> None:
    """Refuse what cannot fit, by the size of the first patches once packed."""
    if not patches:
        return
    count = len(sample.levels)
    small = replace(layout, patches=count, shard_patches=count)
    bytes_per_patch = sum(len(packed(getattr(sample, name), name, small)) for name in layout.arrays) / count
    needed = bytes_per_patch * patches
    free = shutil.disk_usage(next(p for p in (out, *out.parents) if p.is_dir())).free
    if needed > free:
        raise OutputError(
            f"{patches} patches need about {needed / 1e9:.3g} GB ({bytes_per_patch / 1e3:.3g} kB each) and "
            f"{free / 1e9:.3g} GB are free at {out}; make room, ask for fewer, or give another folder"
        )
