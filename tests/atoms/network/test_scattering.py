"""Cross sections against the simulator's multislice, against Born's approximation, and against geometry."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.special import j0

from micrographia.atoms.network.scattering import _overlap, cross_section_A2
from micrographia.simulate import Column, Probe
from micrographia.simulate.columns.column import column_rings
from micrographia.simulate.columns.kernels import ring_weights
from micrographia.simulate.columns.potentials import (
    interaction_rad_per_V_A,
    projected_potential_V_A,
    wavelength_A,
)

DETECTORS = ((50.0, 120.0), (70.0, 200.0))


def overlap(distance, first, second):
    return float(_overlap(np.array([float(distance)]), first, second)[0])


@cache
def by_multislice(symbol, detector):
    """Integral of the column's kernel over the plane."""
    kernel = column_rings(
        Column(atoms=((symbol, 0.0),)), Probe(energy_kev=80.0, convergence_mrad=30.0), vibration_A=0.08
    )
    profile = kernel.rings @ ring_weights(detector)
    return float(np.trapezoid(2 * np.pi * kernel.radius_A * profile, kernel.radius_A))


def by_eikonal(symbol, *detectors):
    columns = ((symbol,),)
    return cross_section_A2(columns, energy_kev=80.0, convergence_mrad=30.0, collection_mrad=detectors)[:, 0]


@pytest.mark.parametrize("detector", DETECTORS, ids=["MAADF", "HAADF"])
def test_the_integral_of_the_simulators_own_image(detector):
    # Kernels end 12 Å from the column, and so lack a little of the light; a neighbour in the table lacks as much.
    mo, nb = (by_multislice(symbol, detector) for symbol in ("Mo", "Nb"))
    here = {symbol: by_eikonal(symbol, detector)[0] for symbol in ("Mo", "Nb")}
    assert here["Mo"] == pytest.approx(mo, rel=0.04)
    assert here["Nb"] / here["Mo"] == pytest.approx(nb / mo, rel=0.001)
    assert nb / mo < 0.98  # and that says something


def test_thermal_motion_does_not_change_the_integral_of_one_atom():
    # Says why the atoms may rest: blur moves light about, and neither makes nor takes any.
    probe = Probe(energy_kev=80.0, convergence_mrad=30.0)
    kernel = column_rings(Column(atoms=(("Mo", 0.0),)), probe, vibration_A=0.0)
    profile = kernel.rings @ ring_weights(DETECTORS[1])
    at_rest = float(np.trapezoid(2 * np.pi * kernel.radius_A * profile, kernel.radius_A))
    assert by_multislice("Mo", DETECTORS[1]) == pytest.approx(at_rest, rel=0.01)


@pytest.mark.parametrize("symbol", ["H", "Li"])
def test_a_light_atom_at_high_energy_scatters_as_born_says(symbol):
    energy_kev, convergence_mrad, detector = 300.0, 20.0, (40.0, 150.0)
    wavelength, sigma = wavelength_A(energy_kev), interaction_rad_per_V_A(energy_kev)

    def transform(q_per_A):
        # Of the projected potential; b = u^2 takes the pole away.
        def integrand(u):
            return 2 * u**3 * projected_potential_V_A(symbol, np.array([u * u]))[0] * j0(2 * np.pi * q_per_A * u * u)

        return 2 * np.pi * quad(integrand, 0, np.sqrt(8.0), limit=400)[0]

    # Smooth in the angle, so that a few values say all.
    few = np.linspace(15.0, 175.0, 21)
    amplitude_A = CubicSpline(few, [sigma / wavelength * transform(1e-3 * t / wavelength) for t in few])

    def ring(theta_mrad):
        inner, outer = (overlap(theta_mrad, convergence_mrad, angle) for angle in detector)
        fraction = (outer - inner) / (np.pi * convergence_mrad**2)
        return amplitude_A(theta_mrad) ** 2 * fraction * 2 * np.pi * theta_mrad * 1e-6

    theta = np.linspace(20.0, 170.0, 301)
    born = np.trapezoid([ring(t) for t in theta], theta)
    columns = ((symbol,),)
    eikonal = cross_section_A2(
        columns, energy_kev=energy_kev, convergence_mrad=convergence_mrad, collection_mrad=(detector,)
    )[0, 0]
    # The phase of a grazing passage is of the order of alpha Z / beta, 0.03 for Li; corrections, of its square.
    assert eikonal == pytest.approx(born, rel=0.005)


@settings(max_examples=12, deadline=None)
@given(
    inner=st.floats(35, 80),
    width=st.floats(15, 60),
    more=st.floats(15, 60),
    symbol=st.sampled_from(["S", "Se", "Mo", "W", "Re"]),
)
def test_what_two_detectors_see_adds_up(inner, width, more, symbol):
    middle, outer = inner + width, inner + width + more
    first, second, both = by_eikonal(symbol, (inner, middle), (middle, outer), (inner, outer))
    assert first + second == pytest.approx(both, rel=1e-12)
    assert min(first, second) > 0


def test_two_atoms_at_one_place_scatter_between_twice_and_four_times_as_much():
    one, two = cross_section_A2(
        (("S",), ("S", "S")), energy_kev=80.0, convergence_mrad=30.0, collection_mrad=DETECTORS
    ).T
    assert (two > 2 * one).all()
    assert (two < 4 * one).all()


def test_overlap_in_closed_form():
    assert overlap(0, 30, 80) == pytest.approx(np.pi * 30**2)
    assert overlap(50, 30, 80) == pytest.approx(np.pi * 30**2)  # touches from within
    assert overlap(110, 30, 80) == pytest.approx(0, abs=1e-3)  # touches from without
    assert overlap(500, 30, 80) == pytest.approx(0, abs=1e-3)
    # Two discs, each through the other's centre: a vesica piscis.
    assert overlap(30, 30, 30) == pytest.approx(30**2 * (2 * np.pi / 3 - np.sqrt(3) / 2))
    # An almost straight edge through the centre cuts a disc in half.
    assert overlap(1e6, 30, 1e6) == pytest.approx(np.pi * 30**2 / 2, rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(distance=st.floats(0, 200), first=st.floats(5, 100), second=st.floats(5, 100))
def test_overlap_by_throwing_darts(distance, first, second):
    darts = 20_000
    rng = np.random.default_rng(0)
    radius, angle = first * np.sqrt(rng.random(darts)), 2 * np.pi * rng.random(darts)
    hits = np.mean(np.hypot(radius * np.cos(angle) - distance, radius * np.sin(angle)) < second)
    share = overlap(distance, first, second) / (np.pi * first**2)
    assert share == pytest.approx(hits, abs=5 * np.sqrt(0.25 / darts))
    assert overlap(distance, first, second) == pytest.approx(overlap(distance, second, first), rel=1e-6, abs=1e-6)
