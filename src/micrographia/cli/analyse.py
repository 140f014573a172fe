"""``micrographia analyse``: the main job. Looks at what a file is, and does what applies."""

from __future__ import annotations

from collections.abc import Callable
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
from micrographia.cues import look
from micrographia.errors import InputError
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
) -> None:
    """Analyse micrographs: atomic sites where a lattice and its host are known, else all that the picture tells."""
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
    run(
        files,
        channels=channels,
        out=out,
        prepare=lambda micrograph: with_context(micrograph, told),
        job=_analyse,
        info_bar=not no_info_bar,
    )


def _analyse(micrograph: Micrograph, folder: Path, tell: Callable[[str], None]) -> str:
    """Do what applies to one micrograph, and return a headline."""
    if micrograph.context.host is not None and micrograph.context.technique in (None, "STEM"):
        try:
            return decide_and_write(micrograph, folder, tell, PhysicsSettings())
        except InputError as error:
            # The host is known but no lattice of it shows: say so, and tell what the picture does tell.
            reason = f"Atomic sites were not decided: {error}"
    else:
        tell("lattice")
        reason = _why_no_sites(micrograph)
    tell("overview")
    cues = look(micrograph)
    write_overview(micrograph, cues, (reason,), folder)
    return f"{' × '.join(str(n) for n in micrograph.frames.shape[:0:-1])} px; atomic sites were not decided"


def _why_no_sites(micrograph: Micrograph) -> str:
    """Say why the sites of a micrograph are not decided, and what would change that."""
    technique = micrograph.context.technique
    if technique not in (None, "STEM"):
        return f"Atomic sites are decided on STEM scans; the file says {technique}."
    try:
        lattice = find_lattice(micrograph.frames, file=micrograph.provenance.file)
    except InputError:
        return "No hexagonal lattice shows, so there are no atomic sites to decide."
    spacing = f"{lattice.a_px:.2f} px"
    if micrograph.pixel_size_nm is not None:
        spacing += f" ({lattice.a_px * micrograph.pixel_size_nm:.4f} nm by the recorded pixel size)"
    return (
        f"A hexagonal lattice shows, with a lattice constant of {spacing}. Name the host to decide its "
        "sites, e.g. --host WSe2."
    )
