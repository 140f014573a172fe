"""``micrographia library opine``: what one expert says of images, to study how far experts agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from micrographia.cli.actor import ActorFlag, actor_or_user
from micrographia.cli.app import fail
from micrographia.cli.library import LibraryArgument, library
from micrographia.cli.progress import say
from micrographia.errors import InputError, MicrographiaError


@library.command("opine")
def opine(
    folder: LibraryArgument,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Files; they need not be references.")],
    criterion: Annotated[str, typer.Option(metavar="ID", help="The criterion.")],
    expert: Annotated[str, typer.Option(metavar="NAME", help="Who says so.")],
    accept: Annotated[bool, typer.Option("--accept", help="The expert would accept them.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="The expert would reject them.")] = False,
    actor: ActorFlag = None,
) -> None:
    """Record what an expert says of images; no verdict rests on it, and the expert's newest opinion counts."""
    from micrographia.qualify.library import open_library, record_opinion
    from micrographia.read import read

    if accept == reject:
        raise InputError("say either --accept or --reject, what the expert says of the images")
    opened = open_library(folder, writable=True)
    who = actor_or_user(actor)
    opinion = "accept" if accept else "reject"
    failed = False
    for image in images:
        try:
            sha256 = read(image).provenance.sha256
            if sha256 is None:
                raise InputError(f"{image} is no file whose bytes could be named; accepted is a file of one image")
            record_opinion(opened, criterion, opinion, image_sha256=sha256, file=image.name, expert=expert, actor=who)
            say(f"{image}: {opinion} on {criterion}, says {expert}")
        except MicrographiaError as error:
            if len(images) == 1:
                raise
            failed = True
            fail(error)
    if failed:
        raise typer.Exit(2)
