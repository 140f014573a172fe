"""Multislice of one isolated atomic column for a probe that is not round, without a grid for the wave.

What a round column does to an incident plane wave depends on the angle between it and the outgoing one only. So the
response to the whole aperture is worked out once, one angular harmonic after another as in `column_rings`, and holds
for every aberration. What the detector collects with the probe at any place is then a quadratic form in the
harmonics of the aperture's wave as seen from the column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Complex, Float
from scipy.fft import next_fast_len
from scipy.special import ive
from threadpoolctl import threadpool_limits

from micrographia.context import Angles
from micrographia.errors import ContextError
from micrographia.simulate.columns.aberrations import Aberrations, aperture_phase_rad, edge_phase_rad
from micrographia.simulate.columns.column import (
    Column,
    Probe,
    _Basis,
    _basis,
    _elastic_and_diffuse,
    _propagator,
    _scattering,
)
from micrographia.simulate.columns.diffuse import real_by_complex
from micrographia.simulate.columns.kernels import ring_weights
from micrographia.simulate.columns.vibration import displacements_A

LARGEST_EXTENT_A: Final = 32.0
"""Largest edge of a plane [Å]: the aperture's nodes resolve a probe that far from the column."""
_NEGLIGIBLE: Final = 1e-7

# One for each order m >= 0: (mode, a), rows of modes in the aperture's nodes, and how much each counts. -m is like m.
_Form = tuple[tuple[Complex[np.ndarray, "_ a"], Float[np.ndarray, " _"]], ...]


def column_plane(
    column: Column,
    *,
    energy_kev: float,
    convergence_mrad: float,
    aberrations: Aberrations,
    vibration_A: float | Mapping[str, float],
    collection_mrad: Angles,
    extent_A: float,
    step_A: float,
) -> Float[np.ndarray, "y x"]:
    """Return what a dark-field detector collects with an aberrated probe on a grid around an isolated column.

    Parameters
    ----------
    column : Column
        The atoms. An empty column gives zeros.
    energy_kev, convergence_mrad : float
        Beam energy [keV] and convergence semi-angle [mrad].
    aberrations : Aberrations
        The probe's aberrations; defocus counts from ``z = 0``.
    vibration_A : float or mapping of str to float
        Root mean square thermal displacement along one axis [Å], of all atoms or by element; 0 holds atoms still.
    collection_mrad : (float, float)
        Inner and outer semi-angle [mrad]; at least the convergence angle, at most 260.
    extent_A : float
        Edge of the plane [Å], at most 32.
    step_A : float
        Step of the plane [Å].

    Returns
    -------
    float array (y, x)
        Fraction of the beam. Both axes have ``n = 2 round(extent_A / 2 step_A) + 1`` points; the column is at
        ``n // 2``.

    Raises
    ------
    ContextError
        A bright-field detector, or numbers out of range.
    StructureError
        An element without a tabulated potential, or without a vibration.

    Notes
    -----
    The physics is that of `column_rings`, thermal diffuse scattering included; for a round probe both agree. An
    aperture wave ``A(k) exp(-2 pi i k.r)``, the probe being at r, has harmonics ``A_m(|k|)`` about the column, and
    ``I(r) = sum_m A_m* G_m A_m``. The matrices ``G_m`` do not depend on the probe's aberrations or position. Random
    displacements of an atom multiply ``G(k, k')`` by ``exp(-2 pi^2 u^2 |k - k'|^2)``, whose harmonics are Bessel
    functions.

    Examples
    --------
    >>> plane = column_plane(Column(atoms=(("W", 0.0),)), energy_kev=80.0, convergence_mrad=30.0,
    ...                      aberrations=Aberrations(coma_A=900.0), vibration_A=0.0, collection_mrad=(76.0, 200.0),
    ...                      extent_A=4.0, step_A=0.5)
    >>> plane.shape, [f"{value:.4f}" for value in plane[4, 2:7]]
    ((9, 9), ['0.0006', '0.0277', '0.0402', '0.0035', '0.0002'])
    """
    inner, _ = collection_mrad
    if inner < convergence_mrad:
        raise ContextError(
            f"the detector begins at {inner:g} mrad, inside the beam's cone of {convergence_mrad:g} mrad; "
            "accepted is a dark-field detector"
        )
    if not 0 < step_A <= extent_A <= LARGEST_EXTENT_A:
        raise ContextError(
            f"the plane's edge is {extent_A:g} Å and its step {step_A:g} Å; accepted is 0 < step <= edge <= "
            f"{LARGEST_EXTENT_A:g}"
        )
    half = round(extent_A / (2 * step_A))
    axis_A = np.arange(-half, half + 1) * step_A
    if not column.atoms:
        return np.zeros((axis_A.size, axis_A.size))
    vibrations = displacements_A((symbol for symbol, _ in column.atoms), vibration_A)
    probe = Probe(energy_kev=energy_kev, convergence_mrad=convergence_mrad)
    with threadpool_limits(limits=1, user_api="blas"):
        response = _response(column, probe, vibrations, collection_mrad)
        return _plane(response, probe, aberrations, axis_A)


