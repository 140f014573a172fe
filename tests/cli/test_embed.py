"""`micrographia embed` from the command line."""

import json

import jsonschema
import numpy as np
import pytest
from PIL import Image

from micrographia.embed.choose import ENCODERS
from micrographia.report.embedded import SCHEMAS, generated_schema
from micrographia.report.records import read_schema


@pytest.fixture
def images(tmp_path):
    """Return two pictures, one with a crack, and a file that is none."""
    rng = np.random.default_rng(0)
    for name in ("plain", "cracked"):
        frame = rng.normal(120, 5, (96, 128))
        if name == "cracked":
            frame[:, 60:63] -= 80
        Image.fromarray(np.clip(frame, 0, 255).astype(np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


@pytest.mark.parametrize("file", SCHEMAS)
def test_published_schemas_are_those_of_the_models(file):
    # to publish a change: json.dump(generated_schema(file), handle, indent=2)
    assert read_schema(file) == generated_schema(file)


def test_the_list_shows_every_encoder_with_licence_and_caution(run):
    status, out, err = run("embed", "--list")
    assert (status, err) == (0, "")
    for kind in ENCODERS:
        assert kind.example in out
        assert kind.licence in out
        assert kind.caution in out
    assert "OpenAI's card puts any deployed use out of scope" in out


def test_the_list_as_json_follows_its_schema(run):
    status, out, _ = run("embed", "--list", "--json")
    assert status == 0
    jsonschema.validate(json.loads(out), read_schema("encoders-1.json"))
    assert [e["name"] for e in json.loads(out)["encoders"]] == [kind.name for kind in ENCODERS]


def test_a_batch_finishes_when_one_file_fails_and_says_so(run, images):
    out = images / "vectors"
    status, printed, err = run("embed", *(images / f"{n}.png" for n in ("plain", "broken", "cracked")), "--out", out)
    assert status == 2
    assert err.count("\n") == 1
    assert "broken.png" in err
    assert {p.name for p in out.iterdir()} == {"plain.npz", "cracked.npz", "embeddings.json"}
    result = json.loads((out / "embeddings.json").read_text())
    jsonschema.validate(result, read_schema("embeddings-1.json"))
    assert [i["scan"]["file"] for i in result["images"]] == ["plain.png", "cracked.png"]
    assert result["encoder"]["name"] == "efficientnet-lite0"
    plain, cracked = result["images"]
    assert "no thin dark lines" in plain["description"]
    assert "thin dark lines, about" in cracked["description"]
    assert "thin dark lines, about" in printed
    with np.load(out / "cracked.npz", allow_pickle=False) as stored:
        assert stored["whole"].shape == (cracked["dimension"],) == (4096,)
        assert stored["patches"].shape == tuple(cracked["patches"]) == (6, 8, 512)
        assert float(stored["patch_px"]) == cracked["patch_px"] == 16


def test_a_hub_encoder_from_a_folder_is_used_and_named(run, images, capsys):
    import torch
    import transformers as t

    torch.manual_seed(0)
    config = t.Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14, mlp_ratio=1
    )
    t.Dinov2Model(config).save_pretrained(images / "tiny")
    t.BitImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}).save_pretrained(
        images / "tiny"
    )
    capsys.readouterr()  # transformers tells of its writing
    name = f"dinov2:{images / 'tiny'}"
    status, _, err = run("embed", images / "plain.png", "--encoder", name, "--out", images / "v")
    assert (status, err) == (0, "")
    result = json.loads((images / "v" / "embeddings.json").read_text())
    assert result["encoder"]["name"] == name
    assert result["images"][0]["dimension"] == 16
    assert result["images"][0]["patches"] == [2, 2, 16]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no file was given"),
        (("plain.png",), "--out was not given"),
        (("plain.png", "--out", "v", "--encoder", "minilm"), "does not see images"),
        (("plain.png", "--out", "v", "--encoder", "resnet"), "accepted are efficientnet-lite0, minilm, describe, "),
        (("plain.png", "--out", "v", "--encoder", "clip:openai/none"), "`hf download openai/none` gets it"),
        (("plain.png", "--list"), "give one or the other"),
        (("plain.png", "--json", "--out", "v"), "--json was given without --list"),
        (("nothing.png", "--out", "v"), "nothing.png does not exist"),
        (("plain.png", "--out", "plain.png"), "plain.png is a file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(words, said, run, images, monkeypatch):
    monkeypatch.chdir(images)
    status, out, err = run("embed", *words)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (images / "v").exists()


def test_vectors_are_never_written_over_an_image(run, images, monkeypatch):
    monkeypatch.chdir(images)
    (images / "a.npz").write_bytes(b"data")
    status, _, err = run("embed", "a.npz", "--out", ".")
    assert status == 2
    assert "written over a.npz" in err
    assert (images / "a.npz").read_bytes() == b"data"
