"""The file of signatures beside a verdict file: one line each, the same as among the library's records."""

from __future__ import annotations

import json
from pathlib import Path

from micrographia.errors import LibraryError
from micrographia.qualify.canonical import canonical
from micrographia.qualify.library.chain import write_durably
from micrographia.qualify.library.engines import plainly, writing
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.signatures import Signature, signatures_of


def signatures_file(verdicts: Path) -> Path:
    """Return where the signatures on a verdict file are written.

    Examples
    --------
    >>> signatures_file(Path("results/verdicts.json")).as_posix()
    'results/verdicts.signatures.jsonl'
    """
    return verdicts.with_name(f"{verdicts.stem}.signatures.jsonl")


def write_beside(library: Library, verdicts: Path, verdicts_sha256: str) -> Path:
    """Add the signatures that the file beside the verdicts does not have yet: the new one, and those of a crash.

    Parameters
    ----------
    library : Library
        Whose records hold them.
    verdicts : Path
        The verdict file.
    verdicts_sha256 : str
        SHA-256 of its bytes, hexadecimal.

    Returns
    -------
    Path
        The file beside it.

    Raises
    ------
    LibraryError
        It cannot be written.
    """
    path = signatures_file(verdicts)
    with plainly(library.folder), writing(library.engine) as connection:  # one at a time, though nothing is recorded
        before = path.read_bytes() if path.is_file() else b""
        whole = before[: before.rfind(b"\n") + 1]
        lines = [_line(s) for s in signatures_of(connection, verdicts_sha256) if s.signature.encode() not in whole]
        try:
            write_durably(path, whole + b"".join(lines))
        except OSError as error:
            raise LibraryError(
                f"the signature is among the library's records, but {path} cannot be written ({error.strerror}); make "
                "the folder writable, and the next signature adds this one too"
            ) from error
    return path


def _line(signature: Signature) -> bytes:
    return canonical({"schema": "micrographia/signature/1", **vars(signature)}) + b"\n"


def read_beside(path: Path) -> tuple[list[Signature], list[str]]:
    """Return the signatures in a file, and a line for each that cannot be read."""
    signed, damaged = [], []
    lines = path.read_bytes().splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            tree = json.loads(line)
            one = Signature(
                message=dict(tree["message"]),
                public_key=tree["public_key"],
                signature=tree["signature"],
                sequence=tree["sequence"],
            )
            if _line(one).rstrip() != line or not isinstance(one.message["verdicts_sha256"], str):
                raise ValueError("not the form in which signatures are written")
            signed.append(one)
        except (ValueError, KeyError, TypeError):
            damaged.append(f"line {number} of {path.name} is not what was written")
    return signed, damaged
