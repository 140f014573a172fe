"""Tables of a library's records. Rows are only ever added: an amendment is a row of its own.

Every row but those of `audit` belongs to the entry of the audit chain with its ``sequence``, which says who made it
and when, and whose payload holds the same values. So the tables can be checked against the chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, UniqueConstraint

from micrographia.qualify.canonical import canonical

records = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)
"""All tables."""

audit = Table(
    "audit",
    records,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("time", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
)


def _sequence(*, alone: bool = True) -> Column[int]:
    """Return the column that names the entry of the audit chain a row belongs to."""
    return Column("sequence", Integer, ForeignKey("audit.sequence"), primary_key=alone, autoincrement=False)


def _text(name: str, *, optional: bool = False, unique: bool = False, index: bool = False) -> Column[str]:
    return Column(name, Text, nullable=optional, unique=unique or None, index=index or None)


def _json(name: str) -> Column[str]:
    """Return a column for lists and mappings, kept as canonical JSON."""
    return Column(name, Text, nullable=False, info={"json": True})


library = Table("library", records, _sequence(), _text("id", unique=True))

criteria = Table(
    "criteria",
    records,
    _sequence(),
    _text("criterion_id"),
    Column("version", Integer, nullable=False),
    _text("title"),
    _json("accept_texts"),
    _json("reject_texts"),
    _text("note", optional=True),
    _text("reason", optional=True),
    UniqueConstraint("criterion_id", "version"),
)

reference_images = Table(
    "reference_images",
    records,
    _sequence(),
    _text("id", unique=True),
    _text("criterion_id", index=True),
    _text("polarity"),
    _text("image_sha256", index=True),
    _text("file"),
    _text("mask_file", optional=True),
    _text("mask_sha256", optional=True),
    Column("mask_value", Integer, nullable=True),
    _text("text", optional=True),
    _text("expert", optional=True),
    _text("specimen", optional=True),
)

retirements = Table("retirements", records, _sequence(), _text("reference_id", unique=True), _text("reason"))

opinions = Table(
    "opinions",
    records,
    _sequence(),
    _text("image_sha256"),
    _text("file"),
    _text("criterion_id", index=True),
    _text("opinion"),
    _text("expert"),
)

embeddings = Table(
    "embeddings",
    records,
    Column("sequence", Integer, ForeignKey("audit.sequence"), primary_key=True, autoincrement=False),
    Column("image_sha256", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    _text("encoder", index=True),
    _text("version"),
    _text("whole_sha256"),
    _text("patches_sha256"),
)

verdicts = Table(
    "verdicts", records, _sequence(), _text("verdicts_sha256", index=True), _text("library_version"), _json("samples")
)

reviewer_keys = Table(
    "reviewer_keys",
    records,
    _sequence(),
    _text("reviewer", index=True),
    _text("public_key"),
    _text("reason", optional=True),
)

signatures = Table(
    "signatures",
    records,
    _sequence(),
    _text("verdicts_sha256", index=True),
    _json("message"),
    _text("public_key"),
    _text("signature", unique=True),
)

TABLE_OF: Final[Mapping[str, Table]] = {
    "create library": library,
    "set criterion": criteria,
    "add reference": reference_images,
    "retire reference": retirements,
    "record opinion": opinions,
    "record verdicts": verdicts,
    "register key": reviewer_keys,
    "sign verdicts": signatures,
}
"""Actions of which an entry's payload is one row, and the table of that row."""

STORE_EMBEDDINGS: Final = "store embeddings"
"""Action of which many rows belong to one entry, whose payload holds their number and digest."""

MIGRATE_RECORDS: Final = "migrate records"
"""Action that changes tables and no row."""

CONTENT: Final = ("create library", "set criterion", "add reference", "retire reference")
"""Actions that change what verdicts rest on."""


def row_of(table: Table, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row that holds a record: lists and mappings as canonical JSON.

    Examples
    --------
    >>> row_of(verdicts, {"verdicts_sha256": "ab", "library_version": "cd", "samples": []})["samples"]
    '[]'
    """
    names = {column.name: bool(column.info.get("json")) for column in table.columns if column.name != "sequence"}
    return {name: canonical(record[name]).decode() if is_json else record[name] for name, is_json in names.items()}
