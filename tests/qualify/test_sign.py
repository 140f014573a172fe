"""Signatures: what is signed, by whom, what a later one amends, and what is found when any of it was altered."""

import json
import os
import stat

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from micrographia.errors import IntegrityError, LibraryError
from micrographia.qualify import library as lib
from micrographia.qualify.canonical import sha256
from micrographia.qualify.keys import key_file, make_key, public_hex
from micrographia.qualify.sign import Review, sign_verdicts, verify_signatures


def review(decision="confirm", **more):
    return Review(**{"reviewer": "C. Reviewer", "decision": decision, "reason": "looked at it", **more})


def lines(verdicts):
    text = verdicts.with_name("verdicts.signatures.jsonl").read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def verdicts(empty, verdicts_json, tmp_path):
    path = verdicts_json(empty, tmp_path / "results")
    lib.record_verdicts(empty, path.read_bytes(), actor="Ann")
    return path


@pytest.fixture
def several(empty, verdicts_json, tmp_path):
    path = verdicts_json(empty, tmp_path / "results", samples=3)
    lib.record_verdicts(empty, path.read_bytes(), actor="Ann")
    return path


def test_a_signature_holds_without_our_code(empty, verdicts):
    raw = verdicts.read_bytes()
    signed = sign_verdicts(verdicts, review())
    assert verdicts.read_bytes() == raw
    (line,) = lines(verdicts)
    message = line["message"]
    assert set(message) == {
        *("verdicts_sha256", "library_id", "library_version", "reviewer", "decision", "sample", "criterion"),
        *("reason", "signed_at", "amends"),
    }
    assert message["verdicts_sha256"] == sha256(raw)
    assert (message["library_id"], message["library_version"]) == (empty.id, lib.library_version(empty))
    written = json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(line["public_key"]))
    key.verify(bytes.fromhex(line["signature"]), written)
    with pytest.raises(InvalidSignature):
        key.verify(bytes.fromhex(line["signature"]), written.replace(b"confirm", b"overrule"))
    assert signed.signature.signature == line["signature"]
    assert verify_signatures(verdicts) == ()
    assert lib.verify_library(empty).findings == ()


def test_a_key_is_made_once_for_its_owner_alone(verdicts):
    first = sign_verdicts(verdicts, review())
    assert first.new_key_file == key_file("C. Reviewer")
    assert stat.S_IMODE(first.new_key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.new_key_file.parent.stat().st_mode) == 0o700
    again = sign_verdicts(verdicts, review(reason="once more"))
    assert again.new_key_file is None
    assert again.signature.public_key == first.signature.public_key


def test_a_later_signature_amends_the_earlier_one_on_the_same(several):
    one = sign_verdicts(several, review(sample="part0.png")).signature
    two = sign_verdicts(several, review("overrule accept", sample="part1.png", criterion="cracks")).signature
    three = sign_verdicts(several, review("overrule abstain", sample="0" * 64, criterion="cracks")).signature
    four = sign_verdicts(several, review()).signature
    assert [s.message["amends"] for s in (one, two, three, four)] == [None, None, one.signature, three.signature]
    assert [line["signature"] for line in lines(several)] == [s.signature for s in (one, two, three, four)]


def test_what_is_overruled_must_be_clear_and_different(several, verdicts_json, empty, tmp_path):
    for wrong, told in (
        (review("overrule accept"), "holds 3 samples; say with --sample"),
        (review("overrule accept", sample="part1.png"), "has 2 criteria; say with --criterion"),
        (review("overrule reject", sample="part1.png", criterion="cracks"), "is reject already"),
        (review(criterion="dust"), "accepted is one of cracks, pores"),
        (review(sample="part9.png"), "no sample is; accepted is"),
    ):
        with pytest.raises(LibraryError, match=told):
            sign_verdicts(several, wrong)
    with pytest.raises(LibraryError, match="reason is blank"):
        review(reason="  ")
    with pytest.raises(LibraryError, match="decision is 'yes'"):
        review("yes")
    assert not several.with_name("verdicts.signatures.jsonl").exists()
    assert not key_file("C. Reviewer").exists()


def test_altered_verdicts_are_not_signed_and_are_found(empty, verdicts):
    sign_verdicts(verdicts, review())
    verdicts.write_text(verdicts.read_text().replace('"reject"', '"accept"', 1))
    with pytest.raises(LibraryError, match="is not what the library has on record"):
        sign_verdicts(verdicts, review())
    recorded, signed = verify_signatures(verdicts)
    assert "altered after it was written" in recorded
    assert "altered after it was signed by C. Reviewer on 20" in signed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("looked at it", "did not look"), "was not made by that key on that message"),
        (lambda text: text.replace('"signature":"', '"signature":"00', 1), "was not made by that key"),
        (lambda text: text.replace('"public_key":"', '"public_key":"zz', 1), "is damaged"),
        (lambda text: text[:-40] + "\n", "line 1 of verdicts.signatures.jsonl is not what was written"),
        (lambda text: "", "is missing from verdicts.signatures.jsonl"),
    ],
)
def test_an_altered_line_is_found(verdicts, change, told):
    sign_verdicts(verdicts, review())
    file = verdicts.with_name("verdicts.signatures.jsonl")
    file.write_text(change(file.read_text()))
    assert any(told in line for line in verify_signatures(verdicts))


