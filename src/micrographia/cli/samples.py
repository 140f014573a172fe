"""``micrographia samples``: list and fetch openly licensed micrographs to try things on."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from micrographia.cli.app import app
from micrographia.errors import OutputError, ReadError
from micrographia.read.samples import Sample, SampleFile, file_path, registry

samples = typer.Typer(help="List and fetch openly licensed micrographs to try things on.", no_args_is_help=True)
app.add_typer(samples, name="samples")


@samples.command("list")
def list_samples() -> None:
    """List the samples: size, licence, source."""
    table = Table(box=None, pad_edge=False)
    for title in ("Name", "kB", "Licence", "Source", "What"):
        table.add_column(title, overflow="fold", no_wrap=title in ("Name", "Licence"))
    for sample in registry().values():
        size = sum(f.bytes for f in sample.files) / 1000
        source = f"{sample.repository} @ {sample.commit}"
        table.add_row(sample.name, f"{size:,.0f}", sample.licence, escape(source), escape(sample.description))
    Console(highlight=False, emoji=False).print(table)


@samples.command("fetch")
def fetch(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A sample; all of them by default.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Copy to this folder; by default, cache.")] = None,
) -> None:
    """Fetch a sample: from $MICROGRAPHIA_SAMPLES, the cache, or the network; hashes are checked."""
    if name is not None and name not in registry():
        raise ReadError(f"there is no sample {name!r}; accepted is one of {', '.join(registry())}")
    wanted = [registry()[name]] if name is not None else list(registry().values())
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    failures = []
    for sample in wanted:
        try:
            _fetch(sample, out=out, console=console)
        except ReadError as error:
            if name is not None:
                raise
            failures.append(f"{sample.name}: {error}")
    if failures:
        raise ReadError(f"{len(failures)} of {len(wanted)} samples could not be fetched: {'; '.join(failures)}")


def _fetch(sample: Sample, *, out: Path | None, console: Console) -> None:
    console.print(f"{sample.name}: {escape(sample.copyright)}, {sample.licence}, {sample.repository} @ {sample.commit}")
    if sample.caution:
        console.print(f"  caution: {escape(sample.caution)}")
    for file in sample.files:
        try:
            found = file_path(file)
        except ReadError as error:
            if file.needed:
                raise
            console.print(f"  without {file.path}: {escape(str(error))}")
            continue
        console.print(f"  {escape(str(found if out is None else _copy(found, out, file)))}")


def _copy(source: Path, out: Path, file: SampleFile) -> Path:
    target = out / file.path
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, draft)
            os.replace(draft, target)  # noqa: PTH105 - the one-step replacement is the point
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}; give a folder that can be written to"
        ) from error
    return target
