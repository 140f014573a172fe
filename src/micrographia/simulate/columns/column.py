"""Multislice of one isolated atomic column, along a radius only.

A column is a few atoms on one line parallel to the beam. Its potential is round, so a probe at distance
``r`` from it can be expanded in angular harmonics about the column, and every step of the multislice
algorithm - transmission through an atom, propagation to the next, diffraction to the detector plane -
leaves the harmonics apart. What remains is a set of one-dimensional Hankel transforms: no grid, hence
no sub-pixel error, no wrap-around, and the intensity comes for every scattering angle at once.
"""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Complex, Float
from numba import njit
from threadpoolctl import threadpool_limits

from micrographia.errors import ContextError
from micrographia.simulate.columns.blur import blur_matrix
from micrographia.simulate.columns.diffuse import (
    Transforms,
    Vibrating,
    on_axis_factors,
    real_by_complex,
    vibrating,
)
from micrographia.simulate.columns.potentials import interaction_rad_per_V_A, projected_potential_V_A, wavelength_A
from micrographia.simulate.columns.vibration import displacements_A

RING_MRAD: Final = 1.0
"""Width of the scattering-angle rings in which intensity is kept [mrad]."""
MAX_ANGLE_MRAD: Final = 260.0
"""Largest scattering angle that is kept [mrad]."""
_POTENTIAL_RADIUS_A: Final = 4.5
_LARGEST_TABLE: Final = 500_000_000
_RINGS: Final = int(MAX_ANGLE_MRAD / RING_MRAD)
_NEGLIGIBLE: Final = 1e-5
"""Amplitude of a harmonic of the incident wave that is done without."""
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


def column_rings(column: Column, probe: Probe, *, vibration_A: float | Mapping[str, float]) -> RingKernel:
    """Return the kernel of an isolated column by multislice, for all scattering angles.

    Parameters
    ----------
    column : Column
        The atoms. An empty column gives an all-zero kernel.
    probe : Probe
        The probe.
    vibration_A : float or mapping of str to float
        Root mean square thermal displacement of each atom along one axis [Å], 0 or more, for all elements or by
        chemical symbol (`VIBRATION_A` in `vibration.py`); atoms move independently (Einstein model).
        Zero gives static atoms.

    Returns
    -------
    RingKernel
        Kernel to 12 Å from the column.

    Raises
    ------
    ContextError
        A probe so fine that the tables would not fit into memory, or a displacement below 0.
    StructureError
        An element without a tabulated potential, or that the mapping lacks.

    Notes
    -----
    Thermal motion: a single atom's kernel is exactly the static one convolved with the displacements. For
    several atoms the intensity is the elastic part (the multislice with thermally averaged transmission
    functions, exact for independent atoms) plus each atom's thermal diffuse part. That is the isolated atom's, times
    the light on its source in the column relative to that without the other atoms, times what following it
    through the column phonon by phonon gives for a probe on the column (`diffuse.py`). Against
    following it for every position of the probe, pairs of chalcogens at 60 to 200 keV err by 0.3 % of the peak at most;
    without the last factor, by 6 %.

    Scattering angles are ``lambda k``, the convention of the field's multislice programs.

    Examples
    --------
    >>> probe = Probe(energy_kev=80.0, convergence_mrad=30.0)
    >>> kernel = column_rings(Column(atoms=(("W", 0.0),)), probe, vibration_A=0.0)
    >>> print(f"{kernel.rings[0, 76:200].sum():.3f} of the beam on HAADF")
    0.048 of the beam on HAADF
    """
    moves_A = displacements_A((symbol for symbol, _ in column.atoms), vibration_A)
    # Matrices this small only lose by threads, and lose much: ten times and more where cores are shared.
    with threadpool_limits(limits=1, user_api="blas"):
        return _column_rings(column, probe, moves_A)


def _column_rings(column: Column, probe: Probe, moves_A: tuple[float, ...]) -> RingKernel:
    basis = _basis(probe)
    if not column.atoms:
        return RingKernel(radius_A=basis.radius_A, rings=np.zeros((basis.radius_A.size, _RINGS)))
    atoms = [_scattering(symbol, basis) for symbol, _ in column.atoms]
    heights_A = [z for _, z in column.atoms]
    if len(atoms) == 1:
        intensity = blur_matrix(basis.radius_A, moves_A[0]) @ _diffract(atoms, heights_A, basis)[0]
    else:
        intensity, diffuse = _elastic_and_diffuse(atoms, heights_A, moves_A, basis)
        for part in diffuse.values():
            intensity += part.light[:, None] * part.factor * part.alone
    rings = intensity.reshape(basis.radius_A.size, _RINGS, basis.nodes_per_ring).sum(axis=2)
    return RingKernel(radius_A=basis.radius_A, rings=rings)


