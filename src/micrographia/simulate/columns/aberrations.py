"""Aberrations of the probe, and the quick route from an in-focus image of columns to an aberrated one.

In the incoherent picture an image is the scattering strength convolved with the probe's intensity. Its spectrum
is then a product in which the probe stands alone, and other aberrations only change that one factor: the
spectrum of the in-focus image is multiplied by the ratio of two optical transfer functions. Two numbers for a
column, its `ColumnResponse`, take in most of what that picture leaves out.
"""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Complex, Float
from numba import njit

from micrographia.errors import ContextError
from micrographia.simulate.columns.potentials import wavelength_A

# Nodes of the quadrature over the lens, and how many more for each radian of phase at the aperture's rim: measured
# over random mixtures of terms up to 14 rad, the mean is then good to 1e-4.
_ROUND_NODES: Final = (4.0, 0.7)
_NODES_ALONG: Final = (4.0, 0.8)
_NODES_ACROSS: Final = (6.0, 2.3)


@dataclass(frozen=True, kw_only=True, order=True)
class Aberrations:
    """Phase errors of the probe-forming lens up to third order, those that an operator still meets.

    Parameters
    ----------
    defocus_A : float
        Distance by which the focus lies below (after) the plane ``z = 0`` [Å]; ``-C10``.
    cs_mm : float
        Third-order spherical aberration ``C30`` [mm].
    astigmatism2_A, astigmatism2_deg : float
        Twofold astigmatism ``C12`` [Å] and its angle ``phi12`` [deg].
    astigmatism3_A, astigmatism3_deg : float
        Threefold astigmatism ``C23`` [Å] and its angle ``phi23`` [deg].
    coma_A, coma_deg : float
        Axial coma ``C21`` [Å] and its angle ``phi21`` [deg].

    Raises
    ------
    ContextError
        A value that is not finite.

    Notes
    -----
    Krivanek's coefficients, DOI 10.1016/S0304-3991(99)00013-3, with abTEM's signs and as in `Probe`: the wave in
    the aperture is ``exp(-i chi)``, and `aperture_phase_rad` gives ``chi``. Angles count from +x towards +y of the
    scan, y growing with the row.
    """

    defocus_A: float = 0.0
    cs_mm: float = 0.0
    astigmatism2_A: float = 0.0
    astigmatism2_deg: float = 0.0
    astigmatism3_A: float = 0.0
    astigmatism3_deg: float = 0.0
    coma_A: float = 0.0
    coma_deg: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not np.isfinite(value := getattr(self, field.name)):
                raise ContextError(f"{field.name} is {value!r}; accepted is a finite number")

    @property
    def is_round(self) -> bool:
        """Whether only defocus and spherical aberration differ from zero."""
        return self.astigmatism2_A == self.astigmatism3_A == self.coma_A == 0


@dataclass(frozen=True, kw_only=True, order=True)
class ColumnResponse:
    """How a column, seen by a detector, departs from a point that scatters incoherently.

    Parameters
    ----------
    height_A : float
        Height z at which the column seems to be [Å]: the mean of its atoms', and in monolayers 0.3 to 2 Å more.
    tilt_gain : float
        How much more the detector collects of a wave that comes along the aperture's rim than of one along the axis,
        relative to the latter, more than -1: the ring's inner edge comes nearer on one side.

    Raises
    ------
    ContextError
        A value that is not finite, or a gain of -1 or less.
    """

    height_A: float = 0.0
    tilt_gain: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.height_A):
            raise ContextError(f"height_A is {self.height_A!r}; accepted is a finite number")
        if not -1 < self.tilt_gain < np.inf:
            raise ContextError(f"tilt_gain is {self.tilt_gain!r}; accepted is a finite number above -1")


POINT: Final = ColumnResponse()
"""A point at ``z = 0`` that scatters incoherently."""


