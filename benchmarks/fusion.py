"""Encoders beside each other on tiles of real micrographs: what a linear and a kernel classifier make of their vectors.

Tasks are those of `benchmarks/qualification.py`, and telling the materials apart; classifiers learn from tiles of some
specimens and are scored on tiles of the others, five draws of both. Robustness: the same classifiers on worse copies of
the tiles they are scored on. Of a fused encoder with language, what language added is also blanked, and given to other
tiles, in learning and in scoring.

Run:  python benchmarks/fusion.py --data ../shared/data --encoder efficientnet-lite0 --encoder fusion:FILE
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from micrographia.embed.cache import cached_embeddings
from micrographia.embed.choose import load_embedder
from micrographia.embed.encoder import Encoder
from qualification import TASKS, Tile

SEEDS = 5
MOST_TILES = 300
MATERIAL_TILES = 100
CLASSIFIERS = {
    "linear": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced")
    ),
    "SVM": lambda: make_pipeline(StandardScaler(), SVC(C=3.0, class_weight="balanced")),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Tiles with their classes and specimens."""

    name: str
    frames: list[np.ndarray]
    classes: np.ndarray
    specimens: np.ndarray


def task_of(name: str, tiles: list[Tile], rng: np.random.Generator) -> Task:
    """Return a task of two classes; tiles between the 40th and the 60th percentile of the value are left out."""
    value = np.array([t.value for t in tiles])
    low, high = (-0.5, -0.5) if set(value) == {0.0, -1.0} else np.quantile(value, [0.4, 0.6])
    clear = [t for t in tiles if t.value < low or t.value > high]
    kept = [clear[k] for k in rng.permutation(len(clear))[:MOST_TILES]]
    return Task(
        name=name,
        frames=[t.frame for t in kept],
        classes=np.array([int(t.value > high) for t in kept]),
        specimens=np.array([t.specimen for t in kept]),
    )


def tasks(data: Path) -> Iterator[Task]:
    rng = np.random.default_rng(0)
    frames, materials, specimens = [], [], []
    for k, (name, make) in enumerate(TASKS.items()):
        tiles = make(data)
        yield task_of(name, tiles, rng)
        for one in rng.permutation(len(tiles))[:MATERIAL_TILES]:
            frames.append(tiles[one].frame[:128, :128])
            materials.append(k)
            specimens.append(f"{name}: {tiles[one].specimen}")
    yield Task(name="material", frames=frames, classes=np.array(materials), specimens=np.array(specimens))


def splits(task: Task) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return rows to learn from and rows to score on: no specimen on both sides, every class on both."""
    names, made = np.unique(task.specimens), 0
    for seed in range(500):
        learned = np.isin(task.specimens, np.random.default_rng(seed).permutation(names)[: (len(names) + 1) // 2])
        sides = [np.bincount(task.classes[side], minlength=task.classes.max() + 1) for side in (learned, ~learned)]
        if min(side.min() for side in sides) >= 4:
            yield np.flatnonzero(learned), np.flatnonzero(~learned)
            made += 1
        if made == SEEDS:
            return


def scaled(frame: np.ndarray) -> np.ndarray:
    low, high = frame.min(), frame.max()
    return (frame.astype(np.float64) - low) / (high - low)


def counted(frame: np.ndarray) -> np.ndarray:
    """Return a frame with counting noise that leaves a signal-to-noise ratio of 3: spread over root mean square."""
    grey = scaled(frame)
    dose = grey.mean() * 9 / grey.var()
    return np.random.default_rng(0).poisson(grey * dose) / dose


def coarser(frame: np.ndarray) -> np.ndarray:
    height, width = (n // 2 * 2 for n in frame.shape)
    half = frame[:height, :width].astype(np.float64).reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return ndimage.zoom(half, 2, order=1)


WORSE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "contrast × 0.5": lambda f: 0.25 + 0.5 * scaled(f),
    "contrast × 2": lambda f: np.clip(2 * scaled(f) - 0.5, 0, 1),
    "gamma 0.5": lambda f: scaled(f) ** 0.5,
    "gamma 2": lambda f: scaled(f) ** 2,
    "noise, SNR 3": counted,
    "blur, 1.5 px": lambda f: ndimage.gaussian_filter(f.astype(np.float64), 1.5),
    "half resolution": coarser,
}


def vectors(encoder: Encoder, frames: list[np.ndarray]) -> np.ndarray:
    return np.stack([e.whole for e in cached_embeddings(encoder, frames)]).astype(np.float64)


def with_language(encoder: Encoder, found: np.ndarray, how: str) -> np.ndarray | None:
    """Return vectors in which what language added is blank or another tile's; None where there is no language."""
    plan = getattr(encoder, "plan", None)
    if plan is None or not plan.language:
        return None
    part = slice(len(plan.blocks) * plan.width, (len(plan.blocks) + 1) * plan.width)
    changed = found.copy()
    changed[:, part] = 0 if how == "blank" else found[np.random.default_rng(1).permutation(len(found)), part]
    return changed


