"""The reference: abTEM's multislice on the same columns, probe and pixels as `simulate_scan`.

Slow and complete where the kernels are fast and superposed. It needs abTEM, which comes with the ``bench`` extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from ase import Atoms
from jaxtyping import Float
from scipy.fft import next_fast_len
from scipy.optimize import brentq
from scipy.special import erfc, ndtri
from scipy.stats import qmc

from micrographia.context import Angles
from micrographia.errors import ContextError, MissingExtraError, StructureError
from micrographia.micrograph import Micrograph
from micrographia.simulate.columns.column import Probe
from micrographia.simulate.columns.kernels import ring_weights
from micrographia.simulate.columns.potentials import wavelength_A
from micrographia.simulate.columns.vibration import displacements_A
from micrographia.simulate.scans.scan import Progress, finished_scan, scan_context, scan_shape
from micrographia.simulate.specimens.specimen import Specimen

_LAST_SLICE_A: Final = 1.0
_SAME_PLANE_A: Final = 1e-3
_BATCH_POINTS: Final = 4_000_000
"""Grid points of all wave functions of a batch: 32 MB of single-precision complex numbers."""
_OVERSAMPLING: Final = 1.15
"""The soft edge of abTEM's aperture lets the image reach a little past twice the aperture's frequency."""


def to_atoms(specimen: Specimen) -> Atoms:
    """Return the specimen as ASE atoms in a box that repeats sideways, beam along z.

    A specimen whose sites all lie in its field gets a box of the field's size. Where sites lie outside the
    field, the box takes them in: it is larger by the same margin on all sides, and the atoms are shifted by it.

    Parameters
    ----------
    specimen : Specimen
        The columns.

    Returns
    -------
    ase.Atoms
        Heights as in the columns, so around 0.

    Raises
    ------
    StructureError
        No column holds an atom.

    Examples
    --------
    >>> from micrographia.simulate.specimens.hosts import host
    >>> from micrographia.simulate.specimens.specimen import cell, from_atoms
    >>> atoms = to_atoms(from_atoms(cell(host("WSe2"), (2, 1))))
    >>> sorted(set(atoms.get_chemical_symbols())), len(atoms), [f"{edge:.2f}" for edge in atoms.cell.lengths()]
    (['Se', 'W'], 12, ['6.64', '5.75', '4.32'])
    """
    margin_A = _margin_A(specimen)
    symbols: list[str] = []
    positions: list[tuple[float, float, float]] = []
    for x_A, y_A, kind in zip(specimen.x_A, specimen.y_A, specimen.kind, strict=True):
        for symbol, z_A in specimen.columns[kind].atoms:
            symbols.append(symbol)
            positions.append((float(x_A) + margin_A, float(y_A) + margin_A, z_A))
    if not symbols:
        raise StructureError("the specimen holds no atoms; multislice needs at least one")
    depth_A = float(np.ptp([z for *_, z in positions])) + _LAST_SLICE_A
    box_A = (specimen.width_A + 2 * margin_A, specimen.height_A + 2 * margin_A, depth_A)
    return Atoms(symbols, positions=positions, cell=box_A, pbc=(True, True, False))


def frozen_phonons_A(
    atoms: Atoms,
    vibration_A: float | Mapping[str, float],
    *,
    step_A: tuple[float, float],
    configurations: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "configuration atom axis"]:
    """Return sideways thermal displacements of all atoms, stratified over the configurations.

    Parameters
    ----------
    atoms : ase.Atoms
        The atoms; those of one column have equal x and y.
    vibration_A : float or mapping of str to float
        Root mean square displacement along one axis [Å], for all atoms or by element; 0 leaves atoms at rest.
    step_A : (float, float)
        Grid step along x and y [Å]: displacements are whole numbers of steps.
    configurations : int
        Number of configurations. Powers of two are stratified best.
    rng : numpy Generator
        Scrambles the points.

    Returns
    -------
    float array (configuration, atom, 2)
        Displacements along x and y [Å].

    Raises
    ------
    ContextError
        No configuration, or a displacement that is negative or not finite.
    StructureError
        An element without a displacement.

    Notes
    -----
    A dark-field image is nearly a sum over columns, and each term depends on the displacements of that column's few
    atoms only. Each column therefore gets scrambled Sobol points (Matousek, DOI 10.1006/jcom.1998.0489) in the space
    of its own atoms, in an order of its own, so that columns stay independent. Each configuration alone is distributed
    as an independent draw, hence means over configurations are free of bias; only their scatter is less: measured with
    16 configurations of a defective WSe2 cell (six replicates against independent draws), the variance was 22 times
    less at 60 keV and 36 times at 200 keV at random probe positions, and 3 to 4 times less on columns.

    Rounding a Gaussian to steps ``h`` adds about ``h^2 / 12`` to its variance. The Gaussian that is rounded is so much
    narrower that what comes out has exactly the displacement that was asked for.

    Examples
    --------
    >>> tungsten = Atoms("W2", positions=[(0, 0, 0), (3, 0, 0)])
    >>> drawn = frozen_phonons_A(tungsten, {"W": 0.06}, step_A=(0.04, 0.04), configurations=1024,
    ...                          rng=np.random.default_rng(0))
    >>> drawn.shape, [f"{u:.3f}" for u in drawn.std(axis=0).ravel()]
    ((1024, 2, 2), ['0.060', '0.060', '0.060', '0.060'])
    """
    if configurations < 1:
        raise ContextError(f"number of configurations is {configurations}; accepted is 1 or more")
    symbols = sorted(set(atoms.symbols))
    spread = {
        symbol: np.array([_spread_before_rounding(rms_A / step) for step in step_A])
        for symbol, rms_A in zip(symbols, displacements_A(symbols, vibration_A), strict=True)
    }
    columns: dict[tuple[float, float], list[int]] = {}
    for n, (x_A, y_A) in enumerate(atoms.positions[:, :2].round(6).tolist()):
        columns.setdefault((x_A, y_A), []).append(n)
    moved = np.empty((configurations, len(atoms), 2))
    for members in columns.values():
        points = qmc.Sobol(2 * len(members), seed=rng).random_base2(int(np.ceil(np.log2(configurations))))
        # Half of the smallest spacing keeps the points away from 0, where the Gaussian is infinite.
        normal = ndtri(rng.permutation(points[:configurations]) + 2.0**-31)
        width = np.stack([spread[atoms.symbols[n]] for n in members])
        moved[:, members] = np.round(normal.reshape(-1, len(members), 2) * width) * np.array(step_A)
    return moved


def multislice_signal(
    specimen: Specimen,
    probe: Probe,
    x_A: Float[np.ndarray, " position"],
    y_A: Float[np.ndarray, " position"],
    *,
    collection_mrad: tuple[Angles, ...],
    sampling_A: float = 0.04,
    vibration_A: float | Mapping[str, float] = 0.0,
    configurations: int = 1,
    rng: np.random.Generator | None = None,
    progress: Progress | None = None,
) -> Float[np.ndarray, "channel position"]:
    """Return what each detector collects with the probe at given positions, by abTEM's multislice.

    Parameters
    ----------
    specimen : Specimen
        The columns; `to_atoms` says how its surroundings are handled.
    probe : Probe
        The probe. Its defocus counts from ``z = 0``, as in `simulate_scan`.
    x_A, y_A : float array (position,)
        Probe positions in the coordinates of the specimen [Å].
    collection_mrad : tuple of (float, float)
        Inner and outer semi-angle of each detector [mrad].
    sampling_A : float
        Largest step of the grid that carries waves and potentials [Å].
    vibration_A : float or mapping of str to float
        Root mean square thermal displacement along one axis [Å], for all atoms or by element; 0 gives static atoms.
    configurations : int
        Number of frozen-phonon configurations that are averaged, best a power of two; see `frozen_phonons_A`.
        Static atoms need but one.
    rng : numpy Generator, optional
        Draws the displacements; needed when atoms vibrate.
    progress : callable, optional
        Called with the number of wave functions done, and of all.

    Returns
    -------
    float array (channel, position)
        Fraction of the beam.

    Raises
    ------
    MissingExtraError
        abTEM is not installed.
    ContextError
        Angles that the grid does not carry, a sampling that is not positive, no configuration, an impossible
        displacement, or vibration without an ``rng``.
    StructureError
        No atoms, or an element without a displacement.

    Notes
    -----
    One slice begins at each plane of atoms, so that the distances between planes are exact; a fixed slice
    thickness would round them. Atoms are put on the nearest point of the grid: abTEM spreads an atom between
    four points, which costs up to 15 % of a tungsten column's high-angle signal at 0.05 Å, whereas the rounding
    moves it by less than 0.7 of the sampling. Moving abTEM's potential of an atom by phases in Fourier space does
    not help: what is sampled is the exponential of a peak narrower than the grid, and the signal of a tungsten column
    between grid points was still 5 % lower at 60 keV and 0.04 Å, or 6 % higher at 200 keV and 0.03 Å, than on one.
    """
    try:
        import abtem
    except ImportError as error:
        raise MissingExtraError("abtem", "bench") from error
    if not sampling_A > 0:
        raise ContextError(f"sampling is {sampling_A:g} Å; accepted is a positive number")
    if configurations < 1:
        raise ContextError(f"number of configurations is {configurations}; accepted is 1 or more")
    for angles in collection_mrad:
        ring_weights(angles)
    atoms = to_atoms(specimen)
    moving = max(displacements_A(sorted(set(atoms.symbols)), vibration_A)) > 0
    if moving and rng is None:
        raise ContextError("atoms vibrate without a random generator; pass rng=numpy.random.default_rng(seed)")
    extent_A = tuple(atoms.cell.lengths()[:2].tolist())
    points = tuple(int(next_fast_len(int(np.ceil(edge / sampling_A)), real=True)) for edge in extent_A)
    reach_mrad = 1e3 * wavelength_A(probe.energy_kev) * min(n / e for n, e in zip(points, extent_A, strict=True)) / 3
    if reach_mrad < (outer := max(outer for _, outer in collection_mrad)):
        raise ContextError(
            f"a sampling of {sampling_A:g} Å carries scattering to {reach_mrad:.0f} mrad, the detector reaches "
            f"{outer:g} mrad; make the sampling finer than {sampling_A * reach_mrad / outer:.3f} Å"
        )
    top_A = float(atoms.positions[:, 2].min())
    beam = abtem.Probe(
        energy=1e3 * probe.energy_kev,
        semiangle_cutoff=probe.convergence_mrad,
        defocus=probe.defocus_A - top_A,
        Cs=1e7 * probe.cs_mm,
        extent=extent_A,
        gpts=points,
    )
    detectors = [abtem.AnnularDetector(inner=inner, outer=outer) for inner, outer in collection_mrad]
    margin_A = _margin_A(specimen)
    positions = np.stack([np.asarray(x_A), np.asarray(y_A)], axis=1) + margin_A
    step_A = (extent_A[0] / points[0], extent_A[1] / points[1])
    if moving and rng is not None:
        moves = frozen_phonons_A(atoms, vibration_A, step_A=step_A, configurations=configurations, rng=rng)
    else:
        moves = np.zeros((1, len(atoms), 2))
    batch = max(1, _BATCH_POINTS // (points[0] * points[1]))
    signal = np.zeros((len(collection_mrad), len(positions)))
    for repeat, moved_A in enumerate(moves):
        potential = _potential(abtem, atoms, points, moved_A)
        for first in range(0, len(positions), batch):
            scan = abtem.CustomScan(positions[first : first + batch])
            measured = beam.scan(potential, scan=scan, detectors=detectors, max_batch=batch, lazy=False)
            measured = measured if isinstance(measured, list) else [measured]
            for channel, values in enumerate(measured):
                signal[channel, first : first + batch] += np.asarray(values.array).ravel() / len(moves)
            if progress is not None:
                progress(repeat * len(positions) + min(first + batch, len(positions)), len(moves) * len(positions))
    return signal


def multislice_scan(
    specimen: Specimen,
    probe: Probe,
    *,
    collection_mrad: tuple[Angles, ...],
    pixel_size_nm: float,
    source_sigma_nm: float = 0.0,
    vibration_A: float | Mapping[str, float] = 0.0,
    configurations: int = 8,
    sampling_A: float = 0.04,
    dose_e_per_A2: float | None = None,
    rng: np.random.Generator | None = None,
    progress: Progress | None = None,
) -> Micrograph:
    """Simulate a scan by abTEM's multislice, on the same field and pixels as `simulate_scan`.

    Parameters
    ----------
    specimen : Specimen
        The columns. One without sites outside its field repeats periodically.
    probe : Probe
        The probe.
    collection_mrad : tuple of (float, float)
        Inner and outer semi-angle of each detector [mrad]; one channel each.
    pixel_size_nm : float
        Pixel size [nm].
    source_sigma_nm : float
        Standard deviation of the Gaussian source image along one axis [nm].
    vibration_A : float or mapping of str to float
        Root mean square thermal displacement along one axis [Å], for all atoms or by element; 0 gives static atoms.
    configurations : int
        Frozen-phonon configurations that are averaged when atoms vibrate, best a power of two.
    sampling_A : float
        Largest step of the grid that carries waves and potentials [Å].
    dose_e_per_A2 : float, optional
        Dose [e/Å²] for Poisson noise; None gives a noise-free scan.
    rng : numpy Generator, optional
        Needed with a dose, and when atoms vibrate.
    progress : callable, optional
        Called with the number of wave functions done, and of all.

    Returns
    -------
    Micrograph
        Frames are fractions of the beam; the context's values are of origin ``"user"``.

    Raises
    ------
    MissingExtraError
        abTEM is not installed.
    ContextError
        As for `simulate_scan` and `multislice_signal`.

    Notes
    -----
    The image holds no frequency above twice the aperture's. The probe therefore visits a grid just fine
    enough for those over the whole box; the pixels, and the blur by the source, follow exactly from the Fourier series.

    Examples
    --------
    >>> from micrographia.simulate.columns.column import Column
    >>> alone = Specimen(x_A=np.array([4.0]), y_A=np.array([4.0]), columns=(Column(atoms=(("W", 0.0),)),),
    ...                  kind=np.array([0]), label=np.array(["M"]), width_A=8.0, height_A=8.0)
    >>> scan = multislice_scan(alone, Probe(energy_kev=80.0, convergence_mrad=20.0), collection_mrad=((60.0, 120.0),),
    ...                        pixel_size_nm=0.1, sampling_A=0.1)
    >>> scan.frames.shape, np.unravel_index(scan.frames[0].argmax(), (8, 8))
    ((1, 8, 8), (np.int64(4), np.int64(4)))
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
    margin_A = _margin_A(specimen)
    box_x_A, box_y_A = specimen.width_A + 2 * margin_A, specimen.height_A + 2 * margin_A
    finest_per_A = 2e-3 * probe.convergence_mrad / wavelength_A(probe.energy_kev) * _OVERSAMPLING
    count_x, count_y = (int(2 * np.ceil(finest_per_A * edge + 2) + 1) for edge in (box_x_A, box_y_A))
    grid_x, grid_y = np.meshgrid(np.arange(count_x) * box_x_A / count_x, np.arange(count_y) * box_y_A / count_y)
    signal = multislice_signal(
        specimen,
        probe,
        grid_x.ravel() - margin_A,
        grid_y.ravel() - margin_A,
        collection_mrad=collection_mrad,
        sampling_A=sampling_A,
        vibration_A=vibration_A,
        configurations=configurations,
        rng=rng,
        progress=progress,
    )
    series = np.fft.fft2(signal.reshape(-1, count_y, count_x)) / (count_x * count_y)
    k_x, k_y = np.fft.fftfreq(count_x, box_x_A / count_x), np.fft.fftfreq(count_y, box_y_A / count_y)
    series *= np.exp(-2 * (10 * np.pi * source_sigma_nm) ** 2 * (k_y[:, None] ** 2 + k_x**2))
    along_y = np.exp(2j * np.pi * np.outer(np.arange(height) * pixel_A + margin_A, k_y))
    along_x = np.exp(2j * np.pi * np.outer(k_x, np.arange(width) * pixel_A + margin_A))
    return finished_scan(
        np.real(along_y @ series @ along_x), context, pixel_size_nm=pixel_size_nm, rng=rng, made_by=_made_by()
    )


