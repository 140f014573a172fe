import fcntl
import hashlib
import json
import logging
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from patch_source import LABELS, FakeBlock, FakeSource

from micrographia.errors import ContextError, InputError, OutputError, ReadError
from micrographia.report.records import read_schema, schema_of
from micrographia.simulate import cluster
from micrographia.simulate.datasets.dataset import images, open_dataset, write_dataset
from micrographia.simulate.datasets.dataset_folder import DatasetRecord
from micrographia.simulate.datasets.shards import Layout, ShardJob, default_shard_patches, write_shard

pytestmark = pytest.mark.enable_socket  # Dask talks to its own processes through sockets

SHARD = 64
SOURCE = FakeSource()


@pytest.fixture(scope="module")
def address():
    """A scheduler with two workers, as an institute would have it running."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        memory_limit=0,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as started:
        yield started.scheduler_address


@pytest.fixture
def write(address):
    def write(out, patches, source=SOURCE, **changes):
        return write_dataset(source, out, patches=patches, **({"scheduler": address, "shard_patches": SHARD} | changes))

    return write


@pytest.fixture(scope="module")
def finished(address, tmp_path_factory):
    """500 patches: seven whole shards and one of 52, whose last group is cut."""
    out = tmp_path_factory.mktemp("data") / "set"
    write_dataset(FakeSource(with_clean=True), out, patches=500, scheduler=address, shard_patches=SHARD)
    return out


def tree(folder):
    """SHA-256 of every file, hidden ones too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_patches_and_index_are_those_of_the_source_in_its_order(finished):
    dataset = open_dataset(finished)
    truth = FakeSource(with_clean=True).groups(0, 32)
    assert len(dataset) == 500
    assert np.array_equal(dataset.levels[:], truth.levels[:500])
    assert np.array_equal(dataset.clean[:], truth.clean[:500])
    index = dataset.index.to_table()
    assert index["patch"].to_pylist() == list(range(500))
    for name, values in truth.index.items():
        assert index[name].to_pylist() == values[:500].tolist(), name
    assert images(dataset, 60, 70) == pytest.approx(truth.image[60:70], rel=1e-5, abs=1e-8)
    with pytest.raises(InputError, match="accepted is 0 <= first < last <= 500"):
        images(dataset, 10, 501)


def test_arrays_are_plain_zarr_sharded_and_described(finished):
    group = zarr.open_group(finished / "patches.zarr", mode="r")
    levels = group["levels"]
    assert (levels.shape, levels.shards, levels.chunks) == ((500, 2, 8, 8), (64, 2, 8, 8), (64, 2, 8, 8))
    assert levels.metadata.zarr_format == 3
    assert levels.metadata.dimension_names == ("patch", "channel", "y", "x")
    assert sorted(p.name for p in (finished / "patches.zarr/levels").iterdir()) == sorted(
        ["zarr.json", *(f"c.{shard}.0.0.0" for shard in range(8))]
    )
    assert [pq.read_metadata(p).num_rows for p in sorted((finished / "index").iterdir())] == [64] * 7 + [52]


def test_the_record_follows_its_published_schema(finished):
    schema = read_schema("dataset-1.json")
    # to publish a change: json.dump(schema_of(DatasetRecord, "micrographia/dataset/1"), handle, indent=2)
    assert schema == schema_of(DatasetRecord, "micrographia/dataset/1")
    record = json.loads((finished / "dataset.json").read_text())
    jsonschema.validate(record, schema)
    assert record["settings"] == FakeSource().settings()
    assert (record["complete"], record["patches"], record["clean"]) == (True, 500, True)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "patches": 0}, schema)


