from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from micrographia.errors import MicrographiaError, OutputError
from micrographia.report.folder import new_folder


def everything_in(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


def test_nothing_is_seen_at_the_target_until_the_end(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "results"
    with new_folder(out) as folder:
        (folder / "a.txt").write_text("1")
        assert not out.exists()
        assert folder.parent == out.parent
    assert everything_in(tmp_path) == {"deep", "deep/results", "deep/results/a.txt"}


@pytest.mark.parametrize("failure", [ValueError("bug"), KeyboardInterrupt(), MicrographiaError("bad")])
def test_a_failure_leaves_no_trace_and_is_not_disguised(tmp_path: Path, failure: BaseException) -> None:
    def write_then_fail() -> None:
        with new_folder(tmp_path / "deep" / "results") as folder:
            (folder / "a.txt").write_text("1")
            raise failure

    with pytest.raises(type(failure)):
        write_then_fail()
    assert everything_in(tmp_path) == set()


def test_existing_folder_keeps_other_files_and_gets_new_versions(tmp_path: Path) -> None:
    out = tmp_path / "results"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    (out / "a.txt").write_text("old")
    with new_folder(out) as folder:
        (folder / "a.txt").write_text("new")
        (folder / "sub").mkdir()
        (folder / "sub" / "b.txt").write_text("b")
        assert (out / "a.txt").read_text() == "old"
    assert everything_in(tmp_path) == {"results", *(f"results/{n}" for n in ("a.txt", "mine.txt", "sub", "sub/b.txt"))}
    assert (out / "a.txt").read_text() == "new"
    assert (out / "mine.txt").read_text() == "keep"


def test_a_folder_in_the_way_of_a_file_stops_before_anything_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "results"
    (out / "z.txt").mkdir(parents=True)
    (out / "a.txt").write_text("old")

    def write() -> None:
        with new_folder(out) as folder:
            (folder / "a.txt").write_text("new")
            (folder / "z.txt").write_text("new")

    with pytest.raises(OutputError, match=r"z\.txt is a folder"):
        write()
    assert (out / "a.txt").read_text() == "old"
    assert everything_in(tmp_path) == {"results", "results/a.txt", "results/z.txt"}


@pytest.mark.parametrize("name", ["taken", "taken/results"])
def test_a_file_where_a_folder_is_needed_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").write_text("I am a file")
    with pytest.raises(OutputError) as caught, new_folder(tmp_path / name):
        pytest.fail("the body must not run")
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "taken").read_text() == "I am a file"


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    def run_out_of_space() -> None:
        with new_folder(tmp_path / "results"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match="No space left"):
        run_out_of_space()
    assert everything_in(tmp_path) == set()


def test_a_volume_of_its_own_is_written_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "results"
    out.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) == out)
    with new_folder(out) as folder:
        assert folder.parent == out
        (folder / "a.txt").write_text("1")
    assert everything_in(out) == {"a.txt"}


def test_permissions_are_those_of_any_new_folder(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with new_folder(tmp_path / "results"):
        pass
    assert (tmp_path / "results").stat().st_mode == (tmp_path / "plain").stat().st_mode
