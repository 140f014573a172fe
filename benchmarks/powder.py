"""Powder by a trained network: particles counted, and satellites marked, on specimens that it has not seen.

Four images of `sem-powder` have outlines of particles and of satellites. They are of three specimens, and each
specimen is segmented by a network that learned from the other two. How the outlines are painted, and the least area,
were chosen on `Sc1`; the others were looked at afterwards.

Run:  python benchmarks/powder.py --data ../shared/data --models bench-powder
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from scipy.ndimage import (
    binary_fill_holes,
    binary_propagation,
    distance_transform_edt,
    gaussian_filter,
    maximum_filter,
    minimum_filter,
)
from skimage.filters import threshold_otsu

from micrographia.learn.segment.train import SegmentSettings, train_segmenter
from micrographia.read import read
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.marked_satellites import mark_satellites, with_satellites
from micrographia.segment.instances.outlined_satellites import split_satellites
from micrographia.segment.instances.separate import ObjectSettings, separate_objects
from micrographia.segment.labelled import Labelled, TrainingSet
from micrographia.segment.measure import measure_satellites
from micrographia.segment.measured import SegmentedField, measure
from micrographia.segment.network.predict import ApplySettings, segment
from micrographia.segment.network.saved import SegmentationModel, load_model, save_model
from micrographia.segment.segmentation import Segmentation
from objects import EIGHT, carrying, filled, matches, plain_watershed, via_polygons

FOLDS = {
    "Sc1": ("Sc1Tile_001-001-000_0-000.png", "Sc1Tile_001-002-000_0-000.png"),
    "Sc2": ("Sc2Tile_001-001-000_0-000.png",),
    "Sc3": ("Sc3Tile_008-007-000_0-000.png",),
}
CLASSES = ("ground", "particle", "boundary", "satellite")
BAND_PX = 5
# The smallest particle that was drawn on Sc1 has 35 px².
APART = ObjectSettings(least_area_px=35)
SIZES_PX2 = {"under 100 px²": (0, 100), "100 to 300 px²": (100, 300), "above 300 px²": (300, 10**9)}


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What was drawn on an image: masks of particles, which hold their satellites, and of satellites."""

    frame: np.ndarray
    sha256: str
    particles: list[np.ndarray]
    satellites: list[np.ndarray]

    def at_outline(self) -> np.ndarray:
        """Whether each satellite comes within 2 px of the ground."""
        depth = distance_transform_edt(np.any(self.particles, axis=0))
        return np.array([depth[mask].min() <= 2 for mask in self.satellites])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--models", type=Path, default=Path("bench-powder"), help="trained networks are kept here")
    parser.add_argument("--folds", nargs="+", choices=tuple(FOLDS), default=list(FOLDS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = given.data / "sem-powder"
    files = [file for fold in given.folds for file in FOLDS[fold]]
    answers: dict[str, tuple[Drawn, Segmentation]] = {}
    for fold in given.folds:
        model = model_without(fold, folder, given.models)
        for file in FOLDS[fold]:
            truth = drawn(folder, file)
            answers[file] = truth, segment(truth.frame, model, settings=ApplySettings(probability=True))
    particles = {file: particles_of(answers[file][1]) for file in files}
    marked = {f: mark_satellites(particles[f], answers[f][1].of("satellite")) for f in files}

    print("## Particles\n")
    print("| image | drawn | found | error | F1 | Otsu and watershed: found | error | F1 |")
    print("|" + "---|" * 8)
    for file in files:
        truth = answers[file][0]
        cells = []
        for labels in (with_satellites(marked[file]), by_threshold(truth.frame)):
            found, count = len(np.unique(labels)) - 1, len(truth.particles)
            f1 = 2 * matches(truth.particles, labels) / (found + count)
            cells.append(f"{found} | {found / count - 1:+.0%} | {f1:.3f}")
        print(f"| {file[:15]} | {len(truth.particles)} | {' | '.join(cells)} |", flush=True)

    print("\n## Satellites\n")
    print(
        "| image | drawn | found | right | recall | fraction: drawn | found | `segment measure` "
        "| by outlines: found | right | recall | fraction |"
    )
    print("|" + "---|" * 12)
    for file in files:
        truth, answer = answers[file]
        share = carrying(truth.particles, truth.satellites)
        ways = [marked[file], split_satellites(particles[file])]
        cells = []
        for found in ways:
            pairs = same(truth.satellites, found)
            right, told = {j for js in pairs for j in js}, sum(bool(js) for js in pairs)
            cells.append(
                f"{found.satellite_count} | {len(right) / max(found.satellite_count, 1):.0%} "
                f"| {told / len(truth.satellites):.0%}"
            )
        print(
            f"| {file[:15]} | {len(truth.satellites)} | {cells[0]} | {interval(share, len(truth.particles))} "
            f"| {said(ways[0])} | {by_command(answer)} | {cells[1]} | {said(ways[1])} |",
            flush=True,
        )
    truths = {file: answers[file][0] for file in files}
    failed_satellites(truths, marked)
    failed_particles(truths, marked)


def failed_satellites(truths: dict[str, Drawn], marked: dict[str, Instances]) -> None:
    """Print which of the drawn satellites were found, and what the others are that were found."""
    told: dict[str, list[bool]] = {}
    wrong: dict[str, Counter[str]] = {}
    for file, truth in truths.items():
        found = marked[file]
        areas, pairs = np.append(0, found.areas_px2), same(truth.satellites, found)
        for mask, js, edge in zip(truth.satellites, pairs, truth.at_outline(), strict=True):
            size = next(name for name, (low, high) in SIZES_PX2.items() if low <= mask.sum() < high)
            for group in (size, "at an outline" if edge else "on a face"):
                told.setdefault(group, []).append(bool(js))
        shared = np.array([np.bincount(found.labels[mask], minlength=len(areas)) for mask in truth.particles])
        sizes = np.array([mask.sum() for mask in truth.particles])
        wrong[file] = Counter()
        for j in set(sitting(found)) - {j for js in pairs for j in js}:
            k = int(shared[:, j].argmax())
            if 2 * shared[:, j].sum() < areas[j]:
                wrong[file]["on the ground"] += 1
            elif 2 * shared[k, j] > sizes[k]:
                wrong[file]["drawn as a particle"] += 1
            else:
                wrong[file]["part of a particle"] += 1
    print("\n## Satellites that were missed, and false ones\n\n| drawn | in all | found |\n|---|---|---|")
    for group in (*SIZES_PX2, "at an outline", "on a face"):
        print(f"| {group} | {len(told[group])} | {np.mean(told[group]):.0%} |")
    counted(wrong, "false")


def failed_particles(truths: dict[str, Drawn], marked: dict[str, Instances]) -> None:
    """Print what became of the drawn particles that match none found, and what the found ones are that match none."""
    spare: dict[str, Counter[str]] = {}
    lost: dict[str, Counter[str]] = {}
    for file, truth in truths.items():
        labels = with_satellites(marked[file])
        areas, sizes = np.bincount(labels.ravel()), np.array([mask.sum() for mask in truth.particles])
        shared = np.array([np.bincount(labels[mask], minlength=len(areas)) for mask in truth.particles])
        union = np.bincount(labels[np.any(truth.particles, axis=0)], minlength=len(areas))
        matched = 2 * shared > sizes[:, None] + areas[None] - shared
        matched[:, 0] = False
        marks = np.bincount(labels[np.any(truth.satellites, axis=0)], minlength=len(areas))
        spare[file], lost[file] = Counter(), Counter()
        for j in np.flatnonzero((areas > 0) & ~matched.any(axis=0))[1:]:
            if 2 * union[j] < areas[j]:
                spare[file]["on the ground"] += 1
            elif 2 * marks[j] > areas[j]:
                spare[file]["a drawn satellite"] += 1
            else:
                spare[file]["piece of a drawn one" if shared[:, j].max() > 0.8 * areas[j] else "several, or else"] += 1
        for k in np.flatnonzero(~matched.any(axis=1)):
            if 2 * shared[k, 0] > sizes[k]:
                lost[file]["taken for ground"] += 1
            else:
                lost[file]["within a larger one" if 2 * shared[k, 1:].max() > sizes[k] else "in pieces"] += 1
    print("\n## Particles that were missed, and false ones")
    counted(lost, "missed")
    counted(spare, "false")


def counted(counts: dict[str, Counter[str]], title: str) -> None:
    kinds = sorted({kind for found in counts.values() for kind in found})
    print(f"\n| {title} | {' | '.join(kinds)} |\n|{'---|' * (len(kinds) + 1)}")
    for file, found in counts.items():
        print(f"| {file[:15]} | {' | '.join(str(found[kind]) for kind in kinds)} |")


def drawn(folder: Path, file: str) -> Drawn:
    picture = read(folder / "images" / file)
    frame, both = picture.frames[0], []
    for name in ("particles_training.json", "satellites_training.json"):
        masks = [filled(polygon, (frame.shape[0], frame.shape[1])) for polygon in via_polygons(folder / name)[file]]
        both.append([mask for mask in masks if mask.any()])
    return Drawn(frame=frame, sha256=picture.provenance.sha256 or "", particles=both[0], satellites=both[1])


def painted(truth: Drawn) -> np.ndarray:
    """Paint outlines as an index mask of `CLASSES`."""
    labels = np.zeros(truth.frame.shape, dtype=np.int32)
    # The smaller of two that overlap is the one in front.
    for label, mask in enumerate(sorted(truth.particles, key=lambda mask: -int(mask.sum())), start=1):
        labels[mask] = label
    # A pixel is between particles if it has two of them within reach.
    least = minimum_filter(np.where(labels, labels, len(truth.particles) + 1), BAND_PX)
    most = maximum_filter(labels, BAND_PX)
    mask = np.where((most > 0) & (least < most), 2, labels > 0).astype(np.uint8)
    mask[np.any(truth.satellites, axis=0)] = 3
    return mask


def model_without(fold: str, folder: Path, models: Path) -> SegmentationModel:
    """Train on all specimens but one; a model that an earlier run left is taken up."""
    path = models / f"without-{fold}.safetensors"
    if path.is_file():
        return load_model(path)
    images = []
    for file in (file for name, files in FOLDS.items() if name != fold for file in files):
        truth = drawn(folder, file)
        images.append(Labelled(name=file, sha256=truth.sha256, frame=truth.frame, mask=painted(truth)))
    start = time.monotonic()
    training = TrainingSet(images=tuple(images), values=tuple(range(len(CLASSES))), names=CLASSES)
    model = train_segmenter(training, settings=SegmentSettings(seed=0))
    save_model(model, path)
    print(f"trained without {fold} in {time.monotonic() - start:.0f} s", flush=True)
    return load_model(path)


def particles_of(answer: Segmentation) -> Instances:
    """Return the particles, with what sits on them, parted where the network sees boundaries."""
    probability = answer.probability
    if probability is None:
        raise ValueError("probabilities were not kept")
    # A boundary of nothing is no particle.
    solid = answer.of("particle") | answer.of("satellite")
    whole = binary_propagation(solid, structure=EIGHT, mask=~answer.of("ground"))
    boundary = np.clip(probability[CLASSES.index("boundary")], 0, 1).astype(np.float64)
    return separate_objects(whole, boundary=boundary, settings=APART)


def by_threshold(frame: np.ndarray) -> np.ndarray:
    """Return objects by the usual recipe: blur, Otsu's threshold, holes filled, watershed."""
    smooth = gaussian_filter(frame, 2.0)
    labels = plain_watershed(binary_fill_holes(smooth > threshold_otsu(smooth)))
    return np.where(np.bincount(labels.ravel())[labels] >= APART.least_area_px, labels, 0)


def sitting(found: Instances) -> list[int]:
    """Labels of the satellites."""
    return [label for label, parent in enumerate(found.parents, start=1) if parent is not None]


def same(satellites: list[np.ndarray], found: Instances) -> list[set[int]]:
    """Found satellites that share with each drawn one more than half of the smaller of the two."""
    areas = np.append(0, found.areas_px2)
    kept = np.isin(np.arange(len(areas)), sitting(found))
    pairs = []
    for mask in satellites:
        shared = np.bincount(found.labels[mask], minlength=len(areas))
        pairs.append(set(np.flatnonzero((2 * shared > np.minimum(areas, mask.sum())) & kept).tolist()))
    return pairs


def interval(share: float, count: int) -> str:
    """Share with the Wilson 95 % interval."""
    ends = stats.binomtest(round(share * count), count).proportion_ci(0.95, method="wilson")
    return f"{100 * share:.0f}% ({100 * ends.low:.0f} to {100 * ends.high:.0f})"


def said(found: Instances) -> str:
    share, _ = measure_satellites(found)
    return interval((share.value or 0) / 100, share.count)


def by_command(answer: Segmentation) -> str:
    """Satellite fraction as `micrographia segment measure` gives it, from the mask without its probabilities."""
    field = SegmentedField(name="a", segmentation=answer, pixel_size_nm=None)
    classes = {found.name: found for found in measure([field], rng=np.random.default_rng(0)).classes}
    shares = [m.value for m in classes["particle"].by_field[0] if m.name == "satellite fraction"]
    return f"{shares[0]:.0f}%"


if __name__ == "__main__":
    main()