@dataclass(frozen=True, kw_only=True)
class _Diffuse:
    """Thermal diffuse scattering of one atom of a column: ``light * factor * alone``."""

    atom: Vibrating
    alone: Float[np.ndarray, "radius k"]  # without the other atoms
    light: Float[np.ndarray, " radius"]  # on the atom's compact source, relative to that without the others
    factor: Float[np.ndarray, " k"]  # the others' further effect, for a probe on the column


def _elastic_and_diffuse(
    atoms: list[Complex[np.ndarray, " rho"]], heights_A: list[float], moves_A: tuple[float, ...], basis: _Basis
) -> tuple[Float[np.ndarray, "radius k"], dict[int, _Diffuse]]:
    """Return the elastic intensity of several atoms, and the diffuse parts of those that vibrate by their place."""
    moving = {n: vibrating(atoms[n], u, basis.transforms) for n, u in enumerate(moves_A) if u}
    means = [moving[n].mean if n in moving else atom for n, atom in enumerate(atoms)]
    sources = {n: atom.compact for n, atom in moving.items()}
    elastic, passing = _diffract(means, heights_A, basis, at_rest={n: atoms[n] for n in moving}, sources=sources)
    alone = {n: blur_matrix(basis.radius_A, moves_A[n]) @ one.at_rest - one.elastic for n, one in passing.items()}
    factors = on_axis_factors(
        means,
        moving,
        waves={n: one.wave for n, one in passing.items()},
        waves_alone={n: one.wave_alone for n, one in passing.items()},
        alone={n: part[0] for n, part in alone.items()},
        steps=[_propagator(basis.k_per_A, after - before, basis) for before, after in pairwise(heights_A)],
        transforms=basis.transforms,
    )
    parts = {
        n: _Diffuse(atom=moving[n], alone=alone[n], light=one.light, factor=factors[n]) for n, one in passing.items()
    }
    return elastic, parts


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
    transforms: Transforms
    first_rho: tuple[int, ...]  # of each order: where the incident wave begins
    first_radius: tuple[int, ...]


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

    j_aperture_rho = _bessel(orders, aperture, rho)
    j_aperture_radius = _bessel(orders, aperture, radius)
    rho_area = 2 * np.pi * rho * rho_weight
    k_area = 2 * np.pi * k * dk
    j_k_rho = _bessel(orders, k, rho)
    return _Basis(
        wavelength_A=wavelength,
        interaction=interaction_rad_per_V_A(probe.energy_kev),
        radius_A=radius,
        rho_A=rho,
        rho_area_A2=rho_area,
        k_per_A=k,
        k_area_per_A2=k_area,
        nodes_per_ring=nodes_per_ring,
        aperture_per_A=aperture,
        aperture_weight=amplitude * 2 * np.pi * aperture * aperture_width,
        aberration=aberration(aperture),
        probe_in_k=np.where(k < k_aperture, amplitude, 0.0) * aberration(k),
        j_aperture_rho=j_aperture_rho,
        j_aperture_radius=j_aperture_radius,
        j_k_rho=j_k_rho,
        j_k_radius=_bessel(orders, k[k < k_aperture], radius),
        transforms=Transforms(rho_area_A2=rho_area, k_per_A=k, k_area_per_A2=k_area, j_k_rho=j_k_rho),
        first_rho=_beginnings(j_aperture_rho),
        first_radius=_beginnings(j_aperture_radius),
    )


def _beginnings(table: Float[np.ndarray, "order a x"]) -> tuple[int, ...]:
    """Return for each order the first x at which the table is not negligible; it grows from 0 like a power of x."""
    return tuple(int(np.argmax(seen)) for seen in np.abs(table).max(axis=1) > _NEGLIGIBLE)


def _scattering(symbol: str, basis: _Basis) -> Complex[np.ndarray, " rho"]:
    """Transmission function of one atom, less one."""
    return np.exp(1j * basis.interaction * projected_potential_V_A(symbol, basis.rho_A)) - 1


def _propagator(k_per_A: Float[np.ndarray, " k"], distance_A: float, basis: _Basis) -> Complex[np.ndarray, " k"]:
    """Fresnel propagation over a distance along the beam, in k."""
    phase: Complex[np.ndarray, " k"] = np.exp(-1j * np.pi * basis.wavelength_A * distance_A * k_per_A**2)
    return phase


@dataclass(frozen=True, kw_only=True)
class _Alone:
    """What one atom of a column would do without the others."""

    at_rest: Float[np.ndarray, "radius k"]  # intensity added by the atom without thermal motion
    elastic: Float[np.ndarray, "radius k"]  # and by its thermal mean
    light: Float[np.ndarray, " radius"]  # on the atom's diffuse source in the column, relative to that alone
    wave: Complex[np.ndarray, " rho"]  # on the atom in the column, of a probe on the column
    wave_alone: Complex[np.ndarray, " rho"]


