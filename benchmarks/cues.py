"""How fast `measure` is, and how far its counts and sizes are from what people counted and measured.

Counts: crops of sem-nffa, powder and dislocation loops with their annotations. What a cue abstains from is counted
apart; the errors are over what it answers, and, with its abstentions answered by the mean, over all. "Mean" always
answers the mean of the other half. Halves are every other image by name.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from micrographia.cues.cue import Cue, picture
from micrographia.cues.measure import measure
from micrographia.errors import MicrographiaError
from micrographia.read import read

FOLDERS = (
    *("optical-meltpool/images", "sem-ebc/images", "sem-nffa/counting", "sem-powder/images", "sem-superalloy/images"),
    *("sem-uhcs-spheroidite/images", "stem-single-atoms", "stem-wse2-ti", "tem-loops/images", "tem-ti-insitu/images"),
)
SUFFIXES = (".png", ".jpg", ".tif", ".tiff", ".dm4")
TILE_PX = 512


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a cue says of an image, and what people said."""

    half: int
    truth: float
    cue: Cue


def tiles(data: Path, most: int) -> list[np.ndarray]:
    """Return the middle 512 x 512 px of images of all folders."""
    found = []
    for folder in FOLDERS:
        files = [file for file in sorted((data / folder).rglob("*")) if file.suffix in SUFFIXES]
        for file in files[:: max(1, len(files) // most)][:most]:
            frame = picture(read(file))
            if min(frame.shape) >= TILE_PX:
                top, left = ((n - TILE_PX) // 2 for n in frame.shape)
                found.append(frame[top : top + TILE_PX, left : left + TILE_PX].astype(np.float32))
    return found


def speed(frames: list[np.ndarray]) -> Iterator[str]:
    yield "| processes | images | wall time, s | images/s | processor time of an image, s: mean | median | most |"
    yield "|---|---|---|---|---|---|---|"
    measure(frames[0])
    start, each = time.perf_counter(), []
    for frame in frames:
        before = time.process_time()
        measure(frame)
        each.append(time.process_time() - before)
    alone = time.perf_counter() - start
    yield (
        f"| 1 | {len(frames)} | {alone:.1f} | {len(frames) / alone:.1f} | "
        f"{np.mean(each):.2f} | {np.median(each):.2f} | {max(each):.2f} |"
    )
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(measure, frames[:2]))
        start = time.perf_counter()
        list(pool.map(measure, frames, chunksize=2))
        both = time.perf_counter() - start
    yield f"| 2 | {len(frames)} | {both:.1f} | {len(frames) / both:.1f} | | | |"


def clearer(cues: dict[str, Cue], what: str) -> Cue:
    """Return the cue of bright objects, or that of dark ones where there are more of those."""
    bright, dark = cues["particles"], cues["pores"]
    tone = "pore" if (dark.value or 0) > (bright.value or 0) else "particle"
    return cues[f"{tone}s" if what == "count" else f"{tone} {what}"]


def nffa(data: Path, table: str, column: str) -> dict[str, list[Answer]]:
    """Return the answers on sem-nffa by kind: counts in crops, or mean sizes in µm of whole images."""
    found: dict[str, list[Answer]] = {"fibres": [], "particles": []}
    folder = "counting" if column == "count" else "sizing"
    for row in csv.DictReader((data / "sem-nffa" / table).open()):
        micrograph = read(data / "sem-nffa" / folder / row["file"])
        frame = micrograph.frames[0] if column == "count" else picture(micrograph)
        cues = {cue.name: cue for cue in measure(frame, pixel_size_nm=micrograph.pixel_size_nm)}
        if row["kind"] == "fibres":
            cue = cues["fibres" if column == "count" else "fibre width"]
        else:
            cue = clearer(cues, "count" if column == "count" else "diameter")
        truth = float(row[column]) * (1.0 if column == "count" else 1000.0)
        found[row["kind"]].append(Answer(half=len(found[row["kind"]]) % 2, truth=truth, cue=cue))
    return found


def powder(data: Path) -> list[Answer]:
    found = []
    entries = json.loads((data / "sem-powder/particles_training.json").read_text())
    entries = entries.get("_via_img_metadata", entries)
    for entry in sorted(entries.values(), key=lambda entry: entry["filename"]):
        file = data / "sem-powder/images" / entry["filename"]
        if file.is_file() and entry["regions"]:
            cues = {cue.name: cue for cue in measure(picture(read(file)))}
            found.append(Answer(half=len(found) % 2, truth=len(entry["regions"]), cue=clearer(cues, "count")))
    return found


def loops(data: Path) -> list[Answer]:
    found = []
    table = json.loads((data / "tem-loops/annotations.json").read_text())
    for image in sorted(table["images"], key=lambda image: image["file_name"]):
        file = data / "tem-loops/images" / Path(image["file_name"]).name
        if file.is_file():
            truth = sum(a["image_id"] == image["id"] for a in table["annotations"])
            cues = {cue.name: cue for cue in measure(picture(read(file)))}
            found.append(Answer(half=len(found) % 2, truth=truth, cue=clearer(cues, "count")))
    return found


def errors(values: Sequence[float], truths: Sequence[float]) -> str:
    off = np.abs(np.array(values) - np.array(truths))
    return f"{100 * np.mean(off / np.array(truths)):.0f} % | {np.mean(off):.3g}" if len(off) else "- | -"


def rows(name: str, answers: list[Answer]) -> Iterator[str]:
    for half in (0, 1):
        here = [answer for answer in answers if answer.half == half]
        mean = float(np.mean([answer.truth for answer in answers if answer.half != half]))
        given = [(answer, answer.cue.value) for answer in here if answer.cue.value is not None]
        within = sum(abs(value - answer.truth) <= 2 * (answer.cue.uncertainty or 0.0) for answer, value in given)
        filled = [mean if answer.cue.value is None else answer.cue.value for answer in here]
        truths = [answer.truth for answer in here]
        yield (
            f"| {name} | {'AB'[half]} | {len(here)} | {len(given)} | "
            f"{errors([value for _, value in given], [a.truth for a, _ in given])} | {within} of {len(given)} | "
            f"{errors(filled, truths)} | {errors([mean] * len(here), truths)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=5, help="images of each folder that are timed")
    arguments = parser.parse_args()
    print(f"## Speed, tiles of {TILE_PX} x {TILE_PX} px\n")
    for line in speed(tiles(arguments.data, arguments.most)):
        print(line, flush=True)
    head = (
        "| what | half | images | answered | error | | within 2 u | error, all | | always the mean | |\n"
        + "|---" * 11
        + "|"
    )
    print(f"\n## Counts\n\n{head}")
    for kind, answers in nffa(arguments.data, "counts.csv", "count").items():
        print(*rows(f"sem-nffa {kind}", answers), sep="\n", flush=True)
    for name, answers in (("sem-powder particles", powder(arguments.data)), ("tem-loops loops", loops(arguments.data))):
        print(*rows(name, answers), sep="\n", flush=True)
    print(f"\n## Mean sizes, counts of error in nm\n\n{head}")
    try:
        for kind, answers in nffa(arguments.data, "sizes.csv", "mean_size_um").items():
            print(*rows(f"sem-nffa {kind}", answers), sep="\n", flush=True)
    except MicrographiaError as error:
        print(error)


if __name__ == "__main__":
    main()
