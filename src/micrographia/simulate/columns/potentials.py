"""Electron-scattering potentials of single atoms, and how strongly a beam feels them."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import numpy as np
from jaxtyping import Float
from scipy.constants import c, e, h, m_e, pi
from scipy.special import k0, k1

from micrographia.errors import StructureError

_MOTT_V_A2 = float(h**2 / (2 * pi * m_e * e) * 1e20)
"""h^2 / (2 pi m e) [V Å^2]: turns a scattering factor [Å] into a potential [V]; 47.878 V Å^2."""


def wavelength_A(energy_kev: float) -> float:
    """Return the relativistic de Broglie wavelength of an electron [Å].

    Parameters
    ----------
    energy_kev : float
        Beam energy [keV].

    Examples
    --------
    >>> print(f"{wavelength_A(80.0):.5f} Å")
    0.04176 Å
    """
    energy_J = energy_kev * 1e3 * e
    return float(h / np.sqrt(2 * m_e * energy_J * (1 + energy_J / (2 * m_e * c**2))) * 1e10)


def interaction_rad_per_V_A(energy_kev: float) -> float:
    """Return the interaction parameter sigma = 2 pi m e lambda / h^2 of a relativistic electron [rad / (V Å)].

    Parameters
    ----------
    energy_kev : float
        Beam energy [keV].

    Notes
    -----
    Kirkland, Advanced Computing in Electron Microscopy, 3rd ed., eq. 5.6; DOI 10.1007/978-3-030-33260-0.

    Examples
    --------
    >>> print(f"{interaction_rad_per_V_A(80.0):.6f} rad/(V Å)")
    0.001009 rad/(V Å)
    """
    gamma = 1 + energy_kev * 1e3 * e / (m_e * c**2)
    return float(2 * pi * gamma * m_e * e * wavelength_A(energy_kev) * 1e-10 / h**2 * 1e-10)


@cache
def _lobato() -> dict[str, tuple[Float[np.ndarray, " 5"], Float[np.ndarray, " 5"]]]:
    text = resources.files("micrographia.simulate.columns").joinpath("data/lobato_2014.csv").read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()[1:])
    return {row[0]: (np.array(row[1:6], dtype=float), np.array(row[6:11], dtype=float)) for row in rows}


def projected_potential_V_A(symbol: str, radius_A: Float[np.ndarray, " radius"]) -> Float[np.ndarray, " radius"]:
    """Return an atom's potential projected along the beam, in closed form [V Å].

    Parameters
    ----------
    symbol : str
        Chemical symbol, H to Lr.
    radius_A : float array (radius,)
        Distance from the nucleus in projection [Å], positive: the potential has a logarithmic pole at zero.

    Returns
    -------
    float array (radius,)
        Projected potential [V Å].

    Raises
    ------
    StructureError
        The symbol is not a chemical element of the tables.

    Notes
    -----
    Inverse Fourier transform of the scattering factor
    ``f(g) = sum_i a_i (2 + b_i g^2) / (1 + b_i g^2)^2`` of Lobato and Van Dyck (2014),
    DOI 10.1107/S205327331401643X.

    Examples
    --------
    >>> print(f"{projected_potential_V_A('Se', np.array([0.5]))[0]:.1f} V Å")
    96.2 V Å
    """
    try:
        a, b = _lobato()[symbol]
    except KeyError:
        raise StructureError(
            f"{symbol!r} is not a chemical element with a tabulated potential; accepted is H to Lr"
        ) from None
    x = 2 * pi * radius_A[:, None] / np.sqrt(b)
    terms = a * 2 * pi / b * (k0(x) + x / 2 * k1(x))
    potential: Float[np.ndarray, " radius"] = _MOTT_V_A2 * terms.sum(axis=1)
    return potential
