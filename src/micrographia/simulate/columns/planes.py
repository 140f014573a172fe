"""Kernels of probes that are not round: exact planes, and their superposition into a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numba import njit, prange
from scipy.ndimage import spline_filter

from micrographia.context import Angles
from micrographia.errors import ContextError
from micrographia.simulate.columns.aberrations import Aberrations
from micrographia.simulate.columns.column import KERNEL_RADIUS_A, Column, Probe
from micrographia.simulate.columns.kernels import TABLE_STEP_A, cached_rings, detector_table
from micrographia.simulate.columns.kernels2d import column_plane
from micrographia.simulate.columns.potentials import wavelength_A

_OVERSAMPLED: Final = 1.05
"""How much finer than the probe's band limit asks for a plane is computed."""
_WIDEST_A: Final = 8.0
"""Largest radius of the probe [Å] by geometrical optics that planes of 12 Å around a column hold."""
_REACH: Final = 6.0
"""How far past the geometrical probe a plane is computed, in wavelengths over convergence angle."""
_FINER: Final = 4
"""Steps of the splines in one step of the computed plane."""


def spline_step_A(probe: Probe) -> float:
    """Return the step of the splines that `plane_spline` gives [Å].

    Parameters
    ----------
    probe : Probe
        The probe.

    Notes
    -----
    A fourth of the step at which the plane is computed: a signal quadratic in the probe's wave holds no
    frequency above ``2 alpha / lambda``.

    Examples
    --------
    >>> print(f"{spline_step_A(Probe(energy_kev=80.0, convergence_mrad=30.0)):.4f} Å")
    0.0829 Å
    """
    band_limit_per_A = 2e-3 * probe.convergence_mrad / wavelength_A(probe.energy_kev)
    return 1 / (2 * _OVERSAMPLED * band_limit_per_A) / _FINER


def plane_spline(
    column: Column,
    probe: Probe,
    aberrations: Aberrations,
    *,
    collection_mrad: Angles,
    source_sigma_A: float,
    vibration_A: float | Mapping[str, float],
) -> Float[np.ndarray, "y x"]:
    """Return one detector's kernel as the coefficients of a cubic spline, blurred by the source.

    Parameters
    ----------
    column : Column
        The atoms.
    probe : Probe
        Its energy and convergence count.
    aberrations : Aberrations
        All aberrations of the probe.
    collection_mrad, vibration_A
        As for `column_plane`.
    source_sigma_A : float
        Standard deviation of the Gaussian source image along one axis [Å].

    Returns
    -------
    float array (y, x)
        Coefficients on a grid of `spline_step_A`, the column in the middle; the kernel falls smoothly to 0 at 12 Å,
        as in `detector_table`.

    Raises
    ------
    ContextError
        As `column_plane`; or aberrations that spread the probe further than 8 Å.
    StructureError
        As `column_plane`.

    Notes
    -----
    The plane is computed as far as the aberrations' rays go and six times ``lambda / alpha`` more, anew each time. It
    becomes finer by its Fourier series, which errs by what is cut off at the edges. From there on the kernel is that
    of the round aberrations alone: all have the tails of the aperture's edge, 1e-4 of the peak and less.
    """
    spread_A = _spread_A(aberrations, probe.convergence_mrad)
    if not spread_A <= _WIDEST_A:
        raise ContextError(
            f"the aberrations spread the probe over {spread_A:.3g} Å around its centre; accepted is at most "
            f"{_WIDEST_A:g} Å: give smaller ones or a smaller convergence angle"
        )
    step_A = _FINER * spline_step_A(probe)
    airy_A = wavelength_A(probe.energy_kev) / (1e-3 * probe.convergence_mrad)
    reach_A = min(spread_A + _REACH * airy_A, KERNEL_RADIUS_A)
    half = int(np.ceil(reach_A / step_A)) + 1
    plane = column_plane(
        column,
        energy_kev=probe.energy_kev,
        convergence_mrad=probe.convergence_mrad,
        aberrations=aberrations,
        vibration_A=vibration_A,
        collection_mrad=collection_mrad,
        extent_A=2 * half * step_A,
        step_A=step_A,
    )
    count = len(plane)
    spectrum = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(plane)))
    q = np.arange(-half, half + 1) / (count * step_A)
    fall = np.exp(-2 * (np.pi * source_sigma_A * q) ** 2)
    spectrum *= fall[:, None] * fall
    fine_half = _FINER * count // 2
    more = fine_half - half
    spectrum = np.pad(spectrum, ((more, more - 1), (more, more - 1)))
    fine = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(spectrum)).real) * _FINER**2
    radial_probe = replace(probe, defocus_A=aberrations.defocus_A, cs_mm=aberrations.cs_mm)
    table = detector_table(
        cached_rings(column, radial_probe, vibration_A=vibration_A), collection_mrad, source_sigma_A=source_sigma_A
    )
    fine_step_A, edge = step_A / _FINER, int(np.ceil(KERNEL_RADIUS_A / step_A)) * _FINER + 2
    axis_A = np.arange(-edge, edge + 1) * fine_step_A
    radius_A = np.hypot(axis_A[:, None], axis_A)
    kernel = np.interp(radius_A, np.arange(table.size) * TABLE_STEP_A, table, right=0.0)
    inner = min(fine_half - 1, edge)  # the plane has a point more on one side than on the other
    within = slice(edge - inner, edge + inner + 1)
    shown = fine[fine_half - inner : fine_half + inner + 1, fine_half - inner : fine_half + inner + 1]
    share = _fading(radius_A[within, within], reach_A - min(airy_A, 1.0), reach_A)
    last_A = _fading(radius_A[within, within], KERNEL_RADIUS_A - 1, KERNEL_RADIUS_A)
    kernel[within, within] += share * (shown * last_A - kernel[within, within])
    coefficients: Float[np.ndarray, "y x"] = spline_filter(kernel, order=3)
    return coefficients


