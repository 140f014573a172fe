"""How strongly single atoms scatter into a detector: what composition, energy and angles have to do with brightness."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import j0

from micrographia.simulate.columns.potentials import (
    interaction_rad_per_V_A,
    projected_potential_V_A,
    wavelength_A,
)

_ANGLES: Final = 64
_LARGEST_MRAD: Final = 320.0
_REACH_A: Final = 5.0
_RADII: Final = 400


def cross_section_A2(
    columns: tuple[tuple[str, ...], ...],
    *,
    energy_kev: float,
    convergence_mrad: float,
    collection_mrad: tuple[tuple[float, float], ...],
) -> Float[np.ndarray, "detector column"]:
    """Return the cross sections of columns for scattering from a convergent probe into annular detectors [Å²].

    Parameters
    ----------
    columns : tuple of tuple of str
        Chemical symbols of each column's atoms. Atoms of one column are taken at one place, at rest.
    energy_kev, convergence_mrad : float
        Probe [keV, mrad].
    collection_mrad : tuple of (float, float)
        Detectors [mrad].

    Returns
    -------
    float array (detector, column)
        Integral of a column's image over the probe's position [Å²].

    Raises
    ------
    StructureError
        A symbol is not an element of the tables.

    Notes
    -----
    The column is a phase object, every direction of the incident cone is taken for itself:
    ``F(q) = 2 pi / lambda integral (1 - exp(i sigma V(b))) J0(2 pi q b) b db`` (Glauber's eikonal, the phase grating of
    a single slice; Kirkland, DOI 10.1007/978-3-030-33260-0), and ``integral |F(theta / lambda)|^2 w(theta) 2 pi theta
    dtheta`` with ``w`` the part of the cone from which a deflection by theta ends on the detector. For one atom thermal
    motion does not change the integral; for two it lies between this and the sum of both.

    Examples
    --------
    >>> tungsten, selenium = cross_section_A2((("W",), ("Se",)), energy_kev=80.0, convergence_mrad=30.0,
    ...                                       collection_mrad=((70.0, 200.0),))[0]
    >>> print(f"{tungsten:.4f} and {selenium:.4f} Å²")
    0.0375 and 0.0140 Å²
    """
    nodes, weights = np.polynomial.legendre.leggauss(_ANGLES)
    theta = 0.5 * (nodes + 1) * _LARGEST_MRAD
    ring = weights * 0.5 * _LARGEST_MRAD * 1e-6 * 2 * np.pi * theta / (np.pi * convergence_mrad**2)
    within = [[_overlap(theta, convergence_mrad, angle) for angle in angles] for angles in collection_mrad]
    seen = np.array([outer - inner for inner, outer in within])
    strength = np.abs(np.array([_amplitude_A(atoms, energy_kev) for atoms in columns])) ** 2
    sections: Float[np.ndarray, "detector column"] = (seen * ring) @ strength.T
    return sections


def _amplitude_A(atoms: tuple[str, ...], energy_kev: float) -> Complex[np.ndarray, " angle"]:
    """Return a column's scattering amplitude at the nodes of the angles [Å]."""
    phase = interaction_rad_per_V_A(energy_kev) * sum(_potential(symbol) for symbol in atoms)
    # Not a product of BLAS, whose threads, in many processes at once, wait for each other.
    amplitude: Complex[np.ndarray, " angle"] = np.einsum("ar,r->a", _waves(energy_kev), 1 - np.exp(1j * phase))
    return amplitude


@lru_cache(maxsize=8)
def _waves(energy_kev: float) -> Float[np.ndarray, "angle radius"]:
    """Return what integrates over the radii for every angle [Å]."""
    root = _root()
    step = np.sqrt(_REACH_A) / _RADII
    nodes, _ = np.polynomial.legendre.leggauss(_ANGLES)
    wavelength = wavelength_A(energy_kev)
    q_per_A = 1e-3 * 0.5 * (nodes + 1) * _LARGEST_MRAD / wavelength
    waves: Float[np.ndarray, "angle radius"] = (
        2 * np.pi / wavelength * j0(2 * np.pi * q_per_A[:, None] * root**2) * (2 * root**3 * step)
    )
    return waves


def _root() -> Float[np.ndarray, " radius"]:
    """Return the square roots of the radii: evenly spaced, so that the potential's pole is well covered."""
    root: Float[np.ndarray, " radius"] = (np.arange(_RADII) + 0.5) * np.sqrt(_REACH_A) / _RADII
    return root


@lru_cache(maxsize=128)
def _potential(symbol: str) -> Float[np.ndarray, " radius"]:
    return projected_potential_V_A(symbol, _root() ** 2)


def _overlap(distance: Float[np.ndarray, " angle"], first: float, second: float) -> Float[np.ndarray, " angle"]:
    """Return the area that two discs share."""
    apart = np.clip(distance, abs(first - second) + 1e-9, first + second)
    one = np.arccos(np.clip((apart**2 + first**2 - second**2) / (2 * apart * first), -1, 1))
    two = np.arccos(np.clip((apart**2 + second**2 - first**2) / (2 * apart * second), -1, 1))
    shared: Float[np.ndarray, " angle"] = first**2 * (one - np.sin(2 * one) / 2) + second**2 * (
        two - np.sin(2 * two) / 2
    )
    return np.where(distance <= abs(first - second), np.pi * min(first, second) ** 2, shared)
