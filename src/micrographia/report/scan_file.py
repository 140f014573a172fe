"""A micrograph as a file that reads back equal: ``.npy`` with a sidecar, ``.hspy``, ``.tif``."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import yaml

from micrographia.errors import OutputError
from micrographia.read.array import sidecars
from micrographia.read.parse import quiet
from micrographia.read.record import record_of
from micrographia.read.tiff import RECORD_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from micrographia.micrograph import Micrograph

_NM_PER_CM: Final = 1e7


def write_micrograph(micrograph: Micrograph, path: str | Path) -> None:
    """Write a micrograph so that `micrographia.read.read` gives it back: frames, pixel size, context, origins.

    Parameters
    ----------
    micrograph : Micrograph
        What to write. Its provenance is not kept: what is read back comes from the new file.
    path : str or Path
        ``.npy`` (a sidecar ``.yaml`` is written beside it), ``.hspy``, ``.tif`` or ``.tiff``. Each file is written
        beside its place and then moved there, so that it is never seen half-written.

    Raises
    ------
    OutputError
        Another extension, a folder that cannot be written to, or another sidecar already beside a ``.npy``.

    Examples
    --------
    >>> import tempfile
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Micrograph, Provenance
    >>> from micrographia.read import read
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> scan = Micrograph(frames=np.ones((2, 8, 8), dtype=np.float32), pixel_size_nm=0.02,
    ...                   context=Context(energy_kev=80.0, origin="user"), provenance=source)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_micrograph(scan, f"{folder}/scan.tif")
    ...     back = read(f"{folder}/scan.tif")
    >>> back.frames.shape, back.pixel_size_nm, back.context == scan.context
    ((2, 8, 8), 0.02, True)
    """
    path = Path(path)
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise OutputError(f"cannot write {path.name}: accepted extensions are {' '.join(_WRITERS)}")
    try:
        writer(micrograph, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}; give a folder that can be written to") from error


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; on leaving without an error the file moves to ``path``."""
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    draft = path.with_name(f".{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        yield draft
        os.replace(draft, path)  # noqa: PTH105 - the one-step replacement is the point
    finally:
        draft.unlink(missing_ok=True)


def _write_npy(micrograph: Micrograph, path: Path) -> None:
    place, *others = sidecars(path)
    if other := next((p for p in others if p.exists()), None):
        raise OutputError(f"cannot write {path.name}: its sidecar would be {place.name}, but {other.name} is there too")
    with _beside(place) as draft_text, _beside(path) as draft:
        np.save(draft, micrograph.frames, allow_pickle=False)
        draft_text.write_text(yaml.safe_dump(record_of(micrograph), sort_keys=False), encoding="utf-8")


def _write_tiff(micrograph: Micrograph, path: Path) -> None:
    import tifffile

    size = micrograph.pixel_size_nm
    described = json.dumps({RECORD_KEY: record_of(micrograph)})
    # Resolution tags are 32-bit fractions; beyond their range the size stands in the record alone.
    per_cm = 0.0 if size is None else _NM_PER_CM / size
    scale: dict[str, Any] = {}
    if 1e-4 < per_cm < 4e9:
        scale = {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
    with _beside(path) as draft:
        tifffile.imwrite(
            draft, micrograph.frames, photometric="minisblack", description=described, metadata=None, **scale
        )


def _write_hspy(micrograph: Micrograph, path: Path) -> None:
    from rsciio.hspy import file_writer

    axes = [
        _axis(name, size, micrograph.pixel_size_nm) for name, size in zip("cyx", micrograph.frames.shape, strict=True)
    ]
    signal = {
        "data": micrograph.frames,
        "axes": axes,
        "metadata": {
            "General": {"title": "scan"},
            "Signal": {"signal_type": ""},
            "Micrographia": {"record": json.dumps(record_of(micrograph))},
        },
        "original_metadata": {},
        "learning_results": {},
        "models": {},
        "attributes": {"_lazy": False},
        "package_info": {"package": "micrographia", "package_version": micrograph.provenance.software},
        "tmp_parameters": {},
    }
    with _beside(path) as draft, quiet([]):
        file_writer(str(draft), signal)


def _axis(name: str, size: int, pixel_size_nm: float | None) -> Mapping[str, Any]:
    spatial = name != "c"
    return {
        "name": name if spatial else "channel",
        "size": size,
        "offset": 0.0,
        "scale": pixel_size_nm if spatial and pixel_size_nm is not None else 1.0,
        "units": "nm" if spatial and pixel_size_nm is not None else "",
        "navigate": not spatial,
        "_type": "UniformDataAxis",
        "is_binned": False,
    }


_WRITERS: Final[Mapping[str, Callable[[Micrograph, Path], None]]] = {
    ".npy": _write_npy,
    ".hspy": _write_hspy,
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
}
