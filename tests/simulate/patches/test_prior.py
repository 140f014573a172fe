from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from micrographia.errors import ContextError
from micrographia.simulate.columns.column import Probe
from micrographia.simulate.columns.potentials import wavelength_A
from micrographia.simulate.patches.prior import Imaging, ImagingPrior, draw_exposures, draw_imaging, imaging_of
from micrographia.simulate.specimens.catalogue import read_catalogue

PRIOR = ImagingPrior()


def edge_phases_rad(probe):
    # chi(k) = pi lambda defocus k^2 and pi / 2 Cs lambda^3 k^4 at k = alpha / lambda.
    wavelength, alpha = wavelength_A(probe.energy_kev), 1e-3 * probe.convergence_mrad
    k = alpha / wavelength
    return np.pi * wavelength * probe.defocus_A * k**2, np.pi / 2 * 1e7 * probe.cs_mm * wavelength**3 * k**4


@given(seed=st.integers(0, 2**32 - 1), channels=st.integers(1, 4))
def test_every_draw_is_a_dark_field_within_the_ranges(seed, channels):
    imaging = draw_imaging(PRIOR, np.random.default_rng(seed), channels=channels)
    probe = imaging.probe
    assert 30 <= probe.energy_kev <= 300
    assert 15 <= probe.convergence_mrad <= 40
    assert 0.15 <= imaging.source_sigma_A <= 0.5
    assert max(np.abs(edge_phases_rad(probe))) <= np.pi / 4 + 1e-9
    assert len(imaging.collection_mrad) == channels
    for inner, outer in imaging.collection_mrad:
        assert max(20, probe.convergence_mrad + 2) - 1e-9 <= inner <= 120
        assert inner + 15 - 1e-9 <= outer <= min(250, probe.convergence_mrad + 220) + 1e-9


@given(
    energy=st.floats(30, 300),
    convergence=st.floats(1, 60),
    room=st.floats(0.5, 100),
    width=st.floats(0.5, 50),
    seed=st.integers(0, 99),
)
def test_ranges_of_ones_own_are_kept_too(energy, convergence, room, width, seed):
    inner = convergence + room
    prior = ImagingPrior(
        energy_kev=(energy, energy),
        convergence_mrad=(convergence, convergence),
        inner_mrad=(inner, inner),
        largest_outer_mrad=inner + width,
        beam_margin_mrad=room / 2,
        detector_width_mrad=width,
    )
    imaging = draw_imaging(prior, np.random.default_rng(seed), channels=1)
    assert imaging.probe.energy_kev == pytest.approx(energy)
    assert imaging.collection_mrad[0] == pytest.approx((inner, inner + width))


def test_the_marginals_are_the_stated_distributions():
    rng = np.random.default_rng(5)
    draws = [draw_imaging(PRIOR, rng, channels=2) for _ in range(2000)]
    convergence = np.array([d.probe.convergence_mrad for d in draws])
    phases = np.array([edge_phases_rad(d.probe) for d in draws])
    uniform = {
        "log energy": np.log([d.probe.energy_kev / 30 for d in draws]) / np.log(10),
        "convergence": (convergence - 15) / 25,
        "source": (np.array([d.source_sigma_A for d in draws]) - 0.15) / 0.35,
        "defocus": phases[:, 0] / (np.pi / 2) + 0.5,
        "spherical aberration": phases[:, 1] / (np.pi / 2) + 0.5,
    }
    for channel in range(2):
        inner, outer = np.array([d.collection_mrad[channel] for d in draws]).T
        nearest = np.maximum(20, convergence + 2)
        uniform[f"inner {channel}"] = (inner - nearest) / (120 - nearest)
        uniform[f"outer {channel}"] = (outer - inner - 15) / (np.minimum(250, convergence + 220) - inner - 15)
    exposures = draw_exposures(PRIOR, rng, 2000)
    uniform |= {
        "log dose": np.log10(exposures.dose_e_per_A2 / 1e4) / 4,
        "pixel": (exposures.pixel_A - 0.08) / 0.32,
        "rotation": exposures.rotation_deg / 360,
    }
    for name, sample in uniform.items():
        assert kstest(sample, "uniform").pvalue > 1e-3, name
    together = np.corrcoef(list(uniform.values()))
    assert np.abs(together - np.eye(len(uniform))).max() < 4.5 / np.sqrt(2000)  # independent of each other


