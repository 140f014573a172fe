"""Column kernels for given detectors, from the disk when they were computed before."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from platformdirs import user_cache_path
from scipy.interpolate import CubicSpline

from micrographia.context import Angles
from micrographia.errors import ContextError
from micrographia.simulate.columns.blur import blur_matrix
from micrographia.simulate.columns.column import (
    KERNEL_RADIUS_A,
    MAX_ANGLE_MRAD,
    RING_MRAD,
    Column,
    Probe,
    RingKernel,
    column_rings,
)
from micrographia.simulate.columns.vibration import displacements_A

_ALGORITHM = "hankel-3"
"""Part of every cache key; changes whenever `column_rings` gives other numbers."""

TABLE_STEP_A = 0.01
"""Step of a tabulated kernel's radius [Å]: linear interpolation errs by less than 3e-4 of the peak."""


_DISCREPANCY = 0.05
_LEAST_RELATIVE, _MOST_RELATIVE = 0.02, 2 * _DISCREPANCY


def relative_discrepancy(brightness: Float[np.ndarray, " *column"]) -> Float[np.ndarray, " *column"]:
    """Return how uncertain it is by how much a real column differs from the pristine one, as part of that difference.

    Parameters
    ----------
    brightness : float array
        Simulated brightness, the pristine column's being 1.

    Returns
    -------
    float array
        Standard deviation, 0.02 to 0.1. A column half as bright is uncertain by 0.05, which covers the kernels
        (3 %), the assumed thermal vibration and the probe's residual aberrations; one like the pristine column by
        nothing. What is missing altogether is known best: the tails of the neighbours and the background hold well.

    Examples
    --------
    >>> relative_discrepancy(np.array([0.0, 0.5, 0.96])).round(3).tolist()
    [0.02, 0.1, 0.1]
    """
    found: Float[np.ndarray, " *column"] = np.clip(4 * _DISCREPANCY * brightness, _LEAST_RELATIVE, _MOST_RELATIVE)
    return found


def kernel_cache() -> Path:
    """Return the folder of cached kernels: ``$MICROGRAPHIA_CACHE/kernels``, else in the user's cache folder."""
    root = os.environ.get("MICROGRAPHIA_CACHE")
    return (Path(root) if root else user_cache_path("micrographia")) / "kernels"


def cached_rings(
    column: Column, probe: Probe, *, vibration_A: float | Mapping[str, float], folder: Path | None = None
) -> RingKernel:
    """Return `column_rings`, kept on disk under a key of everything that it depends on.

    Parameters
    ----------
    column, probe, vibration_A
        As for `column_rings`.
    folder : Path, optional
        Cache folder; by default `kernel_cache`.

    Notes
    -----
    Of a vibration by element only the column's own elements count. A damaged file is computed again; a folder that
    cannot be written to is done without. Files hold plain arrays, no pickles.
    """
    moves_A = displacements_A((symbol for symbol, _ in column.atoms), vibration_A)
    text = f"{_ALGORITHM}|{column!r}|{probe!r}|{moves_A!r}|{KERNEL_RADIUS_A}|{MAX_ANGLE_MRAD}|{RING_MRAD}"
    path = (folder or kernel_cache()) / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"
    try:
        # Opened here: np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return RingKernel(radius_A=stored["radius_A"], rings=stored["rings"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        kernel = column_rings(column, probe, vibration_A=vibration_A)
    # A cache that cannot be written costs time, not results.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _store(kernel, path)
    return kernel


def _store(kernel: RingKernel, path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        try:
            np.savez(part, radius_A=kernel.radius_A, rings=kernel.rings)
            Path(part.name).replace(path)
        finally:
            Path(part.name).unlink(missing_ok=True)


def ring_weights(collection_mrad: Angles) -> Float[np.ndarray, " ring"]:
    """Return how much of each ring of scattering angle an annular detector sees.

    Parameters
    ----------
    collection_mrad : (float, float)
        Inner and outer semi-angle [mrad], at most 260.

    Raises
    ------
    ContextError
        The angles are out of order or reach past 260 mrad.

    Examples
    --------
    >>> ring_weights((50.0, 52.5))[49:54].tolist()
    [0.0, 1.0, 1.0, 0.5, 0.0]
    """
    inner, outer = collection_mrad
    if not 0 <= inner < outer <= MAX_ANGLE_MRAD:
        raise ContextError(
            f"collection angles are {inner:g} to {outer:g} mrad; "
            f"the simulator accepts 0 <= inner < outer <= {MAX_ANGLE_MRAD:g}"
        )
    edges = np.arange(0, MAX_ANGLE_MRAD + RING_MRAD / 2, RING_MRAD)
    weights: Float[np.ndarray, " ring"] = np.clip(
        (np.minimum(edges[1:], outer) - np.maximum(edges[:-1], inner)) / RING_MRAD, 0, 1
    )
    return weights


def detector_table(
    kernel: RingKernel, collection_mrad: Angles, *, source_sigma_A: float
) -> Float[np.ndarray, " radius"]:
    """Return one detector's kernel on a fine radius, blurred by the source.

    Parameters
    ----------
    kernel : RingKernel
        Kernel in all rings.
    collection_mrad : (float, float)
        Inner and outer semi-angle of the detector [mrad].
    source_sigma_A : float
        Standard deviation of the Gaussian source image along one axis [Å].

    Returns
    -------
    float array (radius,)
        Fraction of the beam that the column adds, at radii 0, 0.01, 0.02 ... Å, falling smoothly to 0 at the end.
    """
    profile = kernel.rings @ ring_weights(collection_mrad)
    profile = blur_matrix(kernel.radius_A, source_sigma_A) @ profile
    fine = np.arange(0, KERNEL_RADIUS_A, TABLE_STEP_A)
    # The kernel is known to about 12 Å; a cosine over the last ångström avoids a visible rim.
    taper = 0.5 * (1 + np.cos(np.pi * np.clip(fine - (KERNEL_RADIUS_A - 1), 0, 1)))
    table: Float[np.ndarray, " radius"] = CubicSpline(kernel.radius_A, profile, bc_type="clamped")(fine) * taper
    return table


def empty_beam(probe: Probe, collection_mrad: Angles) -> float:
    """Return the fraction of the unscattered beam that falls on a detector: none on a dark-field detector."""
    inner, outer = (min(angle / probe.convergence_mrad, 1.0) for angle in collection_mrad)
    return outer**2 - inner**2
