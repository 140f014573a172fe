"""A fused encoder wherever an encoder can be named on the command line: classes, phases, verdicts."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.saved import write_fusion
from micrographia.embed.fusion.stem import inherit
from micrographia.report.records import read_schema
from micrographia.segment.network.encoder import load_packaged

SENTENCES = ["it is dark", "it is bright", "lines run across it"]
COUNT = 10


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A small network that has its teacher's eyes, and no other training."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("fused") / "fusion.safetensors"
    plan = FusionPlan(width=32, blocks=(1, 1, 1), neighbours=3, graph=True, hypergraph=True, language=True, gates=True)
    network = FusionNetwork(plan, torch.randn(3, 384))
    inherit(network.stem, load_packaged())
    write_fusion(network, {"sentences": SENTENCES}, file)
    return f"fusion:{file}"


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(array, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Ten images of coarse and ten of fine noise."""
    home = tmp_path_factory.mktemp("images")
    for side, sigma in (("coarse", 4), ("fine", 1)):
        for k in range(COUNT):
            noise = gaussian_filter(np.random.default_rng([k, sigma]).normal(size=(80, 96)), sigma)
            save(128 + 60 * noise / noise.std(), home / side / f"{side}{k}.png")
    return home


def test_classes_with_where_it_looked(run, encoder, images, tmp_path):
    model, out = tmp_path / "model", tmp_path / "out"
    assert run("train", "classifier", "--images", images, "--out", model, "--encoder", encoder)[0] == 0
    status, printed, _ = run("classify", images / "fine" / "fine3.png", "--model", model, "--out", out)
    assert status == 0
    assert "fine3.png: fine" in printed
    result = json.loads((out / "result.json").read_text())
    jsonschema.validate(result, read_schema("classes-1.json"))
    found = result["images"][0]["read_out"]
    assert [level["patch_px"] for level in found["levels"]] == [64, 32, 16]
    for level in found["levels"]:
        assert level["patch_stream"] + level["graph_stream"] == pytest.approx(1, abs=2e-4)
    assert np.shape(found["parts"]) == (80 // 16, 96 // 16)
    assert np.shape(result["images"][0]["evidence"]["added_nats"]) == (80 // 16, 96 // 16)
    assert {s["sentence"] for s in found["sentences"]} == set(SENTENCES)
    page = (out / "report.html").read_text()
    assert "Blue speaks for fine, red against it" in page
    assert "What the encoder attended to" in page
    assert found["sentences"][0]["sentence"] in page


def test_classes_of_tiles_have_no_map(run, encoder, images, tmp_path):
    """The vector is a mean over tiles, each seen by itself: what the encoder makes of the whole did not decide."""
    model, out = tmp_path / "model", tmp_path / "out"
    words = ("--images", images, "--out", model, "--encoder", encoder, "--tile", 64)
    assert run("train", "classifier", *words)[0] == 0
    assert run("classify", images / "fine" / "fine3.png", "--model", model, "--out", out)[0] == 0
    image = json.loads((out / "result.json").read_text())["images"][0]
    assert (image["evidence"], image["read_out"]) == (None, None)


def test_phases(run, encoder, tmp_path, monkeypatch):
    """Two textures of one mean grey; the model finds its encoder from another folder, and says if it is gone."""
    mask = np.zeros((128, 128), np.uint8)
    mask[:, 64:] = 1
    rng = np.random.default_rng(0)
    coarse, fine = (gaussian_filter(rng.normal(size=mask.shape), sigma) for sigma in (4, 1))
    frame = 128 + 50 * np.where(mask, fine / fine.std(), coarse / coarse.std())
    own = tmp_path / "own"
    own.mkdir()
    (own / "fusion.safetensors").write_bytes(Path(encoder.removeprefix("fusion:")).read_bytes())
    monkeypatch.chdir(own)
    save(frame, tmp_path / "images" / "a.png")
    save(mask, tmp_path / "masks" / "a.png")
    model = tmp_path / "model.safetensors"
    words = ("--images", tmp_path / "images", "--masks", tmp_path / "masks", "--out", model)
    status, _, err = run(
        "segment", "train", *words, "--encoder", "fusion:fusion.safetensors", "--megapixels", 1, "--steps", 30
    )
    assert (status, err) == (0, "")
    monkeypatch.chdir(tmp_path)
    status, _, err = run("segment", "apply", model, tmp_path / "images" / "a.png", "--out", tmp_path / "r")
    assert (status, err) == (0, "")
    found = np.asarray(Image.open(tmp_path / "r" / "a.png"))
    assert (found == mask).mean() > 0.85
    (own / "fusion.safetensors").unlink()
    status, _, err = run("segment", "apply", model, tmp_path / "images" / "a.png", "--out", tmp_path / "q")
    assert status == 2
    assert "own/fusion.safetensors is no fused encoder" in err


def test_phases_without_the_encoder(run, tmp_path):
    save(np.eye(96), tmp_path / "images" / "a.png")
    save(np.eye(96), tmp_path / "masks" / "a.png")
    words = ("--images", tmp_path / "images", "--masks", tmp_path / "masks", "--out", tmp_path / "model.safetensors")
    status, _, err = run("segment", "train", *words, "--encoder", f"fusion:{tmp_path}/none.safetensors")
    assert status == 2
    assert "none.safetensors is no fused encoder" in err
    assert err.count("\n") == 1


def test_verdicts(run, encoder, images, tmp_path):
    library, out = tmp_path / "library", tmp_path / "out"
    criteria = tmp_path / "criteria.yaml"
    criteria.write_text("criteria: [{id: even, title: Fine grain, accept: [fine], reject: [coarse]}]")
    assert run("library", "create", library, "--criteria", criteria, "--actor", "Ann")[0] == 0
    for side, flag in (("fine", "--accept"), ("coarse", "--reject")):
        files = sorted((images / side).iterdir())[:-1]
        assert run("library", "add", library, "--criterion", "even", flag, *files)[0] == 0
    samples = [images / side / f"{side}{COUNT - 1}.png" for side in ("fine", "coarse")]
    status, _, err = run(
        "qualify", *samples, "--library", library, "--out", out, "--encoder", encoder, "--actor", "Ann", "--alpha", 0.2
    )
    assert (status, err) == (0, "")
    tree = json.loads((out / "verdicts.json").read_text())
    fine, coarse = (s["criteria"][0] for s in tree["samples"])
    assert fine["score"] > 0 > coarse["score"]
    assert encoder in tree["encoders"]
