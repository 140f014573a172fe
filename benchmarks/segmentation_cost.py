"""What segmenting a large image costs: megapixels a second, and memory.

    python benchmarks/segmentation_cost.py --data ../shared/data --side 4096

A model is trained in a few seconds (what it knows does not matter here) and segments an image made of superalloy
images side by side. The peer is scikit-image's TrainableSegmenter with a random forest on one image of 512 x 512 px.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from skimage.feature import multiscale_basic_features
from skimage.future import TrainableSegmenter
from sklearn.ensemble import RandomForestClassifier

from micrographia.learn.segment.train import SegmentSettings, train_segmenter
from micrographia.segment.labelled import read_training_set
from micrographia.segment.network.predict import ApplySettings, segment

IMAGE = "spot7_180d_3.png"


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = args.data / "sem-superalloy"
    training = read_training_set(folder / "images" / IMAGE, folder / "masks" / IMAGE, info_bar=False)
    model = train_segmenter(training, settings=SegmentSettings(megapixels=0.3, steps=1))
    tile = training.images[0].frame
    times = -(-args.side // tile.shape[0])
    frame = np.tile(tile, (times, times))[: args.side, : args.side]
    small = tile[:64, :64].copy()
    segment(small, model)
    before = peak_gb()
    print(f"| way | Mpixel | s | Mpixel/s | peak memory [GB], {before:.2f} before |\n|---|---|---|---|---|")
    # This model's two opinions differ, because it learned nothing; a trained one's do on a strange image only.
    for name, settings in (
        ("once", ApplySettings(flips=False, own=False)),
        ("mirrored too", ApplySettings(own=False)),
        ("once, and again because the two opinions differ", ApplySettings(flips=False)),
    ):
        began = time.perf_counter()
        segment(frame, model, settings=settings)
        took = time.perf_counter() - began
        print(f"| {name} | {frame.size / 1e6:.1f} | {took:.1f} | {frame.size / 1e6 / took:.2f} | {peak_gb():.2f} |")
    features = partial(multiscale_basic_features, intensity=True, edges=True, texture=True, sigma_min=1, sigma_max=16)
    clf = RandomForestClassifier(n_estimators=50, max_depth=10, max_samples=0.05, n_jobs=args.threads, random_state=0)
    forest = TrainableSegmenter(clf=clf, features_func=features)
    forest.fit(tile / 255, training.images[0].mask.astype(np.int64) + 1)
    began = time.perf_counter()
    forest.predict(tile / 255)
    took = time.perf_counter() - began
    print(f"| random forest | {tile.size / 1e6:.1f} | {took:.1f} | {tile.size / 1e6 / took:.2f} | {peak_gb():.2f} |")


if __name__ == "__main__":
    main()