def _diffract(
    atoms: list[Complex[np.ndarray, " rho"]],
    heights_A: list[float],
    basis: _Basis,
    *,
    at_rest: Mapping[int, Complex[np.ndarray, " rho"]] | None = None,
    sources: Mapping[int, Float[np.ndarray, " rho"]] | None = None,
) -> tuple[Float[np.ndarray, "radius k"], dict[int, _Alone]]:
    """Return the intensity that a column adds per k node of the rings, and what its moving atoms would do alone.

    ``atoms`` are thermal means for those that move, which ``at_rest`` holds without motion, by their place;
    ``sources`` weighs the light on them.
    """
    at_rest, sources = at_rest or {}, sources or {}
    radii, last = basis.radius_A.size, len(atoms) - 1
    kept = _RINGS * basis.nodes_per_ring  # waves beyond matter between atoms only
    intensity = np.zeros((kept, radii))
    resting, elastic = ({n: np.zeros((kept, radii)) for n in at_rest} for _ in range(2))
    lit, lit_alone = ({n: np.zeros(radii) for n in at_rest} for _ in range(2))
    waves: dict[int, Complex[np.ndarray, " rho"]] = {}
    waves_alone: dict[int, Complex[np.ndarray, " rho"]] = {}
    probes = [basis.aperture_weight * basis.aberration * _propagator(basis.aperture_per_A, z, basis) for z in heights_A]
    beams = [basis.probe_in_k * _propagator(basis.k_per_A, z, basis) for z in heights_A]
    for m in range(len(basis.j_k_rho)):
        twice = 1.0 if m == 0 else 2.0  # harmonics m and -m are alike
        # High harmonics vanish close to the column, and wherever the wave is looked at, if the probe is close.
        near, far = slice(basis.first_rho[m], None), slice(basis.first_radius[m], None)
        j_k_rho, j_k_radius = basis.j_k_rho[m][:, near], basis.j_k_radius[m][:, far]
        area_A2 = basis.rho_area_A2[near, None]
        incoming = basis.j_aperture_rho[m][:, near].T
        probe_radius = basis.j_aperture_radius[m][:, far]
        scattered: Complex[np.ndarray, "k radius"] | None = None
        for n, (atom, z_A) in enumerate(zip(atoms, heights_A, strict=True)):
            j_k = j_k_rho[:kept] if n == last else j_k_rho
            wave = real_by_complex(incoming, probes[n][:, None] * probe_radius)
            own = real_by_complex(j_k, area_A2 * atom[near, None] * wave)
            if n in at_rest:
                still = real_by_complex(j_k_rho[:kept], area_A2 * at_rest[n][near, None] * wave)
                resting[n][:, far] += twice * _added(still, beams[n], j_k_radius)
                elastic[n][:, far] += twice * _added(own[:kept], beams[n], j_k_radius)
                lit_alone[n][far] += twice * (sources[n][near] @ _squared(wave))
                if m == 0:
                    waves_alone[n] = wave[:, 0].copy()
            if scattered is not None:
                arriving = _propagator(basis.k_per_A, z_A - heights_A[n - 1], basis)[:, None] * scattered
                echo = real_by_complex(j_k_rho.T, basis.k_area_per_A2[:, None] * arriving)
                wave += echo
                own += arriving[: len(j_k)] + real_by_complex(j_k, area_A2 * atom[near, None] * echo)
            if n in at_rest:
                lit[n][far] += twice * (sources[n][near] @ _squared(wave))
                if m == 0:
                    waves[n] = wave[:, 0]
            scattered = own
        intensity[:, far] += twice * _added(own, beams[last], j_k_radius)
    area_per_A2 = basis.k_area_per_A2[:kept, None]
    alone = {
        n: _Alone(
            at_rest=(area_per_A2 * resting[n]).T,
            elastic=(area_per_A2 * elastic[n]).T,
            light=lit[n] / lit_alone[n],
            wave=waves[n],
            wave_alone=waves_alone[n],
        )
        for n in at_rest
    }
    return (area_per_A2 * intensity).T, alone


def _added(
    scattered: Complex[np.ndarray, "kept radius"],
    beam: Complex[np.ndarray, " k"],
    j_k_radius: Float[np.ndarray, "inside radius"],
) -> Float[np.ndarray, "kept radius"]:
    """Return what one harmonic of a scattered wave adds to the intensity of the beam, with which it interferes."""
    inside = len(j_k_radius)
    added = _squared(scattered)
    added[:inside] += 2 * np.real((beam[:inside, None] * j_k_radius).conj() * scattered[:inside])
    return added


def _squared(wave: Complex[np.ndarray, "i k"]) -> Float[np.ndarray, "i k"]:
    """Return the intensity of a wave, without the square root that `abs` takes."""
    intensity: Float[np.ndarray, "i k"] = wave.real**2 + wave.imag**2
    return intensity


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
