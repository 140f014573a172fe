from __future__ import annotations

import numpy as np
import pytest
from scans import HIGH, LOW, field, gaussian_pattern, measured, placed, scan_of, truth, worst_miss

HEIGHTS = {"first brighter": (2.0, 0.7), "second brighter": (0.7, 2.0), "equal": (1.0, 1.0)}


@pytest.mark.parametrize("heights", HEIGHTS.values(), ids=HEIGHTS.keys())
def test_the_origin_is_the_hollow_site_whichever_column_is_brighter(heights: tuple[float, float]) -> None:
    image, (first, second, hollow) = gaussian_pattern(
        size=160, a_px=13.0, turn_deg=21, shift_px=(3.3, -1.7), heights=heights, sigma_px=2.2
    )
    lattice, reflections = measured(image[None])
    assert worst_miss(hollow, placed(lattice, reflections, 0), image.shape, 13.0) < 0.05
    # The other two axes hold the two columns.
    other = np.concatenate([placed(lattice, reflections, k) for k in (1, 2)])
    assert worst_miss(np.concatenate([first, second]), other, image.shape, 13.0) < 0.05


def test_channels_of_opposite_brightness_order_share_the_hollow_site() -> None:
    specimen = field(60.0, seed=4, rotation_deg=12.0)
    scan = scan_of(specimen, detectors=(HIGH, LOW), dose=1e6)
    lattice, reflections = measured(scan.frames)
    metal, pair = truth(specimen, 0.25, "M"), truth(specimen, 0.25, "X")
    atoms = np.concatenate([placed(lattice, reflections, k) for k in (1, 2)])
    assert worst_miss(np.concatenate([metal, pair]), atoms, scan.frames.shape, 3.32 / 0.25) < 0.15
    # Opposite order: the first-order phases lie on opposite sides of 180°.
    closure = np.angle(-np.prod(reflections.coefficient[:, :3], axis=1)) / 3
    assert closure[0] * closure[1] < 0


def test_coefficients_are_the_fourier_series_of_the_unit_cell() -> None:
    a_px, sigma_px, heights = 13.0, 2.2, (2.0, 0.7)
    image, (first, *_) = gaussian_pattern(
        size=220, a_px=a_px, turn_deg=21, shift_px=(3.3, -1.7), heights=heights, sigma_px=sigma_px
    )
    lattice, reflections = measured(image[None])
    near = worst_miss(first, placed(lattice, reflections, 1), image.shape, a_px) < 1
    one, two = heights if near else heights[::-1]
    # A Gaussian of height A gives A 2 pi s^2 / area exp(-2 pi^2 s^2 G^2), with |G| = 1, sqrt 3, 2 times 2 / (sqrt 3 a).
    area = np.sqrt(3) / 2 * a_px**2
    order = np.repeat([1.0, np.sqrt(3), 2.0], 3) * 2 / (np.sqrt(3) * a_px)
    size = 2 * np.pi * sigma_px**2 / area * np.exp(-2 * np.pi**2 * sigma_px**2 * order**2)
    turn = np.exp(-2j * np.pi * reflections.index.sum(axis=1) / 3)
    wanted = size * (one * turn + two * turn**2)
    assert np.abs(reflections.coefficient[0] - wanted).max() < 3e-3 * np.abs(wanted[:3]).max()
    assert reflections.noise[0] < 1e-3 * np.abs(wanted[0])


def test_noise_is_that_of_a_coefficient() -> None:
    # White noise of variance v, weighed by w (sum 1): each part of a coefficient has the variance v sum(w^2) / 2.
    image, _ = gaussian_pattern(size=160, a_px=13.0, turn_deg=21, shift_px=(0, 0), heights=(2, 1), sigma_px=2.2)
    squares = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        _, reflections = measured((image + rng.normal(0, 0.5, image.shape))[None])
        squares.append(reflections.noise[0] ** 2)
    window = np.outer(np.hanning(160), np.hanning(160))
    expected = 0.5**2 * np.sum((window / window.sum()) ** 2) / 2
    # 12 scans of 8 places of 2 parts: 192 squares, of which windows leave some alike.
    assert np.mean(squares) == pytest.approx(expected, rel=0.35)


@pytest.mark.parametrize("shift_px", [(0.0, 0.0), (4.7, 1.3), (-2.2, 9.9)])
def test_closure_phases_do_not_depend_on_where_the_lattice_lies(shift_px: tuple[float, float]) -> None:
    # Phase about the hollow site: height one at +120°, two at -120°: tan = sqrt 3 (two - one) / -(one + two).
    image, (first, *_) = gaussian_pattern(
        size=200, a_px=13.0, turn_deg=5, shift_px=shift_px, heights=(2.0, 0.7), sigma_px=2.2
    )
    lattice, reflections = measured(image[None])
    one, two = (2.0, 0.7) if worst_miss(first, placed(lattice, reflections, 1), image.shape, 13.0) < 1 else (0.7, 2.0)
    closure = np.angle(np.prod(reflections.coefficient[0, :3]))
    wanted = 3 * np.angle(one * np.exp(-2j * np.pi / 3) + two * np.exp(2j * np.pi / 3))
    assert np.angle(np.exp(1j * (closure - wanted))) == pytest.approx(0, abs=5e-3)
