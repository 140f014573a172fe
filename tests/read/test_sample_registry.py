import hashlib
import shutil
from dataclasses import replace

import pytest

from micrographia.errors import ReadError
from micrographia.read import samples as registry_module
from micrographia.read.samples import file_path, registry, sample_path


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(registry_module.platformdirs, "user_cache_dir", lambda _name: str(tmp_path / "cache"))
    monkeypatch.delenv("MICROGRAPHIA_SAMPLES", raising=False)
    return tmp_path / "cache" / "samples"


def test_registry_is_complete_and_honest():
    assert {"stem-wse2-ti-field02", "stem-wse2-ti-field25", "stem-wse2-cr-field15"} <= set(registry())
    for sample in registry().values():
        assert sample.licence
        assert sample.copyright
        assert sample.repository
        for file in sample.files:
            assert len(file.sha256) == 64
            assert file.path.startswith(sample.folder)
            assert file.url_note, "say how sure the address is, or why there is none"
            if file.url:
                assert file.url.startswith("https://raw.githubusercontent.com/")
                assert " " not in file.url


def test_registered_bytes_are_those_of_the_collection(samples):
    for sample in registry().values():
        for file in sample.files:
            path = samples / file.path
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
            assert path.stat().st_size == file.bytes


def test_folder_named_by_the_variable_comes_first(samples, monkeypatch):
    monkeypatch.setenv("MICROGRAPHIA_SAMPLES", str(samples))
    assert sample_path("stem-wse2-ti-field02") == samples / "stem-wse2-ti/field02"


def test_cache_comes_next(samples, empty_cache):
    file = registry()["format-dm3-stem"].files[0]
    (empty_cache / file.path).parent.mkdir(parents=True)
    shutil.copyfile(samples / file.path, empty_cache / file.path)
    assert file_path(file) == empty_cache / file.path


def test_then_the_network_with_the_registered_hash(empty_cache, monkeypatch):
    import pooch

    asked = []
    monkeypatch.setattr(pooch, "retrieve", lambda url, **how: asked.append((url, how)))
    file = registry()["format-dm3-stem"].files[0]
    assert file_path(file) == empty_cache / file.path
    [(url, how)] = asked
    assert url == file.url
    assert how["known_hash"] == f"sha256:{file.sha256}"


def test_other_bytes_are_refused(empty_cache):
    file = registry()["format-dm3-stem"].files[0]
    (empty_cache / file.path).parent.mkdir(parents=True)
    (empty_cache / file.path).write_bytes(b"something else")
    with pytest.raises(ReadError, match="has other bytes than registered"):
        sample_path("format-dm3-stem")


def test_failed_download_is_one_line(empty_cache, monkeypatch):
    import pooch

    def unreachable(*_args, **_kwargs):
        raise OSError("no\nnetwork")

    monkeypatch.setattr(pooch, "retrieve", unreachable)
    with pytest.raises(ReadError, match=r"cannot be downloaded.*no network.*MICROGRAPHIA_SAMPLES") as caught:
        sample_path("format-dm3-stem")
    assert "\n" not in str(caught.value)


def test_no_address_is_said(empty_cache):
    file = replace(registry()["format-dm3-stem"].files[0], url=None, url_note="upstream path unknown")
    with pytest.raises(ReadError, match=r"upstream path unknown.*MICROGRAPHIA_SAMPLES"):
        file_path(file)


def test_unknown_sample():
    with pytest.raises(ReadError, match="there is no sample 'gold'; accepted is one of stem-wse2-ti-field02"):
        sample_path("gold")
