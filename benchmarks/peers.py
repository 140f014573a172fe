"""What our kernels are measured against: two convolutions of the field, and the time of abTEM's two engines.

`z_convolution` is JARVIS's `STEMConv` (Z^1.7, Gaussian plus Lorentzian), re-implemented, its widths, mixture, gain and
offset fitted to every reference image separately: the most that such a model can do.

`cross_section_convolution` is the incoherent picture of dark-field imaging in which nothing is fitted: each atom takes
the light that falls on it and scatters it by its cross-section.

`abtem_multislice_s` and `abtem_prism_s` time abTEM for one patch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import abtem
import numpy as np
from abtem.parametrizations import LobatoParametrization
from ase.data import atomic_numbers
from scipy.constants import c, e, m_e
from scipy.fft import next_fast_len
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from scipy.special import j1

from micrographia.context import Angles
from micrographia.simulate import Probe, Specimen, to_atoms, with_images
from micrographia.simulate.columns.blur import blur_matrix
from micrographia.simulate.columns.potentials import wavelength_A
from micrographia.simulate.columns.vibration import displacements_A
from micrographia.simulate.scans.reference import multislice_signal

REACH_A = 12.0
"""Distance from a column past which its light is left out [Å]: that of the kernels."""


def z_convolution(specimen: Specimen, x_A: np.ndarray, y_A: np.ndarray, truth: np.ndarray, fitted: slice) -> np.ndarray:
    """Return the Z^1.7 convolution with widths, mixture, gain and offset that fit ``truth`` best where ``fitted``."""
    around = with_images(specimen)
    strength = np.array([sum(atomic_numbers[s] ** 1.7 for s, _ in c.atoms) for c in around.columns])[around.kind]
    distance = np.hypot(x_A[:, None] - around.x_A, y_A[:, None] - around.y_A)

    def image(widths: np.ndarray) -> np.ndarray:
        gauss_A, lorentz_A, share = np.exp(widths[0]), np.exp(widths[1]), 1 / (1 + np.exp(-widths[2]))
        profile = (1 - share) * np.exp(-(distance**2) / (2 * gauss_A**2)) + share / (1 + (distance / lorentz_A) ** 2)
        shape = np.stack([profile @ strength, np.ones(len(x_A))], axis=1)
        return shape @ np.linalg.lstsq(shape[fitted], truth[fitted], rcond=None)[0]

    def misfit(widths: np.ndarray) -> float:
        return float(np.mean((image(widths) - truth)[fitted] ** 2))

    starts = ((np.log(0.4), np.log(0.4), 0.0), (np.log(0.5), 0.0, -3.0), (np.log(0.6), np.log(0.3), -1.0))
    fits = [minimize(misfit, np.array(start), method="Nelder-Mead") for start in starts]
    return image(min(fits, key=lambda f: f.fun).x)


def cross_section_convolution(
    specimen: Specimen,
    probe: Probe,
    x_A: np.ndarray,
    y_A: np.ndarray,
    *,
    collection_mrad: Angles,
    vibration_A: float | Mapping[str, float],
) -> np.ndarray:
    """Return the signal of independent atoms, each lit by the bare probe, on the absolute scale: fraction of the beam.

    The in-focus probe's Airy pattern is blurred by each atom's vibration and multiplied by the atom's cross-section for
    scattering into the detector, elastic and thermal diffuse together. It neglects: that the atoms of a column scatter
    coherently along the beam, and that the first focuses light onto the next; scattering twice, and all else past the
    first Born approximation; that an atom scatters to low angles from a disc rather than a point; interference of
    scattered and unscattered light, and of neighbouring columns; and the defocus of atoms away from the metal plane.
    """
    around = with_images(specimen, margin_A=REACH_A)
    radius_A = np.linspace(1e-9, REACH_A, int(REACH_A / 0.02) + 1)
    k_aperture = 1e-3 * probe.convergence_mrad / wavelength_A(probe.energy_kev)
    airy = j1(2 * np.pi * k_aperture * radius_A) ** 2 / (np.pi * radius_A**2)
    distance = np.hypot(x_A[:, None] - around.x_A, y_A[:, None] - around.y_A)
    blurred: dict[str, np.ndarray] = {}
    signal = np.zeros(len(x_A))
    for n, column in enumerate(around.columns):
        for symbol, _ in column.atoms:
            if symbol not in blurred:
                (rms_A,) = displacements_A([symbol], vibration_A)
                blurred[symbol] = cross_section_A2(symbol, probe, collection_mrad) * (
                    blur_matrix(radius_A, rms_A) @ airy
                )
            far = distance[:, around.kind == n]
            signal += np.where(far < REACH_A, CubicSpline(radius_A, blurred[symbol])(far), 0.0).sum(axis=1)
    return signal


def cross_section_A2(symbol: str, probe: Probe, collection_mrad: Angles) -> float:
    """Return an atom's cross-section for scattering a convergent beam into an annular detector [Å^2].

    The integral of ``|f|^2`` over solid angle, f the relativistic scattering factor of Lobato and Van Dyck (DOI
    10.1107/S205327331401643X), each scattering angle weighted by the share of the probe's directions from which it
    leads onto the detector.
    """
    step_mrad = 0.25
    angle_mrad = np.arange(step_mrad / 2, collection_mrad[1] + probe.convergence_mrad, step_mrad)
    inner, outer = (_overlap(angle_mrad, edge, probe.convergence_mrad) for edge in collection_mrad)
    seen = (outer - inner) / (np.pi * probe.convergence_mrad**2)
    gamma = 1 + 1e3 * e * probe.energy_kev / (m_e * c**2)
    k_per_A = 1e-3 * angle_mrad / wavelength_A(probe.energy_kev)
    f_A = gamma * LobatoParametrization().scattering_factor(symbol)(k_per_A**2)
    return float(np.sum(f_A**2 * seen * 2 * np.pi * angle_mrad * step_mrad) * 1e-6)


def _overlap(distance: np.ndarray, first: float, second: float) -> np.ndarray:
    """Return the common area of two discs of given radii, their centres ``distance`` apart."""
    near, far = abs(first - second), first + second
    d = np.clip(distance, near + 1e-12, far)
    along_first, along_second = (d**2 + first**2 - second**2) / (2 * d), (d**2 - first**2 + second**2) / (2 * d)
    lens = (
        first**2 * np.arccos(np.clip(along_first / first, -1, 1))
        + second**2 * np.arccos(np.clip(along_second / second, -1, 1))
        - along_first * np.sqrt(np.maximum(first**2 - along_first**2, 0))
        - along_second * np.sqrt(np.maximum(second**2 - along_second**2, 0))
    )
    return np.where(distance <= near, np.pi * min(first, second) ** 2, lens)


def abtem_multislice_s(
    specimen: Specimen,
    probe: Probe,
    *,
    collection_mrad: tuple[Angles, ...],
    sampling_A: float = 0.04,
    pixels: int = 64,
    timed_positions: int = 256,
) -> float:
    """Return seconds that abTEM's multislice takes for a patch of ``pixels`` by ``pixels``, static atoms, one thread.

    A sample of probe positions is timed, after a warm-up, and scaled to the number of pixels: the time of each is the
    same. Every plane of atoms is a slice of its own, the least that a multislice can do.
    """
    rng = np.random.default_rng(0)
    x_A, y_A = rng.uniform(0, specimen.width_A, timed_positions), rng.uniform(0, specimen.height_A, timed_positions)
    settings = {"collection_mrad": collection_mrad, "sampling_A": sampling_A}
    multislice_signal(specimen, probe, x_A[:32], y_A[:32], **settings)
    started = time.perf_counter()
    multislice_signal(specimen, probe, x_A, y_A, **settings)
    return (time.perf_counter() - started) / timed_positions * pixels**2


def abtem_prism_s(
    specimen: Specimen,
    probe: Probe,
    *,
    collection_mrad: tuple[Angles, ...],
    sampling_A: float = 0.04,
    pixels: int = 64,
    pixel_A: float = 0.2,
) -> float:
    """Return seconds that abTEM's PRISM takes for the same patch, static atoms, one thread, after a warm-up.

    Interpolation 2; the probe visits a grid of the Nyquist step over the patch's field, and the pixels are interpolated
    from it. The scattering matrix is part of the time, as each specimen has its own. The field is smaller than the box,
    which leaves abTEM's interpolation rings at its edges; to scan the whole box would take longer still.
    """
    atoms = to_atoms(specimen)
    extent_A = atoms.cell.lengths()[:2]
    points = tuple(int(next_fast_len(int(np.ceil(edge / sampling_A)), real=True)) for edge in extent_A)
    detectors = [abtem.AnnularDetector(inner=inner, outer=outer) for inner, outer in collection_mrad]
    field_A = pixels * pixel_A

    def patch() -> None:
        potential = abtem.Potential(atoms, gpts=points, slice_thickness=2.0, parametrization="lobato")
        matrix = abtem.SMatrix(
            potential=potential,
            energy=1e3 * probe.energy_kev,
            semiangle_cutoff=probe.convergence_mrad,
            interpolation=2,
        ).build(lazy=False)
        nyquist_A = wavelength_A(probe.energy_kev) / (4e-3 * probe.convergence_mrad)
        scan = abtem.GridScan(start=(0, 0), end=(field_A, field_A), sampling=nyquist_A)
        images = matrix.reduce(scan=scan, detectors=detectors)
        for image in images if isinstance(images, list) else [images]:
            image.interpolate(gpts=(pixels, pixels))

    patch()
    started = time.perf_counter()
    patch()
    return time.perf_counter() - started
