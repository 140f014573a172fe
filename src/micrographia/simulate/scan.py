"""Superposition of column kernels into a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange

from micrographia.context import Angles, Context
from micrographia.errors import ContextError
from micrographia.micrograph import Micrograph, Provenance
from micrographia.simulate.column import Column, Probe
from micrographia.simulate.kernels import TABLE_STEP_A, cached_rings, detector_table, empty_beam, ring_weights
from micrographia.simulate.specimen import Specimen
from micrographia.simulate.vibration import VIBRATION_A, displacements_A

Progress = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are."""


@njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
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
    image = np.zeros((height, width))
    reach_A = (tables.shape[1] - 1) * TABLE_STEP_A
    reach_px = reach_A / pixel_A
    order = np.argsort(y_px)
    sorted_y = y_px[order]
    for row in prange(height):
        first = np.searchsorted(sorted_y, row - reach_px)
        last = np.searchsorted(sorted_y, row + reach_px)
        for n in range(first, last):
            site = order[n]
            dy = (row - y_px[site]) * pixel_A
            half = np.sqrt(max(reach_A**2 - dy**2, 0.0)) / pixel_A
            for col in range(max(0, int(np.ceil(x_px[site] - half))), min(width, int(x_px[site] + half) + 1)):
                dx = (col - x_px[site]) * pixel_A
                position = np.sqrt(dx * dx + dy * dy) / TABLE_STEP_A
                index = int(position)
                if index + 1 < tables.shape[1]:
                    part = position - index
                    table = tables[kind[site]]
                    image[row, col] += weight[site] * ((1 - part) * table[index] + part * table[index + 1])
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
    progress : callable, optional
        Called with the number of kernels at hand, and of all.

    Returns
    -------
    Micrograph
        Frames are fractions of the beam; the context's values are of origin ``"user"``.

    Raises
    ------
    ContextError
        A dose without an ``rng``, a value out of range, no detector, or a field without area.

    Examples
    --------
    >>> from micrographia.simulate.hosts import host
    >>> from micrographia.simulate.specimen import cell, from_atoms
    >>> scan = simulate_scan(from_atoms(cell(host("WSe2"), (3, 2))), Probe(energy_kev=80.0, convergence_mrad=30.0),
    ...                      collection_mrad=((70.0, 200.0), (50.0, 120.0)), pixel_size_nm=0.02)
    >>> scan.frames.shape
    (2, 58, 50)
    """
    context = scan_context(
        probe,
        collection_mrad=collection_mrad,
        pixel_size_nm=pixel_size_nm,
        source_sigma_nm=source_sigma_nm,
        vibration_A=vibration_A,
        dose_e_per_A2=dose_e_per_A2,
        rng=rng,
    )
    pixel_A = 10 * pixel_size_nm
    height, width = scan_shape(specimen, pixel_A)
    kinds, kind = np.unique(specimen.kind, return_inverse=True)
    columns = [specimen.columns[k] for k in kinds] or [Column(atoms=())]
    rings = []
    for n, column in enumerate(columns):
        rings.append(cached_rings(column, probe, vibration_A=vibration_A))
        if progress is not None:
            progress(n + 1, len(columns))
    signals = np.empty((len(collection_mrad), height, width), dtype=np.float32)
    for channel, angles in enumerate(collection_mrad):
        tables = np.array([detector_table(k, angles, source_sigma_A=10 * source_sigma_nm) for k in rings])
        signals[channel] = empty_beam(probe, angles) + superpose(
            specimen.x_A / pixel_A,
            specimen.y_A / pixel_A,
            kind,
            np.ones(kind.size),
            tables,
            pixel_A,
            height,
            width,
        )
    return finished_scan(signals, context, pixel_size_nm=pixel_size_nm, rng=rng, made_by="micrographia.simulate")


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
    """
    dose = context.dose_e_per_A2
    if dose is not None:
        electrons_per_px = dose * (10 * pixel_size_nm) ** 2
        signals = np.stack([with_dose(s, electrons_per_px=electrons_per_px, rng=rng) for s in signals])
    software = f"micrographia {version('micrographia')}"
    return Micrograph(
        frames=signals.astype(np.float32),
        pixel_size_nm=pixel_size_nm,
        context=context,
        provenance=Provenance(file="simulated scan", sha256=None, reader=made_by, software=software),
        pixel_size_origin="user",
    )


def with_dose(
    signal: Float[np.ndarray, "height width"], *, electrons_per_px: float, rng: np.random.Generator | None
) -> Float[np.ndarray, "height width"]:
    """Return a noisy image of a finite dose: Poisson counts of the detected electrons, as fractions of the beam.

    Parameters
    ----------
    signal : float array (height, width)
        Fraction of the beam on the detector.
    electrons_per_px : float
        Electrons that hit the specimen within one pixel.
    rng : numpy Generator
        Draws the counts.

    Raises
    ------
    ContextError
        No ``rng``.
    """
    if rng is None:
        raise ContextError("a dose was given without a random generator; pass rng=numpy.random.default_rng(seed)")
    counts: Float[np.ndarray, "height width"] = rng.poisson(np.clip(signal, 0, None) * electrons_per_px)
    return counts / electrons_per_px
