import numpy as np
import pytest

from micrographia.simulate.columns.blur import blur_matrix
from micrographia.simulate.columns.column import (
    MAX_ANGLE_MRAD,
    Column,
    Probe,
    _basis,
    _column_rings,
    _diffract,
    _elastic_and_diffuse,
    _propagator,
    _scattering,
)
from micrographia.simulate.columns.diffuse import _modes, real_by_complex, thermal_mean, vibrating

PROBE = Probe(energy_kev=60.0, convergence_mrad=20.0)
RINGS = int(MAX_ANGLE_MRAD)


def power(wave):
    return wave.real**2 + wave.imag**2


def every_mode(atom, vibration_A, transforms, phonons):
    """Modes up to a number of phonons, as (angular order 0 or more, amplitudes)."""
    for order in range(min(phonons + 1, len(transforms.j_k_rho))):
        modes = _modes(atom, vibration_A, transforms, order=order, most_pairs=(phonons - order) // 2)
        yield order, modes[:, 1:] if order == 0 else modes


def pair_by_modes(symbols, heights_A, vibration_A, probe, *, phonons):
    """Both atoms' modes for every position of the probe, the first atom's diffuse waves through the second's mean.

    Left out: diffuse scattering of diffuse waves.
    """
    basis = _basis(probe)
    kept, area, k_area = RINGS * basis.nodes_per_ring, basis.rho_area_A2[:, None], basis.k_area_per_A2[:, None]
    atoms = [_scattering(s, basis) for s in symbols]
    means = [thermal_mean(a, vibration_A, basis.transforms) for a in atoms]
    step = _propagator(basis.k_per_A, heights_A[1] - heights_A[0], basis)[:, None]
    intensity = _diffract(means, list(heights_A), basis)[0]
    diffuse = np.zeros((kept, basis.radius_A.size))
    modes = [list(every_mode(a, vibration_A, basis.transforms, phonons)) for a in atoms]
    for m in range(len(basis.j_k_rho)):
        incoming = [
            real_by_complex(
                basis.j_aperture_rho[m].T,
                (basis.aperture_weight * basis.aberration * _propagator(basis.aperture_per_A, z, basis))[:, None]
                * basis.j_aperture_radius[m],
            )
            for z in heights_A
        ]
        scattered = real_by_complex(basis.j_k_rho[m], area * means[0][:, None] * incoming[0])
        waves = [incoming[0], incoming[1] + real_by_complex(basis.j_k_rho[m].T, k_area * step * scattered)]
        for n in range(2):
            for order, amplitudes in modes[n]:
                for ends in {m + order, m - order}:
                    if abs(ends) >= len(basis.j_k_rho):
                        continue
                    j = basis.j_k_rho[abs(ends)]
                    for amplitude in amplitudes.T:
                        wave = area * amplitude[:, None] * waves[n]
                        if np.abs(amplitude[:, None] * waves[n]).max() < 1e-5:
                            continue
                        out = real_by_complex(j if n == 0 else j[:kept], wave)
                        if n == 0:
                            out = step * out
                            light = real_by_complex(j.T, k_area * out)
                            out = out[:kept] + real_by_complex(j[:kept], area * means[1][:, None] * light)
                        diffuse += (1 if m == 0 else 2) * power(out)
    intensity = intensity + (k_area[:kept] * diffuse).T
    return intensity.reshape(basis.radius_A.size, RINGS, basis.nodes_per_ring).sum(axis=2)


@pytest.mark.parametrize("symbol", ["S", "Te"])
def test_all_phonons_together_are_the_blur_of_a_single_atom(symbol):
    # 0.03 Å: at 260 mrad and 60 keV the mean number of phonons is (2 pi u q)^2 = 1.0, so eight are all of them.
    basis = _basis(PROBE)
    atom, kept = _scattering(symbol, basis), RINGS * basis.nodes_per_ring
    mean = thermal_mean(atom, 0.03, basis.transforms)
    at_rest, elastic = (_diffract([a], [0.0], basis)[0] for a in (atom, mean))
    blurred = (blur_matrix(basis.radius_A, 0.03) @ at_rest)[0]
    wave = real_by_complex(basis.j_aperture_rho[0].T, basis.aperture_weight[:, None] + 0j)  # in focus, on the atom
    diffuse = np.zeros(kept)
    for order, modes in every_mode(atom, 0.03, basis.transforms, 8):
        out = real_by_complex(basis.j_k_rho[order][:kept], basis.rho_area_A2[:, None] * modes * wave)
        diffuse += (1 if order == 0 else 2) * power(out).sum(axis=1)
    assert elastic[0] + basis.k_area_per_A2[:kept] * diffuse == pytest.approx(blurred, abs=1e-3 * blurred.max())


def test_the_mean_and_the_modes_share_the_light():
    basis = _basis(PROBE)
    atom = vibrating(_scattering("Se", basis), 0.07, basis.transforms)
    assert atom.source.sum() > atom.compact.sum() > atom.rest.sum() > 0
    # What the mean wave loses goes into the modes: many phonons are all of the source but what scatters past the
    # tables' end at 10 per Å.
    shares = sum(
        (1 if order == 0 else 2) * (basis.rho_area_A2[:, None] * np.abs(modes) ** 2).sum()
        for order, modes in every_mode(_scattering("Se", basis), 0.07, basis.transforms, 60)
    )
    assert 0.9 < shares / atom.source.sum() < 1


def test_a_mode_is_a_derivative_of_the_mean():
    # One phonon: F = -u dT/dx, which has the radial part u T'(rho) / sqrt(2) in each of the orders 1 and -1.
    basis = _basis(PROBE)
    atom, u = _scattering("S", basis), 0.07
    mean = thermal_mean(atom, u, basis.transforms)
    mode = _modes(atom, u, basis.transforms, order=1, most_pairs=0)[:, 0]
    inner = (basis.rho_A > 0.05) & (basis.rho_A < 0.5)
    slope = np.gradient(mean, basis.rho_A)
    assert np.abs(mode)[inner] == pytest.approx(np.abs(u * slope / np.sqrt(2))[inner], rel=0.02)


@pytest.mark.parametrize("symbols", [("Se", "Te"), ("Te", "Se")])
def test_the_factor_for_a_probe_on_the_column_serves_beside_it(symbols):
    heights, u = (-1.7, 1.7), 0.06
    column = Column(atoms=tuple(zip(symbols, heights, strict=True)))
    ours = _column_rings(column, PROBE, (u, u)).rings
    truth = pair_by_modes(symbols, heights, u, PROBE, phonons=14)
    basis = _basis(PROBE)
    _, parts = _elastic_and_diffuse([_scattering(s, basis) for s in symbols], list(heights), (u, u), basis)
    by_light_only = sum((1 - part.factor) * part.light[:, None] * part.alone for part in parts.values())
    for inner, outer in ((50, 120), (70, 200)):
        kernel, expected = (rings[:, inner:outer].sum(axis=1) for rings in (ours, truth))
        # 0.2 % for what the factor leaves, 0.4 % for the diffuse scattering of diffuse waves.
        assert kernel == pytest.approx(expected, abs=0.006 * expected.max())
    n = basis.nodes_per_ring
    assert np.abs(by_light_only[0, 70 * n : 200 * n].sum()) > 0.01 * ours[0, 70:200].sum()  # not idle
