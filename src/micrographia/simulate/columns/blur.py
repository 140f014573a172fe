"""Gaussian blur of round functions, tabulated along a radius."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from scipy.special import i0e


def blur_matrix(radius_A: Float[np.ndarray, " radius"], sigma_A: float) -> Float[np.ndarray, "radius radius"]:
    """Return the matrix that convolves a round function with a round Gaussian.

    Parameters
    ----------
    radius_A : float array (radius,)
        Uniform radii from 0 [Å] on which the function is known; a cubic spline stands between them, and past
        the last the function is zero.
    sigma_A : float
        Standard deviation of the Gaussian along one axis [Å], 0 or more.

    Returns
    -------
    float array (radius, radius)
        ``blurred = matrix @ function``.

    Notes
    -----
    ``g(r) = int f(s) exp(-(r - s)^2 / 2 sigma^2) I0e(r s / sigma^2) s ds / sigma^2``; the angular integral of
    the Gaussian gives the scaled Bessel function ``I0e``.

    Examples
    --------
    A Gaussian blurred by another is a Gaussian whose variance is the sum.

    >>> r = np.arange(0, 6, 0.1)
    >>> blurred = blur_matrix(r, 0.3) @ np.exp(-(r**2) / (2 * 0.4**2))
    >>> bool(np.allclose(blurred, 0.4**2 / 0.5**2 * np.exp(-(r**2) / (2 * 0.5**2)), atol=2e-4))
    True
    """
    count = radius_A.size
    if sigma_A == 0:
        return np.eye(count)
    step = radius_A[1] - radius_A[0]
    fine_step = min(step / 4, sigma_A / 6)
    fine = (np.arange(round(radius_A[-1] / fine_step)) + 0.5) * fine_step
    to_fine = CubicSpline(radius_A, np.eye(count), bc_type=("clamped", "natural"))(fine)
    r, s = radius_A[:, None], fine[None, :]
    gauss = np.exp(-((r - s) ** 2) / (2 * sigma_A**2)) * i0e(r * s / sigma_A**2) * s * fine_step / sigma_A**2
    matrix: Float[np.ndarray, "radius radius"] = gauss @ to_fine
    # The integrand starts with a slope, so the midpoint rule wants its end correction (Euler-Maclaurin).
    matrix[:, 0] -= fine_step**2 / (24 * sigma_A**2) * np.exp(-(radius_A**2) / (2 * sigma_A**2))
    return matrix
