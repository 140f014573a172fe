"""Reviewers' keys: Ed25519, one file a reviewer, that nobody else may read."""

from __future__ import annotations

import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from platformdirs import user_config_path

from micrographia.errors import LibraryError, OutputError
from micrographia.qualify.canonical import sha256


def key_file(reviewer: str) -> Path:
    """Return where a reviewer's key is kept: in the user's configuration, under the name and a digest of it.

    Examples
    --------
    >>> key_file("A. Expert").name
    'a-expert-f9a64336.pem'
    """
    readable = re.sub(r"[^a-z0-9]+", "-", reviewer.lower()).strip("-")[:40]
    return user_config_path("micrographia") / "keys" / f"{readable}-{sha256(reviewer.encode())[:8]}.pem"


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and write it to a file that only its owner may read.

    Raises
    ------
    OutputError
        There is a file already, or it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(written)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise OutputError(f"cannot write the key {path}: {error.strerror}; name another with --key") from error
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a key.

    Raises
    ------
    LibraryError
        It is missing, no Ed25519 key in PEM form, has a password, or others may read it.
    """
    try:
        raw = path.read_bytes()
        open_to_others = os.name != "nt" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    except OSError as error:
        raise LibraryError(f"key {path} cannot be read: {error.strerror}; give an Ed25519 key in PEM form") from error
    if open_to_others:
        raise LibraryError(f"key {path} can be read by others, so that its signatures prove nothing; chmod 600 {path}")
    try:
        key = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = "has a password" if isinstance(error, TypeError) else "is no private key in PEM form"
        raise LibraryError(f"key {path} {reason}; accepted is an Ed25519 key in PEM form without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LibraryError(f"key {path} is of another kind; accepted is an Ed25519 key in PEM form")
    return key


def set_aside(path: Path) -> Path:
    """Rename a key that is replaced, so that it is not lost, and return its new name."""
    until = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    return path.rename(path.with_name(f"{path.stem}-until-{until}.pem"))


def public_hex(key: Ed25519PrivateKey) -> str:
    """Return the public key that belongs to a key, hexadecimal."""
    return key.public_key().public_bytes_raw().hex()
