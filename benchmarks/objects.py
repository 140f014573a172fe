"""How many objects are found, and how large: from true masks, and from pictures without any training.

Necks, notches and caps were set on simulated shapes (``simulated`` below) and on the halves named "development"; the
other halves were looked at for the first time when this script ran over them. Halves of melt pools are specimens;
powder, its samples; loops, odd and even numbers of images; pictures to count, every other one by name.

Run:  python benchmarks/objects.py --data ../shared/data       (or set MICROGRAPHIA_SAMPLES)
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.ndimage import label as label_components
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from micrographia.errors import InputError
from micrographia.read import read
from micrographia.segment.instances.ground import segment_objects
from micrographia.segment.instances.outlined_satellites import split_satellites
from micrographia.segment.instances.outlines import Outline, fill_outline
from micrographia.segment.instances.separate import separate_objects
from micrographia.segment.measure import find_objects, measure_satellites

HALVES = ("development", "held out")
EIGHT = np.ones((3, 3))
POWDER = (("Sc1Tile_001-001", "Sc1Tile_001-002"), ("Sc2Tile_001-001", "Sc3Tile_008-007"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    root = parser.parse_args().data
    print("## Telling objects apart, given their true mask\n")
    split(root)
    print("\n## Satellites, given the true mask\n")
    satellites(root)
    print("\n## Counting without training\n")
    counts(root)
    print("\n## Sizes without training\n")
    sizes(root)


def split(root: Path) -> None:
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "connected components": lambda mask: label_components(mask, EIGHT)[0],
        "watershed, peaks 10 px apart": plain_watershed,
        "ours": lambda mask: separate_objects(mask).labels,
    }
    print("| masks | half | images | objects | way | found | mean error of count | F1 at IoU 0.5 | CPU s an image |")
    print("|---|---|---|---|---|---|---|---|---|")
    sets: tuple[tuple[str, Callable[[int], Iterator[tuple[str, list[np.ndarray]]]]], ...] = (
        ("simulated pairs", simulated_pairs),
        ("simulated single", simulated_singles),
        ("optical-meltpool", lambda half: coco_masks(root / "optical-meltpool", half)),
        ("tem-loops", lambda half: coco_masks(root / "tem-loops", half)),
        ("sem-powder", lambda half: powder_masks(root, half)),
    )
    for name, masks_of in sets:
        for half, title in enumerate(HALVES):
            images = list(masks_of(half))
            objects = sum(len(masks) for _, masks in images)
            for way, method in ways.items():
                found, matched, errors, start = 0, 0, [], time.process_time()
                for _, masks in images:
                    labels = method(np.any(masks, axis=0))
                    found += int(labels.max())
                    matched += matches(masks, labels)
                    errors.append(abs(int(labels.max()) - len(masks)) / len(masks))
                took_s = (time.process_time() - start) / len(images)
                print(
                    f"| {name} | {title} | {len(images)} | {objects} | {way} | {found} | {np.mean(errors):.1%} "
                    f"| {2 * matched / (objects + found):.3f} | {took_s:.2f} |"
                )
    for path in sorted((root / "sem-uhcs-spheroidite" / "masks").glob("*.png")):
        mask = np.asarray(Image.open(path).convert("L")) > 127
        parts = label_components(mask, EIGHT)[1]
        print(
            f"| uhcs {path.stem} | – | 1 | not given | ours | {separate_objects(mask).count} from {parts} | – | – | – |"
        )


def satellites(root: Path) -> None:
    print(
        "| image | half | particles: drawn | found | satellites: drawn | of them at an outline | found | of them drawn "
        "| found of those at an outline | fraction: drawn | drawn, at an outline | found (95 % interval) |"
    )
    print("|" + "---|" * 12)
    drawn_satellites = via_polygons(root / "sem-powder" / "satellites_training.json")
    for half, title in enumerate(HALVES):
        for file, particles in powder_masks(root, half):
            union = np.any(particles, axis=0)
            drawn = [m for p in drawn_satellites[file] if (m := filled(p, union.shape)).any()]
            found = split_satellites(separate_objects(union))
            share, _ = measure_satellites(found)
            is_satellite = np.array([False] + [parent is not None for parent in found.parents])
            depth = distance_transform_edt(union)
            # Drawn by hand twice, an outline of a satellite and of its particle agree to 2 px or so.
            at_outline = [m for m in drawn if depth[m].min() <= 2]
            areas = np.append(0, found.areas_px2)

            right = len(set().union(*(inside(m, found.labels, areas, is_satellite) for m in drawn)))
            seen = sum(bool(inside(m, found.labels, areas, is_satellite)) for m in at_outline)
            print(
                f"| {file[:15]} | {title} | {len(particles)} | {found.count - found.satellite_count} | {len(drawn)} "
                f"| {len(at_outline)} | {found.satellite_count} | {right} | {seen} "
                f"| {carrying(particles, drawn):.0%} | {carrying(particles, at_outline):.0%} "
                f"| {share.value:.0f}% ({share.low:.0f} to {share.high:.0f}) |"
            )


def counts(root: Path) -> None:
    with (root / "sem-nffa" / "counts.csv").open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["file"])
    print("| crop | half | truth | ours | range | Otsu and connected components | how, or why not | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    errors: dict[tuple[str, str, str], list[float]] = {}
    within: dict[tuple[str, str], list[bool]] = {}
    for kind in ("particles", "fibres"):
        for place, row in enumerate(row for row in rows if row["kind"] == kind):
            half, truth = HALVES[place % 2], int(row["count"])
            frame = read(root / "sem-nffa" / "counting" / row["file"]).frames[0]
            bright = frame > threshold_otsu(frame)
            # The side that takes less of the frame, without specks.
            smaller = bright if bright.mean() < 0.5 else ~bright
            plain = int((np.bincount(label_components(smaller, EIGHT)[0].ravel())[1:] >= 12).sum())
            errors.setdefault((kind, half, "Otsu"), []).append(abs(plain - truth) / truth)
            start = time.process_time()
            try:
                found = segment_objects(frame)
            except InputError as error:
                told, said, spread = "no answer", str(error).split(": ")[1].split(";")[0], "–"
                within.setdefault((kind, half), [])
            else:
                told, said, spread = str(found.count), found.way, f"{found.low} to {found.high}"
                errors.setdefault((kind, half, "ours"), []).append(abs(found.count - truth) / truth)
                within.setdefault((kind, half), []).append(found.low <= truth <= found.high)
            took_s = time.process_time() - start
            print(
                f"| {row['file'].split('/')[0]}/{row['file'].split('/')[1][:8]} | {half} | {truth} | {told} | {spread} "
                f"| {plain} | {said} | {took_s:.1f} |"
            )
    print("\n| crops | half | in all | answered | mean error, answered | truth within the range | mean error, Otsu |")
    print("|---|---|---|---|---|---|---|")
    for (kind, half), hits in within.items():
        ours = errors.get((kind, half, "ours"), [])
        mean = f"{np.mean(ours):.0%}" if ours else "–"
        otsu = errors[kind, half, "Otsu"]
        print(f"| {kind} | {half} | {len(otsu)} | {len(ours)} | {mean} | {sum(hits)} | {np.mean(otsu):.0%} |")


def sizes(root: Path) -> None:
    with (root / "sem-nffa" / "sizes.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with (root / "sem-nffa" / "counts.csv").open(encoding="utf-8") as file:
        order = sorted(row["file"] for row in csv.DictReader(file))
    half_of = {name: HALVES[[n for n in order if n[0] == name[0]].index(name) % 2] for name in order}
    print("| picture | half | expert / µm | ours / µm | whole objects | apart | pixel / nm | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    apart: dict[str, list[float]] = {}
    for row in rows:
        start = time.process_time()
        picture = read(root / "sem-nffa" / "sizing" / row["file"])
        truth_um, name = float(row["mean_size_um"]), f"{row['kind']}/{row['file'].split('/')[1][:8]}"
        half = half_of[row["file"]]
        try:
            table = find_objects([segment_objects(picture.frames[0]).instances.labels])
        except InputError as error:
            said = str(error).split(": ")[1].split(";")[0]
            print(f"| {name} | {half} | {truth_um:g} | no answer: {said} | | | {picture.pixel_size_nm:.4g} | |")
            continue
        whole = table.diameter_px[~table.cut]
        size_um = float(whole.mean()) * (picture.pixel_size_nm or float("nan")) / 1e3
        apart.setdefault(half, []).append(abs(size_um / truth_um - 1))
        print(
            f"| {name} | {half} | {truth_um:g} | {size_um:.3g} | {len(whole)} | {size_um / truth_um - 1:+.0%} "
            f"| {picture.pixel_size_nm:.4g} | {time.process_time() - start:.1f} |"
        )
    for half, values in apart.items():
        print(f"\n{half}: {len(values)} answered, mean error {np.mean(values):.0%}.")


def plain_watershed(mask: np.ndarray) -> np.ndarray:
    """Split by the usual recipe: seeds at peaks of the distance to the ground."""
    distance = distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=10, labels=label_components(mask, EIGHT)[0], exclude_border=False)
    markers = np.zeros(mask.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-distance, markers, mask=mask)


def matches(masks: list[np.ndarray], labels: np.ndarray) -> int:
    """Count the true objects that a label covers to more than half of their union."""
    areas = np.bincount(labels.ravel())
    matched = 0
    for mask in masks:
        shared = np.bincount(labels[mask], minlength=len(areas))
        shared[0] = 0
        best = int(shared.argmax())
        matched += bool(2 * shared[best] > mask.sum() + areas[best] - shared[best])
    return matched


def inside(mask: np.ndarray, labels: np.ndarray, areas: np.ndarray, kept: np.ndarray) -> set[int]:
    """Return the found satellites that lie in a drawn one by more than half."""
    shared = np.bincount(labels[mask], minlength=len(areas))
    return set(np.flatnonzero((2 * shared > areas) & kept).tolist())


def carrying(particles: list[np.ndarray], drawn: list[np.ndarray]) -> float:
    """Share of the particles that carry a satellite, which belongs to the smallest particle that holds most of it."""
    carriers = set()
    order = sorted(range(len(particles)), key=lambda k: int(particles[k].sum()))
    for mask in drawn:
        pixels = np.nonzero(mask)
        shares = [int(particles[k][pixels].sum()) for k in order]
        if max(shares):
            carriers.add(order[int(np.argmax(shares))])
    return len(carriers) / len(particles)


def simulated_pairs(half: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Two smooth or slightly rough ellipses each, which overlap by up to a quarter."""
    rng = np.random.default_rng(half)
    for k in range(60):
        first = rng.uniform(8, 28)
        second = first * rng.uniform(0.3, 1)
        angle = rng.uniform(0, 2 * np.pi)
        apart = max(rng.uniform(0.75, 1.0) * (first + second), first + 0.2 * second)
        stretch, amplitude = (rng.uniform(1, 1.4) if k % 2 else 1.0), float(rng.choice([0, 0.02, 0.04]))
        yield (
            str(k),
            [
                blob(rng, (80, 80), first, stretch, amplitude),
                blob(rng, (80 + apart * np.sin(angle), 80 + apart * np.cos(angle)), second, stretch, amplitude),
            ],
        )


