import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import j0, j1

from micrographia.errors import ContextError
from micrographia.simulate.columns.blur import blur_matrix
from micrographia.simulate.columns.column import MAX_ANGLE_MRAD, Column, Probe, RingKernel, column_rings, radial_step_A
from micrographia.simulate.columns.kernels import detector_table, ring_weights
from micrographia.simulate.columns.potentials import interaction_rad_per_V_A, wavelength_A
from micrographia.simulate.patches.render import DEFECT_REACH_A
from micrographia.simulate.patches.spectra import (
    BEYOND_MRAD,
    NODE,
    NODES,
    at_frequency,
    band_limit_per_A,
    detector_weights,
    lagrange,
    radial_table,
    spectrum,
    tables,
)
from micrographia.simulate.specimens.hosts import PRISTINE, ROLES, host

PROBE = Probe(energy_kev=80.0, convergence_mrad=30.0)
LIMIT = band_limit_per_A(80.0, 30.0)
BETA = interaction_rad_per_V_A(80.0) ** 2
FALL_MRAD = 60.0
LEGENDRE = np.polynomial.legendre.leggauss(NODES)[1] / 2
"""Weights of the integral from 0 to 1."""


def gaussian_kernel(sigma_A, probe=PROBE):
    """A made-up kernel: Gaussian along the radius, exp(-angle / 60 mrad) along the angle."""
    radius = np.arange(int(np.ceil(12 / radial_step_A(probe))) + 1) * radial_step_A(probe)
    edge = np.arange(MAX_ANGLE_MRAD + 1)
    ring = -FALL_MRAD * np.diff(np.exp(-edge / FALL_MRAD))
    return RingKernel(radius_A=radius, rings=np.exp(-(radius[:, None] ** 2) / (2 * sigma_A**2)) * ring)


def gaussian_spectrum(sigma_A, frequency_per_A):
    return 2 * np.pi * sigma_A**2 * np.exp(-2 * (np.pi * sigma_A * frequency_per_A) ** 2)


def detected(inner, outer):
    return FALL_MRAD * (np.exp(-inner / FALL_MRAD) - np.exp(-outer / FALL_MRAD))


@pytest.fixture(scope="module")
def tungsten():
    return column_rings(Column(atoms=(("W", 0.0),)), PROBE, vibration_A=0.067)


def test_the_band_ends_at_twice_the_aperture():
    assert band_limit_per_A(80.0, 30.0) == pytest.approx(0.06 / wavelength_A(80.0)) == pytest.approx(1.437, abs=1e-3)


@pytest.mark.parametrize("sigma_A", [0.5, 1.2])
@pytest.mark.parametrize("convergence_mrad", [30.0, 20.5])
def test_the_spectrum_of_a_gaussian_is_a_gaussian(sigma_A, convergence_mrad):
    probe = Probe(energy_kev=80.0, convergence_mrad=convergence_mrad)
    found = spectrum(gaussian_kernel(sigma_A, probe), probe) * BETA
    assert found.shape == (BEYOND_MRAD.size, NODES)
    beyond = detected(convergence_mrad + BEYOND_MRAD, MAX_ANGLE_MRAD)
    radial = gaussian_spectrum(sigma_A, band_limit_per_A(80.0, convergence_mrad) * NODE)
    # From 1 mrad on: the direct beam's edge may cut a ring in two.
    expected = np.outer(beyond, radial)[1:]
    # Trapezia of a sixth of the finest period: of Euler and Maclaurin's series h^4 / 720 f'''(0) is left,
    # and less than a tenth of it in the terms that follow.
    step, limit = radial_step_A(probe), band_limit_per_A(80.0, convergence_mrad)
    error = 1.1 * step**4 / 720 * 6 * np.pi * (1 / sigma_A**2 + 2 * (np.pi * limit) ** 2) * beyond[1]
    assert error < 6e-4 * expected.max()
    assert found[1:] == pytest.approx(expected, abs=error)


def test_all_that_a_kernel_adds_is_its_spectrum_at_frequency_zero(tungsten):
    found = at_frequency(spectrum(tungsten, PROBE) * BETA, np.zeros(1))[:, 0]
    step, radius = tungsten.radius_A[1], tungsten.radius_A
    fading = 0.5 * (1 + np.cos(np.pi * np.clip(radius - 11, 0, 1)))
    volume = 2 * np.pi * step * (radius * fading) @ tungsten.rings
    # Euler and Maclaurin's two terms at r = 0; the second has the curvature there, from the first two radii.
    volume += 2 * np.pi * step**2 * (tungsten.rings[0] / 12 + (tungsten.rings[0] - tungsten.rings[1]) / 120)
    beyond = [volume[int(30 + angle) :].sum() for angle in BEYOND_MRAD]
    assert found == pytest.approx(beyond, abs=1e-5 * beyond[0])


