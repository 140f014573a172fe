"""Run a job over several files: the others finish when one fails, and the failures are listed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from micrographia.cli.app import fail, stderr
from micrographia.errors import MicrographiaError, OutputError
from micrographia.micrograph import Micrograph
from micrographia.read import read, read_channels
from micrographia.report.overview import BatchEntry, write_index

Job = Callable[[Micrograph, Path, Callable[[str], None]], str]
"""Micrograph, folder and a progress callback in; a one-line headline out."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One scan to work on.

    Parameters
    ----------
    files : tuple of str
        Its file, or one file a channel.
    name : str
        Name of its folder within a batch.
    """

    files: tuple[str, ...]
    name: str


def scans_of(files: Sequence[str], *, channels: bool) -> list[Scan]:
    """Tell scans from channels, and give each scan a folder name of its own.

    Parameters
    ----------
    files : sequence of str
        As on the command line.
    channels : bool
        Whether all files are channels of one scan.

    Examples
    --------
    >>> [s.name for s in scans_of(["a/scan.dm4", "b/scan.dm4", "stack.emd::2"], channels=False)]
    ['scan', 'scan-2', 'stack-2']
    """
    if channels:
        return [Scan(files=tuple(files), name=_stem(files[0]))]
    names: list[str] = []
    for file in files:
        stem, k = _stem(file), 1
        while (name := stem if k == 1 else f"{stem}-{k}") in names:
            k += 1
        names.append(name)
    return [Scan(files=(file,), name=name) for file, name in zip(files, names, strict=True)]


def _stem(file: str) -> str:
    path, _, image = file.partition("::")
    return Path(path).stem + (f"-{image}" if image else "").replace("/", "_")


def run(
    files: Sequence[str],
    *,
    channels: bool,
    out: Path,
    prepare: Callable[[Micrograph], Micrograph],
    job: Job,
    info_bar: bool,
) -> None:
    """Do a job for every scan; exit with status 2 if any of them failed.

    Parameters
    ----------
    files : sequence of str
        As on the command line.
    channels : bool
        Whether all files are channels of one scan.
    out : Path
        Folder for the results; with several scans each has a folder in it, and ``report.html`` lists them.
    prepare : callable
        Lays the user's context over a micrograph.
    job : callable
        The work on one scan.
    info_bar : bool
        As in `read`.

    Raises
    ------
    MicrographiaError
        The only scan failed.
    """
    require_folder(out)
    scans = scans_of(files, channels=channels)
    entries = []
    failed = False
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("", total=len(scans))
        for scan in scans:
            label = " + ".join(Path(f).name for f in scan.files)
            folder = out if len(scans) == 1 else out / scan.name

            def tell(stage: str, label: str = label) -> None:
                progress.update(task, description=f"{label}: {stage}")

            try:
                tell("reading")
                if channels:
                    micrograph = prepare(read_channels(scan.files, info_bar=info_bar))
                else:
                    micrograph = prepare(read(scan.files[0], info_bar=info_bar))
                headline = job(micrograph, folder, tell)
                entries.append(BatchEntry(name=label, folder=scan.name, headline=headline, error=None))
            except MicrographiaError as error:
                if len(scans) == 1:
                    raise
                failed = True
                fail(error)
                entries.append(BatchEntry(name=label, folder=None, headline=None, error=str(error)))
            progress.advance(task)
    if len(scans) == 1:
        print(f"{entries[0].headline}\nreport: {out / 'report.html'}")
        return
    if any(entry.error is None for entry in entries):
        write_index(tuple(entries), out)
    for entry in entries:
        print(f"{entry.name}: {entry.headline if entry.error is None else 'failed: ' + entry.error}")
    if any(entry.error is None for entry in entries):
        print(f"report: {out / 'report.html'}")
    if failed:
        raise typer.Exit(2)


def require_folder(out: Path) -> None:
    """Refuse an impossible folder before the work, not after it."""
    existing = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not existing.is_dir():
        raise OutputError(f"--out is {out}, but {existing} is a file; give a folder, or a name that is free")
    if not os.access(existing, os.W_OK):
        raise OutputError(f"--out is {out}, but {existing} cannot be written to; give another folder")


def naming(error: MicrographiaError, file: str) -> MicrographiaError:
    """Return an error that names the file which it is about; as it is where it does so already.

    Examples
    --------
    >>> str(naming(OutputError("all pixels are equal"), "grains/a.tif"))
    'grains/a.tif: all pixels are equal'
    """
    if Path(file.partition("::")[0]).name in str(error):
        return error
    return type(error)(f"{file}: {error}")
