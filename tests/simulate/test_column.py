import numpy as np
import pytest
from scipy.special import jv

from micrographia.errors import ContextError, StructureError
from micrographia.simulate.blur import blur_matrix
from micrographia.simulate.column import Column, Probe, _basis, _bessel_table, _diffract, _scattering, column_rings
from micrographia.simulate.potentials import _lobato, interaction_rad_per_V_A, wavelength_A

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
    dark = basis.k_per_A > 40e-3 / basis.wavelength_A
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


def test_thermal_motion_of_a_pair_agrees_with_random_displacements():
    # Frozen phonons by the grid: 40 configurations leave about 2 % on the mean.
    vibration, rng = 0.08, np.random.default_rng(3)
    probe, detector = PROBE, ((76, 180),)
    still = column_rings(PAIR, probe, vibration_A=0.0)
    moving = column_rings(PAIR, probe, vibration_A=vibration)
    # Both atoms together displaced smear the static kernel; apart, they lose coherence. The truth lies beside both.
    ours = moving.rings[0, 76:180].sum()
    together = (blur_matrix(still.radius_A, vibration) @ still.rings)[0, 76:180].sum()
    assert ours != pytest.approx(together, rel=1e-3)
    box, points, values = 12.0, 240, []
    k = np.fft.fftfreq(points, box / points)
    k2 = k[:, None] ** 2 + k**2
    wavelength = wavelength_A(80.0)
    limit = 25e-3 / wavelength
    sub = (np.arange(5) - 2) / 5 / box
    start = np.mean([(k[:, None] + a) ** 2 + (k + b) ** 2 < limit**2 for a in sub for b in sub], axis=0)
    start = start / np.sqrt(np.pi * limit**2) * np.exp(1j * np.pi * wavelength * 1.66 * k2)
    spectrum = 47.87801 * scattering_factor_A("Se", np.sqrt(k2)) * (points / box) ** 2
    angle = 1e3 * wavelength * np.sqrt(k2)
    dark = (angle >= detector[0][0]) & (angle < detector[0][1])
    for moves in (*np.zeros((1, 2, 2)), *rng.normal(scale=vibration, size=(60, 2, 2))):
        wave = start
        for atom, (dy, dx) in enumerate(moves):
            if atom:
                wave = wave * np.exp(-1j * np.pi * wavelength * 3.32 * k2)
            potential = np.fft.ifft2(spectrum * np.exp(-2j * np.pi * (k[:, None] * dy + k * dx))).real
            wave = np.fft.fft2(np.fft.ifft2(wave) * np.exp(1j * interaction_rad_per_V_A(80.0) * potential))
        values.append(np.sum(np.abs(wave[dark]) ** 2))
    change = np.array(values[1:]) / values[0]
    error = change.std() / np.sqrt(change.size)
    assert ours / still.rings[0, 76:180].sum() == pytest.approx(change.mean(), abs=3 * error + 0.01)


def test_bessel_functions_are_scipys():
    x = np.concatenate([[0.0, 1e-13, 1e-6], np.geomspace(1e-3, 400, 60)])
    table = _bessel_table(40, x)
    assert table == pytest.approx(jv(np.arange(40)[:, None], x), abs=1e-12)


def test_errors_name_what_is_wrong():
    with pytest.raises(StructureError, match="'Qq'"):
        column_rings(Column(atoms=(("Qq", 0.0),)), PROBE, vibration_A=0.0)
    with pytest.raises(ContextError, match="190 mrad at 3000 keV"):
        column_rings(SELENIUM, Probe(energy_kev=3000.0, convergence_mrad=190.0), vibration_A=0.0)
