"""How far atoms move at room temperature, by element.

Published displacement parameters of 2H-MX2 crystals are few and disagree with each other, so each element gets the
value of a rule with few constants rather than a number of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols
from scipy.constants import atomic_mass, hbar, k

from micrographia.errors import ContextError, StructureError

TEMPERATURE_K: Final = 295.0
"""Temperature of the refinements, and of a specimen in a microscope [K]."""

SULPHIDE_STIFFNESS_N_PER_M: Final = 105.0
"""Stiffness that holds an atom of a sulphide along one axis in the layer [N/m].

It reproduces, on average, the four in-plane mean square displacements that refinements give (U11 in Å^2): in 3R-MoS2
Mo 0.0048 and S 0.0038 (Schönfeld, Huang and Moss 1983, DOI 10.1107/S0108768183002645, as in the Crystallography
Open Database, entry 9007661); in 2H-TaS2 at 295 K Ta 0.0034(1) and S 0.0048(5) (Meetsma and others 1990,
DOI 10.1107/S0108270190000014, entry 9007815). One by one they give 87, 120, 123 and 93 N/m; the order of metal and
chalcogen differs between the two crystals, so neither gets a stiffness of its own.
"""

SELENIDE_STIFFNESS: Final = 0.87
"""Stiffness of a selenide, in that of the sulphide of the same metal.

From the Raman modes of the layers: chalcogens against each other (A1'), stiffness ``m_X omega^2``, and against the
metal (E'), ``m_M 2 m_X / (m_M + 2 m_X) omega^2``. MoS2 403 and 385 cm^-1, MoSe2 241 and 287 cm^-1: 0.88 and 0.86.
Tonndorf and others (2013), DOI 10.1364/OE.21.004908.
"""

TELLURIDE_STIFFNESS: Final = 0.70
"""The same for a telluride: MoTe2 172 and 235 cm^-1 give 0.72 and 0.68.

Ruppert, Aslan and Heinz (2014), DOI 10.1021/nl502557g.
"""

_STIFFNESS: Final[Mapping[str, float]] = {"O": 1.0, "S": 1.0, "Se": SELENIDE_STIFFNESS, "Te": TELLURIDE_STIFFNESS}
# A metal's neighbours are not known by its symbol: it gets the selenides' stiffness, the middle one.
_METAL_STIFFNESS: Final = SELENIDE_STIFFNESS


def thermal_displacement_A(symbol: str) -> float:
    """Return an atom's root mean square displacement along one axis in the layer, at 295 K [Å].

    Parameters
    ----------
    symbol : str
        Chemical symbol, H to Lr.

    Raises
    ------
    StructureError
        The symbol is not a chemical element.

    Notes
    -----
    An Einstein oscillator, ``u^2 = hbar / (2 m omega) coth(hbar omega / 2 k T)`` with ``omega^2 = kappa / m``. At
    room temperature that is close to ``k T / kappa``, in which the mass does not count: what matters is the stiffness
    ``kappa``. S and O have that of a sulphide, Se and Te that of a selenide and a telluride, all others that of a
    selenide. The four refined values scatter about a sulphide's stiffness by 7 % rms in u, and that is how sure the
    rule is; besides, a metal in a sulphide moves 7 % less than it says, in a telluride 11 % more. Bulk crystals were
    refined: in a free layer long waves add a little. Motion along the beam hardly counts and is left out.

    Examples
    --------
    >>> ", ".join(f"{s} {thermal_displacement_A(s):.3f}" for s in ("S", "Se", "Te", "V", "Mo", "W"))
    'S 0.066, Se 0.068, Te 0.075, V 0.069, Mo 0.068, W 0.067'
    """
    number = atomic_numbers.get(symbol, 0)
    if not 0 < number < _ELEMENTS:
        raise StructureError(f"{symbol!r} is not a chemical element; accepted is a symbol from H to Lr")
    stiffness = SULPHIDE_STIFFNESS_N_PER_M * _STIFFNESS.get(symbol, _METAL_STIFFNESS)
    return einstein_displacement_A(atomic_masses[number], stiffness)


def einstein_displacement_A(mass_u: float, stiffness_N_per_m: float, *, temperature_K: float = TEMPERATURE_K) -> float:
    """Return the root mean square displacement of a harmonic oscillator along its axis [Å].

    Parameters
    ----------
    mass_u : float
        Mass [atomic mass units].
    stiffness_N_per_m : float
        Restoring force for a displacement [N/m].
    temperature_K : float
        Temperature [K], positive.

    Examples
    --------
    Heavy or hot, it is the classical ``sqrt(k T / kappa)``.

    >>> from scipy.constants import k
    >>> print(f"{einstein_displacement_A(1e4, 100.0, temperature_K=300.0):.4f} {1e10 * (k * 300 / 100) ** 0.5:.4f}")
    0.0644 0.0644
    """
    mass_kg = mass_u * atomic_mass
    omega = np.sqrt(stiffness_N_per_m / mass_kg)
    squared = hbar / (2 * mass_kg * omega) / np.tanh(hbar * omega / (2 * k * temperature_K))
    return float(1e10 * np.sqrt(squared))


_ELEMENTS: Final = 104
VIBRATION_A: Final[Mapping[str, float]] = {s: thermal_displacement_A(s) for s in chemical_symbols[1:_ELEMENTS]}
"""`thermal_displacement_A` of every element from H to Lr [Å]: the simulator's default."""


def displacements_A(symbols: Iterable[str], vibration_A: float | Mapping[str, float]) -> tuple[float, ...]:
    """Return the displacement of each of some atoms [Å].

    Parameters
    ----------
    symbols : iterable of str
        Chemical symbol of each atom.
    vibration_A : float or mapping of str to float
        Root mean square displacement along one axis [Å], of all atoms or by element; 0 holds atoms still.

    Raises
    ------
    ContextError
        A displacement that is negative or not finite.
    StructureError
        The mapping lacks an element.

    Examples
    --------
    >>> displacements_A(("S", "S"), 0.07), displacements_A(("S", "Se"), {"S": 0.06, "Se": 0.07, "W": 0.0})
    ((0.07, 0.07), (0.06, 0.07))
    """
    found = []
    for symbol in symbols:
        if isinstance(vibration_A, Mapping):
            if symbol not in vibration_A:
                raise StructureError(
                    f"thermal vibration of {symbol!r} is not given; accepted is one number for all elements, or a "
                    "mapping that has every element of the specimen"
                )
            value = vibration_A[symbol]
        else:
            value = vibration_A
        if not 0 <= value < np.inf:
            raise ContextError(f"thermal vibration is {value:g} Å; accepted is 0 or more")
        found.append(float(value))
    return tuple(found)
