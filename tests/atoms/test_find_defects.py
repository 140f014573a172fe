"""End to end on simulated scans of known truth."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scans import HIGH, LOW, PROBE, field, inside, measured, scan_of, told
from scipy.spatial import cKDTree
from scipy.stats import chi2

from micrographia.atoms import PhysicsSettings, Prior, find_defects
from micrographia.atoms.physics import solve
from micrographia.context import Context
from micrographia.errors import ContextError, InputError, StructureError
from micrographia.findings import DefectFindings, SiteTable
from micrographia.micrograph import Micrograph
from micrographia.simulate import Specimen, host, hypotheses, monolayer, simulate_scan
from micrographia.simulate.scans.faults import ScanFaults

BEAM = {"energy_kev": 80.0, "convergence_mrad": 30.0}
VACANCIES = {"V_X": 0.06, "V_X2": 0.01}
PIXEL_A, DOSE = 0.25, 1e6


def true_labels(sites: SiteTable, specimen: Specimen) -> np.ndarray:
    tree = cKDTree(np.stack([specimen.x_A, specimen.y_A], axis=1) / PIXEL_A)
    distance, near = tree.query(np.stack([sites.x_px, sites.y_px], axis=1))
    assert distance.max() < 0.15
    return specimen.label[near]


def remark(findings: DefectFindings, start: str) -> str:
    return next((r for r in findings.remarks if r.startswith(start)), "")


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    return field(70.0, seed=3, fractions=VACANCIES, rotation_deg=9)


@pytest.fixture(scope="module")
def pair(specimen: Specimen) -> Micrograph:
    return scan_of(specimen, detectors=(HIGH, LOW), dose=DOSE)


@pytest.fixture(scope="module")
def found(pair: Micrograph) -> DefectFindings:
    return find_defects(told(pair, **BEAM))


def one_channel(scan: Micrograph, channel: int) -> Micrograph:
    return replace(scan, frames=scan.frames[channel : channel + 1], context=Context())


@pytest.mark.parametrize("channel", [0, 1], ids=["metal brighter", "chalcogen brighter"])
def test_one_channel_of_unknown_angles_is_enough_where_there_are_vacancies(
    specimen: Specimen, pair: Micrograph, channel: int
) -> None:
    # A V_X has 0.43 or 0.28 of the pair's brightness and the noise of a site is below 0.05: nothing is in doubt.
    findings = find_defects(told(one_channel(pair, channel), **BEAM))
    assert (findings.sites.label == true_labels(findings.sites, specimen)).all()
    assert findings.sites.posterior.max(axis=1).min() > 0.98


def test_both_channels_decide_every_site(specimen: Specimen, found: DefectFindings) -> None:
    truth = true_labels(found.sites, specimen)
    assert (found.sites.label == truth).all()
    counts = {f.label: f.count for f in found.findings}
    assert counts == {label: int(np.sum(truth == label)) for label in found.sites.labels}
    # The sites reported are all those at least one lattice constant (less half a pixel) inside.
    xy = np.stack([specimen.x_A, specimen.y_A], axis=1) / PIXEL_A
    edge = 3.32 / PIXEL_A - 0.5
    least, most = (np.sum(inside(xy, found.model.shape, edge + slack)) for slack in (0.2, -0.2))
    assert least <= len(found.sites) <= most


def test_sites_of_a_sublattice_have_nothing_of_the_other(found: DefectFindings) -> None:
    on_metal = [label in ("M", "V_M", "D_M") for label in found.sites.labels]
    metal = found.sites.sublattice == "M"
    assert (found.sites.posterior[np.ix_(metal, ~np.array(on_metal))] == 0).all()
    assert (found.sites.posterior[np.ix_(~metal, np.array(on_metal))] == 0).all()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_detector_at_higher_angles_is_told(pair: Micrograph, found: DefectFindings, order: tuple[int, int]) -> None:
    findings = found if order == (0, 1) else find_defects(told(replace(pair, frames=pair.frames[::-1].copy()), **BEAM))
    high = 1 + order.index(0)
    assert f"Channel {high} is the detector at higher angles, channel {3 - high} at lower ones." in findings.remarks
    inner = {m.name: m for m in findings.marginals}
    for place, angles in zip(order, (HIGH, LOW), strict=True):
        m = inner[f"inner_mrad[{place}]"]
        assert abs(m.mean - angles[0]) < 2 * m.standard_deviation


def test_interval_of_certain_sites_is_jeffreys(found: DefectFindings) -> None:
    for finding in found.findings:
        n = finding.count
        assert finding.expected_count == pytest.approx(n, abs=0.05)
        low, high = chi2.ppf([0.025, 0.975], 2 * n + 1) / 2
        # Sites that are certain to a few per mille widen it by as little.
        assert finding.count_interval == pytest.approx((low if n else 0.0, high), rel=0.01, abs=0.05)


def test_density_is_the_count_over_the_area_of_the_sites_cells(found: DefectFindings) -> None:
    cells = np.sum(found.sites.sublattice == "M")
    area_nm2 = cells * np.sqrt(3) / 2 * 0.332**2
    vacancies = next(f for f in found.findings if f.label == "V_X")
    assert vacancies.density_per_nm2 == pytest.approx(vacancies.expected_count / area_nm2, rel=1e-3)
    assert vacancies.density_interval_per_nm2 == pytest.approx(
        [v / area_nm2 for v in vacancies.count_interval], rel=1e-3
    )


@pytest.mark.parametrize("origin", ["user", "file"])
def test_a_pixel_size_that_the_user_gave_wins_over_the_lattice_and_a_recorded_one_does_not(
    pair: Micrograph, origin: str
) -> None:
    wrong = replace(told(one_channel(pair, 0), **BEAM, collection_mrad=(HIGH,)), pixel_size_nm=0.0275)
    findings = find_defects(replace(wrong, pixel_size_origin=origin))
    used_nm = 0.0275 if origin == "user" else 0.025
    assert findings.micrograph.pixel_size_nm == pytest.approx(used_nm, rel=1e-3)
    assert findings.micrograph.pixel_size_origin == ("user" if origin == "user" else "inferred")
    area_nm2 = np.sum(findings.sites.sublattice == "M") * np.sqrt(3) / 2 * (0.332 * used_nm / 0.025) ** 2
    metal = findings.findings[0]
    assert metal.label == "M"
    assert metal.density_per_nm2 == pytest.approx(metal.expected_count / area_nm2, rel=2e-3)
    assert findings.lattice.header_excess == pytest.approx(0.1, abs=1e-3)
    said = remark(findings, "The given" if origin == "user" else "The recorded")
    assert "+10.0 % from that of the WSe2 lattice" in said
    used = "the given one" if origin == "user" else "the lattice's"
    assert said.endswith(f"Densities use {used}.")


def test_evidence_shows_the_data_and_a_simulation_that_explains_it(pair: Micrograph, found: DefectFindings) -> None:
    electrons_per_px = DOSE * PIXEL_A**2
    assert {e.site for e in found.evidence} >= set(found.least_certain)
    shown = found.sites.label[[e.site for e in found.evidence]]
    assert {"V_X", "V_X2"} <= set(shown)
    ratios = []
    for e in found.evidence:
        height, width = e.data.shape[1:]
        window = np.s_[:, e.top_px : e.top_px + height, e.left_px : e.left_px + width]
        assert (e.data == pair.frames[window]).all()
        assert e.hypotheses[0] == found.sites.label[e.site]
        # Poisson counts of n electrons, as fractions of the beam: variance = signal / electrons per pixel.
        noise = np.sqrt(np.clip(e.rendered[0], 1e-6, None) / electrons_per_px)
        best, second = (float(np.sqrt(np.mean(((e.data - r) / noise) ** 2))) for r in e.rendered)
        assert best < second
        if e.data.shape[1:] == (2 * 20 + 1, 2 * 20 + 1):  # whole windows: what lies past the edge is unknown
            ratios.append(best)
    assert len(ratios) > 20
    assert 0.95 < np.median(ratios) < 1.05
    assert max(ratios) < 1.2


def test_the_model_explains_the_whole_scan(pair: Micrograph, found: DefectFindings) -> None:
    noise = np.sqrt(np.clip(found.model, 1e-6, None) / (DOSE * PIXEL_A**2))
    z = ((pair.frames - found.model) / noise)[:, 14:-14, 14:-14]
    assert np.sqrt(np.mean(z**2)) == pytest.approx(1.0, abs=0.05)
    assert np.median(found.sites.residual) == pytest.approx(1.0, abs=0.05)


@pytest.fixture(scope="module")
def pristine() -> Specimen:
    return field(60.0, seed=8, rotation_deg=21)


def test_where_nothing_settles_the_sublattices_the_posterior_covers_both(pristine: Specimen) -> None:
    findings = find_defects(told(scan_of(pristine, dose=DOSE), **BEAM))
    said = remark(findings, "Which sublattice is the metal's is not settled")
    match = re.search(r"the odds are ([0-9.e+]+) to 1", said)
    assert match is not None
    odds = float(match[1])
    metal = findings.sites.posterior[:, [label in ("M", "V_M") for label in findings.sites.labels]].sum(axis=1)
    share = np.where(findings.sites.sublattice == "M", odds / (1 + odds), 1 / (1 + odds))
    assert metal == pytest.approx(share, abs=5e-3)
    # The truth keeps its share wherever it is.
    truth = true_labels(findings.sites, pristine)
    right = findings.sites.posterior[np.arange(len(truth)), [findings.sites.labels.index(t) for t in truth]]
    assert right.min() > 0.01


def test_known_angles_settle_the_sublattices(pristine: Specimen) -> None:
    findings = find_defects(told(scan_of(pristine, dose=DOSE), **BEAM, collection_mrad=(HIGH,)))
    assert (findings.sites.label == true_labels(findings.sites, pristine)).all()
    assert not remark(findings, "Which sublattice")
    assert findings.marginals == ()
    assert not remark(findings, "Collection angles")


def test_a_scan_without_noise_is_decided_too(specimen: Specimen) -> None:
    findings = find_defects(told(scan_of(specimen), **BEAM, collection_mrad=(HIGH,)))
    assert (findings.sites.label == true_labels(findings.sites, specimen)).all()


def test_dopants_that_are_named_are_found() -> None:
    rng = np.random.default_rng(12)
    doped = monolayer(
        host("WSe2"), width_A=60, height_A=60, dopants=("Ti",), fractions={"D_M": 0.08, "V_X": 0.05}, rng=rng
    )
    scan = told(scan_of(doped, detectors=(HIGH, LOW), dose=DOSE), **BEAM, collection_mrad=(HIGH, LOW))
    findings = find_defects(replace(scan, context=scan.context.updated(Context(dopants=("Ti",), origin="user"))))
    assert (findings.sites.label == true_labels(findings.sites, doped)).all()
    unnamed = find_defects(
        replace(
            scan,
            context=replace(
                scan.context, dopants=None, origins={k: v for k, v in scan.context.origins.items() if k != "dopants"}
            ),
        )
    )
    assert "D_M" not in unnamed.sites.labels
    assert remark(unnamed, "No dopants were named")


def ws2() -> tuple[Specimen, Micrograph]:
    rng = np.random.default_rng(4)
    specimen = monolayer(host("WS2"), width_A=50, height_A=50, fractions={"V_X": 0.05}, rng=rng)
    scan = scan_of(specimen, dose=DOSE)
    return specimen, replace(
        scan, context=Context(host="WS2", dopants=(), **BEAM, collection_mrad=(HIGH,), origin="user")
    )


def test_an_assignment_whose_columns_would_be_dark_is_impossible() -> None:
    # S2 has a tenth of W's brightness at high angles: laid the other way round, the columns are darker than average.
    specimen, scan = ws2()
    lattice, reflections = measured(scan.frames)
    material = host("WS2")
    ways = [
        solve(
            scan.frames,
            lattice,
            reflections,
            metal_first=first,
            context=scan.context,
            material=material,
            options=hypotheses(material),
            prior=Prior(),
        )
        for first in (True, False)
    ]
    assert sum(way is None for way in ways) == 1
    sites = find_defects(scan).sites
    metal = np.isin(true_labels(sites, specimen), ["M", "V_M"])
    assert ((sites.sublattice == "M") == metal).all()


def test_a_scan_with_reversed_contrast_is_told() -> None:
    _, scan = ws2()
    findings = find_defects(replace(scan, frames=scan.frames.max() - scan.frames))
    assert "fits WS2 under none of the conditions" in remark(findings, "Channel 1: the brightness ratio")
    assert not remark(find_defects(scan), "Channel 1")


def test_no_host_is_told(pair: Micrograph) -> None:
    with pytest.raises(ContextError, match="the host material is unknown; name it"):
        find_defects(replace(pair, context=Context()))


def test_an_unknown_host_is_told(pair: Micrograph) -> None:
    with pytest.raises(StructureError, match="host 'GaN' is not a known MX2 monolayer"):
        find_defects(replace(pair, context=Context(host="GaN", origin="user")))


def test_a_field_of_a_few_cells_is_told(pair: Micrograph) -> None:
    with pytest.raises(InputError, match="at least 6 lattice constants across"):
        find_defects(told(replace(pair, frames=pair.frames[:, :36, :36].copy()), **BEAM))


def test_stages_are_told_and_settings_kept(pair: Micrograph) -> None:
    stages: list[str] = []
    settings = PhysicsSettings(prior=Prior(fraction={"V_X": 0.03}, strength_sites=50.0), impurities=())
    scan = told(one_channel(pair, 0), **BEAM, collection_mrad=(HIGH,))
    findings = find_defects(scan, settings=settings, progress=stages.append)
    assert stages == [
        "lattice",
        "sites, metal at the first place",
        "sites, metal at the second place",
        "scan lines",
        "network",
        "evidence",
    ]
    assert findings.settings["prior_fraction"]["V_X"] == 0.03
    assert findings.settings["prior_strength_sites"] == 50.0
    assert findings.settings["hypotheses"] == ["M", "V_M", "X2", "V_X", "V_X2", "M_X2"]
    channel = findings.settings["channels"][0]
    assert channel["most_probable_collection_mrad"] == list(HIGH)
    assert channel["blur_sigma_nm"] == pytest.approx([0.04, 0.04], rel=0.06)
    # Frames are fractions of the beam, so the gain is 1 and the noise's slope one electron of the dose.
    assert channel["gain_per_beam_fraction"] == pytest.approx(1.0, rel=0.02)
    assert channel["noise_slope"] == pytest.approx(1 / (DOSE * PIXEL_A**2), rel=0.1)


def test_lines_that_slipped_are_told_and_measured() -> None:
    pixel_A, jitter_A = 0.25, 0.06
    scan = simulate_scan(
        field(40, seed=3, fractions={"V_X": 0.04}, rotation_deg=11.0),
        PROBE,
        collection_mrad=(HIGH, LOW),
        pixel_size_nm=pixel_A / 10,
        source_sigma_nm=0.03,
        dose_e_per_A2=1e6,
        rng=np.random.default_rng(1),
        faults=ScanFaults(row_jitter_A=jitter_A, seed=2),
    )
    findings = find_defects(told(scan))
    slips_nm = findings.settings["network"]["line_slip_sd_nm"]
    # What is slower than two lattice constants is the lattice's own phase; the rest is all but a few per cent.
    assert slips_nm == pytest.approx([jitter_A / 10] * 2, rel=0.15)
    sentence = remark(findings, "Scan lines slipped")
    assert f"{slips_nm[0]:.4f} nm along x and {slips_nm[1]:.4f} nm along y" in sentence


@pytest.fixture(scope="module")
def doubtful() -> tuple[np.ndarray, SiteTable]:
    """Truth and sites of a scan at a dose that leaves many sites in doubt."""
    specimen = field(110.0, seed=21, fractions={"V_X": 0.12}, rotation_deg=3)
    scan = told(scan_of(specimen, detectors=(LOW,), dose=500.0), **BEAM, collection_mrad=(LOW,))
    sites = find_defects(scan).sites
    tree = cKDTree(np.stack([specimen.x_A, specimen.y_A], axis=1) / PIXEL_A)
    return specimen.label[tree.query(np.stack([sites.x_px, sites.y_px], axis=1))[1]], sites


@pytest.mark.slow
def test_probabilities_are_calibrated_where_sites_are_in_doubt(doubtful: tuple[np.ndarray, SiteTable]) -> None:
    truth, sites = doubtful
    p = sites.posterior[:, sites.labels.index("V_X")][sites.sublattice == "X"]
    right = truth[sites.sublattice == "X"] == "V_X"
    assert np.mean((p > 0.02) & (p < 0.98)) > 0.05
    # The sum of Bernoulli variables keeps within four of its standard deviations.
    assert abs(np.sum(p - right)) < 4 * np.sqrt(np.sum(p * (1 - p))) + 2
    for low, high in ((0.05, 0.5), (0.5, 0.95)):
        here = (p > low) & (p < high)
        sd = np.sqrt(np.sum(p[here] * (1 - p[here])))
        assert abs(np.sum(p[here] - right[here])) < 3.5 * sd + 1
