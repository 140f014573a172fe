"""``micrographia library``: criteria in an expert's own words, and images that were accepted or rejected on them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from micrographia.cli.actor import ActorFlag, actor_or_user
from micrographia.cli.app import app, fail
from micrographia.cli.progress import say
from micrographia.errors import InputError, MicrographiaError

if TYPE_CHECKING:
    from micrographia.qualify.library import Contents, Library, Reference

library = typer.Typer(
    help="Keep criteria, and the images that experts accepted or rejected on them.", no_args_is_help=True
)
app.add_typer(library, name="library")

LibraryArgument = Annotated[Path, typer.Argument(metavar="LIB", help="Folder of the library.")]


@library.command("create")
def create(
    folder: LibraryArgument,
    criteria: Annotated[Path, typer.Option(metavar="YAML", help="File of criteria.")],
    records: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="PostgreSQL database for the records, postgresql+psycopg://USER@HOST/DATABASE; by default an SQLite "
            "file in the folder.",
        ),
    ] = None,
    actor: ActorFlag = None,
) -> None:
    """Create a library with its criteria and without references."""
    from micrographia.qualify.criteria import read_criteria
    from micrographia.qualify.library import create_library

    given = read_criteria(criteria)
    made = create_library(folder, given, actor=actor_or_user(actor), records_url=records)
    say(f"{len(given)} criteri{'a' if len(given) > 1 else 'on'}: {', '.join(c.id for c in given)}")
    say(f"library: {made.folder}")


@library.command("add")
def add(
    folder: LibraryArgument,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Files of one image each.")],
    criterion: Annotated[str, typer.Option(metavar="ID", help="The criterion.")],
    accept: Annotated[bool, typer.Option("--accept", help="They are accepted.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="They are rejected.")] = False,
    text: Annotated[str | None, typer.Option(help="What the expert says of them.")] = None,
    expert: Annotated[str | None, typer.Option(metavar="NAME", help="Who said so.")] = None,
    specimen: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which specimen they show; statistics are by specimen.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Index mask of the region that counts, of one image.")
    ] = None,
    mask_value: Annotated[
        int | None, typer.Option(min=0, max=255, metavar="N", help="Its pixels that count; by default all but 0.")
    ] = None,
    actor: ActorFlag = None,
) -> None:
    """Add images that were accepted or rejected on a criterion."""
    from micrographia.qualify.library import add_references, open_library

    if accept == reject:
        raise InputError("say either --accept or --reject, what the images are on the criterion")
    if mask is not None and len(images) > 1:
        raise InputError(f"--mask was given for {len(images)} images; add them one by one, each with its mask")
    opened = open_library(folder, writable=True)
    who = actor_or_user(actor)
    failed = False
    for image in images:
        try:
            (added,) = add_references(
                opened,
                criterion,
                "accept" if accept else "reject",
                [image],
                actor=who,
                text=text,
                expert=expert,
                specimen=specimen,
                mask=mask,
                mask_value=mask_value,
            )
            say(f"{image}: {added.id}, {added.polarity} on {added.criterion_id}")
        except MicrographiaError as error:
            if len(images) == 1:
                raise
            failed = True
            fail(error)
    if failed:
        raise typer.Exit(2)


@library.command("retire")
def retire(
    folder: LibraryArgument,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="As `list` names it, such as R12.")],
    reason: Annotated[str, typer.Option(help="Why it counts no more.")],
    actor: ActorFlag = None,
) -> None:
    """Have a reference count no more. It is kept, with the date, who said so, and why."""
    from micrographia.qualify.library import open_library, retire_reference

    gone = retire_reference(open_library(folder, writable=True), reference, actor=actor_or_user(actor), reason=reason)
    say(f"{gone.id} ({gone.file}, {gone.polarity} on {gone.criterion_id}) counts no more")


@library.command("amend")
def amend(
    folder: LibraryArgument,
    criteria: Annotated[Path, typer.Option(metavar="YAML", help="File of criteria: changed ones, and new ones.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    actor: ActorFlag = None,
) -> None:
    """Set a new version of criteria, or add criteria; the older versions are kept."""
    from micrographia.qualify.criteria import read_criteria
    from micrographia.qualify.library import open_library, set_criteria

    given = read_criteria(criteria)
    changed = set_criteria(open_library(folder, writable=True), given, actor=actor_or_user(actor), reason=reason)
    for name, version in changed.items():
        say(f"{name}: version {version}")
    if not changed:
        say("the criteria say the same already")


@library.command("list")
def list_references(
    folder: LibraryArgument, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """List criteria and references."""
    from micrographia.qualify.library import contents, open_library, references

    opened = open_library(folder)
    held = contents(opened)
    every = [r for c in held.criteria for r in references(opened, c.id, with_retired=True)]
    if as_json:
        print(json.dumps(_listed(opened, held, every), indent=2, ensure_ascii=False))
        return
    _print_criteria(held)
    _print_references(every)


@library.command("export")
def export(
    folder: LibraryArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder that does not exist, or is empty.")],
) -> None:
    """Write criteria, images and what was said of them to a folder that needs no database."""
    from micrographia.qualify.library import export_library, open_library

    export_library(open_library(folder), out)
    say(f"export: {out}")


@library.command("verify")
def verify(folder: LibraryArgument) -> None:
    """Find any record, image, vector or signature that was altered or removed; the same as `audit verify`."""
    from micrographia.cli.audit import print_verification

    print_verification(folder)


def _listed(opened: Library, held: Contents, every: list[Reference]) -> dict[str, object]:
    return {
        "schema": "micrographia/library-list/1",
        "library": {"id": opened.id, "path": str(opened.folder), "records": opened.records, "version": held.version},
        "criteria": [asdict(c) for c in held.criteria],
        "references": [asdict(r) for r in every],
    }


def _print_criteria(held: Contents) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("Criterion", "Title", "Accepted", "Rejected", "Specimens"):
        table.add_column(title, justify="right" if title in ("Accepted", "Rejected", "Specimens") else "left")
    for criterion in held.criteria:
        found = held.references[criterion.id]
        counts = [str(sum(r.polarity == polarity for r in found)) for polarity in ("accept", "reject")]
        specimens = {r.specimen for r in found} - {None}
        table.add_row(criterion.id, escape(criterion.title), *counts, str(len(specimens)))
    Console(highlight=False, emoji=False).print(table)


def _print_references(every: list[Reference]) -> None:
    if not every:
        say("\nno references yet: add some with `micrographia library add`")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Reference", "Criterion", "Is", "Image", "Region", "Specimen", "Expert", "Added"):
        table.add_column(title, overflow="fold")
    for r in every:
        stand = r.polarity if r.retired is None else f"retired ({r.polarity})"
        value = "" if r.mask_value is None else f" = {r.mask_value}"
        cells = (r.file, f"{r.mask_file}{value}" if r.mask_file else "", r.specimen or "", r.expert or "")
        table.add_row(r.id, r.criterion_id, stand, *map(escape, cells), r.added_at[:10])
    console = Console(highlight=False, emoji=False)
    console.print()
    console.print(table)
