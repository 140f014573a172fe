import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from scipy.special import j0

from micrographia.errors import ContextError, InputError, OutputError, ReadError
from micrographia.report.records import read_schema, schema_of
from micrographia.simulate.columns.column import Probe, column_rings
from micrographia.simulate.columns.kernels import cached_rings, detector_table
from micrographia.simulate.columns.vibration import VIBRATION_A, displacements_A
from micrographia.simulate.patches import library as library_module
from micrographia.simulate.patches.library import (
    KernelLibrary,
    LibraryRecord,
    build_library,
    needed,
    read_library,
    role_spectra,
    role_tables,
)
from micrographia.simulate.patches.prior import Imaging, ImagingPrior
from micrographia.simulate.patches.spectra import BEYOND_MRAD, NODE, NODES, band_limit_per_A, spectrum
from micrographia.simulate.specimens.catalogue import Catalogue, Compound, columns, labels
from micrographia.simulate.specimens.hosts import PRISTINE, ROLES

PRIOR = ImagingPrior()


@pytest.fixture(scope="session")
def one(small):
    """One compound, one condition."""
    return Catalogue(name="one", compounds=small.compounds[:1], conditions=small.conditions[:1])


@pytest.fixture(scope="session")
def one_folder(one, tmp_path_factory):
    return build_library(one, tmp_path_factory.mktemp("one") / "library", workers=1)


@pytest.fixture
def broken(one_folder, tmp_path):
    """A copy of a finished library, to be spoilt."""
    folder = tmp_path / "broken"
    folder.mkdir()
    for name in ("library.json", "spectra.npy"):
        (folder / name).write_bytes((one_folder / name).read_bytes())
    return folder


def kernel_along(radius_A, spectra, limit):
    """The kernel whose spectrum is given at the nodes."""
    weight = np.polynomial.legendre.leggauss(NODES)[1] / 2
    return spectra @ (2 * np.pi * j0(2 * np.pi * limit * radius_A[:, None] * NODE) * NODE * weight * limit**2).T


def gridded(value, catalogue):
    """A library without a single real kernel: every spectrum is ``value(log energy, log convergence)`` at all nodes."""
    record = needed(catalogue, PRIOR)
    probes = record.probes
    known = tuple(dict.fromkeys(c for d in catalogue.compounds for c in columns(d).values() if c.atoms))
    each = [value(np.log(p.energy_kev), np.log(p.convergence_mrad)) for p in probes]
    shape = (len(probes), len(known), BEYOND_MRAD.size, NODES)
    # What lies beyond an angle falls with the angle, so that detectors see something.
    falling = np.exp(-BEYOND_MRAD / 60)[:, None]
    spectra = np.broadcast_to(np.array(each)[:, None, None, None] * falling, shape).astype(np.float32)
    return KernelLibrary(columns=known, probes=probes, grid=record.grid, spectra=spectra)


def test_a_library_holds_each_column_once_and_each_probe_once(small, library):
    # Mo, Nb, S over S, S, and W, Se over Se, Se, S over Se: a metal in a chalcogen's place is a metal again, and
    # a vacancy of a whole column is nothing. Two conditions, one probe.
    expected = {c for compound in small.compounds for c in columns(compound).values() if c.atoms}
    assert set(library.columns) == expected
    assert len(library.columns) == len(expected) == 8
    assert library.probes == (Probe(energy_kev=80.0, convergence_mrad=30.0),)
    assert library.grid is None
    assert library.spectra.shape == (1, 8, BEYOND_MRAD.size, NODES)
    assert library.spectra.dtype == np.float32


def test_its_kernels_are_those_of_the_columns(library):
    column = library.columns[3]
    direct = spectrum(column_rings(column, library.probes[0], vibration_A=VIBRATION_A), library.probes[0])
    assert np.array_equal(library.spectra[0, 3], direct)


def test_its_recipe_says_what_it_was_made_of(small, library_folder):
    content = json.loads((library_folder / "library.json").read_text(encoding="utf-8"))
    assert content == json.loads(needed(small, None).model_dump_json())
    schema = read_schema("kernel-library-1.json")
    # to publish a change: json.dump(schema_of(LibraryRecord, "micrographia/kernel-library/1"), handle, indent=2)
    assert schema == schema_of(LibraryRecord, "micrographia/kernel-library/1")
    jsonschema.validate(content, schema)
    moved = dict(zip((tuple(s for s, _ in atoms) for atoms in content["columns"]), content["vibration_A"], strict=True))
    assert moved["Se", "Se"] == list(displacements_A(("Se", "Se"), VIBRATION_A))
    assert sorted(p.name for p in library_folder.iterdir()) == ["library.json", "spectra.npy"]


