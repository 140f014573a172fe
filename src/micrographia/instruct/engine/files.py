"""Files that appear whole: written beside, put on the disk, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from micrographia.errors import OutputError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write to; on leaving without an error, what was written there is at ``path``, in one step.

    Raises
    ------
    OutputError
        It cannot be written, e.g. because the disk is full; what was at ``path`` before is there still.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as home:
    ...     with whole(Path(home) / "a.txt") as draft:
    ...         _ = draft.write_text("all of it")
    ...     (Path(home) / "a.txt").read_text()
    'all of it'
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; make room, then give the same command again to go on"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
