import numpy as np
import pytest
from scipy.special import jv
from scipy.stats import norm, qmc

from micrographia.errors import ContextError, StructureError
from micrographia.simulate.columns import column as column_module
from micrographia.simulate.columns.blur import blur_matrix
from micrographia.simulate.columns.column import (
    Column,
    Probe,
    _basis,
    _bessel_table,
    _diffract,
    _scattering,
    column_rings,
)
from micrographia.simulate.columns.potentials import _lobato, interaction_rad_per_V_A, wavelength_A

PROBE = Probe(energy_kev=80.0, convergence_mrad=25.0)
SELENIUM = Column(atoms=(("Se", 0.0),))
PAIR = Column(atoms=(("Se", -1.66), ("Se", 1.66)))


def scattering_factor_A(symbol, g_per_A):
    a, b = _lobato()[symbol]
    g2 = np.asarray(g_per_A)[..., None] ** 2
    return np.sum(a * (2 + b * g2) / (1 + b * g2) ** 2, axis=-1)


def fft_multislice(column, probe, offsets_A, detectors, *, box_A=20.0, points=640):
    """Textbook multislice on a square grid: the column in the middle, the probe beside it."""
    wavelength = wavelength_A(probe.energy_kev)
    k = np.fft.fftfreq(points, box_A / points)
    k2 = k[:, None] ** 2 + k**2
    limit = 1e-3 * probe.convergence_mrad / wavelength
    # Each pixel's share within the aperture; not normalised on the grid, for a probe has tails outside the box.
    sub = (np.arange(9) - 4) / 9 / box_A
    share = np.mean([(k[:, None] + dy) ** 2 + (k + dx) ** 2 < limit**2 for dy in sub for dx in sub], axis=0)
    share = share * np.exp(1j * np.pi * wavelength * probe.defocus_A * k2) / np.sqrt(np.pi * limit**2)
    heights = [z for _, z in column.atoms]
    transmissions = {}
    for symbol in {s for s, _ in column.atoms}:
        spectrum = 47.87801 * scattering_factor_A(symbol, np.sqrt(k2)) * (points / box_A) ** 2
        potential = np.fft.ifft2(spectrum * np.exp(1j * np.pi * box_A * (k[:, None] + k))).real  # moved to the middle
        transmissions[symbol] = np.exp(1j * interaction_rad_per_V_A(probe.energy_kev) * potential)
    angle = 1e3 * wavelength * np.sqrt(k2)
    found = np.empty((len(detectors), len(offsets_A)))
    for n, offset in enumerate(offsets_A):
        shift = np.exp(-2j * np.pi * (k[:, None] * box_A / 2 + k * (box_A / 2 + offset)))
        wave = share * shift * np.exp(-1j * np.pi * wavelength * heights[0] * k2)
        for atom, (symbol, z) in enumerate(column.atoms):
            if atom:
                wave = wave * np.exp(-1j * np.pi * wavelength * (z - heights[atom - 1]) * k2)
            wave = np.fft.fft2(np.fft.ifft2(wave) * transmissions[symbol])
        for channel, (inner, outer) in enumerate(detectors):
            found[channel, n] = np.sum(np.abs(wave[(angle >= inner) & (angle < outer)]) ** 2) / box_A**2
    return found


@pytest.mark.parametrize(
    "column", [PAIR, Column(atoms=(("W", 0.0),)), Column(atoms=(("S", -1.5), ("Se", 1.7)))], ids=str
)
def test_rings_agree_with_an_independent_multislice_on_a_grid(column):
    detectors = ((40, 100), (76, 180))
    kernel = column_rings(column, PROBE, vibration_A=0.0)
    offsets = kernel.radius_A[[0, 3, 6]]
    grid = fft_multislice(column, PROBE, offsets, detectors)
    ours = np.array([kernel.rings[[0, 3, 6], inner:outer].sum(axis=1) for inner, outer in detectors])
    assert ours == pytest.approx(grid, rel=0.02, abs=0.005 * grid.max())


def test_rings_of_a_light_atom_are_those_of_the_first_born_approximation():
    # Wave at k: i sigma (h^2 / 2 pi m e) / sqrt(pi K^2) * int over the aperture of f(|k - k'|).
    probe = Probe(energy_kev=300.0, convergence_mrad=20.0)
    kernel = column_rings(Column(atoms=(("H", 0.0),)), probe, vibration_A=0.0)
    wavelength = wavelength_A(300.0)
    limit = 20e-3 / wavelength
    radius, weight = np.polynomial.legendre.leggauss(40)
    radius, weight = limit * (radius + 1) / 2, limit * weight / 2
    angle = np.arange(64) * 2 * np.pi / 64
    for ring in (30, 60, 120):
        k = (ring + 0.5) * 1e-3 / wavelength
        apart = np.hypot(k - radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle))
        wave = np.sum(scattering_factor_A("H", apart) * (weight * radius)[:, None]) * 2 * np.pi / 64
        wave *= interaction_rad_per_V_A(300.0) * 47.87801 / np.sqrt(np.pi * limit**2)
        assert kernel.rings[0, ring] == pytest.approx(wave**2 * 2 * np.pi * k * 1e-3 / wavelength, rel=0.02)


