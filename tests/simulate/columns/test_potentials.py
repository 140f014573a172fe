import numpy as np
import pytest
from scipy.special import j0

from micrographia.errors import StructureError
from micrographia.simulate.columns.potentials import (
    _lobato,
    interaction_rad_per_V_A,
    projected_potential_V_A,
    wavelength_A,
)


@pytest.mark.parametrize(
    ("energy_kev", "published_pm"), [(60, 4.866), (80, 4.176), (100, 3.701), (200, 2.508), (300, 1.969), (1000, 0.872)]
)
def test_wavelength_is_the_published_one(energy_kev, published_pm):
    # De Graef, Introduction to Conventional TEM, table 2.2; Kirkland, table 2.2.
    assert 100 * wavelength_A(energy_kev) == pytest.approx(published_pm, abs=6e-4)


@pytest.mark.parametrize(("energy_kev", "published"), [(100, 0.9244), (200, 0.7288), (300, 0.6526)])
def test_interaction_parameter_is_the_published_one(energy_kev, published):
    # Kirkland, Advanced Computing in Electron Microscopy, figure 5.2 and its programs: rad / (kV Å).
    assert 1e3 * interaction_rad_per_V_A(energy_kev) == pytest.approx(published, abs=6e-5)


@pytest.mark.parametrize("energy_kev", [30.0, 80.0, 300.0])
def test_interaction_parameter_follows_from_wavelength_and_energy(energy_kev):
    # sigma = 2 pi / (lambda E) * (m c^2 + E) / (2 m c^2 + E), with E in eV: the form in de Graef and Reimer.
    rest_ev, energy_ev = 510998.95, 1e3 * energy_kev
    expected = 2 * np.pi / (wavelength_A(energy_kev) * energy_ev) * (rest_ev + energy_ev) / (2 * rest_ev + energy_ev)
    assert interaction_rad_per_V_A(energy_kev) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("symbol", ["H", "S", "Se", "Mo", "W"])
def test_potential_transforms_back_to_the_scattering_factor(symbol):
    # f(g) = (2 pi m e / h^2) int V(r) J0(2 pi g r) 2 pi r dr, on nodes dense at the logarithmic pole.
    r = np.geomspace(1e-7, 40, 60_000)
    potential = projected_potential_V_A(symbol, r)
    a, b = _lobato()[symbol]
    for g in (0.0, 0.3, 1.0, 3.0):
        integral = np.trapezoid(potential * j0(2 * np.pi * g * r) * 2 * np.pi * r * r, np.log(r)) / 47.87801
        assert integral == pytest.approx(np.sum(a * (2 + b * g**2) / (1 + b * g**2) ** 2), rel=2e-3)


def test_scattering_factor_at_high_angles_counts_the_protons():
    # Mott and Bethe: f -> Z / (8 pi^2 a_0 s^2) with s = g / 2, hence 4 * 0.023934 Z / g^2 in Å.
    for symbol, protons in (("S", 16), ("Se", 34), ("W", 74)):
        a, b = _lobato()[symbol]
        g = 40.0
        assert np.sum(a * (2 + b * g**2) / (1 + b * g**2) ** 2) == pytest.approx(0.095736 * protons / g**2, rel=0.02)


def test_an_unknown_element_is_named():
    with pytest.raises(StructureError, match="'Xx'"):
        projected_potential_V_A("Xx", np.array([1.0]))


@pytest.mark.slow
def test_potential_and_interaction_agree_with_abtem():
    from abtem.core.energy import energy2sigma
    from abtem.parametrizations import LobatoParametrization

    r = np.array([0.05, 0.2, 0.5, 1.0, 2.0])
    for symbol in ("S", "Se", "Mo", "W"):
        theirs = LobatoParametrization().projected_potential(symbol)(r)
        assert projected_potential_V_A(symbol, r) == pytest.approx(np.asarray(theirs), rel=1e-3)
    assert interaction_rad_per_V_A(80.0) == pytest.approx(energy2sigma(80e3), rel=1e-5)
