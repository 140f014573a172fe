"""What a language model said about images, as captions."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from micrographia.cues.cue import picture
from micrographia.errors import InputError, ReadError
from micrographia.instruct.engine.images import pixel_hash
from micrographia.learn.fusion.answers import read_answers
from micrographia.learn.fusion.pictures import read_pictures
from micrographia.read import read


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
def files(tmp_path):
    found = [tmp_path / f"{name}.png" for name in "ab"]
    for k, file in enumerate(found):
        Image.fromarray(np.random.default_rng(k).integers(0, 255, (80, 80), np.uint8)).save(file)
    return [str(file) for file in found]


@pytest.fixture
def folder(files, tmp_path):
    one, other = (pixel_hash(picture(read(file)).astype(np.float32)) for file in files)
    records = [
        record([one], "Dark lines run across it."),
        record([one], "It is made of cheese.", verified=False),
        record([one, other], "A is darker than B."),
        record(["c" * 64], "Nobody has this image any more."),
    ]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "records.parquet")
    return tmp_path


def test_pictures_carry_what_was_verified_about_them_alone(files, folder):
    given, _, failed = read_pictures(files, {}, read_answers(folder))
    assert not failed
    assert [one.answers for one in given] == [("Dark lines run across it.",), ()]


def test_answers_about_other_images_are_not_lost_silently(files, folder):
    with pytest.raises(InputError, match="none of the answers is about one of the images"):
        read_pictures(files[1:], {}, read_answers(folder))


def test_a_folder_without_records(tmp_path):
    with pytest.raises(ReadError, match=r"--answers .* holds no records\.parquet"):
        read_answers(tmp_path / "nowhere")
