import numpy as np
import pytest
from ase.data import atomic_masses, atomic_numbers
from hypothesis import given
from hypothesis import strategies as st

from micrographia.errors import ContextError, StructureError
from micrographia.simulate.columns.vibration import (
    SELENIDE_STIFFNESS,
    SULPHIDE_STIFFNESS_N_PER_M,
    TELLURIDE_STIFFNESS,
    VIBRATION_A,
    displacements_A,
    einstein_displacement_A,
    thermal_displacement_A,
)

HBAR, K_B, DALTON = 1.054571817e-34, 1.380649e-23, 1.66053907e-27


def mass_u(symbol):
    return atomic_masses[atomic_numbers[symbol]]


@given(mass=st.floats(1, 250), stiffness=st.floats(10, 500), temperature=st.floats(5, 1000))
def test_the_oscillator_is_the_sum_over_its_levels(mass, stiffness, temperature):
    # <x^2> = sum_n (2n + 1) x0^2 p_n / sum_n p_n with x0^2 = hbar / (2 m omega) and p_n Boltzmann's.
    omega = np.sqrt(stiffness / (mass * DALTON))
    quantum = HBAR * omega / (K_B * temperature)
    levels = np.arange(int(40 / quantum) + 40)
    weight = np.exp(-quantum * levels)
    squared = HBAR / (2 * mass * DALTON * omega) * np.sum((2 * levels + 1) * weight) / np.sum(weight)
    found = einstein_displacement_A(mass, stiffness, temperature_K=temperature)
    assert found == pytest.approx(1e10 * np.sqrt(squared), rel=1e-6)


def test_a_cold_oscillator_keeps_its_zero_point_motion():
    # Carbon at 100 N/m: omega = 7.08e13 / s, hbar / (2 m omega) = 3.73e-23 m^2.
    assert einstein_displacement_A(12.0, 100.0, temperature_K=1.0) == pytest.approx(0.0611, abs=1e-4)


def test_the_rule_is_the_mean_of_the_refined_values():
    refined_A2 = {"Mo": (0.0048,), "S": (0.0038, 0.0048), "Ta": (0.0034,)}
    off = [
        einstein_displacement_A(mass_u(symbol), SULPHIDE_STIFFNESS_N_PER_M) / np.sqrt(u2) - 1
        for symbol, values in refined_A2.items()
        for u2 in values
    ]
    assert np.mean(off) == pytest.approx(0, abs=0.01)
    assert np.sqrt(np.mean(np.square(off))) == pytest.approx(0.07, abs=0.005)


def test_softer_chalcogenides_have_lower_raman_modes():
    # cm^-1 of A1' (the chalcogens alone move) and E' (against the metal) of MoS2, MoSe2, MoTe2.
    stiffness = {}
    for symbol, out, inside in (("S", 403, 385), ("Se", 241, 287), ("Te", 172, 235)):
        m_x, m_mo = mass_u(symbol), mass_u("Mo")
        stiffness[symbol] = np.array([m_x * out**2, 2 * m_x * m_mo / (2 * m_x + m_mo) * inside**2])
    assert (stiffness["Se"] / stiffness["S"]).mean() == pytest.approx(SELENIDE_STIFFNESS, abs=0.005)
    assert (stiffness["Te"] / stiffness["S"]).mean() == pytest.approx(TELLURIDE_STIFFNESS, abs=0.005)


def test_every_element_of_the_tables_has_a_plausible_displacement():
    assert len(VIBRATION_A) == 103
    heavy = [u for symbol, u in VIBRATION_A.items() if atomic_numbers[symbol] > 7]
    assert 0.065 < min(heavy) < max(heavy) < 0.076
    assert VIBRATION_A["W"] == thermal_displacement_A("W")
    assert VIBRATION_A["S"] < VIBRATION_A["Se"] < VIBRATION_A["Te"]


def test_atoms_get_their_own_value():
    assert displacements_A(("Se", "S", "Se"), {"S": 0, "Se": 0.08}) == (0.08, 0.0, 0.08)
    assert displacements_A(("Se", "S"), 0) == (0.0, 0.0)
    assert displacements_A((), {}) == ()


@pytest.mark.parametrize("symbol", ["Qq", "X", "", "s", "Rf"])
def test_what_is_no_element_is_refused(symbol):
    with pytest.raises(StructureError, match="accepted is a symbol from H to Lr"):
        thermal_displacement_A(symbol)


@pytest.mark.parametrize("value", [-0.01, float("nan"), float("inf")])
@pytest.mark.parametrize("by_element", [True, False])
def test_displacements_out_of_range_are_refused(value, by_element):
    with pytest.raises(ContextError, match="accepted is 0 or more"):
        displacements_A(("W",), {"W": value} if by_element else value)


def test_a_mapping_that_lacks_an_element_is_refused():
    with pytest.raises(StructureError, match="'Se' is not given"):
        displacements_A(("W", "Se"), {"W": 0.07})