def test_nothing_is_lost_but_what_leaves_the_last_ring():
    # All that scatters comes out of the unscattered beam, so the rings add up to 0; beyond 260 mrad is little.
    kernel = column_rings(SELENIUM, Probe(energy_kev=200.0, convergence_mrad=20.0), vibration_A=0.0)
    scattered = np.clip(kernel.rings, 0, None).sum(axis=1)
    assert scattered[0] > 0.04
    assert np.abs(kernel.rings.sum(axis=1)[:5]).max() < 0.02 * scattered[0]


def test_an_empty_column_adds_nothing():
    assert not column_rings(Column(atoms=()), PROBE, vibration_A=0.075).rings.any()


def test_two_atoms_in_one_place_are_one_with_twice_the_potential():
    basis = _basis(PROBE)
    atom = _scattering("S", basis)
    both, _ = _diffract([atom, atom], [0.0, 0.0], basis)
    doubled, _ = _diffract([(1 + atom) ** 2 - 1], [0.0], basis)
    dark = basis.k_per_A[: both.shape[1]] > 40e-3 / basis.wavelength_A
    # Between atoms the wave is carried to 10 per Å, which is plenty at the distance of atoms but not at none.
    assert both[:, dark].sum(axis=1) == pytest.approx(doubled[:, dark].sum(axis=1), rel=0.02, abs=1e-6)


def test_a_focus_that_follows_the_column_gives_the_same_kernel():
    below = column_rings(Column(atoms=(("Se", 8.34), ("Se", 11.66))), Probe(energy_kev=80.0, convergence_mrad=25.0,
                                                                         defocus_A=10.0), vibration_A=0.0)  # fmt: skip
    assert below.rings == pytest.approx(column_rings(PAIR, PROBE, vibration_A=0.0).rings, abs=1e-9)


def test_out_of_focus_the_peak_is_lower_and_the_tail_holds_the_rest():
    blurred = column_rings(SELENIUM, Probe(energy_kev=80.0, convergence_mrad=25.0, defocus_A=150.0), vibration_A=0.0)
    sharp = column_rings(SELENIUM, PROBE, vibration_A=0.0)
    dark, radius = slice(60, 200), sharp.radius_A
    assert blurred.rings[0, dark].sum() < 0.6 * sharp.rings[0, dark].sum()
    near = radius < 9
    in_the_plane = [np.sum((kernel.rings[:, dark].sum(axis=1) * radius)[near]) for kernel in (sharp, blurred)]
    assert in_the_plane[1] == pytest.approx(in_the_plane[0], rel=0.03)


def test_thermal_motion_of_one_atom_smears_its_kernel():
    still = column_rings(SELENIUM, PROBE, vibration_A=0.0)
    moving = column_rings(SELENIUM, PROBE, vibration_A=0.1)
    assert moving.rings == pytest.approx(blur_matrix(still.radius_A, 0.1) @ still.rings, abs=1e-9)


