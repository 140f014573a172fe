from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import mx2
from scipy.spatial import cKDTree

from micrographia.errors import StructureError
from micrographia.simulate import cell, from_atoms, host, hypotheses, monolayer, with_images
from micrographia.simulate.specimens.hosts import _LATTICE_A
from micrographia.simulate.specimens.specimen import relaxed

WSE2 = host("WSe2")


def field(seed=0, **changes):
    settings = {"width_A": 150.0, "height_A": 120.0, "rng": np.random.default_rng(seed)} | changes
    return monolayer(settings.pop("material", WSE2), **settings)


@pytest.mark.parametrize("rotation_deg", [0.0, 13.0, 30.0])
def test_each_sublattice_has_one_site_a_cell(rotation_deg):
    specimen = field(rotation_deg=rotation_deg, margin_A=0.0)
    expected = 150 * 120 / (np.sqrt(3) / 2 * 3.32**2)
    perimeter = 2 * (150 + 120) / 3.32
    for label in ("M", "X2"):
        assert np.count_nonzero(specimen.label == label) == pytest.approx(expected, abs=0.5 * perimeter)
    assert specimen.x_A.min() >= 0
    assert specimen.y_A.max() <= 120


def test_neighbours_are_at_the_distances_of_the_honeycomb():
    specimen = field(rotation_deg=7.0)
    metal = specimen.label == "M"
    xy = np.stack([specimen.x_A, specimen.y_A], axis=1)
    inner = (np.abs(xy[:, 0] - 75) < 60) & (np.abs(xy[:, 1] - 60) < 45)
    to_chalcogen, _ = cKDTree(xy[~metal]).query(xy[metal & inner], k=3)
    assert to_chalcogen == pytest.approx(np.full(to_chalcogen.shape, 3.32 / np.sqrt(3)))
    to_metal, _ = cKDTree(xy[metal]).query(xy[metal & inner], k=7)
    assert to_metal[:, 1:] == pytest.approx(np.full((to_metal.shape[0], 6), 3.32))


def test_rotation_turns_the_close_packed_direction():
    specimen = field(rotation_deg=20.0)
    metals = np.stack([specimen.x_A, specimen.y_A], axis=1)[specimen.label == "M"]
    there = metals + 3.32 * np.array([np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))])
    distance, _ = cKDTree(metals).query(there[np.hypot(*(metals - [75, 60]).T) < 40])
    assert distance.max() < 1e-9


def test_defects_come_at_their_fractions():
    wanted = {"V_X": 0.08, "V_X2": 0.02, "D_X": 0.05, "V_M": 0.03, "D_M": 0.3}
    specimen = field(dopants=("Ti", "S", "V"), fractions=wanted, width_A=400.0, height_A=400.0)
    for labels in (("M", "V_M", "D_M"), ("X2", "V_X", "V_X2", "D_X")):
        here = np.isin(specimen.label, labels)
        for label in labels[1:]:
            p, n = wanted[label], here.sum()
            assert np.count_nonzero(specimen.label == label) == pytest.approx(p * n, abs=5 * np.sqrt(n * p * (1 - p)))
    dopants = [specimen.columns[k].atoms[0][0] for k in specimen.kind[specimen.label == "D_M"]]
    assert dopants.count("Ti") == pytest.approx(len(dopants) / 2, abs=2.5 * np.sqrt(len(dopants)))


def test_columns_are_what_the_labels_say():
    atoms = {h.label: h.column.atoms for h in hypotheses(WSE2, ("Ti", "S"))}
    assert atoms == {
        "M": (("W", 0.0),),
        "V_M": (),
        "D_M": (("Ti", 0.0),),
        "X2": (("Se", -1.66), ("Se", 1.66)),
        "V_X": (("Se", 1.66),),
        "V_X2": (),
        "D_X": (("S", -1.66), ("Se", 1.66)),
        "M_X2": (("W", 0.0),),
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fractions": {"V_Q": 0.1}}, "'V_Q'"),
        ({"fractions": {"D_M": 0.1}}, "D_M here.*need a dopant"),
        ({"fractions": {"X2": 0.1}}, "defect X2 here; accepted is one of M_X2, V_X, V_X2"),
        ({"fractions": {"V_X": 0.7, "V_X2": 0.4}}, "0.7, 0.4"),
        ({"fractions": {"V_X": -0.1}}, "-0.1"),
        ({"fractions": {"V_X": float("nan")}}, "nan"),
        ({"dopants": ("Se",)}, "already an element"),
        ({"dopants": ("Unobtainium",)}, "not a chemical element"),
        ({"width_A": 0.0}, "width is 0"),
        ({"height_A": float("inf")}, "height is inf"),
        ({"rotation_deg": float("nan")}, "rotation is nan"),
    ],
)
def test_impossible_monolayers_are_refused(changes, says):
    with pytest.raises(StructureError, match=says):
        field(**changes)


