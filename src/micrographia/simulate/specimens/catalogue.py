"""The catalogue: doped monolayers and imaging conditions, every compound under every condition."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from micrographia.context import Angles
from micrographia.errors import ContextError, MicrographiaError, ReadError, StructureError
from micrographia.simulate.columns.column import Column, Probe
from micrographia.simulate.columns.kernels import ring_weights
from micrographia.simulate.specimens.hosts import host, hypotheses

SCHEMA: Final = "micrographia/catalogue/1"
ENERGY_KEV: Final = (30.0, 300.0)
"""Beam energies that a catalogue may hold [keV]."""


@dataclass(frozen=True, kw_only=True)
class Compound:
    """A doped monolayer.

    Parameters
    ----------
    host : str
        Formula of a 2H-MX2 monolayer.
    dopant : str
        Chemical symbol. O, S, Se and Te replace one chalcogen of a pair, all others the metal.
    note : str
        Free text.

    Raises
    ------
    StructureError
        An unknown host or element, or a dopant that is the host's own.

    Examples
    --------
    >>> Compound(host="MoS2", dopant="Nb").name
    'MoS2:Nb'
    """

    host: str
    dopant: str
    note: str = ""

    def __post_init__(self) -> None:
        hypotheses(host(self.host), (self.dopant,))

    @property
    def name(self) -> str:
        """Formula of the host, colon, dopant."""
        return f"{self.host}:{self.dopant}"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A probe in focus and one annular dark-field detector.

    Parameters
    ----------
    name : str
        Any name, e.g. ``"80 keV HAADF"``.
    energy_kev : float
        Beam energy [keV], 30 to 300.
    convergence_mrad : float
        Convergence semi-angle [mrad], positive.
    collection_mrad : (float, float)
        Inner and outer semi-angle of the detector [mrad], at most 260; the inner one is outside the direct beam.

    Raises
    ------
    ContextError
        A value out of range, angles out of order, or a bright-field detector.
    """

    name: str
    energy_kev: float
    convergence_mrad: float
    collection_mrad: Angles

    def __post_init__(self) -> None:
        if not self.name:
            raise ContextError("a condition has no name; give one such as '80 keV HAADF'")
        low, high = ENERGY_KEV
        if not low <= self.energy_kev <= high:
            raise ContextError(f"beam energy is {self.energy_kev:g} keV; accepted is {low:g} to {high:g} keV")
        check_dark_field(self.convergence_mrad, self.collection_mrad)

    @property
    def probe(self) -> Probe:
        """The probe, in focus and without aberrations."""
        return Probe(energy_kev=self.energy_kev, convergence_mrad=self.convergence_mrad)


def check_dark_field(convergence_mrad: float, collection_mrad: Angles) -> None:
    """Refuse angles that are no annular dark field.

    Parameters
    ----------
    convergence_mrad : float
        Convergence semi-angle [mrad].
    collection_mrad : (float, float)
        Inner and outer semi-angle of the detector [mrad].

    Raises
    ------
    ContextError
        Angles out of order, past 260 mrad, or within the direct beam.

    Examples
    --------
    >>> check_dark_field(30.0, (30.0, 200.0))
    Traceback (most recent call last):
    ...
    micrographia.errors.ContextError: the detector begins at 30 mrad, within the direct beam of 30 mrad: ...
    """
    if not 0 < convergence_mrad <= 200:
        raise ContextError(f"convergence angle is {convergence_mrad:g} mrad; accepted is above 0, at most 200 mrad")
    ring_weights(collection_mrad)
    if collection_mrad[0] <= convergence_mrad:
        raise ContextError(
            f"the detector begins at {collection_mrad[0]:g} mrad, within the direct beam of {convergence_mrad:g} mrad: "
            "a bright field; accepted is an inner angle larger than the convergence angle"
        )