def _made_by() -> str:
    from importlib.metadata import version

    return f"abtem {version('abtem')}"


def _margin_A(specimen: Specimen) -> float:
    """How far sites lie outside the field [Å]."""
    if specimen.x_A.size == 0:
        return 0.0
    past = max(
        -specimen.x_A.min(),
        -specimen.y_A.min(),
        specimen.x_A.max() - specimen.width_A,
        specimen.y_A.max() - specimen.height_A,
    )
    return float(past) if past > _SAME_PLANE_A else 0.0


def _spread_before_rounding(rms: float) -> float:
    """Return the standard deviation of a Gaussian that has the given one after rounding to whole numbers."""
    if rms == 0:
        return 0.0
    n = np.arange(1, int(10 * (rms + 1)) + 1)

    def excess(spread: float) -> float:
        # E[round(z)^2] = sum over n of (n^2 - (n-1)^2) P(|z| > n - 1/2).
        return float(np.sum((2 * n - 1) * erfc((n - 0.5) / (spread * np.sqrt(2))))) - rms**2

    return float(brentq(excess, 1e-3, rms + 1))


def _potential(abtem: Any, atoms: Atoms, points: tuple[int, ...], moved_A: Float[np.ndarray, "atom axis"]) -> Any:
    """Return abTEM's potential of one configuration: a slice for each plane of atoms, atoms on grid points."""
    z_A = atoms.positions[:, 2]
    order = np.argsort(z_A, kind="stable")
    new_plane = np.concatenate([[0], np.cumsum(np.diff(z_A[order]) > _SAME_PLANE_A)])
    plane = np.empty(len(atoms), dtype=int)
    plane[order] = new_plane
    heights_A = np.array([z_A[plane == n].mean() for n in range(plane.max() + 1)])
    thickness_A = np.append(np.diff(heights_A), _LAST_SLICE_A)
    moved = atoms.copy()
    step_A = moved.cell.lengths()[:2] / points
    # Rounded apart from the displacement, which is in whole steps: together they could round to one step too many.
    at_rest, moves = np.round(moved.positions[:, :2] / step_A), np.round(moved_A / step_A)
    moved.positions[:, :2] = ((at_rest + moves) % points) * step_A
    moved.positions[:, 2] = (np.cumsum(thickness_A) - thickness_A / 2)[plane]
    moved.cell = [*moved.cell.lengths()[:2], thickness_A.sum()]
    return abtem.Potential(
        moved, gpts=points, slice_thickness=tuple(thickness_A.tolist()), parametrization="lobato", projection="infinite"
    ).build(lazy=False)
