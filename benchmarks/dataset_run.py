"""A real data set of two million patches: rate, size, memory over the run, and its card.

Claims: memory does not grow over the run, and the rate on disk stays within a third of the streamed one.

The memory of this process and of all its workers is sampled every second (resident set, summed; shared pages are
counted in each). The card is copied to --card; the data are left in --out, and given the same command again the
run goes on where it was.

Run:  OPENBLAS_NUM_THREADS=1 python benchmarks/dataset_run.py --out DIR [--patches 2000000] [--workers 2]
      [--library LIB] [--card docs/benchmarks/dataset-2m-card.md]
"""

from __future__ import annotations

import argparse
import shutil
import threading
from pathlib import Path

import numpy as np
import psutil

from micrographia.simulate.datasets.dataset import write_dataset
from micrographia.simulate.patches.recipe import recipe
from micrographia.simulate.specimens.catalogue import read_catalogue


def resident_mb() -> list[float]:
    """Return the memory of this process and of each of its descendants [MB]."""
    me = psutil.Process()
    found = []
    for process in (me, *me.children(recursive=True)):
        try:
            found.append(process.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patches", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--card", type=Path)
    options = parser.parse_args()
    made = recipe(read_catalogue(), library=options.library, seed=options.seed)
    samples: list[tuple[int, float, float]] = []
    done = [0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(1.0):
            each = resident_mb()
            samples.append((done[0], sum(each), max(each)))

    watcher = threading.Thread(target=watch)
    watcher.start()

    def tell(finished: int, total: int) -> None:
        done[0] = finished

    try:
        made_set = write_dataset(
            made,
            options.out,
            patches=options.patches,
            workers=options.workers,
            command=f"micrographia simulate dataset --out DIR --patches {options.patches} --seed {options.seed}",
            progress=tell,
        )
    finally:
        stop.set()
        watcher.join()
    if options.card:
        shutil.copyfile(options.out / "README.md", options.card)
    size, seconds = made_set.bytes / made_set.patches, made_set.seconds
    print(f"{made_set.patches:,} patches, {made_set.bytes / 1e9:.2f} GB, {size:,.0f} bytes each")
    print(f"{made_set.written:,} written in {seconds:.0f} s: {made_set.written / seconds:,.0f} patches/s")
    print("\n| part of the run | memory of all processes, mean | largest | largest single process | rate |")
    print("|---|---|---|---|---|")
    running = [s for s in samples if s[0] > 0]
    for n, part in enumerate(np.array_split(np.arange(len(running)), 4)):
        if not part.size:
            continue
        total, single = (np.array([running[k][column] for k in part]) for column in (1, 2))
        patches = running[part[-1]][0] - running[part[0]][0]
        print(
            f"| quarter {n + 1} | {total.mean():,.0f} MB | {total.max():,.0f} MB | {single.max():,.0f} MB "
            f"| {patches / max(1, part.size - 1):,.0f} patches/s |"
        )


if __name__ == "__main__":
    main()
