"""Instruction data of the teacher `cues` on real micrographs: records, verified ones, balance, shortcut, and speed.

All images of the samples are cut into tiles of at most 512 px, each of which is a subject. What is planned, answered,
checked and balanced goes to --out: records.jsonl (one record a line), cues.json (what was measured) and
frames/<hash>.npy (pixels). benchmarks/instruct_independent.py reads these and recomputes every verifiable answer
without the package. Cues that are in --out already are not measured again.

Run:  MICROGRAPHIA_SAMPLES=../shared/data python benchmarks/instruct.py --out bench-instruct [--per-image 20]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np

from micrographia.cues.cue import Cue, picture
from micrographia.cues.measure import measure
from micrographia.errors import MicrographiaError
from micrographia.instruct.assignment import TASKS, Assignment
from micrographia.instruct.engine.images import pixel_hash
from micrographia.instruct.prompts.render import render
from micrographia.instruct.record import Record, Usage
from micrographia.instruct.shortcut import shortcuts
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.plan import plan
from micrographia.instruct.teachers.cues import CuesTeacher
from micrographia.instruct.verify.check import check
from micrographia.instruct.verify.sets import check_set
from micrographia.read.dispatch import read

FOLDERS = (
    *("optical-meltpool/images", "sem-ebc/images", "sem-nffa/classes", "sem-nffa/counting", "sem-nffa/sizing"),
    *("sem-powder/images", "sem-superalloy/images", "sem-uhcs-spheroidite/images", "tem-loops/images"),
    *("tem-ti-insitu/images", "stem-single-atoms", "stem-wse2-cr", "stem-wse2-ti"),
)
FILES = ("few-shot-chips/a/STO-Ge-HAADF.jpg", "few-shot-chips/b/LaO.png", "few-shot-chips/c/test.tiff")
SUFFIXES = (".png", ".jpg", ".tif", ".tiff", ".dm4")
TILE_PX = 512
LEAST_PX = 96


def images(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    yield from (root / file for file in FILES)


def tiles(frame: np.ndarray) -> Iterator[np.ndarray]:
    """Cut an image into equal tiles of at most 512 px, none overlapping."""
    down, right = (-(-side // TILE_PX) for side in frame.shape)
    for band in np.array_split(frame, down):
        yield from (np.ascontiguousarray(part) for part in np.array_split(band, right, axis=1))


def subjects_of(root: Path, out: Path, *, most: int) -> tuple[list[Subject], float]:
    """Return the tiles as subjects, and the time that measuring took [s]; what is measured is kept after each image."""
    found: dict[str, Subject] = {}
    (out / "frames").mkdir(parents=True, exist_ok=True)
    file = out / "cues.json"
    table = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    spent = 0.0
    for path in images(root):
        try:
            micrograph = read(path)
            whole = picture(micrograph).astype(np.float32)
        except MicrographiaError as error:
            print(f"left out: {error}")
            continue
        before = len(table)
        for tile in islice(tiles(whole), most):
            if min(tile.shape) < LEAST_PX or tile.min() == tile.max():
                continue
            sha = pixel_hash(tile)
            size = micrograph.pixel_size_nm
            if sha not in table:
                start = time.process_time()
                cues = measure(tile, pixel_size_nm=size)
                spent += time.process_time() - start
                np.save(out / "frames" / f"{sha}.npy", tile)
                table[sha] = {"pixel_size_nm": size, "cues": [asdict(cue) for cue in cues]}
            known = tuple(Cue(**cue) for cue in table[sha]["cues"])
            found[sha] = Subject(sha256=sha, frame=tile, pixel_size_nm=size, cues=known)
        if len(table) > before:
            beside = out / "cues.json.part"
            beside.write_text(json.dumps(table), encoding="utf-8")
            beside.replace(file)
    return list(found.values()), spent


async def answered(assignment: Assignment, subjects: list[Subject], teacher: CuesTeacher) -> Record:
    prompt = render(assignment, subjects, shots=0, reasoning=True)
    reply = await teacher.reply(assignment, prompt, subjects)
    checks = check(assignment, reply, subjects)
    return Record(
        id=assignment.id,
        images=assignment.images,
        task=assignment.task,
        question=assignment.question,
        answer_type=assignment.answer_type,
        reasoning=reply.reasoning,
        answer=reply.answer,
        cues=assignment.cues,
        teacher=teacher.name,
        model=teacher.model,
        prompt_sha256=prompt.sha256,
        settings={},
        usage=Usage(),
        checks=checks,
        repaired=False,
        rejected_because="; ".join(f"{one.name}: {one.found}" for one in checks if one.passed is False),
        options=assignment.options,
    )


def table(records: list[Record]) -> None:
    print("| task | records | verified | images a record | rejected: reasons |\n|---|---|---|---|---|")
    for task in TASKS:
        mine = [one for one in records if one.task == task]
        reasons = Counter(one.rejected_because.split(":")[0] for one in mine if not one.verified)
        said = ", ".join(f"{name} {count}" for name, count in reasons.most_common()) or "none"
        width = np.mean([len(one.images) for one in mine]) if mine else 0
        print(f"| {task} | {len(mine)} | {sum(one.verified for one in mine)} | {width:.2f} | {said} |")
    print(f"| all | {len(records)} | {sum(one.verified for one in records)} | | |\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MICROGRAPHIA_SAMPLES", "../shared/data")))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tiles", type=int, default=100, help="most tiles of an image")
    parser.add_argument("--per-image", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    subjects, measuring = subjects_of(given.data, given.out, most=given.tiles)
    by_hash = {subject.sha256: subject for subject in subjects}
    told = f"{measuring:.0f} s for new ones" if measuring else "all measured before"
    print(f"{len(subjects)} tiles; cues: {told}\n")
    start = time.process_time()
    planned = plan(subjects, per_image=given.per_image, seed=given.seed)
    planning = time.process_time() - start

    async def all_of_them() -> list[Record]:
        teacher = CuesTeacher()
        return [await answered(one, [by_hash[sha] for sha in one.images], teacher) for one in planned]

    start = time.process_time()
    records = asyncio.run(all_of_them())
    asking = time.process_time() - start
    start = time.process_time()
    checks = check_set(records)
    records = [checks.judged(one) for one in records]
    whole = time.process_time() - start
    with (given.out / "records.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in records)
    table(records)
    total = planning + asking + whole
    print(
        f"{len(records) / total:.0f} records/s of processor time: plan {planning:.1f} s, prompts, answers, checks "
        f"{asking:.1f} s, the set {whole:.1f} s; {len(records) / len(subjects):.1f} records an image\n"
    )
    print(f"swap consistency: {checks.consistent} of {checks.swaps} sets of images asked about in several orders\n")
    after = checks.after
    yes, no = (after.binary.get(answer, 0) for answer in ("yes", "no"))
    print(f"binary: {yes} yes, {no} no ({100 * (after.yes_share or 0):.1f} % yes)")
    print("choices: " + ", ".join(f"{answer} {count}" for answer, count in sorted(after.choices.items())))
    print(f"questions, word for word: {after.questions}, of which answered unevenly: {after.uneven}\n")
    print("| reader of questions alone | split by | records | accuracy | chance |\n|---|---|---|---|---|")
    for one in shortcuts(records, seed=given.seed):
        accuracy = "none" if one.accuracy is None else f"{100 * one.accuracy:.1f} ± {100 * (one.half_width or 0):.1f} %"
        print(f"| {one.answer_type} | {one.split} | {one.records} | {accuracy} | {100 * one.chance:.1f} % |")


if __name__ == "__main__":
    main()
