"""`micrographia train fusion` from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from accelerate.state import AcceleratorState
from PIL import Image
from safetensors import safe_open


@pytest.fixture(autouse=True)
def fresh_process():
    """Let a training choose its precision, as it does in a process of its own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--with", "colour"), "--with colour: there is no such part; accepted are patches, graph, hypergraph"),
        (("--with", "graph"), "join a patch stream, and there is none"),
        (("--with", "patches", "--with", "gates"), "gates weigh two streams, and there is only one"),
        (("--weight", "masked"), "--weight masked: accepted is LOSS=NUMBER"),
        (("--weight", "colour=1"), "--weight colour=1: there is no such loss; accepted are inherited, whole"),
        (("--weight", "views=-1"), "weight of the views loss is -1"),
        (("--reads", "efficientnet-lite0"), "--reads efficientnet-lite0 does not read texts"),
        (("--sees", "nothing-there"), "encoder is 'nothing-there', which cannot be loaded"),
        (("--images", "nothing.tif"), "nothing.tif"),
        (("--labels", "nothing.csv"), "--labels nothing.csv cannot be read"),
        (("--made-up", "0", "--no-photographs"), "there is no picture to learn from"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(run, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", "fusion", "--out", "out", "--made-up", "1", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("micrographia: ")
    assert err.count("\n") == 1
    assert says in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_training_with_the_packaged_teachers_makes_an_encoder(run, tmp_path):
    """From two images and a broken file; the weights stay below 12 MB, and `embed` takes them."""
    images = tmp_path / "images"
    images.mkdir()
    for k in range(2):
        grey = np.random.default_rng(k).integers(0, 255, (300, 300), np.uint8)
        Image.fromarray(grey).save(images / f"{k}.png")
    (images / "broken.png").write_bytes(b"not a picture")
    arguments = ("--images", images, "--made-up", "2", "--steps", "2", "--batch", "2")
    code, out, err = run("train", "fusion", "--out", tmp_path / "out", *arguments)
    assert code == 2
    assert "left out:" in err
    assert "broken.png" in err
    assert "embed IMAGE --encoder fusion:" in out
    weights = tmp_path / "out" / "fusion.safetensors"
    assert weights.stat().st_size < 12e6
    with safe_open(weights, framework="pt") as file:
        record = json.loads(file.metadata()["record"])
    assert record["pictures"]["given"] == 2 + 17
    code, _, _ = run("embed", images / "0.png", "--encoder", f"fusion:{weights}", "--out", tmp_path / "vectors")
    assert code == 0
    with np.load(tmp_path / "vectors" / "0.npz") as found:
        assert found["patches"].shape == (18, 18, 432)
        assert found["whole"].shape == (4208,)


@pytest.mark.slow
def test_two_processes_share_the_work(tmp_path):
    """As torchrun starts them on one machine without an accelerator: one training, of twice as many views a step."""
    words = ["-m", "micrographia", "train", "fusion", "--out", str(tmp_path), "--made-up", "2", "--steps", "2"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    made = subprocess.run(
        [*command, "--batch", "2", "--no-photographs"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    with safe_open(tmp_path / "fusion.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["record"])["processes"] == 2
