"""Folders of a library's own: made whole or not at all, and never left through a link."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from micrographia.errors import IntegrityError, OutputError


def inside(folder: Path, *parts: str) -> Path:
    """Return a path within a library, and refuse one that a link leads out of it.

    Raises
    ------
    IntegrityError
        A part of it is a symbolic link.
    """
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise IntegrityError(
                f"library {folder}: {path.relative_to(folder)} is a link to elsewhere; a library holds its own files: "
                "restore it from a copy"
            )
    return path


@contextmanager
def whole_folder(folder: Path, *, what: str) -> Iterator[Path]:
    """Give a folder to write into, which takes its place when it is complete.

    Parameters
    ----------
    folder : Path
        A name that is free, or an empty folder.
    what : str
        What is written, for messages.

    Raises
    ------
    OutputError
        The folder is not empty or cannot be written to.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is not empty; give a name that is free for the {what}")
    draft = folder.absolute().with_name(f".{folder.absolute().name}.{secrets.token_hex(4)}.partial")
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        yield draft
        draft.rename(folder)
    except OSError as error:
        raise OutputError(
            f"cannot write the {what} to {folder}: {error.strerror or error}; give a folder that can be written to"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
