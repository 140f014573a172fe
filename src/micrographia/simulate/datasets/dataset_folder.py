"""The folder of a data set: its record, what may be written into it, and by whom."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import zarr
from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveInt, ValidationError

from micrographia.errors import OutputError
from micrographia.simulate.datasets.dataset_card import dataset_card
from micrographia.simulate.datasets.shards import INDEX, STORE, Layout, create_array

if sys.platform != "win32":
    import fcntl

SCHEMA: Final = "micrographia/dataset/1"
RECORD: Final = "dataset.json"
CARD: Final = "README.md"
_DRAFTS: Final = ".partial-"


class DatasetRecord(BaseModel):
    """``dataset.json``: what a data set holds, and all that it depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    schema_: Literal["micrographia/dataset/1"] = Field(alias="schema")
    complete: bool = Field(description="false while the data set is being written, and after an interruption")
    patches: PositiveInt
    size_px: PositiveInt = Field(description="Height and width of a patch [px]")
    channels: PositiveInt = Field(description="Number of detectors")
    group_size: PositiveInt = Field(description="Consecutive patches that share their optics")
    shard_patches: PositiveInt = Field(description="Patches in a file")
    clean: bool = Field(description="Whether there is an array of noise-free patches too")
    settings: dict[str, JsonValue] = Field(description="All that the patches depend on")
    software: dict[str, str] = Field(description="Versions with which the data set was begun")

    @property
    def layout(self) -> Layout:
        """How the data set is cut into files."""
        return Layout(
            patches=self.patches,
            size_px=self.size_px,
            channels=self.channels,
            group_size=self.group_size,
            shard_patches=self.shard_patches,
            clean=self.clean,
        )


def read_record(out: Path) -> DatasetRecord | None:
    """Return the record of a data set that is there already; None for a folder that is free."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise OutputError(f"{out} is a file; give the name of a folder")
    try:
        return DatasetRecord.model_validate_json((out / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if any(not path.name.startswith(_DRAFTS) for path in out.iterdir()):
            raise OutputError(
                f"{out} holds files but no data set ({RECORD} is missing); give a new or an empty folder"
            ) from None
        return None
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        what = str(error).splitlines()[0]
        raise OutputError(
            f"cannot read {out / RECORD} ({what}); remove that data set or give another folder"
        ) from error


def require_same(earlier: DatasetRecord | None, wanted: DatasetRecord, out: Path) -> None:
    """Refuse to mix patches of different settings in one data set."""
    if earlier is None:
        return
    ours, theirs = (
        _flat(r.model_dump(exclude={"schema_", "complete", "patches", "software"})) for r in (wanted, earlier)
    )
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            raise OutputError(
                f"the data set at {out} was made with other settings: {name} is {theirs.get(name)!r} there "
                f"and {ours.get(name)!r} now; give another folder, or the same settings to go on"
            )
    if earlier.patches > wanted.patches:
        raise OutputError(
            f"the data set at {out} has {earlier.patches} patches and {wanted.patches} were asked for; "
            "give another folder, or at least as many to add to it"
        )


def _flat(value: object, name: str = "") -> dict[str, object]:
    if isinstance(value, Mapping):
        return {k: v for key, part in value.items() for k, v in _flat(part, f"{name}.{key}".strip(".")).items()}
    return {name.removeprefix("settings."): value}


@contextmanager
def sole_writer(out: Path) -> Iterator[None]:
    """Hold a data set's folder against other writers; on an error, remove it when it is new and no shard is in it.

    Parameters
    ----------
    out : Path
        The folder; it is made where there is none.

    Raises
    ------
    OutputError
        It cannot be made, or another process holds it.
    """
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror or error}; give another folder") from error
    try:
        if sys.platform != "win32":  # where a folder cannot be locked
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go when the process ends
            except BlockingIOError as error:
                raise OutputError(
                    f"another process is writing the data set at {out}; wait for it, or end it"
                ) from error
        try:
            yield
        except BaseException:
            if new and not any((out / INDEX).glob("part-*")):
                shutil.rmtree(out, ignore_errors=True)
            raise
    finally:
        os.close(handle)


def begin(out: Path, wanted: DatasetRecord, layout: Layout) -> DatasetRecord:
    """Write what a data set has besides its shards, and remove what an interrupted run left."""
    earlier = read_record(out)
    record = wanted if earlier is None else wanted.model_copy(update={"software": earlier.software})
    try:
        for path in out.glob(f"{_DRAFTS}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        (out / INDEX).mkdir(exist_ok=True)
        if earlier is None or earlier.patches < wanted.patches or not earlier.complete:
            _replace(out / RECORD, _json(record))
        group = zarr.open_group(out / STORE, mode="a", zarr_format=3)
        for name in layout.arrays:
            # Zarr replaces its description of an array in one step; the shards are not touched.
            if name not in group:
                create_array(group.store, name, layout, patches=layout.patches)
            array = zarr.open_array(out / STORE / name, mode="r+")
            if array.shape[0] != layout.patches:
                array.resize((layout.patches, *array.shape[1:]))
    except OSError as error:
        raise OutputError(
            f"cannot write to {out}: {error.strerror or error}; make room or give another folder"
        ) from error
    return record


@contextmanager
def draft_folder(out: Path) -> Iterator[Path]:
    """Give a folder for unfinished files that is gone afterwards; what is still under way then comes to nothing."""
    draft = out / f"{_DRAFTS}{secrets.token_hex(4)}"
    try:
        draft.mkdir()
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror or error}; make room") from error
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def finish(out: Path, record: DatasetRecord, layout: Layout, command: str | None) -> None:
    """Write the card, and say that the data set is complete.

    Parameters
    ----------
    out : Path
        The folder; all shards are there.
    record : DatasetRecord
        What it holds.
    layout : Layout
        How it is cut.
    command : str, optional
        The command line, for the card.

    Raises
    ------
    OutputError
        The disk is full.
    """
    try:
        for path in (out / STORE).rglob("*.partial"):  # Zarr's own, when it was interrupted
            path.unlink()
        _replace(out / CARD, dataset_card(out, layout, record.settings, record.software, command))
        _replace(out / RECORD, _json(record.model_copy(update={"complete": True})))
    except OSError as error:
        raise OutputError(f"cannot finish {out}: {error.strerror or error}; give the same command again") from error


def _replace(place: Path, text: str) -> None:
    """Write a file beside its place, then move it there."""
    draft = place.parent / f"{_DRAFTS}{place.name}"
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _json(record: DatasetRecord) -> str:
    return record.model_dump_json(indent=2) + "\n"


def versions() -> dict[str, str]:
    """Return the versions of what makes patches and files."""
    packages = ("micrographia", "numpy", "numba", "numcodecs", "pyarrow", "zarr")
    return {**{name: metadata.version(name) for name in packages}, "python": platform.python_version()}
