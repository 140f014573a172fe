"""Specimens: atomic columns in a plane, built as a doped monolayer or taken from an ASE structure."""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from ase import Atoms
from ase.build import mx2
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from micrographia.errors import StructureError
from micrographia.findings import SUBLATTICE
from micrographia.simulate.columns.column import Column
from micrographia.simulate.specimens.hosts import RELAXATION, ROLES, Host, hypotheses

_SAME_COLUMN_A = 0.05
"""Atoms whose projections lie closer than this [Å] scatter as one column."""
_MARGIN_A: Final = 12.0
"""How far a specimen goes on past its field unless told otherwise [Å]: as far as a kernel reaches."""
_NEIGHBOURS: Final = 1.2
"""Sites of the other sublattice up to this many bond lengths away are a site's neighbours."""


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """Atomic columns seen along the beam.

    Parameters
    ----------
    x_A, y_A : float array (site,)
        Position of each site [Å] from the upper left corner of the field; y grows downwards.
    columns : tuple of Column
        Distinct kinds of column.
    kind : int array (site,)
        Index into ``columns``.
    label : str array (site,)
        Site label, or an empty string where the structure does not tell.
    width_A, height_A : float
        Size of the field [Å].
    """

    x_A: Float[np.ndarray, " site"]
    y_A: Float[np.ndarray, " site"]
    columns: tuple[Column, ...]
    kind: Int[np.ndarray, " site"]
    label: np.ndarray
    width_A: float
    height_A: float


def monolayer(
    material: Host,
    *,
    width_A: float,
    height_A: float,
    dopants: tuple[str, ...] = (),
    fractions: Mapping[str, float] | None = None,
    rotation_deg: float = 0.0,
    margin_A: float = _MARGIN_A,
    rng: np.random.Generator,
) -> Specimen:
    """Return a field of a monolayer with defects at random sites.

    Parameters
    ----------
    material : Host
        The monolayer.
    width_A, height_A : float
        Size of the field [Å].
    dopants : tuple of str
        Dopants; where several can take a label, each site draws one of them.
    fractions : mapping of str to float, optional
        Fraction of the sites of its sublattice that carry each defect label, e.g. ``{"V_X": 0.02}``.
    rotation_deg : float
        Angle between a close-packed direction and the x axis [°].
    margin_A : float
        How far the specimen goes on past the field's edges [Å]: columns outside shine into it. Whatever it is above
        12, the sites up to 12 Å outside are the same.
    rng : numpy Generator
        Draws the origin of the lattice and the defects.

    Raises
    ------
    StructureError
        A label has no hypothesis here (``D_M`` without a metal dopant), fractions below 0 or together above 1,
        or a field without area.

    Examples
    --------
    >>> from micrographia.simulate.specimens.hosts import host
    >>> field = monolayer(host("WSe2"), width_A=40, height_A=40, fractions={"V_X": 0.1}, rng=np.random.default_rng(0))
    >>> sorted(set(field.label.tolist()))
    ['M', 'V_X', 'X2']
    """
    fractions = dict(fractions or {})
    if stray := set(fractions) - set(SUBLATTICE):
        raise StructureError(f"defect label is {min(stray)!r}; accepted is one of {', '.join(SUBLATTICE)}")
    for name, edge in (("width", width_A), ("height", height_A)):
        if not 0 < edge < np.inf:
            raise StructureError(f"the field's {name} is {edge:g} Å; accepted is a positive number")
    if not np.isfinite(rotation_deg):
        raise StructureError(f"rotation is {rotation_deg:g}°; accepted is a finite number")
    options = hypotheses(material, dopants)
    a = material.a_A
    angle = np.deg2rad(rotation_deg)
    rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    vectors = a * np.array([[1.0, 0.5], [0.0, np.sqrt(3) / 2]])
    reach = int(np.ceil((width_A + height_A + 4 * margin_A) / a)) + 2
    n1, n2 = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    cells = np.stack([n1.ravel(), n2.ravel()]) + rng.random((2, 1))
    # Of its own, so that a wider margin changes neither the defects nearer by nor what is drawn later.
    outer_rng = rng.spawn(1)[0] if margin_A > _MARGIN_A else rng
    xs, ys, kinds, labels = [], [], [], []
    for sublattice, offset in (("M", 0.0), ("X", 1 / 3)):
        x, y = rotate @ (vectors @ (cells + offset)) + np.array([[width_A / 2], [height_A / 2]])
        outside_A = np.maximum(np.maximum(-x, x - width_A), np.maximum(-y, y - height_A))
        inside = outside_A < margin_A
        here = [i for i, h in enumerate(options) if SUBLATTICE[h.label] == sublattice]
        named = {options[i].label for i in here[1:]}
        wanted = {label: f for label, f in fractions.items() if SUBLATTICE.get(label) == sublattice}
        if missing := set(wanted) - named:
            raise StructureError(
                f"no column can have the defect {min(missing)} here; accepted is one of {', '.join(sorted(named))}"
                + ("; D_M and D_X need a dopant" if min(missing).startswith("D_") else "")
            )
        defects = sum(wanted.values())
        if not (defects <= 1 and all(f >= 0 for f in wanted.values())):
            raise StructureError(
                f"defect fractions of sublattice {sublattice} are {', '.join(f'{f:g}' for f in wanted.values())}; "
                "accepted is 0 or more each and at most 1 together"
            )
        weights = np.array(
            [wanted.get(options[i].label, 0.0) / sum(options[j].label == options[i].label for j in here) for i in here]
        )
        weights[0] = 1 - defects
        near = outside_A[inside] < _MARGIN_A
        kind = np.empty(near.size, dtype=int)
        kind[near] = rng.choice(here, size=int(near.sum()), p=weights)
        kind[~near] = outer_rng.choice(here, size=int((~near).sum()), p=weights)
        xs.append(x[inside])
        ys.append(y[inside])
        kinds.append(kind)
        labels.append(np.array([h.label for h in options])[kind])
    return Specimen(
        x_A=np.concatenate(xs),
        y_A=np.concatenate(ys),
        columns=tuple(h.column for h in options),
        kind=np.concatenate(kinds),
        label=np.concatenate(labels),
        width_A=width_A,
        height_A=height_A,
    )


