"""A training that was interrupted, and one that was not, end at the same weights; so do two processes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from micrographia.errors import InputError, ReadError
from micrographia.learn.context import train as module
from micrographia.learn.context.sites import HeldOut
from micrographia.learn.context.train import CHECKPOINT, CURVE, RAW, TrainSettings, train_context

TINY = TrainSettings(steps=6, groups=4, views=2, bf16=False, workers=0, checkpoint_every=2)


def tensors(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["record"])  # noqa: SIM118


def same(one, other):
    first, second = tensors(one)[0], tensors(other)[0]
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def whole(small, made_up_library, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    train_context(small, made_up_library, out, settings=TINY)
    return out


@pytest.mark.parametrize("stop", [2, 4])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    small, made_up_library, whole, tmp_path, monkeypatch, stop
):
    keep = module._keep

    def killed(path, network, optimiser, average, record):
        keep(path, network, optimiser, average, record)
        if record["done"] == stop:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            train_context(small, made_up_library, tmp_path, settings=TINY)
    assert not (tmp_path / RAW).exists()
    assert tensors(tmp_path / CHECKPOINT)[1]["done"] == stop
    # How often it is kept does not matter.
    later = replace(TINY, checkpoint_every=3)
    assert train_context(small, made_up_library, tmp_path, settings=later) == tmp_path / RAW
    assert same(tmp_path / RAW, whole / RAW)
    assert same(tmp_path / CHECKPOINT, whole / CHECKPOINT)


def test_a_finished_training_changes_nothing_when_it_is_asked_again(small, made_up_library, whole):
    before = tensors(whole / RAW)[0]
    train_context(small, made_up_library, whole, settings=TINY)
    after = tensors(whole / RAW)[0]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_say_what_they_were_made_with(whole):
    found, record = tensors(whole / RAW)
    assert {values.dtype for values in found.values()} == {torch.float16}
    assert sum(values.numel() for values in found.values()) <= 2_000_000
    assert record["settings"]["steps"] == 6
    assert record["held_out"] is None
    assert set(record["made"]) == {"software", "commit", "kernels"}
    assert not list(whole.glob("*.part"))


def test_another_seed_gives_other_weights(small, made_up_library, whole, tmp_path):
    train_context(small, made_up_library, tmp_path, settings=replace(TINY, seed=1))
    assert not same(tmp_path / RAW, whole / RAW)


@pytest.mark.parametrize(
    ("changes", "held_out"),
    [({"steps": 8}, None), ({"seed": 1}, None), ({"learning_rate": 1e-3}, None), ({}, HeldOut())],
    ids=["steps", "seed", "rate", "held out"],
)
def test_another_trainings_checkpoint_is_refused_in_one_line(small, made_up_library, whole, changes, held_out):
    before = (whole / CHECKPOINT).read_bytes()
    with pytest.raises(
        InputError, match="the beginning of another training; accepted are the same settings"
    ) as refused:
        train_context(small, made_up_library, whole, settings=replace(TINY, **changes), held_out=held_out)
    assert "\n" not in str(refused.value)
    assert (whole / CHECKPOINT).read_bytes() == before


def test_a_damaged_checkpoint_is_refused_in_one_line(small, made_up_library, tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"half a checkpoint")
    with pytest.raises(ReadError, match=r"is no checkpoint .*; delete it to begin anew") as refused:
        train_context(small, made_up_library, tmp_path, settings=TINY)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "steps is 0; accepted is 1 or more"),
        ({"groups": 6}, "groups is 6; accepted is a multiple of 4"),
        ({"groups": 0}, "groups is 0; accepted is 4 or more"),
        ({"views": 0}, "views is 0"),
        ({"workers": -1}, "workers is -1"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"learning_rate": 0.0}, "learning rate is 0"),
        ({"learning_rate": float("nan")}, "learning rate is nan"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_impossible_settings_are_refused(changes, says):
    with pytest.raises(InputError, match=says):
        replace(TINY, **changes)


def test_the_rate_warms_up_and_falls_as_a_cosine():
    # A tenth of a short training, or 500 steps: up in a line; half-way down the cosine, one half.
    rates = [module._schedule(step, 10_500) for step in (0, 249, 499, 500, 5500, 10_499)]
    assert rates[:3] == pytest.approx([1 / 500, 0.5, 1])
    assert rates[3:] == pytest.approx([1, 0.5, 0], abs=1e-6)
    assert module._schedule(0, 1) == 1


@pytest.mark.slow
def test_it_learns(small, made_up_library, tmp_path):
    told = []
    settings = replace(TINY, steps=50, groups=8, views=1, checkpoint_every=50)
    train_context(small, made_up_library, tmp_path, settings=settings, progress=lambda *n: told.append(n[:2]))
    assert told == [(50, 50)]
    with (tmp_path / CURVE).open() as file:
        (row,) = ({name: float(value) for name, value in row.items()} for row in csv.DictReader(file))
    assert row["step"] == 50
    # Seven labels are in play: knowing nothing costs ln 7 = 1.95 nats, and is right once in seven times. The row is
    # the mean from the first step on.
    assert row["loss_nats"] < 1.6
    assert row["accuracy"] > 0.35


ON_EACH = """
import sys
from pathlib import Path
import torch
from micrographia.learn.context import train as module
from micrographia.learn.context.sites import SiteStream
from micrographia.simulate.specimens.catalogue import Catalogue, read_catalogue

