"""Libraries of other versions, of other places, and those that cannot be written to."""

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from micrographia.errors import IntegrityError, LibraryError
from micrographia.qualify import library as lib
from micrographia.qualify.library import home, migrate, tables
from micrographia.qualify.library.store import stored_path
from micrographia.qualify.library.transactions import looking

NEXT = """
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"

def upgrade():
    op.add_column("opinions", sa.Column("seconds", sa.Integer, nullable=True))
"""


@pytest.fixture
def next_version(tmp_path, monkeypatch):
    """Migrations of a version to come."""
    scripts = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, scripts)
    (scripts / "versions" / "r0002_next.py").write_text(NEXT)
    return scripts


def test_the_migrations_make_the_tables_that_are_used(empty):
    with empty.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.records) == []


def test_a_library_of_a_newer_version_is_refused(empty, next_version):
    with empty.engine.begin() as connection:
        assert migrate.migrate(connection, scripts=next_version) == ("0002",)
    for writable in (True, False):
        with pytest.raises(LibraryError, match="is of a newer version of Micrographia; update"):
            lib.open_library(empty.folder, writable=writable)
    tree = json.loads((empty.folder / "library.json").read_text())
    (empty.folder / "library.json").write_text(json.dumps({**tree, "schema": "micrographia/library/2"}))
    with pytest.raises(LibraryError, match=r"micrographia/library/2.*update Micrographia"):
        lib.open_library(empty.folder)


def test_a_library_of_an_older_version_is_brought_up_to_date_and_says_so(full, next_version, monkeypatch):
    before = lib.verify_library(full)
    monkeypatch.setattr(home, "migrate", lambda c: migrate.migrate(c, scripts=next_version))
    monkeypatch.setattr(home, "state_of", lambda c: migrate.state_of(c, scripts=next_version))
    with pytest.raises(LibraryError, match="is of an older version"):
        lib.open_library(full.folder)
    opened = lib.open_library(full.folder, writable=True)
    with looking(opened) as connection:
        assert "seconds" in {
            name for name, *_ in connection.exec_driver_sql("SELECT name FROM pragma_table_info('opinions')")
        }
    after = lib.verify_library(opened)
    assert (after.findings, after.entries) == ((), before.entries + 1)
    assert lib.library_version(opened) == lib.library_version(full)
    assert len(lib.references(opened, "cracks")) == 3


def test_a_migration_that_fails_changes_nothing(full, next_version, monkeypatch):
    (next_version / "versions" / "r0002_next.py").write_text(NEXT + "    op.execute('no such statement')\n")
    monkeypatch.setattr(home, "migrate", lambda c: migrate.migrate(c, scripts=next_version))
    monkeypatch.setattr(home, "state_of", lambda c: migrate.state_of(c, scripts=next_version))
    raw = (full.folder / "library.sqlite").read_bytes()
    with pytest.raises(LibraryError, match="its records cannot be used"):
        lib.open_library(full.folder, writable=True)
    assert (full.folder / "library.sqlite").read_bytes() == raw


@pytest.mark.parametrize(
    "records", ["../other/library.sqlite", "/etc/passwd", "sqlite:////tmp/x", 3, "library.sqlite "]
)
def test_records_elsewhere_are_refused(empty, records):
    tree = json.loads((empty.folder / "library.json").read_text())
    (empty.folder / "library.json").write_text(json.dumps({**tree, "records": records}))
    with pytest.raises(IntegrityError, match=r"accepted is library\.sqlite in the same folder, or a PostgreSQL URL"):
        lib.open_library(empty.folder)


@pytest.mark.parametrize("part", ["library.sqlite", "library.json", "images", "vectors.lance"])
def test_a_link_to_elsewhere_is_refused(full, part, image, tmp_path, encoder):
    place = full.folder / part
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")

    def use():
        opened = lib.open_library(full.folder, writable=True)
        if part == "images":
            lib.add_references(opened, "cracks", "accept", [image(tmp_path, 30)], actor="Ann")
        lib.load_vectors(opened, [(lib.references(opened, "cracks")[0].image_sha256, "whole")], encoder=encoder)

    with pytest.raises(IntegrityError, match=f"{part} is a link to elsewhere"):
        use()


def test_an_image_that_became_a_link_is_a_finding(full, tmp_path):
    path = lib.image_path(full, lib.references(full, "cracks")[0])
    shutil.copyfile(path, tmp_path / "same.png")
    path.unlink()
    path.symlink_to(tmp_path / "same.png")
    (found,) = lib.verify_library(full).findings
    assert "is a link to elsewhere" in found


@pytest.mark.parametrize(
    ("sha256", "suffix"), [("../" * 21 + "a", ".png"), ("a" * 63, ".png"), ("a" * 64, "/../x"), ("A" * 64, ".png")]
)
def test_no_name_leads_out_of_the_library(tmp_path, sha256, suffix):
    with pytest.raises(IntegrityError, match="no name of a stored file"):
        stored_path(tmp_path, "images", sha256=sha256, suffix=suffix)


