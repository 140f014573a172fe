"""The kernel library: spectra of every column of a catalogue, for its probes and, interpolated, for any probe."""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import IO, Final, Literal

import numpy as np
from jaxtyping import Float, Float32
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import threadpool_limits

from micrographia.errors import ContextError, InputError, OutputError, ReadError
from micrographia.simulate.cluster import cluster, each_done, usable_cores
from micrographia.simulate.columns.aberrations import Aberrations, radial_transfer_ratio
from micrographia.simulate.columns.column import Column, Probe, column_rings
from micrographia.simulate.columns.kernels import kernel_cache
from micrographia.simulate.columns.potentials import interaction_rad_per_V_A
from micrographia.simulate.columns.response import estimated_response
from micrographia.simulate.columns.vibration import VIBRATION_A, displacements_A
from micrographia.simulate.patches.prior import Imaging, ImagingPrior, Range
from micrographia.simulate.patches.render import Tables
from micrographia.simulate.patches.spectra import (
    BEYOND_MRAD,
    NODE,
    NODES,
    band_limit_per_A,
    detector_weights,
    lagrange,
    spectrum,
    tables,
)
from micrographia.simulate.scans.scan import Progress
from micrographia.simulate.specimens.catalogue import Catalogue, Compound, columns, labels
from micrographia.simulate.specimens.hosts import PRISTINE, ROLES, host

SCHEMA: Final = "micrographia/kernel-library/1"
RECORD: Final = "library.json"
SPECTRA: Final = "spectra.npy"
ALGORITHM: Final = "spectra-2"
"""Part of every key and of every recipe; changes whenever `column_rings` or `spectrum` gives other numbers."""
_ENERGIES, _CONVERGENCES = 8, 6
"""Nodes of the grid for interpolation; benchmarks/continuous.py says how good that is."""
_AT_ONCE: Final = 4


@dataclass(frozen=True, kw_only=True)
class KernelLibrary:
    """Spectra of columns for some probes in focus.

    Parameters
    ----------
    columns : tuple of Column
        The columns.
    probes : tuple of Probe
        The probes: first those of the catalogue's conditions, then the nodes of the grid.
    grid : tuple of (tuple of float, tuple of float), optional
        Energies [keV] and convergence angles [mrad] of the grid for interpolation, energies slowest.
    spectra : float array (probe, column, beyond, node)
        From `spectrum`; may be a memory map.
    """

    columns: tuple[Column, ...]
    probes: tuple[Probe, ...]
    grid: tuple[tuple[float, ...], tuple[float, ...]] | None
    spectra: Float32[np.ndarray, "probe column beyond node"]


