"""``micrographia audit``: hold a library against its audit chain, and write the chain for an assessor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from micrographia.cli.app import app, fail
from micrographia.cli.progress import say
from micrographia.errors import IntegrityError

audit = typer.Typer(help="Check what was recorded, and write it for an assessor.", no_args_is_help=True)
app.add_typer(audit, name="audit")

LibraryArgument = Annotated[Path, typer.Argument(metavar="LIB", help="Folder of the library.")]


@audit.command("verify")
def verify(
    folder: LibraryArgument,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="Hash of an entry that was written down elsewhere; it must still be there."),
    ] = None,
    verdicts: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A verdicts.json whose signatures are checked too. Repeat for more."),
    ] = None,
) -> None:
    """Find any record, image, vector or signature that was altered, removed, added or moved."""
    print_verification(folder, head=head, verdicts=verdicts or [])


@audit.command("export")
def export(
    folder: LibraryArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File for the audit chain, ending in .json or .csv.")],
) -> None:
    """Write all that was done, by whom, when, and who checked it (ISO/IEC 17025, 7.5)."""
    from micrographia.qualify.library import audit_trail, open_library, verify_library
    from micrographia.report.audit import audit_result, write_audit

    opened = open_library(folder)
    found = verify_library(opened)
    steps = audit_trail(opened)
    write_audit(audit_result(steps, library_id=opened.id, findings=found.findings), out)
    say(f"{len(steps)} entries: {out}")
    _tell(found.findings)


def print_verification(folder: Path, *, head: str | None = None, verdicts: list[Path] | None = None) -> None:
    """Verify a library and print what was found; exit with 2 if anything is not as it was written.

    Parameters
    ----------
    folder : Path
        Of the library.
    head : str, optional
        Hash of an entry that must be in the chain.
    verdicts : list of Path, optional
        Verdict files whose signatures are checked too.
    """
    from micrographia.qualify.library import open_library, verify_library
    from micrographia.qualify.sign import verify_signatures

    opened = open_library(folder)
    found = verify_library(opened, known_head=head)
    findings = [*found.findings, *(line for file in verdicts or [] for line in verify_signatures(file, library=folder))]
    _tell(findings)
    newest = "" if found.head is None else f"\nnewest entry: {found.head.sequence} {found.head.hash}"
    say(f"clean: {found.entries} entries, {found.files} files{newest}")


def _tell(findings: list[str] | tuple[str, ...]) -> None:
    for line in findings:
        fail(IntegrityError(line))
    if findings:
        raise typer.Exit(2)
