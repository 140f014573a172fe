"""Finished patches a second, beside abTEM.

Claims: at least 10,000 finished 64 x 64 patches a second on two cores, every radial effect on; per patch at least
500,000 times faster than abTEM's multislice and 50,000 times faster than its PRISM (interpolation 2, Nyquist scan).

"Finished" is what a data set stores: defects, relaxation, drift, jitter, flyback, finite dwell, haze, source blur,
Poisson electrons, detector noise and digits, with the index; the data-set rows are compressed and on disk as well.
All processes are timed by the clock on the wall from one common start, after compilation. abTEM has one thread;
"a patch" of N processes takes 1/N of the time a process needs for one.

Run:  OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/throughput.py [--seconds 20] [--patches 200000]
      [--workers 1 2] [--library LIB] [--prior-library LIB] [--out FOLDER] [--no-peers]
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from micrographia.simulate import Probe, cell, from_atoms, host
from micrographia.simulate.datasets.dataset import write_dataset
from micrographia.simulate.patches.recipe import GROUP, IDEAL, PatchRecipe, recipe
from micrographia.simulate.specimens.catalogue import read_catalogue

CLUSTER = {"a 64-core node": 64, "16 such nodes": 1024}
TARGET_PATCHES = 55_000_000


def generate(made: PatchRecipe, first: int, seconds: float, start, rates) -> None:
    made.groups(first, 4)  # compiles, and reads the library
    start.wait()
    began = time.perf_counter()
    done = 0
    while time.perf_counter() - began < seconds:
        made.groups(first + done, 8)
        done += 8
    rates.put(done * GROUP / (time.perf_counter() - began))


def stream_rate(made: PatchRecipe, workers: int, seconds: float) -> float:
    """Return patches a second of some processes together."""
    spawn = multiprocessing.get_context("spawn")
    start, rates = spawn.Barrier(workers), spawn.Queue()
    each = [spawn.Process(target=generate, args=(made, n * 1_000_000, seconds, start, rates)) for n in range(workers)]
    for process in each:
        process.start()
    total = sum(rates.get() for _ in each)
    for process in each:
        process.join()
    return total


def dataset_rate(made: PatchRecipe, workers: int, patches: int, place: Path) -> tuple[float, float]:
    """Return patches a second on disk, and bytes of a patch there."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        summary = write_dataset(made, Path(folder) / "set", patches=patches, workers=workers)
        shutil.rmtree(Path(folder) / "set")
    return summary.written / summary.seconds, summary.bytes / summary.patches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--patches", type=int, default=200_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--library", type=Path)
    parser.add_argument("--prior-library", type=Path, help="also time the continuous prior, with this library")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()

    catalogue = recipe(read_catalogue(), library=options.library, seed=1)
    recipes = {"catalogue, all effects": catalogue, "catalogue, ideal scans": replace(catalogue, realism=IDEAL)}
    if options.prior_library:
        recipes["prior, all effects, defocus and Cs"] = recipe(
            read_catalogue(), prior=True, library=options.prior_library, seed=1
        )
        recipes["prior, two detectors"] = replace(recipes["prior, all effects, defocus and Cs"], channels=2)
    print("| generated | " + " | ".join(f"{w} process{'es' * (w > 1)}" for w in options.workers) + " | scaling |")
    print("|---|" + "---|" * (len(options.workers) + 1))
    rates: dict[str, list[float]] = {}
    for name, made in recipes.items():
        rates[name] = [stream_rate(made, w, options.seconds) for w in options.workers]
        cells = " | ".join(f"{r:,.0f} patches/s" for r in rates[name])
        print(f"| {name} | {cells} | {rates[name][-1] / rates[name][0]:.2f} |", flush=True)
    written = [dataset_rate(catalogue, w, options.patches, options.out) for w in options.workers]
    cells = " | ".join(f"{rate:,.0f} patches/s" for rate, _ in written)
    print(f"| written to disk, {options.patches:,} patches | {cells} | {written[-1][0] / written[0][0]:.2f} |")
    size = written[-1][1]
    print(f"\n{size:,.0f} bytes a patch on disk, {size * 8 / 4096:.2f} bits a pixel; 16 before compression")

    best = rates["catalogue, all effects"]
    cores = options.workers[-1]
    each, disk = best[-1] / cores, written[-1][0] / cores
    print("\n| on paper, at this rate a core | 55 million patches, streamed | written | disk |\n|---|---|---|---|")
    for name, count in {f"this machine, {cores} cores": cores, **CLUSTER}.items():
        print(
            f"| {name} | {TARGET_PATCHES / (each * count) / 60:,.1f} min "
            f"| {TARGET_PATCHES / (disk * count) / 60:,.1f} min | {TARGET_PATCHES * size / 1e9:,.0f} GB |"
        )
    if options.no_peers:
        return

    from peers import abtem_multislice_s, abtem_prism_s

    specimen = from_atoms(cell(host("MoS2"), (6, 4)))  # 19 x 22 Å: a patch of 12.8 Å and the probe's tails
    probe = Probe(energy_kev=80.0, convergence_mrad=30.0)
    detector = {"collection_mrad": ((70.0, 200.0),)}
    print(
        f"\n| one 64 x 64 patch at 0.2 Å, 80 keV | time | ours on one core is faster by | on {cores} cores |\n"
        "|---|---|---|---|"
    )
    for name, seconds, bar in (
        ("abTEM multislice, one thread", abtem_multislice_s(specimen, probe, **detector), 500_000),
        ("abTEM PRISM, interpolation 2, Nyquist scan, one thread", abtem_prism_s(specimen, probe, **detector), 50_000),
    ):
        print(f"| {name} | {seconds:.1f} s | {seconds * best[0]:,.0f} | {seconds * best[-1]:,.0f} (bar {bar:,}) |")


if __name__ == "__main__":
    main()
