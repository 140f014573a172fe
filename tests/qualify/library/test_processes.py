"""Processes that are killed, and processes that write at the same time."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from micrographia.qualify import library as lib

ADD = """
import sys
from pathlib import Path
from micrographia.qualify import library as lib
folder, polarity, *images = sys.argv[1:]
opened = lib.open_library(folder, writable=True)
for image in images:
    lib.add_references(opened, "cracks", polarity, [image], actor=polarity)
    print(image, flush=True)
"""


def images(folder, count, seed=0):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for k in range(count):
        paths.append(folder / f"{seed}-{k}.png")
        Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(paths[-1])
    return paths


def start(library, polarity, paths):
    command = [sys.executable, "-c", ADD, str(library.folder), polarity, *map(str, paths)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_while_adding(library, paths, after_s):
    """Kill a process some time after it began to add; return how many additions it acknowledged."""
    with start(library, "accept", paths) as process:
        assert process.stdout.readline() == f"{paths[0]}\n"
        time.sleep(after_s)
        os.kill(process.pid, signal.SIGKILL)
        return 1 + len(process.stdout.read().split())


def check_kills(empty, tmp_path, kills, longest_s):
    rng = np.random.default_rng(1)
    known = 0
    for kill in range(kills):
        paths = images(tmp_path / "images", 400, seed=kill)
        acknowledged = kill_while_adding(empty, paths, rng.uniform(0, longest_s))
        found = lib.verify_library(lib.open_library(empty.folder))
        assert found.findings == ()
        held = lib.references(lib.open_library(empty.folder), "cracks")
        assert len(held) - known in (acknowledged, acknowledged + 1)
        assert found.entries == 3 + len(held)
        known = len(held)
    # And it goes on from there; what was under way is gone, but for drafts, which nothing refers to.
    (extra,) = images(tmp_path / "images", 1, seed=1000)
    (added,) = lib.add_references(empty, "cracks", "accept", [extra], actor="Ann")
    assert added.id == f"R{known + 1}"
    assert lib.verify_library(empty).findings == ()


def test_a_process_killed_while_it_adds_leaves_a_clean_library(empty, tmp_path):
    check_kills(empty, tmp_path, kills=3, longest_s=0.5)


@pytest.mark.slow
def test_many_kills_at_any_moment_lose_nothing_that_was_acknowledged(empty, tmp_path):
    check_kills(empty, tmp_path, kills=40, longest_s=0.6)


def test_two_processes_that_add_at_once_both_finish(empty, tmp_path):
    count = 15
    ours, theirs = (images(tmp_path / "images", count, seed=seed) for seed in (1, 2))
    writers = [start(empty, "accept", ours), start(empty, "reject", theirs)]
    told = [writer.communicate(timeout=120)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [len(lines) for lines in told] == [count, count]
    held = lib.references(empty, "cracks")
    assert sorted(r.polarity for r in held) == ["accept"] * count + ["reject"] * count
    assert [r.id for r in held] == [f"R{k}" for k in range(1, 2 * count + 1)]
    found = lib.verify_library(empty)
    assert found.findings == ()
    assert found.entries == 3 + 2 * count


def test_two_processes_that_add_the_same_image_keep_one(empty, tmp_path):
    paths = images(tmp_path / "images", 3)
    writers = [start(empty, polarity, paths) for polarity in ("accept", "reject")]
    for writer in writers:
        writer.communicate(timeout=120)
    held = lib.references(empty, "cracks")
    assert len({r.image_sha256 for r in held}) == len(held) == 3
    assert lib.verify_library(empty).findings == ()
