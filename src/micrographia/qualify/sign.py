"""A reviewer's word on verdicts: confirmed or overruled, with a reason, signed, and never without its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from micrographia.errors import LibraryError
from micrographia.qualify.canonical import canonical
from micrographia.qualify.keys import key_file, load_key, make_key, public_hex, set_aside
from micrographia.qualify.library.home import Library, open_library
from micrographia.qualify.library.rows import append
from micrographia.qualify.library.signatures import Signature, registered_key, signatures_of
from micrographia.qualify.library.transactions import changing, looking
from micrographia.qualify.library.verdicts import VerdictFile, is_recorded, parse_verdicts, require_version
from micrographia.qualify.plain import plain_text
from micrographia.qualify.signatures_file import read_beside, signatures_file, write_beside

Decision = Literal["confirm", "overrule accept", "overrule reject", "overrule abstain"]

_LEAST_HASH: Final = 8
"""Fewest characters of a hash that name a sample."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """What a reviewer says of verdicts.

    Parameters
    ----------
    reviewer : str
        Who it is.
    decision : str
        ``"confirm"``, ``"overrule accept"``, ``"overrule reject"`` or ``"overrule abstain"``.
    reason : str
        Why.
    sample : str, optional
        File name or hash of the sample that is meant; None for all, or the only one.
    criterion : str, optional
        The criterion that is meant; None for all, or the only one.
    """

    reviewer: str
    decision: Decision
    reason: str
    sample: str | None = None
    criterion: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reviewer", plain_text(self.reviewer, name="reviewer"))
        object.__setattr__(self, "reason", plain_text(self.reason, name="reason"))
        if self.decision not in get_args(Decision):
            raise LibraryError(f"decision is {self.decision!r}; accepted is one of {', '.join(get_args(Decision))}")


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A signature that was given.

    Parameters
    ----------
    signature : Signature
        As it is among the records.
    file : Path
        Where it was written, beside the verdicts.
    new_key_file : Path, optional
        The key that was made for it; None where there was one already.
    """

    signature: Signature
    file: Path
    new_key_file: Path | None


def sign_verdicts(
    verdicts: str | Path,
    review: Review,
    *,
    library: str | Path | None = None,
    key: str | Path | None = None,
    new_key_reason: str | None = None,
) -> Signed:
    """Sign verdicts. The verdict file stays as it is; a later signature amends an earlier one and names it.

    Parameters
    ----------
    verdicts : str or Path
        A ``verdicts.json`` that ``micrographia qualify`` wrote.
    review : Review
        What is signed.
    library : str or Path, optional
        The library that the verdicts rest on, if it is no longer where the file says.
    key : str or Path, optional
        The reviewer's key; by default that in the user's configuration, which is made when it is first needed.
    new_key_reason : str, optional
        Why the reviewer's registered key is replaced.

    Raises
    ------
    LibraryError
        The verdicts are not what the library has on record, the sample or criterion is not among them, or the key is
        not the one that the reviewer registered.
    IntegrityError
        The library was tampered with.
    """
    verdicts = Path(verdicts)
    file = _parsed(verdicts)
    opened = _library_of(verdicts, file, library, writable=True)
    sample, criterion = _scope(file, review)
    with looking(opened) as connection:
        _require_recorded(is_recorded(connection, file.sha256), verdicts)
        require_version(connection, file.library_version)
        registered = registered_key(connection, review.reviewer)
    private, made = _key(review.reviewer, None if key is None else Path(key), registered, new_key_reason)
    public = public_hex(private)
    with changing(opened) as connection:
        registered = registered_key(connection, review.reviewer)
        if registered != public:
            _require_right_key(review.reviewer, registered, new_key_reason)
            record = {"reviewer": review.reviewer, "public_key": public, "reason": new_key_reason}
            append(connection, actor=review.reviewer, action="register key", record=record)
        earlier = signatures_of(connection, file.sha256)
        message: dict[str, str | None] = {
            "verdicts_sha256": file.sha256,
            "library_id": opened.id,
            "library_version": file.library_version,
            "reviewer": review.reviewer,
            "decision": review.decision,
            "sample": sample,
            "criterion": criterion,
            "reason": review.reason,
            "signed_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "amends": _amended(earlier, sample, criterion),
        }
        signature = private.sign(canonical(message)).hex()
        entry = append(
            connection,
            actor=review.reviewer,
            action="sign verdicts",
            record={
                "verdicts_sha256": file.sha256,
                "message": message,
                "public_key": public,
                "signature": signature,
            },
        )
    written = write_beside(opened, verdicts, file.sha256)
    given = Signature(message=message, public_key=public, signature=signature, sequence=entry.sequence)
    return Signed(signature=given, file=written, new_key_file=made)


