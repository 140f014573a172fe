import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from micrographia.errors import ContextError
from micrographia.simulate.columns.aberrations import (
    Aberrations,
    ColumnResponse,
    aperture_phase_rad,
    edge_phase_rad,
    radial_transfer_ratio,
    transfer_ratio,
)
from micrographia.simulate.columns.column import Column, Probe, column_rings
from micrographia.simulate.columns.kernels import ring_weights
from micrographia.simulate.columns.kernels2d import column_plane
from micrographia.simulate.columns.potentials import wavelength_A
from micrographia.simulate.columns.response import column_response

AT = {"energy_kev": 80.0, "convergence_mrad": 30.0}
LENGTH_A = wavelength_A(80.0)
RIM_PER_A = 30e-3 / LENGTH_A
MIXED = Aberrations(
    defocus_A=20.0,
    cs_mm=0.005,
    astigmatism2_A=20.0,
    astigmatism2_deg=-33.0,
    astigmatism3_A=500.0,
    astigmatism3_deg=10.0,
    coma_A=900.0,
    coma_deg=70.0,
)
HAADF = (70.0, 200.0)
TUNGSTEN = Column(atoms=(("W", 0.0),))
SELENIUM = Column(atoms=(("Se", -1.66), ("Se", 1.66)))

MAGNITUDE_A = st.floats(0.0, 100.0)
angle_deg = st.floats(-360.0, 360.0)
any_aberrations = st.builds(
    Aberrations,
    defocus_A=st.floats(-100.0, 100.0),
    cs_mm=st.floats(-0.02, 0.02),
    astigmatism2_A=MAGNITUDE_A,
    astigmatism2_deg=angle_deg,
    astigmatism3_A=st.floats(0.0, 3000.0),
    astigmatism3_deg=angle_deg,
    coma_A=st.floats(0.0, 3000.0),
    coma_deg=angle_deg,
)
FREQUENCY_PER_A = st.floats(0.0, 1.99 * RIM_PER_A)


def ratio_at(aberrations, q_per_A, direction_deg, **others):
    turn = np.radians(np.atleast_1d(direction_deg))
    return transfer_ratio(aberrations, **AT, qx_per_A=q_per_A * np.cos(turn), qy_per_A=q_per_A * np.sin(turn), **others)


def image_spectrum(aberrations, *, points=512, box_A=160.0):
    """Spectrum of ``|psi(-r)|^2``, the image of a point, by FFT, and its frequencies along x (second axis)."""
    k = np.fft.fftfreq(points, box_A / points)
    sub = (np.arange(15) - 7) / 15 / box_A  # each pixel's share within the aperture
    inside = np.mean([(k[:, None] + dy) ** 2 + (k + dx) ** 2 < RIM_PER_A**2 for dy in sub for dx in sub], axis=0)
    ky, kx = np.meshgrid(k, k, indexing="ij")
    chi = aperture_phase_rad(aberrations, energy_kev=80.0, kx_per_A=kx, ky_per_A=ky)
    probe = np.abs(np.fft.ifft2(inside * np.exp(-1j * chi))) ** 2
    image = np.roll(probe[::-1, ::-1], 1, axis=(0, 1))
    return np.fft.fft2(image) * points**2 / inside.sum(), k  # pixels at the rim count once here, squared in the image


def test_phase_is_that_of_abtem():
    abtem = pytest.importorskip("abtem")
    theirs = abtem.transfer.Aberrations(
        {
            "C10": -20.0,
            "C30": 0.005e7,
            "C12": 20.0,
            "phi12": math.radians(-33),
            "C23": 500.0,
            "phi23": math.radians(10),
            "C21": 900.0,
            "phi21": math.radians(70),
        },
        energy=80e3,
    )
    rng = np.random.default_rng(1)
    alpha, phi = rng.uniform(0, 0.03, 50), rng.uniform(-np.pi, np.pi, 50)
    k = alpha / LENGTH_A
    ours = aperture_phase_rad(MIXED, energy_kev=80.0, kx_per_A=k * np.cos(phi), ky_per_A=k * np.sin(phi))
    assert np.exp(-1j * ours) == pytest.approx(theirs._evaluate_from_angular_grid(alpha, phi), abs=1e-4)


def test_edge_phase_adds_up_the_terms():
    # pi alpha^2 A / lambda, 2 pi alpha^3 A / 3 lambda, pi alpha^4 Cs / 2 lambda
    found = edge_phase_rad(Aberrations(defocus_A=-50.0, coma_A=600.0, cs_mm=0.01), **AT)
    by_hand = math.pi * (9e-4 * 50 + 2 / 3 * 2.7e-5 * 600 + 8.1e-7 * 1e5 / 2) / LENGTH_A
    assert found == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("aberrations", [Aberrations(), MIXED, Aberrations(coma_A=1500.0)], ids=["none", "all", "coma"])
