import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from patch_source import FakeSource
from torch.utils.data import DataLoader

from micrographia.errors import InputError
from micrographia.findings import LABELS
from micrographia.simulate.datasets import stream as stream_module
from micrographia.simulate.datasets.stream import PatchStream

SOURCE = FakeSource()


def test_a_batch_is_what_the_source_gives_in_fractions_of_the_beam():
    batch = next(iter(PatchStream(replace(SOURCE, with_clean=True), first_group=5, groups=2, groups_per_batch=2)))
    truth = replace(SOURCE, with_clean=True).groups(5, 2)
    assert batch["image"].dtype == torch.float32
    assert batch["image"].numpy() == pytest.approx(truth.image, rel=1e-5, abs=1e-8)
    assert np.array_equal(batch["clean"].numpy(), truth.clean)
    assert [list(LABELS)[n] for n in batch["label"]] == truth.index["label"].tolist()
    assert np.array_equal(batch["dose_e_per_A2"].numpy(), truth.index["dose_e_per_A2"])
    assert batch["group"].tolist() == [5] * 16 + [6] * 16


def test_every_group_comes_once_over_two_ranks_of_two_workers(monkeypatch):
    found = []
    for rank in range(2):
        mine = []
        for worker in range(2):
            monkeypatch.setattr(stream_module, "get_worker_info", lambda w=worker: SimpleNamespace(num_workers=2, id=w))
            stream = PatchStream(SOURCE, groups=11, rank=rank, world_size=2)
            mine.append([int(batch["group"][0]) for batch in stream])
        # A loader takes from its workers in turn: on a rank the groups come in order.
        taken = [mine[n % 2][n // 2] for n in range(sum(map(len, mine)))]
        assert taken == list(range(rank, 11, 2))
        found += taken
    assert sorted(found) == list(range(11))


@pytest.mark.slow
@pytest.mark.enable_socket  # through which processes of a loader hand over tensors
def test_the_processes_of_real_loaders_do_as_told():
    for rank in range(2):
        stream = PatchStream(SOURCE, groups=11, rank=rank, world_size=2)
        loader = DataLoader(stream, batch_size=None, num_workers=2, multiprocessing_context="spawn")
        assert [int(batch["group"][0]) for batch in loader] == list(range(rank, 11, 2))


@given(
    groups=st.integers(1, 40),
    groups_per_batch=st.integers(1, 5),
    shuffle_groups=st.integers(1, 50),
    world_size=st.integers(1, 4),
    first_group=st.integers(0, 3),
    seed=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_shuffling_and_dealing_lose_and_double_nothing(
    groups, groups_per_batch, shuffle_groups, world_size, first_group, seed
):
    streams = [
        PatchStream(
            replace(SOURCE, group_size=1),
            groups=groups,
            first_group=first_group,
            groups_per_batch=groups_per_batch,
            shuffle_groups=shuffle_groups,
            shuffle_seed=seed,
            rank=rank,
            world_size=world_size,
        )
        for rank in range(world_size)
    ]
    given_out = [batch for stream in streams for batch in stream]
    assert sorted(int(b["batch"]) for b in given_out) == list(range(-(-groups // groups_per_batch)))
    assert sorted(torch.cat([b["group"] for b in given_out]).tolist()) == list(range(first_group, first_group + groups))
    again = [b["group"].tolist() for stream in streams for b in stream]
    assert [b["group"].tolist() for b in given_out] == again


def test_shuffling_changes_the_order_within_each_stretch_only():
    order = [int(b["group"][0]) for b in PatchStream(SOURCE, groups=64, shuffle_groups=32)]
    assert order != sorted(order)
    assert sorted(order[:32]) == list(range(32))
    other = [int(b["group"][0]) for b in PatchStream(SOURCE, groups=64, shuffle_groups=32, shuffle_seed=1)]
    assert other != order


def test_going_on_gives_what_would_have_come():
    stream = PatchStream(SOURCE, groups=20, shuffle_groups=8)
    whole = [b["group"].tolist() for b in stream]
    seen = list(zip(stream, range(7), strict=False))[-1][0]
    rest = replace(stream, start_batch=int(seen["batch"]) + 1)
    assert [b["group"].tolist() for b in rest] == whole[7:]


def test_without_a_number_of_groups_there_is_no_end():
    stream = PatchStream(SOURCE, start_batch=10**6, rank=1, world_size=3)
    assert [int(b["batch"]) for b, _ in zip(stream, range(3), strict=False)] == [1000001, 1000004, 1000007]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"groups": 0}, "groups is 0; accepted is 1 or more"),
        ({"first_group": -1}, "first_group is -1"),
        ({"groups_per_batch": 0}, "groups_per_batch is 0"),
        ({"shuffle_groups": 0}, "shuffle_groups is 0"),
        ({"rank": 2, "world_size": 2}, "rank is 2; accepted is 0 to 1"),
        ({"rank": -1}, "rank is -1"),
        ({"world_size": 0}, "world_size is 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_numbers_are_refused(changes, says):
    with pytest.raises(InputError, match=says):
        PatchStream(SOURCE, **changes)


def test_an_unknown_label_and_a_batch_beyond_the_end_are_told():
    with pytest.raises(InputError, match="gives the label 'D_M'; accepted are M, V_M, X2"):
        list(PatchStream(SOURCE, groups=3, labels=("M", "V_M", "X2")))
    with pytest.raises(InputError, match="batch 3 was asked for; the stream has 3 groups"):
        PatchStream(SOURCE, groups=3).batch(3)


def test_simulating_does_not_load_torch_or_dask():
    code = "import sys, micrographia.simulate; print(*[m for m in ('torch', 'dask', 'zarr') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []
