"""Superposition of column kernels into a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange

from micrographia.context import Angles, Context
from micrographia.errors import ContextError
from micrographia.micrograph import Micrograph, Provenance
from micrographia.simulate.columns.aberrations import Aberrations
from micrographia.simulate.columns.column import Column, Probe
from micrographia.simulate.columns.kernels import TABLE_STEP_A, cached_rings, detector_table, empty_beam, ring_weights
from micrographia.simulate.columns.planes import plane_spline, spline_step_A, superpose_planes
from micrographia.simulate.columns.vibration import VIBRATION_A, displacements_A
from micrographia.simulate.scans.faults import (
    DWELL_MARGIN_PX,
    FAULTLESS,
    ScanFaults,
    dwelled,
    probe_path,
    with_haze,
)
from micrographia.simulate.scans.noise import read_out
from micrographia.simulate.specimens.specimen import Specimen

Progress = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are."""


@njit(cache=True)  # type: ignore[untyped-decorator]
def superpose(
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    kind: Int[np.ndarray, " site"],
    weight: Float[np.ndarray, " site"],
    tables: Float[np.ndarray, "kind radius"],
    pixel_A: float,
    height: int,
    width: int,
) -> Float[np.ndarray, "height width"]:
    """Return the sum of round kernels centred on sites.

    Parameters
    ----------
    x_px, y_px : float array (site,)
        Positions [px], first pixel's centre at 0; may lie outside.
    kind : int array (site,)
        Row of ``tables`` that each site takes.
    weight : float array (site,)
        Factor for each site's kernel.
    tables : float array (kind, radius)
        Kernels at radii 0, 0.01 ... Å; zero beyond.
    pixel_A : float
        Pixel size [Å].
    height, width : int
        Size of the scan [px].

    Returns
    -------
    float array (height, width)
        In the units of ``tables``.
    """
    still = np.zeros(height)
    image: Float[np.ndarray, "height width"] = superpose_along(
        x_px, y_px, kind, weight, tables, pixel_A, still, still, np.zeros(width)
    )
    return image


@njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
def superpose_along(
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    kind: Int[np.ndarray, " site"],
    weight: Float[np.ndarray, " site"],
    tables: Float[np.ndarray, "kind radius"],
    pixel_A: float,
    row_x_px: Float[np.ndarray, " height"],
    row_y_px: Float[np.ndarray, " height"],
    column_x_px: Float[np.ndarray, " width"],
) -> Float[np.ndarray, "height width"]:
    """Return the sum of round kernels centred on sites, as a probe off its path sees them.

    Parameters
    ----------
    x_px, y_px, kind, weight, tables, pixel_A
        As for `superpose`.
    row_x_px, row_y_px, column_x_px : float array
        As in `ProbePath`; give the size of the scan.

    Returns
    -------
    float array (height, width)
        In the units of ``tables``.
    """
    height, width = row_x_px.size, column_x_px.size
    image = np.zeros((height, width))
    reach_A = (tables.shape[1] - 1) * TABLE_STEP_A
    reach_px = reach_A / pixel_A
    least, most = column_x_px.min(), column_x_px.max()
    order = np.argsort(y_px)
    sorted_y = y_px[order]
    for row in prange(height):
        y = row + row_y_px[row]
        first = np.searchsorted(sorted_y, y - reach_px)
        last = np.searchsorted(sorted_y, y + reach_px)
        for n in range(first, last):
            site = order[n]
            dy = (y - y_px[site]) * pixel_A
            half = np.sqrt(max(reach_A**2 - dy**2, 0.0)) / pixel_A
            table, factor = tables[kind[site]], weight[site]
            x = x_px[site] - row_x_px[row]
            for col in range(max(0, int(np.ceil(x - half - most))), min(width, int(x + half - least) + 1)):
                dx = (col + column_x_px[col] - x) * pixel_A
                position = np.sqrt(dx * dx + dy * dy) / TABLE_STEP_A
                index = int(position)
                if index + 1 < table.size:
                    part = position - index
                    image[row, col] += factor * ((1 - part) * table[index] + part * table[index + 1])
    return image


