"""Both methods on one simulated scan, end to end."""

from __future__ import annotations

import numpy as np
import pytest
from scans import HIGH, LOW, PROBE, field, scan_of, told
from scipy.spatial import cKDTree

from micrographia.atoms import find_defects
from micrographia.findings import SUBLATTICE, DefectFindings
from micrographia.micrograph import Micrograph
from micrographia.simulate import Specimen

PIXEL_A = 0.25
BEAM = {"energy_kev": PROBE.energy_kev, "convergence_mrad": PROBE.convergence_mrad}


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    return field(60.0, seed=11, fractions={"V_X": 0.05}, rotation_deg=17)


@pytest.fixture(scope="module")
def pair(specimen: Specimen) -> Micrograph:
    return scan_of(specimen, detectors=(HIGH, LOW), dose=1e7, pixel_A=PIXEL_A, seed=4)


@pytest.fixture(scope="module")
def found(pair: Micrograph) -> DefectFindings:
    return find_defects(told(pair, **BEAM, collection_mrad=(HIGH, LOW), dose_e_per_A2=1e7), method="network")


@pytest.fixture(scope="module")
def truth(specimen: Specimen, found: DefectFindings) -> np.ndarray:
    tree = cKDTree(np.stack([specimen.x_A, specimen.y_A], axis=1) / PIXEL_A)
    distance, near = tree.query(np.stack([found.sites.x_px, found.sites.y_px], axis=1))
    assert distance.max() < 0.2
    return specimen.label[near]


def test_both_opinions_stand_side_by_side(found: DefectFindings) -> None:
    opinions = found.opinions
    assert opinions is not None
    shape = (len(found.sites), len(found.sites.labels))
    for name in ("physics", "network", "label_set"):
        assert getattr(opinions, name).shape == shape, name
    for name in ("physics", "network"):
        assert getattr(opinions, name).sum(axis=1) == pytest.approx(np.ones(shape[0]), abs=1e-6)
    assert opinions.familiarity.shape == shape[:1]
    assert ((opinions.familiarity >= 0) & (opinions.familiarity <= 1)).all()
    # All is known: there is nothing that more knowledge could be worth.
    assert opinions.information == ()


def test_the_site_table_is_the_networks(found: DefectFindings) -> None:
    assert found.method == "network"
    assert found.opinions is not None
    assert found.sites.posterior == pytest.approx(found.opinions.network, abs=1e-9)
    assert found.settings["network"]["sublattice_log_odds_nats"] > 0


def test_the_network_finds_the_vacancies(found: DefectFindings, truth: np.ndarray) -> None:
    # At 1e7 e/Å² an electron's noise is 1 % of a column; one Se for two is far more.
    assert np.mean(found.sites.label == truth) >= 0.95
    vacant = truth == "V_X"
    assert vacant.sum() >= 10
    assert np.mean(found.sites.label[vacant] == "V_X") >= 0.9


def test_label_sets_hold_the_truth_and_only_its_sublattice(found: DefectFindings, truth: np.ndarray) -> None:
    opinions, labels = found.opinions, found.sites.labels
    assert opinions is not None
    column = np.array([labels.index(label) for label in truth])
    # Promised are 99 %, on scans like those of the training.
    assert opinions.coverage == 0.99
    assert opinions.label_set[np.arange(len(truth)), column].mean() >= 0.95
    side = np.array([SUBLATTICE[label] for label in labels])
    assert not opinions.label_set[found.sites.sublattice[:, None] != side].any()
    # And they say something: four or five labels are in play on a site.
    assert opinions.label_set.sum(axis=1).mean() < 2


def test_disagreements_are_where_the_answers_differ(found: DefectFindings) -> None:
    opinions = found.opinions
    assert opinions is not None
    differ = np.nonzero(opinions.physics.argmax(axis=1) != opinions.network.argmax(axis=1))[0]
    assert sorted(opinions.disagreements) == differ.tolist()
    sure = [min(opinions.physics[row].max(), opinions.network[row].max()) for row in opinions.disagreements]
    assert sure == sorted(sure, reverse=True)


def test_without_a_second_opinion_there_is_none(pair: Micrograph) -> None:
    alone = find_defects(told(pair, **BEAM, collection_mrad=(HIGH, LOW)), method="physics", second_opinion=False)
    assert alone.opinions is None
    assert alone.method == "physics"
    assert "network" not in alone.settings


def test_physics_has_the_table_when_it_is_asked_and_the_network_stands_beside(
    pair: Micrograph, found: DefectFindings
) -> None:
    both = find_defects(told(pair, **BEAM, collection_mrad=(HIGH, LOW), dose_e_per_A2=1e7), method="physics")
    assert both.opinions is not None
    assert found.opinions is not None
    assert both.sites.posterior == pytest.approx(both.opinions.physics, abs=1e-9)
    # Whoever has the table: the opinions are the same, and the same when asked again.
    assert np.array_equal(both.opinions.network, found.opinions.network)
    assert np.array_equal(both.opinions.physics, found.opinions.physics)


@pytest.mark.slow
def test_what_nobody_recorded_is_ranked_by_its_worth(pair: Micrograph) -> None:
    stages: list[str] = []
    unknown = find_defects(told(pair, energy_kev=80.0), method="network", progress=stages.append)
    assert unknown.opinions is not None
    information = unknown.opinions.information
    assert {i.name for i in information} == {"convergence_mrad", "collection_mrad[0]", "collection_mrad[1]"}
    reductions = [i.reduction_nats for i in information]
    assert reductions == sorted(reductions, reverse=True)
    for one in information:
        assert 0 <= one.reduction_nats <= one.entropy_nats + 1e-9
        assert one.reduction_sd_nats >= 0
    assert stages.index("network") < stages.index("what more context would be worth")
