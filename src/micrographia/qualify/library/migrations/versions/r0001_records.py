"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

from micrographia.qualify.library.engines import append_only

revision = "0001"
down_revision = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _entry() -> tuple[SchemaItem, SchemaItem]:
    """Return the column of the entry of the audit chain, and its constraint."""
    return sa.Column("sequence", sa.Integer, nullable=False, autoincrement=False), sa.ForeignKeyConstraint(
        ["sequence"], ["audit.sequence"]
    )


def upgrade() -> None:
    """Make the tables, and have them refuse all but new rows."""
    tables: dict[str, tuple[SchemaItem, ...]] = {
        "audit": (
            sa.Column("sequence", sa.Integer, nullable=False, autoincrement=False),
            *(_text(name) for name in ("time", "actor", "action", "payload", "previous", "hash")),
            sa.UniqueConstraint("hash", name="uq_audit_hash"),
        ),
        "library": (*_entry(), _text("id"), sa.UniqueConstraint("id", name="uq_library_id")),
        "criteria": (
            *_entry(),
            _text("criterion_id"),
            sa.Column("version", sa.Integer, nullable=False),
            *(_text(name) for name in ("title", "accept_texts", "reject_texts")),
            *(_text(name, nullable=True) for name in ("note", "reason")),
            sa.UniqueConstraint("criterion_id", "version", name="uq_criteria_criterion_id_version"),
        ),
        "reference_images": (
            *_entry(),
            *(_text(name) for name in ("id", "criterion_id", "polarity", "image_sha256", "file")),
            *(_text(name, nullable=True) for name in ("mask_file", "mask_sha256")),
            sa.Column("mask_value", sa.Integer, nullable=True),
            *(_text(name, nullable=True) for name in ("text", "expert", "specimen")),
            sa.UniqueConstraint("id", name="uq_reference_images_id"),
        ),
        "retirements": (
            *_entry(),
            _text("reference_id"),
            _text("reason"),
            sa.UniqueConstraint("reference_id", name="uq_retirements_reference_id"),
        ),
        "opinions": (
            *_entry(),
            *(_text(name) for name in ("image_sha256", "file", "criterion_id", "opinion", "expert")),
        ),
        "embeddings": (
            *_entry(),
            *(_text(n) for n in ("image_sha256", "region", "encoder", "version", "whole_sha256", "patches_sha256")),
        ),
        "verdicts": (*_entry(), *(_text(name) for name in ("verdicts_sha256", "library_version", "samples"))),
        "reviewer_keys": (*_entry(), _text("reviewer"), _text("public_key"), _text("reason", nullable=True)),
        "signatures": (
            *_entry(),
            *(_text(name) for name in ("verdicts_sha256", "message", "public_key", "signature")),
            sa.UniqueConstraint("signature", name="uq_signatures_signature"),
        ),
    }
    keys = {"embeddings": ("sequence", "image_sha256", "region")}
    for name, parts in tables.items():
        op.create_table(name, *parts, sa.PrimaryKeyConstraint(*keys.get(name, ("sequence",))))
        for statement in append_only(name, op.get_bind().dialect.name):
            op.execute(statement)
    for table, column in (
        ("audit", "action"),
        ("reference_images", "criterion_id"),
        ("reference_images", "image_sha256"),
        ("opinions", "criterion_id"),
        ("embeddings", "encoder"),
        ("verdicts", "verdicts_sha256"),
        ("reviewer_keys", "reviewer"),
        ("signatures", "verdicts_sha256"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])
