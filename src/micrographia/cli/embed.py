"""``micrographia embed``: images as vectors and as words, and which encoders there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from micrographia.cli.app import app, fail, stderr
from micrographia.cli.batch import require_folder, scans_of
from micrographia.cli.flags import NoInfoBarFlag
from micrographia.cli.progress import bar, say
from micrographia.embed.choose import DEFAULT_SEES, ENCODERS
from micrographia.errors import InputError, MicrographiaError, OutputError


@app.command("embed")
def embed(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE...]", help="Images of any size, or FILE::image.")
    ] = None,
    encoder: Annotated[
        str, typer.Option("--encoder", metavar="NAME", help="What makes the vectors; --list shows what there is.")
    ] = DEFAULT_SEES,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results.")] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the encoders with their licences and cautions, and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: print JSON.")] = False,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Embed images: for each a vector of the whole and one of each patch, and its texture in words."""
    if list_:
        if files:
            raise InputError("--list was given with files; give one or the other")
        return _list(as_json=as_json)
    if as_json:
        raise InputError("--json was given without --list; results are written as JSON into --out anyway")
    if not files:
        raise InputError("no file was given; accepted is `micrographia embed FILE... --out DIR`, or --list")
    if out is None:
        raise InputError("--out was not given; say which folder the vectors shall go to")
    return _embed(files, encoder, out, info_bar=not no_info_bar)


def _embed(files: list[str], name: str, out: Path, *, info_bar: bool) -> None:
    from micrographia.cli.fields import read_field
    from micrographia.embed.cache import cached_embeddings
    from micrographia.embed.choose import load_embedder
    from micrographia.embed.describe import describe
    from micrographia.report.embedded import vectors_file, write_embeddings, write_vectors

    require_folder(out)
    scans = scans_of(files, channels=False)
    written = {(out / vectors_file(scan.name)).resolve() for scan in scans}
    if over := [f for f in files if Path(f.partition("::")[0]).resolve() in written]:
        raise OutputError(f"--out is {out}, where vectors would be written over {over[0]}; give another folder")
    model = load_embedder(name)
    if not model.sees:
        raise InputError(f"encoder {model.name} does not see images; accepted is one that does, see --list")
    entries, failed = [], False

    def note(line: str) -> None:
        stderr.print(f"micrographia: {line}", markup=False)

    try:
        with bar("images") as tell:
            for k, scan in enumerate(scans):
                tell(k, len(scans), scan.name)
                try:
                    micrograph = read_field(scan.files[0], pixel_size_nm=None, info_bar=info_bar)
                    frame = micrograph.frames[0]
                    (vectors,) = cached_embeddings(model, [frame], note=note)
                    entries.append(write_vectors(micrograph, vectors, describe(frame), name=scan.name, out=out))
                except MicrographiaError as error:
                    if len(scans) == 1:
                        raise
                    failed = True
                    fail(error)
            tell(len(scans), len(scans))
    finally:  # an interrupted batch lists what it has done
        if entries:
            write_embeddings(entries, model, out)
    for entry in entries:
        rows, columns, _ = entry.patches
        say(f"{entry.scan.file}: {entry.dimension} numbers, {rows} x {columns} patches. {entry.description}")
    if entries:
        say(f"vectors: {out}")
    if failed:
        raise typer.Exit(2)


def _list(*, as_json: bool) -> None:
    if as_json:
        from micrographia.report.embedded import encoders_json

        return say(encoders_json())
    for kind in ENCODERS:
        does = " and ".join(word for word, can in (("sees", kind.sees), ("reads", kind.reads)) if can)
        together = ", texts compare with images" if kind.shared_space else ""
        say(f"{kind.example}\n    {does}{together}; licence {kind.licence}\n    {kind.caution}")
    return say("Weights of kinds with a colon are never downloaded: `hf download NAME` gets them; a folder will do.")