def scores(task: Task, found: np.ndarray, kind: str, worse: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Return balanced accuracies, one a draw, on tiles as they are and on worse copies."""
    made: dict[str, list[float]] = {}
    for learned, scored in splits(task):
        model = CLASSIFIERS[kind]().fit(found[learned], task.classes[learned])
        for name, seen in {"as they are": found, **worse}.items():
            score = balanced_accuracy_score(task.classes[scored], model.predict(seen[scored]))
            made.setdefault(name, []).append(100 * float(score))
    return made


def rate(encoder: Encoder, batch: int) -> float:
    frames = [np.random.default_rng(k).normal(size=(256, 256)) for k in range(16)]
    list(encoder.embed_images(frames[:1]))
    start = time.perf_counter()
    for k in range(0, 16, batch):
        list(encoder.embed_images(frames[k : k + batch], batch=batch))
    return 16 / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--encoder", action="append", required=True)
    parser.add_argument("--robustness", action="store_true")
    options = parser.parse_args()
    all_tasks = list(tasks(options.data))
    heads = ["encoder", "classifier", *(t.name for t in all_tasks), "mean"]
    rows, drops = [], []
    for name in options.encoder:
        encoder = load_embedder(name)
        found = [vectors(encoder, task.frames) for task in all_tasks]
        worse: list[dict[str, np.ndarray]] = [{} for _ in all_tasks]
        if options.robustness:
            worse = [
                {w: vectors(encoder, [make(f) for f in task.frames]) for w, make in WORSE.items()} for task in all_tasks
            ]
        for kind in CLASSIFIERS:
            made = [scores(t, v, kind, w) for t, v, w in zip(all_tasks, found, worse, strict=True)]
            rows.append(row(name, kind, [m["as they are"] for m in made]))
            if options.robustness:
                lost = [np.mean([np.mean(m["as they are"]) - np.mean(m[w]) for m in made]) for w in WORSE]
                drops.append(f"| {name} | {kind} | {' | '.join(f'{d:.1f}' for d in lost)} | {np.mean(lost):.1f} |")
        for how in ("shuffled", "blank"):
            changed = [with_language(encoder, v, how) for v in found]
            if all(c is not None for c in changed):
                made = [scores(t, c, "linear", {}) for t, c in zip(all_tasks, changed, strict=True) if c is not None]
                rows.append(row(f"{name}, language {how}", "linear", [m["as they are"] for m in made]))
    print("Balanced accuracy [%], mean over five splits by specimen ± standard deviation over the splits:\n")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    print("\n".join(rows))
    if drops:
        print("\nWhat is lost on worse tiles [points], mean over the tasks:\n")
        print(f"| encoder | classifier | {' | '.join(WORSE)} | mean |\n|{'---|' * (len(WORSE) + 3)}")
        print("\n".join(drops))
    print("\n| encoder | images/s, one at a time | sixteen at a time |\n|---|---|---|")
    for name in options.encoder:
        encoder = load_embedder(name)
        print(f"| {name} | {rate(encoder, 1):.1f} | {rate(encoder, 16):.1f} |")


def row(name: str, kind: str, made: list[list[float]]) -> str:
    cells = [f"{np.mean(m):.1f} ± {np.std(m):.1f}" for m in made]
    whole = np.mean(made, axis=0)
    return f"| {name} | {kind} | {' | '.join(cells)} | {whole.mean():.1f} ± {whole.std():.1f} |"


if __name__ == "__main__":
    main()