@dataclass(frozen=True, kw_only=True)
class _Response:
    """What a column makes of any wave in the aperture."""

    elastic: _Form
    # For each moving atom: its thermal diffuse part alone, the wave's intensity on it in the column, and alone.
    diffuse: tuple[tuple[_Form, _Form, _Form], ...]


@lru_cache(maxsize=4)  # aberrations change more often than what they fall on
def _response(column: Column, probe: Probe, vibrations: tuple[float, ...], collection_mrad: Angles) -> _Response:
    basis = _basis(probe)
    seen = np.zeros(basis.k_per_A.size)
    weights = np.repeat(ring_weights(collection_mrad), basis.nodes_per_ring)
    seen[: weights.size] = weights[: seen.size]
    seen *= basis.k_area_per_A2
    atoms = [_scattering(symbol, basis) for symbol, _ in column.atoms]
    heights_A = [z for _, z in column.atoms]
    if len(atoms) == 1:
        [vibration_A] = vibrations
        alone, _ = _gram(atoms, heights_A, seen, {}, basis)
        return _Response(elastic=_form(_blurred(alone, vibration_A, basis)), diffuse=())
    # What a probe in focus finds by following phonons through the column serves for aberrated ones as well.
    parts = _elastic_and_diffuse(atoms, heights_A, vibrations, basis)[1]
    means = [parts[n].atom.mean if n in parts else atom for n, atom in enumerate(atoms)]
    elastic, lit = _gram(means, heights_A, seen, {n: part.atom.compact for n, part in parts.items()}, basis)
    diffuse = []
    for n, part in parts.items():
        here = seen.copy()
        here[: part.factor.size] *= part.factor
        still, _ = _gram([atoms[n]], [heights_A[n]], here, {}, basis)
        alone, lit_alone = _gram([means[n]], [heights_A[n]], here, {0: part.atom.compact}, basis)
        diffuse.append((_form(_blurred(still, vibrations[n], basis) - alone), _form(lit[n]), _form(lit_alone[0])))
    return _Response(elastic=_form(elastic), diffuse=tuple(diffuse))


def _gram(
    atoms: list[Complex[np.ndarray, " rho"]],
    heights_A: list[float],
    seen: Float[np.ndarray, " k"],
    sources: Mapping[int, Float[np.ndarray, " rho"]],
    basis: _Basis,
) -> tuple[Complex[np.ndarray, "order a a"], dict[int, Complex[np.ndarray, "order a a"]]]:
    """Quadratic forms of what is detected, and of the light on the sources of some of the atoms."""
    orders, nodes = basis.j_aperture_rho.shape[:2]
    detected = np.empty((orders, nodes, nodes), dtype=complex)
    lit = {n: np.empty((orders, nodes, nodes), dtype=complex) for n in sources}
    for m in range(orders):
        j_k_rho = basis.j_k_rho[m]
        scattered = np.zeros((basis.k_per_A.size, nodes), dtype=complex)
        z_before = heights_A[0]
        for n, (atom, z_A) in enumerate(zip(atoms, heights_A, strict=True)):
            incident = basis.aperture_weight * _propagator(basis.aperture_per_A, z_A, basis)
            wave = basis.j_aperture_rho[m].T * incident
            if n:
                scattered *= _propagator(basis.k_per_A, z_A - z_before, basis)[:, None]
                wave += real_by_complex(j_k_rho.T, basis.k_area_per_A2[:, None] * scattered)
            if n in sources:
                lit[n][m] = wave.conj().T @ (sources[n][:, None] * wave)
            scattered += real_by_complex(j_k_rho, (basis.rho_area_A2 * atom)[:, None] * wave)
            z_before = z_A
        detected[m] = scattered.conj().T @ (seen[:, None] * scattered)
    return detected, lit