def relaxed(specimen: Specimen, push_A: float) -> Specimen:
    """Return a monolayer whose defects push their nearest neighbours away.

    Parameters
    ----------
    specimen : Specimen
        From `monolayer`: every site has a label.
    push_A : float
        How far an empty site, or a metal atom in a chalcogen's place, pushes each of its neighbours [Å]; half as far
        for one chalcogen missing and for substitutes; negative pulls them in.

    Raises
    ------
    StructureError
        Sites without a label, or a push of half a bond or more.

    Notes
    -----
    Pushes go straight away from the defect, as far as `RELAXATION` has it, and add up; all distances are those of the
    unrelaxed lattice. Empty sites stay where they are, for nothing there moves.

    Examples
    --------
    >>> from micrographia.simulate.specimens.hosts import host
    >>> rng = np.random.default_rng(0)
    >>> field = monolayer(host("WSe2"), width_A=40, height_A=40, fractions={"V_X2": 0.01}, rng=rng)
    >>> moved = np.hypot(relaxed(field, 0.1).x_A - field.x_A, relaxed(field, 0.1).y_A - field.y_A)
    >>> sorted(set(moved.round(3).tolist()))
    [0.0, 0.1]
    """
    if unknown := set(specimen.label.tolist()) - set(ROLES):
        raise StructureError(
            f"a site's label is {min(unknown)!r}, so that it is not known what pushes what; accepted is a specimen "
            f"from monolayer, whose labels are among {', '.join(ROLES)}"
        )
    xy = np.stack([specimen.x_A, specimen.y_A], axis=1)
    metal = np.array([SUBLATTICE[label] == "M" for label in specimen.label], dtype=bool)
    if push_A == 0 or not (metal.any() and not metal.all()):
        return specimen
    trees = {side: cKDTree(xy[metal == side]) for side in (True, False)}
    bond_A = float(np.median(trees[True].query(xy[~metal])[0]))
    if not abs(push_A) < bond_A / 2:
        raise StructureError(
            f"defects would push their neighbours by {push_A:g} Å; "
            f"accepted is less than half a bond, {bond_A / 2:.2f} Å"
        )
    strength = RELAXATION[[ROLES.index(label) for label in specimen.label]]
    occupied = np.array([bool(column.atoms) for column in specimen.columns])[specimen.kind]
    moved = xy.copy()
    for side, tree in trees.items():
        here = np.flatnonzero(metal == side)
        pushing = np.flatnonzero((metal != side) & (strength != 0))
        for defect, near in zip(pushing, tree.query_ball_point(xy[pushing], _NEIGHBOURS * bond_A), strict=True):
            pushed = here[near][occupied[here[near]]]
            away = xy[pushed] - xy[defect]
            moved[pushed] += push_A * strength[defect] * away / np.linalg.norm(away, axis=1, keepdims=True)
    return replace(specimen, x_A=moved[:, 0], y_A=moved[:, 1])


def cell(material: Host, repeats: tuple[int, int]) -> Atoms:
    """Return a rectangular, periodic cell of the pristine monolayer as ASE atoms, beam along z, metals at mid-height.

    Parameters
    ----------
    material : Host
        The monolayer.
    repeats : (int, int)
        Repeats of the rectangular cell of two formula units (``a`` by ``sqrt(3) a``).

    Examples
    --------
    >>> from micrographia.simulate.specimens.hosts import host
    >>> len(cell(host("MoS2"), (2, 1)))
    12
    """
    atoms = mx2(material.formula, kind="2H", a=material.a_A, thickness=material.thickness_A, size=(1, 2, 1), vacuum=3.0)
    a, height = material.a_A, atoms.cell[2, 2]
    atoms.set_cell([[a, 0, 0], [0, np.sqrt(3) * a, 0], [0, 0, height]])
    atoms.pbc = True
    atoms.wrap()
    return atoms.repeat((*repeats, 1))


