"""Reading a library at one moment, and changing it so that all of a change is kept or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from micrographia.errors import IntegrityError, LibraryError
from micrographia.qualify.library.chain import head_problem, newest, read_head, write_head
from micrographia.qualify.library.engines import plainly, writing
from micrographia.qualify.library.home import Library


@contextmanager
def looking(library: Library) -> Iterator[Connection]:
    """Give a connection that sees the records of one moment."""
    with plainly(library.folder), library.engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def changing(library: Library) -> Iterator[Connection]:
    """Give a connection to change records with; on leaving without an error, all of it is kept, else nothing.

    Raises
    ------
    LibraryError
        The library was opened to be read, or cannot be written to.
    IntegrityError
        The newest entry that the folder knows of is not in the audit chain: a change would cover up what happened.
    """
    if not library.writable:
        raise LibraryError(f"library {library.folder} was opened to be read; open it with writable=True to change it")
    with plainly(library.folder):
        with writing(library.engine) as connection:
            if problem := head_problem(connection, read_head(library.folder)):
                raise IntegrityError(
                    f"library {library.folder}: {problem}; see `micrographia audit verify`, and restore it from a copy"
                )
            yield connection
        _publish_head(library)


def _publish_head(library: Library) -> None:
    """Write the newest entry beside the records.

    After the commit, as the file must never name an entry that is not kept; and alone among the writers, or an older
    entry could be written over a newer one. A transaction that changes nothing costs next to nothing.
    """
    with writing(library.engine) as connection:
        try:
            write_head(library.folder, newest(connection))
        except OSError as error:
            raise LibraryError(
                f"library {library.folder}: the change is recorded, but head.json cannot be written "
                f"({error.strerror}); make the folder writable, and the next change mends it"
            ) from error
