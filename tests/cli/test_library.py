"""`micrographia library`, `sign` and `audit` from the command line."""

import csv
import getpass
import json

import jsonschema
import numpy as np
import pytest
from PIL import Image

from micrographia.report.audit import generated_schema
from micrographia.report.records import read_schema

CRITERIA = """
criteria:
  - {id: cracks, title: No cracks, accept: [an intact layer], reject: [a cracked layer]}
  - {id: pores, title: Few pores, accept: [dense], reject: [porous]}
"""


@pytest.fixture
def bench(tmp_path, monkeypatch, run):
    """A folder with criteria, three images, one that is damaged, and a library."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "criteria.yaml").write_text(CRITERIA)
    rng = np.random.default_rng(0)
    for k in range(3):
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(f"{k}.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    status, out, err = run("library", "create", "lib", "--criteria", "criteria.yaml")
    assert (status, err) == (0, "")
    assert "cracks, pores" in out
    return tmp_path


@pytest.fixture
def verdicts(bench):
    """A verdict file that the library has on record."""
    from micrographia.qualify import library as lib

    opened = lib.open_library("lib", writable=True)
    sample = {"file": "x.png", "sha256": "ab" * 32, "disposition": "reject"}
    sample["criteria"] = [{"id": "cracks", "verdict": "reject"}, {"id": "pores", "verdict": "accept"}]
    held = {"path": str(opened.folder), "id": opened.id, "version": lib.library_version(opened)}
    path = bench / "verdicts.json"
    path.write_text(json.dumps({"library": held, "samples": [sample]}))
    lib.record_verdicts(opened, path.read_bytes(), actor="Ann")
    return path


def refused(run, *words):
    """Run what must be refused, and return the one line that says why."""
    status, out, err = run(*words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("micrographia: ")
    return err


def test_references_are_added_listed_and_retired(run, bench):
    words = ("--criterion", "cracks", "--expert", "Bob", "--specimen", "part 1")
    assert run("library", "add", "lib", "0.png", "1.png", "--accept", *words)[0] == 0
    assert run("library", "add", "lib", "2.png", "--reject", *words, "--actor", "Ann")[0] == 0
    assert run("library", "retire", "lib", "R2", "--reason", "blurred")[0] == 0
    status, out, err = run("library", "list", "lib")
    assert (status, err) == (0, "")
    assert "retired" in out
    tree = json.loads(run("library", "list", "lib", "--json")[1])
    assert tree["schema"] == "micrographia/library-list/1"
    assert [(r["id"], r["polarity"], r["added_by"]) for r in tree["references"]] == [
        ("R1", "accept", getpass.getuser()),
        ("R2", "accept", getpass.getuser()),
        ("R3", "reject", "Ann"),
    ]
    assert tree["references"][1]["retired"]["reason"] == "blurred"


def test_criteria_are_amended_and_their_older_versions_kept(run, bench):
    (bench / "criteria.yaml").write_text(CRITERIA.replace("dense", "hardly any pores"))
    words = ("library", "amend", "lib", "--criteria", "criteria.yaml", "--reason")
    assert run(*words, "clearer")[:2] == (0, "pores: version 2\n")
    assert run(*words, "again")[:2] == (0, "the criteria say the same already\n")
    assert "reason is blank" in refused(run, *words, " ")


def test_a_batch_finishes_lists_failures_and_exits_with_2(run, bench):
    status, out, err = run("library", "add", "lib", "0.png", "bad.png", "1.png", "--accept", "--criterion", "cracks")
    assert status == 2
    assert (out.count("accept on cracks"), err.count("\n")) == (2, 1)
    assert "bad.png" in err


def test_bad_input_is_told_in_one_line(run, bench):
    add = ("library", "add", "lib")
    assert "say either --accept or --reject" in refused(run, *add, "0.png", "--criterion", "cracks")
    assert "say either" in refused(run, *add, "0.png", "--criterion", "cracks", "--accept", "--reject")
    assert "no criterion 'dust'" in refused(run, *add, "0.png", "--criterion", "dust", "--accept")
    assert "bad.png" in refused(run, *add, "bad.png", "--criterion", "cracks", "--accept")
    assert "for 2 images" in refused(
        run, *add, "0.png", "1.png", "--criterion", "cracks", "--accept", "--mask", "0.png"
    )
    assert "is no library" in refused(run, "library", "list", "nowhere")
    assert "is not empty" in refused(run, "library", "create", "lib", "--criteria", "criteria.yaml")
    assert "cannot be read" in refused(run, "library", "create", "other", "--criteria", "none.yaml")
    assert not (bench / "other").exists()
    assert "no reference 'R9'" in refused(run, "library", "retire", "lib", "R9", "--reason", "x")
    assert "is read-only" not in run("audit", "verify", "lib")[2]


def test_verify_says_what_is_clean_and_names_what_is_not(run, bench):
    run("library", "add", "lib", "0.png", "--accept", "--criterion", "cracks")
    for family in ("library", "audit"):
        status, out, err = run(family, "verify", "lib")
        assert (status, err) == (0, "")
        assert out.startswith("clean: 4 entries, 1 files\nnewest entry: 4 ")
    known = out.split()[-1]
    assert run("audit", "verify", "lib", "--head", known)[0] == 0
    assert "was written down" in refused(run, "audit", "verify", "lib", "--head", "0" * 64)
    (path,) = (bench / "lib" / "images").rglob("*.png")
    path.write_bytes(path.read_bytes()[:-1])
    for family in ("library", "audit"):
        assert "was altered" in refused(run, family, "verify", "lib")


def test_verdicts_are_signed_and_the_signature_is_checked(run, bench, verdicts):
    sign = ("sign", verdicts, "--reviewer", "C. Reviewer", "--reason", "looked")
    status, out, err = run(*sign, "--confirm")
    assert (status, err) == (0, "")
    assert out.startswith("key: made for C. Reviewer, ")
    assert "has 2 criteria" in refused(run, *sign, "--overrule", "accept")
    assert "accepted is accept, reject or abstain" in refused(run, *sign, "--overrule", "maybe")
    assert "say either --confirm or --overrule" in refused(run, *sign)
    status, out, err = run(*sign, "--overrule", "accept", "--criterion", "cracks", "--sample", "x.png")
    assert (status, err) == (0, "")
    assert "amends the signature" in out
    assert run("audit", "verify", "lib", "--verdicts", verdicts)[0] == 0
    verdicts.write_text(verdicts.read_text().replace("accept", "reject"))
    status, _, err = run("audit", "verify", "lib", "--verdicts", verdicts)
    assert (status, err.count("altered after it was signed")) == (2, 2)


def test_the_audit_export_follows_its_published_schema(run, bench, verdicts):
    run("sign", verdicts, "--reviewer", "C. Reviewer", "--reason", "looked", "--confirm")
    assert run("audit", "export", "lib", "--out", "out/audit.json")[0] == 0
    tree = json.loads((bench / "out" / "audit.json").read_text())
    jsonschema.validate(tree, read_schema("audit-1.json"))
    assert tree["schema"] == "micrographia/audit/1"
    assert tree["findings"] == []
    (recorded,) = [e for e in tree["entries"] if e["action"] == "record verdicts"]
    assert recorded["performed_by"] == "Ann"
    assert [c["reviewer"] for c in recorded["checked_by"]] == ["C. Reviewer"]
    assert run("audit", "export", "lib", "--out", "out/audit.csv")[0] == 0
    rows = list(csv.DictReader((bench / "out" / "audit.csv").read_text().splitlines()))
    assert [row["hash"] for row in rows] == [e["hash"] for e in tree["entries"]]
    assert ".json or .csv" in refused(run, "audit", "export", "lib", "--out", "audit.txt")


def test_the_published_schema_is_that_of_the_model():
    # to publish a change: json.dump(generated_schema(file), handle, indent=2)
    assert read_schema("audit-1.json") == generated_schema("audit-1.json")


def test_an_export_of_the_library_is_written_whole(run, bench):
    run("library", "add", "lib", "0.png", "--accept", "--criterion", "cracks")
    assert run("library", "export", "lib", "--out", "copy")[0] == 0
    assert {p.name for p in (bench / "copy").iterdir()} == {"library.json", "criteria.yaml", "images"}
    assert "is not empty" in refused(run, "library", "export", "lib", "--out", "copy")
