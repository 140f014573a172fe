import json
from collections import Counter
from importlib import resources

import jsonschema
import pytest
import yaml
from ase.data import atomic_numbers

from micrographia.errors import ContextError, ReadError, StructureError
from micrographia.findings import SUBLATTICE
from micrographia.simulate.specimens.catalogue import Catalogue, Compound, Condition, columns, labels, read_catalogue
from micrographia.simulate.specimens.hosts import CHALCOGENS, host

PACKAGE = resources.files("micrographia.simulate.specimens")
SCHEMA = json.loads(PACKAGE.joinpath("catalogue.schema.json").read_text(encoding="utf-8"))
NO_STABLE_ISOTOPE = {"Tc", "Pm"} | {s for s, z in atomic_numbers.items() if z > 83}


def small(**changes):
    return {
        "schema": "micrographia/catalogue/1",
        "name": "two",
        "compounds": [{"host": "MoS2", "dopant": "Nb"}, {"host": "WSe2", "dopant": "S", "note": "easy"}],
        "conditions": [
            {"name": "80 keV HAADF", "energy_kev": 80, "convergence_mrad": 30.0, "collection_mrad": [70, 200]},
            {"name": "80 keV MAADF", "energy_kev": 80, "convergence_mrad": 30.0, "collection_mrad": [50, 120]},
        ],
    } | changes


def condition(**changes):
    return small()["conditions"][0] | changes


def test_the_packaged_catalogue_is_8_hosts_by_12_dopants_by_6_conditions():
    catalogue = read_catalogue()
    by_host = Counter(c.host for c in catalogue.compounds)
    assert set(by_host.values()) == {12}
    assert len(by_host) == 8
    on_chalcogen = Counter(c.host for c in catalogue.compounds if c.dopant in CHALCOGENS)
    assert set(on_chalcogen.values()) == {2}
    assert len(catalogue.cases) == 576
    assert len({case.name for case in catalogue.cases}) == 576
    assert [(c.energy_kev, c.convergence_mrad) for c in catalogue.conditions[::2]] == [(60, 32), (80, 30), (200, 25)]
    assert {c.collection_mrad for c in catalogue.conditions} == {(50.0, 120.0), (70.0, 200.0)}


def test_all_eight_roles_occur():
    occur = {label for compound in read_catalogue().compounds for label in labels(compound)}
    assert occur == set(SUBLATTICE)
    assert len(occur) == 8


def test_every_host_has_a_neighbour_of_its_metal_and_no_radioactive_dopant():
    near = {host(c.host).metal: set() for c in read_catalogue().compounds}
    for c in read_catalogue().compounds:
        assert c.dopant not in NO_STABLE_ISOTOPE
        near[host(c.host).metal].add(abs(atomic_numbers[c.dopant] - atomic_numbers[host(c.host).metal]))
    assert {metal: min(apart) for metal, apart in near.items()} == {"Mo": 1, "W": 1, "Nb": 1, "Ta": 1}


