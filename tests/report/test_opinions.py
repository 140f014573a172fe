from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from demo_findings import INFORMATION, make_findings, with_opinions
from PIL import Image

from micrographia.errors import InputError
from micrographia.findings import DefectFindings, Evidence, Information, Opinions
from micrographia.report.agreement import agreement, opinions_of, set_sizes
from micrographia.report.defects import write_defects
from micrographia.report.opinions import opinions_section
from micrographia.report.opinions_table import column_names
from micrographia.report.page import defects_page
from micrographia.report.patches import Scales
from micrographia.report.result import DefectsResult, defects_result, published_schema, result_json

ONE_METHOD = {"report.html", "result.json", "sites.csv", "sites.parquet", "overlay.png"}


def opinions_with(physics: list[int], network: list[int], labels: int = 3) -> Opinions:
    """Return opinions that are certain of the given columns."""
    differ = tuple(k for k, (a, b) in enumerate(zip(physics, network, strict=True)) if a != b)
    return Opinions(
        physics=np.eye(labels)[physics],
        network=np.eye(labels)[network],
        label_set=np.eye(labels, dtype=bool)[network],
        coverage=0.95,
        familiarity=np.full(len(physics), 0.5),
        least_familiarity=0.01,
        disagreements=differ,
        information=(),
    )


@pytest.fixture(scope="module")
def both(findings: DefectFindings) -> DefectFindings:
    return with_opinions(findings)


@pytest.fixture(scope="module")
def results(both: DefectFindings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("opinions") / "results"
    written = write_defects(both, out)
    assert {p.name for p in written} == {p.name for p in out.iterdir()}
    assert {p.name for p in written} == ONE_METHOD | {"opinions.csv", "opinions.parquet"}
    return out


def section_of(findings: DefectFindings) -> str:
    return opinions_section(findings, Scales.of(findings))


def words_of(markup: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup))


def test_kappa_and_cross_table_of_ten_sites() -> None:
    # Physics: 8 X2, 2 V_X. Network: the same numbers, one of each kind swapped. Agreement 8/10; by chance
    # 0.8 * 0.8 + 0.2 * 0.2 = 0.68; kappa = (0.80 - 0.68) / (1 - 0.68) = 0.375. V_X2 is in play and never occurs.
    compared = agreement(("X2", "V_X", "V_X2"), opinions_with([0] * 8 + [1] * 2, [0] * 7 + [1] + [0, 1]))
    assert compared.labels == ("X2", "V_X")
    assert compared.confusion.tolist() == [[7, 1], [1, 1]]
    assert compared.fraction == pytest.approx(0.8)
    assert compared.kappa == pytest.approx(0.375)


def test_one_label_everywhere_has_no_kappa_and_no_site_has_no_fraction() -> None:
    compared = agreement(("X2", "V_X", "V_X2"), opinions_with([0, 0], [0, 0]))
    assert (compared.fraction, compared.kappa) == (1.0, None)
    empty = agreement(("X2", "V_X", "V_X2"), opinions_with([], []))
    assert (empty.fraction, empty.kappa) == (None, None)


def test_label_sets_are_counted_by_size() -> None:
    held = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 1]], dtype=bool)
    opinions = dataclasses.replace(opinions_with([0] * 5, [0] * 5), label_set=held)
    assert set_sizes(opinions) == (2, 2, 1)


def test_findings_of_one_method_have_no_section_and_no_file(findings: DefectFindings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one method, physics"):
        opinions_of(findings)
    source = defects_page(findings)
    assert "Two opinions" not in source
    assert 'id="opinions"' not in source
    assert '"opinions":' not in source
    assert {p.name for p in write_defects(findings, tmp_path / "results")} == ONE_METHOD
    assert "opinions" not in json.loads((tmp_path / "results" / "result.json").read_text())


def test_opinions_come_first_after_the_answer(results: Path) -> None:
    source = (results / "report.html").read_text()
    places = [source.index(f'<section id="{name}"') for name in ("opinions", "viewer", "amounts", "evidence")]
    assert places == sorted(places)
    assert source.index("<h1>") < places[0]
    assert re.findall(r'<a href="#(\w+)">', source)[:2] == ["opinions", "viewer"]
    assert "opinions.csv" in source


def test_each_disagreement_is_a_row_with_both_answers_in_the_given_order(both: DefectFindings) -> None:
    opinions, labels = opinions_of(both), both.sites.labels
    source = section_of(both)
    rows = re.findall(r'<tr data-site="(\d+)">(.*?)</tr>', source, flags=re.S)
    assert tuple(int(site) for site, _ in rows) == opinions.disagreements
    assert f"They disagree on 5 of {len(both.sites)} sites" in words_of(source).replace("on  5", "on 5")
    for site, row in ((int(s), r) for s, r in rows):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.S)
        for cell, posterior in ((cells[2], opinions.physics[site]), (cells[3], opinions.network[site])):
            best = int(posterior.argmax())
            assert f"{labels[best]}, {posterior[best]:.2f}" in cell
    first, second, third = (row for _, row in rows[:3])
    assert "no label" in first
    assert "{" in second
    assert "<img" not in third  # nobody simulated that site


