"""``micrographia simulate``: scans of atoms whose truth is known."""

from __future__ import annotations

import csv
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from micrographia.cli.app import app, stderr
from micrographia.cli.flags import collection_from, parse_pair
from micrographia.context import Context
from micrographia.errors import ContextError, InputError, OutputError, StructureError
from micrographia.report.scan_file import write_micrograph

if TYPE_CHECKING:
    from micrographia.context import Angles
    from micrographia.micrograph import Micrograph
    from micrographia.simulate import Specimen
    from micrographia.simulate.columns.aberrations import Aberrations
    from micrographia.simulate.scans.faults import ScanFaults

simulate = typer.Typer(help="Simulate scans whose truth is known.", no_args_is_help=True)
app.add_typer(simulate, name="simulate")

SUFFIXES: Final = (".npy", ".hspy", ".tif", ".tiff")
MOST_PIXELS: Final = 200_000_000
"""Largest scan, all channels together [px]: 0.8 GB in the file."""
LONGEST_EDGE_NM: Final = 500.0
LONGEST_MULTISLICE_NM: Final = 6.0
_SHOW_PROGRESS_AFTER_S: Final = 2.0


@simulate.callback()
def _group() -> None:
    """Simulate scans whose truth is known."""


@simulate.command("scan")
def scan(
    energy_kev: Annotated[float, typer.Option(help="Beam energy [keV].")],
    convergence_mrad: Annotated[float, typer.Option(help="Convergence semi-angle of the probe [mrad].")],
    collection_mrad: Annotated[
        list[str],
        typer.Option(metavar="INNER OUTER", help="Collection semi-angles [mrad], up to 260; repeat once a channel."),
    ],
    pixel_size_nm: Annotated[float, typer.Option(help="Edge of a pixel [nm].")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Scan to write: .npy (with a .yaml), .hspy or .tif.")],
    structure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Atoms: any file that ASE reads, a rectangular cell, beam along z."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="MX2 monolayer instead of a structure, for example WSe2.")] = None,
    dopant: Annotated[list[str] | None, typer.Option(help="Chemical symbol of a dopant of the host; repeat.")] = None,
    defect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=FRACTION", help="Fraction of the sublattice's sites, for example V_X=0.02; repeat."
        ),
    ] = None,
    size_nm: Annotated[
        str | None, typer.Option(metavar="WIDTH HEIGHT", help="Field of the host [nm]; default 10 10.")
    ] = None,
    rotation_deg: Annotated[
        float, typer.Option(help="Close-packed direction of the host against the x axis [°].")
    ] = 0.0,
    source_size_nm: Annotated[
        float,
        typer.Option(help="Standard deviation of the Gaussian source image along one axis [nm]; FWHM is 2.355 of it."),
    ] = 0.0,
    defocus_nm: Annotated[float, typer.Option(help="How far the focus lies below the middle of the atoms [nm].")] = 0.0,
    cs_mm: Annotated[float, typer.Option(help="Third-order spherical aberration of the probe [mm].")] = 0.0,
    astigmatism2_nm: Annotated[
        str | None, typer.Option(metavar="LENGTH ANGLE", help="Twofold astigmatism C12 [nm] and its angle [°].")
    ] = None,
    astigmatism3_nm: Annotated[
        str | None, typer.Option(metavar="LENGTH ANGLE", help="Threefold astigmatism C23 [nm] and its angle [°].")
    ] = None,
    coma_nm: Annotated[
        str | None, typer.Option(metavar="LENGTH ANGLE", help="Coma C21 [nm] and its angle [°].")
    ] = None,
    vibration_nm: Annotated[
        float | None,
        typer.Option(
            help="Root mean square thermal displacement of all atoms along one axis [nm], 0 for static atoms; "
            "by default each element's own."
        ),
    ] = None,
    dose: Annotated[float | None, typer.Option(help="Electron dose [e/Å²]; without it, a scan free of noise.")] = None,
    relaxation_nm: Annotated[
        float,
        typer.Option(help="How far a defect of the host pushes its nearest neighbours [nm]; negative pulls them in."),
    ] = 0.0,
    drift_px: Annotated[
        str | None, typer.Option(metavar="X Y", help="Drift of the probe in the time of one line [px].")
    ] = None,
    row_jitter_nm: Annotated[
        float, typer.Option(help="Standard deviation of each line's random shift along either axis [nm].")
    ] = 0.0,
    flyback_nm: Annotated[
        float, typer.Option(help="Lag of the probe at the first column [nm]; it falls by e within 20 columns.")
    ] = 0.0,
    dwell_travel: Annotated[
        float, typer.Option(help="Part of a pixel, 0 to 1, that the probe passes while it records the pixel.")
    ] = 0.0,
    haze: Annotated[
        float, typer.Option(help="Contamination as a fraction of the mean signal, uneven by 30 % over 5 nm.")
    ] = 0.0,
    pulse_spread: Annotated[
        float, typer.Option(help="Relative spread of the height of one electron's pulse; needs --dose.")
    ] = 0.0,
    read_noise_e: Annotated[
        float, typer.Option(help="Noise of the amplifier in a pixel [electrons]; needs --dose.")
    ] = 0.0,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of defects, lattice origin, noise, jitter, haze and frozen phonons.")
    ] = 0,
    method: Annotated[
        Literal["kernels", "multislice"], typer.Option(help="kernels: seconds. multislice: abTEM, minutes to hours.")
    ] = "kernels",
    frozen_phonons: Annotated[
        int, typer.Option(min=1, help="Configurations that multislice averages when atoms vibrate.")
    ] = 8,
) -> None:
    """Simulate an annular dark-field scan, of a doped monolayer or of any structure.

    The intensities are fractions of the beam. For a host, the truth is written beside the scan as STEM.sites.csv
    (x_px, y_px, label of every site inside the scan), which `micrographia compare sites` takes as reference.
    Where the probe strays, x_px and y_px are where a site shows.
    A structure repeats periodically past its cell's edges.
    """
    from micrographia.simulate import Probe, monolayer, multislice_scan, simulate_scan
    from micrographia.simulate import host as find_host
    from micrographia.simulate.columns.column import KERNEL_RADIUS_A
    from micrographia.simulate.columns.vibration import VIBRATION_A
    from micrographia.simulate.scans.faults import FAULTLESS, ScanFaults
    from micrographia.simulate.specimens.specimen import relaxed

    _check_out(out)
    angles = collection_from(collection_mrad) or ()
    rng = np.random.default_rng(seed)
    if (structure is None) == (host is None):
        raise InputError("give either --structure FILE or --host FORMULA, one of the two")
    if not 0 < pixel_size_nm < np.inf:
        raise ContextError(f"--pixel-size-nm is {pixel_size_nm:g}; accepted is a positive number")
    drift_x_px, drift_y_px = (0.0, 0.0) if drift_px is None else parse_pair(drift_px, option="--drift-px")
    faults = ScanFaults(
        drift_x_px=drift_x_px,
        drift_y_px=drift_y_px,
        row_jitter_A=10 * row_jitter_nm,
        flyback_A=10 * flyback_nm,
        dwell_travel=dwell_travel,
        haze=haze,
        pulse_spread=pulse_spread,
        read_noise_e=read_noise_e,
        seed=int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]),
    )
    aberrations = _aberrations(defocus_nm, cs_mm, astigmatism2_nm, astigmatism3_nm, coma_nm)
    if method == "multislice":
        if faults != replace(FAULTLESS, seed=faults.seed):
            raise InputError(
                "drift, jitter, flyback, dwell, haze and detector noise go with --method kernels; leave them out"
            )
        if not aberrations.is_round:
            raise InputError("astigmatism and coma go with --method kernels; leave them out")
    told = Context(energy_kev=energy_kev, convergence_mrad=convergence_mrad, dose_e_per_A2=dose, origin="user")
    if structure is not None:
        for option, value in (("--dopant", dopant), ("--defect", defect), ("--size-nm", size_nm)):
            if value:
                raise InputError(f"{option} goes with --host; a structure's atoms and field come from its file")
        if rotation_deg:
            raise InputError("--rotation-deg goes with --host; turn the structure in its file")
        if relaxation_nm:
            raise InputError("--relaxation-nm goes with --host; move the atoms of the structure in its file")
        specimen = _read_structure(structure)
        _check_size(specimen.width_A / 10, specimen.height_A / 10, pixel_size_nm, angles, method)
    else:
        width_nm, height_nm = (10.0, 10.0) if size_nm is None else parse_pair(size_nm, option="--size-nm")
        _check_size(width_nm, height_nm, pixel_size_nm, angles, method)
        specimen = monolayer(
            find_host(str(host)),
            width_A=10 * width_nm,
            height_A=10 * height_nm,
            dopants=tuple(dopant or ()),
            fractions=_fractions(defect or []),
            rotation_deg=rotation_deg,
            margin_A=KERNEL_RADIUS_A + faults.reach_A(10 * height_nm),
            rng=rng,
        )
        specimen = relaxed(specimen, 10 * relaxation_nm)
        told = told.updated(Context(host=host, dopants=tuple(dopant or ()), origin="user"))
    probe = Probe(energy_kev=energy_kev, convergence_mrad=convergence_mrad)
    vibration_A = VIBRATION_A if vibration_nm is None else 10 * vibration_nm
    with _late_progress("kernels" if method == "kernels" else "wave functions") as tell:
        if method == "kernels":
            made = simulate_scan(
                specimen if structure is None else _with_images(specimen, faults),
                probe,
                collection_mrad=angles,
                pixel_size_nm=pixel_size_nm,
                source_sigma_nm=source_size_nm,
                vibration_A=vibration_A,
                dose_e_per_A2=dose,
                rng=rng,
                aberrations=aberrations,
                faults=faults,
                progress=tell,
            )
        else:
            made = multislice_scan(
                specimen,
                replace(probe, defocus_A=aberrations.defocus_A, cs_mm=aberrations.cs_mm),
                collection_mrad=angles,
                pixel_size_nm=pixel_size_nm,
                source_sigma_nm=source_size_nm,
                vibration_A=vibration_A,
                configurations=frozen_phonons,
                dose_e_per_A2=dose,
                rng=rng,
                progress=tell,
            )
    _write(made, told, out, specimen if structure is None else None, faults)


