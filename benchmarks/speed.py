"""Time and memory of a whole `micrographia defects` run on one 512 × 512 pair with 7,700 sites, cold and warm.

Cold: an empty kernel cache. Warm: the same command again. The command runs as a process of its own, start-up included.
Beside it, in the same run, a plain blob finder on one channel (it finds columns and decides nothing), so that the ratio
holds on other machines. Uses the real pair when it is there, else a simulated one of the same size.

Run:  python benchmarks/speed.py [--repeats 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from skimage.feature import blob_log

from micrographia.read import read
from micrographia.report.scan_file import write_micrograph
from micrographia.simulate import Probe, host, monolayer, simulate_scan

CLI = "from micrographia.cli import main; main()"


def run(arguments: list[str], cache: Path) -> tuple[float, float]:
    """Run the command line; return seconds and peak resident memory [GB]."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", CLI, *arguments],
        env={**os.environ, "MICROGRAPHIA_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"micrographia {' '.join(arguments)} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1e6


def pair(folder: Path) -> list[Path]:
    """Return the files of a real pair, or of a simulated one of the same size."""
    real = Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")) / "stem-wse2-ti" / "field02"
    if real.is_dir():
        return [real / "adf1.dm4", real / "adf2.dm4"]
    rng = np.random.default_rng(0)
    size = 512 * 0.388
    specimen = monolayer(host("WSe2"), width_A=size, height_A=size, fractions={"V_X": 0.04}, rng=rng)
    files = []
    for k, angles in enumerate(((60.0, 200.0), (30.0, 60.0))):
        scan = simulate_scan(
            specimen,
            Probe(energy_kev=80.0, convergence_mrad=25.0),
            collection_mrad=(angles,),
            pixel_size_nm=0.0388,
            source_sigma_nm=0.04,
            dose_e_per_A2=1e5,
            rng=rng,
        )
        files.append(folder / f"adf{k + 1}.hspy")
        write_micrograph(scan, files[-1])
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = pair(folder)
        arguments = [
            "defects",
            *map(str, files),
            "--channels",
            "--host",
            "WSe2",
            "--dopant",
            "Ti",
            "--energy-kev",
            "80",
        ]
        frame = read(files[0]).frames[0].astype(float)
        run([*arguments, "--out", str(folder / "compile")], folder / "compile-cache")
        results: dict[str, list[tuple[float, float]]] = {"cold kernel cache": [], "warm kernel cache": []}
        peer = []
        for k in range(repeats):
            cache = folder / f"cache{k}"
            results["cold kernel cache"].append(run([*arguments, "--out", str(folder / f"a{k}")], cache))
            results["warm kernel cache"].append(run([*arguments, "--out", str(folder / f"b{k}")], cache))
            start = time.perf_counter()
            blob_log(frame / frame.max(), min_sigma=1, max_sigma=2.5, num_sigma=8, threshold=0.02)
            peer.append(time.perf_counter() - start)
    blob = statistics.median(peer)
    print(f"{files[0].parent}: {frame.shape[0]} × {frame.shape[1]} px, two channels; median of {repeats}")
    print("| run | seconds | peak memory / GB | over blob_log on one channel |\n|---|---|---|---|")
    for label, values in results.items():
        seconds, memory = statistics.median(v[0] for v in values), max(v[1] for v in values)
        print(f"| {label} | {seconds:.1f} | {memory:.2f} | {seconds / blob:.1f} |")
    print(f"| blob_log, one channel, no decision | {blob:.1f} | – | 1.0 |")


if __name__ == "__main__":
    main()
