"""``micrographia qualify``: samples against the criteria of a library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from micrographia.cli.actor import ActorFlag, actor_or_user
from micrographia.cli.app import app, fail, stderr
from micrographia.cli.batch import require_folder
from micrographia.cli.flags import NoInfoBarFlag, OutFlag
from micrographia.cli.progress import bar, say
from micrographia.embed.choose import DEFAULT_SEES
from micrographia.errors import IntegrityError, LibraryError, MicrographiaError

if TYPE_CHECKING:
    from micrographia.qualify.library import Library
    from micrographia.qualify.prepare import Prepared
    from micrographia.report.qualification import Qualified


@app.command("qualify")
def qualify(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Images of any size, or FILE::image.")],
    library: Annotated[Path, typer.Option("--library", metavar="LIB", help="Folder of the library.")],
    out: OutFlag,
    alpha: Annotated[float, typer.Option(metavar="A", help="Share of decisions that may be wrong.")] = 0.05,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"What compares images; `embed --list` shows them. Repeat for more. [{DEFAULT_SEES}]"
        ),
    ] = None,
    criterion: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this criterion. Repeat for more; by default all.")
    ] = None,
    allow_known: Annotated[
        bool, typer.Option("--allow-known", help="Go on with samples that are among the references.")
    ] = False,
    no_map: Annotated[
        bool, typer.Option("--no-map", help="Do not map where the evidence lies, which is faster.")
    ] = False,
    actor: ActorFlag = None,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Accept, reject or abstain, criterion by criterion, with the references that it rests on."""
    from micrographia.qualify.prepare import prepare
    from micrographia.qualify.settings import QualifySettings
    from micrographia.report.qualification import headline, write_qualification

    require_folder(out)
    who = actor_or_user(actor)
    settings = QualifySettings(
        alpha=alpha,
        encoders=tuple(dict.fromkeys(encoder)) if encoder else (DEFAULT_SEES,),
        allow_known=allow_known,
        where=not no_map,
        criteria=tuple(dict.fromkeys(criterion)) if criterion else None,
    )
    opened, unwritable = _opened(library)
    with bar("references") as tell:
        prepared = prepare(opened, settings=settings, actor=who, progress=tell)
    done, failures = _qualified(files, prepared, info_bar=not no_info_bar)
    if done:
        raw = write_qualification(done, prepared.library, prepared.contents, out, failures=failures)
        for sample in done:
            say(f"{sample.result.file}: {headline(sample.result)}")
        say(f"report: {out / 'report.html'}")
        _record(opened, raw, unwritable, actor=who)
    if failures:
        raise typer.Exit(2)


def _opened(folder: Path) -> tuple[Library, str | None]:
    """Open a library to be written to, or else to be read; return why it cannot be written to."""
    from micrographia.qualify.library import open_library

    try:
        return open_library(folder, writable=True), None
    except IntegrityError:
        raise
    except LibraryError as error:
        return open_library(folder), str(error)


def _qualified(files: list[str], prepared: Prepared, *, info_bar: bool) -> tuple[list[Qualified], list[str]]:
    """Qualify samples; those that cannot be are told among the failures, unless it is the only one."""
    from micrographia.qualify.qualify import qualify as qualify_sample
    from micrographia.read import read
    from micrographia.report.qualification import qualified

    done: list[Qualified] = []
    failures: list[str] = []
    with bar("samples") as tell:
        for k, file in enumerate(files):
            tell(k, len(files), Path(file).name)
            try:
                found = qualify_sample(read(file, info_bar=info_bar), prepared)
                done.append(qualified(found, prepared.library, prepared.contents))
            except MicrographiaError as error:
                if len(files) == 1:
                    raise
                failures.append(str(error))
                fail(error)
        tell(len(files), len(files))
    return done, failures


def _record(library: Library, raw: bytes, unwritable: str | None, *, actor: str) -> None:
    """Record verdicts in the library, or say why it could not."""
    from micrographia.qualify.library import record_verdicts

    if unwritable is None:
        return record_verdicts(library, raw, actor=actor)
    message = f"the verdicts were written but not recorded, so they cannot be signed: {unwritable}"
    return stderr.print(f"micrographia: {message}", markup=False)
