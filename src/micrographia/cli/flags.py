"""The context flags, the same for every command, and how they meet what a file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from micrographia.context import Angles, Context
from micrographia.errors import ContextError
from micrographia.micrograph import Micrograph
from micrographia.read import GivenContext, read_context

_PAIRS: Final = (
    *("--collection-mrad", "--size-nm", "--drift-px"),
    *("--astigmatism2-nm", "--astigmatism3-nm", "--coma-nm"),
)
"""Options that take two numbers. Typer knows no repeatable option of two, so they are joined by a comma."""

EnergyFlag = Annotated[float | None, typer.Option("--energy-kev", help="Beam energy [keV].")]
ConvergenceFlag = Annotated[
    float | None, typer.Option("--convergence-mrad", help="Convergence semi-angle of the probe [mrad].")
]
CollectionFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--collection-mrad",
        metavar="INNER OUTER",
        help="Collection semi-angles [mrad]; repeat once a channel, in order.",
    ),
]
PixelSizeFlag = Annotated[float | None, typer.Option("--pixel-size-nm", help="Edge of a pixel [nm].")]
DoseFlag = Annotated[float | None, typer.Option("--dose", help="Electron dose [e/Å²].")]
HostFlag = Annotated[str | None, typer.Option("--host", help="Formula of the host material, for example WSe2.")]
DopantFlag = Annotated[list[str] | None, typer.Option("--dopant", help="Chemical symbol of a dopant; repeat for more.")]
ContextFlag = Annotated[
    Path | None, typer.Option("--context", metavar="CONTEXT.yaml", help="File with context values, YAML or JSON.")
]
NoInfoBarFlag = Annotated[
    bool,
    typer.Option("--no-info-bar", help="Take a bar of print burnt into the picture for a part of it; do not read it."),
]
OutFlag = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")]


def fold_pairs(arguments: Sequence[str]) -> list[str]:
    """Join the two numbers behind each option that takes a pair.

    Parameters
    ----------
    arguments : sequence of str
        Command line.

    Examples
    --------
    >>> fold_pairs(["scan", "--collection-mrad", "70", "200", "--dose", "1e5"])
    ['scan', '--collection-mrad', '70,200', '--dose', '1e5']
    """
    folded: list[str] = []
    rest = list(arguments)
    while rest:
        folded.append(rest.pop(0))
        if folded[-1] in _PAIRS and len(rest) >= 2 and _is_number(rest[0]) and _is_number(rest[1]):
            folded.append(f"{rest.pop(0)},{rest.pop(0)}")
    return folded


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_pair(text: str, *, option: str) -> tuple[float, float]:
    """Return the two numbers of a folded pair.

    Parameters
    ----------
    text : str
        Two numbers with a comma between them.
    option : str
        Its option, for the message.

    Raises
    ------
    ContextError
        It is not two numbers.

    Examples
    --------
    >>> parse_pair("70,200", option="--collection-mrad")
    (70.0, 200.0)
    """
    parts = text.split(",")
    if len(parts) != 2 or not all(_is_number(part) for part in parts):
        raise ContextError(f"{option} got {text!r}; accepted is two numbers, for example {option} 70 200")
    return float(parts[0]), float(parts[1])


def collection_from(flags: list[str] | None) -> tuple[Angles, ...] | None:
    """Return the detector angles given by repeated flags, or None.

    Parameters
    ----------
    flags : list of str, optional
        Folded pairs.
    """
    return tuple(parse_pair(f, option="--collection-mrad") for f in flags) if flags else None


def given(
    *,
    file: Path | None,
    energy_kev: float | None,
    convergence_mrad: float | None,
    collection_mrad: list[str] | None,
    pixel_size_nm: float | None,
    dose: float | None,
    host: str | None,
    dopant: list[str] | None,
) -> GivenContext:
    """Return everything that the user said: the context file, and over it the flags.

    Parameters
    ----------
    file : Path, optional
        Context file.
    energy_kev, convergence_mrad, collection_mrad, pixel_size_nm, dose, host, dopant
        Values of the flags; None where a flag was not used.

    Raises
    ------
    ContextError
        A value is impossible.
    """
    base = GivenContext(context=Context(), pixel_size_nm=None) if file is None else read_context(file)
    flags = Context(
        energy_kev=energy_kev,
        convergence_mrad=convergence_mrad,
        collection_mrad=collection_from(collection_mrad),
        dose_e_per_A2=dose,
        host=host,
        dopants=tuple(dopant) if dopant else None,
        origin="user",
    )
    size = base.pixel_size_nm if pixel_size_nm is None else pixel_size_nm
    if size is not None and not size > 0:
        raise ContextError(f"pixel size is {size:g} nm; accepted is a positive number")
    return GivenContext(context=base.context.updated(flags), pixel_size_nm=size)


def with_context(micrograph: Micrograph, told: GivenContext) -> Micrograph:
    """Lay what the user said over what the file says; where they differ, a note says so.

    Parameters
    ----------
    micrograph : Micrograph
        As it was read.
    told : GivenContext
        What the user said.

    Raises
    ------
    InputError
        Angles were given for another number of channels.
    """
    recorded = micrograph.context
    notes = [
        f"{name} is {_words(recorded.known()[name])} in the file and {_words(value)} as given: the given value is used"
        for name, value in told.context.known().items()
        if name in recorded.known() and recorded.known()[name] != value
    ]
    size, origin = micrograph.pixel_size_nm, micrograph.pixel_size_origin
    if told.pixel_size_nm is not None:
        if size is not None and size != told.pixel_size_nm:
            notes.append(
                f"pixel size is {size:g} nm in the file and {told.pixel_size_nm:g} nm as given: the given value is used"
            )
        size, origin = told.pixel_size_nm, "user"
    context = recorded.updated(told.context)
    return replace(
        micrograph,
        context=replace(context, notes=(*context.notes, *notes)),
        pixel_size_nm=size,
        pixel_size_origin=origin,
    )


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(_words(v) for v in value) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)
