"""`micrographia embed --text` from the command line."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

from micrographia.embed.choose import load_embedder
from micrographia.report.embedded_texts import SCHEMAS, generated_schema
from micrographia.report.records import read_schema


@pytest.mark.parametrize("file", SCHEMAS)
def test_published_schemas_are_those_of_the_models(file):
    # to publish a change: json.dump(generated_schema(file), handle, indent=2)
    assert read_schema(file) == generated_schema(file)


def test_texts_of_the_line_and_of_a_file_are_written_with_their_tokens(run, tmp_path):
    (tmp_path / "texts.txt").write_text("Pores in the oxide.\n\nno fibres, 2.9 µm\n", encoding="utf-8")
    out = tmp_path / "vectors"
    status, printed, err = run("embed", "--text", "A crack.", "--text-file", tmp_path / "texts.txt", "--out", out)
    assert (status, err) == (0, "")
    result = json.loads((out / "texts.json").read_text(encoding="utf-8"))
    jsonschema.validate(result, read_schema("texts-1.json"))
    assert {p.name for p in out.iterdir()} == {"texts.json", "texts.npz"}
    texts = ["A crack.", "Pores in the oxide.", "no fibres, 2.9 µm"]
    assert [t["text"] for t in result["texts"]] == texts
    assert result["encoder"]["name"] == "minilm"
    assert result["dimension"] == 384
    expected = list(load_embedder("minilm").embed_tokens(texts))
    with np.load(out / "texts.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["wholes"], np.stack([e.whole for e in expected]))
        for told, embedding in zip(result["texts"], expected, strict=True):
            first = told["first_token"]
            np.testing.assert_array_equal(stored["tokens"][first : first + len(told["tokens"])], embedding.vectors)
            assert told["tokens"] == list(embedding.tokens)
            assert told["spans"] == embedding.spans.tolist()
        count = len(stored["tokens"])
    assert printed == f"3 texts, {count} tokens, 384 numbers each: {out}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--text", "a"), "--out was not given"),
        (("a.png", "--text", "a", "--out", "v"), "files and texts were given; give one or the other"),
        (("--list", "--text", "a"), "--list was given with texts"),
        (("--text", " ", "--out", "v"), "text 1 of 1 is empty"),
        (("--text-file", "nothing.txt", "--out", "v"), "--text-file nothing.txt cannot be read"),
        (("--text-file", "empty.txt", "--out", "v"), "--text-file empty.txt is empty; accepted is one text a line"),
        (("--text", "a", "--encoder", "efficientnet-lite0", "--out", "v"), "has no vectors of tokens"),
        (("--text", "a", "--encoder", "language:nothing", "--out", "v"), "nothing holds no language.json"),
        (("--text", "a", "--out", "empty.txt"), "empty.txt is a file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(words, said, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    status, out, err = run("embed", *words)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "v").exists()