def test_a_line_of_someone_who_is_not_on_record_is_found(verdicts, tmp_path):
    sign_verdicts(verdicts, review())
    (line,) = lines(verdicts)
    forged = make_key(tmp_path / "forged.pem")
    line["message"]["reviewer"] = "D. Forger"
    written = json.dumps(line["message"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    line |= {"signature": forged.sign(written).hex(), "public_key": public_hex(forged)}
    with verdicts.with_name("verdicts.signatures.jsonl").open("a") as stream:
        stream.write(json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n")
    (found,) = verify_signatures(verdicts)
    assert found.startswith("the signature by D. Forger")
    assert found.endswith("is not among the library's records")


def test_the_next_signature_adds_what_a_crash_left_out(verdicts):
    sign_verdicts(verdicts, review())
    file = verdicts.with_name("verdicts.signatures.jsonl")
    file.write_bytes(file.read_bytes()[:50])  # ended in the middle of a line
    sign_verdicts(verdicts, review(reason="again"))
    assert [line["message"]["reason"] for line in lines(verdicts)] == ["looked at it", "again"]
    assert verify_signatures(verdicts) == ()


def test_another_key_of_the_same_reviewer_is_refused_unless_it_is_replaced(empty, verdicts, tmp_path):
    first = sign_verdicts(verdicts, review()).signature
    make_key(tmp_path / "other.pem")
    with pytest.raises(LibraryError, match="has registered another key"):
        sign_verdicts(verdicts, review(), key=tmp_path / "other.pem")
    key_file("C. Reviewer").rename(tmp_path / "lost.pem")
    with pytest.raises(LibraryError, match="has registered another key"):
        sign_verdicts(verdicts, review())
    assert not key_file("C. Reviewer").exists()
    second = sign_verdicts(verdicts, review(), key=tmp_path / "other.pem", new_key_reason="laptop was stolen").signature
    assert second.public_key != first.public_key
    steps = [step for step in lib.audit_trail(empty) if step.entry.action == "register key"]
    assert [step.reason for step in steps] == [None, "laptop was stolen"]
    assert (steps[1].original, steps[1].amended) == (
        {"public_key": first.public_key},
        {"public_key": second.public_key},
    )
    assert (verify_signatures(verdicts), lib.verify_library(empty).findings) == ((), ())
    with pytest.raises(LibraryError, match="has registered another key"):
        sign_verdicts(verdicts, review(), key=tmp_path / "lost.pem")


def test_a_replaced_key_is_set_aside(verdicts):
    first = sign_verdicts(verdicts, review())
    second = sign_verdicts(verdicts, review(), new_key_reason="yearly")
    assert second.new_key_file == first.new_key_file
    assert len(list(first.new_key_file.parent.glob("*-until-*.pem"))) == 1


def test_keys_of_other_kinds_are_refused(verdicts, tmp_path):
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content, mode, told in (
        (b"nonsense", 0o600, "is no private key in PEM form"),
        (other, 0o600, "is of another kind"),
        (other, 0o644, "can be read by others"),
        (None, 0, "cannot be read"),
    ):
        path = tmp_path / "key.pem"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
            os.chmod(path, mode)  # noqa: PTH101
        with pytest.raises(LibraryError, match=told):
            sign_verdicts(verdicts, review(), key=path)


def test_the_library_may_have_moved_and_must_be_the_right_one(empty, verdicts, tmp_path, criteria):
    moved = empty.folder.rename(tmp_path / "moved")
    with pytest.raises(LibraryError, match="which is not there; name it with --library"):
        sign_verdicts(verdicts, review())
    other = lib.create_library(tmp_path / "other", criteria, actor="Ann")
    with pytest.raises(LibraryError, match="name the right one with --library"):
        sign_verdicts(verdicts, review(), library=other.folder)
    sign_verdicts(verdicts, review(), library=moved)
    assert verify_signatures(verdicts, library=moved) == ()


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"samples": []}', b"\xff", b'{"library": 3, "samples": 1}'])
def test_what_is_no_verdict_file_is_refused(empty, raw, tmp_path):
    with pytest.raises(LibraryError, match="is no verdict file"):
        lib.record_verdicts(empty, raw, actor="Ann")
    (tmp_path / "v.json").write_bytes(raw)
    with pytest.raises(LibraryError, match=r"v\.json is no verdict file"):
        sign_verdicts(tmp_path / "v.json", review())


def test_verdicts_on_a_version_that_never_was_are_refused(empty, verdicts):
    for old, new, told in (
        (lib.library_version(empty), "0" * 64, "which this library never had"),
        (empty.id, "f" * 32, "name the right library"),
    ):
        with pytest.raises(LibraryError, match=told):
            lib.record_verdicts(empty, verdicts.read_bytes().replace(old.encode(), new.encode()), actor="Ann")


def test_nothing_is_signed_in_a_library_that_was_tampered_with(full, tamper):
    verdicts = full.folder.parent / "results" / "verdicts.json"
    tamper(full, "DELETE FROM signatures", "DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)")
    with pytest.raises(IntegrityError, match="is gone"):
        sign_verdicts(verdicts, review(reviewer="Eve"), library=full.folder)


def test_an_assessor_sees_who_checked_and_what_was_amended(full):
    steps = lib.audit_trail(full)
    by_action = {}
    for step in steps:
        by_action.setdefault(step.entry.action, []).append(step)
    (verdicts,) = by_action["record verdicts"]
    assert [(c.reviewer, c.decision) for c in verdicts.checked_by] == [
        ("C. Reviewer", "confirm"),
        ("C. Reviewer", "overrule accept"),
    ]
    overruled = by_action["sign verdicts"][1]
    assert (overruled.original["verdict"], overruled.amended["verdict"]) == ("reject", "accept")
    (retired,) = by_action["retire reference"]
    assert (retired.original["id"], retired.original["polarity"], retired.reason) == (
        "R2",
        "accept",
        "another specimen",
    )
    amended = by_action["set criterion"][2]
    assert amended.original == {"title": "Few pores", "version": 1}
    assert amended.amended == {"title": "Hardly any pores", "version": 2}
    assert steps[-1].library_version == lib.library_version(full)