def simulate_scan(
    specimen: Specimen,
    probe: Probe,
    *,
    collection_mrad: tuple[Angles, ...],
    pixel_size_nm: float,
    source_sigma_nm: float = 0.0,
    vibration_A: float | Mapping[str, float] = VIBRATION_A,
    dose_e_per_A2: float | None = None,
    rng: np.random.Generator | None = None,
    aberrations: Aberrations | None = None,
    faults: ScanFaults = FAULTLESS,
    progress: Progress | None = None,
) -> Micrograph:
    """Simulate a scan by superposing column kernels.

    Parameters
    ----------
    specimen : Specimen
        The columns; those just outside the field contribute too.
    probe : Probe
        The probe.
    collection_mrad : tuple of (float, float)
        Inner and outer semi-angle of each detector [mrad]; one channel each.
    pixel_size_nm : float
        Pixel size [nm].
    source_sigma_nm : float
        Standard deviation of the Gaussian source image along one axis [nm].
    vibration_A : float or mapping of str to float
        Root mean square thermal displacement along one axis [Å], of all atoms or by chemical symbol; 0 holds atoms
        still. By default each element's own at room temperature.
    dose_e_per_A2 : float, optional
        Dose [e/Å²] for Poisson noise; None gives a noise-free scan.
    rng : numpy Generator, optional
        Needed with a dose.
    aberrations : Aberrations, optional
        All aberrations of the probe, whose own must then be 0. Those that are not round take dark-field detectors,
        and some seconds for each column of the specimen and detector.
    faults : ScanFaults
        What goes wrong during the scan; by default nothing. The specimen should go on past the field by
        ``faults.reach_A`` more than without.
    progress : callable, optional
        Called with the number of kernels at hand, and of all.

    Returns
    -------
    Micrograph
        Frames are fractions of the beam; the context's values are of origin ``"user"``.

    Raises
    ------
    ContextError
        A dose without an ``rng``, a value out of range, no detector, a field without area, aberrations given twice or
        with a bright-field detector, or detector noise without a dose.

    Examples
    --------
    >>> from micrographia.simulate.specimens.hosts import host
    >>> from micrographia.simulate.specimens.specimen import cell, from_atoms
    >>> scan = simulate_scan(from_atoms(cell(host("WSe2"), (3, 2))), Probe(energy_kev=80.0, convergence_mrad=30.0),
    ...                      collection_mrad=((70.0, 200.0), (50.0, 120.0)), pixel_size_nm=0.02)
    >>> scan.frames.shape
    (2, 58, 50)
    """
    if aberrations is not None:
        if probe.defocus_A or probe.cs_mm:
            raise ContextError(
                f"aberrations are given, and the probe has a defocus of {probe.defocus_A:g} Å and a Cs of "
                f"{probe.cs_mm:g} mm besides; give them all in aberrations"
            )
        probe = replace(probe, defocus_A=aberrations.defocus_A, cs_mm=aberrations.cs_mm)
    if dose_e_per_A2 is None and (faults.pulse_spread or faults.read_noise_e):
        raise ContextError("pulse spread and read noise belong to counted electrons; give a dose as well")
    context = scan_context(
        probe,
        collection_mrad=collection_mrad,
        pixel_size_nm=pixel_size_nm,
        source_sigma_nm=source_sigma_nm,
        vibration_A=vibration_A,
        dose_e_per_A2=dose_e_per_A2,
        rng=rng,
    )
    pixel_A, source_sigma_A = 10 * pixel_size_nm, 10 * source_sigma_nm
    height, width = scan_shape(specimen, pixel_A)
    margin_px = DWELL_MARGIN_PX if faults.dwell_travel else 0
    path = probe_path(faults, height=height, width=width, pixel_A=pixel_A, margin_px=margin_px)
    kinds, kind = np.unique(specimen.kind, return_inverse=True)
    columns = [specimen.columns[k] for k in kinds] or [Column(atoms=())]
    x_px, y_px = specimen.x_A / pixel_A + margin_px, specimen.y_A / pixel_A
    if aberrations is None or aberrations.is_round:
        rings = []
        for n, column in enumerate(columns):
            rings.append(cached_rings(column, probe, vibration_A=vibration_A))
            if progress is not None:
                progress(n + 1, len(columns))
    signals = np.empty((len(collection_mrad), height, width), dtype=np.float32)
    for channel, angles in enumerate(collection_mrad):
        if aberrations is None or aberrations.is_round:
            tables = np.array([detector_table(k, angles, source_sigma_A=source_sigma_A) for k in rings])
            weight = np.ones(kind.size)
            signal = empty_beam(probe, angles) + superpose_along(x_px, y_px, kind, weight, tables, pixel_A, *path)
        else:
            splines = []
            for n, column in enumerate(columns):
                splines.append(
                    plane_spline(
                        column,
                        probe,
                        aberrations,
                        collection_mrad=angles,
                        source_sigma_A=source_sigma_A,
                        vibration_A=vibration_A,
                    )
                )
                if progress is not None:
                    progress(channel * len(columns) + n + 1, len(collection_mrad) * len(columns))
            signal = superpose_planes(x_px, y_px, kind, np.array(splines), spline_step_A(probe), pixel_A, *path)
        signals[channel] = dwelled(signal, faults) if margin_px else signal
        if faults.haze:
            signals[channel] = with_haze(signals[channel], faults, pixel_A=pixel_A)
    return finished_scan(
        signals,
        context,
        pixel_size_nm=pixel_size_nm,
        rng=rng,
        made_by="micrographia.simulate",
        pulse_spread=faults.pulse_spread,
        read_noise_e=faults.read_noise_e,
    )