@pytest.mark.parametrize("angles", [(50, 120), (70, 200), (32.0, 250.0), (63.4, 187.7), (31.3, 46.9), (100, 101)])
def test_weights_of_a_detector_sum_its_rings(tungsten, angles):
    weights = detector_weights(30.0, angles)
    found = weights @ spectrum(gaussian_kernel(0.8), PROBE) * BETA
    expected = detected(*angles) * gaussian_spectrum(0.8, LIMIT * NODE)
    assert found == pytest.approx(expected, abs=1e-3 * expected.max())
    # A real kernel, whose rings change less smoothly, along the radius; blurred by the prior's smallest source.
    blur = np.exp(-2 * (np.pi * 0.15 * LIMIT * NODE) ** 2)
    radius = tungsten.radius_A[:60]
    bessel = 2 * np.pi * j0(2 * np.pi * LIMIT * radius[:, None] * NODE) * NODE * LIMIT**2
    found = bessel @ (LEGENDRE * blur * (weights @ spectrum(tungsten, PROBE) * BETA))
    expected = (blur_matrix(tungsten.radius_A, 0.15) @ tungsten.rings @ ring_weights(angles))[:60]
    assert found == pytest.approx(expected, abs=1e-3 * expected.max())


@settings(deadline=None)
@given(st.lists(st.floats(31, 250), min_size=3, max_size=3, unique=True))
def test_detectors_beside_each_other_add_up(angles):
    inner, middle, outer = sorted(angles)
    both = detector_weights(30.0, (inner, middle)) + detector_weights(30.0, (middle, outer))
    assert both == pytest.approx(detector_weights(30.0, (inner, outer)), abs=1e-12)


def test_a_detector_to_the_last_angle_needs_no_interpolation():
    assert np.flatnonzero(detector_weights(30.0, (50.0, 250.0))).tolist() == [20, BEYOND_MRAD.size - 1]


@pytest.mark.parametrize("angles", [(29.9, 100.0), (50.0, 250.1), (120.0, 50.0), (50.0, 50.0), (float("nan"), 100.0)])
def test_other_detectors_are_refused(angles):
    with pytest.raises(ContextError, match="accepted is dark field that ends within 220 mrad of the beam"):
        detector_weights(30.0, angles)


@settings(deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=4, max_size=4),
    st.lists(st.integers(0, 40), min_size=4, max_size=4, unique=True),
    st.floats(0, 40),
)
def test_four_places_carry_a_cubic(coefficients, nodes, at):
    places = np.array(sorted(nodes), dtype=float) / 10
    weights = lagrange(places, at / 10)
    assert weights.sum() == pytest.approx(1, rel=1e-6, abs=1e-9 * np.abs(weights).sum())
    exact = np.polyval(coefficients, at / 10)
    assert weights @ np.polyval(coefficients, places) == pytest.approx(
        exact, abs=1e-9 * (1 + np.abs(weights).sum()) * 400
    )


def test_spectra_between_nodes_are_those_of_the_function():
    def smooth(fraction):
        # The transform of what lies within 12 Å, 17 periods of the limit.
        return np.cos(2 * np.pi * 17 * fraction) * np.exp(-2 * fraction**2) + fraction**3

    spectra = np.stack([smooth(NODE), 2 * smooth(NODE)])
    between = np.linspace(0, 0.999, 333)
    found = at_frequency(spectra, between)
    assert found[0] == pytest.approx(smooth(between), abs=1e-9)
    assert found[1] == pytest.approx(2 * found[0], abs=1e-12)
    assert np.array_equal(at_frequency(spectra, NODE), spectra)
    assert not at_frequency(spectra, np.array([1.0, 1.2, 7.0])).any()


def test_the_table_of_a_gaussian_is_a_gaussian():
    table = radial_table(gaussian_spectrum(0.6, LIMIT * NODE), LIMIT, 8.0)
    radius = np.arange(len(table)) * 0.025 / LIMIT
    # The band's end cuts off exp(-2 (pi 0.6 1.437)^2) = 4e-7; single precision, 1e-7.
    assert table[:, 0] == pytest.approx(np.exp(-(radius**2) / 0.72), abs=2e-6)
    assert table[:-1, 0] + table[:-1, 1] == pytest.approx(table[1:, 0], abs=1e-6)
    assert radius[-1] >= 8.0
    assert table[-1].tolist() == [0.0, 0.0]


def test_the_table_of_a_spectrum_that_is_flat_is_an_airy_pattern():
    # The Hankel transform of a disc of radius Q is Q J1(2 pi Q r) / r; over the last ångström it fades.
    table = radial_table(np.ones((2, NODES)), LIMIT, 5.0)
    radius = np.arange(1, table.shape[1]) * 0.025 / LIMIT
    airy = LIMIT * j1(2 * np.pi * LIMIT * radius) / radius
    assert table[:, 0, 0] == pytest.approx(np.full(2, np.pi * LIMIT**2), rel=1e-6)
    bright = radius <= 4
    assert table[0, 1:, 0][bright] == pytest.approx(airy[bright], abs=1e-6 * np.pi * LIMIT**2)
    fading = radius > 4
    half = 0.5 * (1 + np.cos(np.pi * np.clip(radius - 4, 0, 1)))
    assert table[1, 1:-1, 0][fading[:-1]] == pytest.approx((airy * half)[:-1][fading[:-1]], abs=1e-6 * np.pi * LIMIT**2)


