"""The corpus of `benchmarks/language.py`: records, which file each image was cut from, and what was measured on it.

Written are ``records.parquet``, ``fields.csv`` and ``cues.csv``.

With --instruct, it is what `benchmarks/instruct.py --out INSTRUCT` left. Without, a made-up one stands in: what
`describe` measures on tiles of micrographs, in several wordings.

Run:  python benchmarks/language_corpus.py --data ../shared/data --instruct INSTRUCT --out CORPUS
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from micrographia.cues.cue import Cue
from micrographia.embed.describe import CUE_NAMES, Description, describe, vector_of
from micrographia.errors import MicrographiaError
from micrographia.read import read

SIDE_PX = 256
MOST_TILES = 6
SUFFIXES = (".png", ".jpg", ".tif", ".tiff", ".dm4")

# What is asked, what has the value, and wordings; {v} is the value with its unit, {g} a grade.
GRADES = {
    "dark lines": ((0.01, "no"), (1.0, "hardly any"), (4.0, "some"), (1e9, "a lot of")),
    "bright lines": ((0.01, "no"), (1.0, "hardly any"), (4.0, "some"), (1e9, "a lot of")),
    "edges": ((15.0, "few"), (35.0, "a fair number of"), (1e9, "plenty of")),
    "grain size": ((5.0, "very fine"), (9.0, "fine"), (16.0, "coarse"), (1e9, "very coarse")),
    "anisotropy": ((0.1, "no preferred"), (0.3, "a weakly preferred"), (1e9, "a strongly preferred")),
    "dark share": ((30.0, "a small part"), (45.0, "less than half"), (55.0, "about half"), (1e9, "most")),
    "dark particles": ((1.0, "no"), (150.0, "a few"), (450.0, "many"), (1e9, "very many")),
    "bright particles": ((1.0, "no"), (150.0, "a few"), (450.0, "many"), (1e9, "very many")),
    "grey spread": ((0.18, "low"), (0.25, "medium"), (1e9, "high")),
    "grey skewness": ((-0.5, "mainly bright"), (0.5, "balanced"), (1e9, "mainly dark")),
}
WORDINGS = {
    "dark lines": ("One finds {g} narrow dark lines, {v}.", "There are {g} fine dark streaks (density {v})."),
    "bright lines": ("One finds {g} narrow bright lines, {v}.", "There are {g} fine bright streaks (density {v})."),
    "edges": ("The micrograph has {g} contours, {v}.", "With an edge density of {v}, {g} borders are visible."),
    "grain size": ("Its texture is {g}: features measure {v}.", "Typical structures are {v} in size, which is {g}."),
    "anisotropy": ("There is {g} orientation (anisotropy {v}).", "Anisotropy is {v}, hence {g} direction."),
    "dark share": ("Dark regions take up {g} of the area, {v}.", "{v} of the pixels are dark, that is {g} of them."),
    "dark particles": ("It contains {g} isolated dark spots, {v}.", "Dark inclusions: {g}, at a density of {v}."),
    "bright particles": ("It contains {g} isolated bright spots, {v}.", "Bright inclusions: {g}, at a density of {v}."),
    "grey spread": ("The contrast is {g}, with a spread of {v}.", "Grey values spread by {v}, so contrast is {g}."),
    "grey skewness": ("Tones are {g} (skewness {v}).", "The histogram has skewness {v} and is {g}."),
}
QUESTIONS = {
    "dark lines": "How dense are narrow dark lines?",
    "edges": "What is the edge density?",
    "grain size": "How large are typical features of the texture?",
    "anisotropy": "How anisotropic is the structure?",
    "dark share": "Which share of the image is dark?",
    "dark particles": "How densely are isolated dark spots spread?",
}


def said(cue: Cue, wording: str) -> str:
    value = cue.value or 0.0
    grade = next(word for limit, word in GRADES[cue.name] if value <= limit)
    text = wording.format(g=grade, v=f"{value:.2g} {cue.unit}".strip())
    return text[0].upper() + text[1:]


def tiles(folder: Path, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the file and the pixels of some tiles of every image that is no mask."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES):
        if {"masks", "formats", "labels"} & set(path.parts):
            continue
        try:
            frame = read(path).frames[0]
        except MicrographiaError:
            continue
        corners = [
            (top, left)
            for top in range(0, frame.shape[0] - SIDE_PX + 1, SIDE_PX)
            for left in range(0, frame.shape[1] - SIDE_PX + 1, SIDE_PX)
        ]
        for k in rng.permutation(len(corners))[:MOST_TILES]:
            top, left = corners[k]
            tile = frame[top : top + SIDE_PX, left : left + SIDE_PX]
            if tile.min() < tile.max():
                yield str(path.relative_to(folder)), tile


def records_of(image: str, found: Description, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Yield what is said about one image: a description, two in other words, and answers with reasons."""
    known = {cue.name: cue for cue in found.cues}
    base = {"images": [image], "teacher": "made up", "verified": True, "rejected_because": ""}

    def record(task: str, question: str, reasoning: str, answer: str, kind: str, cues: list[str]) -> dict[str, object]:
        name = hashlib.sha256(f"{image}{question}{answer}".encode()).hexdigest()[:24]
        parts = {"id": name, "task": task, "question": question, "reasoning": reasoning, "answer": answer}
        return {**base, **parts, "answer_type": kind, "cues": cues}

    yield record("description", "Describe the micrograph.", "", found.text, "text", list(known))
    for which in (0, 1):
        names = [str(n) for n in rng.permutation(list(WORDINGS))[: int(rng.integers(4, 8))]]
        text = " ".join(said(known[n], WORDINGS[n][which]) for n in names)
        yield record("description", "What does the image show, in other words?", "", text, "text", names)
    for name in (str(n) for n in rng.permutation(list(QUESTIONS))[:4]):
        reason = said(known[name], WORDINGS[name][int(rng.integers(2))])
        yield record("sizing", QUESTIONS[name], reason, f"{known[name].value or 0.0:.2g}", "number", [name])


