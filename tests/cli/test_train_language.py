"""`micrographia train language` from the command line."""

from __future__ import annotations

import csv
import json
import re

import pytest
from accelerate.state import AcceleratorState
from safetensors.torch import load_file


@pytest.fixture(autouse=True)
def fresh_process():
    """Let a training choose its precision, as it does in a process of its own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_help_says_that_it_goes_on_where_it_stopped(run):
    code, out, _ = run("train", "language", "--help")
    assert code == 0
    plain = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", out).split())
    assert "goes on where it stopped" in plain
    for option in ("--corpus", "--out", "--base", "--general", "--held-out", "--new-words", "--frozen", "--precise"):
        assert option in plain


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--corpus", "nothing"), "--corpus nothing is no folder"),
        (("--corpus", "empty"), "holds neither records.parquet nor .txt files"),
        (("--corpus", "texts", "--base", "empty"), "--base empty holds no config.json"),
        (("--corpus", "texts", "--general", "few.txt"), "few.txt has 1 different lines; accepted are 32"),
        (("--corpus", "texts", "--held-out", "nothing.txt"), "--held-out nothing.txt cannot be read"),
        (("--corpus", "texts", "--steps", "0"), "--steps"),
        (("--corpus", "texts", "--masked", "-1"), "--masked"),
        (
            ("--corpus", "texts", "--masked", "0", "--contrastive", "0", "--cosine", "0", "--relational", "0"),
            "every loss has weight 0",
        ),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(run, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "few.txt").write_text("One.\n", encoding="utf-8")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("It is dark. It is old.\n\nIt is new.", encoding="utf-8")
    code, out, err = run("train", "language", "--out", "out", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("micrographia: ")
    assert err.count("\n") == 1
    assert says in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_text_files_to_a_model_that_embeds(run, tmp_path):
    corpus, out = tmp_path / "texts", tmp_path / "out"
    corpus.mkdir()
    for k in range(6):
        (corpus / f"{k}.txt").write_text(f"The pores are {k} px wide. The spheroidite is dark. No cracks.", "utf-8")
    command = ["train", "language", "--corpus", corpus, "--out", out, "--steps", "2", "--batch", "2"]
    code, printed, err = run(*command)
    assert (code, err) == (0, "")
    assert printed.startswith(f"model: {out}. ")
    names = {p.name for p in out.iterdir()}
    assert names >= {"checkpoint.safetensors", "curve.csv", "language.json", "model.safetensors", "README.md"}
    assert load_file(out / "model.safetensors")["embeddings.word_embeddings.weight"].shape == (30522, 384)
    with (out / "curve.csv").open() as file:
        assert next(csv.reader(file))[0] == "step"
    assert len(json.loads((out / "language.json").read_text())["held_back"]) == 1
    code, _, err = run("embed", "--text", "dark pores", "--encoder", f"language:{out}", "--out", tmp_path / "v")
    assert (code, err) == (0, "")
    code, printed, err = run(*command, "--seed", "1")
    assert (code, printed) == (2, "")
    assert "the beginning of another training, with another held_back, settings" in err
