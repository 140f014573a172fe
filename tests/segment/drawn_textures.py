"""Pictures whose classes are known, because they were drawn: grey levels, fine stripes and thin lines."""

from __future__ import annotations

import numpy as np

from micrographia.segment.labelled import Labelled, TrainingSet


def discs(seed: int, side: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs (1) on a dark ground (0), with noise of a fifth of the contrast."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    mask = np.zeros((side, side), dtype=np.uint8)
    for _ in range(8):
        (cy, cx), r = rng.uniform(0, side, 2), rng.uniform(8, 16)
        mask[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = 1
    frame = 100.0 + 50.0 * mask + rng.normal(0, 10, mask.shape)
    return frame.astype(np.float32), mask


def labelled(seed: int, *, side: int = 128, mask: np.ndarray | None = None) -> Labelled:
    frame, drawn = discs(seed, side)
    return Labelled(name=f"discs {seed}", sha256="ab" * 32, frame=frame, mask=drawn if mask is None else mask)


def training(*seeds: int) -> TrainingSet:
    return TrainingSet(images=tuple(labelled(s) for s in seeds), values=(0, 1), names=("ground", "disc"))


def iou(found: np.ndarray, true: np.ndarray, value: int = 1) -> float:
    return float(((found == value) & (true == value)).sum() / ((found == value) | (true == value)).sum())