def test_the_card_counts_every_patch_and_gives_ranges(finished):
    card = (finished / "README.md").read_text()
    truth = FakeSource().groups(0, 32).index
    for label in LABELS:
        count = int((truth["label"][:500] == label).sum())
        assert f"| `{label}` | {count} | {count / 5:.2f} % |" in card
    dose = truth["dose_e_per_A2"][:500]
    assert f"| `dose_e_per_A2` | {dose.min():.6g} | {dose.max():.6g} |" in card
    assert '"jitter_px": 0.25' in card
    assert '"cases": "99 entries, in dataset.json"' in card
    size = sum(p.stat().st_size for p in finished.rglob("*") if p.suffix == ".parquet" or p.name.startswith("c."))
    assert f"{size / 500 / 1e3:.2f} kB a patch" in card
    # What the card tells a reader to do works.
    code = textwrap.dedent(re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]).replace("DIR", str(finished))
    names = {}
    exec(code, names)
    assert names["batch"].shape == (256, 2, 8, 8)
    assert names["labels"].to_pylist() == truth["label"][:500].tolist()


def test_bytes_do_not_depend_on_the_number_of_workers(finished, tmp_path):
    told = []
    made = write_dataset(
        FakeSource(with_clean=True),
        tmp_path / "one",
        patches=500,
        workers=1,
        shard_patches=SHARD,
        progress=lambda done, total: told.append((done, total)),
    )
    assert tree(tmp_path / "one") == tree(finished)
    assert (made.patches, made.written) == (500, 500)
    assert made.bytes == sum(p.stat().st_size for p in finished.rglob("*") if p.is_file())
    assert (told[0], told[-1], len(told)) == ((0, 500), (500, 500), 9)
    assert [p.name for p in tmp_path.iterdir()] == ["one"]


def test_a_larger_number_adds_to_a_data_set(write, tmp_path):
    write(tmp_path / "grown", 200)
    small = tree(tmp_path / "grown")
    again = write(tmp_path / "grown", 200)
    assert (again.written, tree(tmp_path / "grown")) == (0, small)
    assert write(tmp_path / "grown", 300).written == 300 - 192  # the shard that was cut is made again
    write(tmp_path / "at-once", 300)
    assert tree(tmp_path / "grown") == tree(tmp_path / "at-once")
    with pytest.raises(OutputError, match="has 300 patches and 299 were asked for"):
        write(tmp_path / "grown", 299)