def _fading(radius_A: Float[np.ndarray, "y x"], start_A: float, end_A: float) -> Float[np.ndarray, "y x"]:
    """Return weights that go from 1 to 0 along half a cosine."""
    return np.asarray(0.5 * (1 + np.cos(np.pi * np.clip((radius_A - start_A) / (end_A - start_A), 0, 1))))


def _spread_A(aberrations: Aberrations, convergence_mrad: float) -> float:
    """Return a bound on how far the rim's rays pass from the probe's centre: terms of the gradient of chi."""
    a, alpha = aberrations, 1e-3 * convergence_mrad
    return (
        (abs(a.defocus_A) + abs(a.astigmatism2_A)) * alpha
        + (abs(a.astigmatism3_A) + abs(a.coma_A)) * alpha**2
        + 1e7 * abs(a.cs_mm) * alpha**3
    )


@njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
def superpose_planes(
    x_px: Float[np.ndarray, " site"],
    y_px: Float[np.ndarray, " site"],
    kind: Int[np.ndarray, " site"],
    splines: Float[np.ndarray, "kind y x"],
    step_A: float,
    pixel_A: float,
    row_x_px: Float[np.ndarray, " height"],
    row_y_px: Float[np.ndarray, " height"],
    column_x_px: Float[np.ndarray, " width"],
) -> Float[np.ndarray, "height width"]:
    """Return the sum of kernels centred on sites, as a probe off its path sees them.

    Parameters
    ----------
    x_px, y_px : float array (site,)
        Positions [px], first pixel's centre at 0; may lie outside.
    kind : int array (site,)
        Which of ``splines`` each site takes.
    splines : float array (kind, y, x)
        From `plane_spline`; zero beyond.
    step_A : float
        Step of the splines [Å].
    pixel_A : float
        Pixel size [Å].
    row_x_px, row_y_px, column_x_px : float array
        As in `ProbePath`; give the size of the scan.

    Returns
    -------
    float array (height, width)
        In the units of ``splines``.
    """
    height, width = row_x_px.size, column_x_px.size
    image = np.zeros((height, width))
    side = splines.shape[1]
    middle = side // 2
    reach_px = (middle - 2) * step_A / pixel_A
    least, most = column_x_px.min(), column_x_px.max()
    order = np.argsort(y_px)
    sorted_y = y_px[order]
    scale = pixel_A / step_A
    for row in prange(height):
        y = row + row_y_px[row]
        line = np.empty(side)
        for n in range(np.searchsorted(sorted_y, y - reach_px), np.searchsorted(sorted_y, y + reach_px)):
            site = order[n]
            spline = splines[kind[site]]
            position = (y - y_px[site]) * scale + middle
            index = int(position)
            before, at, after, last = _cubic(position - index)
            for i in range(side):  # this row of the kernel, before it is read at any column
                line[i] = (
                    before * spline[index - 1, i]
                    + at * spline[index, i]
                    + after * spline[index + 1, i]
                    + last * spline[index + 2, i]
                )
            x = x_px[site] - row_x_px[row]
            first, end = int(np.ceil(x - reach_px - most)), int(x + reach_px - least) + 1
            for col in range(max(0, first), min(width, end)):
                position = (col + column_x_px[col] - x) * scale + middle
                index = int(position)
                if index < 1 or index > side - 3:
                    continue
                before, at, after, last = _cubic(position - index)
                image[row, col] += (
                    before * line[index - 1] + at * line[index] + after * line[index + 1] + last * line[index + 2]
                )
    return image


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _cubic(part: float) -> tuple[float, float, float, float]:
    """Values of the four cubic B-splines that cover a point between two knots."""
    rest = 1 - part
    return (
        rest**3 / 6,
        2 / 3 - part**2 * (1 + rest) / 2,
        2 / 3 - rest**2 * (1 + part) / 2,
        part**3 / 6,
    )
