"""Several files of one scan: one micrograph with a channel for each detector."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from micrographia.context import Context, Origin
from micrographia.errors import ReadError
from micrographia.micrograph import Micrograph, Provenance
from micrographia.read.dispatch import merged_metadata, read

_PER_CHANNEL: Final = ("collection_mrad", "detectors")
_SIZES_AGREE_WITHIN: Final = 0.01


def read_channels(paths: Sequence[str | Path], *, info_bar: bool = True) -> Micrograph:
    """Read several files that detectors recorded at the same time, as the channels of one micrograph.

    Parameters
    ----------
    paths : sequence of str or Path
        One single-channel image each, as `micrographia.read.read` takes them, in the order of the channels.
    info_bar : bool
        As in `micrographia.read.read`.

    Returns
    -------
    Micrograph
        Its file names are joined by ``" + "``; its SHA-256 is that of the files' hexadecimal digests, joined in
        the same order. Fields of the context that differ between the files are unknown, and a note says so.

    Raises
    ------
    ReadError
        No file, the same image twice, shapes that differ, or pixel sizes that differ by more than 1 %.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in "ab":
    ...         np.save(f"{folder}/{name}.npy", np.eye(16) + ord(name))
    ...         _ = Path(f"{folder}/{name}.yaml").write_text(f"detectors: ADF {name}")
    ...     scan = read_channels([f"{folder}/a.npy", f"{folder}/b.npy"])
    >>> scan.frames.shape, scan.context.detectors, scan.provenance.file
    ((2, 16, 16), ('ADF a', 'ADF b'), 'a.npy + b.npy')
    """
    if not paths:
        raise ReadError("no file was given; give one file a channel")
    scans = tuple(read(path, info_bar=info_bar) for path in paths)
    if len(scans) == 1:
        return scans[0]
    _require_one_scan(scans)
    notes: list[str] = []
    sizes = [s for s in scans if s.pixel_size_nm is not None]
    if sizes and len(sizes) < len(scans):
        notes.append(f"pixel size is taken from {sizes[0].provenance.file}; not every channel records it")
    context = _merged([s.context for s in scans], names=[s.provenance.file for s in scans], notes=notes)
    digests = "".join(s.provenance.sha256 or "" for s in scans)
    return Micrograph(
        frames=np.concatenate([s.frames for s in scans]),
        pixel_size_nm=sizes[0].pixel_size_nm if sizes else None,
        context=context,
        provenance=Provenance(
            file=" + ".join(s.provenance.file for s in scans),
            sha256=hashlib.sha256(digests.encode()).hexdigest(),
            reader=", ".join(dict.fromkeys(s.provenance.reader for s in scans)),
            software=scans[0].provenance.software,
            raw_metadata=merged_metadata(scans),
        ),
        pixel_size_origin=sizes[0].pixel_size_origin if sizes else "file",
    )


def _require_one_scan(scans: tuple[Micrograph, ...]) -> None:
    first = scans[0]
    seen: set[tuple[str | None, str]] = set()
    for scan in scans:
        name = scan.provenance.file
        if len(scan.frames) != 1:
            raise ReadError(f"{name} has {len(scan.frames)} channels already; give single-channel files")
        image = (scan.provenance.sha256, name.partition("::")[2])
        if image in seen:
            raise ReadError(f"{name} is given twice, or is a copy of another channel; give each detector's file once")
        seen.add(image)
        if scan.frames.shape != first.frames.shape:
            raise ReadError(
                f"{name} has {scan.frames.shape[1]} x {scan.frames.shape[2]} px but {first.provenance.file} has "
                f"{first.frames.shape[1]} x {first.frames.shape[2]}; channels of one scan have one shape"
            )
    sized = [s for s in scans if s.pixel_size_nm is not None]
    for scan in sized:
        size, reference = scan.pixel_size_nm or 0.0, sized[0].pixel_size_nm or 0.0
        if abs(size - reference) > _SIZES_AGREE_WITHIN * reference:
            raise ReadError(
                f"pixel size is {size:g} nm in {scan.provenance.file} but {reference:g} nm in "
                f"{sized[0].provenance.file}; channels of one scan agree within 1 %"
            )


def _merged(contexts: list[Context], *, names: list[str], notes: list[str]) -> Context:
    fields: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name in dict.fromkeys(f for c in contexts for f in c.known()):
        knowing = [c for c in contexts if getattr(c, name) is not None]
        values = [getattr(c, name) for c in knowing]
        if name in _PER_CHANNEL:
            fields[name] = tuple(None if getattr(c, name) is None else getattr(c, name)[0] for c in contexts)
        elif all(v == values[0] for v in values):
            fields[name] = values[0]
        else:
            listed = ", ".join(dict.fromkeys(_plain(v) for v in values))
            notes.append(f"{name} differs between the channels ({listed}): left unknown")
            continue
        origins[name] = knowing[0].origins[name]
    for file, context in zip(names, contexts, strict=True):
        for note in context.notes:
            shared = all(note in c.notes for c in contexts)
            notes.append(note if shared else f"{file}: {note}")
    return Context(**fields, notes=tuple(dict.fromkeys(notes)), origins=origins)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
