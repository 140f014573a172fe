"""One way to write a value as bytes, so that a digest of it means the same on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: keys sorted, no spaces, UTF-8, no NaN.

    Parameters
    ----------
    value : JSON value
        Mappings with str keys, lists or tuples, str, int, float, bool and None.

    Raises
    ------
    ValueError
        A number is NaN or infinite, or a str is no Unicode text.

    Examples
    --------
    >>> canonical({"b": [1, None], "a": "µm"}).decode()
    '{"a":"µm","b":[1,null]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes, hexadecimal.

    Examples
    --------
    >>> sha256(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()