def test_the_same_generator_gives_the_same_draws():
    first, again = (draw_imaging(PRIOR, np.random.default_rng([3, 1]), channels=2) for _ in range(2))
    assert first == again
    one, two = (draw_exposures(PRIOR, np.random.default_rng(3), 50) for _ in range(2))
    assert np.array_equal(one.dose_e_per_A2, two.dose_e_per_A2)
    assert draw_exposures(PRIOR, np.random.default_rng(3), 0).pixel_A.shape == (0,)


def test_a_quarter_wave_of_defocus():
    # 60 keV, 32 mrad: lambda / (2 alpha^2) = 0.04866 Å / 0.002048 = 23.8 Å; Cs = lambda / alpha^4 = 4.64 µm.
    prior = replace(
        PRIOR,
        energy_kev=(60.0, 60.0),
        convergence_mrad=(32.0, 32.0),
        defocus_rad=(np.pi / 2, np.pi / 2),
        cs_rad=(np.pi / 2, np.pi / 2),
    )
    probe = draw_imaging(prior, np.random.default_rng(0), channels=1).probe
    assert probe.defocus_A == pytest.approx(23.76, abs=0.02)
    assert probe.cs_mm == pytest.approx(4.64e-3, rel=2e-3)


def test_a_catalogue_condition_becomes_imaging():
    condition = read_catalogue().conditions[3]
    imaging = imaging_of(condition, source_sigma_A=0.3)
    assert imaging == Imaging(
        probe=Probe(energy_kev=80.0, convergence_mrad=30.0), collection_mrad=((70.0, 200.0),), source_sigma_A=0.3
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"energy_kev": (300.0, 30.0)}, "energy_kev is 300 to 30; accepted is low <= high"),
        ({"energy_kev": (20.0, 300.0)}, "energy_kev is 20 to 300"),
        ({"pixel_A": (0.0, 0.4)}, "pixel_A is 0 to 0.4"),
        ({"dose_e_per_A2": (0.0, 1e8)}, "dose_e_per_A2 is 0 to 1e"),
        ({"source_sigma_A": (-0.1, 0.5)}, "source_sigma_A is -0.1"),
        ({"rotation_deg": (0.0, float("nan"))}, "rotation_deg is 0 to nan"),
        ({"defocus_rad": (-float("inf"), 0.0)}, "defocus_rad is -inf"),
        ({"inner_mrad": (20.0, 41.0)}, "within 2 mrad of the widest beam, 40 mrad"),
        ({"largest_outer_mrad": 130.0}, "largest outer angle is 130 mrad; accepted is from 135"),
        ({"largest_outer_mrad": 261.0}, "to 260 mrad"),
        ({"beam_margin_mrad": 0.0}, "beam margin is 0 mrad"),
        ({"detector_width_mrad": float("nan")}, "width nan mrad"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(change, says):
    with pytest.raises(ContextError, match=says):
        replace(PRIOR, **change)


def test_imaging_that_makes_no_sense_is_refused():
    probe = Probe(energy_kev=80.0, convergence_mrad=30.0)
    with pytest.raises(ContextError, match="a bright field"):
        Imaging(probe=probe, collection_mrad=((70.0, 200.0), (25.0, 60.0)), source_sigma_A=0.3)
    with pytest.raises(ContextError, match="needs a detector"):
        Imaging(probe=probe, collection_mrad=(), source_sigma_A=0.3)
    with pytest.raises(ContextError, match="source size is -1"):
        Imaging(probe=probe, collection_mrad=((70.0, 200.0),), source_sigma_A=-1.0)
    with pytest.raises(ContextError, match="number of channels is 0"):
        draw_imaging(PRIOR, np.random.default_rng(0), channels=0)
