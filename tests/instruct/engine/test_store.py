"""The state of a run on disk."""

import pytest

from micrographia.errors import InputError, OutputError
from micrographia.instruct.engine.store import FILE, open_store


def test_only_one_run_may_work_in_a_folder(tmp_path):
    with open_store(tmp_path), pytest.raises(InputError, match="another run works"), open_store(tmp_path):
        pass
    with open_store(tmp_path):
        pass


def test_a_run_with_other_settings_is_refused_with_what_differs(tmp_path):
    with open_store(tmp_path) as store:
        store.settle_settings({"seed": 0, "tasks": ["counting"]})
    with open_store(tmp_path) as store:
        store.settle_settings({"tasks": ["counting"], "seed": 0})
        with pytest.raises(InputError, match="begun with seed 0 and seed is now 1"):
            store.settle_settings({"seed": 1, "tasks": ["counting"]})


def test_a_damaged_state_is_told_in_one_line(tmp_path):
    (tmp_path / FILE).write_bytes(b"no data base" * 1000)
    with pytest.raises(InputError, match="is damaged"), open_store(tmp_path):
        pass


def test_no_room_is_told_before_anything_is_asked(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("micrographia.instruct.engine.store.os.posix_fallocate", full)
    with pytest.raises(OutputError, match="No space left"), open_store(tmp_path):
        pass