def simulated_singles(half: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Rough ellipses, bent rods and L-shapes, each in one piece."""
    rng = np.random.default_rng(half + 100)
    y, x = np.indices((160, 160))
    for k in range(60):
        if k % 3 == 0:
            yield (
                str(k),
                [blob(rng, (80, 80), rng.uniform(8, 50), rng.uniform(1, 2), float(rng.choice([0, 0.04, 0.08])))],
            )
            continue
        width, angle, bend = rng.uniform(6, 20), rng.uniform(0, np.pi), rng.uniform(0, 0.015)
        along = np.linspace(-0.5, 0.5, 120) * width * rng.uniform(3, 6)
        across = bend * along**2 if k % 3 == 1 else np.maximum(along, 0)
        line_x = 80 + along * np.cos(angle) - across * np.sin(angle)
        line_y = 80 + along * np.sin(angle) + across * np.cos(angle)
        wave = 1 + rng.uniform(0, 0.06) * np.sin(along / rng.uniform(2, 20))
        yield str(k), [np.any(np.hypot(y[..., None] - line_y, x[..., None] - line_x) <= width / 2 * wave, axis=-1)]


def blob(
    rng: np.random.Generator, centre: tuple[float, float], radius: float, stretch: float, amplitude: float
) -> np.ndarray:
    """Draw an ellipse with a rough outline, on 160 by 160 px."""
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    wave = sum(rng.normal() * k**-0.8 * np.cos(k * angle + rng.uniform(0, 7)) for k in range(3, 14))
    length = radius * (1 + amplitude * wave / np.std(wave))
    turn = rng.uniform(0, np.pi)
    u, v = length * np.cos(angle) * np.sqrt(stretch), length * np.sin(angle) / np.sqrt(stretch)
    x = centre[1] + u * np.cos(turn) - v * np.sin(turn)
    y = centre[0] + u * np.sin(turn) + v * np.cos(turn)
    return filled(np.stack([x, y], axis=1), (160, 160))


def coco_masks(folder: Path, half: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Masks of the drawn objects of each image of a half; images without any are left out."""
    document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    for image in document["images"]:
        name = image["file_name"]
        held = name.startswith("Slice-2") if folder.name == "optical-meltpool" else int(Path(name).stem) % 2 == 0
        if held != bool(half):
            continue
        masks = [
            filled(np.array(polygon, dtype=np.float64).reshape(-1, 2), (image["height"], image["width"]))
            for entry in document["annotations"]
            if entry["image_id"] == image["id"]
            for polygon in entry["segmentation"]
        ]
        if masks := [mask for mask in masks if mask.any()]:
            yield name, masks


def powder_masks(root: Path, half: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Masks of the drawn particles of each image of a half."""
    for name, polygons in via_polygons(root / "sem-powder" / "particles_training.json").items():
        if name.startswith(POWDER[half]):
            yield name, [mask for polygon in polygons if (mask := filled(polygon, (1024, 1536))).any()]


def via_polygons(path: Path) -> dict[str, list[np.ndarray]]:
    """Polygons (x, y) of each image of a project of the VGG Image Annotator."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return {
        entry["filename"]: [
            np.stack([shape["all_points_x"], shape["all_points_y"]], axis=1).astype(np.float64)
            for shape in (region["shape_attributes"] for region in entry["regions"])
        ]
        for entry in document["_via_img_metadata"].values()
    }


def filled(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels within a polygon (x, y)."""
    return fill_outline(Outline(outer=(polygon,)), height_px=shape[0], width_px=shape[1])


if __name__ == "__main__":
    main()