def test_names_of_files_do_not_matter_to_where_they_are_kept(empty, image, tmp_path):
    odd = tmp_path / "..%2f'; DROP TABLE audit; --\u202e.png"
    image(tmp_path, 0).rename(odd)
    (added,) = lib.add_references(empty, "cracks", "accept", [odd], actor="Ann")
    assert added.file == odd.name
    assert lib.image_path(empty, added).name == f"{added.image_sha256}.png"


def test_records_of_another_library_are_refused(full, empty):
    shutil.copyfile(full.folder / "library.sqlite", empty.folder / "library.sqlite")
    with pytest.raises(IntegrityError, match="its records are of library"):
        lib.open_library(empty.folder)


def test_an_open_library_that_may_only_be_read_refuses_every_change(full, image, tmp_path, verdicts_json, encoder):
    opened = lib.open_library(full.folder)
    changes = (
        lambda: lib.add_references(opened, "cracks", "accept", [image(tmp_path, 30)], actor="Ann"),
        lambda: lib.retire_reference(opened, "R1", actor="Ann", reason="x"),
        lambda: lib.set_criteria(opened, lib.criteria(opened), actor="Ann", reason="x"),
        lambda: lib.record_opinion(opened, "cracks", "accept", image_sha256="a", file="x", expert="E", actor="Ann"),
        lambda: lib.store_vectors(opened, {}, encoder=encoder, actor="Ann"),
        lambda: lib.record_verdicts(opened, verdicts_json(opened, tmp_path / "v").read_bytes(), actor="Ann"),
    )
    for change in changes:
        with pytest.raises(LibraryError, match="was opened to be read"):
            change()
    assert lib.verify_library(opened).findings == ()


def test_the_connection_of_a_library_that_may_only_be_read_cannot_write(full):
    opened = lib.open_library(full.folder)
    with pytest.raises(LibraryError, match="its records cannot be written to"), looking(opened) as connection:
        connection.exec_driver_sql("CREATE TABLE x (y)")


@pytest.fixture
def as_nobody():
    """A folder that this process may read and not write: as an ordinary user, even where tests run as root."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        root = os.geteuid() == 0

        def lock(part):
            for path in (part, *part.rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
            if root:
                os.seteuid(65534)
            return part

        yield Path(folder), lock
        if root:
            os.seteuid(0)
        for path in (Path(folder), *Path(folder).rglob("*")):
            if path.is_dir():
                path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_to_can_be_read(full, as_nobody):
    place, lock = as_nobody
    shutil.copytree(full.folder, place / "library")
    folder = lock(place / "library")
    with pytest.raises(LibraryError, match="is read-only"):
        lib.open_library(folder, writable=True)
    opened = lib.open_library(folder)
    assert len(lib.references(opened, "cracks")) == 3
    assert lib.verify_library(opened).findings == ()


def test_who_only_reads_undoes_what_a_killed_writer_left_half_done(full, tmp_path):
    with closing(sqlite3.connect(full.folder / "library.sqlite", isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size=1")  # so that pages are written before the commit
        writer.execute("BEGIN IMMEDIATE")
        for k in range(1000, 1400):
            writer.execute("INSERT INTO audit VALUES (?, '', '', '', ?, '', ?)", (k, "x" * 1000, str(k)))
        assert (full.folder / "library.sqlite-journal").stat().st_size > 0
        shutil.copytree(full.folder, tmp_path / "as after a kill")
        writer.execute("ROLLBACK")
    opened = lib.open_library(tmp_path / "as after a kill")
    assert lib.verify_library(opened).findings == ()
    assert lib.contents(opened) == lib.contents(full)


def test_copies_that_a_killed_process_left_are_removed_after_a_while(empty, image, tmp_path):
    old, new = (empty.folder / "images" / f".{k}.partial.png" for k in "ab")
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    lib.add_references(empty, "cracks", "accept", [image(tmp_path, 0)], actor="Ann")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_database_that_is_busy_for_long_is_told(empty, image, tmp_path, monkeypatch):
    from micrographia.qualify.library import engines

    monkeypatch.setattr(engines, "_WAIT_MS", 50)
    opened = lib.open_library(empty.folder, writable=True)
    with closing(sqlite3.connect(empty.folder / "library.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LibraryError, match="another process has been writing"):
            lib.add_references(opened, "cracks", "accept", [image(tmp_path, 0)], actor="Ann")
    assert lib.references(opened, "cracks") == ()


def test_paths_with_any_characters_serve(tmp_path, criteria, image):
    made = lib.create_library(tmp_path / "a #1? 100% µ" / "library", criteria, actor="Ann")
    lib.add_references(made, "cracks", "accept", [image(tmp_path, 0)], actor="Ann")
    assert lib.verify_library(lib.open_library(made.folder)).findings == ()
