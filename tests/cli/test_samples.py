import sys
from dataclasses import replace

import pytest

from micrographia.cli import main
from micrographia.cli import samples as command  # registers it
from micrographia.read import samples as registry_module
from micrographia.read.samples import registry

BYTES = b"pixels"


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["micrographia", "samples", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A folder of samples with one sample: a needed file that is there, and labels that are nowhere."""
    import hashlib

    real = registry()["format-dm3-stem"]
    image = replace(real.files[0], path="tiny/image.dm3", sha256=hashlib.sha256(BYTES).hexdigest(), url=None)
    labels = replace(image, path="tiny/sites.csv", needed=False)
    tiny = replace(real, name="tiny", folder="tiny", files=(image, labels), caution="made up")
    for module in (registry_module, command):
        monkeypatch.setattr(module, "registry", lambda: {"tiny": tiny})
    monkeypatch.setattr(registry_module.platformdirs, "user_cache_dir", lambda _name: str(tmp_path / "cache"))
    monkeypatch.setenv("MICROGRAPHIA_SAMPLES", str(tmp_path / "store"))
    (tmp_path / "store/tiny").mkdir(parents=True)
    (tmp_path / "store/tiny/image.dm3").write_bytes(BYTES)
    return tmp_path


def test_list_names_licence_and_source(run):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    for name in registry():
        assert name in out
    assert "MIT" in out


def test_fetch_says_where_and_copies(run, store):
    code, out, _ = run("fetch", "tiny")
    assert code == 0
    assert "GPL-3.0-or-later" in out
    assert "caution: made up" in out
    assert str(store / "store/tiny/image.dm3") in out
    assert "without tiny/sites.csv" in out
    code, out, _ = run("fetch", "--out", store / "out")
    assert code == 0
    assert [p.name for p in (store / "out/tiny").iterdir()] == ["image.dm3"]
    assert (store / "out/tiny/image.dm3").read_bytes() == BYTES


def test_other_bytes_exit_with_2(run, store):
    (store / "store/tiny/image.dm3").write_bytes(b"tampered")
    for arguments in (("fetch", "tiny"), ("fetch",)):
        code, _, err = run(*arguments)
        assert code == 2
        assert "has other bytes than registered" in err
        assert err.count("\n") == 1


def test_unknown_name_and_unwritable_folder(run, store):
    assert run("fetch", "gold")[0] == 2
    (store / "file").write_text("")
    code, _, err = run("fetch", "tiny", "--out", store / "file")
    assert code == 2
    assert "cannot write" in err
