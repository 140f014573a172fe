import numpy as np
import pytest

from micrographia.errors import ContextError, StructureError
from micrographia.simulate.columns import kernels
from micrographia.simulate.columns.column import Column, Probe, RingKernel
from micrographia.simulate.columns.kernels import cached_rings, detector_table, empty_beam, ring_weights

PROBE = Probe(energy_kev=80.0, convergence_mrad=20.0)
SULPHUR = Column(atoms=(("S", 0.0),))


def test_adjacent_detectors_share_every_ring_without_overlap():
    parts = [ring_weights(a) for a in ((0.0, 33.3), (33.3, 76.0), (76.0, 201.25), (201.25, 260.0))]
    assert np.sum(parts, axis=0) == pytest.approx(np.ones(260))
    assert ring_weights((33.3, 33.7))[33] == pytest.approx(0.4)


@pytest.mark.parametrize("angles", [(76.0, 76.0), (200.0, 76.0), (-1.0, 10.0), (50.0, 261.0), (float("nan"), 100.0)])
def test_angles_that_no_ring_covers_are_refused(angles):
    with pytest.raises(ContextError, match="0 <= inner < outer <= 260"):
        ring_weights(angles)


def test_the_table_of_two_adjacent_detectors_is_the_sum_of_theirs():
    kernel = cached_rings(SULPHUR, PROBE, vibration_A=0.075)
    whole, inner, outer = (
        detector_table(kernel, angles, source_sigma_A=0.3) for angles in ((50.0, 200.0), (50.0, 90.5), (90.5, 200.0))
    )
    assert inner + outer == pytest.approx(whole, abs=1e-12)


def test_the_table_starts_at_the_kernel_and_ends_at_zero():
    kernel = cached_rings(SULPHUR, PROBE, vibration_A=0.0)
    table = detector_table(kernel, (50.0, 200.0), source_sigma_A=0.0)
    assert table[0] == pytest.approx(kernel.rings[0, 50:200].sum())
    assert table.size == 1200
    assert abs(table[-1]) < 1e-6 * table[0]


def test_a_column_is_computed_once(tmp_path, monkeypatch):
    first = cached_rings(SULPHUR, PROBE, vibration_A=0.05, folder=tmp_path)
    monkeypatch.setattr(kernels, "column_rings", lambda *a, **k: pytest.fail("computed again"))
    again = cached_rings(SULPHUR, PROBE, vibration_A=0.05, folder=tmp_path)
    assert np.array_equal(first.radius_A, again.radius_A)
    assert np.array_equal(first.rings, again.rings)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"column": Column(atoms=(("S", 0.1),))},
        {"probe": Probe(energy_kev=80.0, convergence_mrad=20.0, defocus_A=1.0)},
        {"vibration_A": 0.06},
        {"vibration_A": {"S": 0.06}},
    ],
    ids=str,
)
def test_whatever_changes_the_kernel_changes_its_place(tmp_path, monkeypatch, change):
    made = []
    result = RingKernel(radius_A=np.zeros(2), rings=np.zeros((2, 3)))
    monkeypatch.setattr(kernels, "column_rings", lambda *a, **k: made.append(a) or result)
    base = {"column": SULPHUR, "probe": PROBE, "vibration_A": 0.05}
    for settings in (base, base | change, base):
        cached_rings(settings["column"], settings["probe"], vibration_A=settings["vibration_A"], folder=tmp_path)
    assert len(made) == 2


def test_only_the_columns_own_elements_count(tmp_path, monkeypatch):
    made = []
    result = RingKernel(radius_A=np.zeros(2), rings=np.zeros((2, 3)))
    monkeypatch.setattr(kernels, "column_rings", lambda *a, **k: made.append(a) or result)
    for vibration_A in (0.05, {"S": 0.05}, {"S": 0.05, "Se": 0.07}, {"Se": 0.0, "S": 0.05}):
        cached_rings(SULPHUR, PROBE, vibration_A=vibration_A, folder=tmp_path)
    assert len(made) == 1
    with pytest.raises(StructureError, match="'S' is not given"):
        cached_rings(SULPHUR, PROBE, vibration_A={"Se": 0.05}, folder=tmp_path)


@pytest.mark.parametrize("damage", [b"", b"not a zip", None])
def test_a_damaged_file_is_computed_again(tmp_path, monkeypatch, damage):
    right = RingKernel(radius_A=np.arange(3.0), rings=np.ones((3, 4)))
    monkeypatch.setattr(kernels, "column_rings", lambda *a, **k: right)
    cached_rings(SULPHUR, PROBE, vibration_A=0.05, folder=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-40] if damage is None else damage)
    assert np.array_equal(cached_rings(SULPHUR, PROBE, vibration_A=0.05, folder=tmp_path).rings, right.rings)
    with np.load(file) as stored:
        assert np.array_equal(stored["rings"], right.rings)


def test_a_cache_that_cannot_be_written_does_not_stop_the_work(tmp_path, monkeypatch):
    right = RingKernel(radius_A=np.arange(3.0), rings=np.ones((3, 4)))
    monkeypatch.setattr(kernels, "column_rings", lambda *a, **k: right)
    (tmp_path / "file").write_text("in the way")
    assert cached_rings(SULPHUR, PROBE, vibration_A=0.05, folder=tmp_path / "file" / "kernels") is right


def test_the_direct_beam_falls_on_bright_field_only():
    assert empty_beam(PROBE, (20.0, 200.0)) == 0
    assert empty_beam(PROBE, (0.0, 200.0)) == 1
    assert empty_beam(PROBE, (10.0, 15.0)) == pytest.approx((15**2 - 10**2) / 20**2)
