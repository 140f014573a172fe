"""Whatever is altered, removed, added or moved in a library is found, and named."""

import json
import sqlite3
from contextlib import closing

import pytest

from micrographia.errors import IntegrityError, LibraryError
from micrographia.qualify import library as lib


def findings(library):
    return lib.verify_library(lib.open_library(library.folder)).findings


def entries_of(library, action):
    with closing(sqlite3.connect(library.folder / "library.sqlite")) as records:
        return [
            n for (n,) in records.execute("SELECT sequence FROM audit WHERE action = ? ORDER BY sequence", [action])
        ]


def last(library):
    with closing(sqlite3.connect(library.folder / "library.sqlite")) as records:
        return records.execute("SELECT max(sequence) FROM audit").fetchone()[0]


def test_a_library_that_was_left_alone_is_clean(full):
    found = lib.verify_library(full)
    assert found.findings == ()
    assert (found.entries, found.files) == (last(full), 6)
    assert lib.verify_library(full, known_head=found.head.hash).findings == ()


def test_the_records_refuse_to_be_changed(full):
    with closing(sqlite3.connect(full.folder / "library.sqlite")) as records:
        for table in ("audit", "reference_images", "signatures", "embeddings"):
            for statement in (f"UPDATE {table} SET sequence = 99", f"DELETE FROM {table}"):
                with pytest.raises(sqlite3.IntegrityError, match=f"rows of {table} are only ever added"):
                    records.execute(statement)


def test_an_altered_payload_is_named(full, tamper):
    (entry, *_) = entries_of(full, "add reference")
    tamper(full, f"UPDATE audit SET payload = replace(payload, 'reject', 'accept') WHERE sequence = {entry}")
    assert f"entry {entry} of the audit chain (add reference) was altered: its hash is not that of what it holds" in (
        findings(full)
    )


@pytest.mark.parametrize("column", ["time", "actor", "action", "previous", "hash"])
def test_any_altered_field_of_an_entry_is_named(full, tamper, column):
    (entry, *_) = entries_of(full, "record opinion")
    tamper(full, f"UPDATE audit SET {column} = 'x' || {column} WHERE sequence = {entry}")
    assert any(f"entry {entry} of the audit chain" in line for line in findings(full))


def test_a_removed_entry_in_the_middle_is_named(full, tamper):
    (entry, *_) = entries_of(full, "record opinion")
    tamper(full, f"DELETE FROM audit WHERE sequence = {entry}")
    found = findings(full)
    assert f"entry {entry} of the audit chain: gone" in found
    assert any("table opinions has a record" in line for line in found)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_removed_newest_entries_are_named(full, tamper, count):
    end = last(full)
    gone = [f"DELETE FROM {table} WHERE sequence > {end - count}" for table in ("signatures", "reviewer_keys")]
    gone += [f"DELETE FROM {table} WHERE sequence > {end - count}" for table in ("verdicts", "embeddings", "audit")]
    tamper(full, *gone)
    assert findings(full) == (f"the audit chain ends at entry {end - count}, where head.json names entry {end}: gone",)


def test_entries_that_changed_places_are_named(full, tamper):
    first, second, *_ = entries_of(full, "add reference")
    tamper(
        full,
        f"UPDATE audit SET sequence = -1 WHERE sequence = {first}",
        f"UPDATE audit SET sequence = {first} WHERE sequence = {second}",
        f"UPDATE audit SET sequence = {second} WHERE sequence = -1",
    )
    found = findings(full)
    assert all(any(line.startswith(f"entry {n} of the audit chain") for line in found) for n in (first, second))


def test_a_chain_that_was_rewritten_is_not_the_one_that_was_known(full, tamper, image, tmp_path):
    known = lib.verify_library(full).head
    end = last(full)
    tamper(full, f"DELETE FROM signatures WHERE sequence = {end}", f"DELETE FROM audit WHERE sequence = {end}")
    (full.folder / "head.json").write_text(
        json.dumps({"sequence": end - 1, "hash": lib.verify_library(full).head.hash})
    )
    assert findings(full) == ()  # nothing in the folder tells any more
    found = lib.verify_library(full, known_head=known.hash).findings
    assert found == (f"no entry of the audit chain has the hash {known.hash} that was written down",)


def test_an_image_with_one_byte_changed_is_named(full):
    reference = lib.references(full, "cracks")[0]
    path = lib.image_path(full, reference)
    raw = bytearray(path.read_bytes())
    raw[-20] ^= 1
    path.write_bytes(raw)
    (found,) = findings(full)
    assert found.startswith(f"images/{reference.image_sha256[:2]}/{reference.image_sha256}.png was altered")


def test_a_mask_that_was_changed_or_removed_is_named(full):
    (reference,) = lib.references(full, "pores")
    path = lib.mask_path(full, reference)
    path.write_bytes(path.read_bytes() + b" ")
    assert "masks/" in findings(full)[0]
    assert "was altered" in findings(full)[0]
    path.unlink()
    assert findings(full) == (f"masks/{reference.mask_sha256[:2]}/{reference.mask_sha256}.png is missing",)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("reference_images", "polarity = 'accept'"),
        ("reference_images", "expert = NULL"),
        ("reference_images", "id = 'R77'"),
        ("reference_images", "mask_value = 1"),
        ("criteria", "title = 'x'"),
        ("criteria", "accept_texts = '[]'"),
        ("criteria", "version = 9"),
        ("retirements", "reason = 'x'"),
        ("opinions", "opinion = 'reject'"),
        ("verdicts", "samples = '[]'"),
        ("verdicts", "verdicts_sha256 = 'x'"),
        ("reviewer_keys", "public_key = 'x'"),
        ("signatures", "message = '{}'"),
        ("signatures", "signature = 'x'"),
        ("library", "id = 'x'"),
        ("embeddings", "whole_sha256 = 'x'"),
        ("embeddings", "version = 'x'"),
    ],
)
def test_an_altered_row_of_any_table_is_named(full, tamper, table, change):
    with closing(sqlite3.connect(full.folder / "library.sqlite")) as records:
        where = change.split(" = ")[0]
        newest = records.execute(f"SELECT max(sequence) FROM {table}").fetchone()[0]
    tamper(full, f"UPDATE {table} SET {change} WHERE sequence = {newest}")
    found = lib.verify_library(full).findings
    expected = f"in table {table} was"
    assert any(f"entry {newest}" in line and (expected in line or f"table {table} were" in line) for line in found)
    if table != "embeddings":
        assert any(f"{where} is" in line for line in found)


