from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from micrographia.context import Context
from micrographia.cues import Cue, look
from micrographia.errors import InputError, OutputError
from micrographia.instruct.describing import describe_micrograph
from micrographia.micrograph import Micrograph, Provenance
from micrographia.report.cue_value import cue_value
from micrographia.report.missing import missing_context
from micrographia.report.overview import BatchEntry, Segments, overview_headline, write_index, write_overview
from micrographia.report.overview_page import overview_page
from micrographia.report.overview_result import SCHEMAS, BatchResult, OverviewResult, generated_schema
from micrographia.report.records import read_schema
from micrographia.segment.measured import SegmentedField, measure
from micrographia.segment.segmentation import Segmentation

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>.tif"
ADVICE = ("No hexagonal lattice shows.",)


def make_scan(
    *, technique: str | None = "SEM", pixel_size_nm: float | None = 2.9, channels: int = 1, file: str = "steel.tif"
) -> Micrograph:
    y, x = np.mgrid[:192, :256]
    rng = np.random.default_rng(0)
    wave = np.cos(2 * np.pi / 9.0 * (x * math.cos(0.5) - y * math.sin(0.5)))
    frames = np.stack([100 + 20 * wave + rng.normal(0, 8, wave.shape) for _ in range(channels)]).astype(np.float32)
    return Micrograph(
        frames=frames,
        pixel_size_nm=pixel_size_nm,
        context=Context(technique=technique, energy_kev=5.0, notes=("tilt is recorded as 900",), origin="file"),
        provenance=Provenance(
            file=file, sha256="ab" * 32, reader="tifffile", software="0", raw_metadata={"vendor": {"gun": "FEG"}}
        ),
    )


