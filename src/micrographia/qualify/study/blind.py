"""A blind study: images under neutral names in random order, and what an expert said of them scored afterwards."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from micrographia.errors import InputError
from micrographia.qualify.study.agreement import Coefficient, Ratings, coefficients_of
from micrographia.read import read

SHEET_COLUMNS: Final = ("number", "verdict", "note")
SAID: Final = ("accept", "reject", "abstain")
_KEY_SCHEMA: Final = "micrographia/blind-key/1"
_SHOWN: Final = (0.1, 99.9)
_MOST: Final = 999


class _Entry(BaseModel):
    """Which image has a number."""

    model_config = ConfigDict(extra="forbid", strict=True)

    number: str
    file: str
    sha256: str


class Key(BaseModel):
    """What the numbers of a blind sheet stand for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: str = Field(default=_KEY_SCHEMA, alias="schema", pattern=f"^{_KEY_SCHEMA}$")
    criterion: str
    seed: int
    images: tuple[_Entry, ...] = Field(strict=False)


@dataclass(frozen=True, kw_only=True)
class BlindScore:
    """What was said blindly against what is held to be so.

    Parameters
    ----------
    criterion : str
        The criterion.
    images : int
        Images on the sheet.
    table : mapping of str to mapping of str to int
        Images by what is held to be so (accept, reject, abstain, unknown) and what was said (accept, reject, abstain,
        empty).
    coefficients : tuple of Coefficient
        Percent agreement, Krippendorff's alpha and Cohen's kappa over images that both accept or reject.
    """

    criterion: str
    images: int
    table: Mapping[str, Mapping[str, int]]
    coefficients: tuple[Coefficient, ...]


def write_blind(
    images: Sequence[Path], criterion: str, *, sheet: Path, key: Path, seed: int, rng: np.random.Generator
) -> None:
    """Write images in random order under numbers, with an empty sheet; what the numbers stand for goes elsewhere.

    Pictures are 8-bit grey PNG without metadata; the 0.1 % darkest and brightest pixels are black and white.

    Parameters
    ----------
    images : sequence of Path
        Files of one image each.
    criterion : str
        Id of the criterion that is asked for.
    sheet : Path
        Existing folder, for ``001.png`` and so on, and ``sheet.csv``.
    key : Path
        Existing folder, for ``key.json``.
    seed : int
        What ``rng`` was made from, for the key.
    rng : numpy.random.Generator
        Shuffles the images.

    Raises
    ------
    InputError
        An image is there twice, or there are more than 999.
    ReadError
        An image cannot be read.
    """
    if len(images) > _MOST:
        raise InputError(f"there are {len(images)} images; accepted are up to {_MOST} on a sheet")
    entries: list[_Entry] = []
    for k, at in enumerate(rng.permutation(len(images))):
        micrograph = read(images[at])
        sha256 = micrograph.provenance.sha256 or ""
        if twin := next((e.file for e in entries if e.sha256 == sha256), None):
            raise InputError(f"{images[at]} and {twin} are the same image; give it once")
        number = f"{k + 1:03}"
        Image.fromarray(_picture(micrograph.frames[0])).save(sheet / f"{number}.png")
        entries.append(_Entry(number=number, file=str(images[at]), sha256=sha256))
    with (sheet / "sheet.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([SHEET_COLUMNS, *((e.number, "", "") for e in entries)])
    held = Key(criterion=criterion, seed=seed, images=tuple(entries), schema=_KEY_SCHEMA)
    text = json.dumps(held.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False)
    (key / "key.json").write_text(text + "\n", encoding="utf-8")


def read_key(path: Path) -> Key:
    """Read what the numbers of a sheet stand for.

    Raises
    ------
    InputError
        It is no key of a blind sheet.
    """
    try:
        return Key.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(
            f"{path} is no key of a blind sheet; accepted is the key.json that was written with it"
        ) from error


def read_sheet(path: Path) -> dict[str, str]:
    """Return what was said, by number; an empty text where nothing was.

    Raises
    ------
    InputError
        The file is no sheet, a number is there twice, or a verdict is another word.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}); accepted is a filled sheet.csv") from error
    said: dict[str, str] = {}
    for row in rows:
        number, verdict = row.get("number"), (row.get("verdict") or "").strip().lower()
        if not number:
            raise InputError(f"{path} has a row without a number; accepted are the columns {', '.join(SHEET_COLUMNS)}")
        number = number.strip().zfill(3)  # spreadsheets take 001 for 1
        if number in said:
            raise InputError(f"{path} has number {number} twice; accepted is one row an image")
        if verdict not in ("", *SAID):
            raise InputError(f"{path} says {verdict!r} of {number}; accepted is {', '.join(SAID)}, or nothing")
        said[number] = verdict
    return said


def score_blind(said: Mapping[str, str], key: Key, held: Mapping[str, str], *, rng: np.random.Generator) -> BlindScore:
    """Hold what was said blindly against what is held to be so.

    Parameters
    ----------
    said : mapping of str to str
        What `read_sheet` returns.
    key : Key
        What the numbers stand for.
    held : mapping of str to str
        By SHA-256 of an image, accept, reject or abstain.
    rng : numpy.random.Generator
        Draws the bootstrap.

    Raises
    ------
    InputError
        Sheet and key have other numbers, or nothing is held of any image.
    """
    if set(said) != {e.number for e in key.images}:
        raise InputError(
            f"the sheet has {len(said)} numbers and the key {len(key.images)}, or other ones; are they of one study?"
        )
    if not any(e.sha256 in held for e in key.images):
        raise InputError(f"nothing is known of any image of the sheet on criterion {key.criterion}; give what has them")
    pairs = [(held.get(e.sha256, "unknown"), said[e.number] or "empty") for e in key.images]
    tally = Counter(pairs)
    labels = {"reject": 0, "accept": 1}
    both = [(labels[a], labels[b]) for a, b in pairs if a in labels and b in labels]
    ratings = Ratings(experts=("held", "said"), said=np.array(both, dtype=int).reshape(len(both), 2))
    return BlindScore(
        criterion=key.criterion,
        images=len(pairs),
        table={a: {b: tally[a, b] for b in (*SAID, "empty")} for a in (*SAID, "unknown")},
        coefficients=coefficients_of(ratings, rng=rng),
    )


def _picture(frame: Float32[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    low, high = np.percentile(frame, _SHOWN)
    grey: UInt8[np.ndarray, "height width"] = (
        (((frame - low) / ((high - low) or 1.0)).clip(0, 1) * 255).round().astype(np.uint8)
    )
    return grey
