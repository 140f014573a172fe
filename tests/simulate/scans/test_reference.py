import sys
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import next_fast_len
from scipy.spatial import cKDTree

from micrographia.errors import ContextError, MissingExtraError, StructureError
from micrographia.simulate import (
    Column,
    Probe,
    Specimen,
    cell,
    from_atoms,
    host,
    monolayer,
    multislice_scan,
    simulate_scan,
    to_atoms,
    with_images,
)
from micrographia.simulate.scans.reference import frozen_phonons_A, multislice_signal

PROBE = Probe(energy_kev=80.0, convergence_mrad=25.0)
DETECTORS = ((50.0, 120.0), (76.0, 200.0))


def columns_in_a_box(*columns, edge_A=16.0):
    count = len(columns)
    return Specimen(
        x_A=edge_A * (np.arange(count) + 0.5) / count,
        y_A=np.full(count, edge_A / 2),
        columns=columns,
        kind=np.arange(count),
        label=np.full(count, ""),
        width_A=edge_A,
        height_A=edge_A,
    )


def on_grid_points(specimen, *, sampling_A):
    step_x, step_y = (
        edge / next_fast_len(int(np.ceil(edge / sampling_A)), real=True)
        for edge in (specimen.width_A, specimen.height_A)
    )
    return replace(specimen, x_A=np.round(specimen.x_A / step_x) * step_x, y_A=np.round(specimen.y_A / step_y) * step_y)


def test_a_cell_comes_back_as_its_atoms():
    atoms = cell(host("WSe2"), (3, 2))
    back = to_atoms(from_atoms(atoms))
    assert back.cell.lengths()[:2] == pytest.approx(atoms.cell.lengths()[:2])
    middle = atoms.positions[:, 2].mean()
    for symbol in ("W", "Se"):
        before, after = atoms.positions[atoms.symbols == symbol], back.positions[back.symbols == symbol]
        distance, partner = cKDTree(after).query(before - [0, 0, middle])
        assert distance.max() < 2e-4
        assert sorted(partner) == list(range(len(after)))


def test_sites_outside_the_field_widen_the_box_on_all_sides():
    specimen = monolayer(host("MoS2"), width_A=20, height_A=14, margin_A=5, rng=np.random.default_rng(0))
    atoms = to_atoms(specimen)
    width, height, _ = atoms.cell.lengths()
    assert width - 20 == pytest.approx(height - 14)
    assert 9 < width - 20 <= 10
    to_edges = np.concatenate([atoms.positions[:, :2], [width, height] - atoms.positions[:, :2]])
    assert to_edges.min() == pytest.approx(0, abs=1e-9)
    assert len(atoms) == sum(len(specimen.columns[k].atoms) for k in specimen.kind)


def test_nothing_to_scan_is_refused():
    with pytest.raises(StructureError, match="no atoms"):
        to_atoms(columns_in_a_box(Column(atoms=())))


def test_without_abtem_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "abtem", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'micrographia\[bench\]'"):
        multislice_scan(
            columns_in_a_box(Column(atoms=(("W", 0.0),))), PROBE, collection_mrad=DETECTORS, pixel_size_nm=0.05
        )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sampling_A": 0.0}, "sampling is 0"),
        ({"sampling_A": 0.2}, "carries scattering to 7[0-9] mrad.*finer than 0.07"),
        ({"configurations": 0}, "configurations is 0"),
        ({"vibration_A": 0.1}, "without a random generator"),
        ({"pixel_size_nm": -1.0}, "pixel size is -1"),
    ],
)
def test_impossible_settings_are_refused(changes, says):
    settings = {"collection_mrad": DETECTORS, "pixel_size_nm": 0.05} | changes
    with pytest.raises(ContextError, match=says):
        multislice_scan(columns_in_a_box(Column(atoms=(("W", 0.0),))), PROBE, **settings)


def stacked(*columns, spacing_A=3.0):
    """Return atoms of columns in a row; each column is its atoms' symbols."""
    placed = [(s, (n * spacing_A, 0.0, float(z))) for n, symbols in enumerate(columns) for z, s in enumerate(symbols)]
    return Atoms([s for s, _ in placed], positions=[position for _, position in placed])