class LibraryRecord(BaseModel):
    """``library.json``: what a kernel library holds, and all that its kernels depend on."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    schema_: Literal["micrographia/kernel-library/1"] = Field(alias="schema", default=SCHEMA)
    algorithm: str = Field(default=ALGORITHM, description="Changes whenever kernels do")
    columns: tuple[tuple[tuple[str, float], ...], ...] = Field(
        description="Chemical symbol and height [Å] of each atom of each column, in the order of the beam"
    )
    vibration_A: tuple[tuple[float, ...], ...] = Field(
        description="Root mean square displacement of the same atoms along one axis [Å]"
    )
    probes: tuple[Probe, ...] = Field(description="The catalogue's probes, then the nodes of the grid")
    grid: tuple[tuple[float, ...], tuple[float, ...]] | None = Field(
        description="Energies [keV] and convergence angles [mrad] between which kernels can be interpolated"
    )
    beyond_mrad: tuple[float, ...] = Field(
        default=tuple(BEYOND_MRAD.tolist()),
        description="Angles from the direct beam's edge outwards from which scattering is summed up [mrad]",
    )
    nodes: int = Field(default=NODES, description="Number of spatial frequencies, Gauss-Legendre nodes")

    def known_columns(self) -> tuple[Column, ...]:
        """Return the columns."""
        return tuple(Column(atoms=atoms) for atoms in self.columns)


def needed(catalogue: Catalogue, prior: ImagingPrior | None) -> LibraryRecord:
    """Return what a library for a catalogue, and for a prior, holds.

    Raises
    ------
    ContextError
        A detector of the catalogue reaches farther out than kernels are kept.
    """
    for condition in catalogue.conditions:
        detector_weights(condition.convergence_mrad, condition.collection_mrad)
    wanted = dict.fromkeys(c for compound in catalogue.compounds for c in columns(compound).values() if c.atoms)
    probes = list(dict.fromkeys(condition.probe for condition in catalogue.conditions))
    grid = None
    if prior is not None:
        grid = (
            _nodes_between(prior.energy_kev, _ENERGIES),
            _nodes_between(prior.convergence_mrad, _CONVERGENCES),
        )
        probes += [Probe(energy_kev=e, convergence_mrad=a) for e in grid[0] for a in grid[1]]
    return LibraryRecord(
        columns=tuple(column.atoms for column in wanted),
        vibration_A=tuple(displacements_A((s for s, _ in c.atoms), VIBRATION_A) for c in wanted),
        probes=tuple(probes),
        grid=grid,
    )


def build_library(
    catalogue: Catalogue,
    out: Path | None = None,
    *,
    prior: ImagingPrior | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Compute every kernel of a catalogue, and of a grid for the prior; what is there is kept.

    Parameters
    ----------
    catalogue : Catalogue
        Compounds and conditions.
    out : Path, optional
        Folder of the library; by default one of its own in the user's cache.
    prior : ImagingPrior, optional
        Also compute the grid from which kernels of any probe in its ranges are interpolated.
    workers : int, optional
        Number of processes; by default one a core. With 1, this process does the work.
    progress : callable, optional
        Called with the number of kernels at hand, and of all.

    Returns
    -------
    Path
        The folder: ``library.json`` and ``spectra.npy``.

    Raises
    ------
    OutputError
        The folder holds another library or something else, or cannot be written to.

    Notes
    -----
    Kernels are kept one by one in the folder's ``parts``, each written beside and renamed, until all are there: an
    interrupted run goes on where it was. A folder that is complete already is left as it is.
    """
    record = needed(catalogue, prior)
    text = record.model_dump_json(indent=1)
    folder = out or kernel_cache().parent / "libraries" / hashlib.sha256(text.encode()).hexdigest()[:16]
    parts = folder / "parts"
    try:
        if (folder / RECORD).is_file():
            if (folder / RECORD).read_text(encoding="utf-8") != text:
                raise OutputError(f"{folder} holds the library of another catalogue or version; give another folder")
            if (folder / SPECTRA).is_file():
                return folder
        elif folder.exists() and (not folder.is_dir() or any(p != parts for p in folder.iterdir())):
            raise OutputError(f"{folder} is there already and is not a kernel library; give another folder")
        parts.mkdir(parents=True, exist_ok=True)
        with _in_place_of(folder / RECORD, parts) as file:
            file.write(text.encode())
        _compute(record, parts, workers=workers or usable_cores(), progress=progress)
        _assemble(record, parts, folder / SPECTRA)
        shutil.rmtree(parts)
    except OSError as error:
        raise OutputError(
            f"cannot write the kernel library {folder} ({error.strerror or error}); make room or give another folder, "
            "then give the same command again to go on"
        ) from error
    return folder