def verify_signatures(verdicts: str | Path, *, library: str | Path | None = None) -> tuple[str, ...]:
    """Return one line for each thing that is not in order with a verdict file and its signatures.

    Parameters
    ----------
    verdicts, library
        As in `sign_verdicts`.

    Raises
    ------
    LibraryError
        It is no verdict file, or the library cannot be read.
    """
    verdicts = Path(verdicts)
    file = _parsed(verdicts)
    opened = _library_of(verdicts, file, library, writable=False)
    findings = []
    signed, damaged = read_beside(signatures_file(verdicts))
    findings += damaged
    with looking(opened) as connection:
        if not is_recorded(connection, file.sha256):
            findings.append(f"{verdicts} is not what the library has on record: it was altered after it was written")
        recorded = signatures_of(connection, file.sha256)
        for one in signed:
            if problem := one.problem:
                findings.append(f"the signature by {one.name} {problem}")
            elif one.message["verdicts_sha256"] != file.sha256:
                findings.append(f"{verdicts} was altered after it was signed by {one.name}")
            elif one.signature not in {r.signature for r in recorded}:
                findings.append(f"the signature by {one.name} is not among the library's records")
    held = {one.signature for one in signed}
    for one in recorded:
        if problem := one.problem:
            findings.append(f"the recorded signature by {one.name} {problem}")
        if one.signature not in held:
            findings.append(f"the signature by {one.name} is missing from {signatures_file(verdicts).name}")
    return tuple(findings)


def _parsed(verdicts: Path) -> VerdictFile:
    try:
        raw = verdicts.read_bytes()
    except OSError as error:
        raise LibraryError(
            f"{verdicts} cannot be read: {error.strerror}; give the verdicts.json that `micrographia qualify` wrote"
        ) from error
    return parse_verdicts(raw, name=str(verdicts))


def _library_of(verdicts: Path, file: VerdictFile, named: str | Path | None, *, writable: bool) -> Library:
    folder = verdicts.parent / file.library_path if named is None else Path(named)
    if named is None and not folder.is_dir():
        raise LibraryError(f"the verdicts rest on the library {folder}, which is not there; name it with --library")
    opened = open_library(folder, writable=writable)
    if opened.id != file.library_id:
        raise LibraryError(
            f"the verdicts rest on library {file.library_id[:64]}, and {folder} is {opened.id}; name the right one "
            "with --library"
        )
    return opened


def _require_recorded(recorded: bool, verdicts: Path) -> None:
    if not recorded:
        raise LibraryError(
            f"{verdicts} is not what the library has on record: it was altered, or made with a read-only library; "
            "qualify the samples again"
        )


def _scope(file: VerdictFile, review: Review) -> tuple[str | None, str | None]:
    """Return the hash of the sample and the id of the criterion that are meant."""
    sample = None if review.sample is None else _find_sample(file, review.sample)
    overruled = review.decision != "confirm"
    if overruled and sample is None:
        if len(file.samples) != 1:
            raise LibraryError(f"the file holds {len(file.samples)} samples; say with --sample which one is overruled")
        sample = file.samples[0]
    among = file.samples if sample is None else (sample,)
    known = list(dict.fromkeys(name for one in among for name in one["criteria"]))
    criterion = review.criterion
    if criterion is not None and criterion not in known:
        raise LibraryError(f"--criterion is {criterion!r}; accepted is one of {', '.join(known)}")
    if overruled and criterion is None:
        if len(known) != 1:
            raise LibraryError(f"the sample has {len(known)} criteria; say with --criterion which one is overruled")
        criterion = known[0]
    if sample is not None and overruled and review.decision.endswith(str(sample["criteria"][criterion])):
        verdict = sample["criteria"][criterion]
        raise LibraryError(f"the verdict on {criterion} is {verdict} already; confirm it with --confirm")
    return None if sample is None else str(sample["sha256"]), criterion


def _find_sample(file: VerdictFile, wanted: str) -> dict[str, Any]:
    found = [s for s in file.samples if wanted in (s["file"], Path(s["file"]).name, s["sha256"])]
    if not found and len(wanted) >= _LEAST_HASH:
        found = [s for s in file.samples if s["sha256"].startswith(wanted.lower())]
    if len(found) != 1:
        names = ", ".join(s["file"] for s in file.samples[:6])
        raise LibraryError(
            f"--sample is {wanted!r}, which {'several samples are' if found else 'no sample is'}; accepted is a file "
            f"name or hash of one: {names}"
        )
    return found[0]


def _amended(earlier: tuple[Signature, ...], sample: str | None, criterion: str | None) -> str | None:
    """Return the newest earlier signature on something in common."""
    for one in reversed(earlier):
        same = (
            a is None or b is None or a == b
            for a, b in ((one.message["sample"], sample), (one.message["criterion"], criterion))
        )
        if all(same):
            return one.signature
    return None


def _key(
    reviewer: str, given: Path | None, registered: str | None, new_key_reason: str | None
) -> tuple[Ed25519PrivateKey, Path | None]:
    """Return the reviewer's key, and where it is if it was made just now."""
    if given is not None:
        key = load_key(given)
        if public_hex(key) != registered:
            _require_right_key(reviewer, registered, new_key_reason)
        return key, None
    path = key_file(reviewer)
    if path.exists():
        key = load_key(path)
        if registered is None or (public_hex(key) == registered and new_key_reason is None):
            return key, None
    _require_right_key(reviewer, registered, new_key_reason)
    if path.exists():
        set_aside(path)
    return make_key(path), path


def _require_right_key(reviewer: str, registered: str | None, new_key_reason: str | None) -> None:
    if registered is not None and new_key_reason is None:
        raise LibraryError(
            f"{reviewer} has registered another key with the library ({registered[:16]}…); sign with that one (--key), "
            "or replace it with --new-key and the reason"
        )
