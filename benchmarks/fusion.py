"""Encoders beside each other on tiles of real micrographs, and what a fused encoder owes to each of its parts.

Tasks are those of `benchmarks/qualification.py`, and telling the materials apart. Classifiers, linear and kernel, learn
from tiles of some specimens and are scored on tiles of the others, five draws of both; few-shot qualification by 4 and
16 references of either side, twenty draws in five groups. Robustness: the same classifiers on worse copies of the tiles
they are scored on. Of a fused encoder with language, what language added is also blanked, and given to other tiles, in
learning and in scoring. The packaged encoder looks at each image at two magnifications; it is shown with one, too.

Run:  python benchmarks/fusion.py --data ../shared/data --encoder efficientnet-lite0 --encoder fusion --robustness
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import qualification
from micrographia.embed.cache import cached_embeddings
from micrographia.embed.choose import DEFAULT_SEES, load_embedder
from micrographia.embed.encoder import Encoder
from micrographia.embed.fusion.summary import parts_of
from micrographia.segment.network.encoder import load_packaged
from qualification import TASKS, Tile

SEEDS = 5
SHOTS = (4, 16)
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


def tasks(tiles_of: dict[str, list[Tile]]) -> Iterator[Task]:
    rng = np.random.default_rng(0)
    frames, materials, specimens = [], [], []
    for k, (name, tiles) in enumerate(tiles_of.items()):
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """What an encoder makes of the tiles of each task, and of all tiles for few-shot qualification."""

    name: str
    found: list[np.ndarray]
    worse: list[dict[str, np.ndarray]]
    few: list[qualification.Task]

    def changed(self, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Row:
        """Return the row of other vectors."""
        return Row(
            name=name,
            found=[change(v) for v in self.found],
            worse=[{w: change(v) for w, v in kinds.items()} for kinds in self.worse],
            few=[replace(task, wholes=change(task.wholes)) for task in self.few],
        )


def row_of(name: str, all_tasks: list[Task], tiles: dict[str, list[Tile]], *, robustness: bool) -> Row:
    encoder = load_embedder(name)
    worse = WORSE if robustness else {}
    return Row(
        name=name,
        found=[vectors(encoder, task.frames) for task in all_tasks],
        worse=[{w: vectors(encoder, [make(f) for f in t.frames]) for w, make in worse.items()} for t in all_tasks],
        few=[qualification.task_of(tiles[task], encoder) for task in TASKS],
    )


def vectors(encoder: Encoder, frames: list[np.ndarray]) -> np.ndarray:
    return np.stack([e.whole for e in cached_embeddings(encoder, frames)]).astype(np.float64)


def variants(row: Row) -> Iterator[Row]:
    """Return a row, and what it is without a part of its vectors."""
    yield row
    if row.name == DEFAULT_SEES:
        yield row.changed(f"{row.name}, one magnification", lambda v: v[:, : v.shape[1] // 2])
    plan = getattr(load_embedder(row.name), "plan", None)
    if plan is None:
        return
    parts = parts_of(plan)
    for name, part in {
        "statistics of the stem's maps only": parts.statistics,
        "relations only": parts.relations,
        "patches only": parts.patches,
        "fused vectors only": parts.fused,
    }.items():
        if part.stop > part.start:
            yield row.changed(f"{row.name}, {name}", lambda v, part=part: v[:, part])
    if plan.fused:
        yield row.changed(f"{row.name}, without relations", lambda v: np.delete(v, parts.relations, axis=1))
        yield row.changed(f"{row.name}, without what is fused", lambda v: v[:, parts.statistics.start :])
    if plan.language:
        part = slice(len(plan.blocks) * plan.width, (len(plan.blocks) + 1) * plan.width)

        def shuffled(found: np.ndarray) -> np.ndarray:
            other = found.copy()
            other[:, part] = found[np.random.default_rng(1).permutation(len(found)), part]
            return other

        def blank(found: np.ndarray) -> np.ndarray:
            other = found.copy()
            other[:, part] = 0
            return other

        yield row.changed(f"{row.name}, language shuffled", shuffled)
        yield row.changed(f"{row.name}, language blank", blank)


def scores(task: Task, found: np.ndarray, kind: str, worse: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Return balanced accuracies, one a draw, on tiles as they are and on worse copies."""
    made: dict[str, list[float]] = {}
    for learned, scored in splits(task):
        model = CLASSIFIERS[kind]().fit(found[learned], task.classes[learned])
        for name, seen in {"as they are": found, **worse}.items():
            score = balanced_accuracy_score(task.classes[scored], model.predict(seen[scored]))
            made.setdefault(name, []).append(100 * float(score))
    return made


