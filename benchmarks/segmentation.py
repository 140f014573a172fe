"""Few-shot segmentation beside its peers: IoU of every class on images of other fields.

    python benchmarks/segmentation.py --data ../shared/data --results bench-segmentation.jsonl

Trains on the published train split of `sem-ebc` (EBC1) and `sem-superalloy` (Super1), on all of it and on one image,
and scores on its val split; then on superalloy images of one imaging condition, scored on the others. Peers, in the
same run: scikit-image's TrainableSegmenter (random forest), the same network from random weights with everything
learning, and Otsu's thresholds. Five seeds each. Every finished cell is a line of the results file, so that an
interrupted run goes on.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, zoom
from skimage.feature import multiscale_basic_features
from skimage.filters import threshold_multiotsu
from skimage.future import TrainableSegmenter
from sklearn.ensemble import RandomForestClassifier

from micrographia.embed.fusion.maps import load_segmenting
from micrographia.learn.segment.shapes import segmentation_loss
from micrographia.learn.segment.train import SegmentSettings, train_segmenter
from micrographia.learn.segment.views import Alterations, draw, orientation_of
from micrographia.segment.labelled import Labelled, TrainingSet, read_training_set
from micrographia.segment.network.encoder import PACKAGED, load_encoder
from micrographia.segment.network.normalise import normalised
from micrographia.segment.network.predict import segment
from micrographia.segment.network.saved import SegmentationModel, load_model, save_model
from micrographia.segment.network.segmenter import Segmenter

SETS = {
    "ebc": ("sem-ebc", "EBC1", ("background", "oxide", "crack"), "032919-10_100cyc0017.png"),
    "superalloy": ("sem-superalloy", "Super1", ("matrix", "secondary", "tertiary"), "spot7_180d_3.png"),
}
ALTERED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half the contrast, brighter": lambda f: 0.5 * f + 90,
    "gamma 2": lambda f: 255 * (f / 255) ** 2,
    "noise of a tenth of the range": lambda f: f + 0.1 * np.ptp(f) * np.random.default_rng(0).standard_normal(f.shape),
    "blur of 1.5 px": lambda f: gaussian(f, 1.5),
    "black and white exchanged": lambda f: 255 - f,
    "half the magnification": lambda f: zoom(gaussian(f, 1.0), 0.5, order=1),
    "twice the magnification": lambda f: zoom(f, 2, order=1),
}
Predict = Callable[[np.ndarray], np.ndarray]


def gaussian(frame: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(gaussian_filter(frame, sigma))


def subset(data: Path, which: str, files: Sequence[str]) -> TrainingSet:
    folder, _, names, _ = SETS[which]
    both = [read_training_set(data / folder / "images" / f, data / folder / "masks" / f, info_bar=False) for f in files]
    return TrainingSet(images=tuple(t.images[0] for t in both), values=(0, 1, 2), names=names)


def model_of(
    training: TrainingSet, seed: int, *, models: Path | None = None, encoder: str = PACKAGED
) -> SegmentationModel:
    """Train as `micrographia segment train` does; a model that an earlier run left in ``models`` is taken up."""
    learned = "".join(([encoder] if encoder != PACKAGED else []) + [i.name for i in training.images]).encode()
    path = None if models is None else models / f"{hashlib.sha256(learned).hexdigest()[:12]}-{seed}.safetensors"
    if path is not None and path.is_file():
        return load_model(path, load=load_segmenting)
    model = train_segmenter(training, settings=SegmentSettings(seed=seed, encoder=encoder), load=load_segmenting)
    if path is not None:
        save_model(model, path)
    return model


def ours(training: TrainingSet, seed: int, *, models: Path | None = None, encoder: str = PACKAGED) -> Predict:
    model = model_of(training, seed, models=models, encoder=encoder)
    return lambda frame: segment(frame, model).mask


def from_scratch(training: TrainingSet, seed: int, *, steps: int = 240, side: int = 384) -> Predict:
    """Train the same network, encoder and all, from random weights: nothing is frozen or learned beforehand."""
    torch.manual_seed(seed)
    network = Segmenter(load_encoder(PACKAGED, trained=False), classes=len(training.values), frozen=False)
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps, pct_start=0.15)
    share, loss_of = training.share, segmentation_loss(training.share)
    orientation = orientation_of(training)
    for step in range(steps):
        rng = np.random.default_rng([seed, step])
        images, masks = [], []
        for _ in range(2):
            drawn = draw(
                training.images[int(rng.integers(len(training.images)))],
                classes=len(share),
                multiple_px=64,
                orientation=orientation,
                alterations=Alterations(),
                rng=rng,
            )
            image, mask = drawn
            present = [k for k in range(len(share)) if (mask == k).any()]
            at = rng.choice(np.flatnonzero(mask.numpy() == rng.choice(present)))
            centre = np.array(divmod(int(at), mask.shape[-1])) - side * rng.uniform(0.1, 0.9, 2)
            top, left = (int(np.clip(c, 0, n - side)) for c, n in zip(centre, mask.shape[-2:], strict=True))
            images.append(image[..., top : top + side, left : left + side])
            masks.append(mask[..., top : top + side, left : left + side])
        mask = torch.cat(masks)
        logits = network(torch.cat(images).to(memory_format=torch.channels_last))
        loss = loss_of(logits, mask)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    network.eval()

    def predict(frame: np.ndarray) -> np.ndarray:
        grey = torch.from_numpy(normalised(frame))[None, None]
        with torch.no_grad():
            p = network(grey).softmax(1) + network(grey.flip(-1)).softmax(1).flip(-1)
        return p.argmax(1)[0].numpy()

    return predict


def forest(training: TrainingSet, seed: int) -> Predict:
    """scikit-image's TrainableSegmenter on its multiscale features, all images one below the other."""
    features = partial(multiscale_basic_features, intensity=True, edges=True, texture=True, sigma_min=1, sigma_max=16)
    clf = RandomForestClassifier(n_estimators=50, max_depth=10, max_samples=0.05, n_jobs=1, random_state=seed)
    segmenter = TrainableSegmenter(clf=clf, features_func=features)
    frames = np.concatenate([normalised(i.frame) for i in training.images])
    segmenter.fit(frames, np.concatenate([i.mask for i in training.images]).astype(np.int64) + 1)
    return lambda frame: np.asarray(segmenter.predict(normalised(frame))) - 1


