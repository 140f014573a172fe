"""The application: its command families, and how errors leave it."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer
from rich.console import Console

from micrographia import __version__
from micrographia.errors import MicrographiaError

app = typer.Typer(
    name="micrographia",
    help="Read a micrograph together with its context, and answer with evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def _print_version(value: bool) -> None:
    if value:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")] = False,
) -> None:
    """Hold the options that every command shares."""


def fail(error: Exception) -> None:
    """Print one plain line on stderr; with ``-v`` anywhere on the command line, the traceback before it."""
    if {"-v", "--verbose"} & set(sys.argv[1:]):
        traceback.print_exception(error)
    stderr.print(f"micrographia: {' '.join(str(error).split())}", markup=False)


def main() -> None:
    """Run the command line; exit with 2 on bad input."""
    from micrographia.cli import info  # noqa: F401  (registers its commands)

    arguments = [a for a in sys.argv[1:] if a not in ("-v", "--verbose")]
    try:
        app(args=arguments)
    except MicrographiaError as error:
        fail(error)
        sys.exit(2)