def _blurred(
    gram: Complex[np.ndarray, "order a a"], vibration_A: float, basis: _Basis
) -> Complex[np.ndarray, "order a a"]:
    """Average over random displacements of the column: a product in k, hence a convolution in harmonics."""
    k = basis.aperture_per_A
    argument = (2 * np.pi * vibration_A) ** 2 * np.outer(k, k)
    fall = np.exp(-2 * (np.pi * vibration_A) ** 2 * (k[:, None] - k) ** 2)
    orders = len(gram)
    blurred = np.zeros_like(gram)
    reach = int(3 * argument.max()) + 6
    for shift in range(-reach, reach + 1):
        factor = ive(abs(shift), argument) * fall
        for m in range(orders):
            if abs(m - shift) < orders:
                blurred[m] += factor * gram[abs(m - shift)]
    return blurred


def _form(gram: Complex[np.ndarray, "order a a"]) -> _Form:
    """Split a quadratic form into its modes, and leave out those that carry nothing."""
    total = np.abs(np.trace(gram, axis1=1, axis2=2)).sum()
    form = []
    for matrix in gram:
        value, vector = np.linalg.eigh((matrix + matrix.conj().T) / 2)
        kept = np.abs(value) > _NEGLIGIBLE * total
        if not kept.any():
            break
        form.append((vector[:, kept].conj().T, value[kept]))
    return tuple(form)


def _plane(
    response: _Response, probe: Probe, aberrations: Aberrations, axis_A: Float[np.ndarray, " axis"]
) -> Float[np.ndarray, "y x"]:
    basis = _basis(probe)
    forms = [response.elastic, *(form for three in response.diffuse for form in three)]
    k = basis.aperture_per_A
    edge = edge_phase_rad(aberrations, energy_kev=probe.energy_kev, convergence_mrad=probe.convergence_mrad)
    # Harmonics of the wave from the column: the probe's distance, and up to three for each radian of phase.
    harmonics = int(2 * np.pi * k[-1] * np.sqrt(2) * axis_A[-1] + 3 * edge) + 24
    angles = next_fast_len(harmonics + max(len(form) for form in forms))
    phi = np.arange(angles) * 2 * np.pi / angles
    kx, ky = k[:, None] * np.cos(phi), k[:, None] * np.sin(phi)
    aperture = np.exp(-1j * aperture_phase_rad(aberrations, energy_kev=probe.energy_kev, kx_per_A=kx, ky_per_A=ky))
    along_x = np.exp(-2j * np.pi * axis_A[:, None, None] * kx)
    rows = np.empty((len(forms), axis_A.size, axis_A.size))
    for row, y_A in enumerate(axis_A):
        wave = np.fft.fft(along_x * (aperture * np.exp(-2j * np.pi * y_A * ky)), axis=-1) / angles  # (x, a, order)
        for n, form in enumerate(forms):
            rows[n, row] = sum(
                (np.abs(modes @ wave[:, :, sign * m].T) ** 2).T @ weight
                for m, (modes, weight) in enumerate(form)
                for sign in ((1, -1) if m else (1,))
            )
    plane: Float[np.ndarray, "y x"] = rows[0]
    for n in range(len(response.diffuse)):
        own, here, alone = rows[1 + 3 * n : 4 + 3 * n]
        plane = plane + own * here / alone
    return plane
