"""Thermal diffuse scattering by an atom of a column, phonon by phonon.

An atom that vibrates as a Gaussian scatters like a set of fixed ones whose waves do not interfere: the thermal mean,
and for p + s = 1, 2, 3 ... phonons modes of angular order ``l = p - s``,

``F_ps(q) = f(q) exp(-2 pi^2 u^2 q^2) (sqrt(2) pi u q)^(p + s) / sqrt(p! s!) exp(i l phi)``,

since the average of ``exp(-2 pi i (q - q') d)`` over displacements d is ``exp(-2 pi^2 u^2 (q^2 + q'^2))`` times the
exponential series of ``4 pi^2 u^2 q q'``. The diffuse intensity is the sum of the modes' intensities.
"""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import factorial
from typing import Final

import numpy as np
from jaxtyping import Complex, Float

_MOST_PHONONS: Final = 8
"""Phonons that are followed one by one. More of them come from so close to the nucleus that light there decides."""
_COMPACT_PHONONS: Final = 3
"""Phonons from which on the source stands for the atom's diffuse scattering at all angles that a detector sees."""
_DARK: Final = 1e-6


@dataclass(frozen=True, kw_only=True)
class Transforms:
    """Hankel transforms of all orders between distance from the column and spatial frequency."""

    rho_area_A2: Float[np.ndarray, " rho"]  # 2 pi rho d(rho)
    k_per_A: Float[np.ndarray, " k"]
    k_area_per_A2: Float[np.ndarray, " k"]  # 2 pi k dk
    j_k_rho: Float[np.ndarray, "order k rho"]


@dataclass(frozen=True, kw_only=True)
class Vibrating:
    """A vibrating atom.

    Parameters
    ----------
    mean : complex array (rho,)
        Transmission less one, averaged over displacements.
    modes : tuple of complex array (rho, mode)
        Of each angular order from 0: amplitudes of the modes up to eight phonons. Order -l is like l.
    source : float array (rho,)
        Share of the light at each radius that is scattered out of the mean wave, times the area.
    compact : float array (rho,)
        The same, of three phonons and more.
    rest : float array (rho,)
        The same, of nine phonons and more.
    """

    mean: Complex[np.ndarray, " rho"]
    modes: tuple[Complex[np.ndarray, "rho _"], ...]
    source: Float[np.ndarray, " rho"]
    compact: Float[np.ndarray, " rho"]
    rest: Float[np.ndarray, " rho"]


def thermal_mean(
    scattering: Complex[np.ndarray, " rho"], vibration_A: float, transforms: Transforms
) -> Complex[np.ndarray, " rho"]:
    """Return the mean of the scattering over thermal displacements: a product with the Debye-Waller factor in k.

    Parameters
    ----------
    scattering : complex array (rho,)
        Transmission function of the atom at rest, less one.
    vibration_A : float
        Root mean square displacement along one axis [Å].
    transforms : Transforms
        Hankel transforms.
    """
    mean: Complex[np.ndarray, " rho"] = _modes(scattering, vibration_A, transforms, order=0, most_pairs=0)[:, 0]
    return mean


