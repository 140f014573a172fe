"""`micrographia instruct` from the command line."""

import json

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from loopback_provider import Say, provider
from PIL import Image
from recorded import draw_images, recorded, truthfully

from micrographia.instruct.engine.account import ACCOUNT, Account
from micrographia.instruct.export.write import EXPORT, ExportManifest
from micrographia.report.records import read_schema, schema_of

CONTRACT = {
    *("id", "images", "task", "question", "reasoning", "answer", "answer_type", "cues", "teacher", "verified"),
    "rejected_because",
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("pictures") / "scans")


@pytest.fixture
def made(run, images, tmp_path):
    """A folder of records by the teacher `cues`."""
    status, out, err = run("instruct", "generate", images, "--out", tmp_path / "data", "--per-image", 4)
    assert (status, err) == (0, "")
    assert f"results: {tmp_path / 'data'}" in out
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("file", "model", "name"),
    [("instruct-account-1.json", Account, ACCOUNT), ("instruct-export-1.json", ExportManifest, EXPORT)],
)
def test_published_schemas_are_those_of_the_models(file, model, name):
    # to publish a change: json.dump(schema_of(model, name), handle, indent=2)
    assert read_schema(file) == schema_of(model, name)


def test_records_have_the_columns_of_the_contract_and_an_account_that_follows_its_schema(made):
    table = pq.read_table(made / "records.parquet")
    assert set(table.column_names) >= CONTRACT
    account = json.loads((made / "account.json").read_text())
    jsonschema.validate(account, read_schema("instruct-account-1.json"))
    assert account["records"]["total"] == len(table) == sum(account["records"]["by_task"].values())
    assert account["stopped"] == "finished"
    card = (made / "card.md").read_text()
    assert f"{account['records']['verified']} verified" in card
    assert "| share of yes | 50.0 % | 45 to 55 % |" in card


def test_cues_and_images_are_kept_by_the_hash_of_the_pixels(made, images):
    cues = pq.read_table(made / "cues.parquet").to_pylist()
    rows = pq.read_table(made / "images.parquet").to_pylist()
    assert {row["file"] for row in rows} == {str(path) for path in images.iterdir()}
    assert {cue["image"] for cue in cues} == {row["sha256"] for row in rows}
    asked = {image for row in pq.read_table(made / "records.parquet").to_pylist() for image in row["images"]}
    assert asked <= {row["sha256"] for row in rows}


def test_a_second_check_agrees_until_somebody_changes_an_answer(run, made):
    status, _, err = run("instruct", "check", made, "--images")
    assert (status, err) == (0, "")
    table = pq.read_table(made / "records.parquet")
    rows = table.to_pylist()
    chosen = next(k for k, row in enumerate(rows) if row["answer_type"] == "binary" and row["verified"])
    rows[chosen]["answer"] = {"yes": "no", "no": "yes"}[rows[chosen]["answer"]]
    pq.write_table(type(table).from_pylist(rows, table.schema), made / "records.parquet")
    status, _, err = run("instruct", "check", made)
    assert status == 2
    assert f"record {rows[chosen]['id']}, recorded: verified; now: answer: " in err


def test_a_second_check_sees_that_an_image_was_replaced(run, images, tmp_path):
    own = draw_images(tmp_path / "scans", count=3)
    run("instruct", "generate", own, "--out", tmp_path / "data", "--per-image", 2)
    flat = np.random.default_rng(9).integers(0, 255, (64, 64)).astype(np.uint8)
    Image.fromarray(flat).save(own / "secretname001.png")
    (own / "secretname002.png").unlink()
    status, _, err = run("instruct", "check", tmp_path / "data", "--images")
    assert status == 2
    assert "secretname001.png is another image now" in err
    assert "secretname002.png is no longer there" in err


