"""The application: its command families, and how errors leave it."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer
from rich.console import Console

from micrographia import __version__
from micrographia.errors import MicrographiaError

# Threads that spin while they wait are far slower than one where cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

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


_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
"""What Typer raises for a wrong command line; it does not export the class itself."""


def fail(error: Exception) -> None:
    """Print one plain line on stderr; with ``-v`` anywhere on the command line, the traceback before it."""
    if {"-v", "--verbose"} & set(sys.argv[1:]):
        traceback.print_exception(error)
    stderr.print(f"micrographia: {' '.join(_message(error).split())}", markup=False)


def _message(error: Exception) -> str:
    """Return what an error says; a wrong command line says more through its ``format_message``."""
    return str(getattr(error, "format_message", error.__str__)())


def main() -> None:
    """Run the command line; exit with 2 on bad input."""
    from micrographia.cli import (  # noqa: F401  (they register)
        analyse,
        audit,
        blind,
        classify,
        compare,
        dataset,
        defects,
        embed,
        info,
        instruct,
        library,
        opine,
        qualify,
        samples,
        segment,
        sign,
        simulate,
        study,
        train,
        train_classifier,
        train_fusion,
    )
    from micrographia.cli.flags import fold_pairs

    arguments = [a for a in sys.argv[1:] if a not in ("-v", "--verbose")]
    try:
        status = app(args=fold_pairs(arguments), standalone_mode=False)
    except MicrographiaError as error:
        fail(error)
        sys.exit(2)
    except _USAGE_ERROR as error:
        if _message(error):  # without arguments the help was printed already, and there is no message
            fail(error)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        stderr.print("micrographia: interrupted; nothing half-written was left", markup=False)
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)
