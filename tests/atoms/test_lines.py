"""The slip of every line, against the slips that the simulator gave them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from micrographia.atoms.decide import Prior
from micrographia.atoms.lattice import find_lattice
from micrographia.atoms.lines import steadied
from micrographia.atoms.physics import defect_light, rendered, solve
from micrographia.atoms.reflections import measure_reflections
from micrographia.simulate import Probe, host, monolayer, simulate_scan
from micrographia.simulate.scans.faults import FAULTLESS, ScanFaults, probe_path
from micrographia.simulate.specimens.hosts import hypotheses

PIXEL_A, A_A = 0.2, 3.32


def scan_of(fractions, *, faults=FAULTLESS, dose=1e6, seed=2, width_A=50):
    specimen = monolayer(
        host("MoSe2"),
        width_A=width_A,
        height_A=44,
        fractions=fractions,
        rng=np.random.default_rng(4),
        rotation_deg=13.0,
    )
    return simulate_scan(
        specimen,
        Probe(energy_kev=80.0, convergence_mrad=30.0),
        collection_mrad=((70.0, 200.0), (50.0, 120.0)),
        pixel_size_nm=PIXEL_A / 10,
        source_sigma_nm=0.035,
        dose_e_per_A2=dose,
        rng=np.random.default_rng(seed),
        faults=faults,
    )


def slips(faults, scan):
    """The true slips [px] along x and y, less what varies as slowly as the lattice's phase follows."""
    _, height, width = scan.frames.shape
    path = probe_path(faults, height=height, width=width, pixel_A=PIXEL_A)
    both = np.stack([path.row_x_px, path.row_y_px], axis=1)
    return both - gaussian_filter1d(both, 2 * A_A / PIXEL_A, axis=0)


JITTER = ScanFaults(row_jitter_A=0.06, seed=5)


def test_slips_are_found_to_a_few_thousandths_of_an_angstrom():
    scan = scan_of({}, faults=JITTER)
    found = steadied(scan.frames, find_lattice(scan.frames, file="made here"))
    inner = np.s_[10:-10]
    wanted = slips(JITTER, scan)
    left_A = (found.slip_px - wanted)[inner].std(axis=0) * PIXEL_A
    assert (wanted[inner].std(axis=0) * PIXEL_A > 0.05).all()
    assert (left_A < 0.004).all()
    # What it says of its own error is of that size.
    assert (found.slip_sd_px[inner].mean(axis=0) * PIXEL_A > left_A / 2).all()


def test_a_scan_that_was_put_back_is_the_one_without_jitter():
    steady, shaken = scan_of({}, dose=None), scan_of({}, faults=JITTER, dose=None)
    back = steadied(shaken.frames, find_lattice(shaken.frames, file="made here")).frames
    inner = np.s_[:, 10:-10, 10:-10]
    before = np.std((shaken.frames - steady.frames)[inner])
    after = np.std((back - steady.frames)[inner])
    # What is left is slow: the lattice's phase has it.
    assert after < 0.2 * before


def test_defects_that_are_known_do_not_pass_for_slips():
    scan = scan_of({"V_X": 0.2, "V_X2": 0.05, "V_M": 0.05}, faults=JITTER, width_A=38)
    lattice, material = find_lattice(scan.frames, file="made here"), host("MoSe2")
    options = hypotheses(material, impurities=())
    reflections = measure_reflections(scan.frames, lattice)
    ways = [
        solve(
            scan.frames,
            lattice,
            reflections,
            metal_first=first,
            context=scan.context,
            material=material,
            options=options,
            prior=Prior(),
        )
        for first in (True, False)
    ]
    solution = max((way for way in ways if way is not None), key=lambda way: way.log_evidence)
    light = defect_light(solution, options, scan.frames.shape)
    wanted = slips(JITTER, scan)[10:-10]
    blind, told = (
        (steadied(scan.frames, lattice, defects=d).slip_px[10:-10] - wanted).std(axis=0)[1] for d in (None, light)
    )
    assert told < 0.4 * blind
    # Light of defects is what the whole model has beyond the perfect lattice's.
    pair = [option.label for option in options].index("X2")
    both = (solution.decision.posterior.argmax(axis=1), np.where(solution.on_metal[solution.judged], 0, pair))
    certain, pristine = (
        replace(solution, decision=replace(solution.decision, posterior=np.eye(len(options))[labels]))
        for labels in both
    )
    difference = rendered(certain, options, scan.frames.shape) - rendered(pristine, options, scan.frames.shape)
    light = defect_light(certain, options, scan.frames.shape)
    assert light == pytest.approx(difference, abs=1e-3 * float(np.abs(difference).max()))


@settings(max_examples=10, deadline=None)
@given(dose=st.sampled_from([3e3, 1e4, 1e5, 1e7]), seed=st.integers(0, 1000))
def test_a_steady_scan_stays_as_it_is(dose, seed):
    scan = scan_of({"V_X": 0.02}, dose=dose, seed=seed, width_A=36)
    found = steadied(scan.frames[:1], find_lattice(scan.frames, file="made here"))
    # The prior's width is that under which the scan is most probable: without slips, next to nothing. What is taken
    # off adds less than 3 % to the noise.
    noise = np.sqrt(scan.frames[0].mean() / (dose * PIXEL_A**2))
    assert np.std(found.frames[0] - scan.frames[0]) < 0.25 * noise


def test_nothing_is_put_where_no_lattice_shows():
    scan = scan_of({}, faults=JITTER)
    holed = scan.frames.copy()
    holed[:, :, 150:] = 0.2 * holed.mean() + np.random.default_rng(0).normal(0, 1e-3, holed[:, :, 150:].shape)
    lattice = find_lattice(holed, file="made here")
    found = steadied(holed, lattice)
    gone = lattice.strength < 0.3
    assert gone.mean() > 0.2
    assert np.array_equal(found.frames[:, gone], holed[:, gone])
    assert np.std((found.frames - holed)[:, ~gone]) > 0.05 * holed.mean()