def test_an_interrupted_build_goes_on_and_gives_the_same(small, library_folder, tmp_path):
    told = []

    def interrupted(done, total):
        told.append((done, total))
        if 0 < done < total:
            raise KeyboardInterrupt

    folder = tmp_path / "library"
    with pytest.raises(KeyboardInterrupt):
        build_library(small, folder, workers=1, progress=interrupted)
    assert told == [(0, 8), (4, 8)]
    with pytest.raises(ReadError, match="micrographia simulate catalogue --out"):
        read_library(folder)
    # A part that was being written when the power went, and one that is gone.
    (folder / "parts" / "tmp123.partial").write_bytes(b"half")
    next((folder / "parts").glob("*.npy")).unlink()
    told.clear()
    assert build_library(small, folder, workers=1, progress=lambda done, total: told.append((done, total))) == folder
    assert told[0] == (3, 8)
    assert told[-1] == (8, 8)
    for name in ("library.json", "spectra.npy"):
        assert (folder / name).read_bytes() == (library_folder / name).read_bytes()
    assert not (folder / "parts").exists()


def test_a_finished_library_is_left_alone(one, one_folder):
    before = {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in one_folder.iterdir()}
    told = []
    assert build_library(one, one_folder, workers=1, progress=lambda *n: told.append(n)) == one_folder
    assert told == []
    assert {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in one_folder.iterdir()} == before


