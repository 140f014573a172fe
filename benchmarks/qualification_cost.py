"""What a verdict costs with 10,000 references: time after embedding, and memory.

The embeddings are random, of the length of the packaged encoder's, a tenth of their numbers shifted between the sides.

Run:  python benchmarks/qualification_cost.py
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from micrographia.qualify.calibrated import calibrate
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.evidence import Known, Seen, View
from micrographia.qualify.verdict import decide, make_ready

DIMENSION = 4096
SAMPLES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, nargs="*", default=[40, 400, 10_000])
    given = parser.parse_args()
    criterion = Criterion(id="c", title="c", accept_texts=(), reject_texts=())
    views = (View(encoder="random", modality="image"),)
    print("| references | made ready [s] | a verdict [s] | peak memory of the process [GB] |\n|---|---|---|---|")
    for count in given.references:
        rng = np.random.default_rng(count)
        accepted = np.arange(count) % 2 == 0
        vectors = rng.standard_normal((count, DIMENSION), dtype=np.float32)
        vectors[:, : DIMENSION // 10] += np.where(accepted, 0.1, -0.1)[:, None].astype(np.float32)
        known = Known(
            ids=tuple(map(str, range(count))),
            accepted=accepted,
            specimens=np.arange(count),
            images=(vectors,),
            nets=(),
        )
        start = time.perf_counter()
        ready = make_ready(criterion, views, known, calibrated=calibrate(known), alpha=0.05)
        _ = known.neighbours
        prepared = time.perf_counter() - start
        times = []
        for _ in range(SAMPLES):
            sample = Seen(images=(rng.standard_normal((1, DIMENSION)),), nets=())
            start = time.perf_counter()
            decide(sample, ready)
            times.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"| {count} | {prepared:.2f} | {np.median(times):.3f} | {peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
