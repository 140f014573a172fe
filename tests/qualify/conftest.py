"""A small library with one of everything in it, to look at and to tamper with."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrographia.embed.embedding import ImageEmbedding
from micrographia.qualify import library as lib
from micrographia.qualify.criteria import Criterion
from micrographia.qualify.sign import Review, sign_verdicts

CRACKS = Criterion(id="cracks", title="No cracks", accept_texts=("an intact layer",), reject_texts=("a cracked layer",))
PORES = Criterion(id="pores", title="Few pores", accept_texts=("dense",), reject_texts=("porous",), note="ASTM E562")
ENCODER = lib.EncoderVersion(name="clip:small", version="0123")
TABLES = (
    *("audit", "library", "criteria", "reference_images", "retirements", "opinions", "embeddings", "verdicts"),
    *("reviewer_keys", "signatures"),
)


@pytest.fixture(scope="session")
def criteria():
    return CRACKS, PORES


@pytest.fixture(scope="session")
def encoder():
    return ENCODER


@pytest.fixture(scope="session")
def image():
    """Write an image of its own for each seed: 16 x 16 px."""

    def write(folder, seed):
        path = Path(folder) / f"s{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def mask():
    """Write an index mask: value 2 on the upper left quarter, 1 on the lower right one."""

    def write(folder):
        values = np.zeros((16, 16), dtype=np.uint8)
        values[:8, :8], values[8:, 8:] = 2, 1
        path = Path(folder) / "mask.png"
        Image.fromarray(values).save(path)
        return path

    return write


@pytest.fixture
def empty(tmp_path):
    """A library with two criteria and nothing else."""
    return lib.create_library(tmp_path / "library", [CRACKS, PORES], actor="Ann")


@pytest.fixture(scope="session")
def verdicts_json():
    """Write a verdict file that rests on a library: one sample, rejected on cracks, accepted on pores."""

    def write(library, folder, samples=1):
        listed = [
            {
                "file": f"part{k}.png",
                "sha256": f"{k:x}" * 64,
                "disposition": "reject",
                "criteria": [{"id": "cracks", "verdict": "reject"}, {"id": "pores", "verdict": "accept"}],
            }
            for k in range(samples)
        ]
        held = {"path": str(library.folder), "id": library.id, "version": lib.library_version(library)}
        path = Path(folder) / "verdicts.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"schema": "micrographia/verdicts/1", "library": held, "samples": listed}))
        return path

    return write


@pytest.fixture(autouse=True)
def own_keys(tmp_path_factory, monkeypatch):
    """Keep reviewers' keys of a test within the test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture(scope="session")
def _original(tmp_path_factory, image, mask, verdicts_json):
    home = tmp_path_factory.mktemp("full")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        made = lib.create_library(home / "library", [CRACKS, PORES], actor="Ann")
        rng = np.random.default_rng(0)
        for k in range(4):
            polarity = "accept" if k % 2 else "reject"
            lib.add_references(made, "cracks", polarity, [image(home, k)], actor="Ann", specimen=f"part {k // 2}")
        lib.add_references(
            made, "pores", "reject", [image(home, 4)], actor="Ann", mask=mask(home), mask_value=2, expert="Bob"
        )
        lib.retire_reference(made, "R2", actor="Ann", reason="another specimen")
        lib.amend_criterion(
            made, Criterion(**{**vars(PORES), "title": "Hardly any pores"}), actor="Bob", reason="clearer"
        )
        lib.record_opinion(made, "cracks", "accept", image_sha256="ab" * 32, file="x.png", expert="Bob", actor="Ann")
        keys = [(r.image_sha256, r.region) for c in ("cracks", "pores") for r in lib.references(made, c)]
        embedded = {
            key: ImageEmbedding(
                whole=rng.normal(size=6).astype(np.float32),
                patches=rng.normal(size=(2, 3, 4)).astype(np.float32),
                patch_px=8.0,
            )
            for key in keys
        }
        lib.store_vectors(made, embedded, encoder=ENCODER, actor="Ann")
        verdicts = verdicts_json(made, home / "results")
        lib.record_verdicts(made, verdicts.read_bytes(), actor="Ann")
        sign_verdicts(
            verdicts, Review(reviewer="C. Reviewer", decision="confirm", reason="looked"), library=made.folder
        )
        overruled = Review(
            reviewer="C. Reviewer", decision="overrule accept", criterion="cracks", reason="a scratch, no crack"
        )
        sign_verdicts(verdicts, overruled, library=made.folder)
    return home


@pytest.fixture
def full(_original, tmp_path):
    """A copy of a library with one of everything; results with signatures are in ``results`` beside it."""
    for part in ("library", "results"):
        shutil.copytree(_original / part, tmp_path / "full" / part)
    return lib.open_library(tmp_path / "full" / "library", writable=True)


@pytest.fixture
def tamper():
    """Change a library's records as someone would who has the file: without the barriers against it."""

    def execute(library, *statements):
        with closing(sqlite3.connect(library.folder / "library.sqlite")) as records, records:
            for table in TABLES:
                for verb in ("update", "delete"):
                    records.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
            for statement in statements:
                records.execute(*([statement] if isinstance(statement, str) else statement))

    return execute
