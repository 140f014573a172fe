"""Opinions: what several experts say of one image on one criterion, to study how far they agree."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from micrographia.errors import LibraryError
from micrographia.qualify.library.definitions import require_criterion
from micrographia.qualify.library.home import Library
from micrographia.qualify.library.rows import append
from micrographia.qualify.library.tables import audit
from micrographia.qualify.library.tables import opinions as opinions_table
from micrographia.qualify.library.transactions import changing, looking
from micrographia.qualify.plain import plain_text


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What one expert said of one image on one criterion.

    Parameters
    ----------
    image_sha256, file : str
        The image: SHA-256 of its file, hexadecimal, and its name.
    criterion_id : str
        The criterion.
    opinion : str
        ``"accept"`` or ``"reject"``.
    expert : str
        Who said it.
    given_at : str
        When it was recorded: UTC, ISO 8601.
    """

    image_sha256: str
    file: str
    criterion_id: str
    opinion: str
    expert: str
    given_at: str


def record_opinion(
    library: Library,
    criterion_id: str,
    opinion: str,
    *,
    image_sha256: str,
    file: str,
    expert: str,
    actor: str,
) -> None:
    """Record an expert's opinion; an earlier one of the same expert is kept too, and the newest counts.

    Parameters
    ----------
    library : Library
        Open to be changed.
    criterion_id : str
        The criterion.
    opinion : str
        ``"accept"`` or ``"reject"``.
    image_sha256, file : str
        The image, which need not be a reference.
    expert : str
        Who said it.
    actor : str
        Who records it.

    Raises
    ------
    LibraryError
        There is no such criterion, the opinion is another word, a name is blank, or the library cannot be written to.
    """
    if opinion not in ("accept", "reject"):
        raise LibraryError(f"opinion is {opinion!r}; accepted is accept or reject")
    record = {
        "image_sha256": plain_text(image_sha256, name="hash of the image"),
        "file": plain_text(file, name="name of the file"),
        "criterion_id": criterion_id,
        "opinion": opinion,
        "expert": plain_text(expert, name="expert"),
    }
    with changing(library) as connection:
        require_criterion(connection, criterion_id)
        append(connection, actor=plain_text(actor, name="actor"), action="record opinion", record=record)


def opinions(library: Library, criterion_id: str) -> tuple[Opinion, ...]:
    """Return all opinions on a criterion, the first one first.

    Raises
    ------
    LibraryError
        There is no such criterion.
    """
    query = (
        select(opinions_table, audit.c.time)
        .join(audit, audit.c.sequence == opinions_table.c.sequence)
        .where(opinions_table.c.criterion_id == criterion_id)
        .order_by(opinions_table.c.sequence)
    )
    with looking(library) as connection:
        require_criterion(connection, criterion_id)
        return tuple(
            Opinion(
                image_sha256=row.image_sha256,
                file=row.file,
                criterion_id=row.criterion_id,
                opinion=row.opinion,
                expert=row.expert,
                given_at=row.time,
            )
            for row in connection.execute(query)
        )
