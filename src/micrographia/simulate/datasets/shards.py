"""One shard of a data set: generated, packed, and put in its place in one step."""

from __future__ import annotations

import io
import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from jaxtyping import UInt8
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore

from micrographia.errors import OutputError
from micrographia.simulate.datasets.source import PatchSource, checked_groups

STORE: Final = "patches.zarr"
INDEX: Final = "index"
_SHARD_BYTES: Final = 2**27
"""Largest shard by default, before compression: a worker holds it about twice."""
_CHUNK_BYTES: Final = 2**22
_LARGEST_SHARD: Final = 8192
_LARGEST_CHUNK: Final = 256
_GROUPS_AT_ONCE: Final = 16
_SIZES: Final = b"micrographia.shard_bytes"
"""Where a part of the index keeps the sizes of the shard's files, by array [bytes]."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a data set is cut into files.

    Parameters
    ----------
    patches : int
        Number of patches.
    size_px : int
        Height and width of a patch [px].
    channels : int
        Number of detectors.
    group_size : int
        Patches that share their optics.
    shard_patches : int
        Patches in a file; a multiple of ``group_size``.
    clean : bool
        Whether clean patches are kept too.

    Examples
    --------
    >>> layout = Layout(patches=20000, size_px=64, channels=2, group_size=64, shard_patches=8192, clean=False)
    >>> layout.shards, layout.rows(2), layout.chunk_patches
    (3, range(16384, 20000), 256)
    """

    patches: int
    size_px: int
    channels: int
    group_size: int
    shard_patches: int
    clean: bool

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.patches // self.shard_patches)

    @property
    def chunk_patches(self) -> int:
        """Patches that are compressed together, and thus read together: 4 MB at most."""
        fitting = 1 << int(math.log2(max(1, _CHUNK_BYTES // (self.values * 2))))
        return math.gcd(min(_LARGEST_CHUNK, fitting), self.shard_patches)

    @property
    def values(self) -> int:
        """Number of pixels of a patch, all channels together."""
        return self.channels * self.size_px * self.size_px

    @property
    def arrays(self) -> Mapping[str, str]:
        """Name and type of each array."""
        return {"levels": "uint16", "clean": "float32"} if self.clean else {"levels": "uint16"}

    def rows(self, shard: int) -> range:
        """Return the numbers of the patches in a shard."""
        return range(shard * self.shard_patches, min(self.patches, (shard + 1) * self.shard_patches))


def default_shard_patches(source: PatchSource) -> int:
    """Return how many patches a shard holds by default: 8192 of two channels of 64 x 64 px, fewer larger ones."""
    most = min(_LARGEST_SHARD, _SHARD_BYTES // (2 * source.channels * source.size_px**2))
    return source.group_size << int(math.log2(max(1, most // source.group_size)))


def create_array(store: Any, name: str, layout: Layout, *, patches: int) -> zarr.Array[Any]:
    """Make an empty array of a data set.

    Parameters
    ----------
    store : zarr store
        Where.
    name : str
        Key of `Layout.arrays`.
    layout : Layout
        How it is cut.
    patches : int
        Length of its first axis.
    """
    edge = (layout.channels, layout.size_px, layout.size_px)
    # LZ4 after a shuffle of bits takes a third less time to write than Zstandard, for 6 % more bytes: see
    # benchmarks/dataset_codecs.py.
    return zarr.create_array(
        store,
        name=name,
        shape=(patches, *edge),
        dtype=layout.arrays[name],
        chunks=(layout.chunk_patches, *edge),
        shards=(layout.shard_patches, *edge),
        compressors=BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle"),
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=("patch", "channel", "y", "x"),
        config={"write_empty_chunks": True},
    )


@dataclass(frozen=True, kw_only=True)
class ShardJob:
    """A shard to write, as it travels to a worker.

    Parameters
    ----------
    source : bytes
        The generator, pickled.
    layout : Layout
        How the data set is cut.
    folder : str
        The data set's folder.
    draft : str
        A folder within it, for files that are not finished.
    shard : int
        Which shard.
    """

    source: bytes
    layout: Layout
    folder: str
    draft: str
    shard: int


def write_shard(job: ShardJob) -> int:
    """Generate a shard and write it: the arrays first, its part of the index last.

    A shard is done when its part of the index is there. Each file is written in the draft folder and moved from
    there; where that folder is gone, the run was given up by those who started it and nothing appears.

    Parameters
    ----------
    job : ShardJob
        Which shard, where.

    Returns
    -------
    int
        Number of patches.

    Raises
    ------
    OutputError
        The disk is full, or the folder cannot be written to.
    MicrographiaError
        Whatever the generator raises on purpose.
    """
    layout, folder, draft = job.layout, Path(job.folder), Path(job.draft)
    with _one_thread():
        arrays, columns = _generate(_unpickled(job.source), layout, layout.rows(job.shard))
        shards = {name: packed(values, name, layout) for name, values in arrays.items()}
    index = _index_bytes(columns, layout.rows(job.shard), {name: data.size for name, data in shards.items()})
    files: dict[Path, bytes | memoryview] = {array_file(folder, n, job.shard): d.data for n, d in shards.items()}
    files[part_file(folder, job.shard)] = index  # the last to be moved
    drafts = [draft / f"{job.shard}-{number}" for number in range(len(files))]
    try:
        for path, data in zip(drafts, files.values(), strict=True):
            path.write_bytes(data)
        for path, place in zip(drafts, files, strict=True):
            path.replace(place)
    except OSError as error:
        raise OutputError(_why(error, job, sum(map(len, files.values())))) from error
    finally:
        for path in drafts:
            path.unlink(missing_ok=True)
    return len(layout.rows(job.shard))


def shard_done(folder: Path, layout: Layout, shard: int) -> bool:
    """Tell whether a shard is there, whole: its part of the index is the last to be written and knows the sizes."""
    part = part_file(folder, shard)
    try:
        found = pq.read_metadata(part)
        sizes = json.loads(found.metadata[_SIZES])
        return found.num_rows == len(layout.rows(shard)) and all(
            array_file(folder, name, shard).stat().st_size == sizes[name] for name in layout.arrays
        )
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return False


def shards_begun(folder: Path) -> list[int]:
    """Return the shards of which there is a part of the index."""
    found = (re.fullmatch(r"part-(\d+)\.parquet", path.name) for path in (folder / INDEX).glob("part-*.parquet"))
    return sorted(int(match[1]) for match in found if match)


def array_file(folder: Path, name: str, shard: int) -> Path:
    """Return where Zarr looks for a shard of an array."""
    return folder / STORE / name / f"c.{shard}.0.0.0"


def part_file(folder: Path, shard: int) -> Path:
    """Return where a shard's part of the index is."""
    return folder / INDEX / f"part-{shard:05d}.parquet"


def packed(values: np.ndarray, name: str, layout: Layout) -> UInt8[np.ndarray, " byte"]:
    """Return the bytes of a shard, as Zarr writes them.

    Parameters
    ----------
    values : array (patch, channel, height, width)
        At most a shard of patches.
    name : str
        Key of `Layout.arrays`.
    layout : Layout
        How the data set is cut.
    """
    files: dict[str, Any] = {}
    store = MemoryStore(files)
    array = create_array(store, name, layout, patches=len(values))
    array[:] = values
    found: UInt8[np.ndarray, " byte"] = files[f"{name}/c.0.0.0.0"].as_numpy_array()
    return found


def _generate(
    source: PatchSource, layout: Layout, rows: range
) -> tuple[dict[str, np.ndarray], dict[str, list[np.ndarray]]]:
    first = rows.start // layout.group_size
    groups = -(-len(rows) // layout.group_size)
    shape = (len(rows), layout.channels, layout.size_px, layout.size_px)
    arrays = {name: np.empty(shape, dtype=kind) for name, kind in layout.arrays.items()}
    columns: dict[str, list[np.ndarray]] = {}
    for start in range(0, groups, _GROUPS_AT_ONCE):
        block = checked_groups(source, first + start, min(_GROUPS_AT_ONCE, groups - start))
        at = start * layout.group_size
        taken = min(len(block.levels), len(rows) - at)
        for name, values in arrays.items():
            values[at : at + taken] = getattr(block, name)[:taken]
        for column, found in block.index.items():
            columns.setdefault(column, []).append(found[:taken])
    return arrays, columns


def _index_bytes(columns: Mapping[str, list[np.ndarray]], rows: range, sizes: Mapping[str, int]) -> bytes:
    table = pa.table(
        {
            "patch": pa.array(np.arange(rows.start, rows.stop)),
            **{name: _column(np.concatenate(values)) for name, values in columns.items()},
        }
    ).replace_schema_metadata({_SIZES: json.dumps(dict(sizes))})
    buffer = io.BytesIO()
    words = [field.name for field in table.schema if pa.types.is_string(field.type)]
    pq.write_table(table, buffer, compression="zstd", use_dictionary=words, row_group_size=len(rows))
    return buffer.getvalue()


def _column(values: np.ndarray) -> pa.Array:
    return pa.array(values.tolist(), type=pa.string()) if values.dtype.kind in "OU" else pa.array(values)


@lru_cache(maxsize=1)
def _unpickled(source: bytes) -> PatchSource:
    """Keep the last generator, for what it has loaded serves the next shard too."""
    found: PatchSource = cloudpickle.loads(source)
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep one shard to one core, whatever the libraries would take: there are as many workers as cores."""
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1), zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1}):
            yield
    finally:
        numba.set_num_threads(before)


def _why(error: OSError, job: ShardJob, needed_bytes: int) -> str:
    if not Path(job.draft).is_dir():
        return (
            f"cannot write shard {job.shard}: there is no folder {job.draft} on the worker {os.uname().nodename}; "
            "all workers must see the data set's folder under the same path"
        )
    free = shutil.disk_usage(job.draft).free
    return (
        f"cannot write shard {job.shard} to {job.folder}: {error.strerror or error}; it needs {needed_bytes / 1e6:.1f} "
        f"MB and {free / 1e6:.1f} MB are free; make room, then give the same command again to go on"
    )
