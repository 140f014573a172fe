"""``micrographia train``."""

import csv
import json
import re

import numpy as np
import pytest
from ase.data import atomic_numbers

from micrographia.atoms.network.trained import read_network
from micrographia.simulate.patches.library import needed
from micrographia.simulate.patches.prior import ImagingPrior
from micrographia.simulate.patches.spectra import BEYOND_MRAD, NODE
from micrographia.simulate.specimens.catalogue import read_catalogue


@pytest.fixture
def catalogue(tmp_path):
    """A catalogue of two compounds in a file."""
    entries = {
        "schema": "micrographia/catalogue/1",
        "name": "small",
        "compounds": [{"host": "MoS2", "dopant": "Nb"}, {"host": "WSe2", "dopant": "S"}],
        "conditions": [
            {"name": n, "energy_kev": 80, "convergence_mrad": 30, "collection_mrad": angles}
            for n, angles in (("MAADF", [50, 120]), ("HAADF", [70, 200]))
        ],
    }
    path = tmp_path / "small.json"
    path.write_text(json.dumps(entries))
    return path


@pytest.fixture
def library(catalogue, tmp_path):
    """Its kernel library, made up: Gaussians."""
    folder = tmp_path / "library"
    folder.mkdir()
    record = needed(read_catalogue(catalogue), ImagingPrior())
    (folder / "library.json").write_text(record.model_dump_json(indent=1), encoding="utf-8")
    one = 25.0 * np.exp(-BEYOND_MRAD / 60)[:, None] * np.exp(-4 * NODE**2)
    brightness = [sum(atomic_numbers[symbol] ** 1.7 for symbol, _ in atoms) for atoms in record.columns]
    weight = np.array(brightness)[:, None, None]
    spectra = np.broadcast_to(weight * one, (len(record.probes), *(weight * one).shape))
    np.save(folder / "spectra.npy", spectra.astype(np.float32))
    return folder


def test_help_says_that_it_goes_on_where_it_stopped(run):
    code, out, _ = run("train", "context", "--help")
    assert code == 0
    plain = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", out).split())
    assert "goes on where it stopped" in plain
    assert "torchrun" in plain
    for option in ("--out", "--steps", "--seed", "--everything", "--library", "--calibration"):
        assert option in plain


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--steps", "0"), "--steps"),
        (("--steps", "many"), "--steps"),
        (("--seed", "-1"), "--seed"),
        (("--calibration", "1"), "--calibration"),
        (("--workers", "-1"), "--workers"),
        (("--catalogue", "nothing.json"), "nothing.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(run, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", "context", "--out", "out", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("micrographia: ")
    assert err.count("\n") == 1
    assert says in err
    assert not list(tmp_path.iterdir())


def test_out_must_be_given(run):
    code, _, err = run("train", "context")
    assert code == 2
    assert "--out" in err
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.enable_socket  # through which processes of a loader hand over tensors
def test_a_tiny_training_from_the_command_to_weights_that_answer(run, catalogue, library, tmp_path):
    out_folder = tmp_path / "out"
    command = [
        "train",
        "context",
        "--out",
        out_folder,
        "--steps",
        "4",
        "--calibration",
        "64",
        "--everything",
        "--precise",
    ]
    command += ["--catalogue", catalogue, "--library", library, "--workers", "1"]
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert out == f"{out_folder / 'context.safetensors'}\n"
    names = {"checkpoint.safetensors", "context.md", "context.safetensors", "curve.csv", "trained.safetensors"}
    assert {p.name for p in out_folder.iterdir()} == names
    with (out_folder / "curve.csv").open() as file:
        assert next(csv.reader(file)) == ["step", "loss_nats", "accuracy"]
    trained = read_network(out_folder / "context.safetensors")
    assert trained.record["settings"]["steps"] == 4
    assert (out_folder / "context.safetensors").stat().st_size <= 5e6
    card = (out_folder / "context.md").read_text()
    assert trained.sha256 in card
    assert "--steps 4 --seed 0" in card
    # The same command with another number of steps would be another training.
    code, out, err = run(*["5" if word == "4" else word for word in command])
    assert (code, out) == (2, "")
    assert "the beginning of another training" in err
    assert err.count("\n") == 1
