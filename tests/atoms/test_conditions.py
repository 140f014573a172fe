from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scans import HIGH, LOW, PROBE, field, measured, metal_first, scan_of

from micrographia.atoms.conditions import (
    CONVERGENCES_MRAD,
    ENERGIES_KEV,
    Condition,
    conditions,
    evidence,
    grid_of,
    joint_weights,
    marginals,
)
from micrographia.context import Context
from micrographia.errors import ContextError
from micrographia.simulate import Probe, cached_rings, detector_table, host, hypotheses
from micrographia.simulate.columns.vibration import VIBRATION_A

OPTIONS = hypotheses(host("WSe2"), (), impurities=("S",))
BEAM = {"energy_kev": 80.0, "convergence_mrad": 30.0}


def weighed(context: Context, *, sigma_A: float = 0.45) -> list[list[Condition]]:
    """Conditions of a pristine noise-free scan with a high-angle and a low-angle channel."""
    specimen = field(70.0, seed=6, rotation_deg=8.0)
    scan = scan_of(specimen, detectors=(HIGH, LOW), sigma_A=sigma_A)
    lattice, reflections = measured(scan.frames)
    reciprocal = reflections.index @ lattice.g_per_px[:2] / 0.25
    first = metal_first(lattice, reflections, specimen, 0.25)
    return [
        conditions(
            reflections, channel=c, context=context, options=OPTIONS, metal_first=first, reciprocal_per_A=reciprocal
        )
        for c in range(2)
    ]


@pytest.fixture(scope="module")
def unknown() -> list[list[Condition]]:
    return weighed(Context(**BEAM, origin="user"))


@pytest.fixture(scope="module")
def known() -> list[list[Condition]]:
    return weighed(Context(**BEAM, collection_mrad=(HIGH, LOW), origin="user"))


def test_the_inner_angle_of_each_channel_is_learnt(unknown: list[list[Condition]]) -> None:
    found = {m.name: m for m in marginals(unknown, joint_weights(unknown))}
    assert set(found) == {"inner_mrad[0]", "inner_mrad[1]", "outer_mrad[0]", "outer_mrad[1]"}
    for name, (inner, _) in (("inner_mrad[0]", HIGH), ("inner_mrad[1]", LOW)):
        assert abs(found[name].mean - inner) < 2 * found[name].standard_deviation
        assert found[name].standard_deviation < 20
    assert found["inner_mrad[0]"].mean > found["inner_mrad[1]"].mean + 15


def test_blur_is_recovered(known: list[list[Condition]]) -> None:
    for channel in known:
        assert np.sqrt(np.linalg.eigvalsh(channel[0].blur_A2)) == pytest.approx([0.45, 0.45], rel=0.05)


def test_the_truth_explains_the_mean_unit_cell(known: list[list[Condition]], unknown: list[list[Condition]]) -> None:
    for right, every in zip(known, unknown, strict=True):
        assert right[0].log_likelihood > -0.5
        assert right[0].log_likelihood == pytest.approx(max(c.log_likelihood for c in every), abs=0.5)


@pytest.mark.parametrize(("channel", "angles"), [(0, HIGH), (1, LOW)])
def test_amplitudes_are_overlap_integrals_of_blurred_kernels(
    known: list[list[Condition]], channel: int, angles: tuple[float, float]
) -> None:
    condition = known[channel][0]
    sigma_A = float(np.sqrt(np.trace(condition.blur_A2) / 2))
    rings = [cached_rings(o.column, PROBE, vibration_A=VIBRATION_A) for o in OPTIONS]
    tables = np.array([detector_table(r, angles, source_sigma_A=sigma_A) for r in rings])
    r_A = 0.01 * np.arange(tables.shape[1])
    for amplitude, table, option in zip(condition.amplitude, tables, OPTIONS, strict=True):
        pristine = tables[[o.label for o in OPTIONS].index("M" if option.label in ("M", "V_M") else "X2")]
        direct = np.trapezoid(table * pristine * r_A, r_A) / np.trapezoid(pristine**2 * r_A, r_A)
        assert amplitude == pytest.approx(direct, abs=0.005)


def test_grid_counts() -> None:
    one = Context(**BEAM, collection_mrad=(HIGH, None), origin="user")
    assert grid_of(one, 0) == [(PROBE, HIGH)]
    # By hand: from 35 mrad (1.05 x 30 is 31.5) the outer angles of the grid past 1.5 times the inner one.
    #   35: 60 80 100 120 150 200 250 = 7, 40: 7, 50: 80 ... = 6, 60: 100 ... = 5, 70: 120 ... = 4, 80: 120 ... = 4,
    #   90: 150 200 250 = 3, 100: 3, 120: 200 250 = 2
    assert len(grid_of(one, 1)) == 7 + 7 + 6 + 5 + 4 + 4 + 3 + 3 + 2
    probes = {p for p, _ in grid_of(Context(collection_mrad=(HIGH,), origin="user"), 0)}
    assert probes == {Probe(energy_kev=e, convergence_mrad=c) for e in ENERGIES_KEV for c in CONVERGENCES_MRAD}


def test_a_bright_field_detector_is_told() -> None:
    bright = Context(**BEAM, collection_mrad=((0.0, 28.0),), origin="user")
    with pytest.raises(ContextError, match="channel 1 collects 0 to 28 mrad, all within the direct beam of 30 mrad"):
        grid_of(bright, 0)


def test_a_beam_wider_than_every_detector_of_the_grid_is_told() -> None:
    with pytest.raises(ContextError, match="give --collection-mrad INNER OUTER"):
        grid_of(Context(convergence_mrad=150.0, origin="user"), 0)


def condition(energy_kev: float, inner_mrad: float, likelihood: float) -> Condition:
    return Condition(
        probe=Probe(energy_kev=energy_kev, convergence_mrad=30.0),
        collection_mrad=(inner_mrad, 200.0),
        log_likelihood=float(np.log(likelihood)),
        blur_A2=np.eye(2),
        amplitude=np.ones(1),
    )


def test_channels_share_one_probe() -> None:
    # Means over angles: channel 1 has 2 at 60 keV and 2 at 80 keV, channel 2 has 4 and 1; products 8 and 2.
    first = [condition(60, 50, 1), condition(60, 60, 3), condition(80, 50, 2)]
    second = [condition(60, 50, 4), condition(80, 50, 1), condition(80, 60, 1)]
    one, two = joint_weights([first, second])
    assert one == pytest.approx([0.8 / 4, 0.8 * 3 / 4, 0.2])
    assert two == pytest.approx([0.8, 0.1, 0.1])
    assert evidence([first, second]) == pytest.approx(np.log((8 + 2) / 2))
    energy = next(m for m in marginals([first, second], [one, two]) if m.name == "energy_kev")
    assert energy.values == (60, 80)
    assert energy.weights == pytest.approx((0.8, 0.2))
    assert energy.mean == pytest.approx(64)
    assert energy.standard_deviation == pytest.approx(8)  # 20 sqrt(0.8 0.2)


def test_hopeless_likelihoods_do_not_underflow() -> None:
    far = [replace(condition(60, 50, 1), log_likelihood=v) for v in (-2000.0, -2000.0 + np.log(3))]
    assert joint_weights([far])[0] == pytest.approx([0.25, 0.75])
    assert evidence([far]) == pytest.approx(-2000 + np.log(2))
