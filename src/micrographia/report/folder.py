"""A folder of results that appears whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from micrographia.errors import OutputError


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder to write results into; on leaving without an error, they move to ``out``.

    Until then nothing is seen at ``out``. When ``out`` exists, files of the same name are replaced, each in
    one step, and other files stay as they were. When anything fails, everything written here is removed.

    Parameters
    ----------
    out : Path
        Where the results shall be. It is made when it does not exist, with the folders above it.

    Yields
    ------
    Path
        An empty folder on the same file system, to write into. It may hold folders too.

    Raises
    ------
    OutputError
        ``out`` is a file, or cannot be written to, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as home:
    ...     with new_folder(Path(home) / "results") as folder:
    ...         _ = (folder / "answer.txt").write_text("42")
    ...     (Path(home) / "results" / "answer.txt").read_text()
    '42'
    """
    out = out.absolute()
    made: list[Path] = []
    draft: Path | None = None
    try:
        made = _make_parents(out)
        draft = _home_of_draft(out) / f".{out.name}.{secrets.token_hex(4)}.partial"
        draft.mkdir()
        yield draft
        _move_in(draft, out)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"cannot write results to {out}: {reason}; give a folder that can be written to and has free space"
        ) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
        for parent in reversed(made):
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _make_parents(out: Path) -> list[Path]:
    """Make the folders above ``out``; return those that did not exist, outermost first."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"cannot write results to {out}: it is a file; give the name of a folder")
    missing = [p for p in out.parents if not p.exists()][::-1]
    out.parent.mkdir(parents=True, exist_ok=True)
    return missing


def _home_of_draft(out: Path) -> Path:
    """Return the folder in which the draft is made: beside ``out``, if moving from there is one step."""
    if not out.exists():
        return out.parent
    # A mounted volume is its own file system, and a folder may be writable where its parent is not.
    beside = out.parent.stat().st_dev == out.stat().st_dev and os.access(out.parent, os.W_OK)
    return out.parent if beside else out


def _move_in(draft: Path, out: Path) -> None:
    if not out.exists():
        draft.rename(out)
        return
    files = sorted(p.relative_to(draft) for p in draft.rglob("*") if p.is_file())
    for file in files:
        if (out / file).is_dir():
            raise OutputError(f"cannot write results to {out}: {file} is a folder there; rename it or choose another")
    for file in files:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(draft / file, out / file)  # noqa: PTH105 - the one-step replacement is the point