@dataclass(frozen=True, kw_only=True)
class Case:
    """One compound under one condition."""

    compound: Compound
    condition: Condition

    @property
    def name(self) -> str:
        """Names of the compound and the condition."""
        return f"{self.compound.name}, {self.condition.name}"


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Compounds and conditions.

    Parameters
    ----------
    name : str
        What it is a catalogue of.
    compounds : tuple of Compound
        At least one, no two of one name.
    conditions : tuple of Condition
        At least one, no two of one name or of the same values.

    Raises
    ------
    StructureError
        No compound, or one twice.
    ContextError
        No condition, or one twice.

    Examples
    --------
    >>> catalogue = read_catalogue()
    >>> len(catalogue.compounds), len(catalogue.conditions), len(catalogue.cases)
    (96, 6, 576)
    >>> catalogue.cases[0].name
    'MoS2:Nb, 60 keV MAADF'
    """

    name: str
    compounds: tuple[Compound, ...]
    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        if not self.compounds:
            raise StructureError("the catalogue has no compounds; give at least one")
        if not self.conditions:
            raise ContextError("the catalogue has no conditions; give at least one")
        if twice := _twice([c.name for c in self.compounds]):
            raise StructureError(f"compound {twice} is in the catalogue twice; leave one of them out")
        if twice := _twice([c.name for c in self.conditions]):
            raise ContextError(f"condition {twice!r} is in the catalogue twice; give each its own name")
        of_values = {(c.energy_kev, c.convergence_mrad, c.collection_mrad): c.name for c in self.conditions}
        for c in self.conditions:
            if (other := of_values[c.energy_kev, c.convergence_mrad, c.collection_mrad]) != c.name:
                raise ContextError(f"conditions {c.name!r} and {other!r} are the same; leave one of them out")

    @property
    def cases(self) -> tuple[Case, ...]:
        """Every compound under every condition; the conditions of one compound follow each other."""
        return tuple(Case(compound=c, condition=k) for c in self.compounds for k in self.conditions)


@lru_cache(maxsize=1024)
def columns(compound: Compound) -> Mapping[str, Column]:
    """Return the atomic column of every site label that occurs in a compound, pristine before defect.

    Parameters
    ----------
    compound : Compound
        The doped monolayer.

    Examples
    --------
    >>> columns(Compound(host="WSe2", dopant="S"))["D_X"].atoms
    (('S', -1.66), ('Se', 1.66))
    """
    options = hypotheses(host(compound.host), (compound.dopant,))
    return MappingProxyType({option.label: option.column for option in options})


def labels(compound: Compound) -> tuple[str, ...]:
    """Return the site labels that occur in a compound: the metal's first, pristine before defect.

    Parameters
    ----------
    compound : Compound
        The doped monolayer.

    Examples
    --------
    >>> labels(Compound(host="MoS2", dopant="Nb"))
    ('M', 'V_M', 'D_M', 'X2', 'V_X', 'V_X2', 'M_X2')
    """
    return tuple(columns(compound))


def read_catalogue(path: Path | None = None) -> Catalogue:
    """Read a catalogue from a file.

    Parameters
    ----------
    path : Path, optional
        JSON (.json) or YAML (.yaml, .yml) of the shape that ``catalogue.schema.json`` describes; by default the
        packaged catalogue of 96 compounds and 6 conditions.

    Raises
    ------
    ReadError
        There is no such file, or it does not have the shape of a catalogue.
    StructureError
        A compound that cannot be: unknown host or element, the host's own element, one twice. Names the entry.
    ContextError
        A condition that cannot be: energy or angles out of range, bright field, one twice. Names the entry.
    """
    if path is None:
        text = resources.files("micrographia.simulate.specimens").joinpath("catalogue.json").read_text(encoding="utf-8")
        return _catalogue(json.loads(text), "catalogue.json")
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        raise ReadError(f"cannot read {path.name} as a catalogue: accepted is .json, .yaml or .yml")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ReadError(f"there is no file {path}; give a catalogue in JSON or YAML") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"cannot read {path}: {error}; give a catalogue in JSON or YAML") from error
    try:
        content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "YAML"
        reason = " ".join(str(error).split())[:200]
        raise ReadError(f"{path.name} is not {kind} ({reason}); mend the file") from error
    return _catalogue(content, path.name)


def _catalogue(content: object, file: str) -> Catalogue:
    table = _table(content, file, required=("schema", "name", "compounds", "conditions"), optional=("description",))
    if table["schema"] != SCHEMA:
        raise ReadError(f"{file} is of schema {table['schema']!r}; accepted is {SCHEMA!r}")
    compounds = []
    for n, entry in enumerate(_list(table["compounds"], f"{file}: compounds")):
        where = f"{file}: compound {n + 1}"
        given = _table(entry, where, required=("host", "dopant"), optional=("note",))
        fields = {key: _text(value, f"{where}: {key}") for key, value in given.items()}
        where += f" ({fields['host']}:{fields['dopant']})"
        try:
            compounds.append(Compound(**fields))
        except MicrographiaError as error:
            raise type(error)(f"{where}: {error}") from error
    conditions = []
    for n, entry in enumerate(_list(table["conditions"], f"{file}: conditions")):
        where = f"{file}: condition {n + 1}"
        given = _table(entry, where, required=("name", "energy_kev", "convergence_mrad", "collection_mrad"))
        where += f" ({given['name']!s})"
        angles = _list(given["collection_mrad"], f"{where}: collection_mrad")
        if len(angles) != 2:
            raise ReadError(f"{where}: collection_mrad has {len(angles)} values; accepted is two, [INNER, OUTER]")
        inner, outer = (_number(a, f"{where}: collection_mrad") for a in angles)
        name = _text(given["name"], f"{where}: name")
        energy_kev = _number(given["energy_kev"], f"{where}: energy_kev")
        convergence_mrad = _number(given["convergence_mrad"], f"{where}: convergence_mrad")
        try:
            conditions.append(
                Condition(
                    name=name,
                    energy_kev=energy_kev,
                    convergence_mrad=convergence_mrad,
                    collection_mrad=(inner, outer),
                )
            )
        except MicrographiaError as error:
            raise type(error)(f"{where}: {error}") from error
    try:
        return Catalogue(
            name=_text(table["name"], f"{file}: name"), compounds=tuple(compounds), conditions=tuple(conditions)
        )
    except MicrographiaError as error:
        raise type(error)(f"{file}: {error}") from error


def _table(
    value: object, where: str, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ReadError(f"{where} is {_said(value)}; accepted is a mapping with {', '.join(required)}")
    if missing := [key for key in required if key not in value]:
        raise ReadError(f"{where} lacks {missing[0]!r}; accepted is a mapping with {', '.join(required)}")
    if stray := [key for key in value if key not in (*required, *optional)]:
        raise ReadError(f"{where} has {_said(stray[0])}; accepted is {', '.join((*required, *optional))}")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ReadError(f"{where} is {_said(value)}; accepted is a list")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ReadError(f"{where} is {_said(value)}; accepted is a text in quotes")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReadError(f"{where} is {_said(value)}; accepted is a number")
    return float(value)


def _said(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."


def _twice(names: list[str]) -> Hashable:
    return next((a for a, b in pairwise(sorted(names)) if a == b), None)
