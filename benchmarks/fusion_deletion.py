"""Whether it hurts an encoder more to lose the patches that are named important than to lose others.

A linear classifier learns from the vectors of tiles of some specimens, five splits. On tiles of the others a quarter of
the patches is set to the mean grey of the tile: those that the evidence for the most probable class names most
important, or attention, where an encoder has some; random ones; those that the evidence names least. What counts is how
far the log-odds of that class fall.

Run:  python benchmarks/fusion_deletion.py --data ../shared/data --encoder fusion
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from fusion import CLASSIFIERS, Task, splits, tasks
from micrographia.embed.choose import load_embedder
from micrographia.embed.encoder import Encoder
from qualification import TASKS

SHARE = 0.25
PATCH_PX = 16
MOST = 24
RANDOM_DRAWS = 4
RESAMPLED = 2000


def middles(task: Task) -> list[np.ndarray]:
    """Return the middle of each tile, in multiples of 64 px up to 256 px."""
    side = min(256, min(task.frames[0].shape) // 64 * 64)
    cut = [(np.array(f.shape) - side) // 2 for f in task.frames]
    return [f[t : t + side, x : x + side] for f, (t, x) in zip(task.frames, cut, strict=True)]


def vectors(encoder: Encoder, frames: list[np.ndarray]) -> np.ndarray:
    return np.stack([e.whole for e in encoder.embed_images(frames, batch=16)]).astype(np.float64)


def without(encoder: Encoder, frames: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Return vectors of images without the patches that come first in an order (image, patch)."""
    count = round(SHARE * order.shape[1])
    hidden = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(hidden, order[:, :count], True, axis=1)
    rows = len(frames[0]) // PATCH_PX
    gone = hidden.reshape(len(frames), rows, -1).repeat(PATCH_PX, axis=1).repeat(PATCH_PX, axis=2)
    return vectors(encoder, [np.where(g, f.mean(), f) for g, f in zip(gone, frames, strict=True)])


def slopes(model: Pipeline, vector: np.ndarray, label: int) -> np.ndarray:
    """Return how the log-odds of a class change with the numbers of a vector, by differences of the model's own."""
    scale, linear = model[0], model[1]
    weights = linear.coef_ if len(linear.coef_) > 1 else np.concatenate([np.zeros_like(linear.coef_), linear.coef_])
    others = model.predict_proba(vector[None])[0]
    others[label] = 0
    return np.asarray((weights[label] - others / max(others.sum(), 1e-300) @ weights) / scale.scale_)


def log_odds(model: Pipeline, found: np.ndarray, labels: np.ndarray) -> np.ndarray:
    true = model.predict_log_proba(found)[np.arange(len(labels)), labels]
    return np.asarray(true - np.log1p(-np.minimum(np.exp(true), 1 - 1e-12)))


def lost(encoder: Encoder, task: Task) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the log-odds that each tile loses by each way of choosing patches, and the specimen of each tile."""
    frames = middles(task)
    found = vectors(encoder, frames)
    made: dict[str, list[np.ndarray]] = {}
    specimens = []
    for seed, (learned, scored) in enumerate(splits(task)):
        rng = np.random.default_rng(seed)
        some = rng.permutation(scored)[:MOST]
        model = CLASSIFIERS["linear"]().fit(found[learned], task.classes[learned])
        labels = model.predict(found[some])
        own = [frames[k] for k in some]
        looks = [encoder.read_out(f) for f in own]
        evidence = np.stack(
            [
                encoder.evidence(f, slopes(model, found[k], label)).added.ravel()
                for f, k, label in zip(own, some, labels, strict=True)
            ]
        )
        before = log_odds(model, found[some], labels)

        def fall(
            order: np.ndarray,
            own: list[np.ndarray] = own,
            model: Pipeline = model,
            labels: np.ndarray = labels,
            before: np.ndarray = before,
        ) -> np.ndarray:
            return before - log_odds(model, without(encoder, own, order), labels)

        random = [fall(rng.random(evidence.shape).argsort(axis=1)) for _ in range(RANDOM_DRAWS)]
        made.setdefault("random", []).append(np.mean(random, axis=0))
        made.setdefault("most evidence for", []).append(fall((-evidence).argsort(axis=1)))
        made.setdefault("most evidence against", []).append(fall(evidence.argsort(axis=1)))
        if looks[0] is not None:
            attention = np.stack([one.patches.ravel() for one in looks])
            made.setdefault("most attended", []).append(fall((-attention).argsort(axis=1)))
        specimens += list(task.specimens[some])
    return {name: np.concatenate(parts) for name, parts in made.items()}, np.array(specimens)


def interval(values: np.ndarray, specimens: np.ndarray) -> str:
    """Return the mean with its 95 % interval, by drawing specimens anew with replacement."""
    names = np.unique(specimens)
    sums, counts = (np.array([f(values[specimens == n]) for n in names]) for f in (np.sum, len))
    drawn = np.random.default_rng(0).integers(len(names), size=(RESAMPLED, len(names)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return f"{values.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--encoder", default="fusion")
    options = parser.parse_args()
    encoder = load_embedder(options.encoder)
    print(
        f"{options.encoder}: log-odds of the most probable class lost with {SHARE:.0%} of the patches [nats]; 95 % by"
    )
    print("specimen:\n")
    heads = None
    for task in tasks({name: make(options.data) for name, make in TASKS.items()}):
        fell, specimens = lost(encoder, task)
        random = fell.pop("random")
        if heads is None:
            heads = ["task", "random", *(f"{name}, less random" for name in fell)]
            print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
        more = [interval(value - random, specimens) for value in fell.values()]
        print(f"| {task.name} | {random.mean():.2f} | {' | '.join(more)} |", flush=True)


if __name__ == "__main__":
    main()
