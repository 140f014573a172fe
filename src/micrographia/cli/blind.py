"""``micrographia library blind`` and ``blind-score``: what an expert says without knowing what is held to be so."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from micrographia.cli.library import LibraryArgument, library
from micrographia.cli.progress import say
from micrographia.errors import InputError


@library.command("blind")
def blind(
    folder: LibraryArgument,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Files of one image each.")],
    criterion: Annotated[str, typer.Option(metavar="ID", help="The criterion.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder for the sheet; the key goes to DIR-key.")],
    seed: Annotated[
        int | None, typer.Option(min=0, help="Shuffle in the same way again; whoever judges must not know it.")
    ] = None,
) -> None:
    """Write images under numbers, shuffled and unlabelled, and a sheet to be filled in."""
    import numpy as np

    from micrographia.qualify.library import criteria, open_library
    from micrographia.qualify.study.blind import write_blind
    from micrographia.report.folder import new_folder

    known = {c.id for c in criteria(open_library(folder))}
    if criterion not in known:
        raise InputError(f"criterion is {criterion!r}; accepted are those of the library: {', '.join(sorted(known))}")
    key = out.parent / f"{out.name}-key"
    if taken := next((p for p in (out, key) if p.exists()), None):
        raise InputError(f"{taken} exists; give a name that is free, so that no two studies are mixed")
    chosen = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    with new_folder(key) as key_draft, new_folder(out) as draft:
        rng = np.random.default_rng(chosen)
        write_blind(images, criterion, sheet=draft, key=key_draft, seed=chosen, rng=rng)
    say(f"{len(images)} images to be judged: {out / 'sheet.csv'}")
    say(f"what they are, for afterwards: {key / 'key.json'}")


@library.command("blind-score")
def blind_score(
    sheet: Annotated[Path, typer.Argument(metavar="SHEET.csv", help="The sheet, filled in.")],
    key: Annotated[Path, typer.Option(metavar="KEY.json", help="What the numbers stand for.")],
    verdicts: Annotated[
        Path | None, typer.Option(metavar="verdicts.json", help="Hold it against the software's verdicts.")
    ] = None,
    references: Annotated[
        Path | None, typer.Option(metavar="LIB", help="Hold it against the references of a library.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Score a filled sheet against the software's verdicts, or against the references of a library."""
    import numpy as np

    from micrographia.qualify.study.blind import SAID, read_key, read_sheet, score_blind

    numbers = read_key(key)
    if verdicts is not None and references is None:
        held = _of_verdicts(verdicts, numbers.criterion)
    elif references is not None and verdicts is None:
        held = _of_references(references, numbers.criterion)
    else:
        raise InputError("say what to hold the sheet against: either --verdicts verdicts.json or --references LIB")
    found = score_blind(read_sheet(sheet), numbers, held, rng=np.random.default_rng(seed))
    if as_json:
        print(json.dumps({"schema": "micrographia/blind-score/1", "seed": seed, **asdict(found)}, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Held to be", *(f"said {word}" for word in SAID), "not said"):
        table.add_column(title, justify="left" if title == "Held to be" else "right")
    for word, row in found.table.items():
        table.add_row(word, *(str(count) for count in row.values()))
    Console(highlight=False, emoji=False).print(table)
    for c in found.coefficients:
        span = "" if c.interval is None else f" (95 %: {c.interval[0]:.3f} to {c.interval[1]:.3f})"
        say(f"{c.name}: {'undefined' if c.value is None else f'{c.value:.3f}'}{span}, of {c.images} decided by both")


def _of_references(folder: Path, criterion: str) -> dict[str, str]:
    from micrographia.qualify.library import open_library, references

    return {r.image_sha256: r.polarity for r in references(open_library(folder), criterion) if r.region == "whole"}


def _of_verdicts(path: Path, criterion: str) -> dict[str, str]:
    try:
        tree: dict[str, Any] = json.loads(path.read_bytes())
        return {s["sha256"]: c["verdict"] for s in tree["samples"] for c in s["criteria"] if c["id"] == criterion}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no file of verdicts; accepted is what `micrographia qualify` wrote") from error
