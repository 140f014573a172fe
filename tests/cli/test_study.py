"""`micrographia library study` and `opine` from the command line, by an encoder whose vectors are known."""

import json

import numpy as np
import pytest
from PIL import Image

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import Encoder
from micrographia.qualify import prepare as module

CRITERIA = """
criteria:
  - {id: bright, title: Bright, accept: [bright], reject: [dark]}
  - {id: new, title: Without references, accept: [], reject: []}
"""


class Eye(Encoder):
    """Sees the means of four rows, and reads two words."""

    def __init__(self, name, *, reads):
        super().__init__(name=name, version="1", sees=True, reads=reads, shared_space=reads, licence="MIT", caution="")

    def embed_images(self, frames, *, batch=8):
        for frame in frames:
            rows = [rows.mean() for rows in np.array_split(frame.astype(np.float64), 4)]
            whole = np.array([*rows, 100.0], dtype=np.float32) / 100
            yield ImageEmbedding(whole=whole, patches=np.tile(whole, (2, 2, 1)), patch_px=4.0)

    def embed_texts(self, texts):
        of = {"bright": [1.0, 1.0, 1.0, 1.0, 0.3], "dark": [0.1, 0.1, 0.1, 0.1, 1.0]}
        of |= {"luminous": [2.0, 2.0, 2.0, 2.0, 0.6], "darker than dark": [0.0, 0.0, 0.0, 0.0, -1.0]}
        return np.array([of[text] for text in texts], dtype=np.float32)


