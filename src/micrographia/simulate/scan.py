"""Superposition of column kernels into a scan."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange

from micrographia.context import Angles, Context
from micrographia.errors import ContextError
from micrographia.micrograph import Micrograph, Provenance
from micrographia.simulate.column import Probe
from micrographia.simulate.kernels import TABLE_STEP_A, cached_rings, detector_table, empty_beam
from micrographia.simulate.specimen import Specimen

VIBRATION_A = 0.075
"""Root mean square thermal displacement along one axis that is assumed for every element [Å].

Debye-Waller B = 8 pi^2 u^2 = 0.44 Å^2, the size that X-ray refinements of 2H-MX2 crystals give at room temperature.
"""


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
    vibration_A: float = VIBRATION_A,
    dose_e_per_A2: float | None = None,
    rng: np.random.Generator | None = None,
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
    vibration_A : float
        Root mean square thermal displacement along one axis [Å].
    dose_e_per_A2 : float, optional
        Dose [e/Å²] for Poisson noise; None gives a noise-free scan.
    rng : numpy Generator, optional
        Needed with a dose.

    Returns
    -------
    Micrograph
        Frames are fractions of the beam; the context's values are of origin ``"user"``.

    Raises
    ------
    ContextError
        A dose without an ``rng``, a value out of range, or a scan of no pixels.

    Examples
    --------
    >>> from micrographia.simulate.hosts import host
    >>> from micrographia.simulate.specimen import cell, from_atoms
    >>> scan = simulate_scan(from_atoms(cell(host("WSe2"), (3, 2))), Probe(energy_kev=80.0, convergence_mrad=30.0),
    ...                      collection_mrad=((70.0, 200.0), (50.0, 120.0)), pixel_size_nm=0.02)
    >>> scan.frames.shape
    (2, 58, 50)
    """
    context = Context(
        technique="STEM",
        energy_kev=probe.energy_kev,
        convergence_mrad=probe.convergence_mrad,
        collection_mrad=collection_mrad,
        dose_e_per_A2=dose_e_per_A2,
        origin="user",
    )
    if not pixel_size_nm > 0:
        raise ContextError(f"pixel size is {pixel_size_nm:g} nm; accepted is a positive number")
    if source_sigma_nm < 0:
        raise ContextError(f"source size is {source_sigma_nm:g} nm; accepted is 0 or more")
    pixel_A = 10 * pixel_size_nm
    height, width = (int(np.ceil(size / pixel_A - 1e-9)) for size in (specimen.height_A, specimen.width_A))
    rings = [cached_rings(column, probe, vibration_A=vibration_A) for column in specimen.columns]
    frames = np.empty((len(collection_mrad), height, width), dtype=np.float32)
    for channel, angles in enumerate(collection_mrad):
        tables = np.array([detector_table(k, angles, source_sigma_A=10 * source_sigma_nm) for k in rings])
        signal = empty_beam(probe, angles) + superpose(
            specimen.x_A / pixel_A,
            specimen.y_A / pixel_A,
            specimen.kind,
            np.ones(specimen.kind.size),
            tables,
            pixel_A,
            height,
            width,
        )
        frames[channel] = signal if dose_e_per_A2 is None else with_dose(
            signal, electrons_per_px=dose_e_per_A2 * pixel_A**2, rng=rng
        )
    return Micrograph(
        frames=frames,
        pixel_size_nm=pixel_size_nm,
        context=context,
        provenance=Provenance(file="simulated scan", sha256=None, reader="micrographia.simulate", software=_version()),
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


def _version() -> str:
    from importlib.metadata import version

    return version("micrographia")
