"""Models as files: what comes back, and what is refused."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from drawn_textures import discs, training
from safetensors.torch import load_file, save_file

from micrographia.errors import OutputError, ReadError
from micrographia.learn.segment.train import SegmentSettings, train_segmenter
from micrographia.segment.network.predict import ApplySettings, segment
from micrographia.segment.network.saved import load_model, save_model


@pytest.fixture(scope="module")
def model():
    return train_segmenter(training(0), settings=SegmentSettings(megapixels=0.05, steps=1))


@pytest.fixture
def path(model, tmp_path):
    save_model(model, tmp_path / "discs.safetensors")
    return tmp_path / "discs.safetensors"


def test_a_model_that_was_saved_answers_as_before(model, path):
    frame, _ = discs(5, 96)
    again = load_model(path)
    settings = ApplySettings(probability=True, own=False)
    before, after = (segment(frame, m, settings=settings) for m in (model, again))
    assert np.allclose(before.probability, after.probability, atol=1e-5)
    assert before.strangeness == pytest.approx(after.strangeness)
    assert (again.values, again.names) == ((0, 1), ("ground", "disc"))
    assert json.loads(json.dumps(dict(model.record))) == again.record
    assert len(again.sha256) == 64


def test_the_file_leaves_the_encoder_out(path):
    assert not [name for name in load_file(path) if "encoder" in name]
    assert path.stat().st_size < 5_000_000


def test_a_pickle_is_refused_and_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    for name in ("model.pkl", "model.pt", "model.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ReadError, match=r"never read|damaged or no segmentation model"):
            load_model(tmp_path / name)
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("keep", [0, 7, 1000, 0.5])
def test_a_file_cut_short_is_refused(path, keep):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(ReadError, match="damaged or no segmentation model"):
        load_model(path)


def test_safetensors_of_something_else_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ReadError, match="no segmentation model"):
        load_model(tmp_path / "other.safetensors")


def test_a_model_that_learned_with_other_encoder_weights_is_refused(path):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["micrographia"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    about["encoder_sha256"] = "0" * 64
    save_file(tensors, path, metadata={"micrographia": json.dumps(about)})
    with pytest.raises(ReadError, match="other weights of the encoder"):
        load_model(path)


def test_a_missing_weight_is_noticed(path):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys() if not name.endswith("last.bias")}  # noqa: SIM118
    save_file(tensors, path, metadata=about)
    with pytest.raises(ReadError, match="lacks weights"):
        load_model(path)


def test_a_place_that_cannot_be_written_leaves_nothing(model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        save_model(model, tmp_path / "file" / "model.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
