"""A folder of images a class: which files there are, which class and specimen each is of, and their vectors."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from micrographia.embed.encoder import Encoder
from micrographia.embed.whole import whole_vector
from micrographia.errors import InputError, MicrographiaError, ReadError
from micrographia.qualify.classify.classifier import UNKNOWN, TrainingImage
from micrographia.read import read


@dataclass(frozen=True, kw_only=True)
class LabelledFile:
    """An image file of a known class.

    Parameters
    ----------
    path : Path
        Where it is.
    name : str
        Its place within the folder, with forward slashes.
    label : int
        Number of its class.
    specimen : str
        What it is of.
    """

    path: Path
    name: str
    label: int
    specimen: str


@dataclass(frozen=True, kw_only=True)
class LabelledFiles:
    """Files by class.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes, in the order of the alphabet.
    files : tuple of LabelledFile
        Their files.
    beside : tuple of str
        Files that lie beside the folders of the classes, and are of none.
    """

    classes: tuple[str, ...]
    files: tuple[LabelledFile, ...]
    beside: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledVectors:
    """Vectors of images of known classes.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes.
    vectors : float32 array (image, dimension)
        Of the images.
    images : tuple of TrainingImage
        The images.
    failures : tuple of (str, MicrographiaError)
        Files that could not be used, and why.
    repeated : tuple of (str, str)
        Files that show the same as another one of the class, and that one; they do not count twice.
    """

    classes: tuple[str, ...]
    vectors: Float32[np.ndarray, "image dimension"]
    images: tuple[TrainingImage, ...]
    failures: tuple[tuple[str, MicrographiaError], ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()


def labelled_files(folder: Path, *, groups: Path | None = None) -> LabelledFiles:
    """Return the files of a folder that has a folder for every class.

    Parameters
    ----------
    folder : Path
        The folder. Hidden files do not count; within the folder of a class, folders may lie at any depth.
    groups : Path, optional
        CSV of columns ``file`` and ``group``, the specimen of each file; by default each file is a specimen by itself.

    Raises
    ------
    InputError
        There is no folder, fewer than two classes, an empty class, one called "unknown"; or the specimens of some
        files are not told.
    ReadError
        The CSV cannot be read.
    """
    if not folder.is_dir():
        raise InputError(
            f"--images {folder} is no folder; accepted is a folder with a folder of images for every class"
        )
    shown = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    homes = [p for p in shown if p.is_dir()]
    names = tuple(p.name for p in homes)
    if len(homes) < 2:
        came = f"one class, {names[0]}" if homes else "no folder of a class"
        raise InputError(
            f"--images {folder} holds {came}; accepted are two or more folders, each with images of a class"
        )
    if UNKNOWN in names:
        raise InputError(
            f"a class is called {UNKNOWN}, which stands for no class in the results; rename {folder / UNKNOWN}"
        )
    found: list[LabelledFile] = []
    for label, home in enumerate(homes):
        paths = sorted(p for p in home.rglob("*") if p.is_file() and not _hidden(p.relative_to(folder)))
        if not paths:
            raise InputError(f"class {home.name} is empty; put images into {home}, or remove it")
        for path in paths:
            name = path.relative_to(folder).as_posix()
            found.append(LabelledFile(path=path, name=name, label=label, specimen=name))
    if groups is not None:
        told = _specimens(groups, found)
        found = [LabelledFile(path=f.path, name=f.name, label=f.label, specimen=told[f.name]) for f in found]
    return LabelledFiles(classes=names, files=tuple(found), beside=tuple(p.name for p in shown if p.is_file()))


def embed_files(
    files: LabelledFiles,
    encoder: Encoder,
    *,
    tile_px: int | None = None,
    info_bar: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> LabelledVectors:
    """Read and embed the first channel of every file; those that cannot be used are told among the failures.

    Parameters
    ----------
    files : LabelledFiles
        From `labelled_files`.
    encoder : Encoder
        One that sees.
    tile_px : int, optional
        As of `whole_vector`.
    info_bar : bool
        As of `read`.
    progress : callable, optional
        Told how many files are done, of how many, and the next.
    note : callable, optional
        As of `whole_vector`.

    Raises
    ------
    InputError
        The same image is in two classes, or no image of a class could be used.
    """
    if not encoder.sees:
        raise InputError(
            f"encoder {encoder.name} does not see images; accepted is one that does, see `micrographia embed --list`"
        )
    vectors: list[Float32[np.ndarray, " dimension"]] = []
    images: list[TrainingImage] = []
    failures: list[tuple[str, MicrographiaError]] = []
    repeated: list[tuple[str, str]] = []
    first: dict[str, LabelledFile] = {}
    for k, file in enumerate(files.files):
        if progress is not None:
            progress(k, len(files.files), file.name)
        try:
            micrograph = read(str(file.path), info_bar=info_bar)
            frame = micrograph.frames[0]
            before = first.setdefault(pixels_sha256(frame), file)
            if before.label == file.label and before is not file:
                repeated.append((file.name, before.name))
                continue
            vector = whole_vector(encoder, frame, tile_px=tile_px, note=note) if before is file else None
        except MicrographiaError as error:
            failures.append((file.name, error))
            continue
        if vector is None:
            raise InputError(
                f"{before.name} and {file.name} are the same image in two classes; keep it in the class that it is of"
            )
        vectors.append(vector)
        sha256 = micrograph.provenance.sha256 or ""
        images.append(TrainingImage(file=file.name, sha256=sha256, label=file.label, specimen=file.specimen))
    if progress is not None:
        progress(len(files.files), len(files.files), "")
    labels = {image.label for image in images}
    for label, name in enumerate(files.classes):
        if label not in labels:
            where = next(why for file, why in failures if file.startswith(f"{name}/"))
            raise InputError(f"class {name} has no image that could be used, the first because: {where}")
    return LabelledVectors(
        classes=files.classes,
        vectors=np.stack(vectors),
        images=tuple(images),
        failures=tuple(failures),
        repeated=tuple(repeated),
    )


def pixels_sha256(frame: Float[np.ndarray, "height width"]) -> str:
    """Return a hash of what an image shows, whatever file it is in."""
    digest = hashlib.sha256(str(frame.shape).encode())
    digest.update(np.ascontiguousarray(frame, dtype=np.float32).data)
    return digest.hexdigest()


def _hidden(place: Path) -> bool:
    return any(part.startswith(".") for part in place.parts)


def _specimens(path: Path, files: list[LabelledFile]) -> Mapping[str, str]:
    """Return the specimen of each file; one is named by its place in the folder, or by its name if no other has it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            if missing := {"file", "group"} - set(rows.fieldnames or ()):
                raise InputError(f"--groups {path} lacks the column {min(missing)}; accepted is a CSV of file,group")
            said = [(row["file"] or "", row["group"] or "") for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReadError(
            f"--groups {path} cannot be read ({error}); accepted is a CSV of file,group in UTF-8"
        ) from error
    bare: dict[str, list[str]] = {}
    for file in files:
        bare.setdefault(file.path.name, []).append(file.name)
    places = {file.name for file in files}
    told: dict[str, str] = {}
    for name, group in said:
        meant = [name] if name in places else bare.get(name, [])
        if len(meant) != 1:
            why = f"{len(meant)} files have that name" if meant else "there is no such file"
            raise InputError(f"--groups {path} names {name!r}, but {why}; accepted are names like {files[0].name}")
        if not group or told.setdefault(meant[0], group) != group:
            raise InputError(f"--groups {path} gives {name} {'two groups' if group else 'no group'}; give it one")
    if unsaid := [file.name for file in files if file.name not in told]:
        raise InputError(
            f"--groups {path} says nothing of {len(unsaid)} files, the first {unsaid[0]}; add a row for each"
        )
    return told
