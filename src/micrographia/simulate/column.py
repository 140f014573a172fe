"""Multislice of one isolated atomic column, along a radius only.

A column is a few atoms on one line parallel to the beam. Its potential is round, so a probe at distance
``r`` from it can be expanded in angular harmonics about the column, and every step of the multislice
algorithm - transmission through an atom, propagation to the next, diffraction to the detector plane -
leaves the harmonics apart. What remains is a set of one-dimensional Hankel transforms: no grid, hence
no sub-pixel error, no wrap-around, and the intensity comes for every scattering angle at once.
"""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Complex, Float
from numba import njit
from threadpoolctl import threadpool_limits

from micrographia.errors import ContextError
from micrographia.simulate.blur import blur_matrix
from micrographia.simulate.potentials import interaction_rad_per_V_A, projected_potential_V_A, wavelength_A

RING_MRAD: Final = 1.0
"""Width of the scattering-angle rings in which intensity is kept [mrad]."""
MAX_ANGLE_MRAD: Final = 260.0
"""Largest scattering angle that is kept [mrad]."""
_POTENTIAL_RADIUS_A: Final = 4.5
_LARGEST_TABLE: Final = 500_000_000
KERNEL_RADIUS_A: Final = 12.0
"""Distance from a column at which its kernel ends [Å]."""


@dataclass(frozen=True, kw_only=True, order=True)
class Probe:
    """A round, coherent probe.

    Parameters
    ----------
    energy_kev : float
        Beam energy [keV].
    convergence_mrad : float
        Convergence semi-angle [mrad].
    defocus_A : float
        Distance by which the focus lies below (after) the plane ``z = 0`` [Å].
    cs_mm : float
        Third-order spherical aberration [mm].
    """

    energy_kev: float
    convergence_mrad: float
    defocus_A: float = 0.0
    cs_mm: float = 0.0


@dataclass(frozen=True, kw_only=True, order=True)
class Column:
    """Atoms on one line along the beam.

    Parameters
    ----------
    atoms : tuple of (str, float)
        Chemical symbol and height z [Å] of each, in the order in which the beam meets them; z grows along the beam.
    """

    atoms: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class RingKernel:
    """What one column adds to the intensity in every ring of scattering angle.

    Parameters
    ----------
    radius_A : float array (radius,)
        Distance of the probe from the column [Å], uniform from 0.
    rings : float array (radius, ring)
        Fraction of the beam scattered into ring ``k``, which spans ``k`` to ``k + 1`` times `RING_MRAD`,
        less what an empty specimen would put there.
    """

    radius_A: Float[np.ndarray, " radius"]
    rings: Float[np.ndarray, "radius ring"]


def radial_step_A(probe: Probe) -> float:
    """Return a step of the radius that resolves the finest detail of any STEM image of this probe [Å].

    The image holds no frequency above twice the aperture's, ``2 alpha / lambda``; the step is a sixth of the
    finest period, which a cubic spline carries to about 1e-4 of the peak.

    Parameters
    ----------
    probe : Probe
        The probe; only energy and convergence matter.
    """
    return wavelength_A(probe.energy_kev) / (12e-3 * probe.convergence_mrad)


def column_rings(column: Column, probe: Probe, *, vibration_A: float) -> RingKernel:
    """Return the kernel of an isolated column by multislice, for all scattering angles.

    Parameters
    ----------
    column : Column
        The atoms. An empty column gives an all-zero kernel.
    probe : Probe
        The probe.
    vibration_A : float
        Root mean square thermal displacement of each atom along one axis [Å], 0 or more; atoms move
        independently (Einstein model). Zero gives static atoms.

    Returns
    -------
    RingKernel
        Kernel to 12 Å from the column.

    Raises
    ------
    ContextError
        A probe so fine that the tables would not fit into memory.
    StructureError
        An element without a tabulated potential.

    Notes
    -----
    Thermal motion: a single atom's kernel is exactly the static one convolved with the displacements. For
    several atoms the intensity is the elastic part (the multislice with thermally averaged transmission
    functions, exact for independent atoms) plus each atom's thermal diffuse part, whose angular distribution
    is that of the isolated atom and whose amount follows the elastic wave's intensity on the atom.

    Scattering angles are ``lambda k``, the convention of the field's multislice programs.

    Examples
    --------
    >>> probe = Probe(energy_kev=80.0, convergence_mrad=30.0)
    >>> kernel = column_rings(Column(atoms=(("W", 0.0),)), probe, vibration_A=0.0)
    >>> print(f"{kernel.rings[0, 76:200].sum():.3f} of the beam on HAADF")
    0.048 of the beam on HAADF
    """
    # Matrices this small only lose by threads, and lose much: ten times and more where cores are shared.
    with threadpool_limits(limits=1, user_api="blas"):
        return _column_rings(column, probe, vibration_A)