def _check_out(out: Path) -> None:
    if out.suffix.lower() not in SUFFIXES:
        raise OutputError(f"cannot write {out.name}: accepted extensions are {' '.join(SUFFIXES)}")
    if not out.parent.is_dir():
        raise OutputError(f"cannot write {out}: there is no folder {out.parent}; make it first")


def _check_size(
    width_nm: float, height_nm: float, pixel_size_nm: float, angles: tuple[Angles, ...], method: str
) -> None:
    """Refuse fields without area, and scans that no memory or patience is enough for."""
    if not (0 < width_nm < np.inf and 0 < height_nm < np.inf):
        raise ContextError(f"the field is {width_nm:g} x {height_nm:g} nm; accepted is a positive size")
    longest_nm = LONGEST_EDGE_NM if method == "kernels" else LONGEST_MULTISLICE_NM
    if max(width_nm, height_nm) > longest_nm:
        instead = "" if method == "kernels" else ", or --method kernels"
        raise ContextError(
            f"the field is {width_nm:g} x {height_nm:g} nm; accepted with {method} is at most {longest_nm:g} nm "
            f"a side{instead}"
        )
    pixels = width_nm / pixel_size_nm * height_nm / pixel_size_nm * max(1, len(angles))
    if pixels > MOST_PIXELS:
        raise ContextError(
            f"the scan would have {pixels:.3g} px in all its channels; accepted is at most {MOST_PIXELS:.3g}: "
            "make the field smaller or the pixels larger"
        )


