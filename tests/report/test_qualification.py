"""What `qualify` writes: verdicts as JSON, and the report that shows what they rest on."""

import base64
import io
import json
import re
from dataclasses import replace

import demo_qualification as demo
import jsonschema
import numpy as np
import pytest
from PIL import Image

from micrographia.errors import InputError
from micrographia.findings import Nearest, WhereEvidence
from micrographia.qualify.library import contents, image_path
from micrographia.qualify.library.verdicts import parse_verdicts
from micrographia.report.qualification import headline, qualified, write_qualification
from micrographia.report.qualification_pictures import Shown, cell_scores, evidence_svg, map_limit
from micrographia.report.qualification_result import SCHEMA_FILE, MapResult, generated_schema, sample_result
from micrographia.report.records import read_schema

DECISIONS = {"bent.png": "reject", "plain.png": "accept", "doubtful.png": "abstain"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A library, and verdicts on three samples: rejected, accepted, undecided."""
    home = tmp_path_factory.mktemp("qualification")
    library = demo.make_library(home)
    samples = [
        demo.qualification(library, demo.draw(home / name, 50 + k, lines=decision != "accept"), decision)
        for k, (name, decision) in enumerate(DECISIONS.items())
    ]
    return library, samples


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    """Return `verdicts.json` and `report.html` of all three."""
    library, samples = made
    out = tmp_path_factory.mktemp("out")
    held = contents(library)
    done = [qualified(s, library, held) for s in samples]
    raw = write_qualification(done, library, held, out, failures=["torn.png is no image"])
    assert (out / "verdicts.json").read_bytes() == raw
    assert sorted(p.name for p in out.iterdir()) == ["report.html", "verdicts.json"]
    return raw, (out / "report.html").read_text(encoding="utf-8")


def test_the_published_schema_is_that_of_the_models():
    # to publish a change: json.dump(generated_schema(SCHEMA_FILE), handle, indent=2, ensure_ascii=False)
    assert read_schema(SCHEMA_FILE) == generated_schema(SCHEMA_FILE)


def test_verdicts_hold_what_scripts_depend_on(made, written):
    library, _ = made
    tree = json.loads(written[0])
    jsonschema.validate(tree, read_schema(SCHEMA_FILE))
    assert tree["schema"] == "micrographia/verdicts/1"
    assert tree["library"]["id"] == library.id
    assert tree["alpha"] == 0.05
    assert [(s["file"], s["disposition"]) for s in tree["samples"]] == list(DECISIONS.items())
    cracks, pores = tree["samples"][0]["criteria"]
    assert (cracks["id"], cracks["verdict"], cracks["score"], cracks["p_accept"]) == ("cracks", "reject", -2.204, 0.025)
    assert cracks["reason"] == "decided"
    assert [r["id"] for r in cracks["references"]] == ["R6", "R4", "R2"]
    held = {r.id: r for r in contents(library).references["cracks"]}
    assert [(r["file"], r["sha256"]) for r in cracks["references"]] == [
        (held[name].file, held[name].image_sha256) for name in ("R6", "R4", "R2")
    ]
    assert (pores["score"], pores["p_reject"], pores["map"]) == (None, None, None)
    assert (pores["missing"], pores["counts"]) == ({"accept": 18, "reject": 19}, {"accept": 1, "reject": 0})


def test_the_library_and_signatures_understand_the_file(written):
    file = parse_verdicts(written[0])
    assert [s["criteria"] for s in file.samples] == [
        {"cracks": "reject", "pores": "abstain"},
        {"cracks": "accept"},
        {"cracks": "abstain", "pores": "abstain"},
    ]


def test_the_same_verdicts_make_the_same_file_wherever_it_is_written(made, written, tmp_path):
    library, samples = made
    held = contents(library)
    again = [qualified(s, library, held) for s in samples]
    assert write_qualification(again, library, held, tmp_path / "elsewhere" / "deep") == written[0]


def test_a_map_is_rounded_without_minus_zero_and_null_where_it_says_nothing(made):
    library, samples = made
    where = WhereEvidence(score=np.array([[-0.00001, np.nan, 1.23456]]), tile_px=64, step_px=32)
    verdict = replace(samples[1].verdicts[0], where=where)
    held = {r.id: r for r in contents(library).references["cracks"]}
    result = sample_result(replace(samples[1], verdicts=(verdict,)), held)
    assert json.dumps(result.model_dump(mode="json")["criteria"][0]["map"]["score"]) == "[[0.0, null, 1.2346]]"


def test_a_row_of_a_map_is_one_line(written):
    rows = [line for line in written[0].decode().splitlines() if re.fullmatch(r"\s*\[[-\d., e]+\],?", line)]
    # 256 px: tiles of 64 px start at 0, 32, ..., 192; and the 8 parts on a diagonal are least familiar.
    assert len(rows) == 3 * (7 + 8)


def test_a_verdict_on_an_unknown_reference_is_refused(made):
    library, samples = made
    near = Nearest(reference="R99", polarity="accept", similarity=0.5, encoder="e")
    verdict = replace(samples[1].verdicts[0], references=(near,))
    with pytest.raises(InputError, match="R99"):
        qualified(replace(samples[1], verdicts=(verdict,)), library, contents(library))


def test_the_matrix_has_a_mark_and_a_word_for_each_verdict(written):
    matrix = re.search(r'<section id="matrix">.*?</section>', written[1], flags=re.DOTALL)[0]
    marks = {kind: matrix.count(f'class="mark verdict {kind}"') for kind in ("accept", "reject", "abstain")}
    # dispositions (1, 1, 1); cracks: reject, accept, abstain; pores: abstain, not judged, abstain
    assert marks == {"accept": 2, "reject": 2, "abstain": 4}
    assert [len(re.findall(rf"</svg>{word}<", matrix)) for word in ("Accepted", "Rejected", "Undecided")] == [1, 1, 1]
    assert matrix.count("insufficient references") == 2


def test_the_report_shows_what_a_verdict_rests_on(written):
    page = written[1]
    assert "Explained: reject (p = 0.025)." in page
    assert "18 accepted and 19 rejected more are needed" in page
    assert "Nearest rejected: R6" in page
    assert "similarity 0.81" in page
    assert "similarity −0.13" in page
    assert "B. Expert, specimen A7" in page
    assert "“a network of cracks”" in page
    assert "no rejected reference" in page
    assert "only the box around the bright region counts" in page
    assert "which is not<br>a probability" in page
    assert page.count("A p-value says how often") == 3  # on cracks; on pores nothing was tested
    assert "Not qualified: torn.png is no image" in page
    assert demo.ENCODERS["minilm"] in page
    assert "Trained on photographs (ImageNet)" in page


def test_the_report_is_complete_in_itself(written):
    page = written[1]
    assert "://" not in page
    assert "Few &lt;pores&gt;" in page
    assert "<pores>" not in page
    names = re.findall(r' id="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(names)
    # 3 samples; nearest of cracks R2 and R6 for all; R7 of pores: each once, however often it is shown
    assert page.count("data:image/jpeg") == 3 + 3


def test_a_reference_that_cannot_be_read_is_said_to_be(made, tmp_path):
    library, samples = made
    held = contents(library)
    path = image_path(library, held.references["cracks"][1])
    kept = path.read_bytes()
    path.chmod(0o644)
    try:
        path.write_bytes(b"torn")
        write_qualification([qualified(samples[1], library, held)], library, held, tmp_path / "out")
    finally:
        path.write_bytes(kept)
    assert "its image cannot be read" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("k", "words"),
    [
        (0, "Rejected: “No cracks in the oxide”"),
        (1, "Accepted: it meets “No cracks in the oxide”"),
        (2, "Undecided: “No cracks in the oxide” (ambiguous), “Few <pores>” (insufficient references)"),
    ],
)
def test_a_headline_says_what_decided(made, k, words):
    library, samples = made
    assert headline(qualified(samples[k], library, contents(library)).result) == words


def test_cells_of_a_map_average_the_parts_that_cover_them():
    # parts of 3 steps: the middle cell of three is covered by all three
    cells = cell_scores(np.array([[3.0, 6.0, np.nan]]), tile_px=30, step_px=10)
    assert cells[0].tolist()[:4] == [3.0, 4.5, 4.5, 6.0]
    assert np.isnan(cells[0, 4])
    assert cells.shape == (3, 5)


def test_the_map_is_blue_where_a_part_is_like_accepted_ones_and_red_where_not():
    found = MapResult(tile_px=50, step_px=50, score=((2.0, -2.0), (0.0, None)))
    limit = map_limit([found])
    assert limit == 2.0
    svg = evidence_svg(found, Shown(uri="", width_px=90, height_px=100, pixel_size_nm=None), limit=limit)
    assert svg.startswith('<svg width="90" height="100">')  # cut where the image ends
    assert 'width="100" height="100"' in svg
    data = re.search(r"base64,([^\"]+)", svg)[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA")).astype(int)
    (accept, reject), (nothing, unknown) = pixels
    assert accept[2] > accept[0] + 100
    assert reject[0] > reject[2] + 100
    assert accept[3] == reject[3] > 0
    assert (nothing[3], unknown[3]) == (0, 0)
