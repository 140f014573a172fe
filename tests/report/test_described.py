"""The words about a scan whose sites were decided: true numbers, each with its cue, and none against the sites."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import jsonschema
import pytest
from demo_findings import LATTICE_NM, make_findings

from micrographia.findings import DefectFindings
from micrographia.instruct.describing import Sentence, describe_micrograph
from micrographia.instruct.describing_sites import describe_sites, rows_words
from micrographia.report.defects import write_defects
from micrographia.report.result import published_schema

SIZE_NM = 0.0371
ROWS_NM = LATTICE_NM * math.sqrt(3) / 2
"""Distance of the rows of a hexagonal lattice."""
TURN_DEG = 7.0
"""By which the demo's lattice is turned, clockwise on the screen; {10} repeat across its rows."""
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def scan() -> DefectFindings:
    """Findings as `find_defects` gives them: with the pixel size of the lattice, 3 % below the recorded one."""
    made = make_findings(size=160)
    lattice = dataclasses.replace(
        made.lattice,
        spacings_px=(LATTICE_NM / SIZE_NM,) * 3,
        pixel_size_nm=SIZE_NM,
        pixel_size_sd_nm=0.0004,
        header_pixel_size_nm=1.03 * SIZE_NM,
    )
    micrograph = dataclasses.replace(made.micrograph, pixel_size_origin="inferred")
    return dataclasses.replace(made, lattice=lattice, micrograph=micrograph)


@pytest.fixture(scope="module")
def described(scan: DefectFindings) -> tuple[Sentence, ...]:
    return describe_sites(scan)


def test_it_leads_with_the_lattice_and_its_number_is_that_of_the_lattice(described: tuple[Sentence, ...]) -> None:
    first = described[0]
    assert (first.section, first.cue.name) == ("Lattice", "spacing")
    value, sd, angle, _ = (float(n) for n in NUMBER.findall(first.text))
    assert abs(value - ROWS_NM) <= 2 * sd
    # The error of the pixel size, 0.0004 of 0.0371 nm, is the most of it, and is not smaller in any sentence.
    assert sd >= 0.99 * ROWS_NM * 0.0004 / SIZE_NM - 5e-5
    off = (angle - (90.0 - TURN_DEG)) % 60
    assert min(off, 60 - off) < 0.5


def test_what_the_recorded_pixel_size_would_make_of_it_is_said(described: tuple[Sentence, ...]) -> None:
    cue = described[0].cue
    assert cue.value is not None
    told = re.search(r"recorded pixel size would make it (\S+) nm", cue.sentence)
    assert told is not None
    assert float(told[1]) == pytest.approx(1.03 * cue.value, abs=6e-5)
    assert "{10} rows" in cue.sentence


def test_the_users_pixel_size_stays_and_the_lattices_is_told(scan: DefectFindings) -> None:
    micrograph = dataclasses.replace(scan.micrograph, pixel_size_nm=0.04, pixel_size_origin="user")
    cue = describe_sites(dataclasses.replace(scan, micrograph=micrograph))[0].cue
    assert cue.value == pytest.approx(ROWS_NM / SIZE_NM * 0.04, rel=0.01)
    told = re.search(r"that of the lattice would make it (\S+) nm", cue.sentence)
    assert told is not None
    assert float(told[1]) == pytest.approx(ROWS_NM, rel=0.01)


def test_without_a_pixel_size_lengths_are_in_pixels(bare_findings: DefectFindings) -> None:
    first = describe_sites(bare_findings)[0]
    assert first.cue.unit == "px"
    assert first.cue.value == pytest.approx(ROWS_NM / SIZE_NM, rel=0.01)
    assert "nm" not in first.text + first.cue.sentence


def test_nothing_is_told_that_the_sites_answer_better(described: tuple[Sentence, ...], scan: DefectFindings) -> None:
    everything = {one.cue.name for one in describe_micrograph(scan.micrograph)}
    assert "edges" in everything
    assert {one.cue.name for one in described} == {"spacing", "regularity", "contrast", "signal to noise", "noise"}


def test_each_number_of_a_sentence_is_that_of_its_cue(scan: DefectFindings) -> None:
    for one in (*describe_sites(scan), *describe_micrograph(scan.micrograph)):
        cue = one.cue
        known = [v for v in (cue.value, cue.uncertainty, cue.direction_deg, cue.direction_sd_deg) if v is not None]
        text = one.text.removesuffix(f"{cue.unit}.")  # a unit may hold a number too
        for said in NUMBER.findall(text.replace("px per 1000 px²", "")):
            half = 0.5 * 10.0 ** -len(said.partition(".")[2])
            assert any(abs(float(said) - v) <= half * 1.001 for v in known) or float(said) == 2 * half, one.text


def test_each_sentence_leads_to_its_cue_on_the_page(
    scan: DefectFindings, described: tuple[Sentence, ...], tmp_path: Path
) -> None:
    write_defects(scan, tmp_path / "r", described=described)
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    targets = re.findall(r'class="fact" href="#([^"]+)"', page)
    assert targets == [f"cue-{one.cue.name.replace(' ', '-')}" for one in described]
    assert all(page.count(f'id="{target}"') == 1 for target in targets)
    assert '<a href="#words">' in page
    assert "Of the first of 2 channels." in page


def test_the_result_holds_the_words_and_a_result_without_them_stays_valid(
    scan: DefectFindings, described: tuple[Sentence, ...], tmp_path: Path
) -> None:
    for name, words in (("with", described), ("without", ())):
        write_defects(scan, tmp_path / name, described=words)
    told, bare = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("with", "without"))
    for result in (told, bare):
        jsonschema.validate(result, published_schema())
    assert "description" not in bare
    assert {**bare, "description": told["description"]} == told
    assert [s["text"] for s in told["description"]["sentences"]] == [one.text for one in described]
    assert [c["value"] for c in told["description"]["cues"]] == [one.cue.value for one in described]


@pytest.mark.parametrize(("order", "family"), [(1, "{10}"), (3, "{11}"), (4, "{20}")])
def test_rows_are_named_by_their_distance(scan: DefectFindings, order: int, family: str) -> None:
    assert family in rows_words(ROWS_NM / SIZE_NM / math.sqrt(order), scan.lattice)
    assert rows_words(1.2 * ROWS_NM / SIZE_NM, scan.lattice) == ""