def from_atoms(atoms: Atoms) -> Specimen:
    """Return the columns of any ASE structure seen along z, with its cell as the field.

    Atoms above each other within 0.05 Å make one column, across the cell's edges too where it is periodic.
    Heights count from the middle of the atoms, so that a monolayer's metal plane is at ``z = 0``.

    Parameters
    ----------
    atoms : ase.Atoms
        Structure whose cell is a rectangle seen along z.

    Raises
    ------
    StructureError
        No atoms, or a cell that is not a rectangle seen along z.

    Examples
    --------
    >>> from micrographia.simulate.specimens.hosts import host
    >>> specimen = from_atoms(cell(host("WSe2"), (2, 2)))
    >>> len(specimen.x_A), len(specimen.columns)
    (16, 2)
    """
    box = np.asarray(atoms.cell)
    if len(atoms) == 0:
        raise StructureError("the structure holds no atoms; give a file with at least one")
    if min(box[0, 0], box[1, 1]) <= 0 or abs(box[0, 1]) + abs(box[1, 0]) > 1e-6:
        raise StructureError(
            "the structure's cell is not a rectangle seen along z; give an orthogonal cell with positive a and b"
        )
    if not np.isfinite(atoms.positions).all():
        raise StructureError("the structure has positions that are NaN or infinite; repair the file")
    xy, z = atoms.positions[:, :2], atoms.positions[:, 2]
    z = z - (z.max() + z.min()) / 2
    edges = np.diag(box)[:2]
    periodic = bool(atoms.pbc[:2].all())
    if periodic:
        xy = xy % edges
        xy[xy == edges] = 0.0
    tree = cKDTree(xy, boxsize=edges if periodic else None)
    taken = np.zeros(len(atoms), dtype=bool)
    sites: list[tuple[float, float, Column]] = []
    for first in range(len(atoms)):
        if taken[first]:
            continue
        near = [i for i in sorted(tree.query_ball_point(xy[first], _SAME_COLUMN_A)) if not taken[i]]
        taken[near] = True
        apart = xy[near] - xy[first]
        if periodic:
            apart -= np.round(apart / edges) * edges
        stack = sorted(near, key=lambda i: z[i])
        column = Column(atoms=tuple((atoms.symbols[i], round(float(z[i]), 4)) for i in stack))
        sites.append((*(xy[first] + apart.mean(axis=0)).tolist(), column))
    columns = tuple(sorted({column for _, _, column in sites}))
    return Specimen(
        x_A=np.array([x for x, _, _ in sites]),
        y_A=np.array([y for _, y, _ in sites]),
        columns=columns,
        kind=np.array([columns.index(column) for _, _, column in sites]),
        label=np.array([""] * len(sites)),
        width_A=float(box[0, 0]),
        height_A=float(box[1, 1]),
    )


def with_images(specimen: Specimen, *, margin_A: float = 12.0) -> Specimen:
    """Return a specimen that repeats periodically past its field's edges, for a scan whose edges see neighbours.

    Parameters
    ----------
    specimen : Specimen
        One period: all sites inside the field, as `from_atoms` gives it for a periodic cell.
    margin_A : float
        How far past the field's edges the images go [Å].

    Raises
    ------
    StructureError
        A field without area.

    Examples
    --------
    >>> from micrographia.simulate.specimens.hosts import host
    >>> one = from_atoms(cell(host("WSe2"), (4, 3)))
    >>> len(one.x_A), len(with_images(one, margin_A=3.0).x_A)
    (48, 94)
    """
    if not (specimen.width_A > 0 and specimen.height_A > 0):
        raise StructureError(f"the field is {specimen.width_A:g} x {specimen.height_A:g} Å; it needs an area to repeat")
    reach_x, reach_y = (int(np.ceil(margin_A / edge)) + 1 for edge in (specimen.width_A, specimen.height_A))
    n_x, n_y = (n.ravel() for n in np.meshgrid(np.arange(-reach_x, reach_x + 1), np.arange(-reach_y, reach_y + 1)))
    x_A = (specimen.x_A[:, None] + n_x * specimen.width_A).ravel()
    y_A = (specimen.y_A[:, None] + n_y * specimen.height_A).ravel()
    near = (
        (x_A >= -margin_A)
        & (x_A <= specimen.width_A + margin_A)
        & (y_A >= -margin_A)
        & (y_A <= specimen.height_A + margin_A)
    )
    return replace(
        specimen,
        x_A=x_A[near],
        y_A=y_A[near],
        kind=np.repeat(specimen.kind, n_x.size)[near],
        label=np.repeat(specimen.label, n_x.size)[near],
    )
