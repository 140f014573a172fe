from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from micrographia.errors import ContextError
from micrographia.simulate import Column, Probe, Specimen, cell, from_atoms, host, simulate_scan, with_images
from micrographia.simulate.columns.vibration import VIBRATION_A
from micrographia.simulate.scans.scan import with_dose

PROBE = Probe(energy_kev=80.0, convergence_mrad=25.0)
HAADF = ((76.0, 200.0),)
ONE = Specimen(
    x_A=np.array([10.0]),
    y_A=np.array([6.0]),
    columns=(Column(atoms=(("S", 0.0),)), Column(atoms=(("Se", 0.0),))),
    kind=np.array([1]),
    label=np.array([""]),
    width_A=20.0,
    height_A=12.0,
)


def scan_of(specimen, **changes):
    settings = {"collection_mrad": HAADF, "pixel_size_nm": 0.04, "vibration_A": 0.0} | changes
    return simulate_scan(specimen, settings.pop("probe", PROBE), **settings)


def test_the_peak_is_on_the_column_and_the_context_tells_how_it_was_made():
    scan = scan_of(ONE)
    assert scan.frames.shape == (1, 30, 50)
    assert np.unravel_index(scan.frames[0].argmax(), (30, 50)) == (15, 25)
    context = scan.context
    assert (context.technique, context.energy_kev, context.convergence_mrad) == ("STEM", 80.0, 25.0)
    assert context.collection_mrad == HAADF
    assert context.dose_e_per_A2 is None
    assert set(context.origins.values()) == {"user"}
    assert scan.provenance.software.startswith("micrographia ")
    assert scan.provenance.sha256 is None


def test_a_column_outside_the_field_shines_into_it():
    outside = replace(ONE, x_A=np.array([-0.4]))
    frame = scan_of(outside).frames[0]
    assert frame[15, 0] == frame.max() > 0.5 * scan_of(ONE).frames.max()


def test_source_size_keeps_the_sum_and_lowers_the_peak():
    sharp, blurred = (scan_of(ONE, source_sigma_nm=s).frames[0] for s in (0.0, 0.05))
    assert blurred.max() < 0.7 * sharp.max()
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.01)


def test_images_make_a_cell_periodic():
    one = with_images(from_atoms(cell(host("WSe2"), (5, 3))))
    two = with_images(from_atoms(cell(host("WSe2"), (10, 3))))
    small, large = (scan_of(s, pixel_size_nm=0.0166).frames[0] for s in (one, two))
    assert large[:, :100] == pytest.approx(small, abs=1e-4 * float(small.max()))
    assert large[:, 100:] == pytest.approx(small, abs=1e-4 * float(small.max()))


def test_progress_counts_the_kernels_of_the_columns_that_are_there():
    told = []
    scan_of(ONE, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]


def test_an_empty_specimen_shows_the_empty_beam():
    nothing = replace(ONE, x_A=np.zeros(0), y_A=np.zeros(0), kind=np.zeros(0, dtype=int), label=np.zeros(0, dtype=str))
    frames = scan_of(nothing, collection_mrad=((76.0, 200.0), (0.0, 12.5))).frames
    assert not frames[0].any()
    assert frames[1] == pytest.approx(np.full((30, 50), 0.25))


def test_noise_has_the_mean_and_the_variance_of_counting():
    signal = np.full((400, 500), 0.02)
    noisy = with_dose(signal, electrons_per_px=150.0, rng=np.random.default_rng(5))
    counts = noisy * 150
    assert counts == pytest.approx(np.round(counts))
    assert counts.mean() == pytest.approx(3.0, abs=5 * np.sqrt(3 / counts.size))
    assert counts.var() == pytest.approx(3.0, rel=5 * np.sqrt(2.4 / counts.size))


def test_the_dose_counts_electrons_for_an_area():
    # 1e4 e/Å² on 0.16 Å² pixels is 1,600 electrons: relative noise of the sum is 1 / sqrt(counts).
    clean = scan_of(ONE).frames[0]
    noisy = scan_of(ONE, dose_e_per_A2=1e4, rng=np.random.default_rng(2)).frames[0]
    assert noisy * 1600 == pytest.approx(np.round(noisy * 1600), abs=1e-3)
    assert noisy.sum() == pytest.approx(clean.sum(), abs=5 * float(np.sqrt(clean.sum() / 1600)))


def test_the_same_seed_gives_the_same_noise():
    first, again, other = (scan_of(ONE, dose_e_per_A2=1e5, rng=np.random.default_rng(s)).frames for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_heavier_columns_are_brighter():
    peaks = [
        scan_of(replace(ONE, columns=(Column(atoms=((element, 0.0),)),) * 2)).frames.max()
        for element in ("S", "Se", "Mo", "W")
    ]
    assert all(light < heavy for light, heavy in pairwise(peaks))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pixel_size_nm": 0.0}, "pixel size is 0 nm"),
        ({"pixel_size_nm": float("nan")}, "pixel size is nan"),
        ({"source_sigma_nm": -0.1}, "source size is -0.1 nm"),
        ({"vibration_A": -0.1}, "thermal vibration is -0.1"),
        ({"vibration_A": {"S": 0.07, "Se": float("nan")}}, "thermal vibration is nan"),
        ({"collection_mrad": ()}, "needs a detector"),
        ({"collection_mrad": ((50.0, 40.0),)}, "collection angles are 50 to 40"),
        ({"collection_mrad": ((50.0, 300.0),)}, "outer <= 260"),
        ({"dose_e_per_A2": 1e5}, "without a random generator"),
        ({"probe": Probe(energy_kev=-80.0, convergence_mrad=25.0)}, "energy_kev is -80"),
        ({"probe": Probe(energy_kev=80.0, convergence_mrad=25.0, defocus_A=float("inf"))}, "defocus is inf"),
    ],
)
def test_impossible_settings_are_refused(changes, says):
    with pytest.raises(ContextError, match=says):
        scan_of(ONE, **changes)


def test_a_field_without_area_is_refused():
    with pytest.raises(ContextError, match="0 x 12 Å"):
        scan_of(replace(ONE, width_A=0.0))
    with pytest.raises(ContextError, match="without a random generator"):
        with_dose(np.ones((2, 2)), electrons_per_px=1.0, rng=None)


def test_every_element_moves_by_its_own_unless_told_otherwise():
    by_element = scan_of(ONE, vibration_A=VIBRATION_A).frames
    settings = {"collection_mrad": HAADF, "pixel_size_nm": 0.04}
    assert np.array_equal(simulate_scan(ONE, PROBE, **settings).frames, by_element)
    # Selenium is at (10, 6) Å, alone in the scan.
    assert np.array_equal(scan_of(ONE, vibration_A=VIBRATION_A["Se"]).frames, by_element)
    assert by_element.max() < 0.999 * scan_of(ONE).frames.max()
