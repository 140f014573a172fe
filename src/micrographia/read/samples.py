"""Openly licensed micrographs to try things on: where they are from, under which licence, and their hashes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import platformdirs

from micrographia.errors import ReadError
from micrographia.read.parse import one_line

VARIABLE = "MICROGRAPHIA_SAMPLES"
"""Environment variable that names a folder with samples, looked into before the cache."""


@dataclass(frozen=True, kw_only=True)
class SampleFile:
    """One file of a sample.

    Parameters
    ----------
    path : str
        Path below the folder of samples.
    sha256 : str
        SHA-256 of its bytes, hexadecimal.
    bytes : int
        Size.
    needed : bool
        False for labels and notes: a sample is usable without them.
    url : str, optional
        Where it can be downloaded. None where the upstream path is unknown or the upstream file has other bytes.
    url_note : str, optional
        How sure that is.
    """

    path: str
    sha256: str
    bytes: int
    needed: bool
    url: str | None
    url_note: str | None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample: its files, and whom to thank.

    Parameters
    ----------
    name : str
        Name that ``micrographia samples fetch`` takes.
    description : str
        What it shows.
    folder : str
        Folder of its files, below the folder of samples.
    licence, copyright : str
        SPDX identifier, and the holder.
    repository, commit : str
        GitHub repository and commit it was copied from.
    caution : str, optional
        What to know before believing it.
    files : tuple of SampleFile
        Its files.
    """

    name: str
    description: str
    folder: str
    licence: str
    copyright: str
    repository: str
    commit: str
    caution: str | None
    files: tuple[SampleFile, ...]


@cache
def registry() -> Mapping[str, Sample]:
    """Return all samples by name.

    Examples
    --------
    >>> registry()["stem-wse2-ti-field02"].licence
    'MIT'
    """
    tree = json.loads(files("micrographia.read").joinpath("samples.json").read_text(encoding="utf-8"))
    samples = [Sample(**{**s, "files": tuple(SampleFile(**f) for f in s["files"])}) for s in tree["samples"]]
    return {sample.name: sample for sample in samples}


def sample_path(name: str) -> Path:
    """Return the folder of a sample, from ``$MICROGRAPHIA_SAMPLES``, the cache, or a download into the cache.

    Parameters
    ----------
    name : str
        Key of `registry`.

    Returns
    -------
    Path
        Folder that holds every needed file of the sample.

    Raises
    ------
    ReadError
        No such sample, a file with other bytes than registered, or one that is nowhere to be had.
    """
    sample = _sample(name)
    found = [file_path(file) for file in sample.files if file.needed]
    # Files of one sample come from one place, unless the first place holds a part only.
    roots = {path.parents[len(Path(f.path).parts) - 1] for path, f in zip(found, _needed(sample), strict=True)}
    if len(roots) > 1:
        raise ReadError(
            f"sample {name} is partly in {' and partly in '.join(sorted(map(str, roots)))}; "
            f"complete the first or unset ${VARIABLE}"
        )
    return roots.pop() / sample.folder


def file_path(file: SampleFile) -> Path:
    """Return where one file of a sample is, after downloading it where necessary.

    Raises
    ------
    ReadError
        Its bytes are not the registered ones, or it is nowhere to be had.
    """
    for root in _roots():
        path = root / file.path
        if path.is_file():
            _require_hash(path, file)
            return path
    if file.url is None:
        raise ReadError(
            f"{file.path} cannot be downloaded ({file.url_note}); set ${VARIABLE} to a folder that holds it"
        )
    return _download(file)


def _needed(sample: Sample) -> tuple[SampleFile, ...]:
    return tuple(f for f in sample.files if f.needed)


def _sample(name: str) -> Sample:
    if name not in registry():
        raise ReadError(f"there is no sample {name!r}; accepted is one of {', '.join(registry())}")
    return registry()[name]


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("micrographia")) / "samples"


def _roots() -> tuple[Path, ...]:
    given = os.environ.get(VARIABLE)
    return (Path(given), _cache()) if given else (_cache(),)


def _require_hash(path: Path, file: SampleFile) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}") from error
    if found != file.sha256:
        raise ReadError(
            f"{path} has other bytes than registered (SHA-256 {found[:12]}… instead of {file.sha256[:12]}…): "
            "delete it and fetch it again"
        )


def _download(file: SampleFile) -> Path:
    import pooch

    target = _cache() / file.path
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        pooch.retrieve(file.url, known_hash=f"sha256:{file.sha256}", fname=target.name, path=target.parent)
    except Exception as error:  # pooch and its transports raise many kinds
        raise ReadError(
            f"{file.path} cannot be downloaded from {file.url} ({one_line(error)}); "
            f"check the network, or set ${VARIABLE} to a folder that holds it"
        ) from error
    return target
