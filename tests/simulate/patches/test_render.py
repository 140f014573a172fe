from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, chisquare

from micrographia.simulate.columns.kernels import cached_rings, detector_table
from micrographia.simulate.columns.vibration import VIBRATION_A
from micrographia.simulate.patches.library import role_spectra, role_tables
from micrographia.simulate.patches.render import expected_signal, recorded, render, site_roles
from micrographia.simulate.patches.spectra import band_limit_per_A, tables
from micrographia.simulate.scans.effects import jitter_rows
from micrographia.simulate.scans.noise import mixed
from micrographia.simulate.scans.scan import superpose
from micrographia.simulate.specimens.catalogue import columns
from micrographia.simulate.specimens.hosts import PRISTINE, RELAXATION, ROLES, host

CELLS = 14
"""Cells on either side of the centre whose sites the slow sum takes."""


@pytest.fixture(scope="module")
def made(library, compound, imaging):
    """Tables of MoS2:Nb, MAADF and HAADF."""
    return role_tables(library, compound("MoS2:Nb"), imaging)


def expected_of(scene, made, size_px=64):
    out = np.empty((made.mean.size, size_px, size_px), dtype=np.float32)
    expected_signal(scene, made, int(scene["role"]), out)
    return out


def changed(scene, **changes):
    other = np.array([scene])
    for name, value in changes.items():
        other[name] = value
    return other[0]


def summed_up(scene, made, compound, imaging, size_px=64):
    """The same patch by adding up the kernel of every column, made from rings, one by one."""
    wanted = columns(compound)
    kinds = [wanted.get(label, wanted[PRISTINE[n]]) for n, label in enumerate(ROLES)]
    rings = [cached_rings(c, imaging.probe, vibration_A=VIBRATION_A) for c in kinds]
    angle = np.deg2rad(scene["rotation_deg"] + np.array([0, 60]))
    vectors = host(compound.host).a_A * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    roles = site_roles(scene, made, int(scene["role"]), CELLS)
    own = 0 if scene["role"] < 3 else 1
    n1, n2, sublattice = (n.ravel() for n in np.indices(roles.shape))
    third = (sublattice - own) / 3
    place = np.stack([n1 - CELLS + third, n2 - CELLS + third], axis=1) @ vectors
    role = roles.ravel().astype(int)
    # Every site is pushed away from each of its neighbours by what the neighbour is.
    apart = place[:, None] - place
    distance = np.hypot(apart[..., 0], apart[..., 1])
    beside = np.abs(distance - host(compound.host).a_A / np.sqrt(3)) < 0.01
    away = np.where(beside[..., None], apart / np.where(beside, distance, 1.0)[..., None], 0.0)
    place = place + scene["relaxation_A"] * np.einsum("sn,snx->sx", RELAXATION[role][None] * beside, away)
    pixel_A = float(scene["pixel_A"])
    x_px = place[:, 0] / pixel_A + size_px // 2 + scene["offset_x_px"]
    y_px = place[:, 1] / pixel_A + size_px // 2 + scene["offset_y_px"]
    return np.array(
        [
            superpose(
                x_px,
                y_px,
                role,
                np.ones(role.size),
                np.array([detector_table(r, angles, source_sigma_A=imaging.source_sigma_A) for r in rings]),
                pixel_A,
                size_px,
                size_px,
            )
            for angles in imaging.collection_mrad
        ]
    )


def electrons_of(levels, scale):
    per_level, zero = scale.T[:, :, None, None]
    return (levels - zero) * per_level


def rms_of_range(found, expected):
    """Root mean square difference of each channel, relative to its range."""
    return np.sqrt(((found - expected) ** 2).mean(axis=(1, 2))) / np.ptp(expected, axis=(1, 2))


@pytest.mark.parametrize("defect_fraction", [0.0, 0.1])
@pytest.mark.parametrize(("label", "rotation_deg"), [("M", 0.0), ("V_M", 17.0), ("D_M", 201.0), ("X2", 33.0),
                                                     ("V_X", 95.0), ("V_X2", 158.0), ("M_X2", 300.0)])  # fmt: skip
def test_a_patch_is_the_sum_of_its_columns(made, compound, imaging, scene_of, label, rotation_deg, defect_fraction):
    scene = scene_of(
        role=ROLES.index(label),
        rotation_deg=rotation_deg,
        offset_x_px=0.3,
        offset_y_px=-0.2,
        defect_fraction=defect_fraction,
        seed=7,
    )
    slow = summed_up(scene, made, compound("MoS2:Nb"), imaging)
    assert rms_of_range(expected_of(scene, made), slow).max() < 5e-4


