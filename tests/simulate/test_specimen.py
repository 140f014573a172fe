import numpy as np
import pytest
from ase import Atoms
from ase.build import mx2
from scipy.spatial import cKDTree

from micrographia.errors import StructureError
from micrographia.simulate import cell, from_atoms, host, hypotheses, monolayer, with_images
from micrographia.simulate.hosts import _LATTICE_A

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
