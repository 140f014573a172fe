"""The audit chain: what it holds, recomputed without our code, and that no byte of it can change unnoticed."""

import hashlib
import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from micrographia.qualify import library as lib
from micrographia.qualify.library.chain import Entry, Head, entries, read_head
from micrographia.qualify.library.transactions import looking
from micrographia.qualify.library.verify import chain_findings


def rows(library):
    with closing(sqlite3.connect(library.folder / "library.sqlite")) as records:
        records.row_factory = sqlite3.Row
        return [dict(row) for row in records.execute("SELECT * FROM audit ORDER BY sequence")]


def test_each_hash_is_that_of_what_precedes_it(full):
    previous = "0" * 64
    for number, row in enumerate(rows(full), start=1):
        fields = {**row, "payload": json.loads(row["payload"])}
        stated = fields.pop("hash")
        written = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert (row["sequence"], row["previous"]) == (number, previous)
        assert stated == hashlib.sha256(written.encode()).hexdigest()
        previous = stated
    assert json.loads((full.folder / "head.json").read_text()) == {"sequence": number, "hash": previous}


def test_times_are_utc_with_microseconds_and_do_not_go_back(full):
    times = [row["time"] for row in rows(full)]
    assert all(len(time) == len("2026-11-22T20:51:37.123456Z") and time.endswith("Z") for time in times)
    assert times == sorted(times)


def test_every_kind_of_action_is_in_the_chain_with_who_did_it(full):
    done = {(row["action"], row["actor"]) for row in rows(full)}
    assert done == {
        ("create library", "Ann"),
        ("set criterion", "Ann"),
        ("set criterion", "Bob"),
        ("add reference", "Ann"),
        ("retire reference", "Ann"),
        ("record opinion", "Ann"),
        ("store embeddings", "Ann"),
        ("record verdicts", "Ann"),
        ("register key", "C. Reviewer"),
        ("sign verdicts", "C. Reviewer"),
    }


@pytest.fixture(scope="module")
def chain(tmp_path_factory, criteria):
    made = lib.create_library(tmp_path_factory.mktemp("chain") / "library", criteria, actor="Zoë")
    for k in range(3):
        lib.record_opinion(made, "cracks", "accept", image_sha256=f"{k}" * 64, file="µ.png", expert="Bob", actor="Ann")
    with looking(made) as connection:
        return entries(connection), read_head(made.folder)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_that_changes_in_any_payload_is_found(chain, data):
    whole, head = chain
    assert list(chain_findings(whole, head=head)) == []
    number = data.draw(st.integers(0, len(whole) - 1))
    raw = bytearray(whole[number].payload.encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[place]))
    payload = bytes(raw).decode("utf-8", "surrogateescape")  # as a database gives it
    altered = Entry(**{**vars(whole[number]), "payload": payload})
    found = list(chain_findings([*whole[:number], altered, *whole[number + 1 :]], head=head))
    assert len(found) == 1
    assert found[0].startswith(f"entry {number + 1} of the audit chain")


@settings(max_examples=100, deadline=None)
@given(order=st.permutations(range(6)), kept=st.integers(1, 6))
@example(order=list(range(6)), kept=5)
def test_any_entries_left_out_or_in_another_order_are_found(chain, order, kept):
    whole, head = chain
    # Numbers are given anew, as someone would who moves records.
    moved = [Entry(**{**vars(whole[old]), "sequence": new}) for new, old in enumerate(order[:kept], start=1)]
    untouched = list(order[:kept]) == list(range(6))
    assert (list(chain_findings(moved, head=head)) == []) == untouched


def test_a_chain_longer_than_its_head_is_what_a_crash_leaves(chain):
    whole, _ = chain
    assert list(chain_findings(whole, head=Head(sequence=3, hash=whole[2].hash))) == []
    assert list(chain_findings(whole, head=Head(sequence=3, hash=whole[3].hash))) != []


def test_the_next_change_mends_a_head_that_fell_behind(empty, image, tmp_path):
    old = (empty.folder / "head.json").read_bytes()
    lib.add_references(empty, "cracks", "accept", [image(tmp_path, 0)], actor="Ann")
    (empty.folder / "head.json").write_bytes(old)
    assert lib.verify_library(empty).findings == ()
    lib.add_references(empty, "cracks", "accept", [image(tmp_path, 1)], actor="Ann")
    assert read_head(empty.folder).sequence == lib.verify_library(empty).entries == 5