def test_pictures_are_looked_up_by_label_whatever_their_order(both: DefectFindings) -> None:
    opinions, scales = opinions_of(both), Scales.of(both)
    site = opinions.disagreements[1]
    evidence = next(e for e in both.evidence if e.site == site)
    physics = both.sites.labels[int(opinions.physics[site].argmax())]
    assert evidence.hypotheses[-1] == both.sites.label[site]  # turned round: the chosen label comes last
    source = section_of(both)
    alt = f"Site {site}, simulated as {physics}, channel 2"
    uri = next(m for m in re.findall(r"<img [^>]*>", source) if alt in m).split('src="')[1].split('"')[0]
    with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as picture:
        grey = np.asarray(picture).astype(float)
    low, high = scales.grey[1]
    rendered = evidence.rendered[evidence.hypotheses.index(physics), 1]
    assert np.abs(grey - np.clip((rendered - low) / (high - low), 0, 1) * 255).max() <= 0.51


def test_a_label_that_was_not_simulated_is_a_dash_and_no_example_of_its_kind(both: DefectFindings) -> None:
    site = opinions_of(both).disagreements[0]
    physics = both.sites.labels[int(opinions_of(both).physics[site].argmax())]
    cut = tuple(_only(e, physics) if e.site == site else e for e in both.evidence)
    findings = dataclasses.replace(both, evidence=cut)
    row = re.search(rf'<tr data-site="{site}">(.*?)</tr>', section_of(findings), flags=re.S)
    assert row is not None
    network = both.sites.label[site]
    assert row[1].count(f'title="not simulated as {network}"') == 2  # once a channel
    gallery = defects_page(findings).split('<section id="evidence"')[1]
    assert f'<figure class="card" data-site="{site}"' not in gallery


def _only(evidence: Evidence, label: str) -> Evidence:
    k = evidence.hypotheses.index(label)
    return dataclasses.replace(evidence, hypotheses=(label,), rendered=evidence.rendered[k : k + 1])


def test_of_many_disagreements_the_first_sixty_are_shown_and_the_number_said() -> None:
    findings = make_findings()
    assert len(findings.sites) > 70
    source = section_of(with_opinions(findings, differ=70))
    assert source.count("<tr data-site=") == 60
    assert f"70 of {len(findings.sites)} sites" in source
    assert "The first 60 are shown" in source


def test_agreement_everywhere_is_said_calmly(bare_findings: DefectFindings) -> None:
    source = section_of(with_opinions(bare_findings, differ=0, unfamiliar=0, information=()))
    assert f"Nowhere: both give the same label to every one of {len(bare_findings.sites)} sites." in source
    assert "kappa is 1.000" in source
    assert "Nothing that matters is missing" in source
    assert "<tr data-site" not in source
    assert 'class="doubts"' not in source


def test_a_reader_is_warned_when_more_than_a_fiftieth_of_the_sites_is_unfamiliar(findings: DefectFindings) -> None:
    fiftieth = len(findings.sites) // 50
    assert "Before you rely on the network" not in section_of(with_opinions(findings, unfamiliar=fiftieth))
    source = section_of(with_opinions(findings, unfamiliar=fiftieth + 1))
    assert "Before you rely on the network" in source
    assert f"{fiftieth + 1} of {len(findings.sites)} sites" in source


def test_a_familiarity_is_shown_finer_than_the_limit_that_flags_it(findings: DefectFindings) -> None:
    made = with_opinions(findings)
    assert made.opinions is not None
    familiar = made.opinions.familiarity.copy()
    first, second = made.opinions.disagreements[:2]
    familiar[[first, second]] = 0.0012, 0.0031
    words = words_of(
        section_of(
            dataclasses.replace(
                made, opinions=dataclasses.replace(made.opinions, familiarity=familiar, least_familiarity=0.0025)
            )
        )
    )
    assert "0.12 % unfamiliar" in words
    assert "0.31 % unfamiliar" not in words
    assert "0.31 %" in words


def test_what_would_help_is_said_in_order_with_its_uncertainty(both: DefectFindings) -> None:
    words = words_of(section_of(both))
    # 0.523 - 0.311 = 0.212, to the digits of 0.024
    assert "the convergence semi-angle would help most" in words
    assert "from 0.523 to 0.212 nats (± 0.024)" in words
    assert (
        "After it: the collection semi-angles, channel 2 (0.11 ± 0.03 nats less); "
        "the dose (0.004 ± 0.012 nats more)." in words
    )


def test_an_improvement_within_its_noise_is_not_promised(findings: DefectFindings) -> None:
    noise = Information(name="energy_kev", entropy_nats=0.4, reduction_nats=0.01, reduction_sd_nats=0.02)
    words = words_of(section_of(with_opinions(findings, information=(noise,))))
    assert "would help most" not in words
    assert "the most promising is the beam energy (0.010 ± 0.020 nats less)" in words