def _read_structure(path: Path) -> Specimen:
    import warnings

    from ase.io import read

    from micrographia.simulate import from_atoms

    if not path.is_file():
        raise InputError(f"there is no file {path}; give a structure that ASE reads, such as .cif, .xyz or POSCAR")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = read(path)
    except Exception as error:  # each of ASE's many readers fails in its own way
        raise InputError(
            f"cannot read {path.name} as a structure ({type(error).__name__}: {str(error)[:200]}); "
            "accepted is whatever ASE reads, such as .cif, .xyz or POSCAR"
        ) from error
    atoms.pbc = True
    return from_atoms(atoms)


def _with_images(specimen: Specimen, faults: ScanFaults) -> Specimen:
    from micrographia.simulate import with_images
    from micrographia.simulate.columns.column import KERNEL_RADIUS_A

    return with_images(specimen, margin_A=KERNEL_RADIUS_A + faults.reach_A(specimen.height_A))


def _aberrations(
    defocus_nm: float,
    cs_mm: float,
    astigmatism2_nm: str | None,
    astigmatism3_nm: str | None,
    coma_nm: str | None,
) -> Aberrations:
    from micrographia.simulate.columns.aberrations import Aberrations

    (a2, a2_deg), (a3, a3_deg), (coma, coma_deg) = (
        (0.0, 0.0) if text is None else parse_pair(text, option=option)
        for text, option in (
            (astigmatism2_nm, "--astigmatism2-nm"),
            (astigmatism3_nm, "--astigmatism3-nm"),
            (coma_nm, "--coma-nm"),
        )
    )
    return Aberrations(
        defocus_A=10 * defocus_nm,
        cs_mm=cs_mm,
        astigmatism2_A=10 * a2,
        astigmatism2_deg=a2_deg,
        astigmatism3_A=10 * a3,
        astigmatism3_deg=a3_deg,
        coma_A=10 * coma,
        coma_deg=coma_deg,
    )