def few_shot(task: qualification.Task) -> list[float]:
    """Return the area under the ROC curve [%] of our score, mean over 4 and 16 references, of five groups of draws."""
    means = []
    for shots in SHOTS:
        got = [
            roc_auc_score(task.accepted[q], qualification.ours(task, r, q)) for r, q in qualification.draws(task, shots)
        ]
        means.append([100 * float(np.mean(got[k::SEEDS])) for k in range(SEEDS)])
    return np.mean(means, axis=0).tolist()


def rates(encoder: str) -> list[str]:
    """Return images of 256 px a second, one and sixteen at a time."""
    loaded = load_embedder(encoder)
    frames = [np.random.default_rng(k).normal(size=(256, 256)) for k in range(16)]

    def embed(batch: int) -> None:
        for k in range(0, 16, batch):
            list(loaded.embed_images(frames[k : k + batch], batch=batch))

    return [rate(lambda batch=batch: embed(batch)) for batch in (1, 16)]


def bare_rates() -> list[str]:
    network = load_packaged().eval()

    @torch.inference_mode()
    def see(batch: int) -> None:
        for _ in range(0, 16, batch):
            network(torch.zeros(batch, 1, 256, 256))

    return [rate(lambda batch=batch: see(batch)) for batch in (1, 16)]


def rate(work: Callable[[], None]) -> str:
    work()
    start = time.perf_counter()
    work()
    return f"{16 / (time.perf_counter() - start):.1f}"


def parameters(encoder: str) -> str:
    network = getattr(load_embedder(encoder), "_network", None)
    return "–" if network is None else f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f}"


def cells(made: list[list[float]]) -> list[str]:
    return [f"{np.mean(m):.1f} ± {np.std(m):.1f}" for m in made]


def ends(made: list[list[float]], first: dict[str, np.ndarray], kind: str) -> list[str]:
    """Return the mean over tasks, and how far it is from the first encoder's: paired, draw by draw."""
    whole = np.mean(made, axis=0)
    less = whole - first.setdefault(kind, whole)
    return [f"{whole.mean():.1f} ± {whole.std():.1f}", f"{less.mean():+.1f} ± {less.std():.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--encoder", action="append", required=True)
    parser.add_argument("--robustness", action="store_true")
    options = parser.parse_args()
    tiles = {name: make(options.data) for name, make in TASKS.items()}
    all_tasks = list(tasks(tiles))
    heads = ["encoder", "classifier", *(t.name for t in all_tasks), "mean", "less the first"]
    print("Balanced accuracy of tiles [%], mean over five splits by specimen ± standard deviation:\n")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    first: dict[str, np.ndarray] = {}
    drops, few = [], []
    for name in options.encoder:
        for row in variants(row_of(name, all_tasks, tiles, robustness=options.robustness)):
            for kind in CLASSIFIERS:
                made = [scores(t, v, kind, w) for t, v, w in zip(all_tasks, row.found, row.worse, strict=True)]
                own = [m["as they are"] for m in made]
                print(f"| {' | '.join([row.name, kind, *cells(own), *ends(own, first, kind)])} |", flush=True)
                if options.robustness:
                    lost = [np.mean([np.mean(m["as they are"]) - np.mean(m[w]) for m in made]) for w in WORSE]
                    drops.append([row.name, kind, *(f"{d:.1f}" for d in lost), f"{np.mean(lost):.1f}"])
            shots = [few_shot(task) for task in row.few]
            few.append([row.name, *cells(shots), *ends(shots, first, "few-shot")])
    print(
        f"\nFew-shot qualification, AUROC [%] of our score, mean over {SHOTS[0]} and {SHOTS[1]} references of either "
    )
    print("side, 20 draws in five groups ± standard deviation over the groups:\n")
    print(f"| encoder | {' | '.join(TASKS)} | mean | less the first |\n|{'---|' * (len(TASKS) + 3)}")
    print("\n".join(f"| {' | '.join(line)} |" for line in few))
    if drops:
        print("\nWhat is lost on worse tiles [points], mean over the tasks:\n")
        print(f"| encoder | classifier | {' | '.join(WORSE)} | mean |\n|{'---|' * (len(WORSE) + 3)}")
        print("\n".join(f"| {' | '.join(line)} |" for line in drops))
    threads = torch.get_num_threads()
    print(
        f"\nImages of 256 px a second, {threads} threads; of the bare network without normalising greys or pooling:\n"
    )
    print("| encoder | parameters [million] | one at a time | sixteen at a time |\n|---|---|---|---|")
    for name in options.encoder:
        print(f"| {name} | {parameters(name)} | {' | '.join(rates(name))} |")
    print(
        f"| {DEFAULT_SEES}, bare network, one magnification | {parameters(DEFAULT_SEES)} | {' | '.join(bare_rates())} |"
    )


if __name__ == "__main__":
    main()