@pytest.mark.parametrize(("size_px", "pixel_A"), [(16, 0.4), (48, 0.08), (90, 0.15)])
def test_it_is_so_for_other_sizes_and_pixels(library, compound, imaging, scene_of, size_px, pixel_A):
    selenide = role_tables(library, compound("WSe2:S"), imaging)
    scene = scene_of(
        role=ROLES.index("D_X"), pixel_A=pixel_A, rotation_deg=77.0, offset_x_px=-0.5, defect_fraction=0.05, seed=3
    )
    slow = summed_up(scene, selenide, compound("WSe2:S"), imaging, size_px)
    assert rms_of_range(expected_of(scene, selenide, size_px), slow).max() < 5e-4


@pytest.mark.parametrize("relaxation_A", [-0.1, 0.1])
@pytest.mark.parametrize("label", ["V_M", "V_X", "M_X2"])
def test_neighbours_that_a_defect_pushes_are_columns_elsewhere(
    made, compound, imaging, scene_of, label, relaxation_A
):  # fmt: skip
    scene = scene_of(role=ROLES.index(label), rotation_deg=40.0, relaxation_A=relaxation_A, defect_fraction=0.1, seed=5)
    slow = summed_up(scene, made, compound("MoS2:Nb"), imaging)
    still = summed_up(changed(scene, relaxation_A=0.0), made, compound("MoS2:Nb"), imaging)
    assert rms_of_range(still, slow).min() > 5e-3
    # Columns that move are cut off at 3.5 Å.
    assert rms_of_range(expected_of(scene, made), slow).max() < 1e-3


def test_a_pristine_patch_has_a_threefold_axis(made, scene_of):
    for label in ("M", "X2"):
        scene = scene_of(role=ROLES.index(label), rotation_deg=13.0)
        here = expected_of(scene, made)
        for turn in (120.0, 240.0, -120.0):
            assert expected_of(changed(scene, rotation_deg=13 + turn), made) == pytest.approx(here, abs=2e-6)
        assert np.abs(expected_of(changed(scene, rotation_deg=73.0), made) - here).max() > 0.01


def test_turned_by_180_degrees_the_sublattices_change_places(library, compound, imaging, scene_of):
    # Columns of both kinds swapped and the lattice turned about the site: the same picture.
    spectra = role_spectra(library, compound("MoS2:Nb"), imaging)
    swapped = spectra[:, [3, 1, 2, 0, 4, 5, 6, 7]]
    limit = band_limit_per_A(80.0, 30.0)
    one, other = (tables(host("MoS2"), s, ("M", "V_M", "X2", "V_X"), band_limit=limit) for s in (spectra, swapped))
    scene = scene_of(role=ROLES.index("M"), rotation_deg=21.0, offset_x_px=0.4, offset_y_px=0.1)
    turned = changed(scene, role=ROLES.index("X2"), rotation_deg=201.0)
    assert expected_of(turned, other) == pytest.approx(expected_of(scene, one), abs=2e-6)


def test_the_site_is_where_the_offset_says(made, scene_of):
    scene = scene_of(role=ROLES.index("M"), pixel_A=0.1)
    centred = expected_of(scene, made)
    assert np.unravel_index(centred[1].argmax(), (64, 64)) == (32, 32)
    moved = expected_of(changed(scene, offset_x_px=3.0, offset_y_px=-2.0), made)
    assert moved[:, :62, 3:] == pytest.approx(centred[:, 2:, :61], abs=2e-6)


@pytest.mark.parametrize("label", ["V_M", "X2"])
def test_each_row_of_a_drifting_scan_is_that_of_a_scan_elsewhere(made, scene_of, label):
    still = scene_of(
        role=ROLES.index(label), rotation_deg=10.0, offset_x_px=0.2, defect_fraction=0.1, relaxation_A=0.05, seed=11
    )
    drifting = expected_of(changed(still, drift_x_px=0.04, drift_y_px=-0.03), made)
    for row in (0, 17, 32, 63):
        offset = {"offset_x_px": 0.2 - 0.04 * (row - 32), "offset_y_px": 0.03 * (row - 32)}
        assert drifting[:, row] == pytest.approx(expected_of(changed(still, **offset), made)[:, row], abs=5e-6)


def test_each_row_of_a_jittering_scan_is_that_of_a_scan_elsewhere(made, scene_of):
    still = scene_of(role=ROLES.index("V_X"), rotation_deg=10.0, defect_fraction=0.1, seed=12)
    jittering = expected_of(changed(still, row_jitter_px=0.3), made)
    shift = np.zeros((2, 64))
    for axis in (0, 1):
        jitter_rows(0.3, np.uint64(mixed(np.uint64(12 + 1 + axis))), shift[axis])
    for row in (0, 9, 31, 50):
        offset = {"offset_x_px": -shift[0, row], "offset_y_px": -shift[1, row]}
        assert jittering[:, row] == pytest.approx(expected_of(changed(still, **offset), made)[:, row], abs=5e-6)


