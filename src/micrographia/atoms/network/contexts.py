"""Contexts that may be the true one, drawn from their posterior given what is known and the mean unit cell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from micrographia.atoms.network.descriptors import Conditions
from micrographia.atoms.physics import Solution
from micrographia.context import Angles


def unknown_quantities(solution: Solution) -> tuple[str, ...]:
    """Return the names of the quantities of which several values were tried.

    Parameters
    ----------
    solution : Solution
        Physics' solution of the scan.

    Returns
    -------
    tuple of str
        ``"energy_kev"``, ``"convergence_mrad"``, ``"collection_mrad[0]"`` ...
    """
    names = ("energy_kev", "convergence_mrad", *(f"collection_mrad[{c}]" for c in range(len(solution.candidates))))
    return tuple(name for name in names if len(set(_values(solution, name))) > 1)


def draw_contexts(
    solution: Solution,
    rng: np.random.Generator,
    count: int,
    *,
    host: str,
    fixed: Mapping[str, float | Angles] | None = None,
) -> tuple[Conditions, ...]:
    """Draw contexts from their posterior, without a dopant.

    Parameters
    ----------
    solution : Solution
        Holds the conditions of each channel that were tried, and their probabilities.
    rng : numpy Generator
        Draws.
    count : int
        How many.
    host : str
        Formula.
    fixed : mapping of str to value, optional
        Quantities, as `unknown_quantities` calls them, that have a certain value.
    """
    fixed = fixed or {}
    probes = sorted({c.probe for c in solution.candidates[0]})
    # All channels share one probe; given it, their angles are independent.
    of_probe = np.array(
        [
            all(fixed.get(name, getattr(p, name)) == getattr(p, name) for name in ("energy_kev", "convergence_mrad"))
            for p in probes
        ],
        dtype=float,
    )
    of_angles = []
    for c, (candidates, weights) in enumerate(zip(solution.candidates, solution.weights, strict=True)):
        angles = fixed.get(f"collection_mrad[{c}]")
        table = np.zeros((len(probes), len(candidates)))
        for n, (candidate, weight) in enumerate(zip(candidates, weights, strict=True)):
            table[probes.index(candidate.probe), n] = weight
        if c == 0:
            of_probe = of_probe * table.sum(axis=1)
        given = table * [angles is None or k.collection_mrad == angles for k in candidates]
        of_probe = of_probe * given.sum(axis=1) / np.maximum(table.sum(axis=1), 1e-300)
        of_angles.append(given)
    found = []
    for p in rng.choice(len(probes), count, p=of_probe / of_probe.sum()):
        rows = [table[p] / table[p].sum() for table in of_angles]
        found.append(
            Conditions(
                host=host,
                dopant=None,
                energy_kev=probes[p].energy_kev,
                convergence_mrad=probes[p].convergence_mrad,
                collection_mrad=tuple(
                    candidates[int(rng.choice(len(candidates), p=row))].collection_mrad
                    for candidates, row in zip(solution.candidates, rows, strict=True)
                ),
            )
        )
    return tuple(found)


def value_of(conditions: Conditions, name: str) -> float | Angles:
    """Return a quantity of a context by its name.

    Examples
    --------
    >>> told = Conditions(host="WSe2", dopant=None, energy_kev=80.0, convergence_mrad=30.0,
    ...                   collection_mrad=((70.0, 200.0),))
    >>> value_of(told, "collection_mrad[0]")
    (70.0, 200.0)
    """
    if name.startswith("collection_mrad["):
        return conditions.collection_mrad[int(name[16:-1])]
    return conditions.energy_kev if name == "energy_kev" else conditions.convergence_mrad


def _values(solution: Solution, name: str) -> list[float | Angles]:
    if name.startswith("collection_mrad["):
        return [c.collection_mrad for c in solution.candidates[int(name[16:-1])]]
    return [c.probe.energy_kev if name == "energy_kev" else c.probe.convergence_mrad for c in solution.candidates[0]]