def test_hosts_are_named_when_one_is_unknown():
    with pytest.raises(StructureError, match=r"'WSe3'.*MoS2"):
        host("WSe3")


@pytest.mark.parametrize("formula", _LATTICE_A)
def test_cells_are_those_of_ase(formula):
    material = host(formula)
    specimen = from_atoms(cell(material, (2, 1)))
    assert (specimen.width_A, specimen.height_A) == pytest.approx((2 * material.a_A, np.sqrt(3) * material.a_A))
    assert {c.atoms for c in specimen.columns} == {
        ((material.metal, 0.0),),
        ((material.chalcogen, -material.thickness_A / 2), (material.chalcogen, material.thickness_A / 2)),
    }
    primitive = mx2(formula, kind="2H", a=material.a_A, thickness=material.thickness_A)
    assert len(specimen.x_A) == 2 * 2 * 2 * len(primitive) / 3
    around = with_images(specimen)
    xy = np.stack([around.x_A, around.y_A], axis=1)
    metal = np.array([len(around.columns[k].atoms) == 1 for k in around.kind])
    inside = (around.x_A < around.width_A) & (around.x_A >= 0) & (around.y_A < around.height_A) & (around.y_A >= 0)
    lengths, _ = cKDTree(xy[~metal]).query(xy[metal & inside], k=3)
    assert lengths == pytest.approx(np.full(lengths.shape, material.a_A / np.sqrt(3)))


def test_heights_count_from_the_middle_and_stacks_keep_their_order():
    atoms = Atoms("SeWS", positions=[(1, 1, 8.0), (3, 1, 5.0), (1.02, 1, 2.0)], cell=(6, 6, 20))
    specimen = from_atoms(atoms)
    assert sorted(c.atoms for c in specimen.columns) == [(("S", -3.0), ("Se", 3.0)), (("W", 0.0),)]
    assert sorted(specimen.x_A) == pytest.approx([1.01, 3.0])


def test_a_column_on_the_edge_of_a_periodic_cell_stays_one():
    atoms = Atoms("SeSe", positions=[(0.01, 2, 0), (5.99, 2, 3)], cell=(6, 6, 20), pbc=True)
    assert [c.atoms for c in from_atoms(atoms).columns] == [(("Se", -1.5), ("Se", 1.5))]
    assert from_atoms(atoms).x_A % 6 == pytest.approx([0.0], abs=1e-9)
    atoms.pbc = False
    assert len(from_atoms(atoms).x_A) == 2


def test_atoms_outside_a_periodic_cell_are_brought_in():
    specimen = from_atoms(Atoms("W", positions=[(-1.0, 7.0, 0)], cell=(6, 6, 5), pbc=True))
    assert (specimen.x_A, specimen.y_A) == (pytest.approx([5.0]), pytest.approx([1.0]))


@pytest.mark.parametrize(
    ("atoms", "says"),
    [
        (Atoms(cell=(5, 5, 5)), "no atoms"),
        (Atoms("W", positions=[(0, 0, 0)]), "not a rectangle"),
        (Atoms("W", positions=[(0, 0, 0)], cell=[[5, 0, 0], [2.5, 4.3, 0], [0, 0, 9]]), "not a rectangle"),
        (Atoms("W", positions=[(float("nan"), 0, 0)], cell=(5, 5, 5)), "NaN"),
    ],
)
def test_structures_that_cannot_be_scanned_are_refused(atoms, says):
    with pytest.raises(StructureError, match=says):
        from_atoms(atoms)


def test_images_fill_the_margin_without_doubling():
    one = from_atoms(cell(WSE2, (4, 2)))
    around = with_images(one, margin_A=7.0)
    xy = np.stack([around.x_A, around.y_A], axis=1)
    assert cKDTree(xy).query(xy, k=2)[0][:, 1].min() > 1.9
    density = len(one.x_A) / (one.width_A * one.height_A)
    assert len(xy) == pytest.approx(density * (one.width_A + 14) * (one.height_A + 14), rel=0.12)
    assert (around.width_A, around.height_A) == (one.width_A, one.height_A)


def moves(specimen, push_A):
    after = relaxed(specimen, push_A)
    assert np.array_equal(after.label, specimen.label)
    assert np.array_equal(after.kind, specimen.kind)
    return np.stack([after.x_A - specimen.x_A, after.y_A - specimen.y_A], axis=1)