def test_ratio_is_that_of_the_probes_spectra_by_fft(aberrations):
    aberrated, k = image_spectrum(aberrations)
    # In focus: overlap of two circles, 2 / pi (acos x - x sqrt(1 - x^2)).
    for row, col in ((0, 20), (0, 100), (31, 0), (40, 57), (90, -70), (0, 190)):
        x = math.hypot(k[row], k[col]) / (2 * RIM_PER_A)
        overlap = 2 / math.pi * (math.acos(x) - x * math.sqrt(1 - x**2))
        ratio = transfer_ratio(aberrations, **AT, qx_per_A=np.array([k[col]]), qy_per_A=np.array([k[row]]))[0]
        assert aberrated[row, col] == pytest.approx(overlap * ratio, abs=5e-4)


def test_the_image_lies_where_coma_throws_the_probe_turned_over():
    # A ray through k lands at grad(chi) / 2 pi, for coma at x >= 0, which images a point at x <= 0.
    coma = Aberrations(coma_A=400.0)
    q = np.array([0.001])
    phase = np.angle(transfer_ratio(coma, **AT, qx_per_A=q, qy_per_A=0 * q))[0]
    centre_A = -phase / (2 * np.pi * q[0])
    # Mean of grad(chi) / 2 pi over the aperture: lambda^2 C21 / 3 times that of 3 kx^2 + ky^2, which is K^2.
    assert centre_A == pytest.approx(-(LENGTH_A**2) * 400 * RIM_PER_A**2 / 3, rel=3e-3)


@given(aberrations=any_aberrations, q_per_A=FREQUENCY_PER_A, direction_deg=angle_deg)
@settings(max_examples=60, deadline=None)
def test_aberrations_never_gain_contrast_and_images_stay_real(aberrations, q_per_A, direction_deg):
    here, opposite = ratio_at(aberrations, q_per_A, [direction_deg, direction_deg + 180])
    assert abs(here) <= 1 + 1e-4
    assert opposite == pytest.approx(np.conj(here), abs=3e-4)
    assert ratio_at(aberrations, 0.0, 0.0)[0] == pytest.approx(1.0)


@given(aberrations=any_aberrations, q_per_A=FREQUENCY_PER_A, direction_deg=angle_deg, turn_deg=angle_deg)
@settings(max_examples=40, deadline=None)
def test_turning_the_aberrations_turns_the_ratio(aberrations, q_per_A, direction_deg, turn_deg):
    turned = replace(
        aberrations,
        astigmatism2_deg=aberrations.astigmatism2_deg + turn_deg,
        astigmatism3_deg=aberrations.astigmatism3_deg + turn_deg,
        coma_deg=aberrations.coma_deg + turn_deg,
    )
    before, after = ratio_at(aberrations, q_per_A, direction_deg), ratio_at(turned, q_per_A, direction_deg + turn_deg)
    assert after == pytest.approx(before, abs=1e-8)


@pytest.mark.parametrize(
    ("aberrations", "period_deg"),
    [
        (Aberrations(astigmatism2_A=30.0, astigmatism2_deg=20.0, defocus_A=20.0), 180.0),
        (Aberrations(astigmatism3_A=2000.0, astigmatism3_deg=20.0), 120.0),
    ],
)
def test_astigmatism_has_its_symmetry_and_no_higher_one(aberrations, period_deg):
    angles = np.array([7.0, 50.0, 100.0])
    first = ratio_at(aberrations, 0.6, angles)
    assert ratio_at(aberrations, 0.6, angles + period_deg) == pytest.approx(first, abs=1e-6)
    assert np.abs(ratio_at(aberrations, 0.6, angles + period_deg / 2) - first).max() > 0.05


@pytest.mark.parametrize("response", [ColumnResponse(), ColumnResponse(height_A=1.4, tilt_gain=0.4)], ids=str)
def test_round_aberrations_agree_with_the_radial_version(response):
    round_ones = Aberrations(defocus_A=-60.0, cs_mm=0.02)
    q = np.linspace(0, 2.05 * RIM_PER_A, 40)
    radial = radial_transfer_ratio(round_ones, **AT, q_per_A=q, response=response)
    assert transfer_ratio(round_ones, **AT, qx_per_A=0.6 * q, qy_per_A=-0.8 * q, response=response) == pytest.approx(
        radial, abs=2e-4
    )
    assert np.all(radial[q >= 2 * RIM_PER_A] == 0)


def test_defocus_at_small_frequency_blurs_by_the_disc_of_rays():
    # H ~ 1 - 2 pi^2 q^2 <x^2>: rays at alpha land alpha df aside, and <(alpha cos phi df)^2> = (alpha_max df)^2 / 4.
    q = np.array([0.02])
    found = radial_transfer_ratio(Aberrations(defocus_A=30.0), **AT, q_per_A=q)[0]
    assert 1 - found == pytest.approx(2 * np.pi**2 * 0.02**2 * (0.03 * 30) ** 2 / 4, rel=0.05)