@pytest.mark.parametrize("form", ["parquet", "llava", "sharegpt"])
def test_exports_hold_the_verified_records_split_by_image_with_pictures_by_hash(run, made, tmp_path, form):
    out = tmp_path / form
    status, _, err = run("instruct", "export", made, "--format", form, "--out", out, "--val", 0.3)
    assert (status, err) == (0, "")
    manifest = json.loads((out / "export.json").read_text())
    jsonschema.validate(manifest, read_schema("instruct-export-1.json"))
    verified = [row for row in pq.read_table(made / "records.parquet").to_pylist() if row["verified"]]
    assert sum(manifest["records"].values()) == len(verified)
    used = {}
    ids = []
    for split in ("train", "val"):
        path = out / manifest["files"][split]
        rows = pq.read_table(path).to_pylist() if form == "parquet" else json.loads(path.read_text())
        assert len(rows) == manifest["records"][split]
        ids += [row["id"] for row in rows]
        used[split] = {image for row in rows for image in images_of(row, form)}
    assert sorted(ids) == sorted(row["id"] for row in verified)
    assert used["train"] & used["val"] == set()
    assert {path.stem for path in (out / "images").iterdir()} == used["train"] | used["val"]


def images_of(row, form):
    if form == "parquet":
        return row["images"]
    turns = row["conversations"]
    files = row["images"] if form == "sharegpt" else [row["image"]] if isinstance(row["image"], str) else row["image"]
    assert [turn["from"] for turn in turns] == ["human", "gpt"]
    assert turns[0]["value"].count("<image>\n") == len(files)
    return [file.removeprefix("images/").removesuffix(".png") for file in files]


def test_a_dry_run_says_what_it_would_ask_and_writes_nothing(run, images, tmp_path):
    status, out, _ = run("instruct", "generate", images, "--out", tmp_path / "data", "--per-image", 3, "--dry-run")
    assert status == 0
    assert "6 images, of which 6 were measured" in out
    assert "cost: about 0.00 USD" in out
    assert not (tmp_path / "data").exists()


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_dry_run_expects_what_the_run_then_asks(run, images, tmp_path):
    with provider(truthfully(recorded(images, 3))) as running:
        words = ("instruct", "generate", images, "--out", tmp_path / "data", "--teacher", running.teacher)
        words += ("--per-image", 3, "--price", "1,4", "--max-tokens", 200)
        _, expected, _ = run(*words, "--dry-run")
        assert running.asked == []
        status, _, _ = run(*words)
        assert status == 0
    assert f"requests: {len(running.asked)}," in expected


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_questions_without_an_answer_are_listed_and_the_status_says_so(run, images, tmp_path):
    answers = recorded(images, 3)
    truth = truthfully(answers)
    never = sorted(answers)[0]

    def say(body, number):
        return Say(status=400) if body["messages"][1]["content"][0]["text"] == never else truth(body, number)

    with provider(say) as running:
        status, out, err = run(
            *("instruct", "generate", images, "--out", tmp_path / "data", "--teacher", running.teacher),
            *("--per-image", 3),
        )
    assert status == 2
    assert err.count("\n") == 1
    assert "no answer to " in err
    assert f"{len(answers) - 1} records" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--tasks", "poetry"], "--tasks is poetry"),
        (["--budget", "a lot"], "--budget is 'a lot'"),
        (["--price", "1"], "--price is '1'"),
        (["--teacher", "nobody:1"], "nobody:1"),
        (["--teacher", "openai-compatible:http://127.0.0.1:1/v1#m", "--budget", "1USD"], "give --price"),
        (["--rate", "0"], "--rate is 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run, images, tmp_path, words, says):
    status, _, err = run("instruct", "generate", images, "--out", tmp_path / "data", *words)
    assert status == 2
    assert err.count("\n") == 1
    assert says in err


def test_a_folder_without_images_is_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = run("instruct", "generate", tmp_path / "empty", "--out", tmp_path / "data")
    assert status == 2
    assert "no image in" in err
    status, _, err = run("instruct", "generate", tmp_path / "none.png", "--out", tmp_path / "data")
    assert status == 2
    assert "does not exist" in err


@pytest.mark.parametrize("command", [["check"], ["export", "--format", "llava", "--out", "exported"]])
def test_a_folder_of_something_else_is_refused(run, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = run("instruct", command[0], tmp_path, *command[1:])
    assert status == 2
    assert "holds no records.parquet" in err
    assert not (tmp_path / "exported").exists()