@pytest.mark.parametrize(
    "table", ["reference_images", "criteria", "retirements", "opinions", "embeddings", "verdicts", "signatures"]
)
def test_a_row_that_was_removed_or_added_is_named(full, tamper, table):
    with closing(sqlite3.connect(full.folder / "library.sqlite")) as records:
        newest = records.execute(f"SELECT max(sequence) FROM {table}").fetchone()[0]
    tamper(full, f"UPDATE {table} SET sequence = 1 WHERE sequence = {newest}")
    found = lib.verify_library(full).findings
    assert any(f"of entry {newest} in table {table}" in line for line in found)
    assert any(f"table {table} has" in line and "entry 1," in line for line in found)


def test_bytes_that_are_no_text_are_a_finding(full, tamper):
    tamper(full, "UPDATE reference_images SET text = CAST(x'ff41' AS TEXT) WHERE id = 'R1'")
    assert any("text is" in line for line in findings(full))
    tamper(full, "UPDATE audit SET payload = CAST(x'7bff7d' AS TEXT) WHERE sequence = 3")
    assert any("entry 3 of the audit chain" in line and "payload" in line for line in findings(full))


def test_a_table_that_is_gone_is_a_finding(full, tamper):
    tamper(full, "DROP TABLE opinions")
    assert any("a table is missing" in line for line in findings(full))


def test_a_file_of_records_that_is_damaged_is_told(full):
    path = full.folder / "library.sqlite"
    path.write_bytes(b"x" * 4096)
    with pytest.raises(LibraryError, match="damaged"):
        lib.open_library(full.folder)
    path.unlink()
    with pytest.raises(LibraryError, match=r"library\.sqlite is missing"):
        lib.open_library(full.folder)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"sequence": "1", "hash": "x"}', b"\xff"])
def test_a_head_that_is_gone_or_damaged_is_a_finding_and_forbids_changes(full, content, image, tmp_path):
    head = full.folder / "head.json"
    head.unlink() if content is None else head.write_bytes(content)
    assert any("head.json" in line for line in findings(full))
    with pytest.raises(IntegrityError, match=r"head\.json"):
        lib.add_references(full, "cracks", "accept", [image(tmp_path, 20)], actor="Ann")


def test_no_change_covers_up_that_newest_entries_were_removed(full, tamper, image, tmp_path):
    end = last(full)
    tamper(full, f"DELETE FROM signatures WHERE sequence = {end}", f"DELETE FROM audit WHERE sequence = {end}")
    with pytest.raises(IntegrityError, match=f"entry {end} of the audit chain is gone"):
        lib.add_references(full, "cracks", "accept", [image(tmp_path, 20)], actor="Ann")
    assert last(full) == end - 1


def test_a_vector_that_was_altered_is_named_and_never_used(full, encoder):
    import lancedb

    key = [(r.image_sha256, r.region) for r in lib.references(full, "cracks")]
    assert len(lib.load_vectors(full, key, encoder=encoder)) == len(key)
    database = lancedb.connect(full.folder / "vectors.lance")
    table = database.open_table(database.list_tables().tables[0])
    row = table.search().limit(1).to_list()[0]
    image_sha256, whole = row["image_sha256"], row["whole"]
    table.update(
        where=f"image_sha256 = '{image_sha256}'", values={"whole": [float(v) for v in whole[:-1]] + [whole[-1] + 1e-3]}
    )
    expected = f"the whole vector of image {image_sha256}, region {row['region']}, encoder clip:small was altered"
    assert findings(full) == (expected,)
    with pytest.raises(IntegrityError, match="are not what was stored"):
        lib.load_vectors(full, [(image_sha256, row["region"])], encoder=encoder)


def test_a_signature_that_was_forged_consistently_is_found(full, tamper):
    # Someone rewrites message and signature in chain and table alike, and all hashes after them, but has no key.
    from micrographia.qualify.library.chain import entry_hash

    with closing(sqlite3.connect(full.folder / "library.sqlite")) as records:
        rows = records.execute(
            "SELECT sequence, time, actor, action, payload, previous FROM audit ORDER BY 1"
        ).fetchall()
    statements, previous = [], "0" * 64
    for sequence, time, actor, action, payload, _ in rows:
        text = payload.replace("a scratch, no crack", "no scratch, a crack")
        digest = entry_hash(
            sequence=sequence, time=time, actor=actor, action=action, payload=json.loads(text), previous=previous
        )
        statements.append(
            (
                "UPDATE audit SET payload = ?, previous = ?, hash = ? WHERE sequence = ?",
                (text, previous, digest, sequence),
            )
        )
        previous = digest
    statements.append("UPDATE signatures SET message = replace(message, 'a scratch, no crack', 'no scratch, a crack')")
    tamper(full, *statements)
    (full.folder / "head.json").write_text(json.dumps({"sequence": rows[-1][0], "hash": previous}))
    (found,) = findings(full)
    assert "by C. Reviewer on" in found
    assert "was not made by that key on that message" in found
