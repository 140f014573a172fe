import json
from importlib.resources import files
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "scan.npy", np.arange(144.0).reshape(12, 12))
    (tmp_path / "scan.yaml").write_text(
        "{pixel_size_nm: 0.02, energy_kev: 80, magnification: 10000000, collection_mrad: [76, 200], notes: a doubt,"
        " sample: '[bold]x :smile:'}"
    )
    np.save(tmp_path / "stack.npy", np.arange(30 * 144.0).reshape(30, 12, 12))
    (tmp_path / "stack.yaml").write_text("{}")
    return tmp_path


def test_people_see_values_origins_and_doubts(run, folder):
    code, out, err = run("info", folder / "scan.npy")
    assert (code, err) == (0, "")
    rows = {line.split("  ")[0].strip(): " ".join(line.split()) for line in out.splitlines()}
    assert rows["Image"] == "Image 12 x 12 px"
    assert rows["Intensity"] == "Intensity 0 to 143, in the file's units"
    assert rows["Pixel size"] == "Pixel size 0.02 nm file"
    assert rows["Beam energy"] == "Beam energy 80 keV file"
    assert rows["Collection semi-angles"] == "Collection semi-angles 76 to 200 mrad file"
    assert rows["Convergence semi-angle"] == "Convergence semi-angle unknown"
    assert rows["Magnification"] == "Magnification 10,000,000 × file"
    assert rows["Sample"] == "Sample [bold]x :smile: file"
    assert "- a doubt" in out


def test_programs_get_json_as_published(run, folder):
    code, out, err = run("info", folder / "scan.npy", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["schema"] == "micrographia/info/1"
    assert record["image"] == {
        "file": "scan.npy",
        "channels": 1,
        "height": 12,
        "width": 12,
        "minimum": 0.0,
        "maximum": 143.0,
    }
    assert record["pixel_size"] == {"value": 0.02, "unit": "nm", "origin": "file"}
    assert record["context"]["energy_kev"] == {"value": 80.0, "unit": "keV", "origin": "file"}
    assert record["context"]["host"] == {"value": None, "unit": None, "origin": None}
    assert record["context"]["collection_mrad"]["value"] == [[76.0, 200.0]]
    assert record["notes"] == ["a doubt"]
    assert_follows_schema(record)


def assert_follows_schema(record):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(files("micrographia.report").joinpath("schemas/info-1.json").read_text("utf-8"))
    jsonschema.validate(record, schema)


def test_a_stack_is_listed(run, folder):
    code, out, _ = run("info", folder / "stack.npy")
    assert code == 0
    assert "30 images" in out
    assert "and 10 more, to index 29" in out
    assert "stack.npy::0" in out
    code, out, _ = run("info", folder / "stack.npy", "--json")
    record = json.loads(out)
    assert (code, record["image"], record["context"], len(record["images"])) == (0, None, None, 30)
    assert_follows_schema(record)
    code, out, _ = run("info", f"{folder / 'stack.npy'}::29", "--json")
    record = json.loads(out)
    assert (record["image"]["file"], record["image"]["maximum"]) == ("stack.npy::frame 29", 30 * 144 - 1.0)


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_bad_input_exits_with_2_and_one_line(run, folder, flags):
    (folder / "text.dm4").write_text("no micrograph")
    for name in ("absent.dm4", "text.dm4", "stack.npy::30", "."):
        code, out, err = run("info", folder / name, *flags)
        assert (code, out) == (2, "")
        assert err.startswith("micrographia: ")
        assert err.count("\n") == 1


def test_verbose_shows_the_traceback(run, folder):
    _, _, err = run("-v", "info", folder / "absent.dm4")
    assert "Traceback" in err


def test_small_image_is_shown_with_a_note(run, folder):
    np.save(folder / "scan.npy", np.eye(3))
    code, out, _ = run("info", folder / "scan.npy")
    assert code == 0
    assert "3 x 3 px is too small" in out
    np.save(folder / "scan.npy", np.eye(1))
    assert run("info", folder / "scan.npy")[0] == 2


def test_real_file(run, samples):
    code, out, err = run("info", samples / "stem-wse2-ti/field02/adf1.dm4", "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["format"] == "DigitalMicrograph 4"
    assert record["context"]["energy_kev"] == {"value": 80.0, "unit": "keV", "origin": "file"}
    assert record["context"]["probe_current_pa"] == {"value": None, "unit": "pA", "origin": None}
    assert "probe current is recorded as 0 nA: not believed, left unknown" in record["notes"]


def test_a_bar_burnt_into_a_picture_is_read_unless_it_is_told_not_to(run, tmp_path):
    pixels = np.random.default_rng(0).integers(60, 200, (256, 512)).astype(np.uint8)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 16)
    draw.rectangle([0, 220, 511, 255], fill=255)
    draw.line([20, 250, 120, 250], fill=0)
    draw.text((24, 224), "200 nm", fill=0, font=font)
    draw.text((220, 224), "EHT = 5.00 kV", fill=0, font=font)
    image.save(tmp_path / "picture.png")
    code, out, err = run("info", tmp_path / "picture.png", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["image"]["height"] == 220
    assert record["pixel_size"] == {"value": 2.0, "unit": "nm", "origin": "info bar"}
    assert record["context"]["energy_kev"] == {"value": 5.0, "unit": "keV", "origin": "info bar"}
    assert record["notes"] == [
        "info bar: read, and cut off from row 220 on",
        "info bar: a scale of 200 nm in 100 ± 1 px",
    ]
    record = json.loads(run("info", tmp_path / "picture.png", "--json", "--no-info-bar")[1])
    assert (record["image"]["height"], record["pixel_size"]["value"], record["notes"]) == (256, None, [])