def scan_context(
    probe: Probe,
    *,
    collection_mrad: tuple[Angles, ...],
    pixel_size_nm: float,
    source_sigma_nm: float,
    vibration_A: float | Mapping[str, float],
    dose_e_per_A2: float | None,
    rng: np.random.Generator | None,
) -> Context:
    """Check the settings of a simulated scan, and return them as its context.

    Parameters
    ----------
    probe, collection_mrad, pixel_size_nm, source_sigma_nm, vibration_A, dose_e_per_A2, rng
        As for `simulate_scan`.

    Raises
    ------
    ContextError
        A value out of range, no detector, or a dose without an ``rng``.
    """
    if not collection_mrad:
        raise ContextError("a scan needs a detector; give at least one pair of collection angles, INNER OUTER in mrad")
    for name, value, unit in (
        ("defocus", probe.defocus_A, "Å"),
        ("spherical aberration", probe.cs_mm, "mm"),
    ):
        if not np.isfinite(value):
            raise ContextError(f"{name} is {value:g} {unit}; accepted is a finite number")
    if not 0 < pixel_size_nm < np.inf:
        raise ContextError(f"pixel size is {pixel_size_nm:g} nm; accepted is a positive number")
    if not 0 <= source_sigma_nm < np.inf:
        raise ContextError(f"source size is {source_sigma_nm:g} nm; accepted is 0 or more")
    displacements_A(vibration_A if isinstance(vibration_A, Mapping) else ("all elements",), vibration_A)
    if dose_e_per_A2 is not None and rng is None:
        raise ContextError("a dose was given without a random generator; pass rng=numpy.random.default_rng(seed)")
    context = Context(
        technique="STEM",
        energy_kev=probe.energy_kev,
        convergence_mrad=probe.convergence_mrad,
        collection_mrad=collection_mrad,
        dose_e_per_A2=dose_e_per_A2,
        origin="user",
    )
    for angles in collection_mrad:
        ring_weights(angles)  # narrower limits than the context's
    return context


def scan_shape(specimen: Specimen, pixel_A: float) -> tuple[int, int]:
    """Return height and width [px] of a scan of the specimen's field: the last pixel may reach past the edge.

    Raises
    ------
    ContextError
        The field is empty.
    """
    if not (specimen.width_A > 0 and specimen.height_A > 0):
        raise ContextError(f"the field is {specimen.width_A:g} x {specimen.height_A:g} Å; accepted is a positive size")
    height, width = (max(1, int(np.ceil(size / pixel_A - 1e-9))) for size in (specimen.height_A, specimen.width_A))
    return height, width


def finished_scan(
    signals: Float[np.ndarray, "channel height width"],
    context: Context,
    *,
    pixel_size_nm: float,
    rng: np.random.Generator | None,
    made_by: str,
    pulse_spread: float = 0.0,
    read_noise_e: float = 0.0,
) -> Micrograph:
    """Return a micrograph of simulated signals, with the noise of the context's dose if it has one.

    Parameters
    ----------
    signals : float array (channel, height, width)
        Fractions of the beam.
    context : Context
        From `scan_context`.
    pixel_size_nm : float
        Pixel size [nm].
    rng : numpy Generator, optional
        Draws the noise.
    made_by : str
        The program, for the provenance.
    pulse_spread, read_noise_e : float
        As in `ScanFaults`; without a dose of no effect.
    """
    dose = context.dose_e_per_A2
    if dose is not None:
        electrons_per_px = dose * (10 * pixel_size_nm) ** 2
        signals = np.stack(
            [
                with_dose(
                    signal,
                    electrons_per_px=electrons_per_px,
                    rng=rng,
                    pulse_spread=pulse_spread,
                    read_noise_e=read_noise_e,
                )
                for signal in signals
            ]
        )
    software = f"micrographia {version('micrographia')}"
    return Micrograph(
        frames=signals.astype(np.float32),
        pixel_size_nm=pixel_size_nm,
        context=context,
        provenance=Provenance(file="simulated scan", sha256=None, reader=made_by, software=software),
        pixel_size_origin="user",
    )


def with_dose(
    signal: Float[np.ndarray, "height width"],
    *,
    electrons_per_px: float,
    rng: np.random.Generator | None,
    pulse_spread: float = 0.0,
    read_noise_e: float = 0.0,
) -> Float[np.ndarray, "height width"]:
    """Return a noisy image of a finite dose: Poisson counts of the detected electrons, as fractions of the beam.

    Parameters
    ----------
    signal : float array (height, width)
        Fraction of the beam on the detector.
    electrons_per_px : float
        Electrons that hit the specimen within one pixel.
    rng : numpy Generator
        Draws the counts, and the detector's noise if it has any.
    pulse_spread, read_noise_e : float
        The detector's noise, as for `read_out`.

    Raises
    ------
    ContextError
        No ``rng``.
    """
    if rng is None:
        raise ContextError("a dose was given without a random generator; pass rng=numpy.random.default_rng(seed)")
    counts: Float[np.ndarray, "height width"] = rng.poisson(np.clip(signal, 0, None) * electrons_per_px)
    if pulse_spread or read_noise_e:
        electrons = counts.astype(np.float32).ravel()
        read_out(electrons, pulse_spread, read_noise_e, rng.integers(2**64, dtype=np.uint64))
        counts = electrons.reshape(signal.shape).astype(float)
    return counts / electrons_per_px
