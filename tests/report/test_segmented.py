"""Files of `segment apply`, and what they say of an image that is unlike the training images."""

import json

import jsonschema
import numpy as np
import pytest
import tifffile
from PIL import Image

from micrographia.context import Context
from micrographia.errors import OutputError
from micrographia.micrograph import Micrograph, Provenance
from micrographia.report import segmented as module
from micrographia.report import segmented_overlay
from micrographia.report.records import read_schema
from micrographia.report.segmented import Segmented, free_names, generated_schema, write_segmentation, write_segmented
from micrographia.segment.segmentation import Segmentation

MASK = np.zeros((40, 60), dtype=np.uint8)
MASK[:10] = 3  # a quarter


def found(*, strangeness=0.5, dissent=None, seen="", names=("matrix", "pore"), name="a"):
    rng = np.random.default_rng(0)
    doubt = np.zeros(MASK.shape, dtype=np.float32)
    doubt[:4] = 0.8  # a tenth
    p = np.stack([MASK != 3, MASK == 3]).astype(np.float32)
    micrograph = Micrograph(
        frames=rng.normal(100, 5, (1, *MASK.shape)).astype(np.float32),
        pixel_size_nm=2.0,
        context=Context(),
        provenance=Provenance(file="a.tif", sha256="ab" * 32, reader="tifffile", software="0"),
    )
    classes = Segmentation(
        values=(0, 3),
        names=names,
        mask=MASK,
        uncertainty=doubt,
        probability=p,
        strangeness=strangeness,
        dissent=dissent,
        seen=seen,
    )
    return Segmented(name=name, micrograph=micrograph, segmentation=classes)


@pytest.mark.parametrize("file", list(module.SCHEMAS))
def test_published_schemas_are_those_of_the_models(file):
    # to publish a change: json.dump(generated_schema(file), handle, indent=2)
    assert read_schema(file) == generated_schema(file)


def test_files_hold_what_was_found(tmp_path):
    entry = write_segmented(found(), tmp_path / "r")
    assert {p.name for p in (tmp_path / "r").iterdir()} == {
        *("a.png", "a-overlay.png", "a-uncertainty.png", "a-probability.tif"),
    }
    assert (np.asarray(Image.open(tmp_path / "r" / "a.png")) == MASK).all()
    doubt = np.asarray(Image.open(tmp_path / "r" / "a-uncertainty.png"))
    assert (doubt[:4] == 204).all()  # 0.8 of 255
    assert (doubt[4:] == 0).all()
    assert tifffile.imread(tmp_path / "r" / "a-probability.tif").shape == (2, *MASK.shape)
    assert [(c.value, c.name, c.share, c.pixels) for c in entry.classes] == [
        (0, "matrix", 0.75, 1800),
        (3, "pore", 0.25, 600),
    ]
    assert (entry.mean_uncertainty, entry.doubtful_share) == (pytest.approx(0.08, abs=1e-6), 0.1)


def test_the_summary_follows_its_published_schema(tmp_path):
    path = write_segmentation([write_segmented(found(strangeness=2.5), tmp_path)], "cd" * 32, tmp_path)
    raw = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(raw, read_schema("segmentation-1.json"))
    assert raw["schema"] == "micrographia/segmentation/1"
    assert (raw["images"][0]["strangeness"], raw["images"][0]["unfamiliar"]) == (2.5, True)
    assert (raw["images"][0]["dissent"], raw["images"][0]["warning"]) == (None, "unlike the training images")


def test_an_answer_that_two_opinions_disagree_on_is_told_everywhere(tmp_path):
    assert found(dissent=0.2).headline == found().headline
    odd = found(dissent=0.294)
    assert odd.headline.endswith("; THE TWO OPINIONS OF THE MODEL DIFFER ON 29 % OF IT, do not rely on it")
    entry = write_segmented(odd, tmp_path)
    assert (entry.unfamiliar, entry.dissent) == (False, 0.294)
    assert entry.warning == "the two opinions of the model differ on 29 % of it"
    assert found(strangeness=2.0, dissent=0.3).segmentation.warning.startswith(
        "unlike the training images; the two opinions"
    )


def test_an_image_unlike_the_training_images_is_told_everywhere(tmp_path, monkeypatch):
    assert found().headline == "matrix 75.0 %, pore 25.0 %"
    assert found(strangeness=1.01).headline.endswith("; UNLIKE THE TRAINING IMAGES, do not rely on it")
    drawn = []
    text = segmented_overlay.Figure.text
    monkeypatch.setattr(
        segmented_overlay.Figure,
        "text",
        lambda self, x, y, words, **k: drawn.append(words) or text(self, x, y, words, **k),
    )
    write_segmented(found(), tmp_path)
    assert drawn == []
    write_segmented(found(strangeness=1.01), tmp_path)
    assert drawn == ["UNLIKE THE TRAINING IMAGES: do not rely on this"]


def test_what_was_done_to_an_image_is_told(tmp_path):
    odd = found(seen="with black and white exchanged")
    assert odd.headline == "matrix 75.0 %, pore 25.0 %; seen with black and white exchanged"
    assert write_segmented(odd, tmp_path).seen == "with black and white exchanged"


def test_names_of_classes_are_no_formulas_and_none_is_hidden(tmp_path):
    plain, odd = tmp_path / "plain", tmp_path / "odd"
    write_segmented(found(names=("matrix", "pore")), plain)
    write_segmented(found(names=("$\\frac{", "_hidden")), odd)
    assert (odd / "a-overlay.png").is_file()
    legend = np.asarray(Image.open(odd / "a-overlay.png").convert("L"))[-60:]
    assert (legend < 100).any(axis=0).sum() > 200  # two names, not one


def test_files_of_images_do_not_replace_one_another():
    assert free_names(["a", "a-overlay", "a-uncertainty", "b"]) == ["a", "a-overlay-2", "a-uncertainty-2", "b"]
    assert free_names(["a", "a-overlay"], tiff=True) == ["a", "a-overlay"]
    assert free_names(["a", "a-probability"], tiff=True) == ["a", "a-probability-2"]


def test_nothing_is_left_where_the_folder_is_a_file(tmp_path):
    (tmp_path / "r").write_text("mine")
    with pytest.raises(OutputError):
        write_segmented(found(), tmp_path / "r")
    assert [p.name for p in tmp_path.iterdir()] == ["r"]
    assert (tmp_path / "r").read_text() == "mine"