def test_by_default_a_library_has_a_folder_of_its_own_in_the_cache(one, one_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRAPHIA_CACHE", str(tmp_path))
    monkeypatch.setattr(library_module, "column_rings", lambda column, probe, vibration_A: None)
    monkeypatch.setattr(library_module, "spectrum", lambda *_: np.zeros((BEYOND_MRAD.size, NODES), dtype=np.float32))
    folder = build_library(one, workers=1)
    assert folder.parent == tmp_path / "libraries"
    other = Catalogue(name="other", compounds=(Compound(host="WS2", dopant="V"),), conditions=one.conditions)
    assert build_library(other, workers=1).parent == folder.parent
    assert build_library(other, workers=1) != folder
    # Names, and conditions that share a probe, do not matter.
    assert build_library(replace(one, name="by another name"), workers=1) == folder


def test_another_catalogue_needs_another_folder(small, one, one_folder):
    with pytest.raises(OutputError, match="holds the library of another catalogue"):
        build_library(small, one_folder, workers=1)
    with pytest.raises(OutputError, match="holds the library of another catalogue"):
        build_library(one, one_folder, prior=PRIOR, workers=1)
    assert read_library(one_folder).probes == (one.conditions[0].probe,)


def test_a_folder_of_other_things_is_not_touched(one, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    for place in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(OutputError, match="not a kernel library; give another folder"):
            build_library(one, place, workers=1)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_told(one, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write the kernel library"):
        build_library(one, tmp_path / "file" / "library", workers=1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("library.json", b"{", "is damaged"),
        ("library.json", b"[]", "is damaged"),
        ("library.json", b'{"schema": "micrographia/kernel-library/0"}', "is damaged"),
        ("spectra.npy", b"", "is damaged"),
        ("spectra.npy", b"not an array", "is damaged"),
        ("spectra.npy", None, "is not a finished kernel library"),
        ("library.json", None, "is not a finished kernel library"),
    ],
)
def test_a_damaged_library_is_told(broken, name, content, message):
    if content is None:
        (broken / name).unlink()
    else:
        (broken / name).write_bytes(content)
    with pytest.raises(ReadError, match=message):
        read_library(broken)


def test_a_library_of_another_version_is_told(broken):
    content = json.loads((broken / "library.json").read_text(encoding="utf-8"))
    (broken / "library.json").write_text(json.dumps({**content, "algorithm": "spectra-0"}), encoding="utf-8")
    with pytest.raises(ReadError, match="another version"):
        read_library(broken)


def test_a_library_that_was_cut_short_is_told(broken):
    whole = (broken / "spectra.npy").read_bytes()
    (broken / "spectra.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match="is damaged"):
        read_library(broken)
    np.save(broken / "spectra.npy", np.zeros((1, 2, 3, 4), dtype=np.float32))
    with pytest.raises(ReadError, match=r"shape \(1, 2, 3, 4\)"):
        read_library(broken)


def test_a_compound_that_it_lacks_is_told(library, imaging):
    with pytest.raises(InputError, match="has no column D_M of WS2:V; make one for its catalogue") as told:
        role_spectra(library, Compound(host="WS2", dopant="V"), imaging)
    assert not isinstance(told.value, ContextError)


def test_a_probe_that_it_lacks_is_told(library, small, imaging):
    other = replace(imaging, probe=Probe(energy_kev=60.0, convergence_mrad=30.0))
    with pytest.raises(InputError, match=r"no probe of 60 keV and 30 mrad, and no grid; .*--prior --out LIB"):
        role_spectra(library, small.compounds[0], other)


@pytest.mark.parametrize("name", ["MoS2:Nb", "WSe2:S"])
def test_spectra_give_the_kernels_that_the_rings_give(library, compound, imaging, name):
    # Another way to the same: rings summed and blurred along the radius. 0.05 % of the peak.
    found = role_spectra(library, compound(name), imaging)
    radius = np.arange(0, 7, 0.05)
    limit = band_limit_per_A(80.0, 30.0)
    wanted = columns(compound(name))
    for role, label in enumerate(ROLES):
        column = wanted.get(label, wanted[PRISTINE[role]])
        rings = cached_rings(column, imaging.probe, vibration_A=VIBRATION_A)
        for channel, angles in enumerate(imaging.collection_mrad):
            table = detector_table(rings, angles, source_sigma_A=imaging.source_sigma_A)
            peak = max(table[0], 1e-4)
            assert kernel_along(radius, found[channel, role], limit) == pytest.approx(
                table[np.round(radius / 0.01).astype(int)], abs=5e-4 * peak
            ), label


def test_the_source_is_a_factor(library, compound, imaging):
    made = role_spectra(library, compound("WSe2:S"), replace(imaging, source_sigma_A=0.0))
    limit = band_limit_per_A(80.0, 30.0)
    blurred = role_spectra(library, compound("WSe2:S"), replace(imaging, source_sigma_A=0.5))
    assert blurred == pytest.approx(made * np.exp(-2 * (np.pi * 0.5 * limit * NODE) ** 2))


@pytest.mark.parametrize("aberration", [{"defocus_A": 23.2}, {"defocus_A": -23.2}, {"cs_mm": 0.00516}])
def test_aberrations_change_kernels_as_in_a_multislice(library, compound, imaging, aberration):
    # A quarter of a wave at the aperture's edge, as the prior goes: pi defocus alpha^2 / lambda = pi / 2. Against the
    # multislice with these very aberrations: 3 % of the peak, of which they take more than a tenth.
    unsharp = replace(imaging, probe=replace(imaging.probe, **aberration))
    spectra = role_spectra(library, compound("WSe2:S"), unsharp)
    limit, radius = band_limit_per_A(80.0, 30.0), np.arange(0, 7, 0.05)
    for label in ("M", "X2", "D_X"):
        column = columns(compound("WSe2:S"))[label]
        direct, sharp = (column_rings(column, p, vibration_A=VIBRATION_A) for p in (unsharp.probe, imaging.probe))
        for channel, angles in enumerate(imaging.collection_mrad):
            truth, before = (detector_table(k, angles, source_sigma_A=imaging.source_sigma_A) for k in (direct, sharp))
            assert truth[0] < 0.9 * before[0]
            found = kernel_along(radius, spectra[channel, ROLES.index(label)], limit)
            assert found == pytest.approx(truth[np.round(radius / 0.01).astype(int)], abs=0.03 * truth[0])


def test_vacant_columns_are_dark_and_roles_that_do_not_occur_are_pristine(library, compound, imaging):
    for name in ("MoS2:Nb", "WSe2:S"):
        found = role_spectra(library, compound(name), imaging)
        for role, label in enumerate(ROLES):
            if label in ("V_M", "V_X2"):
                assert not found[:, role].any()
            elif label not in labels(compound(name)):
                assert np.array_equal(found[:, role], found[:, ROLES.index(PRISTINE[role])])
            elif label != PRISTINE[role]:
                assert np.abs(found[:, role] - found[:, ROLES.index(PRISTINE[role])]).max() > 0


def test_tables_are_those_of_the_spectra(library, compound, imaging):
    made = role_tables(library, compound("MoS2:Nb"), imaging)
    found = role_spectra(library, compound("MoS2:Nb"), imaging)
    weight = np.polynomial.legendre.leggauss(NODES)[1] / 2
    peaks = found @ (2 * np.pi * NODE * weight) * band_limit_per_A(80.0, 30.0) ** 2
    assert made.column[:, :, 0, 0] == pytest.approx(peaks, rel=1e-5, abs=1e-7)
    assert made.role_share[0].tolist() == pytest.approx([0, 1 / 2, 1, 1, 1, 1, 1, 1])


def test_between_the_nodes_of_the_grid_polynomials_are_exact(one):
    # Seven energies and five angles carry the sixth and the fourth power of their logarithms.
    def value(energy, convergence):
        x, y = energy - 4.5, convergence - 3.2
        return 2 + x - 0.3 * x**6 + 0.2 * x**3 * y**4 - y**2

    made = gridded(value, one)
    for energy, convergence in ((30.0, 15.0), (300.0, 40.0), (45.3, 38.0), (81.0, 30.0), (200.0, 22.2)):
        imaging = Imaging(
            probe=Probe(energy_kev=energy, convergence_mrad=convergence),
            collection_mrad=((convergence + 20, convergence + 220),),
            source_sigma_A=0.0,
        )
        found = role_spectra(made, one.compounds[0], imaging)[0, 0]
        detector = np.exp(-20 / 60) - np.exp(-220 / 60)
        from_energy = library_module.interaction_rad_per_V_A(energy) ** 2
        assert found / detector / from_energy == pytest.approx(value(np.log(energy), np.log(convergence)), rel=2e-5)


def test_the_catalogues_own_probe_is_not_interpolated(one):
    made = gridded(lambda energy, convergence: 1.0, one)
    spectra = made.spectra.copy()
    spectra[0] = 7.0 * spectra[0]
    marked = replace(made, spectra=spectra)
    imaging = Imaging(probe=one.conditions[0].probe, collection_mrad=((50.0, 120.0),), source_sigma_A=0.0)
    plain = role_spectra(made, one.compounds[0], imaging)
    assert role_spectra(marked, one.compounds[0], imaging) == pytest.approx(7 * plain)
    beside = replace(imaging, probe=Probe(energy_kev=80.001, convergence_mrad=30.0))
    assert role_spectra(marked, one.compounds[0], beside) == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize(
    ("energy", "convergence", "message"),
    [
        (29.9, 30.0, "beam energy is 29.9; the kernel library covers 30 to 300"),
        (301.0, 30.0, "beam energy is 301; the kernel library covers 30 to 300"),
        (80.0, 14.9, "convergence angle is 14.9; the kernel library covers 15 to 40"),
        (80.0, 40.1, "convergence angle is 40.1; the kernel library covers 15 to 40"),
    ],
)
def test_outside_the_grid_nothing_is_guessed(one, energy, convergence, message):
    imaging = Imaging(
        probe=Probe(energy_kev=energy, convergence_mrad=convergence),
        collection_mrad=((60.0, 120.0),),
        source_sigma_A=0.0,
    )
    with pytest.raises(ContextError, match=message):
        role_spectra(gridded(lambda energy, convergence: 1.0, one), one.compounds[0], imaging)


@pytest.mark.slow
def test_an_interpolated_kernel_is_the_direct_one(one, tmp_path, monkeypatch):
    # Two columns over the whole prior, 0.2 % of the peak; detectors from near the beam to far out.
    pristine = {label: column for label, column in columns(one.compounds[0]).items() if label in ("M", "X2")}
    monkeypatch.setattr(library_module, "columns", lambda _: pristine)
    made = read_library(build_library(one, tmp_path / "library", prior=PRIOR, workers=1))
    radius = np.arange(0, 7, 0.1)
    for energy, convergence in ((33.0, 38.5), (68.0, 17.0), (121.0, 29.0), (280.0, 21.0)):
        probe = Probe(energy_kev=energy, convergence_mrad=convergence)
        angles = tuple((convergence + inner, convergence + outer) for inner, outer in ((3, 60), (20, 90), (80, 200)))
        imaging = Imaging(probe=probe, collection_mrad=angles, source_sigma_A=0.15)
        found = role_spectra(made, one.compounds[0], imaging)
        for role, label in ((0, "M"), (3, "X2")):
            rings = column_rings(pristine[label], probe, vibration_A=VIBRATION_A)
            for channel, detector in enumerate(angles):
                table = detector_table(rings, detector, source_sigma_A=0.15)
                here = kernel_along(radius, found[channel, role], band_limit_per_A(energy, convergence))
                there = table[np.round(radius / 0.01).astype(int)]
                assert here == pytest.approx(there, abs=2e-3 * table[0]), (energy, convergence, label, detector)


@pytest.mark.slow
@pytest.mark.enable_socket
def test_two_workers_make_the_same_library(one, one_folder, tmp_path):
    told = []
    folder = build_library(one, tmp_path / "library", workers=2, progress=lambda *n: told.append(n))
    for name in ("library.json", "spectra.npy"):
        assert (folder / name).read_bytes() == (one_folder / name).read_bytes()
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]
