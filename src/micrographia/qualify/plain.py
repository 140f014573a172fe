"""Names and texts that people type, refused where a record could not hold them."""

from __future__ import annotations

import unicodedata
from typing import Final

from micrographia.errors import LibraryError

_MOST: Final = 10_000
_ALLOWED_CONTROLS: Final = "\n\t"


def plain_text(value: str, *, name: str) -> str:
    r"""Return a text without blanks around it.

    Parameters
    ----------
    value : str
        What was typed.
    name : str
        What it is called in messages.

    Raises
    ------
    LibraryError
        It is blank, longer than 10,000 characters, or has control characters or bytes that are no text.

    Examples
    --------
    >>> plain_text(" A. Expert ", name="expert")
    'A. Expert'
    """
    text = value.strip()
    if not text:
        raise LibraryError(f"{name} is blank; give a text, or leave it out where it is optional")
    if len(text) > _MOST:
        raise LibraryError(f"{name} has {len(text)} characters; accepted are up to {_MOST}")
    # Surrogates (Cs) are bytes that were no text, and PostgreSQL refuses NUL (Cc).
    wrong = [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in _ALLOWED_CONTROLS]
    if wrong:
        raise LibraryError(f"{name} is {text[:60]!r} with the character {wrong[0]!r}; accepted is plain text")
    return text


def optional_text(value: str | None, *, name: str) -> str | None:
    """Return a text as `plain_text` does, or None where there is none."""
    return None if value is None else plain_text(value, name=name)