def aperture_phase_rad(
    aberrations: Aberrations,
    *,
    energy_kev: float,
    kx_per_A: Float[np.ndarray, "*k"],
    ky_per_A: Float[np.ndarray, "*k"],
) -> Float[np.ndarray, "*k"]:
    """Return the phase error chi across the aperture plane [rad].

    Parameters
    ----------
    aberrations : Aberrations
        The coefficients.
    energy_kev : float
        Beam energy [keV].
    kx_per_A, ky_per_A : float array
        Transverse frequency [1/Å].

    Returns
    -------
    float array
        ``chi``, of the frequencies' shape; the wave there is ``exp(-i chi)``.

    Notes
    -----
    With ``alpha = lambda |k|`` and ``phi`` the angle of k::

        chi = 2 pi / lambda [ alpha^2 / 2 (C10 + C12 cos 2(phi - phi12))
                            + alpha^3 / 3 (C21 cos(phi - phi21) + C23 cos 3(phi - phi23))
                            + alpha^4 / 4  C30 ]

    Examples
    --------
    A defocus of 40 Å at the rim of an aperture of 30 mrad, 80 keV:

    >>> k = np.array([30e-3 / wavelength_A(80.0)])
    >>> chi = aperture_phase_rad(Aberrations(defocus_A=40.0), energy_kev=80.0, kx_per_A=k, ky_per_A=0 * k)
    >>> print(f"{chi[0]:.3f} rad")
    -2.708 rad
    """
    c10, c30, c12, c21, c23 = _coefficients(aberrations, energy_kev)
    k = kx_per_A + 1j * ky_per_A
    k2 = np.abs(k) ** 2
    chi: Float[np.ndarray, "*k"] = (
        (c10 + c30 * k2) * k2 + np.real(c12 * k**2) + np.real(c21 * k) * k2 + np.real(c23 * k**3)
    )
    return chi


def edge_phase_rad(aberrations: Aberrations, *, energy_kev: float, convergence_mrad: float) -> float:
    """Return the largest phase error that the terms could add up to at the aperture's rim [rad].

    Parameters
    ----------
    aberrations : Aberrations
        The coefficients.
    energy_kev : float
        Beam energy [keV].
    convergence_mrad : float
        Convergence semi-angle [mrad].

    Notes
    -----
    The sum of the terms' magnitudes: a bound, since defocus and spherical aberration may balance. Lord Rayleigh's
    quarter wave is pi / 2.

    Examples
    --------
    >>> at_80_kev = {"energy_kev": 80.0, "convergence_mrad": 30.0}
    >>> print(f"{edge_phase_rad(Aberrations(defocus_A=40.0, coma_A=600.0), **at_80_kev):.2f} rad")
    3.52 rad
    """
    rim = _rim_per_A(energy_kev, convergence_mrad)
    c10, c30, c12, c21, c23 = _coefficients(aberrations, energy_kev)
    return float((abs(c10) + abs(c12)) * rim**2 + (abs(c21) + abs(c23)) * rim**3 + abs(c30) * rim**4)


def transfer_ratio(
    aberrations: Aberrations,
    *,
    energy_kev: float,
    convergence_mrad: float,
    qx_per_A: Float[np.ndarray, "*q"],
    qy_per_A: Float[np.ndarray, "*q"],
    response: ColumnResponse = POINT,
) -> Complex[np.ndarray, "*q"]:
    """Return what turns the spectrum of an in-focus dark-field image into that of an aberrated one.

    Parameters
    ----------
    aberrations : Aberrations
        The coefficients.
    energy_kev : float
        Beam energy [keV].
    convergence_mrad : float
        Convergence semi-angle [mrad].
    qx_per_A, qy_per_A : float array
        Spatial frequency in the image [1/Å].
    response : ColumnResponse
        The column's; by default that of a point, for which ``|H| <= 1``.

    Returns
    -------
    complex array
        ``H``, of the frequencies' shape: 1 at zero, ``H(-q) = conj H(q)``, and 0 from the band limit
        ``2 alpha / lambda`` on.

    Raises
    ------
    ContextError
        An energy or a convergence angle that is not positive.

    Notes
    -----
    The image is ``I(r) = sum_q K(q) exp(2 pi i q.r)`` in the probe's position r. A point that scatters, at the
    origin, is imaged as ``|psi(-r)|^2``: upside down, since the probe comes to it from the other side. With
    ``psi(r) = int A(k) exp(2 pi i k.r) dk`` its spectrum is the overlap of two apertures,
    ``T(q) = int A(k - q/2) conj A(k + q/2) dk``; the ratio to the aperture without aberrations is a mean over the
    lens that the two circles share::

        H(q) = < exp(i [chi(k + q/2) - chi(k - q/2)]) >

    A mean does not care that both vanish at the band limit. In general the detector collects ``M(k, k')`` from two
    waves of the aperture that interfere, and a point is the case in which only ``k' - k`` counts. A column's response
    stands for ``1 + tilt_gain k^2 / K^2`` (K the aperture's radius), by which both means are weighted, and for
    ``height_A``, from which both defoci count. `column_response` finds the two numbers; how good they are is measured
    in docs/reference/aberrations.md.

    Along q the lens is bounded by two arcs; with the arc's
    angle t and a fraction s of the chord as coordinates, everything is analytic and Gauss-Legendre nodes converge
    exponentially. Even terms of chi are odd about the lens's middle and odd terms even, hence half of it suffices.

    Examples
    --------
    Coma along x smears the probe towards +x, so the image towards -x; the other direction hardly feels it:

    >>> q = {"qx_per_A": np.array([0.5, 0.0]), "qy_per_A": np.array([0.0, 0.5])}
    >>> probe = {"energy_kev": 80.0, "convergence_mrad": 30.0}
    >>> np.round(transfer_ratio(Aberrations(coma_A=600.0), **probe, **q), 2)
    array([0.92+0.34j, 0.99+0.j  ])
    """
    rim = _rim_per_A(energy_kev, convergence_mrad)
    edge = edge_phase_rad(aberrations, energy_kev=energy_kev, convergence_mrad=convergence_mrad)
    along, across = _gauss(_NODES_ALONG, edge), _gauss(_NODES_ACROSS, edge)
    c10, c30, c12, c21, c23 = _coefficients(aberrations, energy_kev)
    flat_x, flat_y = np.ascontiguousarray(qx_per_A, dtype=float).ravel(), np.ascontiguousarray(qy_per_A, float).ravel()
    ratio: Complex[np.ndarray, "*q"] = _lens_mean(
        c10, c30, c12, c21, c23, rim, *_departure(response, energy_kev), flat_x, flat_y, *across, *along
    ).reshape(qx_per_A.shape)
    return ratio