def one_defect(label, *, dopants=(), material=WSE2):
    """A pristine field with one defect in the middle; also the defect's index."""
    specimen = field(width_A=40.0, height_A=40.0, rotation_deg=9.0, dopants=dopants, material=material)
    options = [h.label for h in hypotheses(material, dopants)]
    pristine = "M" if label in ("V_M", "D_M") else "X2"
    to_middle = np.hypot(specimen.x_A - 20, specimen.y_A - 20)
    site = int(np.argmin(np.where(specimen.label == pristine, to_middle, np.inf)))
    return with_label(specimen, site, label, options), site


def with_label(specimen, site, label, options):
    kind, labels = specimen.kind.copy(), specimen.label.astype("<U8")
    kind[site], labels[site] = options.index(label), label
    return replace(specimen, kind=kind, label=labels)


@pytest.mark.parametrize(
    ("label", "strength"),
    [("V_M", 1.0), ("D_M", 0.5), ("V_X", 0.5), ("V_X2", 1.0), ("D_X", 0.5), ("M_X2", 1.0)],
)
@pytest.mark.parametrize("push_A", [0.1, -0.08])
def test_a_defect_pushes_its_three_neighbours_straight_away(label, strength, push_A):
    specimen, site = one_defect(label, dopants=("Ti", "S"))
    moved = moves(specimen, push_A)
    away = np.stack([specimen.x_A - specimen.x_A[site], specimen.y_A - specimen.y_A[site]], axis=1)
    distance = np.hypot(*away.T)
    near = np.abs(distance - 3.32 / np.sqrt(3)) < 1e-6
    assert near.sum() == 3
    assert moved[near] == pytest.approx(push_A * strength * away[near] / distance[near, None], abs=1e-12)
    assert not moved[~near].any()


def test_pushes_add_up_and_empty_sites_stay():
    specimen, site = one_defect("V_X2")
    options = [h.label for h in hypotheses(WSE2, ())]
    away = np.hypot(specimen.x_A - specimen.x_A[site], specimen.y_A - specimen.y_A[site])
    [other] = np.flatnonzero(np.abs(away - 3.32) < 1e-6)[:1]
    # Two empty columns a lattice vector apart share one metal neighbour: pushes at 60° to each other, or 120° apart.
    both = moves(with_label(specimen, other, "V_X2", options), 0.1)
    apart = moves(specimen, 0.1) + moves(with_label(specimen, site, "X2", options), 0.0)
    shared = np.flatnonzero(np.hypot(*(both - apart).T) * np.hypot(*apart.T) > 0)
    assert len(shared) == 1
    assert np.hypot(*both[shared[0]]) == pytest.approx(0.1)  # two vectors of 0.1 Å at 120°
    # A metal vacancy between pushes its chalcogens, but the empty columns beside it do not move.
    empty = with_label(specimen, shared[0], "V_M", options)
    moved = moves(empty, 0.1)
    assert not moved[[site, shared[0]]].any()
    assert np.hypot(*moved[other]) == pytest.approx(0.1)


def test_relaxation_refuses_what_it_cannot_do():
    with pytest.raises(StructureError, match=r"label is ''.*from monolayer"):
        relaxed(from_atoms(cell(WSE2, (2, 2))), 0.1)
    for push_A in (1.0, float("nan")):
        with pytest.raises(StructureError, match=r"less than half a bond, 0.96 Å"):
            relaxed(field(), push_A)
    same = field()
    assert relaxed(same, 0.0) is same


def test_a_wider_margin_changes_nothing_nearer_by():
    def draws(margin_A):
        rng = np.random.default_rng(3)
        specimen = field(fractions={"V_X": 0.2}, width_A=30.0, height_A=20.0, margin_A=margin_A, rng=rng)
        outside = np.maximum(np.abs(specimen.x_A - 15) - 15, np.abs(specimen.y_A - 10) - 10)
        return specimen, outside < 12, rng.random()

    (narrow, all_, next_one), (wide, near, next_too) = draws(12.0), draws(31.0)
    assert all_.all()
    assert len(wide.x_A) > 1.8 * near.sum()
    assert np.array_equal(wide.x_A[near], narrow.x_A)
    assert np.array_equal(wide.label[near], narrow.label)
    assert next_one == next_too
    assert np.mean(wide.label[~near & np.isin(wide.label, ("X2", "V_X"))] == "V_X") == pytest.approx(0.2, abs=0.08)