class Elements(HTMLParser):
    """Collects elements, and checks that every opened element is closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def text_of(source: str) -> str:
    return re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>|data:image/[^\"]+", "", source, flags=re.S))


def test_the_folder_holds_page_and_summary(tmp_path: Path) -> None:
    scan = make_scan()
    paths = write_overview(scan, look(scan), ADVICE, tmp_path / "out")
    assert [p.name for p in paths] == ["report.html", "result.json"]
    assert all(p.is_file() for p in paths)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("file", list(SCHEMAS))
def test_published_schemas_are_those_of_the_models(file: str) -> None:
    # to publish a change: json.dump(generated_schema(file), handle, indent=2)
    assert read_schema(file) == generated_schema(file)


def test_result_json_keeps_every_cue_and_null_for_what_is_unknown(tmp_path: Path) -> None:
    scan = make_scan(pixel_size_nm=None)
    cues = look(scan)
    write_overview(scan, cues, ADVICE, tmp_path / "out")
    raw = (tmp_path / "out" / "result.json").read_text()
    parsed = OverviewResult.model_validate_json(raw, strict=True)
    assert json.loads(raw)["schema"] == "micrographia/overview/1"
    assert parsed.scan.pixel_size_nm is None
    assert [(c.name, c.value, c.uncertainty) for c in parsed.cues] == [(c.name, c.value, c.uncertainty) for c in cues]
    assert parsed.advice == ADVICE
    assert "host" in parsed.context.unknown


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    source = overview_page(make_scan(), look(make_scan()), ADVICE)
    page = Elements(source)
    assert page.open == []
    policy = next(str(a["content"]) for t, a in page.elements if t == "meta" and a.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "script-src 'none'" in policy
    assert "<script" not in source
    for tag, attributes in page.elements:
        for name in ("src", "href"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:image/", "#")), (tag, address)
    assert "url(" not in source


def test_the_page_gives_values_advice_gaps_and_origins() -> None:
    scan = make_scan()
    words = text_of(overview_page(scan, look(scan), ADVICE))
    spacing = look(scan)[0]
    assert spacing.value == pytest.approx(9.0 * 2.9, rel=0.01)
    assert f"{spacing.value:.1f}" in words
    assert ADVICE[0] in words
    assert "Tilt is recorded as 900" in words
    assert "Depth of field cannot be judged" in words  # the working distance of a SEM is missing
    assert "FEG" in words
    assert "ab" * 32 in words
    assert not re.search(r"\b(?:nan|None|inf)\b", words)


def test_marks_of_spacings_lie_on_their_frequencies() -> None:
    scan = make_scan()
    page = Elements(overview_page(scan, look(scan), ()))
    rings = [a for t, a in page.elements if t == "circle" and a.get("r") == "11"]
    x, y = float(str(rings[0]["cx"])), float(str(rings[0]["cy"]))
    assert math.degrees(math.atan2(-y, x)) == pytest.approx(math.degrees(0.5), abs=0.5)
    assert len(rings) == 2 * sum(c.name == "spacing" for c in look(scan))


@pytest.mark.parametrize(
    ("technique", "size", "expected"),
    [
        ("SEM", 2.9, {"working_distance_mm"}),
        ("TEM", None, {"pixel_size_nm", "dose_e_per_A2"}),
        ("STEM", 0.02, {"host", "convergence_mrad", "collection_mrad", "dose_e_per_A2"}),
        ("STEM", 5.0, {"convergence_mrad", "collection_mrad", "dose_e_per_A2"}),  # too coarse for atoms
        ("light", 100.0, set()),
        ("diffraction", None, set()),
        (None, None, {"pixel_size_nm", "host", "technique"}),
    ],
)
def test_what_is_missing_depends_on_the_technique(
    technique: str | None, size: float | None, expected: set[str]
) -> None:
    assert set(missing_context(make_scan(technique=technique, pixel_size_nm=size))) == expected


def test_headline_says_what_is_known() -> None:
    assert overview_headline(make_scan()) == "SEM image, 256 × 192 px of 2.9 nm: a field of 742 × 557 nm."
    unknown = overview_headline(make_scan(technique=None, pixel_size_nm=None, channels=2))
    assert unknown == "Image of unknown technique, 256 × 192 px, 2 channels; the pixel size is unknown."


@pytest.mark.parametrize(
    ("value", "uncertainty", "unit", "shown"),
    [
        (10123.0, 160.0, "nm", "10.12 ± 0.16 µm"),
        (110628.0, 859.0, "intensity units", "(1.106 ± 0.009) × 10⁵"),
        (20.6525, 0.0022, "%", "20.7 %"),
        (1.5123, None, "%", "1.51 %"),
        (None, None, "nm", "–"),
    ],
)
def test_values_have_the_digits_and_the_unit_that_suit_them(
    value: float | None, uncertainty: float | None, unit: str, shown: str
) -> None:
    cue = Cue(name="x", value=value, uncertainty=uncertainty, unit=unit, sentence="")
    assert re.sub(r"<[^>]+>", "", cue_value(cue)) == shown


def test_hostile_names_and_metadata_stay_text() -> None:
    scan = make_scan(file=EVIL, channels=2)
    context = Context(technique=EVIL, host=EVIL, sample=EVIL, detectors=(EVIL, None), notes=(EVIL,), origin="file")
    provenance = dataclasses.replace(scan.provenance, reader=EVIL, raw_metadata={EVIL: [EVIL, b"\x00", object()]})
    hostile = dataclasses.replace(scan, context=context, provenance=provenance)
    cue = Cue(name=EVIL, value=1.0, uncertainty=0.1, unit="px", sentence=EVIL)
    page = Elements(overview_page(hostile, (cue,), (EVIL,)))
    assert page.open == []
    assert not [a for t, a in page.elements if t in ("script", "img")]


def test_a_failure_midway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out_of_space(*_: object, **options: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", run_out_of_space)
    scan = make_scan()
    with pytest.raises(OutputError, match="No space left"):
        write_overview(scan, look(scan), ADVICE, tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_index_links_what_was_analysed_and_tells_what_failed(tmp_path: Path) -> None:
    out = tmp_path / "batch"
    scan = make_scan()
    write_overview(scan, look(scan), ADVICE, out / "a #1 scan")
    entries = (
        BatchEntry(name="a #1 scan.tif", folder="a #1 scan", headline="SEM image", error=None),
        BatchEntry(name=EVIL, folder=None, headline=None, error=f"{EVIL} is empty"),
    )
    write_index(entries, out)
    assert {p.name for p in out.iterdir()} == {"a #1 scan", "report.html", "result.json"}
    source = (out / "report.html").read_text()
    page = Elements(source)
    assert page.open == []
    assert [a["href"] for t, a in page.elements if t == "a"] == ["./a%20%231%20scan/report.html"]
    assert "2 scans: 1 analysed, 1 failed." in source
    assert not [t for t, _ in page.elements if t in ("script", "img")]
    parsed = BatchResult.model_validate_json((out / "result.json").read_text(), strict=True)
    assert [s.folder for s in parsed.scans] == ["a #1 scan", None]
    assert parsed.schema_ == "micrographia/batch/1"


@pytest.mark.parametrize(("folder", "error"), [(None, None), ("scan", "broken")])
def test_an_entry_is_either_a_result_or_an_error(folder: str | None, error: str | None) -> None:
    with pytest.raises(InputError, match="either a folder"):
        BatchEntry(name="scan.tif", folder=folder, headline=None, error=error)


def make_segments(*, strangeness: float | None) -> Segments:
    mask = np.zeros((192, 256), dtype=np.uint8)
    mask[80:112] = 1  # 32 rows of 2.9 nm
    classes = Segmentation(values=(0, 1), names=("metal", EVIL), mask=mask, strangeness=strangeness)
    field = SegmentedField(name="steel.tif", segmentation=classes, pixel_size_nm=2.9)
    measured = measure([field], kinds={EVIL: "layer"}, rng=np.random.default_rng(0))
    return Segments(measured=measured, how="2 classes.", source="cd" * 32)


def test_what_was_found_is_told_with_its_numbers(tmp_path: Path) -> None:
    paths = write_overview(make_scan(), (), ADVICE, tmp_path, segments=make_segments(strangeness=0.5))
    assert {p.name for p in paths} == {"report.html", "result.json", "measurements.json", "measurements.csv"}
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert Elements(source).open == []
    assert "<script" not in source
    words = " ".join(text_of(source).split())
    assert "Mean thickness" in words
    assert "0.0928" in words  # 32 x 2.9 nm in µm
    assert "nlike the training images" not in words


def test_an_image_unlike_the_training_images_is_the_first_of_the_limits(tmp_path: Path) -> None:
    write_overview(make_scan(), (), ADVICE, tmp_path, segments=make_segments(strangeness=1.5))
    words = " ".join(text_of((tmp_path / "report.html").read_text(encoding="utf-8")).split())
    assert "what would tell more Unlike the training images: steel.tif." in words
    advice = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["advice"]
    assert advice[0].startswith("Unlike the training images")


def test_each_sentence_of_a_description_leads_to_its_cue(tmp_path: Path) -> None:
    scan = make_scan()
    described = describe_micrograph(scan)
    assert len(described) >= 10
    write_overview(scan, look(scan), ADVICE, tmp_path, described=described)
    page = Elements((tmp_path / "report.html").read_text(encoding="utf-8"))
    ids = [attributes["id"] for tag, attributes in page.elements if tag == "tr" and "id" in attributes]
    targets = [attributes["href"] for tag, attributes in page.elements if attributes.get("class") == "fact"]
    assert len(ids) == len(set(ids)) == len(described)
    assert targets == [f"#{one}" for one in ids]
    words = text_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert all(one.text in words for one in described)
    told = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["description"]
    assert [one["cue"] for one in told["sentences"]] == [cue["name"] for cue in told["cues"]]
    spacing = next(cue for cue in told["cues"] if cue["name"] == "spacing")
    assert spacing["value"] == pytest.approx(9.0 * 2.9, rel=0.01)  # the wave that the image was made of


def test_without_a_description_there_is_no_section_for_it(tmp_path: Path) -> None:
    write_overview(make_scan(), look(make_scan()), ADVICE, tmp_path)
    assert "#words" not in (tmp_path / "report.html").read_text(encoding="utf-8")