def test_between_the_steps_of_a_real_table_a_line_is_good(tungsten):
    # Blurred by the prior's smallest source.
    here = detector_weights(30.0, (70.0, 200.0)) @ spectrum(tungsten, PROBE) * BETA
    here = here * np.exp(-2 * (np.pi * 0.15 * LIMIT * NODE) ** 2)
    table = radial_table(here, LIMIT, DEFECT_REACH_A)
    radius = (np.arange(250) + 0.5) * 0.025 / LIMIT
    exact = (2 * np.pi * j0(2 * np.pi * LIMIT * radius[:, None] * NODE) * NODE * LEGENDRE) @ here * LIMIT**2
    assert table[:250, 0] + 0.5 * table[:250, 1] == pytest.approx(exact, abs=3.5e-4 * exact.max())


def test_a_table_is_the_kernel_that_the_rings_give(tungsten):
    # Source blur as a factor of the spectrum, against blur along the radius.
    here = detector_weights(30.0, (70.0, 200.0)) @ spectrum(tungsten, PROBE) * BETA
    blurred = here * np.exp(-2 * (np.pi * 0.35 * LIMIT * NODE) ** 2)
    table = radial_table(blurred, LIMIT, DEFECT_REACH_A)[:, 0]
    radius = np.arange(table.size) * 0.025 / LIMIT
    near = radius < 7
    rings = detector_table(tungsten, (70.0, 200.0), source_sigma_A=0.35)
    there = np.interp(radius, np.arange(rings.size) * 0.01, rings)
    assert table[near] == pytest.approx(there[near], abs=3e-4 * rings[0])
    by_blur = blur_matrix(tungsten.radius_A, 0.35) @ tungsten.rings @ ring_weights((70.0, 200.0))
    assert table[0] == pytest.approx(by_blur[0], rel=5e-4)


def test_a_lattice_of_gaussians_is_their_sum():
    # Metals of height 1 and width 0.6 Å, chalcogens of height 0.5 and width 0.7 Å; every role has its own.
    material = host("WSe2")
    height, sigma = np.array([1, 0, 0.6, 0.5, 0.25, 0, 0.4, 0.9]), np.array([0.6, 0.6, 0.6, 0.7, 0.7, 0.7, 0.7, 0.6])
    spectra = np.stack([h * gaussian_spectrum(s, LIMIT * NODE) for h, s in zip(height, sigma, strict=True)])
    made = tables(material, spectra[None], ("M", "V_M", "D_M", "X2", "V_X", "V_X2", "M_X2"), band_limit=LIMIT)
    area = np.sqrt(3) / 2 * material.a_A**2
    assert made.mean == pytest.approx([2 * np.pi * (0.6**2 + 0.5 * 0.7**2) / area], rel=1e-6)
    a1, a2 = material.a_A * np.array([[1, 0], [0.5, np.sqrt(3) / 2]])
    cells = np.array([(n1, n2) for n1 in range(-4, 5) for n2 in range(-4, 5)])
    rng = np.random.default_rng(2)
    for sublattice in (0, 1):
        for u, v in rng.random((20, 2)):
            at = u * a1 + v * a2
            exact = 0.0
            for other in (0, 1):
                sites = (cells + (other - sublattice) / 3) @ np.stack([a1, a2])
                apart2 = ((sites - at) ** 2).sum(axis=1)
                exact += height[3 * other] * np.exp(-apart2 / (2 * sigma[3 * other] ** 2)).sum()
            waves = np.exp(2j * np.pi * (made.h * u + made.k * v))
            found = made.mean[0] + 2 * (made.series[0, sublattice] * waves).real.sum()
            assert found == pytest.approx(exact, abs=2e-4)
    radius = np.arange(made.change.shape[2]) / made.steps_per_A
    for role, label in enumerate(ROLES):
        own = ROLES.index(PRISTINE[role])
        change = height[role] * np.exp(-(radius**2) / (2 * sigma[role] ** 2))
        change -= height[own] * np.exp(-(radius**2) / (2 * sigma[own] ** 2))
        assert made.change[0, role, :, 0] == pytest.approx(change, abs=1e-5), label
    assert made.column[0, :, 0, 0] == pytest.approx(height, abs=1e-5)


def test_defects_are_shared_by_the_roles_that_occur():
    spectra = np.ones((1, 8, NODES))
    metal = tables(host("WSe2"), spectra, ("M", "V_M", "D_M", "X2", "V_X", "V_X2", "M_X2"), band_limit=LIMIT)
    assert np.diff(metal.role_share, prepend=0.0) == pytest.approx(
        np.array([[0, 1 / 2, 1 / 2, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1 / 3, 1 / 3, 0, 1 / 3]])
    )
    chalcogen = tables(host("WSe2"), spectra, ("M", "V_M", "X2", "V_X", "V_X2", "D_X", "M_X2"), band_limit=LIMIT)
    assert np.diff(chalcogen.role_share, prepend=0.0) == pytest.approx(
        np.array([[0, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1 / 4, 1 / 4, 1 / 4, 1 / 4]])
    )