def _column_rings(column: Column, probe: Probe, vibration_A: float) -> RingKernel:
    basis = _basis(probe)
    count = int(MAX_ANGLE_MRAD / RING_MRAD)
    if not column.atoms:
        return RingKernel(radius_A=basis.radius_A, rings=np.zeros((basis.radius_A.size, count)))
    atoms = [_scattering(symbol, basis) for symbol, _ in column.atoms]
    heights_A = [z for _, z in column.atoms]
    if vibration_A == 0:
        intensity, _ = _diffract(atoms, heights_A, basis)
    else:
        means = [_averaged(atom, vibration_A, basis) for atom in atoms]
        intensity, illumination = _diffract(means, heights_A, basis)
        spread = blur_matrix(basis.radius_A, vibration_A)
        for atom, mean, z_A, here in zip(atoms, means, heights_A, illumination, strict=True):
            moving = spread @ _diffract([atom], [z_A], basis)[0]
            elastic, alone = _diffract([mean], [z_A], basis)
            source = basis.rho_area_A2 * (1 - np.abs(1 + mean) ** 2)
            intensity += ((here @ source) / (alone[0] @ source))[:, None] * (moving - elastic)
    rings = intensity.reshape(basis.radius_A.size, -1, basis.nodes_per_ring).sum(axis=2)[:, :count]
    return RingKernel(radius_A=basis.radius_A, rings=rings)


@dataclass(frozen=True, kw_only=True)
class _Basis:
    """Nodes, weights and Bessel functions of the Hankel transforms for one probe."""

    wavelength_A: float
    interaction: float
    radius_A: Float[np.ndarray, " radius"]
    rho_A: Float[np.ndarray, " rho"]
    rho_area_A2: Float[np.ndarray, " rho"]  # 2 pi rho d(rho)
    k_per_A: Float[np.ndarray, " k"]
    k_area_per_A2: Float[np.ndarray, " k"]  # 2 pi k dk
    nodes_per_ring: int
    aperture_per_A: Float[np.ndarray, " a"]
    aperture_weight: Float[np.ndarray, " a"]  # amplitude times 2 pi k dk
    aberration: Complex[np.ndarray, " a"]
    probe_in_k: Complex[np.ndarray, " k"]  # amplitude and aberration of the probe, zero outside the aperture
    j_aperture_rho: Float[np.ndarray, "order a rho"]
    j_aperture_radius: Float[np.ndarray, "order a radius"]
    j_k_rho: Float[np.ndarray, "order k rho"]
    j_k_radius: Float[np.ndarray, "order inside radius"]  # only k inside the aperture


