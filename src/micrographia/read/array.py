"""Arrays saved by NumPy, ``.npy``, with a sidecar that says what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from micrographia.errors import ReadError
from micrographia.read.axes import Calibration, Plane, recorded
from micrographia.read.entry import Contents
from micrographia.read.parse import one_line
from micrographia.read.record import EXAMPLE, ScanRecord, read_sidecar, recorded_with

_BESIDE = (".yaml", ".yml", ".json")


def sidecars(path: Path) -> tuple[Path, ...]:
    """Return the places where the sidecar of an array is looked for.

    Examples
    --------
    >>> [p.name for p in sidecars(Path("scan.npy"))][:2]
    ['scan.yaml', 'scan.yml']
    """
    return tuple(path.with_suffix(s) for s in _BESIDE) + tuple(path.with_name(path.name + s) for s in _BESIDE)


def load(path: Path) -> Contents:
    """Read an array with its sidecar.

    Parameters
    ----------
    path : Path
        An existing ``.npy`` of shape (height, width), or (channel, height, width) where the sidecar says
        ``channels: true``, or (frame, height, width).

    Raises
    ------
    ReadError
        The file is damaged or cut short, holds no image, or has no sidecar or several.
    ContextError
        The sidecar holds an unknown key or an impossible value.
    """
    try:
        pixels = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError, SyntaxError, TypeError) as error:
        raise ReadError(
            f"{path.name} cannot be read ({one_line(error)}); accepted is a plain array of numbers saved by numpy.save"
        ) from error
    if not isinstance(pixels, np.ndarray) or pixels.dtype.kind not in "uifb" or not 2 <= pixels.ndim <= 3:
        described = f"{pixels.dtype} of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else "an archive"
        raise ReadError(f"{path.name} holds {described}; accepted are numbers of shape (height, width) or 3-D")
    record, sidecar = _sidecar(path)
    raw = {"sidecar": sidecar.name}
    reader = f"numpy {np.__version__}"
    if pixels.ndim == 2 or record.channels:
        image = recorded_with(record, pixels=pixels, name=path.stem, file=sidecar.name, raw_metadata=raw)
        return Contents(file_format="NumPy array", reader=reader, images=(image,))
    frame = recorded_with(record, pixels=pixels, name=path.stem, file=sidecar.name, raw_metadata=raw)
    calibration = Calibration(pixel_size_nm=record.pixel_size_nm, reciprocal=False)
    frames = [
        (Plane(name=f"frame {k}", kind="frame", pixels=p, calibration=calibration), frame.context, raw)
        for k, p in enumerate(pixels)
    ]
    return Contents(file_format="NumPy array", reader=reader, images=recorded(frames))


def _sidecar(path: Path) -> tuple[ScanRecord, Path]:
    found = [p for p in sidecars(path) if p.is_file()]
    if not found:
        raise ReadError(
            f"{path.name} has no sidecar: an array says nothing about pixel size or beam; write {path.stem}.yaml "
            f"beside it with what is known, for instance {{{EXAMPLE}}}"
        )
    if len(found) > 1:
        raise ReadError(f"{path.name} has several sidecars ({', '.join(p.name for p in found)}): keep one")
    return read_sidecar(found[0]), found[0]
