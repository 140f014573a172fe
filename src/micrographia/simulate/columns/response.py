"""The two numbers by which a column departs from a point that scatters incoherently: fitted, or by a rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares
from scipy.special import j0

from micrographia.context import Angles
from micrographia.errors import ContextError
from micrographia.simulate.columns.aberrations import Aberrations, ColumnResponse, radial_transfer_ratio
from micrographia.simulate.columns.column import Column, Probe
from micrographia.simulate.columns.kernels import cached_rings, ring_weights
from micrographia.simulate.columns.potentials import wavelength_A

FIT_RAD: Final = 0.75 * np.pi
"""Phase at the aperture's rim of the two defoci to which a response is fitted [rad]."""


def column_response(
    column: Column,
    *,
    energy_kev: float,
    convergence_mrad: float,
    collection_mrad: tuple[Angles, ...],
    vibration_A: float | Mapping[str, float],
    folder: Path | None = None,
) -> tuple[ColumnResponse, ...]:
    """Return, for each detector, the response with which the quick route follows a column's true defocus series.

    Parameters
    ----------
    column : Column
        The atoms; an empty column gives the response of a point.
    energy_kev, convergence_mrad : float
        Beam energy [keV] and convergence semi-angle [mrad].
    collection_mrad : tuple of (float, float)
        Inner and outer semi-angle of each detector [mrad], dark field.
    vibration_A : float or mapping of str to float
        As for `column_rings`.
    folder : Path, optional
        Cache folder of the kernels; by default `kernel_cache`.

    Returns
    -------
    tuple of ColumnResponse
        In the order of the detectors.

    Raises
    ------
    ContextError
        Angles out of order, or inside the beam's cone.

    Notes
    -----
    Least squares over the spectra of the kernels at a defocus to either side, against the in-focus spectrum times
    `radial_transfer_ratio`. The three kernels hold all scattering angles, so further detectors cost nothing. A response
    that was fitted to defocus serves for every other aberration as well, which is a test of it.

    Examples
    --------
    >>> column_response(Column(atoms=()), energy_kev=80.0, convergence_mrad=30.0, collection_mrad=((70.0, 200.0),),
    ...                 vibration_A=0.07)
    (ColumnResponse(height_A=0.0, tilt_gain=0.0),)
    """
    for inner, _ in collection_mrad:
        if inner < convergence_mrad:
            raise ContextError(
                f"the detector begins at {inner:g} mrad, inside the beam's cone of {convergence_mrad:g} mrad; "
                "accepted is a dark-field detector"
            )
    if not column.atoms:
        return tuple(ColumnResponse() for _ in collection_mrad)
    length, alpha = wavelength_A(energy_kev), 1e-3 * convergence_mrad
    defocus_A = FIT_RAD * length / (np.pi * alpha**2)
    kernels = [
        cached_rings(
            column,
            Probe(energy_kev=energy_kev, convergence_mrad=convergence_mrad, defocus_A=defocus),
            vibration_A=vibration_A,
            folder=folder,
        )
        for defocus in (0.0, defocus_A, -defocus_A)
    ]
    radius = kernels[0].radius_A
    q = (np.arange(60) + 0.5) / 60 * 2 * alpha / length
    hankel = j0(2 * np.pi * q[:, None] * radius) * radius  # a constant factor does not matter
    hankel[:, 0] = radius[1] / 12  # the trapezoid rule's end correction (Euler-Maclaurin)
    found = []
    for angles in collection_mrad:
        focused, above, below = (hankel @ (kernel.rings @ ring_weights(angles)) for kernel in kernels)
        scale = np.sqrt(q) / np.sqrt(np.sum(q * focused**2))  # Parseval: as many frequencies as the ring at q is long

        def misfit(
            values: Float[np.ndarray, " 2"],
            spectra: tuple[Float[np.ndarray, " q"], ...] = (focused, above, below),
            scale: Float[np.ndarray, " q"] = scale,
        ) -> Float[np.ndarray, " residual"]:
            response = ColumnResponse(height_A=float(values[0]), tilt_gain=float(values[1]))
            ratios = (
                radial_transfer_ratio(
                    Aberrations(defocus_A=defocus),
                    energy_kev=energy_kev,
                    convergence_mrad=convergence_mrad,
                    q_per_A=q,
                    response=response,
                )
                for defocus in (defocus_A, -defocus_A)
            )
            return np.concatenate([scale * (spectra[0] * h - s) for h, s in zip(ratios, spectra[1:], strict=True)])

        fit = least_squares(
            misfit,
            [1.0, 0.3],
            bounds=([-np.inf, -0.9], np.inf),
            x_scale=[1.0, 0.3],
            diff_step=1e-3,
            xtol=1e-6,
            ftol=1e-10,
        )
        found.append(ColumnResponse(height_A=float(fit.x[0]), tilt_gain=float(fit.x[1])))
    return tuple(found)


def estimated_response(column: Column, *, convergence_mrad: float, inner_mrad: float) -> ColumnResponse:
    """Return a column's response by a rule, where the two defocused kernels that `column_response` needs are too dear.

    Parameters
    ----------
    column : Column
        The atoms.
    convergence_mrad : float
        Convergence semi-angle [mrad].
    inner_mrad : float
        Inner semi-angle of the detector [mrad], larger than the convergence angle.

    Notes
    -----
    Atoms seem 0.8 Å deeper than they lie, and a detector collects ``1.4 (convergence / inner)^2`` more of a wave
    from the aperture's rim: close to the fits in `docs/reference/aberrations.md` (60 to 200 keV, five columns), from
    which heights differ by up to 1.1 Å and gains by up to 0.33 where a pair of chalcogens meets low angles, and by
    half of that elsewhere. A radian at the rim is 15 Å of defocus at 80 keV and 30 mrad.

    Examples
    --------
    >>> estimated_response(Column(atoms=(("S", -1.5), ("S", 1.5))), convergence_mrad=30.0, inner_mrad=60.0)
    ColumnResponse(height_A=0.8, tilt_gain=0.35)
    """
    heights_A = [z for _, z in column.atoms]
    return ColumnResponse(
        height_A=sum(heights_A) / max(1, len(heights_A)) + 0.8, tilt_gain=1.4 * (convergence_mrad / inner_mrad) ** 2
    )