@pytest.fixture
def bench(tmp_path, monkeypatch, run):
    """A folder with ten bright and ten dark references; Bob said so, on two specimens each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROGRAPHIA_CACHE", str(tmp_path / "cache"))
    held = {"eye": Eye("eye", reads=False), "describe": Eye("describe", reads=True)}
    monkeypatch.setattr(module, "load_embedder", held.__getitem__)
    (tmp_path / "criteria.yaml").write_text(CRITERIA)
    assert run("library", "create", "lib", "--criteria", "criteria.yaml")[0] == 0
    rng = np.random.default_rng(0)
    for side, grey, flag in (("bright", 160, "--accept"), ("dark", 110, "--reject")):
        for k in range(10):
            frame = grey + rng.normal(0, 15) + rng.normal(0, 10, (16, 16))
            Image.fromarray(frame.clip(0, 255).astype(np.uint8)).save(f"{side}{k}.png")
        for half in (0, 1):
            files = [f"{side}{k}.png" for k in range(5 * half, 5 * half + 5)]
            words = ("--criterion", "bright", "--expert", "Bob", "--specimen", f"{side} {half}")
            assert run("library", "add", "lib", *files, flag, *words)[0] == 0
    return tmp_path


def test_ablation_has_the_same_numbers_in_the_table_and_in_the_file(run, bench):
    status, out, err = run("library", "study", "lib", "--ablate", "--encoder", "eye", "--json", "a.json")
    assert (status, err) == (0, "")
    tree = json.loads((bench / "a.json").read_text())
    assert tree["schema"] == "micrographia/study/1"
    assert tree["encoders"] == {"eye": "1", "describe": "1"}
    first, second = tree["ablation"]
    assert (first["criterion"], first["counts"], first["specimens"]) == ("bright", [10, 10], 4)
    rows = {r["variant"]: r for r in first["rows"]}
    assert rows["image only"]["parts"] == ["eye, image"]
    assert rows["text only"]["parts"] == ["describe, text"]
    assert rows["all parts"]["auroc"] > 0.9
    assert rows["all parts"]["decided"] is None
    assert f"{rows['all parts']['auroc']:.3f}" in out
    assert any("9 more references to accept and 9 to reject are needed" in r for r in first["remarks"])
    assert second["rows"] == []
    assert "a study needs two of each" in out
    run("library", "study", "lib", "--ablate", "--encoder", "eye", "--json", "b.json")
    assert (bench / "a.json").read_bytes() == (bench / "b.json").read_bytes()


def test_opinions_are_recorded_and_held_against_those_of_the_references(run, bench):
    words = ("--criterion", "bright", "--expert", "Eve")
    bright, dark = ([f"{side}{k}.png" for k in range(10)] for side in ("bright", "dark"))
    status, out, err = run("library", "opine", "lib", *bright, "--accept", *words)
    assert (status, err, out.count("accept on bright, says Eve")) == (0, "", 10)
    assert run("library", "opine", "lib", *dark[:6], "--reject", *words)[0] == 0
    assert run("library", "opine", "lib", *dark[6:], "--accept", *words)[0] == 0
    status, out, err = run("library", "study", "lib", "--agreement", "--json", "a.json")
    assert (status, err) == (0, "")
    first, second = json.loads((bench / "a.json").read_text())["agreement"]
    assert (first["experts"], first["images"]) == (["Bob", "Eve"], 20)
    values = {c["name"]: c["value"] for c in first["coefficients"]}
    # 16 of 20 agree. Bob accepts half, so by chance half do.
    assert values["percent agreement"] == pytest.approx(0.8)
    assert values["Cohen's kappa"] == pytest.approx((0.8 - 0.5) / 0.5)
    # Of 40 ratings 24 accept: found 4 * 2 / 40, by chance 2 * 24 * 16 / (40 * 39).
    assert values["Krippendorff's alpha"] == pytest.approx(1 - 0.2 / (768 / 1560))
    assert "0.600" in out
    assert second["coefficients"] == []
    assert "no image has opinions of two experts" in out
    assert run("audit", "verify", "lib")[0] == 0


def test_paraphrases_that_mean_the_same_change_nothing_and_others_are_seen(run, bench):
    (bench / "p.yaml").write_text("bright: {accept: [luminous], reject: [darker than dark]}")
    words = ("--texts", "--paraphrases", "p.yaml", "--encoder", "eye", "--json", "a.json")
    status, out, err = run("library", "study", "lib", *words)
    assert (status, err) == (0, "")
    (found,) = json.loads((bench / "a.json").read_text())["texts"]
    # (4 * 0.1 + 0.3) / sqrt(4.09 * 1.04), with one text a side.
    assert found["across"] == found["between_means"] == pytest.approx(0.7 / np.sqrt(4.09 * 1.04), abs=1e-6)
    assert (found["criterion"], found["encoder"]) == ("bright", "describe")
    assert (found["within"], found["hardly_differ"]) == (None, None)
    same, other = found["paraphrases"]
    # Twice as long is the same direction.
    assert (same["text"], same["side"], same["sign_flips"]) == ("luminous", "accept", 0)
    assert same["rank_correlation"] == pytest.approx(1)
    assert (other["text"], other["side"]) == ("darker than dark", "reject")
    assert other["rank_correlation"] < 1 - 1e-6
    assert "luminous" in out


def test_what_cannot_be_studied_or_said_is_refused_in_one_line(run, bench):
    for words, message in (
        (("study", "lib"), "say what to study"),
        (("study", "lib", "--agreement", "--paraphrases", "criteria.yaml"), "nothing without --texts"),
        (("study", "lib", "--texts", "--paraphrases", "criteria.yaml", "--encoder", "eye"), "holds no paraphrases"),
        (("study", "nowhere", "--agreement"), "nowhere"),
        (("study", "lib", "--agreement", "--json", "no/a.json"), "cannot be written"),
        (("opine", "lib", "dark0.png", "--criterion", "bright", "--expert", "Eve"), "either --accept or --reject"),
        (("opine", "lib", "dark0.png", "--criterion", "x", "--expert", "Eve", "--accept"), "criterion"),
        (("opine", "lib", "none.png", "--criterion", "bright", "--expert", "Eve", "--accept"), "none.png"),
    ):
        status, _, err = run("library", *words)
        assert (status, err.count("\n")) == (2, 1), words
        assert message in err
