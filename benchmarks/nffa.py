"""Ten classes of scanning electron micrographs (NFFA-EUROPE), by frozen encoders with a linear model or an SVM on top.

The set is downloaded by the user (Aversa et al. 2018, 10.1038/sdata.2018.172): a folder of images for each of ten
classes. The first run writes `nffa-manifest.csv` beside them with the SHA-256 of every file; later runs refuse a
download that differs. Images nearly the same, by a hash of their gradients, are never on both sides of a split.

    python benchmarks/nffa.py --data ../nffa --encoder efficientnet-lite0 --encoder dinov2:facebook/dinov2-small
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.svm import SVC

from micrographia.embed.choose import load_embedder
from micrographia.errors import InputError
from micrographia.learn.classifier.folds import folds_of
from micrographia.learn.classifier.images import LabelledFiles, embed_files, labelled_files
from micrographia.learn.classifier.logistic import balanced_loss, fit_logistic
from micrographia.qualify.classify.classifier import spread
from micrographia.read import read

CLASSES = 10
SEEDS = 5
FOLDS = 5
MANIFEST = "nffa-manifest.csv"
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
SIDE = 16
"""Gradients a side of the hash, which has a bit for each of 2 x 256."""
MOST_BITS = 51
"""Hashes that differ in a tenth of the bits are of nearly the same image; of unrelated images half of them differ."""
_AT_ONCE = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Which images are learned from, and which are told."""

    train: np.ndarray
    test: np.ndarray


def load(folder: Path) -> LabelledFiles:
    """Return the files of a download whose hashes are those of the first run."""
    if not folder.is_dir():
        raise InputError(f"--data {folder} is not there; download the set, and unpack it into a folder a class")
    files = labelled_files(folder)
    if len(files.classes) != CLASSES:
        raise InputError(f"--data {folder} holds {len(files.classes)} classes; accepted is the set of {CLASSES}")
    check_manifest(files, folder / MANIFEST)
    return files


def check_manifest(files: LabelledFiles, path: Path) -> None:
    """Write the hash of every file, or compare them with those that were written before."""
    found = {file.name: hashlib.sha256(file.path.read_bytes()).hexdigest() for file in files.files}
    if not path.is_file():
        beside = path.with_name(f".{path.name}.partial")
        with beside.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle, lineterminator="\n").writerows([("file", "sha256"), *sorted(found.items())])
        beside.replace(path)
        return
    with path.open(encoding="utf-8", newline="") as handle:
        pinned = {row["file"]: row["sha256"] for row in csv.DictReader(handle)}
    if other := sorted(name for name in found.keys() | pinned.keys() if found.get(name) != pinned.get(name)):
        raise InputError(
            f"{len(other)} files differ from {path}, the first {other[0]}; restore them, or remove it to pin anew"
        )


def gradient_hash(frame: np.ndarray) -> np.ndarray:
    """Return whether an image, made small, grows brighter to the right and downwards: 2 x 16 x 16 bits.

    Size, contrast, brightness and compression hardly change them.
    """
    low, high = np.percentile(frame, (1, 99))
    grey = np.clip((frame - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)
    small = np.asarray(Image.fromarray(grey).resize((SIDE + 1, SIDE + 1), Image.Resampling.BOX))
    right, down = np.diff(small, axis=1)[:-1] > 0, np.diff(small, axis=0)[:, :-1] > 0
    return np.concatenate([right.ravel(), down.ravel()])


def near_duplicates(hashes: np.ndarray, *, most_bits: int = MOST_BITS) -> np.ndarray:
    """Return the number of the group of each image: those that a chain of near duplicates joins."""
    signs = np.where(hashes, 1.0, -1.0).astype(np.float32)
    rows, columns = [], []
    for start in range(0, len(signs), _AT_ONCE):
        differing = (signs.shape[1] - signs[start : start + _AT_ONCE] @ signs.T) / 2
        near = np.nonzero(differing <= most_bits)
        rows.append(near[0] + start)
        columns.append(near[1])
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, column)), shape=(len(signs), len(signs)))
    return np.asarray(connected_components(graph, directed=False)[1])


def split(labels: np.ndarray, groups: np.ndarray, classes: Sequence[str], *, seed: int) -> Split:
    """Return a fifth of the images to be told; no group is on both sides."""
    rng = np.random.default_rng(seed)
    fold = folds_of(labels, [str(g) for g in groups], classes=classes, folds=FOLDS, rng=rng)
    return Split(train=np.flatnonzero(fold != 0), test=np.flatnonzero(fold == 0))


def by_logistic(
    vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, cut: Split, classes: Sequence[str]
) -> np.ndarray:
    """Return what a logistic regression says, its penalty chosen on a fifth of what it learns from."""
    inner = split(labels[cut.train], groups[cut.train], classes, seed=0)
    fit, look = cut.train[inner.train], cut.train[inner.test]
    tried = fit_logistic(vectors[fit], labels[fit], strengths=STRENGTHS)
    best = int(np.argmin([balanced_loss(model.logits(vectors[look]), labels[look]) for model in tried]))
    (model,) = fit_logistic(vectors[cut.train], labels[cut.train], strengths=[STRENGTHS[best]])
    return model.logits(vectors[cut.test]).argmax(axis=1)


def by_svm(
    vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, cut: Split, classes: Sequence[str]
) -> np.ndarray:
    """Return what a support vector machine with scikit-learn's radial kernel says."""
    mean, scale = spread(vectors[cut.train])
    machine = SVC(C=10.0, class_weight="balanced").fit((vectors[cut.train] - mean) / scale, labels[cut.train])
    return machine.predict((vectors[cut.test] - mean) / scale)


HEADS = {"logistic regression": by_logistic, "SVM": by_svm}


def scores(said: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return accuracy, and the mean over classes of the share that is told right."""
    return float(np.mean(said == truth)), float(np.mean([np.mean(said[truth == k] == k) for k in np.unique(truth)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_NFFA", "../nffa")))
    parser.add_argument("--encoder", action="append")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"Skipped: {args.data} is not there. Download the NFFA-EUROPE set of 10 classes, 10.1038/sdata.2018.172.")
        return
    files = load(args.data)
    print("| encoder | head | images | groups | accuracy | balanced accuracy |\n|---|---|---|---|---|---|")
    groups: dict[str, int] = {}
    for name in args.encoder or ["efficientnet-lite0"]:
        known = embed_files(files, load_embedder(name))
        if not groups:
            frames = (read(str(args.data / image.file)).frames[0] for image in known.images)
            found = near_duplicates(np.stack([gradient_hash(frame) for frame in frames]))
            groups = {image.file: int(group) for image, group in zip(known.images, found, strict=True)}
        labels = np.array([image.label for image in known.images])
        of = np.array([groups[image.file] for image in known.images])
        cuts = [split(labels, of, known.classes, seed=seed) for seed in range(SEEDS)]
        for head, tell in HEADS.items():
            each = [scores(tell(known.vectors, labels, of, cut, known.classes), labels[cut.test]) for cut in cuts]
            told = [f"{100 * np.mean(v):.1f} ± {100 * np.std(v, ddof=1):.1f} %" for v in zip(*each, strict=True)]
            print(f"| {name} | {head} | {len(labels)} | {len(set(of))} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
