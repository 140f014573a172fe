"""`micrographia embed --search`: the most alike among vectors that an earlier embed wrote."""

from __future__ import annotations

import csv
import json

import jsonschema
import numpy as np
import pytest
from PIL import Image

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.report.records import read_schema
from micrographia.report.searched import SCHEMAS, generated_schema


class Quarters(Encoder):
    """Sees the mean of each quarter of an image, and reads the name of one."""

    def __init__(self, version="1", shared=True):
        what = {"sees": True, "reads": shared, "shared_space": shared, "licence": "", "caution": ""}
        super().__init__(name="quarters", version=version, **what)

    def embed_images(self, frames, *, batch=8):
        for frame in frames:
            whole = frame.reshape(2, 32, 2, 32).mean(axis=(1, 3)).ravel().astype(np.float32)
            yield ImageEmbedding(whole=whole, patches=whole[None, None], patch_px=1.0)

    def embed_texts(self, texts):
        return np.eye(4, dtype=np.float32)[[int(text) for text in texts]]


@pytest.fixture
def load(monkeypatch):
    def load(**what):
        monkeypatch.setattr("micrographia.embed.choose.load_embedder", lambda name: Quarters(**what))

    load()
    return load


@pytest.fixture
def searched(run, load, tmp_path):
    """Return a folder of vectors of four images, each with a quarter of 200 and the rest about 10."""
    for k in range(4):
        frame = np.full((2, 32, 2, 32), 10.0)
        frame[k // 2, :, k % 2] = 200
        frame[0, 0, 0, 0] += 1
        Image.fromarray(frame.reshape(64, 64).astype(np.uint8)).save(tmp_path / f"{k}.png")
    code, _, err = run("embed", *(tmp_path / f"{k}.png" for k in range(4)), "--out", tmp_path / "v")
    assert (code, err) == (0, "")
    return tmp_path / "v"


@pytest.mark.parametrize("file", SCHEMAS)
def test_published_schemas_are_those_of_the_models(file):
    # to publish a change: json.dump(generated_schema(file), handle, indent=2)
    assert read_schema(file) == generated_schema(file)


def test_an_image_finds_itself_and_then_the_others_by_their_cosine(run, searched, tmp_path):
    out = tmp_path / "out"
    code, printed, err = run("embed", tmp_path / "2.png", "--search", searched, "--out", out, "--nearest", "2")
    assert (code, err) == (0, "")
    assert "2.png: most like 2.png (1.000)" in printed
    assert {p.name for p in out.iterdir()} == {"2.npz", "embeddings.json", "search.csv", "search.json", "report.html"}
    result = json.loads((out / "search.json").read_text())
    jsonschema.validate(result, read_schema("search-1.json"))
    first, second = result["queries"][0]["found"]
    assert (first["file"], first["same_file"]) == ("2.png", True)
    # (200, 10, 10, 10) and (10, 200, 10, 10): cosine of (2 * 2000 + 200) / (40000 + 300), one grey of a pixel apart.
    assert second["similarity"] == pytest.approx(4200 / 40300, abs=1e-4)
    assert not second["same_file"]
    with (out / "search.csv").open() as handle:
        assert [row["rank"] for row in csv.DictReader(handle)] == ["1", "2"]
    assert "2 searches" not in (out / "report.html").read_text()


def test_a_text_finds_images_where_they_share_a_space(run, load, searched, tmp_path):
    code, printed, _ = run("embed", "--text", "3", "--search", searched, "--out", tmp_path / "out")
    assert code == 0
    assert printed.startswith("3: most like 3.png (0.99")
    load(shared=False)
    code, _, err = run("embed", "--text", "3", "--search", searched, "--out", tmp_path / "no")
    assert code == 2
    assert "texts do not compare with images by the encoder quarters" in err


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("version", "are of quarters, version 1, and quarters is 2 here, which do not compare"),
        ("empty", "holds no embeddings.json; accepted is a folder that `micrographia embed FILE...` wrote"),
        ("damaged", "embeddings.json is damaged"),
        ("vectors", "1.npz cannot be read"),
        ("itself", "which is searched and would be written over"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(spoil, says, run, load, searched, tmp_path):
    out = tmp_path / "out"
    if spoil == "version":
        load(version="2")
    elif spoil == "empty":
        (searched / "embeddings.json").unlink()
    elif spoil == "damaged":
        (searched / "embeddings.json").write_text("{}")
    elif spoil == "vectors":
        (searched / "1.npz").write_bytes(b"PK")
    else:
        out = searched
    code, printed, err = run("embed", tmp_path / "2.png", "--search", searched, "--out", out)
    assert (code, printed) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