@pytest.mark.parametrize(
    ("symbols", "vibration"),
    [(("Se", "Se"), (0.08, 0.08)), (("S", "Te"), (0.03, 0.1)), (("Te", "S"), (0.1, 0.03))],
)
def test_thermal_motion_of_a_pair_agrees_with_random_displacements(symbols, vibration):
    # Frozen phonons on a grid. It must be fine: with 0.05 Å the same mean comes out 1.5 % higher.
    detector, box, points, configurations = ((76, 180),), 12.0, 384, 64
    moves = norm.ppf(qmc.Sobol(4, rng=np.random.default_rng(3)).random(configurations)).reshape(-1, 2, 2)
    moves *= np.array(vibration)[:, None]
    k = np.fft.fftfreq(points, box / points)
    k2 = k[:, None] ** 2 + k**2
    wavelength = wavelength_A(80.0)
    limit = 25e-3 / wavelength
    sub = (np.arange(5) - 2) / 5 / box
    start = np.mean([(k[:, None] + a) ** 2 + (k + b) ** 2 < limit**2 for a in sub for b in sub], axis=0)
    start = start / np.sqrt(np.pi * limit**2) * np.exp(1j * np.pi * wavelength * 1.66 * k2)
    spectra = [47.87801 * scattering_factor_A(s, np.sqrt(k2)) * (points / box) ** 2 for s in symbols]
    between = np.exp(-1j * np.pi * wavelength * 3.32 * k2)
    angle = 1e3 * wavelength * np.sqrt(k2)
    dark = (angle >= detector[0][0]) & (angle < detector[0][1])
    values = []
    for move in (np.zeros((2, 2)), *moves):
        wave = start
        for atom, (dy, dx) in enumerate(move):
            shift = np.exp(-2j * np.pi * k * dy)[:, None] * np.exp(-2j * np.pi * k * dx)
            potential = np.fft.ifft2(spectra[atom] * shift).real
            wave = np.fft.fft2(np.fft.ifft2(wave) * np.exp(1j * interaction_rad_per_V_A(80.0) * potential))
            wave = wave * between if atom == 0 else wave
        values.append(np.sum(np.abs(wave[dark]) ** 2))
    column = Column(atoms=tuple(zip(symbols, (-1.66, 1.66), strict=True)))
    moving = column_rings(column, PROBE, vibration_A=dict(zip(symbols, vibration, strict=True)))
    still = column_rings(column, PROBE, vibration_A=0.0)
    ours = moving.rings[0, 76:180].sum() / still.rings[0, 76:180].sum()
    assert ours == pytest.approx(np.mean(values[1:]) / values[0], abs=0.01)


def test_a_mapping_of_equal_numbers_is_one_number():
    mixed = Column(atoms=(("S", -1.66), ("Se", 1.66)))
    alike = column_rings(mixed, PROBE, vibration_A={"S": 0.07, "Se": 0.07, "W": 0.5})
    assert np.array_equal(alike.rings, column_rings(mixed, PROBE, vibration_A=0.07).rings)
    still = column_rings(mixed, PROBE, vibration_A={"S": 0.0, "Se": 0.0})
    assert np.array_equal(still.rings, column_rings(mixed, PROBE, vibration_A=0.0).rings)


def test_an_atom_that_hardly_scatters_leaves_the_other_alone():
    # Hydrogen moves or not: selenium's own motion blurs its kernel. Hydrogen itself adds 1 % (Z^2 alone: 0.1 %,
    # by interference up to 2 / 34).
    pair = Column(atoms=(("H", -1.66), ("Se", 1.66)))
    probe = Probe(energy_kev=80.0, convergence_mrad=25.0, defocus_A=1.66)
    single = column_rings(SELENIUM, PROBE, vibration_A=0.08).rings[:, 76:180].sum(axis=1)
    for hydrogen in (0.0, 0.12):
        both = column_rings(pair, probe, vibration_A={"H": hydrogen, "Se": 0.08}).rings[:, 76:180].sum(axis=1)
        assert both == pytest.approx(single, abs=0.02 * single.max())


def test_what_is_left_out_does_not_show(monkeypatch):
    # Harmonics of the incident wave below 1e-5: with all of them kept, no ring changes by 1e-6 of its peak.
    column_module._basis.cache_clear()
    mixed = Column(atoms=(("S", -1.66), ("Se", 1.66)))
    quick = column_rings(mixed, PROBE, vibration_A=0.07).rings
    monkeypatch.setattr(column_module, "_NEGLIGIBLE", -1.0)
    column_module._basis.cache_clear()
    assert set(column_module._basis(PROBE).first_rho) == {0}
    full = column_rings(mixed, PROBE, vibration_A=0.07).rings
    column_module._basis.cache_clear()
    assert (np.abs(quick - full).max(axis=0) / np.abs(full).max(axis=0)).max() < 1e-9


def test_bessel_functions_are_scipys():
    x = np.concatenate([[0.0, 1e-13, 1e-6], np.geomspace(1e-3, 400, 60)])
    table = _bessel_table(40, x)
    assert table == pytest.approx(jv(np.arange(40)[:, None], x), abs=1e-12)


def test_errors_name_what_is_wrong():
    with pytest.raises(StructureError, match="'Qq'"):
        column_rings(Column(atoms=(("Qq", 0.0),)), PROBE, vibration_A=0.0)
    with pytest.raises(ContextError, match=r"thermal vibration is -0\.1 Å"):
        column_rings(SELENIUM, PROBE, vibration_A=-0.1)
    with pytest.raises(StructureError, match="thermal vibration of 'Se' is not given"):
        column_rings(SELENIUM, PROBE, vibration_A={"S": 0.07})
    with pytest.raises(ContextError, match="190 mrad at 3000 keV"):
        column_rings(SELENIUM, Probe(energy_kev=3000.0, convergence_mrad=190.0), vibration_A=0.0)
