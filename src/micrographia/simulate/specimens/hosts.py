"""2H-MX2 monolayers: lattice constants, and the atomic columns that each site label stands for."""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from ase.data import atomic_numbers

from micrographia.errors import StructureError
from micrographia.simulate.columns.column import Column

CHALCOGENS: Final = ("O", "S", "Se", "Te")
"""Elements that take a chalcogen's place."""
IMPURITIES: Final = ("S", "Se", "Te")
"""Chalcogens that other chalcogenides commonly hold, and that are thought of even when nobody names them.

Oxygen is left out: it scatters so little that a dark-field scan can hardly tell it from a vacancy.
"""

ROLES: Final = ("M", "V_M", "D_M", "X2", "V_X", "V_X2", "D_X", "M_X2")
"""Site labels by sublattice, the metal's three first, and pristine before defect."""
PRISTINE: Final = ("M", "M", "M", "X2", "X2", "X2", "X2", "X2")
"""The pristine label of each role's sublattice."""
RELAXATION: Final = np.array([0.0, 1.0, 0.5, 0.0, 0.5, 1.0, 0.5, 1.0])
"""How strongly a defect of each role pushes its three nearest neighbours."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A 2H-MX2 monolayer.

    Parameters
    ----------
    formula : str
        Chemical formula, e.g. ``"WSe2"``.
    metal, chalcogen : str
        Chemical symbols.
    a_A : float
        Lattice constant [Å].
    thickness_A : float
        Distance between the two chalcogen planes [Å].
    """

    formula: str
    metal: str
    chalcogen: str
    a_A: float
    thickness_A: float


# Lattice constant and chalcogen-chalcogen thickness [Å]: experiment and density-functional theory agree on
# them to about 1 %; Rasmussen and Thygesen (2015), DOI 10.1021/acs.jpcc.5b02950, and ASE's mx2 builder.
_LATTICE_A: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "TiS2": (3.35, 3.01),
        "VS2": (3.19, 2.96),
        "NbS2": (3.37, 3.40),
        "NbSe2": (3.50, 3.34),
        "MoS2": (3.19, 3.13),
        "MoSe2": (3.32, 3.31),
        "MoTe2": (3.57, 3.58),
        "TaS2": (3.34, 3.10),
        "TaSe2": (3.47, 3.33),
        "WS2": (3.18, 3.12),
        "WSe2": (3.32, 3.32),
        "WTe2": (3.56, 3.58),
        "ReSe2": (3.47, 3.10),
    }
)
LATTICE_UNCERTAINTY: Final = 0.01
"""Relative standard uncertainty of the tabulated lattice constants."""


def host(formula: str) -> Host:
    """Return the monolayer of a chemical formula.

    Parameters
    ----------
    formula : str
        Formula of a 2H-MX2 monolayer, metal first.

    Raises
    ------
    StructureError
        The formula is none of the known monolayers; the message lists them.

    Examples
    --------
    >>> host("WSe2").a_A
    3.32
    """
    if formula not in _LATTICE_A:
        known = ", ".join(_LATTICE_A)
        raise StructureError(f"host {formula!r} is not a known MX2 monolayer; accepted is one of {known}")
    match = re.fullmatch(r"([A-Z][a-z]?)([A-Z][a-z]?)2", formula)
    if match is None:
        raise StructureError(f"host {formula!r} does not have the form MX2")
    a_A, thickness_A = _LATTICE_A[formula]
    return Host(formula=formula, metal=match[1], chalcogen=match[2], a_A=a_A, thickness_A=thickness_A)


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One thing that may be at a site: a label, and the column of atoms that it means here.

    Parameters
    ----------
    label : str
        Site label.
    element : str, optional
        The dopant, for ``D_M`` and ``D_X``.
    column : Column
        The atoms; ``z = 0`` is the metal plane.
    named : bool
        Whether somebody named the element; False for an impurity that is only thought of.
    """

    label: str
    element: str | None
    column: Column
    named: bool = True


def hypotheses(
    material: Host, dopants: tuple[str, ...] = (), *, impurities: tuple[str, ...] = ()
) -> tuple[Hypothesis, ...]:
    """Return everything that may be at a site of a doped monolayer: the metal's labels first, pristine before defect.

    Parameters
    ----------
    material : Host
        The monolayer.
    dopants : tuple of str
        Chemical symbols. Chalcogens replace one chalcogen of a pair (``D_X``), all others the metal (``D_M``).
    impurities : tuple of str
        Further elements to think of, though nobody put them there; the host's own elements are passed over.

    Raises
    ------
    StructureError
        A dopant is no chemical element, or is the host's own metal or chalcogen.

    Examples
    --------
    >>> [h.label for h in hypotheses(host("WSe2"), ("Ti",))]
    ['M', 'V_M', 'D_M', 'X2', 'V_X', 'V_X2', 'M_X2']
    """
    metal, chalcogen, half = material.metal, material.chalcogen, material.thickness_A / 2
    for dopant in (*dopants, *impurities):
        if dopant not in atomic_numbers or dopant == "X":
            raise StructureError(f"dopant {dopant!r} is not a chemical element; accepted is a symbol such as Ti or S")
        if dopant in (metal, chalcogen) and dopant in dopants:
            raise StructureError(f"dopant {dopant} is already an element of the host {material.formula}")

    def of(label: str, *atoms: tuple[str, float], element: str | None = None) -> Hypothesis:
        return Hypothesis(
            label=label, element=element, column=Column(atoms=atoms), named=element is None or element in dopants
        )

    substitutes = dopants + tuple(i for i in impurities if i not in (metal, chalcogen, *dopants))
    on_metal = [d for d in substitutes if d not in CHALCOGENS]
    on_chalcogen = [d for d in substitutes if d in CHALCOGENS]
    return (
        of("M", (metal, 0.0)),
        of("V_M"),
        *(of("D_M", (d, 0.0), element=d) for d in on_metal),
        of("X2", (chalcogen, -half), (chalcogen, half)),
        of("V_X", (chalcogen, half)),
        of("V_X2"),
        *(of("D_X", (d, -half), (chalcogen, half), element=d) for d in on_chalcogen),
        of("M_X2", (metal, 0.0)),
    )