def otsu(training: TrainingSet, seed: int) -> Predict:
    """Two thresholds by Otsu; each grey range is the class that most of it is in the training images."""
    votes = np.zeros((3, 3))
    for image in training.images:
        ranges = np.digitize(image.frame, threshold_multiotsu(image.frame, 3))
        for k in range(3):
            votes[k] += np.bincount(image.mask[ranges == k], minlength=3)[:3]
    place = votes.argmax(axis=1)
    return lambda frame: place[np.digitize(frame, threshold_multiotsu(frame, 3))]


METHODS = {
    "micrographia": ours,
    "random weights": from_scratch,
    "random forest": forest,
    "multi-Otsu": otsu,
}


def iou(
    predict: Predict, images: Sequence[Labelled], alter: Callable[[np.ndarray], np.ndarray] | None = None
) -> list[float]:
    """Intersection over union of each class, all pixels of all images together."""
    both, either = np.zeros(3), np.zeros(3)
    for image in images:
        frame = image.frame if alter is None else alter(image.frame).astype(np.float32)
        found = predict(frame)
        if found.shape != image.mask.shape:  # scored at the magnification of the mask
            found = zoom(found, np.divide(image.mask.shape, found.shape), order=0)
        for k in range(3):
            both[k] += ((found == k) & (image.mask == k)).sum()
            either[k] += ((found == k) | (image.mask == k)).sum()
    return [round(float(v), 4) for v in both / either]


def cells(data: Path) -> list[tuple[str, str, list[str], dict[str, list[str]]]]:
    """Set, name of the training, training files, and the files of each test."""
    out = []
    for which, (folder, benchmark, _, single) in SETS.items():
        with (data / folder / "splits.csv").open() as file:
            rows = [r for r in csv.DictReader(file) if r["benchmark"] == benchmark]
        train = [r["file"] for r in rows if r["split"] == "train"]
        val = [r["file"] for r in rows if r["split"] == "val"]
        out += [(which, "all", train, {"val": val}), (which, "one", [single], {"val": val})]
        if which == "superalloy":
            files = sorted({*train, *val})
            tests = {"0d": [f for f in files if "_0d_" in f], "180d": [f for f in files if "_180d_" in f]}
            out.append((which, "180d to 0d", [f for f in train if "_180d_" in f], {"0d": tests["0d"]}))
            out.append((which, "0d to 180d", [f for f in train if "_0d_" in f], {"180d": tests["180d"]}))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--results", type=Path, default=Path("bench-segmentation.jsonl"))
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--trainings", nargs="*", default=None)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--models", type=Path, help="folder to keep our models in")
    parser.add_argument("--fused", metavar="NAME", help="fusion or fusion:FILE; adds the method fused encoder")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    methods = {**METHODS, "micrographia": partial(ours, models=args.models)}
    if args.fused:
        methods["fused encoder"] = partial(ours, models=args.models, encoder=args.fused)
        args.methods.append("fused encoder")
    done = set()
    if args.results.is_file():
        done = {(r["set"], r["training"], r["method"], r["seed"]) for r in map(json.loads, args.results.open())}
    for seed in args.seeds:
        for which, name, files, tests in cells(args.data):
            for method in args.methods:
                if which not in args.sets or (args.trainings and name not in args.trainings):
                    continue
                if (which, name, method, seed) in done or (method == "multi-Otsu" and seed):
                    continue
                began = time.perf_counter()
                predict = methods[method](subset(args.data, which, files), seed)
                trained = time.perf_counter() - began
                row = {"set": which, "training": name, "method": method, "seed": seed, "train_s": round(trained, 1)}
                for test, images in tests.items():
                    scored = subset(args.data, which, images).images
                    row[test] = iou(predict, scored)
                    if name == "one" and which == "superalloy":
                        row |= {kind: iou(predict, scored, alter) for kind, alter in ALTERED.items()}
                with args.results.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)
    print(table(args.results))


def table(results: Path) -> str:
    """Mean and standard deviation over seeds, Markdown."""
    rows: dict[tuple[str, str, str, str], list[list[float]]] = {}
    for r in map(json.loads, results.open()):
        for test, scores in r.items():
            if isinstance(scores, list):
                rows.setdefault((r["set"], r["training"], test, r["method"]), []).append(scores)
    lines = [
        "| set | learned from | scored on | method | seeds | class 0 | class 1 | class 2 | mean |",
        "|" + "---|" * 9,
    ]
    for (which, training, test, method), scores in sorted(rows.items()):
        s = np.array(scores)
        cell = [f"{m:.3f} ± {d:.3f}" for m, d in zip(s.mean(0), s.std(0, ddof=min(1, len(s) - 1)), strict=True)]
        lines.append(f"| {which} | {training} | {test} | {method} | {len(s)} | {' | '.join(cell)} | {s.mean():.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
