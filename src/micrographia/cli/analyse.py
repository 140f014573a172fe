"""``micrographia analyse``: the main job. Looks at what a file is, and does what applies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from micrographia.atoms import PhysicsSettings
from micrographia.atoms.lattice import find_lattice
from micrographia.cli.app import app
from micrographia.cli.batch import run
from micrographia.cli.defects import ChannelsFlag, check_material, decide_and_write
from micrographia.cli.flags import (
    CollectionFlag,
    ContextFlag,
    ConvergenceFlag,
    DopantFlag,
    DoseFlag,
    EnergyFlag,
    HostFlag,
    NoInfoBarFlag,
    OutFlag,
    PixelSizeFlag,
    given,
    with_context,
)
from micrographia.cli.found import Find, by_model, objects_on_ground
from micrographia.cues import look
from micrographia.errors import InputError
from micrographia.instruct.describing import ALL_CUES, LATTICE_FIRST, Sentence, describe_micrograph
from micrographia.micrograph import Micrograph
from micrographia.report.overview import write_overview


@app.command()
def analyse(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Micrographs, or FILE::image.")],
    out: OutFlag,
    context: ContextFlag = None,
    channels: ChannelsFlag = False,
    host: HostFlag = None,
    dopant: DopantFlag = None,
    energy_kev: EnergyFlag = None,
    convergence_mrad: ConvergenceFlag = None,
    collection_mrad: CollectionFlag = None,
    pixel_size_nm: PixelSizeFlag = None,
    dose: DoseFlag = None,
    no_info_bar: NoInfoBarFlag = False,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Segment images without atomic sites by this model, and measure."),
    ] = None,
) -> None:
    """Analyse micrographs: atomic sites where a lattice and its host are known, else objects and what can be seen."""
    told = given(
        file=context,
        energy_kev=energy_kev,
        convergence_mrad=convergence_mrad,
        collection_mrad=collection_mrad,
        pixel_size_nm=pixel_size_nm,
        dose=dose,
        host=host,
        dopant=dopant,
    )
    if told.context.host is not None:
        check_material(told.context.host, told.context.dopants or (), PhysicsSettings())
    find = objects_on_ground if model is None else by_model(model)
    run(
        files,
        channels=channels,
        out=out,
        prepare=lambda micrograph: with_context(micrograph, told),
        job=lambda micrograph, folder, tell: _analyse(micrograph, folder, tell, find),
        info_bar=not no_info_bar,
    )


def _analyse(micrograph: Micrograph, folder: Path, tell: Callable[[str], None], find: Find) -> str:
    """Do what applies to one micrograph, and return a headline."""
    periodic = False
    if micrograph.context.host is not None and micrograph.context.technique in (None, "STEM"):
        try:
            return decide_and_write(micrograph, folder, tell, PhysicsSettings())
        except InputError as error:
            # The host is known but no lattice of it shows: say so, and tell what the picture does tell.
            reason = f"Atomic sites were not decided: {error}"
    else:
        tell("lattice")
        reason, periodic = _why_no_sites(micrograph)
    advice, segments, found = [reason], None, "atomic sites were not decided"
    if not periodic and micrograph.context.technique != "diffraction":
        tell("objects")
        try:
            segments = find(micrograph)
            found = segments.how
        except InputError as error:
            advice.append(str(error))
    tell("overview")
    described = _in_words(micrograph, about=LATTICE_FIRST if periodic else ALL_CUES)
    write_overview(micrograph, look(micrograph), advice, folder, segments=segments, described=described)
    return f"{' × '.join(str(n) for n in micrograph.frames.shape[:0:-1])} px; {found}"


def _in_words(micrograph: Micrograph, *, about: Sequence[str]) -> tuple[Sentence, ...]:
    """Describe an image by its cues; a diffraction pattern is none, and what is too small or even is not described."""
    if micrograph.context.technique == "diffraction":
        return ()
    try:
        return describe_micrograph(micrograph, about=about)
    except InputError:
        return ()


def _why_no_sites(micrograph: Micrograph) -> tuple[str, bool]:
    """Say why the sites of a micrograph are not decided and what would change that; and whether it shows a lattice."""
    technique = micrograph.context.technique
    if technique not in (None, "STEM"):
        said = "info bar" if micrograph.context.origins.get("technique") == "info bar" else "file"
        return f"Atomic sites are decided on STEM scans; the {said} says {technique}.", False
    try:
        lattice = find_lattice(micrograph.frames, file=micrograph.provenance.file)
    except InputError:
        return "No hexagonal lattice shows, so there are no atomic sites to decide.", False
    spacing = f"{lattice.a_px:.2f} px"
    if micrograph.pixel_size_nm is not None:
        spacing += f" ({lattice.a_px * micrograph.pixel_size_nm:.4f} nm by the recorded pixel size)"
    return (
        f"A hexagonal lattice shows, with a lattice constant of {spacing}. Name the host to decide its "
        "sites, e.g. --host WSe2."
    ), True
