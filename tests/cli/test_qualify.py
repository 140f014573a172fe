"""`micrographia qualify` from the command line, to signatures and back."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from micrographia.qualify.criteria import Criterion
from micrographia.qualify.library import add_references, create_library
from micrographia.report.records import read_schema

PER_SIDE = 20
CRACKS = Criterion(
    id="cracks", title="No cracks", accept_texts=("an even grey texture",), reject_texts=("thin dark lines across",)
)
PORES = Criterion(id="pores", title="Few pores", accept_texts=("dense",), reject_texts=("porous",))


def picture(path, seed, *, lines):
    """Write 64 px of smooth noise, with three dark lines from top to bottom or without."""
    rng = np.random.default_rng(seed)
    frame = 140 + 90 * gaussian_filter(rng.normal(size=(64, 64)), 2) + rng.normal(size=(64, 64)) * 3
    if lines:
        for column in rng.integers(4, 60, 3):
            frame[:, column : column + 2] -= 110
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(frame, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the pictures of 20 accepted and 20 rejected references, and three files to qualify."""
    folder = tmp_path_factory.mktemp("qualify")
    for k in range(PER_SIDE):
        picture(folder / "even" / f"even{k}.png", k, lines=False)
        picture(folder / "lined" / f"lined{k}.png", 100 + k, lines=True)
    picture(folder / "good.png", 900, lines=False)
    picture(folder / "bad.png", 901, lines=True)
    (folder / "torn.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def library(place):
    """A library on which both kinds of verdicts can be reached; pores has one reference."""
    made = create_library(place / "library", [CRACKS, PORES], actor="Ann")
    add_references(made, "cracks", "accept", sorted((place / "even").iterdir()), actor="Ann", expert="Bea")
    add_references(made, "cracks", "reject", sorted((place / "lined").iterdir()), actor="Ann", expert="Bea")
    add_references(made, "pores", "accept", [place / "even" / "even0.png"], actor="Ann")
    return place / "library"


@pytest.fixture(autouse=True)
def own_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_from_a_library_made_on_the_command_line_to_a_signature(run, place, tmp_path):
    folder, out = tmp_path / "library", tmp_path / "out"
    criteria = tmp_path / "criteria.yaml"
    criteria.write_text(
        "criteria: [{id: cracks, title: No cracks, accept: [an even grey texture], reject: [thin dark lines across]}]"
    )
    assert run("library", "create", folder, "--criteria", criteria, "--actor", "Ann")[0] == 0
    for side in ("even", "lined"):
        flag = "--accept" if side == "even" else "--reject"
        assert run("library", "add", folder, "--criterion", "cracks", flag, *sorted((place / side).iterdir()))[0] == 0

    samples = [place / f"{name}.png" for name in ("good", "torn", "bad")]
    status, printed, err = run("qualify", *samples, "--library", folder, "--out", out, "--no-map", "--actor", "Ann")
    assert status == 2  # as one of the files is torn
    assert err.count("\n") == 1
    assert "torn.png" in err
    assert "good.png: Accepted: it meets “No cracks”" in printed
    assert "bad.png: Rejected: “No cracks”" in printed
    tree = json.loads((out / "verdicts.json").read_text())
    jsonschema.validate(tree, read_schema("verdicts-1.json"))
    assert [(s["file"], s["disposition"]) for s in tree["samples"]] == [("good.png", "accept"), ("bad.png", "reject")]
    assert tree["settings"]["alpha"] == tree["alpha"] == 0.05
    good, bad = (s["criteria"][0] for s in tree["samples"])
    assert good["score"] > 0 > bad["score"]
    assert good["counts"] == {"accept": PER_SIDE, "reject": PER_SIDE}
    assert sum(p["weight"] for p in good["parts"]) == pytest.approx(1)
    assert 1 / (PER_SIDE + 1) <= bad["p_accept"] <= 0.05
    page = (out / "report.html").read_text()
    assert "://" not in page
    assert all(words in page for words in (good["explanation"], bad["explanation"], "torn.png"))

    verdicts = out / "verdicts.json"
    assert run("sign", verdicts, "--reviewer", "Cy", "--confirm", "--sample", "good.png", "--reason", "seen")[0] == 0
    assert (
        run("sign", verdicts, "--reviewer", "Cy", "--overrule", "accept", "--sample", "bad.png", "--reason", "a")[0]
        == 0
    )
    status, clean, _ = run("audit", "verify", folder, "--verdicts", verdicts)
    assert (status, clean.startswith("clean")) == (0, True)
    verdicts.write_text(verdicts.read_text().replace('"verdict": "reject"', '"verdict": "accept"'))
    assert run("audit", "verify", folder, "--verdicts", verdicts)[0] != 0


def test_one_criterion_is_picked_and_too_few_references_are_counted(run, place, library, tmp_path):
    status, printed, _ = run("qualify", place / "good.png", "--library", library, "--out", tmp_path / "out", "--no-map")
    assert status == 0
    assert "good.png: Undecided: “Few pores” (insufficient references)" in printed
    pores = json.loads((tmp_path / "out" / "verdicts.json").read_text())["samples"][0]["criteria"][1]
    assert pores["reason"] == "insufficient references"
    assert pores["missing"] == {"accept": 18, "reject": 19}  # 19 of a side at 0.05, and one is there

    only = ("--criterion", "cracks", "--no-map", "--library", library)
    assert run("qualify", place / "good.png", *only, "--out", tmp_path / "one")[0] == 0
    sample = json.loads((tmp_path / "one" / "verdicts.json").read_text())["samples"][0]
    assert [c["id"] for c in sample["criteria"]] == ["cracks"]


def test_the_same_samples_give_the_same_bytes(run, place, library, tmp_path):
    for name in ("a", "b"):
        arguments = ("--library", library, "--criterion", "cracks", "--out", tmp_path / name)
        assert run("qualify", place / "bad.png", *arguments)[0] == 0
    first, second = ((tmp_path / name / "verdicts.json").read_bytes() for name in ("a", "b"))
    assert first == second


def test_a_reference_is_not_qualified_against_itself_unless_forced(run, place, library, tmp_path):
    arguments = (place / "even" / "even3.png", "--library", library, "--no-map", "--out", tmp_path / "out")
    status, _, err = run("qualify", *arguments)
    assert status == 2
    assert "--allow-known" in err
    assert not (tmp_path / "out").exists()
    assert run("qualify", *arguments, "--allow-known")[0] == 0
    assert "compared with itself" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("torn.png", "--library", "library"), "torn.png"),
        (("good.png", "--library", "nowhere"), "nowhere is no library"),
        (
            ("good.png", "--library", "library", "--criterion", "grains"),
            "accepted are those of the library: cracks, pores",
        ),
        (("good.png", "--library", "library", "--criterion", "pores"), "no criterion with references to accept and"),
        (("good.png", "--library", "library", "--alpha", "1.5"), "alpha is 1.5"),
        (("good.png", "--library", "library", "--encoder", "minilm"), "minilm does not see images"),
        (("good.png", "--library", "library", "--encoder", "eye"), "eye"),
        (("good.png", "--library", "library", "--out", "good.png"), "good.png is a file"),
        (("--library", "library"), "FILE"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, place, library, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(place)
    before = sorted(p.name for p in place.iterdir())
    status, printed, err = run("qualify", "--out", tmp_path / "out", *arguments)
    assert (status, printed, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not (tmp_path / "out").exists()
    assert sorted(p.name for p in place.iterdir()) == before


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_read_only_library_gives_verdicts_and_says_that_they_are_not_recorded(run, place, library, tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        folder = shutil.copytree(library, Path(home) / "library")
        sample = shutil.copy(place / "good.png", home)
        Path(home).chmod(0o777)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            arguments = ("--library", folder, "--criterion", "cracks", "--no-map", "--out", Path(home) / "out")
            status, printed, err = run("qualify", sample, *arguments)
        finally:
            if root:
                os.seteuid(0)
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o755)
        assert (status, err.count("\n")) == (0, 1)
        assert "not recorded, so they cannot be signed" in err
        assert "is read-only" in err
        assert "good.png: Accepted" in printed
        assert (Path(home) / "out" / "verdicts.json").exists()
        status, _, err = run(
            "sign", Path(home) / "out" / "verdicts.json", "--reviewer", "Cy", "--confirm", "--reason", "r"
        )
        assert status == 2
        assert "qualify the samples again" in err
