"""`micrographia library blind` and `blind-score` from the command line."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

CRITERIA = "criteria: [{id: cracks, title: No cracks, accept: [], reject: []}]"


@pytest.fixture
def bench(tmp_path, monkeypatch, run):
    """A library with eight references, four of either side, and the sheet of a blind study of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "criteria.yaml").write_text(CRITERIA)
    assert run("library", "create", "lib", "--criteria", "criteria.yaml")[0] == 0
    rng = np.random.default_rng(0)
    for k in range(8):
        name = f"{'good' if k < 4 else 'bad'}{k}.png"
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(name)
    good, bad = (sorted(str(p.name) for p in tmp_path.glob(f"{w}*.png")) for w in ("good", "bad"))
    for files, flag in ((good, "--accept"), (bad, "--reject")):
        assert run("library", "add", "lib", *files, flag, "--criterion", "cracks")[0] == 0
    words = ("--criterion", "cracks", "--out", "study", "--seed", 5)
    assert run("library", "blind", "lib", *good, *bad, *words)[0] == 0
    return tmp_path


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture, dtype=float)


def fill(bench, said):
    """Fill the sheet with what ``said`` gives for the file behind each number."""
    of = {e["number"]: e["file"] for e in json.loads((bench / "study-key" / "key.json").read_text())["images"]}
    with (bench / "study" / "sheet.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("number", "verdict", "note"), *((n, said(f), "") for n, f in of.items())])
    return of


def score(run, *words):
    status, out, err = run("library", "blind-score", "study/sheet.csv", "--key", "study-key/key.json", *words, "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_the_sheet_reveals_nothing_and_the_key_everything(bench):
    names = sorted(p.name for p in (bench / "study").iterdir())
    assert names == [*(f"{k:03}.png" for k in range(1, 9)), "sheet.csv"]
    assert (bench / "study" / "sheet.csv").read_text().split() == [
        "number,verdict,note",
        *(f"{k:03},," for k in range(1, 9)),
    ]
    for path in (bench / "study").iterdir():
        content = path.read_bytes()
        assert b"good" not in content
        assert b"bad" not in content
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert picture.info == {}
    key = json.loads((bench / "study-key" / "key.json").read_text())
    assert (key["criterion"], key["seed"]) == ("cracks", 5)
    files = [e["file"] for e in key["images"]]
    assert sorted(files) != files
    for entry in key["images"]:
        shown, given = (pixels(bench / name) for name in (f"study/{entry['number']}.png", entry["file"]))
        assert np.corrcoef(shown.ravel(), given.ravel())[0, 1] > 0.999


def test_a_sheet_is_scored_against_references(run, bench):
    # One good image is rejected, one bad one left undecided, one bad one not judged.
    said = {"good0.png": "Reject", "bad4.png": "abstain", "bad5.png": ""}
    fill(bench, lambda file: said.get(file, "accept" if file.startswith("good") else "reject"))
    found = score(run, "--references", "lib")
    assert found["table"]["accept"] == {"accept": 3, "reject": 1, "abstain": 0, "empty": 0}
    assert found["table"]["reject"] == {"accept": 0, "reject": 2, "abstain": 1, "empty": 1}
    values = {c["name"]: (c["value"], c["images"]) for c in found["coefficients"]}
    assert values["percent agreement"] == (pytest.approx(5 / 6), 6)
    # Held 4 to 2, said 3 to 3: by chance a half.
    assert values["Cohen's kappa"] == (pytest.approx((5 / 6 - 1 / 2) / (1 / 2)), 6)


def test_a_sheet_is_scored_against_verdicts_even_after_a_spreadsheet_cut_the_zeros(run, bench):
    of = fill(bench, lambda file: "accept")
    key = json.loads((bench / "study-key" / "key.json").read_text())
    verdict = {"good0.png": "abstain", "good1.png": "accept"}
    samples = [
        {"sha256": e["sha256"], "criteria": [{"id": "cracks", "verdict": verdict.get(e["file"], "reject")}]}
        for e in key["images"]
        if e["file"] != "bad7.png"
    ]
    (bench / "verdicts.json").write_text(json.dumps({"samples": samples}))
    sheet = bench / "study" / "sheet.csv"
    sheet.write_text("\ufeff" + sheet.read_text().replace("\n00", "\n"), encoding="utf-8")
    found = score(run, "--verdicts", "verdicts.json")
    assert len(of) == found["images"] == 8
    assert {a: row["accept"] for a, row in found["table"].items()} == {
        "accept": 1,
        "reject": 5,
        "abstain": 1,
        "unknown": 1,
    }
    assert found["coefficients"][0]["value"] == pytest.approx(1 / 6)


def test_what_cannot_be_scored_is_refused_in_one_line(run, bench):
    fill(bench, lambda file: "accept")
    sheet, key = ("study/sheet.csv", "--key"), "study-key/key.json"
    (bench / "odd.csv").write_text("number,verdict,note\n001,perhaps,\n")
    (bench / "short.csv").write_text("number,verdict,note\n001,accept,\n")
    (bench / "other.json").write_text('{"samples": []}')
    for words, message in (
        (("blind", "lib", "good0.png", "--criterion", "cracks", "--out", "study"), "exists"),
        (("blind", "lib", "good0.png", "--criterion", "x", "--out", "new"), "accepted are those of the library"),
        (("blind", "lib", "good0.png", "good0.png", "--criterion", "cracks", "--out", "new"), "the same image"),
        (("blind-score", *sheet, key), "either --verdicts"),
        (("blind-score", *sheet, "criteria.yaml", "--references", "lib"), "no key"),
        (("blind-score", *sheet, key, "--verdicts", "criteria.yaml"), "no file of verdicts"),
        (("blind-score", *sheet, key, "--verdicts", "other.json"), "nothing is known"),
        (("blind-score", "odd.csv", "--key", key, "--references", "lib"), "perhaps"),
        (("blind-score", "short.csv", "--key", key, "--references", "lib"), "are they of one study"),
    ):
        status, _, err = run("library", *words)
        assert (status, err.count("\n")) == (2, 1), words
        assert message in err
    assert not (bench / "new").exists()
    assert not (bench / "new-key").exists()
