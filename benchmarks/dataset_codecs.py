"""What ways of compressing patches cost: bytes on disk, and processor time to write and to read a patch.

Takes the first patches of a data set and packs them into one shard in memory with each codec, on one core.

Run:  python benchmarks/dataset_codecs.py DIR [--patches 4096]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec, ZstdCodec
from zarr.storage import MemoryStore

from micrographia.simulate.datasets.dataset import open_dataset

CODECS = {
    **{
        f"{name} {level}, {shuffle}": BloscCodec(cname=name, clevel=level, shuffle=shuffle)
        for name, level in (("lz4", 1), ("lz4", 5), ("zstd", 1), ("zstd", 3))
        for shuffle in ("bitshuffle", "shuffle")
    },
    "zstd 1, not shuffled": ZstdCodec(level=1),
}


def measure(levels: np.ndarray, codec: object, chunk: int) -> tuple[float, float, float]:
    """Return bytes a patch, and processor time to write and to read a patch [µs]."""
    files: dict[str, object] = {}
    edge = levels.shape[1:]
    array = zarr.create_array(
        MemoryStore(files),
        shape=levels.shape,
        dtype=levels.dtype,
        chunks=(chunk, *edge),
        shards=levels.shape,
        compressors=codec,
    )
    seconds = []
    for step in (lambda: array.__setitem__(slice(None), levels), lambda: array[:]):
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            step()
            best = min(best, time.process_time() - start)
        seconds.append(best)
    size = sum(len(data.as_numpy_array()) for name, data in files.items() if name.startswith("c/"))
    write, read = (1e6 * s / len(levels) for s in seconds)
    return size / len(levels), write, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patches", type=int, default=4096)
    asked = parser.parse_args()
    dataset = open_dataset(asked.folder)
    chunk = dataset.record.layout.chunk_patches
    levels = np.asarray(dataset.levels[: asked.patches // chunk * chunk])
    print(f"{len(levels)} patches of shape {levels.shape[1:]}, {levels[0].nbytes} bytes each")
    print("| codec | bytes a patch | write / µs | read / µs |\n|---|---|---|---|")
    with zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1}):
        for name, codec in CODECS.items():
            size, write, read = measure(levels, codec, chunk)
            print(f"| {name} | {size:.0f} | {write:.1f} | {read:.1f} |")


if __name__ == "__main__":
    main()