def test_a_columns_height_is_a_change_of_focus():
    # With the object at its own focus the response changes nothing but the reference, which is then defocused.
    q = np.linspace(0, 1.9 * RIM_PER_A, 20)
    lifted = radial_transfer_ratio(Aberrations(defocus_A=40.0), **AT, q_per_A=q, response=ColumnResponse(height_A=10.0))
    reference = radial_transfer_ratio(Aberrations(defocus_A=-10.0), **AT, q_per_A=q)
    assert lifted * reference == pytest.approx(
        radial_transfer_ratio(Aberrations(defocus_A=30.0), **AT, q_per_A=q), abs=1e-4
    )


@pytest.mark.parametrize("vibration_A", [0.0, 0.07])
@pytest.mark.parametrize("column", [TUNGSTEN, SELENIUM], ids=["W", "Se2"])
def test_exact_plane_of_a_round_probe_is_the_kernel_along_a_radius(column, vibration_A):
    probe = Probe(**AT, defocus_A=40.0, cs_mm=0.005)
    kernel = column_rings(column, probe, vibration_A=vibration_A)
    plane = column_plane(
        column,
        **AT,
        aberrations=Aberrations(defocus_A=40.0, cs_mm=0.005),
        vibration_A=vibration_A,
        collection_mrad=HAADF,
        extent_A=6.0,
        step_A=0.3,
    )
    axis = (np.arange(21) - 10) * 0.3
    profile = CubicSpline(kernel.radius_A, kernel.rings @ ring_weights(HAADF), bc_type="clamped")
    assert plane == pytest.approx(profile(np.hypot(axis[:, None], axis)), abs=5e-4 * plane.max())


def test_exact_plane_turns_with_the_aberrations():
    # A quarter turn of coma and threefold astigmatism, from +x towards +y, is a quarter turn of the grid.
    def plane(turn_deg):
        return column_plane(
            SELENIUM,
            **AT,
            aberrations=Aberrations(
                coma_A=1200.0, coma_deg=15 + turn_deg, astigmatism3_A=800.0, astigmatism3_deg=turn_deg
            ),
            vibration_A=0.0,
            collection_mrad=HAADF,
            extent_A=4.0,
            step_A=0.4,
        )

    straight, turned = plane(0.0), plane(90.0)
    assert np.rot90(straight, -1) == pytest.approx(turned, abs=1e-6 * straight.max())
    assert np.abs(straight - turned).max() > 0.1 * straight.max()


@pytest.mark.parametrize(
    "aberrations",
    [
        Aberrations(coma_A=1700.0, coma_deg=30.0),
        Aberrations(astigmatism3_A=1160.0, astigmatism3_deg=20.0),
        Aberrations(astigmatism2_A=23.0, astigmatism2_deg=50.0, defocus_A=10.0),
    ],
    ids=["coma", "threefold", "twofold"],
)
def test_quick_route_follows_the_exact_one_for_probes_in_use(aberrations):
    # Rim phases of 2.3, 1.6 and 2.2 rad. The response is fitted to defocus only.
    (response,) = column_response(TUNGSTEN, **AT, collection_mrad=(HAADF,), vibration_A=0.07)
    kernel = column_rings(TUNGSTEN, Probe(**AT), vibration_A=0.07)
    profile = CubicSpline(kernel.radius_A, kernel.rings @ ring_weights(HAADF), bc_type="clamped")
    axis = (np.arange(96) - 48) * 0.24
    distance = np.hypot(axis[:, None], axis)
    focused = np.where(distance < kernel.radius_A[-1], profile(distance), 0.0)
    qx, qy = np.meshgrid(np.fft.fftfreq(96, 0.24), np.fft.fftfreq(96, 0.24))
    exact = column_plane(
        TUNGSTEN, **AT, aberrations=aberrations, vibration_A=0.07, collection_mrad=HAADF, extent_A=7.2, step_A=0.24
    )
    worst = []
    for departs in (response, ColumnResponse()):
        ratio = transfer_ratio(aberrations, **AT, qx_per_A=qx, qy_per_A=qy, response=departs)
        quick = np.fft.fftshift(np.fft.ifft2(np.fft.fft2(np.fft.ifftshift(focused)) * ratio).real)
        worst.append(np.abs(quick[33:64, 33:64] - exact).max() / exact.max())
    assert worst[0] < 0.003
    assert worst[0] < worst[1] < 0.02