@pytest.mark.parametrize(("flyback_px", "recovery_px", "pixel_A"), [(2.0, 20.0, 0.2), (12.5, 5.0, 0.08)])
def test_each_column_after_a_flyback_is_that_of_a_scan_elsewhere(made, scene_of, flyback_px, recovery_px, pixel_A):
    still = scene_of(
        role=ROLES.index("V_M"), rotation_deg=5.0, defect_fraction=0.1, relaxation_A=0.1, seed=13, pixel_A=pixel_A
    )
    lagging = expected_of(
        changed(still, flyback_px=flyback_px, flyback_recovery_px=recovery_px, first_column_px=1.0), made
    )
    # Where the lag changes fast, up to half an ångström of a defect's rim of 8 Å is left out.
    for column in (0, 3, 6, 10, 13, 16, 18, 25, 60):
        lag = flyback_px * np.exp(-(1 + column) / recovery_px)
        there = expected_of(changed(still, offset_x_px=lag), made)[:, :, column]
        assert lagging[:, :, column] == pytest.approx(there, abs=1e-3 * float(np.ptp(lagging))), column


def test_a_dwell_without_way_leaves_the_flyback_where_it_is(made, scene_of):
    lagging = scene_of(role=ROLES.index("M"), flyback_px=2.0, flyback_recovery_px=5.0)
    waiting, creeping = (expected_of(changed(lagging, dwell_travel=t), made) for t in (0.0, 1e-6))
    assert creeping == pytest.approx(waiting, abs=5e-6)


def test_a_probe_that_does_not_stop_averages_over_its_way(made, scene_of):
    # Five places between -1/2 and 1/2 px, by Gauss and Legendre, against the filter of five pixels.
    scene = scene_of(role=ROLES.index("V_X"), rotation_deg=8.0, pixel_A=0.15, defect_fraction=0.1, seed=4)
    places, weights = np.polynomial.legendre.leggauss(5)
    average = sum(
        w / 2 * expected_of(changed(scene, offset_x_px=p / 2), made).astype(float)
        for p, w in zip(places, weights, strict=True)
    )
    moving = expected_of(changed(scene, dwell_travel=1.0), made)
    waiting = expected_of(scene, made)
    assert np.abs(waiting - average).max() > 50 * np.abs(moving - average).max()
    assert rms_of_range(moving, average).max() < 1e-4


def test_haze_adds_what_it_says_and_nothing_else(made, scene_of):
    clear = scene_of(role=ROLES.index("X2"), haze_period_px=32.0)
    signal = expected_of(clear, made)
    some, more = (expected_of(changed(clear, haze=h), made) - signal for h in (0.05, 0.2))
    assert more == pytest.approx(4 * some, abs=1e-6)
    # Two periods either way.
    assert some.mean(axis=(1, 2)) == pytest.approx(0.05 * made.mean, rel=1e-4)


def test_the_mean_is_the_columns_volume_over_the_cells_area(made, scene_of):
    # Over many cells; the patch's edges cut through cells.
    signal = expected_of(scene_of(role=ROLES.index("M"), pixel_A=0.4), made, 256)
    assert signal.mean(axis=(1, 2)) == pytest.approx(made.mean, rel=3e-3)


def test_the_source_and_defocus_lower_the_peak(library, compound, imaging, scene_of):
    scene = scene_of(role=ROLES.index("M"))

    def peak_and_mean(other):
        seen = role_tables(library, compound("MoS2:Nb"), other)
        return expected_of(scene, seen)[:, 32, 32], seen.mean

    peak, mean = peak_and_mean(imaging)
    for other in (
        replace(imaging, source_sigma_A=0.5),
        replace(imaging, probe=replace(imaging.probe, defocus_A=30.0)),
        replace(imaging, probe=replace(imaging.probe, cs_mm=0.02)),
    ):
        lower, same = peak_and_mean(other)
        assert (lower < 0.97 * peak).all()
        assert same == pytest.approx(mean, rel=1e-6)


def test_sites_do_not_depend_on_how_far_one_looks(made, scene_of):
    scene = scene_of(seed=21, defect_fraction=0.3)
    near, far = (site_roles(scene, made, 0, reach) for reach in (5, 40))
    assert np.array_equal(far[35:46, 35:46], near)
    other = site_roles(changed(scene, seed=22), made, 0, 5)
    assert (other != near).any()


