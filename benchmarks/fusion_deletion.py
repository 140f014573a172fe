"""Whether it hurts a fused encoder more to lose the patches that it looked at most than to lose others.

A linear classifier learns from the vectors of tiles of some specimens. On tiles of the others a share of the patches is
set to the mean grey: those that the read-out names most important, random ones, or those it names least. What counts is
how far the log-odds of the true class fall, and how far the vector moves.

Run:  python benchmarks/fusion_deletion.py --data ../shared/data --encoder FILE
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from fusion import CLASSIFIERS, Task, splits, tasks
from micrographia.embed.fusion.encoder import WINDOW_PX
from micrographia.embed.fusion.looks import looked_at
from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.saved import read_fusion
from micrographia.embed.fusion.summary import summary
from micrographia.segment.network.normalise import normalised
from qualification import TASKS

SHARES = (0.1, 0.25, 0.5)
MOST = 120
RANDOM_DRAWS = 4


def greys(task: Task) -> torch.Tensor:
    """Return the middle of each tile, in multiples of 64 px up to a window."""
    side = min(WINDOW_PX, min(task.frames[0].shape) // 64 * 64)
    cut = [(np.array(f.shape) - side) // 2 for f in task.frames]
    middles = [f[t : t + side, x : x + side] for f, (t, x) in zip(task.frames, cut, strict=True)]
    return torch.from_numpy(np.stack([normalised(m) for m in middles]))[:, None]


@torch.inference_mode()
def looked(network: FusionNetwork, images: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    vectors, looks = [], []
    for part in images.split(16):
        fused = network(part)
        vectors.append(summary(fused))
        looks.append(looked_at(fused))
    return torch.cat(vectors).numpy().astype(np.float64), torch.cat(looks)


@torch.inference_mode()
def without(network: FusionNetwork, images: torch.Tensor, order: torch.Tensor, share: float) -> np.ndarray:
    """Return vectors of images without the patches that come first in an order (image, patch)."""
    count = round(share * order.shape[1])
    hidden = torch.zeros(order.shape, dtype=torch.bool).scatter(1, order[:, :count], True)
    rows = images.shape[2] // network.plan.patch_px[-1]
    parts = zip(images.split(16), hidden.reshape(len(images), rows, -1).split(16), strict=True)
    return torch.cat([summary(network(image, gone)) for image, gone in parts]).numpy().astype(np.float64)


def orders(looks: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    flat = looks.flatten(1)
    random = [torch.rand(flat.shape, generator=torch.Generator().manual_seed(k)) for k in range(RANDOM_DRAWS)]
    return {
        "most": [flat.argsort(dim=1, descending=True)],
        "random": [r.argsort(dim=1) for r in random],
        "least": [flat.argsort(dim=1)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--encoder", type=Path, required=True)
    options = parser.parse_args()
    network, _ = read_fusion(options.encoder)
    print(
        "| task | patches lost | log-odds lost: most looked at | random | least | most less random | "
        "vector moved: most | random |"
    )
    print("|" + "---|" * 8)
    for task in tasks({name: make(options.data) for name, make in TASKS.items()}):
        images = greys(task)
        vectors, looks = looked(network, images)
        learned, scored = next(splits(task))
        scored = np.random.default_rng(0).permutation(scored)[:MOST]
        model = CLASSIFIERS["linear"]().fit(vectors[learned], task.classes[learned])
        ways = orders(looks[scored])
        before = log_odds(model, vectors[scored], task.classes[scored])
        for share in SHARES:
            lost, moved = {}, {}
            for way, some in ways.items():
                after = [without(network, images[scored], order, share) for order in some]
                lost[way] = np.mean([before - log_odds(model, a, task.classes[scored]) for a in after], axis=0)
                moved[way] = np.mean([np.linalg.norm(a - vectors[scored], axis=1) for a in after], axis=0)
            more = lost["most"] - lost["random"]
            cells = [f"{v.mean():.2f}" for v in lost.values()]
            error = f"{more.mean():+.2f} ± {1.96 * more.std(ddof=1) / len(more) ** 0.5:.2f}"
            far = [f"{moved[way].mean():.1f}" for way in ("most", "random")]
            print(f"| {task.name} | {share:.0%} | {' | '.join(cells)} | {error} | {' | '.join(far)} |", flush=True)


def log_odds(model: Pipeline, vectors: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the log-odds of the true class of each vector."""
    log_p = model.predict_log_proba(vectors)
    true = log_p[np.arange(len(classes)), classes]
    return true - np.log1p(-np.minimum(np.exp(true), 1 - 1e-12))


if __name__ == "__main__":
    main()
