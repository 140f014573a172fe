"""Records in PostgreSQL: the statements everywhere, and a real server where one is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from micrographia.errors import LibraryError, MissingExtraError
from micrographia.qualify import library as lib
from micrographia.qualify.library import engines, tables
from micrographia.qualify.library.rows import append
from micrographia.qualify.library.transactions import changing


def test_the_statements_are_those_of_postgresql():
    dialect = postgresql.dialect()
    assert "pg_advisory_xact_lock" in str(engines.ADVISORY_LOCK.compile(dialect=dialect))
    for table in tables.records.sorted_tables:
        assert "AUTOINCREMENT" not in str(CreateTable(table).compile(dialect=dialect))
    function, trigger = engines.append_only("audit", "postgresql")
    assert "only ever added" in function
    assert "BEFORE UPDATE OR DELETE OR TRUNCATE ON audit" in trigger


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("postgresql+psycopg://lab:secret@host:5433/db", "postgresql+psycopg://lab@host:5433/db"),
        ("postgresql+psycopg:///db?host=/tmp&password=secret", "postgresql+psycopg:///db?host=%2Ftmp"),
    ],
)
def test_no_password_is_kept(url, kept):
    assert engines.without_password(engines.postgresql_url(url)) == kept


@pytest.mark.parametrize(
    "url", ["mysql://a@b/c", "postgresql+psycopg://host", "postgresql://a:secret@b/c", "records.db"]
)
def test_another_url_is_refused_without_telling_its_password(tmp_path, criteria, url):
    with pytest.raises(LibraryError, match=r"accepted is postgresql\+psycopg://USER@HOST/DATABASE") as caught:
        lib.create_library(tmp_path / "library", criteria, actor="Ann", records_url=url)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "library").exists()


def test_a_missing_driver_is_named_with_the_command_that_installs_it(tmp_path, criteria, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(engines.importlib, "import_module", missing)
    url = "postgresql+psycopg://lab@host/db"
    with pytest.raises(MissingExtraError, match=r"pip install 'micrographia\[postgres\]'"):
        lib.create_library(tmp_path / "library", criteria, actor="Ann", records_url=url)
    assert not (tmp_path / "library").exists()


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server of this test's own, on a socket in a folder."""
    pytest.importorskip("psycopg")
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        pytest.skip("needs initdb and pg_ctl of PostgreSQL")
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        home = Path(folder)
        if user:
            shutil.chown(home, user)
        data = str(home / "data")

        def run(*command):
            subprocess.run(command, user=user, cwd=home, check=True, capture_output=True, timeout=120)

        run("initdb", "-D", data, "-U", "lab", "-A", "trust", "-E", "UTF8")
        settings = f"-c listen_addresses='' -k {home} -c fsync=off"
        run("pg_ctl", "-D", data, "-o", settings, "-l", str(home / "log"), "-w", "start")
        try:
            yield home
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture
def url(server, request):
    """An empty database."""
    import psycopg

    name = f"d{abs(hash(request.node.nodeid))}"
    with psycopg.connect(f"host={server} user=lab dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://lab@/{name}?host={server}"


def test_a_library_with_records_in_postgresql_does_the_same(tmp_path, criteria, url, image, mask):
    made = lib.create_library(tmp_path / "library", criteria, actor="Ann", records_url=url)
    assert not (made.folder / "library.sqlite").exists()
    lib.add_references(made, "cracks", "reject", [image(tmp_path, 0)], actor="Ann", mask=mask(tmp_path), mask_value=2)
    lib.add_references(made, "cracks", "accept", [image(tmp_path, 1), image(tmp_path, 2)], actor="Ann")
    lib.retire_reference(made, "R1", actor="Bob", reason="x")
    opened = lib.open_library(made.folder)
    assert [r.id for r in lib.references(opened, "cracks")] == ["R2", "R3"]
    found = lib.verify_library(opened)
    assert (found.findings, found.entries) == ((), 7)
    with pytest.raises(LibraryError, match="was opened to be read"):
        lib.retire_reference(opened, "R2", actor="Bob", reason="x")
    with pytest.raises(LibraryError, match="has a library already"):
        lib.create_library(tmp_path / "second", criteria, actor="Ann", records_url=url)
    assert not (tmp_path / "second").exists()


def test_postgresql_refuses_to_change_a_record_and_tampering_is_found(tmp_path, criteria, url, image):
    made = lib.create_library(tmp_path / "library", criteria, actor="Ann", records_url=url)
    lib.add_references(made, "cracks", "reject", [image(tmp_path, 0)], actor="Ann")
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM reference_images", "TRUNCATE audit CASCADE"):
        with pytest.raises(DBAPIError, match="only ever added"), made.engine.begin() as connection:
            connection.exec_driver_sql(statement)
    with made.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER reference_images_no_change ON reference_images")
        connection.exec_driver_sql("UPDATE reference_images SET polarity = 'accept'")
    (found,) = lib.verify_library(made).findings
    assert "polarity is 'accept', not 'reject'" in found


def test_writers_on_postgresql_wait_for_each_other(tmp_path, criteria, url):
    import threading

    made = lib.create_library(tmp_path / "library", criteria, actor="Ann", records_url=url)
    opinion = {"image_sha256": "ab" * 32, "file": "x.png", "expert": "Bob", "actor": "Ann"}

    def give(opinions):
        for _ in range(opinions):
            lib.record_opinion(made, "cracks", "accept", **opinion)

    threads = [threading.Thread(target=give, args=(15,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lib.verify_library(made)
    assert (found.findings, found.entries) == ((), 3 + 45)


def test_a_change_that_fails_on_postgresql_leaves_nothing(tmp_path, criteria, url):
    made = lib.create_library(tmp_path / "library", criteria, actor="Ann", records_url=url)

    def end_half_way():
        with changing(made) as connection:
            record = {"reference_id": "R1", "reason": "x"}
            append(connection, actor="Ann", action="retire reference", record=record)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power"):
        end_half_way()
    assert lib.verify_library(made).entries == 3
