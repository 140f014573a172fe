"""Measure a scan's reflections: the complex Fourier coefficients of its mean unit cell, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Complex, Float, Int
from scipy.ndimage import gaussian_filter

from micrographia.atoms.lattice import Lattice

# Indices of half the reflections of each order, threefold families together: |G| = 1, sqrt(3), 2 of the first.
_FAMILIES: Final[tuple[tuple[tuple[int, int], ...], ...]] = (
    ((1, 0), (0, 1), (-1, -1)),
    ((1, -1), (1, 2), (-2, -1)),
    ((2, 0), (0, 2), (-2, -2)),
)


@dataclass(frozen=True, kw_only=True)
class Reflections:
    """Fourier coefficients of the mean unit cell.

    Parameters
    ----------
    index : int array (reflection, 2)
        Indices along the lattice's first two reciprocal vectors; three of one family follow each other.
    coefficient : complex array (channel, reflection)
        Coefficients about the origin ``origin`` [intensity units of the file].
    noise : float array (channel,)
        Standard deviation of a coefficient where the lattice puts none [same units].
    origin : float array (2,)
        Lattice coordinates of the hollow site: the threefold axis without an atom, where the scan is darkest.
    """

    index: Int[np.ndarray, "reflection 2"]
    coefficient: Complex[np.ndarray, "channel reflection"]
    noise: Float[np.ndarray, " channel"]
    origin: Float[np.ndarray, " 2"]


def measure_reflections(frames: Float[np.ndarray, "channel height width"], lattice: Lattice) -> Reflections:
    """Measure the reflections of all channels about their common hollow site.

    Parameters
    ----------
    frames : float array (channel, height, width)
        The scan.
    lattice : Lattice
        Its lattice.

    Notes
    -----
    Three first-order coefficients have equal phase about each of the three threefold axes of the cell. The
    two axes with atoms make that phase lie within 60° of 0° and the hollow one puts it within 60° of 180°,
    whatever the brightness of the two columns; all channels vote, by amplitude.
    """
    _, height, width = frames.shape
    window = np.hanning(height)[:, None] * np.hanning(width) * (lattice.strength > 0.5)
    window = window / window.sum()
    p1, p2 = lattice.phase_rad
    index = np.array([g for family in _FAMILIES for g in family])
    # Between reflections there is only noise; these eight are first-order in size but belong to no lattice.
    between = np.array(
        [(0.5, 0.5), (1.0, 0.5), (0.5, 1.0), (1.5, 0.5), (0.5, -0.5), (1.0, -0.5), (0.5, 1.5), (1.5, 1.0)]
    )
    coefficients, noise = [], []
    for frame in frames:
        image = frame.astype(np.float64)
        image = (image - gaussian_filter(image, 1.5 * lattice.a_px)) * window
        coefficients.append([np.sum(image * np.exp(-1j * (n1 * p1 + n2 * p2))) for n1, n2 in index])
        noise.append(
            np.sqrt(np.mean([np.abs(np.sum(image * np.exp(-1j * (n1 * p1 + n2 * p2)))) ** 2 for n1, n2 in between]) / 2)
        )
    measured = np.array(coefficients)
    origin = _hollow(measured[:, :3])
    return Reflections(
        index=index,
        coefficient=measured * np.exp(2j * np.pi * (index @ origin)),
        noise=np.array(noise),
        origin=origin,
    )


def _hollow(first: Complex[np.ndarray, "channel 3"]) -> Float[np.ndarray, " 2"]:
    """Lattice coordinates of the threefold axis about which the first order is most negative."""
    # Channels share the axes but not the common phase; the offset of each reflection from its own mean is shared.
    closure = np.prod(first, axis=1)
    mean = np.exp(1j * np.angle(closure) / 3)
    relative = first * mean.conj()[:, None]
    # Each channel leaves a choice of three axes: bring all to that of the first.
    third = np.exp(2j * np.pi / 3)
    for c in range(1, len(first)):
        turns = [float(np.real(np.vdot(relative[0], relative[c] * third**k))) for k in range(3)]
        relative[c] *= third ** int(np.argmax(turns))
    shared = np.angle(relative.sum(axis=0))
    # A site at s turns reflection G by exp(-2 pi i G.s): remove the shared turn, then try the three axes.
    start = -shared[:2] / (2 * np.pi)
    axes = [start + k / 3 for k in range(3)]
    votes = [float(np.real(np.sum(first * np.exp(2j * np.pi * np.array([s[0], s[1], -s.sum()]))))) for s in axes]
    hollow: Float[np.ndarray, " 2"] = axes[int(np.argmin(votes))] % 1.0
    return hollow