def radial_transfer_ratio(
    aberrations: Aberrations,
    *,
    energy_kev: float,
    convergence_mrad: float,
    q_per_A: Float[np.ndarray, "*q"],
    response: ColumnResponse = POINT,
) -> Float[np.ndarray, "*q"]:
    """Return `transfer_ratio` for defocus and spherical aberration, which is real and round.

    Parameters
    ----------
    aberrations : Aberrations
        The coefficients; only ``defocus_A`` and ``cs_mm`` may differ from zero.
    energy_kev : float
        Beam energy [keV].
    convergence_mrad : float
        Convergence semi-angle [mrad].
    q_per_A : float array
        Magnitude of the spatial frequency in the image [1/Å].
    response : ColumnResponse
        The column's; by default that of a point.

    Returns
    -------
    float array
        ``H``, of the frequencies' shape.

    Raises
    ------
    ContextError
        Aberrations that are not round; an energy or a convergence angle that is not positive.

    Examples
    --------
    >>> q = np.array([0.0, 0.35, 0.7, 1.05])
    >>> radial_transfer_ratio(Aberrations(defocus_A=40.0), energy_kev=80.0, convergence_mrad=30.0, q_per_A=q).round(3)
    array([1.   , 0.589, 0.355, 0.56 ])
    """
    if not aberrations.is_round:
        raise ContextError(
            "astigmatism or coma differ from zero, and a radial ratio carries defocus and spherical aberration only; "
            "use transfer_ratio"
        )
    rim = _rim_per_A(energy_kev, convergence_mrad)
    x, w = _gauss(_ROUND_NODES, edge_phase_rad(aberrations, energy_kev=energy_kev, convergence_mrad=convergence_mrad))
    c10, c30, *_ = _coefficients(aberrations, energy_kev)
    flat = np.ascontiguousarray(q_per_A, dtype=float).ravel()
    ratio: Float[np.ndarray, "*q"] = _round_lens_mean(
        c10, c30, rim, *_departure(response, energy_kev), flat, x, w
    ).reshape(q_per_A.shape)
    return ratio


def _rim_per_A(energy_kev: float, convergence_mrad: float) -> float:
    """Radius of the aperture [1/Å]."""
    if not energy_kev > 0:
        raise ContextError(f"beam energy is {energy_kev:g} keV; accepted is a positive number")
    if not convergence_mrad > 0:
        raise ContextError(f"convergence is {convergence_mrad:g} mrad; accepted is a positive number")
    return 1e-3 * convergence_mrad / wavelength_A(energy_kev)


def _coefficients(aberrations: Aberrations, energy_kev: float) -> tuple[float, float, complex, complex, complex]:
    """C10, C30, C12, C21, C23 as factors of powers of k [1/Å] in chi [rad]; angles are in the complex phases."""
    a, length = aberrations, wavelength_A(energy_kev)
    return (
        -np.pi * length * a.defocus_A,
        np.pi / 2 * length**3 * 1e7 * a.cs_mm,
        complex(np.pi * length * a.astigmatism2_A * np.exp(-2j * np.radians(a.astigmatism2_deg))),
        complex(2 * np.pi / 3 * length**2 * a.coma_A * np.exp(-1j * np.radians(a.coma_deg))),
        complex(2 * np.pi / 3 * length**2 * a.astigmatism3_A * np.exp(-3j * np.radians(a.astigmatism3_deg))),
    )


def _departure(response: ColumnResponse, energy_kev: float) -> tuple[float, float]:
    """Height as a factor of k^2 in chi, and tilt gain."""
    return float(np.pi * wavelength_A(energy_kev) * response.height_A), response.tilt_gain


