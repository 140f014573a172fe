"""Tables and page of what was measured."""

import csv
import io
import json
import math

import jsonschema
import numpy as np
import pytest
from test_overview import EVIL, Elements, text_of

from micrographia.errors import OutputError
from micrographia.report import measurements_result as module
from micrographia.report.measurements import headlines, measurement_tables, write_measurements
from micrographia.report.measurements_page import measurements_page
from micrographia.report.measurements_result import ALL_FIELDS, generated_schema
from micrographia.report.records import read_schema
from micrographia.segment.measured import SegmentedField, measure
from micrographia.segment.segmentation import Segmentation

MASK = np.zeros((128, 128), dtype=np.uint8)
MASK[40:72] = 1  # 32 of 128 rows
for y, x in ((10, 20), (12, 60), (100, 90)):
    MASK[y : y + 10, x : x + 10] = 2  # pores of 100 px


def make(*names, nm=100.0, classes=("metal", "oxide", "pore"), strangeness=None, dissent=None):
    found = Segmentation(values=(0, 1, 2), names=classes, mask=MASK, strangeness=strangeness, dissent=dissent)
    fields = [SegmentedField(name=n, segmentation=found, pixel_size_nm=nm) for n in names or ("a",)]
    return measure(fields, kinds={classes[1]: "layer", classes[2]: "objects"}, rng=np.random.default_rng(0))


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def tables(measured, origin="user"):
    return measurement_tables(measured, source="masks", pixel_size_origin=origin)


@pytest.mark.parametrize("file", list(module.SCHEMAS))
def test_published_schemas_are_those_of_the_models(file):
    # to publish a change: json.dump(generated_schema(file), handle, indent=2)
    assert read_schema(file) == generated_schema(file)


@pytest.mark.parametrize("nm", [100.0, None])
def test_the_summary_follows_its_published_schema(nm):
    raw = json.loads(tables(make("a", "b", nm=nm), None if nm is None else "file")["measurements.json"])
    jsonschema.validate(raw, read_schema("measurements-1.json"))
    assert raw["schema"] == "micrographia/measurements/1"
    assert [f["name"] for f in raw["fields"]] == ["a", "b"]
    assert {k["name"]: k["kind"] for k in raw["kinds"]} == {"oxide": "layer", "pore": "objects"}


def test_the_table_has_a_row_a_number():
    found = rows(tables(make())["measurements.csv"])
    assert list(found[0]) == [
        *("field", "class", "name", "value", "unit", "low", "high", "count", "counted", "clause", "method", "note"),
    ]
    by = {(r["class"], r["name"]): r for r in found}
    assert len(by) == len(found)
    share, thick = by["oxide", "area fraction"], by["oxide", "mean thickness"]
    assert (share["value"], share["unit"], share["clause"], share["field"]) == ("25", "%", "ASTM E1245", "a")
    assert (float(thick["value"]), thick["unit"]) == (pytest.approx(3.2), "µm")


def test_numbers_over_all_fields_are_told_from_those_of_one():
    found = rows(tables(make("a", "b"))["measurements.csv"])
    places = [r["field"] for r in found if (r["class"], r["name"]) == ("oxide", "mean thickness")]
    assert places == [ALL_FIELDS, "a", "b"]


def test_objects_have_a_row_each_and_outlines_with_the_same_areas():
    texts = tables(make())
    found = rows(texts["objects.csv"])
    assert [(r["image"], r["class"], float(r["area_um2"])) for r in found] == [("a", "pore", pytest.approx(1.0))] * 3
    assert float(found[0]["diameter_um"]) == pytest.approx(math.sqrt(4 / math.pi))
    coco = json.loads(texts["objects.coco.json"])
    assert [a["area"] for a in coco["annotations"]] == [100, 100, 100]
    assert coco["annotations"][0]["bbox"] == [20, 10, 10, 10]


def test_classes_whose_names_differ_in_signs_only_have_files_of_their_own():
    found = Segmentation(values=(0, 1, 2), names=("m", "a b", "a-b"), mask=MASK)
    measured = measure(
        [SegmentedField(name="a", segmentation=found, pixel_size_nm=None)],
        kinds={"a b": "objects", "a-b": "objects"},
        rng=np.random.default_rng(0),
    )
    assert {n for n in tables(measured) if "coco" in n} == {"objects-a-b.coco.json", "objects-a-b-2.coco.json"}


def page(measured, greys=None, origin="user"):
    return measurements_page(measured, greys or {}, source="masks", pixel_size_origin=origin)