@pytest.mark.slow
def test_exact_plane_agrees_with_abtem():
    abtem = pytest.importorskip("abtem")
    from ase import Atoms

    aberrations = Aberrations(coma_A=1700.0, coma_deg=30.0, astigmatism3_A=800.0, astigmatism3_deg=10.0)
    potential = abtem.Potential(
        Atoms(["W"], positions=[(10.0, 10.0, 0.5)], cell=(20.0, 20.0, 1.0), pbc=True),
        gpts=480,
        slice_thickness=1.0,
        parametrization="lobato",
        projection="infinite",
    ).build(lazy=False)
    beam = abtem.Probe(
        energy=80e3,
        semiangle_cutoff=30.0,
        extent=20.0,
        gpts=480,
        aberrations={"C21": 1700.0, "phi21": math.radians(30), "C23": 800.0, "phi23": math.radians(10)},
    )
    offsets = (np.arange(7) - 3) * 0.5
    y_A, x_A = np.meshgrid(offsets, offsets, indexing="ij")
    scan = abtem.CustomScan(np.stack([x_A.ravel(), y_A.ravel()], axis=1) + 10.0)
    detector = abtem.AnnularDetector(inner=HAADF[0], outer=HAADF[1])
    theirs = np.asarray(beam.scan(potential, scan=scan, detectors=detector, lazy=False).array).reshape(7, 7)
    ours = column_plane(
        TUNGSTEN, **AT, aberrations=aberrations, vibration_A=0.0, collection_mrad=HAADF, extent_A=3.0, step_A=0.5
    )
    gain = np.sum(theirs * ours) / np.sum(ours**2)  # abTEM's soft aperture makes its probe brighter
    assert gain == pytest.approx(1.02, abs=0.02)
    assert theirs / gain == pytest.approx(ours, abs=0.015 * ours.max())
    assert np.abs(ours - ours[::-1, ::-1]).max() > 0.2 * ours.max()  # so that orientation is tested


def test_responses_of_several_detectors_come_in_their_order():
    wide, high = column_response(TUNGSTEN, **AT, collection_mrad=((50.0, 120.0), (100.0, 250.0)), vibration_A=0.07)
    # A ring that begins far outside the beam's cone hardly notices a tilt, and atoms scatter there as points.
    assert wide.tilt_gain > 2 * high.tilt_gain > 0
    assert wide.height_A > high.height_A > 0


def test_response_of_a_raised_atom_is_raised_as_much():
    at_zero, raised = (
        column_response(Column(atoms=(("S", z),)), **AT, collection_mrad=(HAADF,), vibration_A=0.07)[0]
        for z in (0.0, 3.0)
    )
    assert raised.height_A - at_zero.height_A == pytest.approx(3.0, abs=0.1)
    assert raised.tilt_gain == pytest.approx(at_zero.tilt_gain, abs=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Aberrations(coma_A=math.nan), "coma_A is nan; accepted is a finite number"),
        (lambda: ColumnResponse(tilt_gain=-1.0), "tilt_gain is -1.0; accepted is a finite number above -1"),
        (lambda: ColumnResponse(height_A=math.inf), "height_A is inf"),
        (lambda: radial_transfer_ratio(MIXED, **AT, q_per_A=np.ones(1)), "use transfer_ratio"),
        (lambda: edge_phase_rad(MIXED, energy_kev=-80.0, convergence_mrad=30.0), "beam energy is -80 keV"),
        (lambda: edge_phase_rad(MIXED, energy_kev=80.0, convergence_mrad=0.0), "convergence is 0 mrad"),
        (
            lambda: column_response(TUNGSTEN, **AT, collection_mrad=((20.0, 90.0),), vibration_A=0.0),
            "inside the beam's cone of 30 mrad",
        ),
    ],
)
def test_impossible_values_are_named(call, message):
    with pytest.raises(ContextError, match=message):
        call()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"collection_mrad": (10.0, 60.0)}, "dark-field detector"),
        ({"extent_A": 40.0}, "step <= edge <= 32"),
        ({"step_A": 0.0}, "its step 0 Å"),
    ],
)
def test_planes_that_cannot_be_computed_are_refused(changed, message):
    asked = {"vibration_A": 0.0, "collection_mrad": HAADF, "extent_A": 4.0, "step_A": 0.5, "aberrations": MIXED}
    with pytest.raises(ContextError, match=message):
        column_plane(TUNGSTEN, **AT, **(asked | changed))


def test_an_empty_column_adds_nothing():
    empty = Column(atoms=())
    plane = column_plane(
        empty, **AT, aberrations=MIXED, vibration_A=0.07, collection_mrad=HAADF, extent_A=2.0, step_A=0.5
    )
    assert plane.shape == (5, 5)
    assert not plane.any()
    assert column_response(empty, **AT, collection_mrad=(HAADF, HAADF), vibration_A=0.07) == (ColumnResponse(),) * 2