def test_result_json_holds_the_opinions_and_follows_the_schema(results: Path, both: DefectFindings) -> None:
    raw = json.loads((results / "result.json").read_text())
    jsonschema.Draft202012Validator(published_schema()).validate(raw)
    parsed = DefectsResult.model_validate_json((results / "result.json").read_text(), strict=True)
    assert result_json(parsed) == (results / "result.json").read_text()
    total, opinions = len(both.sites), opinions_of(both)
    said = raw["opinions"]
    assert said["agreement"]["fraction"] == pytest.approx((total - 5) / total)
    assert 0.9 < said["agreement"]["kappa"] < 1
    assert said["disagreements"] == 5
    assert said["disagreement_rows"] == list(opinions.disagreements)
    assert sum(said["set_sizes"].values()) == total
    assert said["set_sizes"]["none"] == 1
    assert (said["unfamiliar"], said["least_familiarity"], said["coverage"]) == (2, 0.01, 0.95)
    assert [(i["name"], i["unit"]) for i in said["information"]] == [
        ("convergence_mrad", "mrad"),
        ("collection_mrad[1]", "mrad"),
        ("dose_e_per_A2", "e/Å²"),
    ]
    assert [i["reduction_nats"] for i in said["information"]] == [i.reduction_nats for i in INFORMATION]


def test_a_result_without_opinions_still_follows_the_schema(findings: DefectFindings) -> None:
    raw = json.loads(result_json(defects_result(findings)))
    jsonschema.Draft202012Validator(published_schema()).validate(raw)
    assert "opinions" not in published_schema()["required"]


def test_the_table_of_opinions_has_its_columns_and_values(results: Path, both: DefectFindings) -> None:
    opinions, labels = opinions_of(both), both.sites.labels
    with (results / "opinions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = tuple(rows[0])
    assert names == column_names(labels)
    assert names[:3] == ("row", "label_physics", "label_network")
    assert names[-2:] == ("label_set", "familiarity")
    assert [int(r["row"]) for r in rows] == list(range(len(both.sites)))
    differ = {int(r["row"]) for r in rows if r["label_physics"] != r["label_network"]}
    assert differ == set(opinions.disagreements)
    written = np.array([[float(r[f"p_physics_{label}"]) for label in labels] for r in rows])
    assert np.abs(written - opinions.physics).max() < 1e-8
    first, second = (rows[k] for k in opinions.disagreements[:2])
    assert first["label_set"] == ""
    assert second["label_set"].split("|") == [
        label for label, p in zip(labels, opinions.network[opinions.disagreements[1]], strict=True) if p >= 0.05
    ]
    parquet = pq.read_table(results / "opinions.parquet")
    assert tuple(parquet.column_names) == names
    assert np.array_equal(parquet["p_network_V_X"].to_numpy(), opinions.network[:, labels.index("V_X")])
    assert parquet["label_set"].to_pylist() == [r["label_set"] for r in rows]
    assert np.array_equal(parquet["familiarity"].to_numpy(), opinions.familiarity)


def test_sites_csv_is_the_same_with_and_without_opinions(
    results: Path, findings: DefectFindings, tmp_path: Path
) -> None:
    write_defects(findings, tmp_path / "results")
    assert (tmp_path / "results" / "sites.csv").read_bytes() == (results / "sites.csv").read_bytes()


def test_the_viewer_gets_what_it_does_not_have_already(both: DefectFindings) -> None:
    source = defects_page(both)
    data = json.loads(source.split('id="report-data">')[1].split("</script>")[0])
    opinions, said = opinions_of(both), data["opinions"]
    assert said["network"] is None  # the sites' own posterior is the network's
    assert max(abs(a - b) for a, b in zip(said["physics"], opinions.physics.ravel(), strict=True)) < 1e-4
    bits = [[bool(v >> k & 1) for k in range(len(both.sites.labels))] for v in said["sets"]]
    assert bits == opinions.label_set.tolist()
    assert said["unfamiliar"] == [0, 1]


def test_hostile_names_stay_text(both: DefectFindings) -> None:
    evil = "</td><script>alert(1)</script>"
    strange = Information(name=evil, entropy_nats=0.5, reduction_nats=0.3, reduction_sd_nats=0.1)
    hostile = dataclasses.replace(
        both,
        settings={"hypotheses": [f"D_M:{evil}"]},
        opinions=dataclasses.replace(opinions_of(both), information=(strange,)),
    )
    source = section_of(hostile)
    assert "<script" not in source
    assert "&lt;script&gt;" in source


def test_a_page_of_a_whole_pair_with_opinions_is_light_enough_to_mail() -> None:
    findings = with_opinions(make_findings(size=512), differ=200)
    assert len(defects_page(findings).encode()) < 15e6
