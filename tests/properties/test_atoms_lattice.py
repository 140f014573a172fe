from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.atoms.lattice import find_lattice, place_sites
from micrographia.atoms.reflections import measure_reflections


def reciprocal(a_px: float, turn_deg: float) -> np.ndarray:
    angle = np.deg2rad(turn_deg + np.array([0, 120, 240]))
    return 2 / (np.sqrt(3) * a_px) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def honeycomb(a_px: float, turn_deg: float, shift: tuple[float, float], phase_rad: float) -> np.ndarray:
    """Three waves of one phase about the lattice's origin at ``shift``: the pattern has threefold symmetry there."""
    rows, cols = np.mgrid[0:150, 0:150]
    g = reciprocal(a_px, turn_deg)
    waves = [np.cos(2 * np.pi * (gx * (cols - shift[0]) + gy * (rows - shift[1])) + phase_rad) for gx, gy in g]
    return np.sum(waves, axis=0)[None].astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(
    a_px=st.floats(7.0, 20.0),
    turn_deg=st.floats(0.0, 360.0),
    shift=st.tuples(st.floats(0.0, 20.0), st.floats(0.0, 20.0)),
    lean_rad=st.floats(-0.8, 0.8),
)
def test_any_lattice_is_found_at_any_angle(
    a_px: float, turn_deg: float, shift: tuple[float, float], lean_rad: float
) -> None:
    # A phase within 60° of 180° makes the origin the hollow site.
    frames = honeycomb(a_px, turn_deg, shift, np.pi + lean_rad)
    lattice = find_lattice(frames, file="test")
    np.testing.assert_allclose(lattice.a_px, a_px, rtol=1e-3)
    turn = np.rad2deg(np.arctan2(lattice.g_per_px[:, 1], lattice.g_per_px[:, 0])) - turn_deg
    np.testing.assert_allclose((turn + 30) % 60 - 30, 0, atol=0.1)
    reflections = measure_reflections(frames, lattice)
    x, y = place_sites(lattice, reflections.origin, margin_px=a_px)
    # Every hollow site is a whole number of cells from the shift.
    cells = reciprocal(a_px, turn_deg)[:2] @ np.stack([x - shift[0], y - shift[1]])
    np.testing.assert_allclose(cells - cells.round(), 0, atol=0.01)
