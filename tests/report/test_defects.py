from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from demo_findings import make_findings
from PIL import Image

from micrographia.errors import OutputError, ReadError
from micrographia.findings import DefectFindings
from micrographia.report import defects as defects_module
from micrographia.report.defects import write_defects
from micrographia.report.page import defects_page
from micrographia.report.patches import Scales
from micrographia.report.result import DefectsResult, generated_schema, published_schema, result_json
from micrographia.report.sites import read_sites

FILES = {"report.html", "result.json", "sites.csv", "sites.parquet", "overlay.png"}


@pytest.fixture(scope="module")
def results(findings: DefectFindings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("defects") / "results"
    assert {p.name for p in write_defects(findings, out)} == FILES
    return out


class Page(HTMLParser):
    """Collects elements, and checks that every opened element is closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)


def test_the_folder_holds_exactly_the_results(results: Path) -> None:
    assert {p.name for p in results.iterdir()} == FILES
    assert [p.name for p in results.parent.iterdir()] == ["results"]


def test_reading_the_csv_back_gives_the_same_posterior(results: Path, findings: DefectFindings) -> None:
    back = read_sites(results / "sites.csv")
    assert back.labels == findings.sites.labels
    assert np.abs(back.posterior - findings.sites.posterior).max() < 1e-6
    assert np.abs(back.x_px - findings.sites.x_px).max() < 1e-3
    assert (back.label == findings.sites.label).all()
    assert (back.sublattice == findings.sites.sublattice).all()


def test_csv_and_parquet_have_the_published_columns(results: Path, findings: DefectFindings) -> None:
    labels = [f"p_{label}" for label in findings.sites.labels]
    columns = ["x_px", "y_px", "sublattice", "label", *labels, "entropy_nats", "residual"]
    assert (results / "sites.csv").read_text().splitlines()[0].split(",") == columns
    parquet = pq.read_table(results / "sites.parquet")
    assert parquet.column_names == columns
    assert np.array_equal(parquet["p_V_X"].to_numpy(), findings.sites.posterior[:, findings.sites.labels.index("V_X")])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("x_px,y_px\n1,2\n", "no column sublattice"), ("", "no column x_px")],
)
def test_a_csv_that_is_no_site_table_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "sites.csv"
    path.write_text(content)
    with pytest.raises(ReadError, match=complaint):
        read_sites(path)
    with pytest.raises(ReadError, match="cannot read"):
        read_sites(tmp_path / "missing.csv")


def test_result_json_follows_the_published_schema(results: Path, findings: DefectFindings) -> None:
    raw = (results / "result.json").read_text()
    parsed = DefectsResult.model_validate_json(raw, strict=True)
    assert result_json(parsed) == raw
    assert json.loads(raw)["schema"] == "micrographia/defects/1"
    assert (
        published_schema() == generated_schema()
    )  # to publish a change: json.dump(generated_schema(), file, indent=2)
    assert set(published_schema()["required"]) == set(json.loads(raw))
    assert {v.label: v.count for v in parsed.labels} == {f.label: f.count for f in findings.findings}
    assert parsed.context.known["energy_kev"].model_dump() == {"value": 80.0, "unit": "keV", "origin": "file"}
    assert "convergence_mrad" in parsed.context.unknown
    assert set(parsed.software) == {"micrographia", "numpy", "scipy", "python"}


def test_unknown_pixel_size_is_null_not_a_number(bare_findings: DefectFindings, tmp_path: Path) -> None:
    write_defects(bare_findings, tmp_path / "results")
    result = json.loads((tmp_path / "results" / "result.json").read_text())
    assert result["scan"]["pixel_size_nm"] is None
    assert result["scan"]["pixel_size_origin"] is None
    assert {label["density_per_nm2"] for label in result["labels"]} == {None}


@pytest.mark.parametrize("size", [128, 1500])
def test_overlay_is_the_scan_enlarged_by_a_whole_factor_with_a_legend_below(size: int, tmp_path: Path) -> None:
    findings = make_findings(size=128)
    if size != 128:
        frames = np.pad(findings.micrograph.frames, ((0, 0), (0, size - 128), (0, size - 128)))
        micrograph = dataclasses.replace(findings.micrograph, frames=frames)
        findings = dataclasses.replace(findings, micrograph=micrograph, model=frames)
    defects_module.write_overlay(findings, tmp_path / "overlay.png")
    with Image.open(tmp_path / "overlay.png") as picture:
        assert picture.width % size == 0
        assert picture.width >= 1400
        assert picture.width < picture.height < 1.3 * picture.width
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    scale = pixels.shape[1] // size
    row = int(np.flatnonzero(findings.sites.label == "V_X")[0])
    x, y = (int((v + 0.5) * scale) for v in (findings.sites.x_px[row], findings.sites.y_px[row]))
    around = pixels[max(0, y - 40) : y + 40, max(0, x - 40) : x + 40].reshape(-1, 3)
    assert (np.abs(around - (255, 149, 0)).max(axis=1) < 40).sum() > 30  # the ring of a V_X, in its colour


def test_report_is_well_formed_and_loads_nothing(results: Path) -> None:
    source = (results / "report.html").read_text()
    page = Page(source)
    assert page.open == []
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:image/", "#")), (tag, name, address)
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(
        r"(?:https?:)?//[a-z0-9-]+\.[a-z]", re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", source)
    )
    assert "@import" not in source
    assert "url(" not in source


def test_only_the_reports_own_script_may_run(results: Path) -> None:
    page = Page((results / "report.html").read_text())
    policy = next(a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(page.scripts[-1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)


def test_the_page_gives_every_section_with_its_numbers(results: Path, findings: DefectFindings) -> None:
    source = (results / "report.html").read_text()
    for words in (
        "Before you rely on this",
        "How much there is",
        "The least certain sites",
        "Evidence for each kind of defect",
        "26.4 ± 2.6 mrad",
        "0.03706 ± 0.00016 nm",
        "ab" * 32,
        "prior_defect_fraction",
        "single Se vacancies",
    ):
        assert words in source, words
    for remark in findings.remarks:
        assert html.escape(remark) in source
    data = json.loads(Page(source).scripts[0])
    assert len(data["sites"]["x"]) == len(findings.sites)
    assert len(data["sites"]["p"]) == findings.sites.posterior.size
    assert max(abs(a - b) for a, b in zip(data["sites"]["p"], findings.sites.posterior.ravel(), strict=True)) < 1e-4
    rows = {a["data-site"] for _, a in Page(source).elements if "data-site" in a}
    assert {str(s) for s in findings.least_certain} <= rows


def test_hostile_names_and_notes_stay_text() -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>.dm4"
    findings = make_findings(file=evil)
    context = dataclasses.replace(
        findings.micrograph.context,
        host=evil,
        dopants=(evil,),
        sample=evil,
        notes=(evil,),
        detectors=(evil, None),
        origins={**findings.micrograph.context.origins, "sample": "file", "detectors": "file"},
    )
    provenance = dataclasses.replace(findings.micrograph.provenance, reader=evil)
    micrograph = dataclasses.replace(findings.micrograph, context=context, provenance=provenance)
    settings = {"note": evil, evil: [evil], "hypotheses": [f"D_M:{evil}"]}
    source = defects_page(dataclasses.replace(findings, micrograph=micrograph, remarks=(evil,), settings=settings))
    page = Page(source)
    assert page.open == []
    assert source.count("<script") == 2
    assert source.count("</script") == 2
    assert not [a for t, a in page.elements if t == "img" and a.get("src") == "x"]
    assert evil in json.dumps(json.loads(page.scripts[0])["labels"])


def test_no_defects_one_channel_no_pixel_size_still_make_a_calm_page(bare_findings: DefectFindings) -> None:
    source = defects_page(bare_findings)
    assert "No defects found" in source
    assert "There is no defect to show." in source
    assert 'name="channel"' not in source
    assert "densities for an area cannot be given" in source
    assert not re.search(
        r"\b(?:nan|None|inf)\b", re.sub(r"<script.*?</script>|<style.*?</style>", "", source, flags=re.S)
    )


def test_a_site_whose_residual_could_not_be_measured_is_shown_with_a_dash(findings: DefectFindings) -> None:
    residual = findings.sites.residual.copy()
    residual[findings.least_certain[0]] = np.nan
    source = defects_page(dataclasses.replace(findings, sites=dataclasses.replace(findings.sites, residual=residual)))
    assert json.loads(Page(source).scripts[0])["sites"]["residual"][findings.least_certain[0]] is None
    assert '<td class="n">–</td>' in source


def test_evidence_patches_share_the_grey_scale_of_the_scan(findings: DefectFindings) -> None:
    page = Page(defects_page(findings))
    scales = Scales.of(findings)
    site = findings.least_certain[0]
    evidence = next(e for e in findings.evidence if e.site == site)
    alt = f"Site {site}, data, channel 2"
    uri = next(a["src"] for t, a in page.elements if t == "img" and a.get("alt") == alt)
    with Image.open(io.BytesIO(base64.b64decode(str(uri).split(",")[1]))) as picture:
        grey = np.asarray(picture).astype(float)
    low, high = scales.grey[1]
    expected = np.clip((evidence.data[1] - low) / (high - low), 0, 1) * 255
    assert np.abs(grey - expected).max() <= 0.51


def test_a_page_of_a_whole_pair_is_light_enough_to_mail() -> None:
    findings = make_findings(size=512)
    assert len(findings.sites) > 7500
    assert len(defects_page(findings).encode()) < 15e6


def test_a_failure_midway_leaves_the_old_results(
    findings: DefectFindings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "results"
    out.mkdir()
    (out / "report.html").write_text("old")

    def run_out_of_space(*_: object, **options: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(defects_module, "defects_page", run_out_of_space)
    with pytest.raises(OutputError, match="No space left"):
        write_defects(findings, out)
    assert [p.name for p in tmp_path.rglob("*")] == ["results", "report.html"]
    assert (out / "report.html").read_text() == "old"