def _gauss(
    count: tuple[float, float], edge_rad: float
) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " node"]]:
    """Gauss-Legendre nodes and weights on [-1, 1]: so many, and so many more for each radian at the rim."""
    return _legendre(int(np.ceil(count[0] + count[1] * edge_rad)))


@lru_cache(maxsize=64)  # finding nodes takes as long as using them
def _legendre(count: int) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " node"]]:
    x, w = np.polynomial.legendre.leggauss(count)
    return x, w


@njit(cache=True)  # type: ignore[untyped-decorator]
def _round_lens_mean(
    c10: float,
    c30: float,
    rim: float,
    lift: float,
    gain: float,
    q_per_A: Float[np.ndarray, " q"],
    x: Float[np.ndarray, " node"],
    w: Float[np.ndarray, " node"],
) -> Float[np.ndarray, " q"]:
    """Mean over a quarter of the lens, all that differs."""
    ratio = np.zeros(q_per_A.size)
    for n in range(q_per_A.size):
        q = q_per_A[n]
        if q >= 2 * rim:
            continue
        arc = np.arccos(q / (2 * rim))
        total, area = 0.0, 0.0
        for i in range(x.size):
            t = arc * (x[i] + 1) / 2
            across = rim * np.sin(t)
            chord = rim * np.cos(t) - q / 2  # half of it
            weight = w[i] * np.cos(t) * chord
            # chi(k + q/2) - chi(k - q/2) at u along q: 2 q u (c10 + 2 c30 (u^2 + across^2 + q^2/4))
            middle = 2 * q * (c10 + lift + 2 * c30 * (across**2 + q**2 / 4))
            cubic = 4 * q * c30
            for j in range(x.size):
                u = chord * (x[j] + 1) / 2
                share = weight * w[j] * (1 + gain * (u * u + across * across) / rim**2)
                total += share * np.cos(u * (middle + cubic * u * u))
                area += share * np.cos(2 * q * u * lift) if lift else share
        ratio[n] = total / area
    return ratio


@njit(cache=True)  # type: ignore[untyped-decorator]
def _lens_mean(
    c10: float,
    c30: float,
    c12: complex,
    c21: complex,
    c23: complex,
    rim: float,
    lift: float,
    gain: float,
    qx_per_A: Float[np.ndarray, " q"],
    qy_per_A: Float[np.ndarray, " q"],
    x_across: Float[np.ndarray, " across"],
    w_across: Float[np.ndarray, " across"],
    x_along: Float[np.ndarray, " along"],
    w_along: Float[np.ndarray, " along"],
) -> Complex[np.ndarray, " q"]:
    """Mean over the half of the lens that lies ahead along q."""
    ratio = np.zeros(qx_per_A.size, dtype=np.complex128)
    for n in range(qx_per_A.size):
        q = np.hypot(qx_per_A[n], qy_per_A[n])
        if q >= 2 * rim:
            continue
        along = complex(qx_per_A[n], qy_per_A[n]) / q if q > 0 else complex(1.0, 0.0)
        # Coefficients in the frame whose first axis is q; there k = u + i v and q is real.
        a12, a21, a23 = c12 * along**2, c21 * along, c23 * along**3
        arc = np.arccos(q / (2 * rim))
        real, imag, area = 0.0, 0.0, 0.0
        for i in range(x_across.size):
            t = arc * x_across[i]
            v = rim * np.sin(t)
            chord = rim * np.cos(t) - q / 2  # half of it
            weight = w_across[i] * np.cos(t) * chord
            for j in range(x_along.size):
                u = chord * (x_along[j] + 1) / 2
                s = u * u + v * v + q * q / 4
                # chi(k + q/2) - chi(k - q/2), terms of even order and of odd order apart. With k+- = k +- q/2:
                # k+^2 - k-^2 = 2 q k;  k+ |k+|^2 - k- |k-|^2 = q (s + 2 u k);  k+^3 - k-^3 = q (3 k^2 + q^2/4)
                even = 2 * q * (u * (c10 + lift + 2 * c30 * s) + a12.real * u - a12.imag * v)
                odd = q * (a21.real * (s + 2 * u * u) - a21.imag * 2 * u * v)
                odd += q * (a23.real * (3 * (u * u - v * v) + q * q / 4) - a23.imag * 6 * u * v)
                share = weight * w_along[j] * (1 + gain * (u * u + v * v) / rim**2)
                area += share * np.cos(2 * q * u * lift) if lift else share
                amount = share * np.cos(even)
                real += amount * np.cos(odd)
                imag += amount * np.sin(odd)
        ratio[n] = complex(real, imag) / area
    return ratio
