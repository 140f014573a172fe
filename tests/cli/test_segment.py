"""`micrographia segment`, and what `analyse` finds, from the command line."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

TINY = ("--megapixels", 0.1, "--steps", 2)


def discs(seed, side=96):
    """Bright discs (1) on a dark ground (0)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    mask = np.zeros((side, side), dtype=np.uint8)
    for cy, cx in ((24, 24), (24, 70), (70, 30), (68, 72)):
        mask[(y - cy) ** 2 + (x - cx) ** 2 < 10**2] = 1
    frame = np.clip(80 + 90 * mask + rng.normal(0, 6, mask.shape), 0, 255).astype(np.uint8)
    return frame, mask


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Folders of two images and masks, and a model that learned from them."""
    from micrographia.cli import segment  # noqa: F401  (registers the command)
    from micrographia.cli.app import app

    folder = tmp_path_factory.mktemp("bench")
    for seed in (0, 1):
        frame, mask = discs(seed)
        save(frame, folder / "images" / f"s{seed}.png")
        save(mask, folder / "masks" / f"s{seed}.png")
    words = ("segment", "train", "--images", folder / "images", "--masks", folder / "masks", *TINY)
    words = (*words, "--classes", "ground,disc", "--out", folder / "model.safetensors")
    app(args=[str(word) for word in words], standalone_mode=False)
    return folder


def names(folder):
    return {p.name for p in folder.iterdir()}


def refused(run, *words):
    """Run what must be refused, and return the one line that says why."""
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.startswith("micrographia: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_training_writes_a_model_and_its_card(bench):
    assert names(bench) == {"images", "masks", "model.safetensors", "model.md"}
    assert "disc" in (bench / "model.md").read_text()


def test_applying_writes_a_mask_an_image(run, bench, tmp_path):
    images = [bench / "images" / f"s{k}.png" for k in (0, 1)]
    status, out, err = run("segment", "apply", bench / "model.safetensors", *images, "--out", tmp_path / "r")
    assert (status, err, out.count("disc ")) == (0, "", 2)
    assert names(tmp_path / "r") == {
        *(f"s{k}{end}.png" for k in (0, 1) for end in ("", "-overlay", "-uncertainty")),
        "segmentation.json",
    }
    mask = np.asarray(Image.open(tmp_path / "r" / "s0.png"))
    assert mask.shape == (96, 96)
    summary = json.loads((tmp_path / "r" / "segmentation.json").read_text())
    disc = summary["images"][0]["classes"][1]
    assert (disc["name"], disc["pixels"]) == ("disc", int((mask == 1).sum()))


@pytest.mark.parametrize("kind", ["rgb", "16 bit", "float", "odd size"])
def test_images_of_every_kind_are_segmented(run, bench, tmp_path, kind):
    frame, _ = discs(5)
    frame = {
        "rgb": np.repeat(frame[..., None], 3, axis=2),
        "16 bit": frame.astype(np.uint16) * 200,
        "float": frame.astype(np.float32) / 255,
        "odd size": frame[:77, :91],
    }[kind]
    path = save(frame, tmp_path / "x.tif")
    words = (bench / "model.safetensors", path, "--fast", "--tiff", "--out", tmp_path / "r")
    assert run("segment", "apply", *words)[0] == 0
    mask = np.asarray(Image.open(tmp_path / "r" / "x.tif"))
    assert (mask.shape, mask.dtype) == (frame.shape[:2], np.uint8)


def test_a_batch_finishes_lists_failures_and_exits_with_2(run, bench, tmp_path):
    (tmp_path / "broken.tif").write_text("no image")
    words = (tmp_path / "broken.tif", bench / "images" / "s0.png")
    for command in ("apply", "measure"):
        status, _, err = run("segment", command, bench / "model.safetensors", *words, "--out", tmp_path / command)
        assert status == 2
        assert (err.count("\n"), "broken.tif" in err) == (1, True)
    assert "s0.png" in names(tmp_path / "apply")
    assert "report.html" in names(tmp_path / "measure")


def test_an_interrupted_batch_lists_the_masks_that_it_wrote(run, bench, tmp_path, monkeypatch):
    from micrographia.report import segmented

    write, images = segmented.write_segmented, [bench / "images" / f"s{k}.png" for k in (0, 1)]

    def write_one(found, *arguments, **options):
        if found.name == "s1":
            raise KeyboardInterrupt
        return write(found, *arguments, **options)

    monkeypatch.setattr(segmented, "write_segmented", write_one)
    status, _, _ = run("segment", "apply", bench / "model.safetensors", *images, "--out", tmp_path / "r")
    assert status != 0
    summary = json.loads((tmp_path / "r" / "segmentation.json").read_text())
    assert [image["mask"] for image in summary["images"]] == ["s0.png"]


def test_images_are_never_written_over(run, bench, tmp_path):
    path = save(discs(0)[0], tmp_path / "s.png")
    before = path.read_bytes()
    err = refused(run, "segment", "apply", bench / "model.safetensors", path, "--out", tmp_path)
    assert "s.png would be written over the image" in err
    assert path.read_bytes() == before
    assert run("segment", "apply", bench / "model.safetensors", path, "--tiff", "--out", tmp_path)[0] == 0
    assert path.read_bytes() == before


def test_files_of_images_with_speaking_names_stay_apart(run, bench, tmp_path):
    images = [save(discs(k)[0], tmp_path / f"{name}.png") for k, name in enumerate(("a", "a-overlay"))]
    assert run("segment", "apply", bench / "model.safetensors", *images, "--fast", "--out", tmp_path / "r")[0] == 0
    assert {"a.png", "a-overlay.png", "a-overlay-2.png", "a-overlay-2-overlay.png"} <= names(tmp_path / "r")
    assert np.asarray(Image.open(tmp_path / "r" / "a-overlay-2.png")).shape == (96, 96)


def table(folder):
    with (folder / "measurements.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_model_is_measured_with(run, bench, tmp_path):
    words = ("--pixel-size-nm", 100, "--kind", "disc=phase", "--out", tmp_path / "r")
    status, out, err = run("segment", "measure", bench / "model.safetensors", bench / "images" / "s0.png", *words)
    assert (status, err) == (0, "")
    assert out.startswith("disc: area fraction ")
    summary = json.loads((tmp_path / "r" / "measurements.json").read_text())
    assert (summary["pixel_size_nm"], summary["pixel_size_origin"]) == (100, "user")
    assert len(summary["source"]) == 64


def test_a_mask_is_measured_with_its_image_and_without(run, bench, tmp_path):
    mask = bench / "masks" / "s0.png"
    share = 100 * discs(0)[1].mean()
    assert run("segment", "measure", mask, "--out", tmp_path / "bare")[0] == 0
    words = (mask, bench / "images" / "s0.png", "--classes", "ground,pore", "--pixel-size-nm", 100)
    assert run("segment", "measure", *words, "--out", tmp_path / "both")[0] == 0
    bare, both = table(tmp_path / "bare"), table(tmp_path / "both")
    assert float(bare[0]["value"]) == pytest.approx(share)
    assert (bare[0]["class"], both[0]["class"]) == ("class 1", "pore")
    assert float(both[0]["value"]) == pytest.approx(share)
    diameter = {r["name"]: r for r in both}["mean diameter"]
    assert float(diameter["value"]) == pytest.approx(2.0, rel=0.02)  # radius 10 px of 100 nm
    assert {r["unit"] for r in bare} & {"µm", "µm²", "1/mm²"} == set()


def test_a_folder_of_masks_is_measured_over_its_fields(run, bench, tmp_path):
    images = [bench / "images" / f"s{k}.png" for k in (0, 1)]
    status, _, err = run("segment", "measure", bench / "masks", *images, "--out", tmp_path / "r")
    assert (status, err) == (0, "")
    first = table(tmp_path / "r")[0]
    assert (first["field"], first["count"], first["counted"]) == ("all fields", "2", "fields")


def test_a_broken_mask_in_a_folder_leaves_the_others(run, bench, tmp_path):
    save(discs(0)[1], tmp_path / "m" / "good.png")
    (tmp_path / "m" / "bad.png").write_text("no mask")
    status, _, err = run("segment", "measure", tmp_path / "m", "--out", tmp_path / "r")
    assert (status, err.count("\n"), "bad.png" in err) == (2, 1, True)
    assert table(tmp_path / "r")[0]["field"] == "good"


def grey(tmp_path, **files):
    for name, array in files.items():
        save(array, tmp_path / "m" / f"{name}.png")
    return tmp_path / "m"


FRAME, MASK = discs(0)


@pytest.mark.parametrize(
    ("masks", "more", "words"),
    [
        ({"s0": MASK[:90], "s1": MASK}, (), "one size for both"),
        ({"s0": MASK * 0, "s1": MASK * 0}, (), "one class only"),
        ({"s0": MASK * 0 + 255, "s1": MASK * 0 + 255}, (), "hold no class"),
        ({"s0": MASK}, (), "has no mask of the same name"),
        ({"s0": np.stack([MASK, MASK * 0, MASK], axis=2) * 9, "s1": MASK}, (), "colour picture"),
        ({"s0": FRAME, "s1": MASK}, (), "different numbers"),
        ({"s0": MASK, "s1": MASK}, ("--classes", "one"), "1 names were given"),
        ({"s0": MASK, "s1": MASK}, ("--classes", "x,x"), "different name for each class"),
        ({"s0": MASK, "s1": MASK}, ("--unlabelled", "some"), "0 to 255, or none"),
        ({"s0": MASK, "s1": MASK}, ("--orientation", "up"), "--orientation is 'up'"),
    ],
)
def test_training_refuses_what_it_cannot_learn_from(run, bench, tmp_path, masks, more, words):
    folder = grey(tmp_path, **masks)
    out = tmp_path / "new" / "x.safetensors"
    err = refused(run, "segment", "train", "--images", bench / "images", "--masks", folder, "--out", out, *TINY, *more)
    assert words in err
    assert not out.parent.exists()


def test_a_model_must_be_called_safetensors(run, bench, tmp_path):
    words = ("--images", bench / "images", "--masks", bench / "masks", "--out", tmp_path / "model.pt")
    assert "ends in .safetensors" in refused(run, "segment", "train", *words)
    assert not names(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.safetensors", b"not a model", "damaged or no segmentation model"),
        ("m.safetensors", b"", "damaged or no segmentation model"),
        ("m.pt", b"\x80\x04.", "never read"),
        ("m.pkl", b"\x80\x04.", "never read"),
        ("m.safetensors", None, "does not exist"),
    ],
)
@pytest.mark.parametrize("command", ["apply", "measure", "analyse"])
def test_a_file_that_is_no_model_is_refused(run, bench, tmp_path, command, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    image, out = bench / "images" / "s0.png", tmp_path / "r"
    if command == "analyse":
        err = refused(run, "analyse", image, "--model", tmp_path / name, "--out", out)
    else:
        err = refused(run, "segment", command, tmp_path / name, image, "--out", out)
    assert words in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("masks", "more", "words"),
    [
        ({}, (), "holds no mask"),
        ({"a": np.stack([MASK, MASK * 0, MASK], axis=2) * 9}, (), "colour picture"),
        ({"a": FRAME}, (), "different numbers"),
        ({"a": MASK * 0}, (), "only one class"),
        ({"a": MASK}, ("--kind", "rust=phase"), "class 'rust' is not among class 0, class 1"),
        ({"a": MASK}, ("--kind", "class 1=round"), "accepted is CLASS=KIND"),
        ({"a": MASK}, ("--classes", "x"), "give one name a class"),
        ({"a": MASK * 255, "b": MASK}, (), "255, which stands for unlabelled"),
    ],
)
def test_measuring_refuses_masks_that_are_none(run, tmp_path, masks, more, words):
    (tmp_path / "m").mkdir()
    folder = grey(tmp_path, **masks)
    assert words in refused(run, "segment", "measure", folder, "--out", tmp_path / "r", *more)
    assert not (tmp_path / "r").exists()


def test_a_mask_of_another_size_than_its_image_is_refused(run, bench, tmp_path):
    mask = save(MASK[:90], tmp_path / "m.png")
    words = (mask, bench / "images" / "s0.png", "--out", tmp_path / "r")
    assert "96 x 90 px and the image 96 x 96" in refused(run, "segment", "measure", *words)


def test_the_kind_of_an_unknown_class_is_refused_before_the_work(run, bench, tmp_path):
    words = (bench / "model.safetensors", tmp_path / "missing.png", "--kind", "rust=phase", "--out", tmp_path / "r")
    assert "class 'rust' is not among ground, disc" in refused(run, "segment", "measure", *words)


def test_a_folder_that_is_a_file_is_refused(run, bench, tmp_path):
    (tmp_path / "r").write_text("mine")
    for words in (("measure", bench / "masks"), ("apply", bench / "model.safetensors", bench / "images" / "s0.png")):
        refused(run, "segment", *words, "--out", tmp_path / "r")
    assert (tmp_path / "r").read_text() == "mine"


def test_analyse_counts_objects_on_a_plain_ground(run, bench, tmp_path):
    status, out, _ = run("analyse", bench / "images" / "s0.png", "--pixel-size-nm", 100, "--out", tmp_path / "r")
    assert status == 0
    assert "4 bright objects on a dark ground" in out
    assert {"report.html", "result.json", "measurements.csv", "objects.csv", "objects.coco.json"} <= names(
        tmp_path / "r"
    )
    with (tmp_path / "r" / "objects.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 4
    assert float(found[0]["diameter_um"]) == pytest.approx(2.0, rel=0.05)


def test_analyse_measures_the_classes_of_a_model(run, bench, tmp_path):
    words = ("--model", bench / "model.safetensors", "--out", tmp_path / "r")
    status, out, _ = run("analyse", bench / "images" / "s0.png", *words)
    assert status == 0
    assert "2 classes by model.safetensors: ground, disc." in out
    assert "measurements.json" in names(tmp_path / "r")
    told = json.loads((tmp_path / "r" / "result.json").read_text())["description"]
    page = (tmp_path / "r" / "report.html").read_text()
    assert len(told["sentences"]) >= 5
    assert all(f'id="cue-{one["cue"].replace(" ", "-")}"' in page for one in told["sentences"])


def test_analyse_says_where_nothing_can_be_told_apart(run, tmp_path):
    path = save(np.random.default_rng(0).normal(120, 20, (96, 96)).astype(np.uint8), tmp_path / "noise.png")
    status, out, _ = run("analyse", path, "--out", tmp_path / "r")
    assert (status, "atomic sites were not decided" in out) == (0, True)
    assert names(tmp_path / "r") == {"report.html", "result.json"}
