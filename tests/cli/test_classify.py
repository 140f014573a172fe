"""`train classifier` and `classify` from the command line, with an encoder that takes no time."""

from __future__ import annotations

import csv
import json
import shutil

import jsonschema
import numpy as np
import pytest
from PIL import Image

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.report.classified import SCHEMAS, generated_schema
from micrographia.report.records import read_schema

COUNT = 12


class Toy(Encoder):
    """Sees how coarse and how uneven an image is."""

    def __init__(self, version="1"):
        what = {"reads": False, "shared_space": False, "licence": "", "caution": ""}
        super().__init__(name="toy", version=version, sees=True, **what)

    def embed_images(self, frames, *, batch=8):
        for frame in frames:
            steps = [np.abs(np.diff(frame, axis=axis)).mean() for axis in (0, 1)]
            whole = np.array([*steps, frame.std(), np.abs(frame - frame.mean()).mean()], dtype=np.float32)
            yield ImageEmbedding(whole=whole, patches=whole[None, None], patch_px=1.0)


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setattr("micrographia.embed.choose.load_embedder", lambda name: Toy())


def draw(kind, rng):
    """Return an image of coarse or of fine squares."""
    side = {"coarse": 16, "fine": 4}[kind]
    return np.clip(np.kron(rng.normal(120, 30, (64 // side, 64 // side)), np.ones((side, side))), 0, 255)


def save(pixels, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return a folder with a folder of images for each of two classes."""
    home, rng = tmp_path_factory.mktemp("drawn"), np.random.default_rng(0)
    for kind in ("coarse", "fine"):
        for k in range(COUNT):
            save(draw(kind, rng), home / kind / f"{k}.png")
    return home


@pytest.fixture
def images(drawn, tmp_path):
    return shutil.copytree(drawn, tmp_path / "images")


@pytest.mark.parametrize("file", SCHEMAS)
def test_published_schemas_are_those_of_the_models(file):
    # to publish a change: json.dump(generated_schema(file), handle, indent=2)
    assert read_schema(file) == generated_schema(file)


def test_from_folders_to_classes_with_evidence(run, images, tmp_path):
    model, out, rng = tmp_path / "model", tmp_path / "out", np.random.default_rng(1)
    code, printed, err = run("train", "classifier", "--images", images, "--out", model, "--encoder", "toy")
    assert (code, err) == (0, "")
    assert "24 images of 2 classes, cross-validated in 5 parts: accuracy 100.0 % (86 to 100)" in printed
    assert {p.name for p in model.iterdir()} == {"classifier.safetensors", "classifier.json", "classifier.md"}
    record = json.loads((model / "classifier.json").read_text())
    jsonschema.validate(record, read_schema("classifier-1.json"))
    assert record["classes"] == ["coarse", "fine"]
    assert record["encoder"] == {"name": "toy", "version": "1"}
    card = (model / "classifier.md").read_text()
    assert "| fine | 12 | 12 | 100.0 %" in card
    assert card.count("\n- ") == 10  # no item runs into the one before
    save(draw("fine", rng), tmp_path / "new.png")
    save(rng.integers(0, 2, (64, 64)) * 255, tmp_path / "noise.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    files = [tmp_path / f"{name}.png" for name in ("new", "broken", "noise")]
    code, printed, err = run("classify", *files, images / "coarse" / "3.png", "--model", model, "--out", out)
    assert code == 2
    assert err.count("\n") == 1
    assert "broken.png" in err
    assert {p.name for p in out.iterdir()} == {"classes.csv", "result.json", "report.html"}
    result = json.loads((out / "result.json").read_text())
    jsonschema.validate(result, read_schema("classes-1.json"))
    new, noise, learned = result["images"]
    assert (new["class"], new["candidates"]) == ("fine", ["fine"])
    assert {n["class"] for n in new["nearest"]} == {"fine"}
    assert (noise["class"], noise["reason"]) == (None, "unlike all training images")
    assert noise["p_familiar"] == pytest.approx(1 / 25)
    assert (learned["class"], learned["nearest"][0]["file"], learned["nearest"][0]["distance"]) == (
        *("coarse", "coarse/3.png"),
        pytest.approx(0, abs=1e-4),
    )
    assert learned["remarks"] == ["it learned from this very file, coarse/3.png"]
    assert [f["file"] for f in result["failures"]] == [str(tmp_path / "broken.png")]
    with (out / "classes.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["class"] for row in rows] == ["fine", "unknown", "coarse"]
    assert float(rows[0]["p_fine"]) + float(rows[0]["p_coarse"]) == pytest.approx(1)
    page = (out / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    for words in ("unlike all training images", "broken.png", "coarse/3.png", "This very file"):
        assert words.lower() in page.lower()


def test_specimens_tiles_and_the_seed_go_into_the_record(run, images, tmp_path):
    rows = [f"{kind}/{k}.png,{kind[0]}{k // 2}" for kind in ("coarse", "fine") for k in range(COUNT)]
    (tmp_path / "groups.csv").write_text("\n".join(["file,group", *rows]))
    model = tmp_path / "model"
    words = ("--groups", tmp_path / "groups.csv", "--tile", "32", "--seed", "7")
    code, printed, _ = run("train", "classifier", "--images", images, "--out", model, *words)
    assert code == 0
    assert "coarse: 12 images of 6 specimens" in printed
    record = json.loads((model / "classifier.json").read_text())
    assert (record["settings"]["tile_px"], record["settings"]["seed"]) == (32, 7)
    assert [i["specimen"] for i in record["images"][:3]] == ["c0", "c0", "c5"]  # of coarse/0, /1 and /10
    save(np.arange(16 * 40).reshape(16, 40) % 255, tmp_path / "small.png")
    code, _, err = run("classify", tmp_path / "small.png", "--model", model, "--out", tmp_path / "out")
    assert code == 2
    assert "40 x 16 px, less than a tile of 32 px" in err


def test_what_cannot_be_read_is_listed_and_the_model_is_made_of_the_rest(run, images, tmp_path):
    (images / "fine" / "notes.txt").write_text("not an image")
    shutil.copy(images / "fine" / "0.png", images / "fine" / "copy.png")
    (images / "README").write_text("beside")
    code, printed, err = run("train", "classifier", "--images", images, "--out", tmp_path / "model")
    assert code == 2
    assert "24 images of 2 classes" in printed
    assert "notes.txt" in err
    assert "1 of 26 files could not be used; the model is made of the rest" in err
    assert "fine/copy.png is the same image as fine/0.png; it counts once" in err
    assert "README" in err
    assert json.loads((tmp_path / "model" / "classifier.json").read_text())["unreadable"] == ["fine/notes.txt"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("one image", "class fine has 1 image, which cannot be cross-validated; 2 images of different specimens"),
        ("one class", "holds one class, coarse; accepted are two or more folders"),
        ("empty class", "class fine is empty; put images into"),
        ("both classes", "coarse/0.png and fine/same.png are the same image in two classes"),
        ("all broken", "class fine has no image that could be used"),
        ("unknown", "a class is called unknown"),
        ("no groups", "says nothing of 23 files, the first coarse/1.png"),
    ],
)
def test_folders_that_cannot_be_learned_from_are_refused_in_one_line(spoil, says, run, images, tmp_path):
    fine, words = images / "fine", ()
    if spoil in ("one image", "all broken"):
        for k in range(1, COUNT):
            (fine / f"{k}.png").unlink()
    if spoil == "all broken":
        (fine / "0.png").write_bytes(b"no picture")
    if spoil in ("one class", "empty class"):
        shutil.rmtree(fine)
    if spoil == "empty class":
        fine.mkdir()
    if spoil == "both classes":
        shutil.copy(images / "coarse" / "0.png", fine / "same.png")
    if spoil == "unknown":
        fine.rename(images / "unknown")
    if spoil == "no groups":
        (tmp_path / "groups.csv").write_text("file,group\ncoarse/0.png,a\n")
        words = ("--groups", tmp_path / "groups.csv")
    code, out, err = run("train", "classifier", "--images", images, "--out", tmp_path / "model", *words)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "model").exists()


@pytest.fixture(scope="module")
def trained(drawn, tmp_path_factory):
    """Return a model of the drawn images, made without the command line."""
    from micrographia.learn.classifier.images import embed_files, labelled_files
    from micrographia.learn.classifier.settings import ClassifierSettings
    from micrographia.learn.classifier.train import train_classifier
    from micrographia.qualify.classify.record import Settings
    from micrographia.qualify.classify.saved import save_classifier

    folder = tmp_path_factory.mktemp("model")
    made = train_classifier(embed_files(labelled_files(drawn), Toy()), Toy(), settings=ClassifierSettings())
    settings = Settings(tile_px=None, info_bar=True, seed=0, strengths=(1.0,), strength=1.0)
    save_classifier(
        made.classifier,
        folder,
        measured=made.measured,
        settings=settings,
        unreadable=(),
        software={"micrographia": "0"},
    )
    return folder


def test_a_model_comes_back_as_it_was(trained, drawn):
    from micrographia.qualify.classify.saved import load_classifier

    classifier, record = load_classifier(trained)
    assert classifier.classes == record.classes == ("coarse", "fine")
    assert [i.file for i in classifier.images][:2] == ["coarse/0.png", "coarse/1.png"]
    assert classifier.features.shape == (2 * COUNT, 4)
    assert classifier.sha256 == record.weights_sha256


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("nothing", "does not exist; accepted is a folder that `micrographia train classifier` wrote"),
        ("a file", "is a file; accepted"),
        ("another folder", "holds no classifier.json; accepted"),
        ("a checkpoint", "but a checkpoint of transformers, which is used as --encoder"),
        ("a language model", "but a language model of `train language`"),
        ("other weights", "is not the file that classifier.json was written with: damaged, or of another classifier"),
        ("architecture", "holds another architecture than classifier.json says"),
        ("cut off", "classifier.json cannot be read"),
        ("a field", "classifier.json is damaged (temperature:"),
        ("newer", "says that it is 'micrographia/classifier/2'; accepted is micrographia/classifier/1"),
        ("no weights", "classifier.safetensors cannot be read"),
        ("version", "learned with toy of version 1, but toy is 2 here"),
    ],
)
def test_what_is_no_model_of_this_encoder_is_refused_in_one_line(spoil, says, run, trained, tmp_path, monkeypatch):
    import hashlib

    from safetensors.numpy import save as packed

    model = shutil.copytree(trained, tmp_path / "model")
    weights, record = model / "classifier.safetensors", model / "classifier.json"
    said = json.loads(record.read_text())
    if spoil == "nothing":
        shutil.rmtree(model)
    elif spoil == "a file":
        model = weights
    elif spoil in ("another folder", "a checkpoint", "a language model"):
        shutil.rmtree(model)
        model.mkdir()
        name = {"a checkpoint": "config.json", "a language model": "language.json"}.get(spoil, "notes.txt")
        (model / name).write_text("{}")
    elif spoil == "other weights":
        weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    elif spoil == "architecture":
        raw = packed({"layer.weight": np.zeros((3, 3), np.float32)})
        weights.write_bytes(raw)
        record.write_text(json.dumps({**said, "weights_sha256": hashlib.sha256(raw).hexdigest()}))
    elif spoil == "cut off":
        record.write_text(record.read_text()[:100])
    elif spoil == "a field":
        record.write_text(json.dumps({**said, "temperature": -1}))
    elif spoil == "newer":
        record.write_text(json.dumps({**said, "schema": "micrographia/classifier/2"}))
    elif spoil == "no weights":
        weights.unlink()
    else:
        monkeypatch.setattr("micrographia.embed.choose.load_embedder", lambda name: Toy("2"))
    code, out, err = run("classify", tmp_path / "x.png", "--model", model, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_few_training_images_are_told_and_shares_out_of_range_refused(run, trained, drawn, tmp_path):
    file = drawn / "fine" / "1.png"
    code, _, err = run("classify", file, "--model", trained, "--out", tmp_path / "out", "--alpha", "0.05")
    assert code == 0
    assert "class fine has 12 training images and can never be ruled out at alpha 0.05" in err
    assert "19 are needed" in err
    code, _, err = run("classify", file, "--model", trained, "--out", tmp_path / "no", "--unlike", "0.9")
    assert code == 2
    assert "unlike is 0.9; accepted is a share above 0" in err