def write_table(path: Path, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(heads)
        writer.writerows(rows)


def write_corpus(data: Path, out: Path, *, seed: int = 0) -> None:
    """Write the corpus, and which file each image was cut from."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    fields: list[tuple[str, str]] = []
    measured: list[tuple[str, str, float]] = []
    for file, frame in tiles(data, rng):
        image = hashlib.sha256(frame.tobytes()).hexdigest()
        fields.append((image, file))
        found = describe(frame)
        measured += [(image, n, float(v)) for n, v in zip(CUE_NAMES, vector_of(found.cues), strict=True)]
        rows += records_of(image, found, rng)
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), out / "records.parquet")
    write_table(out / "fields.csv", ("image", "field"), fields)
    write_table(out / "cues.csv", ("image", "cue", "value"), measured)
    print(f"{len(rows)} records about {len(fields)} tiles of {len({f for _, f in fields})} files: {out}")


def take_over(data: Path, instruct: Path, out: Path) -> None:
    """Write the records of `benchmarks/instruct.py` as the corpus."""
    import instruct as generated
    from micrographia.cues.cue import picture
    from micrographia.instruct.engine.images import pixel_hash

    rows = []
    with (instruct / "records.jsonl").open(encoding="utf-8") as handle:
        for line in handle:
            found = json.loads(line)
            kept = ("id", "images", "task", "question", "reasoning", "answer", "answer_type", "cues", "teacher")
            because = found["rejected_because"]
            rows.append({**{n: found[n] for n in kept}, "verified": not because, "rejected_because": because})
    measured = json.loads((instruct / "cues.json").read_text(encoding="utf-8"))
    fields = []
    for path in generated.images(data):
        try:
            whole = picture(read(path)).astype(np.float32)
        except MicrographiaError:
            continue
        fields += [(pixel_hash(tile), str(path.relative_to(data))) for tile in generated.tiles(whole)]
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), out / "records.parquet")
    write_table(out / "fields.csv", ("image", "field"), [pair for pair in fields if pair[0] in measured])
    told = [
        (image, cue["name"], scaled(cue["value"]))
        for image, found in measured.items()
        for cue in found["cues"]
        # Of lengths in nm and in px the same cue would be two quantities.
        if cue["value"] is not None and cue["unit"] not in ("nm", "px")
    ]
    write_table(out / "cues.csv", ("image", "cue", "value"), told)
    print(f"{len(rows)} records, {sum(r['verified'] for r in rows)} verified, about {len(measured)} tiles: {out}")


def scaled(value: float) -> float:
    """Return a value of a cue on a scale on which many orders of magnitude fit: asinh."""
    return float(np.arcsinh(value))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--instruct", type=Path, help="Folder that benchmarks/instruct.py wrote.")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.instruct is None:
        write_corpus(options.data, options.out)
    else:
        take_over(options.data, options.instruct, options.out)


if __name__ == "__main__":
    main()