library, out, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
whole = read_catalogue()
small = Catalogue(name="small", conditions=whole.conditions,
                  compounds=tuple(c for c in whole.compounds if c.name in ("MoS2:Nb", "WSe2:S")))
made, seen, losses = [], [], []

class Network(module.ContextNetwork):
    def __init__(self):
        super().__init__()
        made.append(self)

def sites(self, batch, rng, *, of=SiteStream.sites):
    seen.append([self.stream.source.seed, *sorted(set(batch["group"].tolist()))])
    return of(self, batch, rng)

def cross_entropy(*arguments, of=torch.nn.functional.cross_entropy):
    loss = of(*arguments)
    losses.append(float(loss))
    return loss

module.ContextNetwork, SiteStream.sites = Network, sites
torch.nn.functional.cross_entropy = cross_entropy
settings = module.TrainSettings(steps=steps, groups=4, views=1, bf16=False, workers=0, checkpoint_every=2)
module.train_context(small, library, out, settings=settings)
rank = torch.distributed.get_rank()
weights = torch.cat([v.detach().flatten() for v in made[0].parameters()])
torch.save({"weights": weights, "seen": seen, "losses": losses, "backend": torch.distributed.get_backend(),
            "ranks": torch.distributed.get_world_size()}, out / f"rank{rank}.pt")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_share_one_training(made_up_library, tmp_path):
    script, out, steps = tmp_path / "train.py", tmp_path / "out", 4
    script.write_text(ON_EACH)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(
        [*command, str(made_up_library), str(out), str(steps)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [torch.load(out / f"rank{rank}.pt") for rank in range(2)]
    assert [(r["backend"], r["ranks"]) for r in ranks] == [("gloo", 2)] * 2
    # Each has its own patches, no patch comes twice, and none is left out.
    seen = [tuple(s) for r in ranks for s in r["seen"]]
    assert len(set(seen)) == len(seen)
    for kind in {first for first, *_ in seen}:
        groups = [{g for k, *own in r["seen"] if k == kind for g in own} for r in ranks]
        assert not groups[0] & groups[1]
        assert groups[0] | groups[1] >= set(range(2 * steps))
    # Their losses differ, their weights do not, to the last bit.
    assert all(torch.isfinite(torch.tensor(r["losses"])).all() for r in ranks)
    assert [len(r["losses"]) for r in ranks] == [steps, steps]
    assert ranks[0]["losses"] != ranks[1]["losses"]
    assert torch.equal(ranks[0]["weights"], ranks[1]["weights"])
    # What is kept is what they have in common.
    kept, record = tensors(out / CHECKPOINT)
    assert record["done"] == steps
    mine = torch.cat([kept[f"network.{n}"].flatten() for n, _ in module.ContextNetwork().named_parameters()])
    assert torch.equal(mine, ranks[0]["weights"])