def _fractions(defects: list[str]) -> dict[str, float]:
    fractions: dict[str, float] = {}
    for text in defects:
        label, _, number = text.partition("=")
        try:
            fraction = float(number)
        except ValueError:
            raise StructureError(
                f"--defect is {text!r}; accepted is LABEL=FRACTION with a fraction from 0 to 1, for example V_X=0.02"
            ) from None
        if label in fractions:
            raise StructureError(f"--defect names {label} twice; give one fraction for each label")
        fractions[label] = fraction
    return fractions


@contextmanager
def _late_progress(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Give a callback that shows a progress bar on a terminal's stderr once the work has taken two seconds."""
    bar = Progress(
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )
    started = time.monotonic()
    task = bar.add_task(unit, total=None)

    def tell(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if time.monotonic() - started > _SHOW_PROGRESS_AFTER_S:
            bar.start()

    try:
        yield tell
    finally:
        if bar.live.is_started:  # else stopping prints an empty line
            bar.stop()


def _write(made: Micrograph, told: Context, out: Path, truth: Specimen | None, faults: ScanFaults) -> None:
    """Write the scan and, where it is known, the truth beside it: both or neither."""
    made = replace(made, context=made.context.updated(told))
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    if truth is None:
        write_micrograph(made, out)
        console.print(str(out), markup=False)
        return
    place = out.with_suffix(".sites.csv")
    if place.is_dir():
        raise OutputError(f"cannot write {place}: it is a folder; remove it or give another name")
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}.partial")
    try:
        _write_sites(truth, made, faults, draft)
        write_micrograph(made, out)
        draft.replace(place)
    except OSError as error:
        raise OutputError(
            f"cannot write {place}: {error.strerror or error}; give a folder that can be written to"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    console.print(str(out), markup=False)
    console.print(str(place), markup=False)


def _write_sites(truth: Specimen, made: Micrograph, faults: ScanFaults, path: Path) -> None:
    from micrographia.simulate.scans.faults import seen_px

    pixel_A = 10 * float(made.pixel_size_nm or np.nan)
    height, width = made.frames.shape[1:]
    x_px, y_px = seen_px(faults, truth.x_A / pixel_A, truth.y_A / pixel_A, height=height, width=width, pixel_A=pixel_A)
    inside = (x_px >= -0.5) & (x_px < width - 0.5) & (y_px >= -0.5) & (y_px < height - 0.5)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["x_px", "y_px", "label"])
        for x, y, label in zip(x_px[inside], y_px[inside], truth.label[inside], strict=True):
            rows.writerow([f"{x:.4f}", f"{y:.4f}", label])