def vibrating(scattering: Complex[np.ndarray, " rho"], vibration_A: float, transforms: Transforms) -> Vibrating:
    """Return an atom's thermal mean and its phonon modes.

    Parameters
    ----------
    scattering, vibration_A, transforms
        As for `thermal_mean`; the vibration is positive.
    """
    mean = thermal_mean(scattering, vibration_A, transforms)
    source = transforms.rho_area_A2 * (1 - np.abs(1 + mean) ** 2)
    compact, rest, modes = source.copy(), source.copy(), []
    for order in range(min(_MOST_PHONONS + 1, len(transforms.j_k_rho))):
        found = _modes(scattering, vibration_A, transforms, order=order, most_pairs=(_MOST_PHONONS - order) // 2)
        phonons = order + 2 * np.arange(found.shape[1])
        found, phonons = found[:, phonons > 0], phonons[phonons > 0]
        both = 1 if order == 0 else 2
        shares = both * transforms.rho_area_A2[:, None] * np.abs(found) ** 2
        rest -= shares.sum(axis=1)
        compact -= shares[:, phonons < _COMPACT_PHONONS].sum(axis=1)
        modes.append(found)
    return Vibrating(mean=mean, modes=tuple(modes), source=source, compact=compact, rest=rest)


def _modes(
    scattering: Complex[np.ndarray, " rho"], vibration_A: float, transforms: Transforms, *, order: int, most_pairs: int
) -> Complex[np.ndarray, "rho mode"]:
    """Amplitudes of an angular order's modes: ``order`` phonons of one sense, and 0, 1, 2 ... pairs of both senses."""
    pairs = np.arange(most_pairs + 1)
    weight = np.array([1 / np.sqrt(float(factorial(order + p) * factorial(p))) for p in pairs.tolist()])
    x = np.sqrt(2) * np.pi * vibration_A * transforms.k_per_A[:, None]
    spectrum = real_by_complex(transforms.j_k_rho[0], (transforms.rho_area_A2 * scattering)[:, None])
    in_k = transforms.k_area_per_A2[:, None] * spectrum * np.exp(-(x**2)) * x ** (order + 2 * pairs) * weight
    return real_by_complex(transforms.j_k_rho[order].T, in_k)


def on_axis_factors(
    atoms: list[Complex[np.ndarray, " rho"]],
    moving: Mapping[int, Vibrating],
    *,
    waves: Mapping[int, Complex[np.ndarray, " rho"]],
    waves_alone: Mapping[int, Complex[np.ndarray, " rho"]],
    alone: Mapping[int, Float[np.ndarray, " kept"]],
    steps: list[Complex[np.ndarray, " k"]],
    transforms: Transforms,
) -> dict[int, Float[np.ndarray, " kept"]]:
    """Return how much more of each atom's diffuse scattering reaches each angle than its light alone accounts for.

    That is for a probe on the column, by following each mode through the atoms behind; it serves for probes
    beside the column too, for wherever the probe is the diffuse wave comes from the same small source.

    Parameters
    ----------
    atoms : list of complex array (rho,)
        Mean transmission less one of every atom of the column.
    moving : mapping of int to Vibrating
        The vibrating ones, by their place.
    waves, waves_alone : mapping of int to complex array (rho,)
        Mean wave on each, in the column and without the other atoms.
    alone : mapping of int to float array (kept,)
        Diffuse intensity of each without the others.
    steps : list of complex array (k,)
        Propagator from each atom to the next.
    transforms : Transforms
        Hankel transforms.

    Returns
    -------
    dict of int to float array (kept,)
        ``diffuse in the column = factor * light * diffuse alone``, where light is the ratio of the light on the
        compact source in the column to that without the other atoms.

    Notes
    -----
    Diffuse waves pass the atoms behind as means; the diffuse scattering that they cause there in turn is taken to have
    the angles of that atom alone.
    """
    area, k_area = transforms.rho_area_A2, transforms.k_area_per_A2
    factors = {}
    for n, atom in moving.items():
        kept = alone[n].size
        leaving, emitted = np.zeros(kept), np.zeros(kept)
        for order, modes in enumerate(atom.modes):
            both = 1 if order == 0 else 2
            j_k_rho = transforms.j_k_rho[order]
            emitted += both * _power(real_by_complex(j_k_rho[:kept], (area * waves_alone[n])[:, None] * modes))
            diffuse = real_by_complex(j_k_rho, (area * waves[n])[:, None] * modes)
            for behind in range(n + 1, len(atoms)):
                diffuse = steps[behind - 1][:, None] * diffuse
                light = real_by_complex(j_k_rho.T, k_area[:, None] * diffuse)
                if behind in moving:
                    again = moving[behind].source
                    ratio = (again @ _power(light)) / (again @ np.abs(waves_alone[behind]) ** 2)
                    leaving += both * ratio * alone[behind] / k_area[:kept]
                diffuse = diffuse + real_by_complex(j_k_rho, (area * atoms[behind])[:, None] * light)
            leaving += both * _power(diffuse[:kept])
        rest = alone[n] - k_area[:kept] * emitted
        expected = _light(atom.compact, waves[n], waves_alone[n]) * alone[n]
        found = k_area[:kept] * leaving + _light(atom.rest, waves[n], waves_alone[n]) * rest
        seen = alone[n] > _DARK * alone[n].max()
        factors[n] = np.where(seen, found / np.where(seen, expected, 1.0), 1.0)
    return factors


def real_by_complex(a: Float[np.ndarray, "i j"], b: Complex[np.ndarray, "j k"]) -> Complex[np.ndarray, "i k"]:
    """Return a matrix product as one real one: real and imaginary parts lie side by side in memory.

    Parameters
    ----------
    a : float array (i, j)
        The real factor.
    b : complex array (j, k)
        The complex factor.

    Examples
    --------
    >>> real_by_complex(np.array([[1.0, 2.0]]), np.array([[1j], [2.0]])).tolist()
    [[(4+1j)]]
    """
    pairs = np.ascontiguousarray(b, dtype=complex).view(float)
    product: Complex[np.ndarray, "i k"] = (a @ pairs).view(complex)
    return product


def _power(waves: Complex[np.ndarray, "x mode"]) -> Float[np.ndarray, " x"]:
    power: Float[np.ndarray, " x"] = (waves.real**2 + waves.imag**2).sum(axis=1)
    return power


def _light(
    source: Float[np.ndarray, " rho"], wave: Complex[np.ndarray, " rho"], alone: Complex[np.ndarray, " rho"]
) -> float:
    return float((source @ np.abs(wave) ** 2) / (source @ np.abs(alone) ** 2))
