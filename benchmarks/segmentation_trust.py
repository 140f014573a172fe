"""Whether a segmentation's probabilities and its 'unlike the training images' flag can be relied on.

    python benchmarks/segmentation_trust.py --data ../shared/data --models bench-segmentation

On the validation images of the models that `segmentation.py` trains (made anew where that folder has none):
calibration (with --untempered, of the probabilities as the network gives them), precision and recall; strangeness of
those images, of the first of them altered, and of other collections; how far the two opinions differ, how each image
is shown to the network, and whether the answer warns.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from micrographia.read import read
from micrographia.segment.network import predict
from micrographia.segment.network.predict import ApplySettings, segment
from micrographia.segment.network.saved import SegmentationModel
from micrographia.segment.segmentation import Segmentation
from segmentation import ALTERED, SETS, cells, model_of, subset

OTHERS = (
    "sem-ebc",
    "sem-superalloy",
    "sem-powder",
    "sem-uhcs-spheroidite",
    "tem-loops",
    "optical-meltpool",
    "tem-ti-insitu",
)
EACH = 2


def calibration(found: list[Segmentation], masks: list[np.ndarray], names: tuple[str, ...]) -> None:
    sure = np.concatenate([np.asarray(f.probability).max(axis=0).ravel() for f in found])
    answer = np.concatenate([f.mask.ravel() for f in found])
    truth = np.concatenate([m.ravel() for m in masks])
    right = answer == truth
    edges = np.array([1 / len(names), 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0 + 1e-6])
    bins = np.digitize(sure, edges)
    gaps = [(sure[bins == k].mean(), right[bins == k].mean(), (bins == k).sum()) for k in np.unique(bins)]
    error = sum(abs(said - was) * n for said, was, n in gaps) / len(sure)
    print(f"\nCalibration error {error:.4f}, accuracy {right.mean():.4f}.\n\n| said | right | pixels |\n|---|---|---|")
    for said, was, n in gaps:
        print(f"| {said:.3f} | {was:.3f} | {n} |")
    print("\n| class | precision | recall |\n|---|---|---|")
    for k, name in enumerate(names):
        print(f"| {name} | {right[answer == k].mean():.3f} | {right[truth == k].mean():.3f} |")


def flags(name: str, model: SegmentationModel, frame: np.ndarray) -> str:
    found = segment(frame.astype(np.float32), model, settings=ApplySettings(flips=False))
    told = f"{found.strangeness:.2f} | {found.dissent:.1%} | {found.own_weight:.2f} | {found.seen or '–'}"
    return f"| {name} | {told} | {'yes' if found.warning else 'no'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--models", type=Path, default=Path("bench-segmentation"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--untempered", action="store_true")
    args = parser.parse_args()
    if args.untempered:
        predict.temperature = lambda p, *, dissent: 1.0
    for which, name, files, tests in cells(args.data):
        if name not in ("all", "one"):
            continue
        model = model_of(subset(args.data, which, files), args.seed, models=args.models)
        images = subset(args.data, which, tests["val"]).images
        print(f"\n## {which}, learned from {name}")
        found = [segment(i.frame, model, settings=ApplySettings(probability=True)) for i in images]
        calibration(found, [i.mask for i in images], model.names)
        print("\n| image | strangeness | dissent | weight of its own | seen | warned |\n|---|---|---|---|---|---|")
        for image in images:
            print(flags(image.name, model, image.frame))
        for kind, alter in ALTERED.items():
            print(flags(f"{images[0].name}, {kind}", model, alter(images[0].frame)))
        noise = np.random.default_rng(0).normal(size=(512, 512))
        print(flags("white noise", model, noise))
        for folder in (f for f in OTHERS if f != SETS[which][0]):
            for path in sorted((args.data / folder / "images").iterdir())[:EACH]:
                frame = read(path, info_bar=False).frames[0]
                print(flags(folder, model, frame), flush=True)


if __name__ == "__main__":
    main()
