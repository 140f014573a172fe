"""What a verdict costs with 10,000 references: time after embedding, and memory.

The embeddings are random, of the length of the packaged encoder's, a tenth of their numbers shifted between the sides;
patches, which join up to 200 references, are too.

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
from micrographia.qualify.prepare import MOST_WITH_PATCHES
from micrographia.qualify.similarity.patches import GRID, patch_bank
from micrographia.qualify.verdict import decide, make_ready

DIMENSION = 4096
OF_PATCHES = 512
SAMPLES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, nargs="*", default=[40, 200, 400, 10_000])
    given = parser.parse_args()
    criterion = Criterion(id="c", title="c", accept_texts=(), reject_texts=())
    print("| references | made ready [s] | a verdict [s] | peak memory of the process [GB] |\n|---|---|---|---|")
    for count in given.references:
        rng = np.random.default_rng(count)
        accepted = np.arange(count) % 2 == 0
        vectors = rng.standard_normal((count, DIMENSION), dtype=np.float32)
        vectors[:, : DIMENSION // 10] += np.where(accepted, 0.1, -0.1)[:, None].astype(np.float32)
        few = count <= MOST_WITH_PATCHES
        patches = rng.standard_normal((count if few else 0, GRID**2, OF_PATCHES), dtype=np.float32)
        start = time.perf_counter()
        known = Known(
            ids=tuple(map(str, range(count))),
            accepted=accepted,
            specimens=np.arange(count),
            images=(vectors,),
            nets=(),
            banks=(patch_bank(patches),) if few else (),
        )
        views = tuple(View(encoder="random", modality=m) for m in (("image", "patches") if few else ("image",)))
        ready = make_ready(criterion, views, known, calibrated=calibrate(known), alpha=0.05)
        _ = known.neighbours
        prepared = time.perf_counter() - start
        times = []
        for _ in range(SAMPLES):
            own = rng.standard_normal((1, GRID**2, OF_PATCHES), dtype=np.float32)
            sample = Seen(images=(rng.standard_normal((1, DIMENSION)),), nets=(), patches=(own,) if few else ())
            start = time.perf_counter()
            decide(sample, ready)
            times.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"| {count} | {prepared:.2f} | {np.median(times):.3f} | {peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