@given(rms_A=st.floats(0.005, 0.2), step_A=st.floats(0.01, 0.06), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_displacements_on_the_grid_have_the_spread_that_was_asked_for(rms_A, step_A, seed):
    # Plain rounding would make them larger: by 3 % at 0.065 Å on 0.06 Å, by far more below a step.
    rng = np.random.default_rng(seed)
    moved = frozen_phonons_A(stacked(["W"]), rms_A, step_A=(step_A, 0.01), configurations=2**14, rng=rng)[:, 0]
    assert np.allclose(moved[:, 0] / step_A, np.round(moved[:, 0] / step_A))
    # Of few that moved at all, only so many are drawn: relative scatter of the variance 1 / sqrt(expected count).
    rare = 4 / np.sqrt(2**14 * min(1.0, (rms_A / step_A) ** 2))
    assert np.mean(moved**2, axis=0) == pytest.approx(rms_A**2, rel=max(rare, 0.02))
    assert abs(moved.mean(axis=0)).max() < 0.03 * rms_A + 1e-9


def test_stratified_phonons_average_to_the_closed_form_with_less_scatter():
    # A column's image exp(-|x - u|^2 / 2 s^2) over Gaussian u: a Gaussian of variance s^2 + u^2, and so its square.
    x_A, s_A, rms_A, count = np.array([0.3, 0.1]), 0.35, 0.07, 16
    rng = np.random.default_rng(3)

    def blurred(variance):
        total = variance + rms_A**2
        return variance / total * np.exp(-(x_A @ x_A) / (2 * total))

    means = []
    for _ in range(300):
        moved = frozen_phonons_A(stacked(["W"]), rms_A, step_A=(1e-4, 1e-4), configurations=count, rng=rng)[:, 0]
        means.append(np.exp(-np.sum((x_A - moved) ** 2, axis=1) / (2 * s_A**2)).mean())
    independent = np.sqrt((blurred(s_A**2 / 2) - blurred(s_A**2) ** 2) / count)
    assert np.std(means) < independent / 4
    assert np.mean(means) == pytest.approx(blurred(s_A**2), abs=4 * np.std(means) / np.sqrt(300))


def test_columns_move_independently_of_each_other_and_so_do_the_atoms_of_one():
    atoms = stacked(*[["Se", "Se"]] * 30)
    count = 64
    moved = frozen_phonons_A(atoms, 0.07, step_A=(1e-3, 1e-3), configurations=count, rng=np.random.default_rng(0))
    together = np.corrcoef(moved.reshape(count, -1).T)
    same = np.kron(np.eye(30, dtype=bool), np.ones((4, 4), dtype=bool))
    # Independent columns correlate by chance, 1 / sqrt(64) rms; within a column the points balance that out.
    assert np.sqrt(np.mean(together[~same] ** 2)) == pytest.approx(1 / 8, rel=0.1)
    within = together[same & ~np.eye(120, dtype=bool)]
    assert np.sqrt(np.mean(within**2)) < 1 / 16


def test_each_element_moves_by_its_own_amount_and_equal_amounts_are_one_number():
    atoms = stacked(["W"], ["Se", "S"])
    drawn = [
        frozen_phonons_A(atoms, v, step_A=(0.01, 0.01), configurations=1024, rng=np.random.default_rng(1))
        for v in ({"W": 0.05, "Se": 0.09, "S": 0.0}, {"W": 0.05, "Se": 0.05, "S": 0.05}, 0.05)
    ]
    assert drawn[0].std(axis=(0, 2)) == pytest.approx([0.05, 0.09, 0.0], rel=0.01)
    assert np.array_equal(drawn[1], drawn[2])


@pytest.mark.parametrize("count", [1, 3, 8])
def test_any_number_of_configurations_is_drawn(count):
    moved = frozen_phonons_A(
        stacked(["W"]), 0.07, step_A=(0.01, 0.01), configurations=count, rng=np.random.default_rng(0)
    )
    assert moved.shape == (count, 1, 2)
    assert np.unique(moved[:, 0, 0]).size == count


@pytest.mark.parametrize(
    ("vibration", "configurations", "error", "says"),
    [
        ({"Se": 0.07}, 8, StructureError, "'W' is not given"),
        (-0.1, 8, ContextError, "vibration is -0.1"),
        ({"W": np.nan}, 8, ContextError, "vibration is nan"),
        (0.07, 0, ContextError, "configurations is 0"),
    ],
)
def test_impossible_vibrations_are_refused(vibration, configurations, error, says):
    with pytest.raises(error, match=says):
        frozen_phonons_A(
            stacked(["W"]),
            vibration,
            step_A=(0.04, 0.04),
            configurations=configurations,
            rng=np.random.default_rng(0),
        )


def test_only_the_elements_at_hand_decide_whether_atoms_vibrate():
    tungsten, at = columns_in_a_box(Column(atoms=(("W", 0.0),)), edge_A=8.0), np.array([4.0])
    settings = {"collection_mrad": ((60.0, 120.0),), "sampling_A": 0.1}
    static = multislice_signal(tungsten, PROBE, at, at, **settings)
    assert np.array_equal(static, multislice_signal(tungsten, PROBE, at, at, vibration_A={"W": 0.0}, **settings))
    with pytest.raises(ContextError, match="without a random generator"):
        multislice_signal(tungsten, PROBE, at, at, vibration_A={"W": 0.07}, **settings)
    rng = np.random.default_rng(0)
    moving = multislice_signal(tungsten, PROBE, at, at, vibration_A={"W": 0.3}, configurations=4, rng=rng, **settings)
    assert moving[0, 0] < 0.9 * static[0, 0]


@pytest.mark.slow
def test_a_defective_cell_looks_the_same_by_kernels_and_by_multislice():
    # abTEM's aperture has a soft edge, which brightens the probe by 1 / (3 R) for a radius of R reciprocal pixels:
    # 4.4 % in this small box. It is a matter of gain only, which the test takes out.
    pristine = on_grid_points(from_atoms(cell(host("WSe2"), (4, 2))), sampling_A=0.04)
    kind = pristine.kind.copy()
    pairs = np.flatnonzero([len(pristine.columns[k].atoms) == 2 for k in kind])
    kind[pairs[3]] = 2
    kind[np.flatnonzero(pristine.kind != kind[pairs[0]])[5]] = 3
    columns = (*pristine.columns, Column(atoms=(("Se", 1.66),)), Column(atoms=(("Ti", 0.0),)))
    specimen = replace(pristine, kind=kind, columns=columns)
    settings = {"collection_mrad": DETECTORS, "pixel_size_nm": 0.0332, "source_sigma_nm": 0.02, "vibration_A": 0.0}
    theirs = multislice_scan(specimen, PROBE, sampling_A=0.04, **settings)
    ours = simulate_scan(with_images(specimen), PROBE, **settings)
    assert ours.frames.shape == theirs.frames.shape
    assert theirs.provenance.reader.startswith("abtem ")
    for mine, reference in zip(ours.frames, theirs.frames, strict=True):
        gain = float(np.sum(mine * reference) / np.sum(mine**2))
        assert 1.0 < gain < 1.05
        rms = np.sqrt(np.mean((gain * mine - reference) ** 2))
        # The rest: in a box this small the probe interferes with its periodic images, which superposing cannot know.
        assert rms < 0.01 * np.ptp(reference)


@pytest.mark.slow
def test_focus_and_order_along_the_beam_mean_the_same_in_both_engines():
    # Se above and below the focus, 60 Å apart: exchanging them, or the sign of the defocus, changes the peak.
    probe = replace(PROBE, defocus_A=40.0)
    columns = (Column(atoms=(("S", -30.0), ("Se", 30.0))), Column(atoms=(("Se", -30.0), ("S", 30.0))))
    peaks = []
    for column in columns:
        box = columns_in_a_box(column)
        mine = simulate_scan(box, probe, collection_mrad=(DETECTORS[1],), pixel_size_nm=0.8, vibration_A=0.0).frames[
            0, 1, 1
        ]
        theirs = multislice_signal(
            box, probe, np.array([8.0]), np.array([8.0]), collection_mrad=(DETECTORS[1],), sampling_A=0.04
        )[0, 0]
        peaks.append((mine, theirs))
    (mine, theirs), (mine_turned, theirs_turned) = peaks
    assert mine / mine_turned == pytest.approx(theirs / theirs_turned, rel=0.03)
    assert abs(mine / mine_turned - 1) > 0.1


@pytest.mark.slow
def test_frozen_phonons_lower_a_column_as_the_kernels_say():
    tungsten = columns_in_a_box(Column(atoms=(("W", 0.0),)), edge_A=12.0)
    at = np.array([6.0])
    settings = {"collection_mrad": (DETECTORS[1],), "sampling_A": 0.03}
    still = multislice_signal(tungsten, PROBE, at, at, **settings)[0, 0]
    moving = multislice_signal(
        tungsten, PROBE, at, at, vibration_A=0.1, configurations=80, rng=np.random.default_rng(0), **settings
    )[0, 0]
    ours = [
        simulate_scan(tungsten, PROBE, collection_mrad=(DETECTORS[1],), pixel_size_nm=0.6, vibration_A=v).frames[
            0, 1, 1
        ]
        for v in (0.0, 0.1)
    ]
    # 80 configurations leave about 1 %.
    assert moving / still == pytest.approx(ours[1] / ours[0], abs=0.03)
    assert moving < 0.97 * still
