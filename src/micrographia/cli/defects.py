"""``micrographia defects``: what is at every atomic site of a scan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from micrographia.atoms import DEFAULT_METHOD, Method, PhysicsSettings, Prior, find_defects
from micrographia.cli.app import app
from micrographia.cli.batch import run
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
from micrographia.errors import ContextError
from micrographia.findings import LABELS, DefectFindings
from micrographia.instruct.describing_sites import describe_sites
from micrographia.micrograph import Micrograph
from micrographia.report.defects import write_defects
from micrographia.simulate.specimens.hosts import IMPURITIES, host, hypotheses

PriorFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--defect-prior",
        metavar="LABEL=FRACTION",
        help="Expected fraction of a sublattice's sites with a defect, before the scan is seen, e.g. V_X=0.02; repeat.",
    ),
]
ImpurityFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--impurity",
        help="Chalcogen to think of as a substitute though nobody put it there; repeat. Default: S, Se "
        "and Te; 'none' for none.",
    ),
]
MethodFlag = Annotated[
    Literal["physics", "network"], typer.Option(help="Whose answer counts; both are in the report, side by side.")
]
ChannelsFlag = Annotated[
    bool, typer.Option("--channels", help="The files are channels of one scan, in order; else they are separate scans.")
]


@app.command()
def defects(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scans, or FILE::image.")],
    out: OutFlag,
    host: HostFlag = None,
    dopant: DopantFlag = None,
    context: ContextFlag = None,
    channels: ChannelsFlag = False,
    energy_kev: EnergyFlag = None,
    convergence_mrad: ConvergenceFlag = None,
    collection_mrad: CollectionFlag = None,
    pixel_size_nm: PixelSizeFlag = None,
    dose: DoseFlag = None,
    method: MethodFlag = DEFAULT_METHOD,
    defect_prior: PriorFlag = None,
    impurity: ImpurityFlag = None,
    no_info_bar: NoInfoBarFlag = False,
) -> None:
    """Decide what is at every atomic site of a STEM scan of an MX2 monolayer; write sites, summary, overlay, report."""
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
    settings = settings_from(defect_prior, impurity)
    if told.context.host is not None:
        check_material(told.context.host, told.context.dopants or (), settings)
    run(
        files,
        channels=channels,
        out=out,
        prepare=lambda micrograph: with_context(micrograph, told),
        job=lambda micrograph, folder, tell: decide_and_write(micrograph, folder, tell, settings, method),
        info_bar=not no_info_bar,
    )


def check_material(formula: str, dopants: tuple[str, ...], settings: PhysicsSettings) -> None:
    """Refuse an unknown host or dopant before any file is read.

    Parameters
    ----------
    formula : str
        Host.
    dopants : tuple of str
        Dopants.
    settings : PhysicsSettings
        Names the impurities.

    Raises
    ------
    StructureError
        The host is unknown, or a dopant is no element or the host's own.
    """
    hypotheses(host(formula), dopants, impurities=settings.impurities)


def decide_and_write(
    micrograph: Micrograph,
    folder: Path,
    tell: Callable[[str], None],
    settings: PhysicsSettings,
    method: Method = DEFAULT_METHOD,
) -> str:
    """Decide one scan, write its results, and return a headline.

    Parameters
    ----------
    micrograph : Micrograph
        The scan.
    folder : Path
        Folder for the results.
    tell : callable
        Told each stage.
    settings : PhysicsSettings
        Prior and impurities.
    method : str
        Whose answer counts.
    """
    findings = find_defects(micrograph, method=method, settings=settings, progress=tell)
    tell("writing")
    write_defects(findings, folder, described=describe_sites(findings))
    return headline(findings)


def headline(findings: DefectFindings) -> str:
    """Say in one line what was found.

    Parameters
    ----------
    findings : DefectFindings
        What was found.
    """
    parts = [
        f"{f.label} {f.expected_count:.0f} ({f.count_interval[0]:.0f}–{f.count_interval[1]:.0f})"
        for f in findings.findings
        if f.label not in ("M", "X2") and (f.count or f.expected_count >= 0.5)
    ]
    found = ", ".join(parts) if parts else "no defects"
    return f"{len(findings.sites)} sites of {findings.micrograph.context.host}: {found} (95 % interval)"


def settings_from(priors: list[str] | None, impurities: list[str] | None) -> PhysicsSettings:
    """Return settings from their flags.

    Parameters
    ----------
    priors : list of str, optional
        ``LABEL=FRACTION``.
    impurities : list of str, optional
        Chemical symbols, or ``none``.

    Raises
    ------
    ContextError
        A prior is not of that form or out of range.

    Examples
    --------
    >>> settings_from(["V_X=0.05"], ["none"]).impurities
    ()
    """
    fractions = {}
    for text in priors or ():
        label, _, fraction = text.partition("=")
        try:
            fractions[label] = float(fraction)
        except ValueError:
            defects = ", ".join(name for name in LABELS if name not in ("M", "X2"))
            raise ContextError(
                f"--defect-prior got {text!r}; accepted is LABEL=FRACTION with a label of {defects}, e.g. V_X=0.02"
            ) from None
    chosen = IMPURITIES if impurities is None else tuple(i for i in impurities if i != "none")
    return PhysicsSettings(prior=Prior(fraction=fractions), impurities=chosen)