@lru_cache(maxsize=1)  # the columns of one probe come one after the other, and share it
def _basis(probe: Probe) -> _Basis:
    wavelength = wavelength_A(probe.energy_kev)
    k_aperture = 1e-3 * probe.convergence_mrad / wavelength
    ring_per_A = 1e-3 * RING_MRAD / wavelength
    nodes_per_ring = int(np.ceil(ring_per_A / 0.03))
    # Waves beyond the largest detector still matter between atoms, hence at least 10 per Å.
    rings = int(np.ceil(max(MAX_ANGLE_MRAD / RING_MRAD, 10 / ring_per_A)))
    dk = ring_per_A / nodes_per_ring
    k = (np.arange(rings * nodes_per_ring) + 0.5) * dk
    rho, rho_weight = _panels(
        [0.0, 0.003, 0.01, 0.03, 0.08, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 2.75, 3.5, _POTENTIAL_RADIUS_A],
        nodes=max(10, int(3 * k[-1] * 0.75)),
    )
    orders = int(2 * np.pi * k_aperture * _POTENTIAL_RADIUS_A) + 12
    if orders * k.size * rho.size > _LARGEST_TABLE:
        raise ContextError(
            f"a probe of {probe.convergence_mrad:g} mrad at {probe.energy_kev:g} keV needs tables larger than 4 GB; "
            "accepted is a smaller convergence angle or beam energy"
        )
    aperture, aperture_width = _panels([0.0, k_aperture], nodes=int(24 + 8 * k_aperture * KERNEL_RADIUS_A))
    step = radial_step_A(probe)
    radius = np.arange(int(np.ceil(KERNEL_RADIUS_A / step)) + 1) * step
    amplitude = 1 / np.sqrt(np.pi * k_aperture**2)

    def aberration(k_per_A: Float[np.ndarray, " k"]) -> Complex[np.ndarray, " k"]:
        chi = -np.pi * wavelength * probe.defocus_A * k_per_A**2
        phase: Complex[np.ndarray, " k"] = np.exp(
            -1j * (chi + np.pi / 2 * probe.cs_mm * 1e7 * wavelength**3 * k_per_A**4)
        )
        return phase

    return _Basis(
        wavelength_A=wavelength,
        interaction=interaction_rad_per_V_A(probe.energy_kev),
        radius_A=radius,
        rho_A=rho,
        rho_area_A2=2 * np.pi * rho * rho_weight,
        k_per_A=k,
        k_area_per_A2=2 * np.pi * k * dk,
        nodes_per_ring=nodes_per_ring,
        aperture_per_A=aperture,
        aperture_weight=amplitude * 2 * np.pi * aperture * aperture_width,
        aberration=aberration(aperture),
        probe_in_k=np.where(k < k_aperture, amplitude, 0.0) * aberration(k),
        j_aperture_rho=_bessel(orders, aperture, rho),
        j_aperture_radius=_bessel(orders, aperture, radius),
        j_k_rho=_bessel(orders, k, rho),
        j_k_radius=_bessel(orders, k[k < k_aperture], radius),
    )


def _scattering(symbol: str, basis: _Basis) -> Complex[np.ndarray, " rho"]:
    """Transmission function of one atom, less one."""
    return np.exp(1j * basis.interaction * projected_potential_V_A(symbol, basis.rho_A)) - 1


def _averaged(
    scattering: Complex[np.ndarray, " rho"], vibration_A: float, basis: _Basis
) -> Complex[np.ndarray, " rho"]:
    """Mean of the scattering over thermal displacements: a product with the Debye-Waller factor in k."""
    j0 = basis.j_k_rho[0]
    spectrum = (j0 @ (basis.rho_area_A2 * scattering)) * np.exp(-2 * (np.pi * vibration_A * basis.k_per_A) ** 2)
    mean: Complex[np.ndarray, " rho"] = j0.T @ (basis.k_area_per_A2 * spectrum)
    return mean


def _propagator(k_per_A: Float[np.ndarray, " k"], distance_A: float, basis: _Basis) -> Complex[np.ndarray, " k"]:
    """Fresnel propagation over a distance along the beam, in k."""
    phase: Complex[np.ndarray, " k"] = np.exp(-1j * np.pi * basis.wavelength_A * distance_A * k_per_A**2)
    return phase