def test_the_page_shows_the_numbers_and_loads_nothing():
    source = page(make("a", "b"), {"a": MASK * 60})
    elements = Elements(source)
    assert elements.open == []
    assert "<script" not in source
    for tag, attributes in elements.elements:
        for name in ("src", "href"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:image/", "#")), (tag, address)
    words = " ".join(text_of(source).split())
    assert "Oxide and pore, on 2 fields" in words
    assert "oxide: mean thickness 3.20 µm" in words
    assert "pixels of 100 nm (user)" in words


def test_words_of_others_stay_words():
    source = page(make(EVIL, EVIL + "2", classes=("m", EVIL, EVIL + "b")))
    assert Elements(source).open == []
    assert "<script" not in source
    assert not [t for t, a in Elements(source).elements if "onerror" in a]


def test_an_unknown_pixel_size_is_told_and_lengths_are_in_pixels():
    words = " ".join(text_of(page(make(nm=None), origin=None)).split())
    assert "pixels of unknown size" in words
    assert "The pixel size is unknown, so lengths are in pixels" in words
    assert "oxide: mean thickness 32.0 px" in words
    assert "µm" not in words


def test_an_image_unlike_the_training_images_is_told():
    assert "nlike the training images" not in text_of(page(make()))
    measured = make(strangeness=3.0)
    words = " ".join(text_of(page(measured)).split())
    assert "Unlike the training images: a." in words
    assert json.loads(tables(measured)["measurements.json"])["fields"][0]["unfamiliar"] is True


def test_an_answer_that_two_opinions_disagree_on_is_told():
    words = " ".join(text_of(page(make(dissent=0.31))).split())
    assert (
        "Doubtful: on a the two opinions of the model differ on 31 % of it, so what was measured on it means little."
        in words
    )
    assert "The two opinions of the model differ on 31 % of it: do not rely on this." in words


def test_how_far_two_opinions_differ_is_told_where_they_mostly_agree():
    words = " ".join(text_of(page(make(dissent=0.034))).split())
    assert "The two opinions of the model differ on 3.4 % of the image. Both may be wrong." in words
    assert "rely on this" not in words
    assert "opinions" not in text_of(page(make()))


def test_an_image_can_be_seen_without_its_classes():
    elements = Elements(page(make("a", "b"), {"a": MASK * 60})).elements
    boxes = [a["id"] for t, a in elements if t == "input"]
    assert boxes == [a["for"] for t, a in elements if t == "label"]
    assert len(boxes) == 1  # there is no image of b
    pictures = [(a["class"], a["alt"]) for t, a in elements if t == "img"]
    assert pictures == [("under", "a"), ("over", "a with its classes tinted"), ("over", "b with its classes tinted")]


def test_what_is_told_of_a_quantity_stands_below_it():
    source = page(make())
    below = source.split("Area fraction")[1].split("</tr>")[1]
    assert below.startswith('<tr class="below"><td>standard deviation<')


def test_cracks_along_rows_share_a_bar_of_the_chart_of_directions():
    mask = np.zeros((128, 128), dtype=np.uint8)
    mask[60:63, 10:110] = 1
    found = Segmentation(values=(0, 1), names=("metal", "crack"), mask=mask)
    fields = [SegmentedField(name="a", segmentation=found, pixel_size_nm=None)]
    chart = page(measure(fields, rng=np.random.default_rng(0))).split('aria-label="length [px] over Crack')[1]
    filled = [bar for bar in chart.split("<title>")[1:] if not bar.split("<")[0].endswith(": 0")]
    assert [bar.split(":")[0] for bar in filled] == ["-5 to 5 °"]
    assert [f">{tick}</text>" in chart for tick in (0, 45, 90, 135)] == [True] * 4


def test_headlines_say_share_and_thickness():
    assert headlines(make())[0].startswith("oxide: area fraction 25")
    assert "mean thickness 3.20 µm" in headlines(make())[0]


def test_files_appear_together_or_not_at_all(tmp_path):
    paths = write_measurements(make(), {}, tmp_path / "r", source="masks", pixel_size_origin=None)
    assert {p.name for p in paths} == {p.name for p in (tmp_path / "r").iterdir()}
    assert {p.name for p in paths} == {
        *("report.html", "measurements.json", "measurements.csv", "objects.csv", "objects.coco.json"),
    }
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        write_measurements(make(), {}, tmp_path / "file", source="masks", pixel_size_origin=None)
    assert (tmp_path / "file").read_text() == "mine"
