"""Files of a library, each kept under the hash of its bytes."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from micrographia.errors import IntegrityError, LibraryError
from micrographia.qualify.library.chain import sync_folder
from micrographia.qualify.library.folder import inside

Kind = Literal["images", "masks"]

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SUFFIX: Final = re.compile(r"\.[a-z0-9]{1,8}")
_CHUNK_BYTES: Final = 1 << 20
_STALE_S: Final = 3600


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A copy of a file in the library that has no place yet.

    Parameters
    ----------
    path : Path
        Where it is now.
    sha256 : str
        SHA-256 of its bytes, hexadecimal.
    """

    path: Path
    sha256: str


def stored_path(folder: Path, kind: Kind, *, sha256: str, suffix: str) -> Path:
    """Return where a file is kept: nothing but its hash and its extension say so.

    Parameters
    ----------
    folder : Path
        Of the library.
    kind : str
        ``"images"`` or ``"masks"``.
    sha256 : str
        SHA-256 of its bytes, hexadecimal.
    suffix : str
        Its extension with the dot, in small letters.

    Raises
    ------
    IntegrityError
        The hash or the extension is of another form, or a link leads out of the library.
    """
    if not _HASH.fullmatch(sha256) or not _SUFFIX.fullmatch(suffix):
        raise IntegrityError(f"library {folder}: {sha256[:80] + suffix[:20]!r} is no name of a stored file")
    return inside(folder, kind, sha256[:2], sha256 + suffix)


@contextmanager
def drafted(folder: Path, kind: Kind, source: Path) -> Iterator[Draft]:
    """Copy a file into the library to look at; on leaving, it is gone unless `keep` gave it a place.

    Parameters
    ----------
    folder : Path
        Of the library.
    kind : str
        ``"images"`` or ``"masks"``.
    source : Path
        The file.

    Raises
    ------
    LibraryError
        It cannot be read, or the library cannot be written to.
    """
    path = inside(folder, kind) / f".{secrets.token_hex(8)}.partial{source.suffix.lower()}"
    running = hashlib.sha256()
    try:
        try:
            with source.open("rb") as original, path.open("xb") as copy:
                while chunk := original.read(_CHUNK_BYTES):
                    running.update(chunk)
                    copy.write(chunk)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError as error:
            raise LibraryError(
                f"{source} cannot be copied to library {folder}: {error.strerror}; check both, and the space left"
            ) from error
        yield Draft(path=path, sha256=running.hexdigest())
    finally:
        path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove copies that a process which was killed left behind, an hour ago or earlier."""
    for kind in ("images", "masks"):
        for path in inside(folder, kind).glob(".*.partial*"):
            with suppress(OSError):  # another process was first
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()


def keep(folder: Path, kind: Kind, draft: Draft) -> None:
    """Give a draft its place; a file that is there already stays.

    Raises
    ------
    IntegrityError
        The file that is there holds other bytes than its name says.
    """
    place = stored_path(folder, kind, sha256=draft.sha256, suffix=draft.path.suffix)
    if place.exists():
        if problem := stored_problem(folder, kind, sha256=draft.sha256, suffix=draft.path.suffix):
            raise IntegrityError(f"library {folder}: {problem}; restore it from a copy")
        return
    try:
        if not place.parent.is_dir():
            place.parent.mkdir(exist_ok=True)
            sync_folder(place.parent.parent)
        draft.path.rename(place)
        sync_folder(place.parent)
    except OSError as error:
        raise LibraryError(f"library {folder} cannot be written to: {error.strerror}; make it writable") from error


def stored_problem(folder: Path, kind: Kind, *, sha256: str, suffix: str) -> str | None:
    """Return what is wrong with a stored file: missing, altered, or a link; None when nothing is."""
    try:
        path = stored_path(folder, kind, sha256=sha256, suffix=suffix)
    except IntegrityError as error:
        return str(error)
    name = path.relative_to(folder)
    if not path.is_file():
        return f"{name} is missing"
    running = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                running.update(chunk)
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"
    return (
        None if running.hexdigest() == sha256 else f"{name} was altered: its bytes have the hash {running.hexdigest()}"
    )