def _diffract(
    atoms: list[Complex[np.ndarray, " rho"]], heights_A: list[float], basis: _Basis
) -> tuple[Float[np.ndarray, "radius k"], list[Float[np.ndarray, "radius rho"]]]:
    """Return intensity added per k node, and for each atom the intensity of the wave that meets it."""
    inside = basis.j_k_radius.shape[1]
    intensity = np.zeros((basis.k_per_A.size, basis.radius_A.size))
    illumination = [np.zeros((basis.rho_A.size, basis.radius_A.size)) for _ in atoms]
    probes = [basis.aperture_weight * basis.aberration * _propagator(basis.aperture_per_A, z, basis) for z in heights_A]
    for m in range(len(basis.j_k_rho)):
        twice = 1.0 if m == 0 else 2.0  # harmonics m and -m are alike
        j_k_rho = basis.j_k_rho[m]
        scattered = np.zeros((basis.k_per_A.size, basis.radius_A.size), dtype=complex)
        z_before = heights_A[0]
        for n, (atom, z_A) in enumerate(zip(atoms, heights_A, strict=True)):
            wave = _real_by_complex(basis.j_aperture_rho[m].T, probes[n][:, None] * basis.j_aperture_radius[m])
            if n:
                scattered *= _propagator(basis.k_per_A, z_A - z_before, basis)[:, None]
                wave += _real_by_complex(j_k_rho.T, basis.k_area_per_A2[:, None] * scattered)
            illumination[n] += twice * np.abs(wave) ** 2
            scattered += _real_by_complex(j_k_rho, (basis.rho_area_A2 * atom)[:, None] * wave)
            z_before = z_A
        intensity += twice * np.abs(scattered) ** 2
        direct = (basis.probe_in_k * _propagator(basis.k_per_A, z_before, basis))[:inside, None] * basis.j_k_radius[m]
        intensity[:inside] += twice * 2 * np.real(direct.conj() * scattered[:inside])
    return (basis.k_area_per_A2[:, None] * intensity).T, [i.T for i in illumination]


def _real_by_complex(a: Float[np.ndarray, "i j"], b: Complex[np.ndarray, "j k"]) -> Complex[np.ndarray, "i k"]:
    """Matrix product without first turning the real factor into a complex one."""
    product: Complex[np.ndarray, "i k"] = a @ b.real + 1j * (a @ b.imag)
    return product


@njit(cache=True)  # type: ignore[untyped-decorator]
def _bessel_table(orders: int, x: Float[np.ndarray, " x"]) -> Float[np.ndarray, "order x"]:
    """J_0 ... J_{orders-1} at every x >= 0, by Miller's downward recurrence."""
    table = np.zeros((orders, x.size))
    for i in range(x.size):
        xi = x[i]
        if xi < 1e-12:
            table[0, i] = 1.0
            continue
        start = int(max(orders, xi)) + 20 + int(np.sqrt(40.0 * max(orders, xi)))
        start += start % 2
        above, here, total = 0.0, 1e-300, 0.0
        for n in range(start, 0, -1):
            below = 2.0 * n / xi * here - above
            above, here = here, below
            if n - 1 < orders:
                table[n - 1, i] = here
            if (n - 1) % 2 == 0:
                total += here if n == 1 else 2.0 * here
            if abs(here) > 1e200:
                above *= 1e-200
                here *= 1e-200
                total *= 1e-200
                for k in range(n - 1, orders):
                    table[k, i] *= 1e-200
        for k in range(orders):
            table[k, i] /= total
    return table


def _bessel(orders: int, a: Float[np.ndarray, " a"], b: Float[np.ndarray, " b"]) -> Float[np.ndarray, "order a b"]:
    table: Float[np.ndarray, "order ab"] = _bessel_table(orders, (2 * np.pi * a[:, None] * b).ravel())
    by_order: Float[np.ndarray, "order a b"] = table.reshape(orders, a.size, b.size)
    return by_order


def _panels(edges: list[float], nodes: int) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " node"]]:
    """Composite Gauss-Legendre nodes and weights over consecutive intervals."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    low, high = np.array(edges[:-1])[:, None], np.array(edges[1:])[:, None]
    return ((high + low) / 2 + (high - low) / 2 * x).ravel(), ((high - low) / 2 * w).ravel()