def begin_in_another_process(out, *, where, seconds_per_group=0.02):
    """Start to write 1000 patches in a process of its own."""
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from patch_source import FakeSource
        from micrographia.simulate.datasets.dataset import write_dataset
        if __name__ == "__main__":
            source = FakeSource(seconds_per_group={seconds_per_group})
            write_dataset(source, Path({str(out)!r}), patches=1000, shard_patches={SHARD}, {where})
    """
    script = out.with_suffix(".py")
    script.write_text(textwrap.dedent(code))
    return subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_parts(process, out, count):
    until = time.monotonic() + 60
    while len(list(out.glob("index/part-*"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, f"not even {count} shards after a minute"
        time.sleep(0.005)


@pytest.mark.parametrize("own_workers", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_killed_twice_and_resumed_gives_the_same_bytes(write, address, tmp_path, own_workers):
    out = tmp_path / "killed"
    where = "workers=2" if own_workers else f"scheduler={address!r}"
    for parts in (3, 8):
        process = begin_in_another_process(out, where=where)
        wait_for_parts(process, out, parts)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert list(out.glob(".partial-*")), "it was killed at work"
        with pytest.raises(ReadError, match=r"not finished: \d+ of 16 shards"):
            open_dataset(out)
    # A power cut can leave a file that has a name and no content.
    (out / "patches.zarr/levels/c.1.0.0.0").write_bytes(b"")
    (out / ".partial-dataset.json").write_text("{")
    made = write(out, 1000)
    assert made.written <= 1000 - 7 * SHARD
    write(tmp_path / "straight", 1000)
    assert tree(out) == tree(tmp_path / "straight")
    assert len(open_dataset(out)) == 1000


def test_what_is_still_under_way_after_a_run_was_given_up_comes_to_nothing(tmp_path):
    layout = Layout(patches=64, size_px=8, channels=2, group_size=16, shard_patches=64, clean=False)
    job = ShardJob(
        source=pickle.dumps(SOURCE), layout=layout, folder=str(tmp_path), draft=str(tmp_path / "gone"), shard=0
    )
    with pytest.raises(OutputError, match="all workers must see the data set's folder"):
        write_shard(job)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_interrupting_ends_the_workers_without_a_word(tmp_path):
    out = tmp_path / "interrupted"
    process = begin_in_another_process(out, where="workers=2")
    wait_for_parts(process, out, 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert err.count("Traceback") == 1  # that of the script itself
    assert err.strip().endswith("KeyboardInterrupt")
    assert not list(out.glob(".partial-*"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": FakeSource(seed=1)}, "seed is 0 there and 1 now"),
        ({"source": FakeSource(channels=1)}, "channels is 2 there and 1 now"),
        ({"source": FakeSource(with_clean=True)}, "clean is False there and True now"),
        ({"shard_patches": 32}, "shard_patches is 64 there and 32 now"),
        ({"shard_patches": 40}, "accepted is a multiple of 16"),
        ({"patches": 0}, "patches is 0; accepted is 1 or more"),
        ({"scheduler": None, "workers": 0}, "workers is 0; accepted is 1 or more"),
        ({"workers": 2}, "a scheduler has workers of its own"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_settings_and_bad_numbers_change_nothing(write, tmp_path, changes, says):
    out = tmp_path / "set"
    write(out, 64)
    before = tree(out)
    with pytest.raises((InputError, OutputError), match=re.escape(says)):
        write(out, **({"patches": 64} | changes))
    assert tree(out) == before


def test_a_folder_that_is_something_else_is_left_alone(write, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        write(tmp_path / "file", 64)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match="holds files but no data set"):
        write(tmp_path / "folder", 64)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/dataset.json").write_text("{")
    with pytest.raises(OutputError, match=r"cannot read .*dataset\.json"):
        write(tmp_path / "damaged", 64)
    assert sorted(p.name for p in tmp_path.rglob("*")) == [
        *("damaged", "dataset.json", "file", "folder", "thesis.tex"),
    ]


def test_two_processes_do_not_write_the_same_data_set(write, tmp_path):
    write(tmp_path / "set", 64)
    handle = os.open(tmp_path / "set", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(OutputError, match="another process is writing"):
        write(tmp_path / "set", 128)
    os.close(handle)
    assert write(tmp_path / "set", 128).written == 64


def test_reading_needs_a_finished_data_set(tmp_path, write):
    with pytest.raises(ReadError, match="there is no data set"):
        open_dataset(tmp_path / "nowhere")
    write(tmp_path / "set", 128)
    (tmp_path / "set/index/part-00001.parquet").unlink()
    with pytest.raises(ReadError, match="not finished: 1 of 2 shards"):
        open_dataset(tmp_path / "set")
    assert write(tmp_path / "set", 128).written == 64


def test_an_unreachable_scheduler_is_named_and_nothing_is_made(tmp_path, monkeypatch):
    assert cluster._PATIENCE_S < 10
    monkeypatch.setattr(cluster, "_PATIENCE_S", 0.5)
    for where in ("tcp://127.0.0.1:1", "nonsense", "xyz://a:1"):
        with pytest.raises(InputError, match=f"there is no Dask scheduler at '{where}'"):
            write_dataset(SOURCE, tmp_path / "set", patches=64, scheduler=where)
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_without_workers_is_told(tmp_path, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(cluster, "_PATIENCE_S", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(InputError, match="has no workers"),
    ):
        write_dataset(SOURCE, tmp_path / "set", patches=64, scheduler=empty.scheduler_address)
    assert list(tmp_path.iterdir()) == []


def test_what_a_worker_raises_arrives_as_it_is_and_the_rest_can_be_made(write, tmp_path):
    bad = FakeSource(raises=ContextError("energy is -1 keV; accepted is 30 to 300"), in_group=9)
    with pytest.raises(ContextError, match=r"^energy is -1 keV; accepted is 30 to 300$"):
        write(tmp_path / "set", 200, source=bad)
    assert not list(tmp_path.glob("set/.partial-*"))
    write(tmp_path / "set", 200)
    write(tmp_path / "straight", 200)
    assert tree(tmp_path / "set") == tree(tmp_path / "straight")


def test_a_new_folder_that_no_shard_came_to_be_in_is_removed(write, tmp_path):
    for error, kind, says in (
        (MemoryError(), OutputError, "for want of memory"),
        (FileNotFoundError(2, "No such file", "lib"), OutputError, "a worker failed"),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "a bug"),
    ):
        with pytest.raises(kind, match=says):
            write(tmp_path / "set", 160, source=FakeSource(raises=error, in_group=8), shard_patches=160)
        assert list(tmp_path.iterdir()) == []


def test_a_worker_that_dies_is_replaced(write, tmp_path):
    mortal = FakeSource(in_group=9, dies_once=str(tmp_path / "died"))
    assert write(tmp_path / "set", 200, source=mortal).written == 200
    assert (tmp_path / "died").exists()
    write(tmp_path / "straight", 200)
    assert tree(tmp_path / "set") == tree(tmp_path / "straight")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_what_cannot_fit_is_refused_before_it_is_begun(write, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: usage._replace(free=1_000_000))
    # 128 values spread over a thousand levels have 10 bits each: 160 bytes a patch.
    with pytest.raises(OutputError, match=r"100000 patches need about 0\.016\d GB .* 0\.001 GB are free"):
        write(tmp_path / "set", 100_000)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_whole_shards_only(write, small_disk):
    # What comes first packs to nothing, so that the estimate does not see it coming.
    source = FakeSource(blank_groups=64, size_px=32)
    with pytest.raises(OutputError, match=r"No space left .* it needs .* MB and .* MB are free; make room"):
        write(small_disk / "set", 4096, source=source)
    parts = len(list(small_disk.glob("set/index/part-*")))
    assert parts >= 16
    assert not list(small_disk.rglob(".partial-*"))
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    made = write(small_disk / "set", 4096, source=source)
    assert made.written == 4096 - SHARD * parts
    assert np.array_equal(open_dataset(small_disk / "set").levels[-16:], source.groups(255, 1).levels)


@given(
    patches=st.integers(1, 10**8),
    size_px=st.integers(16, 256),
    channels=st.integers(1, 4),
    group_size=st.sampled_from([16, 48, 64]),
)
def test_shards_hold_every_patch_once_and_stay_small(patches, size_px, channels, group_size):
    source = replace(SOURCE, size_px=size_px, channels=channels, group_size=group_size)
    shard = default_shard_patches(source)
    layout = Layout(
        patches=patches, size_px=size_px, channels=channels, group_size=group_size, shard_patches=shard, clean=False
    )
    assert shard % group_size == 0
    assert shard % layout.chunk_patches == 0
    assert shard <= 8192
    assert shard * channels * size_px**2 * 2 <= 2**27
    assert layout.chunk_patches * channels * size_px**2 * 2 <= 2**22
    last = layout.rows(layout.shards - 1)
    assert (layout.rows(0).start, last.stop) == (0, patches)
    assert 1 <= len(last) <= shard
    if layout.shards > 1:
        assert layout.rows(1).start == layout.rows(0).stop == shard


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"levels": np.zeros((16, 2, 8, 9), np.uint16)}, r"shape \(16, 2, 8, 9\); it promised uint16 of shape"),
        ({"clean": np.zeros((16, 1, 8, 8), np.float32)}, "gave clean patches"),
        ({"index": {}}, "no column label"),
        ({"index": {"label": np.zeros(16)}}, "no column fraction_per_level_0"),
        ({"index": {**SOURCE.groups(0, 1).index, "patch": np.zeros(16)}}, "column 'patch'"),
        ({"index": {**SOURCE.groups(0, 1).index, "short": np.zeros(15)}}, r"short has shape \(15,\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_source_that_breaks_its_promise_is_told(tmp_path, monkeypatch, change, says):
    block = SOURCE.groups(0, 1)
    broken = FakeBlock(**({"levels": block.levels, "clean": None, "index": block.index} | change))
    monkeypatch.setattr(FakeSource, "groups", lambda *_: broken)
    with pytest.raises(InputError, match=says):
        write_dataset(SOURCE, tmp_path / "set", patches=16)
    assert list(tmp_path.iterdir()) == []
