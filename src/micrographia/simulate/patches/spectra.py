"""Kernels as spectra: the form in which they are stored, interpolated, blurred and turned into tables.

An image holds no frequency above twice the aperture's. A round kernel is therefore its Hankel transform at a
few nodes between 0 and that limit; blur by the source and aberrations multiply it, the lattice's Fourier series
reads from it, and in units of the limit kernels of all probes look alike, which makes them easy to interpolate.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float, Float32
from scipy.interpolate import CubicSpline
from scipy.special import j0

from micrographia.context import Angles
from micrographia.errors import ContextError
from micrographia.simulate.columns.column import KERNEL_RADIUS_A, MAX_ANGLE_MRAD, RING_MRAD, Probe, RingKernel
from micrographia.simulate.columns.potentials import interaction_rad_per_V_A, wavelength_A
from micrographia.simulate.patches.prior import BEYOND_BEAM_MRAD
from micrographia.simulate.patches.render import DEFECT_REACH_A, SHIFT_REACH_A, Tables
from micrographia.simulate.specimens.hosts import ROLES, Host

NODES: Final = 128
_X, _W = np.polynomial.legendre.leggauss(NODES)
NODE: Final = (_X + 1) / 2
"""Spatial frequencies at which spectra are kept, in units of the band limit ``2 alpha / lambda``."""
_WEIGHT: Final = _W / 2
_BARYCENTRIC: Final = (-1.0) ** np.arange(NODES) * np.sqrt((1 - _X**2) * _W)
BEYOND_MRAD: Final = np.concatenate(
    [np.arange(0.0, 20, 1), np.arange(20, 60, 2), np.linspace(60, BEYOND_BEAM_MRAD, 33)]
)
"""Angles from the direct beam's edge outwards from which scattering is summed up [mrad].

