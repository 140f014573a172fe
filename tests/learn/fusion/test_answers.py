"""What a language model said about images, as captions."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from micrographia.errors import ReadError
from micrographia.learn.fusion.answers import read_answers
from micrographia.learn.fusion.pictures import read_pictures


def record(images, answer, *, verified=True):
    return {
        "images": images,
        "question": "What is there?",
        "reasoning": "",
        "answer": answer,
        "answer_type": "text",
        "verified": verified,
        "task": "description",
    }


@pytest.fixture
def generated(tmp_path):
    records = [
        record(["a" * 64], "Dark lines run across it."),
        record(["a" * 64], "It is made of cheese.", verified=False),
        record(["a" * 64, "b" * 64], "A is darker than B."),
        record(["c" * 64], "Nobody has this image any more."),
    ]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "records.parquet")
    images = [{"sha256": k * 64, "file": f"{tmp_path}/{k}.png"} for k in "ab"]
    pq.write_table(pa.Table.from_pylist(images), tmp_path / "images.parquet")
    for k, name in enumerate("ab"):
        grey = np.random.default_rng(k).integers(0, 255, (80, 80), np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{name}.png")
    return tmp_path


def test_only_what_was_verified_about_one_image_counts(generated):
    assert read_answers(generated) == {f"{generated}/a.png": ("Dark lines run across it.",)}


def test_pictures_carry_what_was_said_about_them(generated):
    files = [f"{generated}/{name}.png" for name in "ab"]
    given, _, failed = read_pictures(files, {}, read_answers(generated))
    assert not failed
    assert [one.answers for one in given] == [("Dark lines run across it.",), ()]


def test_without_the_files_of_the_images(generated):
    (generated / "images.parquet").unlink()
    with pytest.raises(ReadError, match="accepted is what `micrographia instruct generate` wrote"):
        read_answers(generated)