def test_the_centre_is_what_it_is_told_to_be(made, scene_of):
    scene = scene_of(seed=21, defect_fraction=0.3)
    here = site_roles(scene, made, ROLES.index("V_M"), 3)
    there = site_roles(scene, made, ROLES.index("M_X2"), 3)
    assert (here[3, 3, 0], there[3, 3, 1]) == (ROLES.index("V_M"), ROLES.index("M_X2"))
    here[3, 3] = there[3, 3] = 0
    assert np.array_equal(here, there)


@pytest.mark.parametrize("fraction", [0.003, 0.08, 1.0])
def test_defects_are_as_many_as_asked_for_and_shared_evenly(made, scene_of, fraction):
    roles = np.concatenate([site_roles(scene_of(seed=s, defect_fraction=fraction), made, 0, 60) for s in range(3)])
    for sublattice, pristine, in_play in ((0, "M", ("V_M", "D_M")), (1, "X2", ("V_X", "V_X2", "M_X2"))):
        seen = np.bincount(roles[:, :, sublattice].ravel(), minlength=len(ROLES))
        sites = seen.sum() - (3 if sublattice == 0 else 0)  # the three central ones are given
        defects = seen.sum() - seen[ROLES.index(pristine)]
        low, high = binom.interval(0.9999, sites, fraction)
        assert low <= defects <= high
        assert set(np.flatnonzero(seen)) <= {ROLES.index(r) for r in (pristine, *in_play)}
        assert chisquare(seen[[ROLES.index(r) for r in in_play]]).pvalue > 1e-3


def test_without_a_defect_fraction_every_site_is_pristine(made, scene_of):
    roles = site_roles(scene_of(seed=3), made, ROLES.index("V_X"), 20)
    assert (roles[:, :, 0] == ROLES.index("M")).all()
    assert np.flatnonzero(roles[:, :, 1].ravel() != ROLES.index("X2")).tolist() == [20 * 41 + 20]


def test_render_does_one_patch_after_the_other(made, scene_of):
    scenes = np.array([scene_of(seed=s, role=s % 3, rotation_deg=10.0 * s, haze=0.1, read_noise_e=0.3) for s in (1, 2)])
    clean, levels = np.empty((2, 2, 32, 32), dtype=np.float32), np.empty((2, 2, 32, 32), dtype=np.uint16)
    scale = np.empty((2, 2, 2))
    render(scenes, made, clean, levels, scale)
    for n in (0, 1):
        assert np.array_equal(clean[n], expected_of(scenes[n], made, 32))
        alone, its = np.empty((2, 32, 32), dtype=np.uint16), np.empty((2, 2))
        recorded(clean[n], scenes[n], its, alone)
        assert np.array_equal(levels[n], alone)
        assert np.array_equal(scale[n], its)


@pytest.mark.parametrize("dose", [1e2, 1e6, 1e10])
@pytest.mark.parametrize("read_noise_e", [0.0, 0.4, 50.0])
def test_the_digitiser_holds_all_that_is_recorded(made, scene_of, dose, read_noise_e):
    scene = scene_of(role=0, electrons_per_px=dose, read_noise_e=read_noise_e, pulse_spread=read_noise_e / 200)
    clean, levels, scale = expected_of(scene, made), np.empty((2, 64, 64), dtype=np.uint16), np.empty((2, 2))
    recorded(clean, scene, scale, levels)
    per_level, zero = scale.T[:, :, None, None]
    assert levels.max() < 65535
    assert (np.log2(per_level) % 1 == 0).all()
    # Counts, or steps of at most half the darkest pixel's noise; coarser only where 16 bits would not do.
    step, brightest = per_level.ravel(), electrons_of(levels, scale).max(axis=(1, 2))
    dark = np.sqrt(clean.min(axis=(1, 2)) * dose * (1 + scene["pulse_spread"] ** 2) + read_noise_e**2)
    fine = np.maximum(dark / 2, 0.125) if read_noise_e > 0 else 1.0
    assert ((step <= fine) | (step < 2 * (1.1 * brightest + 8 * read_noise_e) / 65000)).all()
    noise = np.sqrt(clean.mean(axis=(1, 2)) * dose * (1 + scene["pulse_spread"] ** 2) + read_noise_e**2)
    assert electrons_of(levels, scale).mean(axis=(1, 2)) == pytest.approx(
        clean.mean(axis=(1, 2)) * dose, abs=5 * noise.max() / 64
    )
    if read_noise_e == 0.0 and dose < 1e6:
        assert (per_level == 1).all()
        assert (zero == 0).all()