Counted from the beam's edge, a spectrum changes smoothly with the convergence angle.
"""
_STEP: Final = 0.025
"""Step of the radial tables, in periods of the band limit: linear interpolation errs by less than 4e-4 of the peak."""
_SERIES_TOLERANCE: Final = 5e-5


@lru_cache(maxsize=8)
def _bessel(steps: int) -> Float[np.ndarray, "step node"]:
    table: Float[np.ndarray, "step node"] = (
        2 * np.pi * j0(2 * np.pi * _STEP * np.arange(steps)[:, None] * NODE) * _WEIGHT * NODE
    )
    return table


def band_limit_per_A(energy_kev: float, convergence_mrad: float) -> float:
    """Return the highest spatial frequency of a STEM image, ``2 alpha / lambda`` [1/Å]."""
    return 2e-3 * convergence_mrad / wavelength_A(energy_kev)


def spectrum(kernel: RingKernel, probe: Probe) -> Float32[np.ndarray, "beyond node"]:
    """Return the Hankel transform of a kernel, for the scattering beyond each angle.

    Parameters
    ----------
    kernel : RingKernel
        Kernel in all rings.
    probe : Probe
        The probe it was made with.

    Returns
    -------
    float array (beyond, node)
        ``2 pi int K(r) J0(2 pi q r) r dr`` [Å²] at frequencies `NODE` times the band limit, of what is scattered to
        angles from `BEYOND_MRAD` outside the direct beam up to 260 mrad, over the square of the interaction
        parameter [1/(V Å)²], to which all of it is roughly proportional.

    Examples
    --------
    >>> from micrographia.simulate.columns.column import Column, column_rings
    >>> probe = Probe(energy_kev=80.0, convergence_mrad=20.0)
    >>> spectrum(column_rings(Column(atoms=(("W", 0.0),)), probe, vibration_A=0.07), probe).shape
    (73, 128)
    """
    radius = kernel.radius_A
    first = int(np.ceil(probe.convergence_mrad / RING_MRAD))
    within = np.concatenate([np.zeros((radius.size, 1)), np.cumsum(kernel.rings, axis=1)], axis=1)
    edges = np.arange(within.shape[1]) * RING_MRAD
    # The direct beam's edge is a step; outside of it everything is smooth.
    smooth = CubicSpline(edges[first:], within[:, first:], axis=1)
    beyond = within[:, -1:] - smooth(np.clip(probe.convergence_mrad + BEYOND_MRAD, first, MAX_ANGLE_MRAD))
    step = radius[1] - radius[0]
    area = 2 * np.pi * radius * step
    # Euler-Maclaurin: the integrand starts with a slope and a third derivative, in which q appears as well.
    area[0] = 2 * np.pi * step**2 * (1 / 12 + 1 / 120)
    area[1] -= 2 * np.pi * step**2 / 120
    fading = 0.5 * (1 + np.cos(np.pi * np.clip(radius - (KERNEL_RADIUS_A - 1), 0, 1)))
    frequency = band_limit_per_A(probe.energy_kev, probe.convergence_mrad) * NODE
    hankel = j0(2 * np.pi * frequency[:, None] * radius) @ ((area * fading)[:, None] * beyond)
    hankel += (np.pi**3 * frequency**2 * step**4 / 60)[:, None] * beyond[0]
    found: Float32[np.ndarray, "beyond node"] = (hankel.T / interaction_rad_per_V_A(probe.energy_kev) ** 2).astype(
        np.float32
    )
    return found


def detector_weights(convergence_mrad: float, collection_mrad: Angles) -> Float[np.ndarray, " beyond"]:
    """Return weights of the sums beyond each angle that give what a detector collects: cubic between the angles.

    Parameters
    ----------
    convergence_mrad : float
        Convergence semi-angle [mrad].
    collection_mrad : (float, float)
        Inner and outer semi-angle [mrad], outside the direct beam and at most 220 mrad from its edge.

    Raises
    ------
    ContextError
        Other angles.
    """
    inner, outer = (angle - convergence_mrad for angle in collection_mrad)
    if not 0 <= inner < outer <= BEYOND_MRAD[-1]:
        raise ContextError(
            f"the detector spans {collection_mrad[0]:g} to {collection_mrad[1]:g} mrad around a beam of "
            f"{convergence_mrad:g} mrad; accepted is dark field that ends within {BEYOND_MRAD[-1]:g} mrad of the beam"
        )
    weights = np.zeros(BEYOND_MRAD.size)
    for sign, at in ((1.0, inner), (-1.0, outer)):
        first = int(np.clip(np.searchsorted(BEYOND_MRAD, at) - 2, 0, BEYOND_MRAD.size - 4))
        weights[first : first + 4] += sign * lagrange(BEYOND_MRAD[first : first + 4], at)
    return weights


def lagrange(nodes: Float[np.ndarray, " node"], at: float) -> Float[np.ndarray, " node"]:
    """Return the weights of the values at some nodes in their interpolating polynomial at one place.

    Examples
    --------
    >>> lagrange(np.array([0.0, 1.0, 2.0]), 0.5).tolist()
    [0.375, 0.75, -0.125]
    """
    apart = nodes[:, None] - nodes
    np.fill_diagonal(apart, 1.0)
    away = np.tile(at - nodes, (nodes.size, 1))
    np.fill_diagonal(away, 1.0)
    weights: Float[np.ndarray, " node"] = (away / apart).prod(axis=1)
    return weights


def at_frequency(
    spectra: Float[np.ndarray, "*many node"], fraction: Float[np.ndarray, " frequency"]
) -> Float[np.ndarray, "*many frequency"]:
    """Return spectra between their nodes: the polynomial through all of them, in its barycentric form.

    Parameters
    ----------
    spectra : float array (..., node)
        Spectra at `NODE`.
    fraction : float array (frequency,)
        Frequencies in units of the band limit; zero is returned from 1 on.
    """
    away = fraction[:, None] - NODE
    hit = np.abs(away) < 1e-12
    terms = _BARYCENTRIC / np.where(hit, 1.0, away)
    terms = np.where(hit.any(axis=1, keepdims=True), hit, terms)
    terms /= terms.sum(axis=1, keepdims=True)
    found: Float[np.ndarray, "*many frequency"] = np.where(fraction < 1, spectra @ terms.T, 0.0)
    return found


def radial_table(
    spectra: Float[np.ndarray, "*many node"], band_limit: float, reach_A: float
) -> Float32[np.ndarray, "*many step 2"]:
    """Return kernels, and their slopes, along the radius, fading to zero over the last ångström.

    Parameters
    ----------
    spectra : float array (..., node)
        Spectra [Å²].
    band_limit : float
        Their band limit [1/Å].
    reach_A : float
        Radius of the last step [Å].

    Returns
    -------
    float array (..., step, 2)
        Value, and difference to the next step's, at `_STEP` periods of the band limit.
    """
    steps = int(reach_A * band_limit / _STEP) + 2
    radius_A = np.arange(steps) * _STEP / band_limit
    fading = 0.5 * (1 + np.cos(np.pi * np.clip(radius_A - (reach_A - 1), 0, 1)))
    values = (spectra @ _bessel(512 * -(-steps // 512))[:steps].T) * band_limit**2 * fading
    values[..., -1] = 0.0
    slopes = np.diff(values, axis=-1, append=0.0)
    return np.stack([values, slopes], axis=-1).astype(np.float32)


def tables(
    material: Host,
    spectra: Float[np.ndarray, "channel role node"],
    in_play: tuple[str, ...],
    *,
    band_limit: float,
) -> Tables:
    """Return what the renderer needs of a material and its optics.

    Parameters
    ----------
    material : Host
        The monolayer.
    spectra : float array (channel, role, node)
        Spectrum of every role's column [Å²], in the order of `ROLES`; zero for roles that are not in play.
    in_play : tuple of str
        Labels that occur.
    band_limit : float
        Band limit of the spectra [1/Å].
    """
    pristine = spectra[:, [0, 0, 0, 3, 3, 3, 3, 3]]
    area_A2 = np.sqrt(3) / 2 * material.a_A**2
    reciprocal_per_A = 2 / (np.sqrt(3) * material.a_A)
    reach = int(np.ceil(band_limit / (reciprocal_per_A * np.sqrt(3) / 2)))
    h, k = (n.ravel() for n in np.meshgrid(np.arange(reach + 1), np.arange(-reach, reach + 1), indexing="ij"))
    length = reciprocal_per_A * np.sqrt(h**2 + k**2 - h * k)
    chosen = ((h > 0) | (k > 0)) & (length < band_limit)
    h, k, length = h[chosen], k[chosen], length[chosen]
    metal, chalcogen = (at_frequency(spectra[:, n], length / band_limit) / area_A2 for n in (0, 3))
    turn = np.exp(2j * np.pi * (h + k) / 3)  # the chalcogen's site is a third of the cell's diagonal on
    series = np.stack([metal + chalcogen / turn, metal * turn + chalcogen], axis=1)
    strong = np.abs(series).max(axis=(0, 1)) > _SERIES_TOLERANCE * np.abs(series).max()
    mean = at_frequency(spectra[:, [0, 3]], np.zeros(1)).sum(axis=(1, 2)) / area_A2
    shares = np.array(
        [[label in in_play and label not in ("M", "X2") for label in ROLES[:3]] + [False] * 5,
         [False] * 3 + [label in in_play and label not in ("M", "X2") for label in ROLES[3:]]],
        dtype=float,
    )  # fmt: skip
    return Tables(
        a_A=material.a_A,
        h=h[strong].astype(np.int64),
        k=k[strong].astype(np.int64),
        series=np.ascontiguousarray(series[:, :, strong], dtype=np.complex64),
        mean=np.ascontiguousarray(mean),
        steps_per_A=band_limit / _STEP,
        change=radial_table(spectra - pristine, band_limit, DEFECT_REACH_A),
        column=radial_table(spectra, band_limit, SHIFT_REACH_A),
        role_share=np.cumsum(shares, axis=1) / shares.sum(axis=1, keepdims=True),
    )