def read_library(folder: Path) -> KernelLibrary:
    """Read a library that `build_library` wrote; its spectra stay on disk until they are used.

    Parameters
    ----------
    folder : Path
        The library.

    Raises
    ------
    ReadError
        The folder is no library, is unfinished, is damaged, or is of another version.
    """
    try:
        record = LibraryRecord.model_validate_json((folder / RECORD).read_text(encoding="utf-8"))
        spectra = np.load(folder / SPECTRA, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ReadError(
            f"{folder} is not a finished kernel library; make one with: micrographia simulate catalogue --out {folder}"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise ReadError(f"the kernel library {folder} is damaged ({reason}); remove it and make it again") from error
    if (record.algorithm, record.beyond_mrad, record.nodes) != (ALGORITHM, tuple(BEYOND_MRAD.tolist()), NODES):
        raise ReadError(f"{folder} was made by another version of Micrographia; remove it and make it again")
    if spectra.shape != _shape(record):
        raise ReadError(f"the kernel library {folder} is damaged (shape {spectra.shape}); remove it and make it again")
    return KernelLibrary(columns=record.known_columns(), probes=record.probes, grid=record.grid, spectra=spectra)


def role_spectra(
    library: KernelLibrary, compound: Compound, imaging: Imaging
) -> Float[np.ndarray, "channel role node"]:
    """Return the spectrum of every role's column as the detectors see it, aberrations and source included.

    Parameters
    ----------
    library : KernelLibrary
        Must hold the compound's columns; and the probe in focus, or a grid around it.
    compound : Compound
        The doped monolayer.
    imaging : Imaging
        Probe, detectors, source.

    Returns
    -------
    float array (channel, role, node)
        Spectra [Å²] in the order of `ROLES`; zero for vacancies, the pristine one's for roles that are not in play.

    Raises
    ------
    InputError
        The library lacks a column, or has no grid.
    ContextError
        The probe lies outside the grid.

    Notes
    -----
    In focus the spectra are those of a multislice. Defocus and spherical aberration multiply them by
    `radial_transfer_ratio`, with the column's response by the rule of `estimated_response`.
    """
    probe = imaging.probe
    in_focus = replace(probe, defocus_A=0.0, cs_mm=0.0)
    shares = _probe_shares(library, in_focus)
    column_of = _column_of(library.columns)
    wanted = columns(compound)
    spectra = np.zeros((len(imaging.collection_mrad), len(ROLES), NODES))
    which = [n for n, _ in shares]
    share = np.array([s for _, s in shares])
    detectors = np.stack([detector_weights(probe.convergence_mrad, a) for a in imaging.collection_mrad])
    used = np.flatnonzero(detectors.any(axis=0))
    role_columns = [wanted.get(label, wanted[pristine]) for label, pristine in zip(ROLES, PRISTINE, strict=True)]
    for role, column in enumerate(role_columns):
        if not column.atoms:
            continue
        if column not in column_of:
            raise InputError(
                f"the kernel library has no column {ROLES[role]} of {compound.name}; make one for its catalogue"
            )
        here = library.spectra[which, column_of[column]][:, used]
        spectra[:, role] = detectors[:, used] @ np.tensordot(share, here, axes=1)
    limit = band_limit_per_A(probe.energy_kev, probe.convergence_mrad)
    if probe != in_focus:
        aberrations = Aberrations(defocus_A=probe.defocus_A, cs_mm=probe.cs_mm)
        for channel, (inner_mrad, _) in enumerate(imaging.collection_mrad):
            for role, column in enumerate(role_columns):
                spectra[channel, role] *= radial_transfer_ratio(
                    aberrations,
                    energy_kev=probe.energy_kev,
                    convergence_mrad=probe.convergence_mrad,
                    q_per_A=limit * NODE,
                    response=estimated_response(column, convergence_mrad=probe.convergence_mrad, inner_mrad=inner_mrad),
                )
    blur = np.exp(-2 * (np.pi * imaging.source_sigma_A * limit * NODE) ** 2)
    return spectra * blur * interaction_rad_per_V_A(probe.energy_kev) ** 2


def role_tables(library: KernelLibrary, compound: Compound, imaging: Imaging) -> Tables:
    """Return the renderer's tables of a compound through some optics.

    Parameters
    ----------
    library, compound, imaging
        As for `role_spectra`.
    """
    return tables(
        host(compound.host),
        role_spectra(library, compound, imaging),
        labels(compound),
        band_limit=band_limit_per_A(imaging.probe.energy_kev, imaging.probe.convergence_mrad),
    )


@lru_cache(maxsize=4)
def _column_of(known: tuple[Column, ...]) -> dict[Column, int]:
    return {column: n for n, column in enumerate(known)}


def _probe_shares(library: KernelLibrary, probe: Probe) -> list[tuple[int, float]]:
    """Return which probes of the library make up another, and with what weight."""
    if probe in library.probes:
        return [(library.probes.index(probe), 1.0)]
    if library.grid is None:
        raise InputError(
            f"the kernel library has no probe of {probe.energy_kev:g} keV and {probe.convergence_mrad:g} mrad, and no "
            "grid; make one with: micrographia simulate catalogue --prior --out LIB"
        )
    energies, convergences = (np.log(g) for g in library.grid)
    for name, value, nodes in (
        ("beam energy", probe.energy_kev, energies),
        ("convergence angle", probe.convergence_mrad, convergences),
    ):
        low, high = _ends(nodes)
        if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
            raise ContextError(f"{name} is {value:g}; the kernel library covers {low:g} to {high:g}")
    of_energy = lagrange(energies, float(np.log(probe.energy_kev)))
    of_convergence = lagrange(convergences, float(np.log(probe.convergence_mrad)))
    first = len(library.probes) - energies.size * convergences.size
    return [(first + n, float(share)) for n, share in enumerate(np.outer(of_energy, of_convergence).ravel())]


def _nodes_between(between: Range, count: int) -> tuple[float, ...]:
    """Return the Chebyshev nodes of a range on a logarithmic scale."""
    low, high = np.log(between)
    nodes = (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return tuple(np.exp(nodes).tolist())


def _ends(nodes: Float[np.ndarray, " node"]) -> tuple[float, float]:
    """Return the range [not logarithmic] whose Chebyshev nodes these logarithms are."""
    half = (nodes[-1] - nodes[0]) / 2 / np.cos(np.pi / 2 / nodes.size)
    middle = (nodes[0] + nodes[-1]) / 2
    return float(np.exp(middle - half)), float(np.exp(middle + half))


def _shape(record: LibraryRecord) -> tuple[int, ...]:
    return (len(record.probes), len(record.columns), BEYOND_MRAD.size, NODES)


def _part(parts: Path, column: Column, probe: Probe) -> Path:
    return parts / f"{hashlib.sha256(f'{column!r}|{probe!r}'.encode()).hexdigest()[:24]}.npy"


def _compute(record: LibraryRecord, parts: Path, *, workers: int, progress: Progress | None) -> None:
    known, probes = record.known_columns(), record.probes
    total = len(known) * len(probes)
    # Columns of one probe share its tables, so they are done together, a few at a time.
    missing = []
    for probe in probes:
        wanted = tuple(c for c in known if not _is_whole(_part(parts, c, probe)))
        missing += [(parts, probe, wanted[n : n + _AT_ONCE]) for n in range(0, len(wanted), _AT_ONCE)]
    done = total - sum(len(some) for *_, some in missing)

    def tell(finished: int) -> None:
        nonlocal done
        done += finished
        if progress is not None:
            progress(done, total)

    tell(0)
    if workers == 1:
        for job in missing:
            tell(_compute_some(job))
    elif missing:
        with cluster(scheduler=None, workers=workers) as client:
            for finished in each_done(client, _compute_some, missing):
                tell(finished)


def _compute_some(job: tuple[Path, Probe, tuple[Column, ...]]) -> int:
    parts, probe, some = job
    with threadpool_limits(limits=1):
        for column in some:
            found = spectrum(column_rings(column, probe, vibration_A=VIBRATION_A), probe)
            with _in_place_of(_part(parts, column, probe), parts) as file:
                np.save(file, found)
    return len(some)


def _is_whole(part: Path) -> bool:
    try:
        return bool(np.load(part, mmap_mode="r", allow_pickle=False).shape == (BEYOND_MRAD.size, NODES))
    except (OSError, ValueError, EOFError):
        return False


def _assemble(record: LibraryRecord, parts: Path, path: Path) -> None:
    draft = parts / "spectra.partial"
    stack = np.lib.format.open_memmap(draft, mode="w+", dtype=np.float32, shape=_shape(record))
    for p, probe in enumerate(record.probes):
        for c, column in enumerate(record.known_columns()):
            stack[p, c] = np.load(_part(parts, column, probe), allow_pickle=False)
    stack.flush()
    del stack
    draft.replace(path)


@contextmanager
def _in_place_of(path: Path, folder: Path) -> Iterator[IO[bytes]]:
    """Give a file to write in a folder; it takes its place once it is whole."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".partial", delete=False) as draft:
        try:
            yield draft
            draft.flush()
            Path(draft.name).replace(path)
        finally:
            Path(draft.name).unlink(missing_ok=True)