def test_the_packaged_catalogue_keeps_its_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    content = json.loads(PACKAGE.joinpath("catalogue.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, SCHEMA)


def test_labels_and_columns_of_a_chalcogen_dopant():
    compound = Compound(host="WSe2", dopant="S")
    assert labels(compound) == ("M", "V_M", "X2", "V_X", "V_X2", "D_X", "M_X2")
    assert [s for s, _ in columns(compound)["D_X"].atoms] == ["S", "Se"]
    assert columns(compound)["V_X2"].atoms == ()


def test_cases_go_by_compound():
    kinds = small()
    names = [f"{c['host']}:{c['dopant']}, {k['name']}" for c in kinds["compounds"] for k in kinds["conditions"]]
    catalogue = Catalogue(
        name="two",
        compounds=tuple(Compound(**c) for c in kinds["compounds"]),
        conditions=tuple(
            Condition(**k | {"collection_mrad": tuple(k["collection_mrad"])}) for k in kinds["conditions"]
        ),
    )
    assert [case.name for case in catalogue.cases] == names


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml"])
def test_a_users_file_may_be_json_or_yaml(tmp_path, suffix):
    path = tmp_path / f"own{suffix}"
    path.write_text(json.dumps(small()) if suffix == ".json" else yaml.safe_dump(small()))
    catalogue = read_catalogue(path)
    assert [c.name for c in catalogue.compounds] == ["MoS2:Nb", "WSe2:S"]
    assert catalogue.compounds[1].note == "easy"
    assert catalogue.conditions[0].probe.energy_kev == 80
    assert catalogue.conditions[0].collection_mrad == (70.0, 200.0)
    jsonschema.validate(small(), SCHEMA)


def twice(key):
    return small(**{key: small()[key] + small()[key][:1]})


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (small(compounds=[{"host": "MoS2", "dopant": "Qq"}]), StructureError, r"compound 1 \(MoS2:Qq\).*'Qq' is not a"),
        (small(compounds=[{"host": "MoX2", "dopant": "Nb"}]), StructureError, r"\(MoX2:Nb\): host 'MoX2' is not a"),
        (small(compounds=[{"host": "MoS2", "dopant": "Mo"}]), StructureError, r"\(MoS2:Mo\).*already an element"),
        (small(compounds=[{"host": "MoS2", "dopant": "S"}]), StructureError, r"\(MoS2:S\).*already an element"),
        (twice("compounds"), StructureError, "compound MoS2:Nb is in the catalogue twice"),
        (twice("conditions"), ContextError, "condition '80 keV HAADF' is in the catalogue twice"),
        (small(conditions=[condition(), condition(name="b")]), ContextError, "'b' are the same|'80 keV HAADF' and 'b'"),
        (
            small(conditions=[condition(collection_mrad=[200, 70])]),
            ContextError,
            r"condition 1 \(80 keV HAADF\).*inner <",
        ),
        (small(conditions=[condition(collection_mrad=[70, 70])]), ContextError, "70 to 70 mrad"),
        (small(conditions=[condition(collection_mrad=[70, 261])]), ContextError, "outer <= 260"),
        (small(conditions=[condition(collection_mrad=[30, 200])]), ContextError, "a bright field"),
        (small(conditions=[condition(collection_mrad=[0, 25])]), ContextError, "a bright field"),
        (small(conditions=[condition(convergence_mrad=0)]), ContextError, "convergence angle is 0 mrad"),
        (small(conditions=[condition(convergence_mrad=float("nan"))]), ContextError, "convergence angle is nan"),
        (small(conditions=[condition(energy_kev=29)]), ContextError, "29 keV; accepted is 30 to 300 keV"),
        (small(conditions=[condition(energy_kev=float("nan"))]), ContextError, "nan keV"),
        (small(conditions=[condition(name="")]), ContextError, "has no name"),
        (
            small(conditions=[condition(energy_kev="80")]),
            ReadError,
            r"condition 1 .*energy_kev is '80'; accepted is a n",
        ),
        (small(conditions=[condition(energy_kev=True)]), ReadError, "energy_kev is True"),
        (
            small(conditions=[condition(collection_mrad=[70])]),
            ReadError,
            r"1 values; accepted is two, \[INNER, OUTER\]",
        ),
        (small(conditions=[condition(collection_mrad=70)]), ReadError, "collection_mrad is 70; accepted is a list"),
        (small(conditions=[condition(name=80)]), ReadError, "name is 80; accepted is a text"),
        (small(conditions=[{"name": "a"}]), ReadError, "condition 1 lacks 'energy_kev'"),
        (small(conditions=[condition(dose=1)]), ReadError, "condition 1 has 'dose'"),
        (small(conditions=[]), ContextError, "has no conditions"),
        (small(compounds=[]), StructureError, "has no compounds"),
        (small(compounds=["MoS2:Nb"]), ReadError, "compound 1 is 'MoS2:Nb'; accepted is a mapping"),
        (small(compounds=[{"host": "MoS2", "dopant": 41}]), ReadError, "compound 1: dopant is 41; accepted is a text"),
        (small(compounds={"host": "MoS2"}), ReadError, "compounds is .*; accepted is a list"),
        (small(schema="micrographia/catalogue/2"), ReadError, "of schema 'micrographia/catalogue/2'; accepted is"),
        ({"compounds": []}, ReadError, "lacks 'schema'"),
        ([1, 2], ReadError, r"is \[1, 2\]; accepted is a mapping"),
    ],
)
def test_errors_name_the_entry(tmp_path, content, error, says):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(content))
    with pytest.raises(error, match=says) as told:
        read_catalogue(path)
    assert "own.json" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("own.json", b"{", "own.json is not JSON"),
        ("own.json", b"[" * 100_000, "own.json is not JSON"),
        ("own.json", b"", "own.json is not JSON"),
        ("own.json", b"\xff\xfe{}", "cannot read .*own.json"),
        ("own.yaml", b"a: [", "own.yaml is not YAML"),
        ("own.yaml", b"", "own.yaml is None; accepted is a mapping"),
        ("own.csv", b"", "accepted is .json, .yaml or .yml"),
    ],
)
def test_files_that_are_no_catalogue(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError, match=says) as told:
        read_catalogue(tmp_path / name)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ReadError, match="there is no file"):
        read_catalogue(tmp_path / "none.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ReadError, match="cannot read"):
        read_catalogue(tmp_path / "folder.json")
