"""The loader of the NFFA set and its near duplicates, on one image a class and copies that are made of them."""

from __future__ import annotations

import csv
import importlib.util
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from micrographia.errors import InputError
from micrographia.read import read


@pytest.fixture(scope="module")
def nffa(request):
    path = request.config.rootpath / "benchmarks" / "nffa.py"
    spec = importlib.util.spec_from_file_location("nffa", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["nffa"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["nffa"]


@pytest.fixture(scope="module")
def download(samples, tmp_path_factory):
    """Return a folder a class, as the set is downloaded, with a copy of one image: half as large, paler, as JPEG."""
    home = tmp_path_factory.mktemp("nffa")
    with (samples / "sem-nffa/classes.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        folder = home / row["class_name"].replace(" ", "_")
        folder.mkdir(exist_ok=True)
        shutil.copy(samples / "sem-nffa/classes" / row["file"], folder)
    with Image.open(samples / "sem-nffa/classes" / rows[2]["file"]) as image:
        small = image.convert("L").resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    small.point(lambda v: 40 + v * 0.7).save(home / rows[2]["class_name"].replace(" ", "_") / "copy.jpg", quality=60)
    return home


def test_a_copy_is_grouped_with_its_original_and_nothing_else_is(nffa, download):
    files = nffa.load(download)
    assert len(files.classes) == 10
    names = [file.name for file in files.files]
    hashes = [nffa.gradient_hash(read(str(file.path), info_bar=False).frames[0]) for file in files.files]
    groups = nffa.near_duplicates(np.stack(hashes))
    copy = next(k for k, name in enumerate(names) if name.endswith("copy.jpg"))
    original = next(k for k, f in enumerate(files.files) if f.label == files.files[copy].label and k != copy)
    assert groups[copy] == groups[original]
    assert len(set(groups)) == len(names) - 1


def test_chains_of_near_duplicates_are_one_group(nffa):
    hashes = np.zeros((4, 512), dtype=bool)
    hashes[1, :50] = hashes[2, :100] = True  # 50 bits from one to the next, 100 from end to end
    hashes[3] = True
    assert nffa.near_duplicates(hashes, most_bits=51).tolist() == [0, 0, 0, 1]


def test_no_group_is_on_both_sides_of_a_split(nffa):
    labels = np.repeat([0, 1], 40)
    groups = np.arange(80) // 3
    cut = nffa.split(labels, groups, ("a", "b"), seed=3)
    assert set(groups[cut.train]).isdisjoint(groups[cut.test])
    assert sorted([*cut.train, *cut.test]) == list(range(80))
    assert 0.1 < len(cut.test) / 80 < 0.3


def test_heads_tell_what_is_far_apart(nffa):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    vectors, groups = rng.normal(0, 1, (80, 5)) + 9 * labels[:, None], np.arange(80)
    cut = nffa.split(labels, groups, ("a", "b"), seed=0)
    for tell in nffa.HEADS.values():
        assert nffa.scores(tell(vectors, labels, groups, cut, ("a", "b")), labels[cut.test]) == (1.0, 1.0)


def test_a_download_that_changed_is_refused(nffa, tmp_path):
    for k in range(10):
        (tmp_path / str(k)).mkdir()
        (tmp_path / str(k) / "a.tif").write_bytes(bytes([k]))
    nffa.load(tmp_path)
    nffa.load(tmp_path)
    (tmp_path / "3" / "a.tif").write_bytes(b"x")
    (tmp_path / "4" / "b.tif").write_bytes(b"y")
    with pytest.raises(InputError, match=r"2 files differ from .*, the first 3/a\.tif"):
        nffa.load(tmp_path)
    shutil.rmtree(tmp_path / "5")
    with pytest.raises(InputError, match="holds 9 classes; accepted is the set of 10"):
        nffa.load(tmp_path)


def test_without_the_data_it_says_how_to_get_it(nffa, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["nffa.py", "--data", str(tmp_path / "none")])
    nffa.main()
    assert capsys.readouterr().out.startswith(f"Skipped: {tmp_path / 'none'} is not there. Download")
