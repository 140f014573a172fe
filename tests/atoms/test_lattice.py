from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scans import field, gaussian_pattern, measured, placed, scan_of, truth, worst_miss

from micrographia.atoms.lattice import check_lattice, find_lattice, place_sites, well_ordered
from micrographia.errors import InputError

A_A = 3.32  # lattice constant of WSe2 [Å]


def image_of(*waves: tuple[float, float], size: int = 128) -> np.ndarray:
    rows, cols = np.mgrid[0:size, 0:size]
    return sum(np.cos(2 * np.pi * (gx * cols + gy * rows)) for gx, gy in waves)[None].astype(np.float32)


def test_a_scan_of_cosines_has_the_lattice_constant_and_the_cell_of_its_waves() -> None:
    # |g| = 0.1 / px, so a = 2 / (sqrt(3) |g|) and the cell's area is sqrt(3) / 2 a^2.
    third = [(0.1 * np.cos(t), 0.1 * np.sin(t)) for t in np.deg2rad([7, 127, 247])]
    lattice = find_lattice(image_of(*third), file="test")
    a_px = 2 / np.sqrt(3) / 0.1
    assert lattice.a_px == pytest.approx(a_px, rel=1e-4)
    assert lattice.cell_area_px == pytest.approx(np.sqrt(3) / 2 * a_px**2, rel=2e-4)
    assert lattice.g_per_px.sum(axis=0) == pytest.approx([0, 0], abs=1e-12)
    found = np.rad2deg(np.arctan2(*lattice.g_per_px.T[::-1])) % 60
    assert found == pytest.approx(7.0, abs=0.02)


@pytest.mark.parametrize(
    ("pixel_A", "size_A", "dose", "turn_deg"),
    [(0.12, 50.0, 1e5, 0.0), (0.25, 80.0, 1e5, 17.0), (0.35, 100.0, 3e5, 29.9)],
)
def test_every_site_is_found_vacant_or_not_and_no_other(
    pixel_A: float, size_A: float, dose: float, turn_deg: float
) -> None:
    specimen = field(size_A, seed=5, fractions={"V_X": 0.05, "V_X2": 0.01, "V_M": 0.01}, rotation_deg=turn_deg)
    scan = scan_of(specimen, pixel_A=pixel_A, dose=dose)
    lattice, reflections = measured(scan.frames)
    a_px = A_A / pixel_A
    assert lattice.a_px == pytest.approx(a_px, rel=1e-3)
    wanted = np.concatenate([truth(specimen, pixel_A, s) for s in "MX"])
    found = np.concatenate([placed(lattice, reflections, k) for k in (1, 2)])
    # Where the field ends the phase is known less well; sites are reported from one lattice constant inwards.
    # A phase is measured over 4 pi (2 a)^2 px of shot noise: a few hundredths of a pixel per 10 px of lattice constant.
    assert worst_miss(wanted, found, scan.frames.shape, a_px) < max(0.15, 0.012 * a_px)


def test_a_smooth_distortion_is_followed_and_measured() -> None:
    pixel_A, size_A, bow_px, twist_px = 0.25, 90.0, 2.0, 1.5
    specimen = field(size_A, seed=11)
    plain = np.stack([specimen.x_A, specimen.y_A]) / pixel_A
    half = size_A / pixel_A / 2

    def displacement(xy: np.ndarray) -> np.ndarray:
        X, Y = xy / half - 1
        return np.stack([0.01 * half * Y + bow_px * X**2, twist_px * X * Y])

    # Lattice coordinates at r are those of r - u(r) in the perfect lattice: solve for where its sites go.
    xy = plain
    for _ in range(50):
        xy = plain + displacement(xy)
    bent = replace(specimen, x_A=xy[0] * pixel_A, y_A=xy[1] * pixel_A)
    scan = scan_of(bent, pixel_A=pixel_A, dose=3e5)
    lattice, reflections = measured(scan.frames)
    wanted = np.concatenate([truth(bent, pixel_A, s) for s in "MX"])
    found = np.concatenate([placed(lattice, reflections, k) for k in (1, 2)])
    # Within the window's reach of the edge the phase leans to the inside.
    assert worst_miss(wanted, found, scan.frames.shape, 2 * lattice.a_px) < 0.3
    assert worst_miss(wanted, found, scan.frames.shape, lattice.a_px) < 0.5
    check = check_lattice(lattice, lattice_constant_nm=A_A / 10, header_pixel_size_nm=None)
    # Left after a linear fit: bow (X^2 - 1/3), whose mean square on [-1, 1] is 4/45, and twist XY, 1/9.
    left = np.sqrt(bow_px**2 * 4 / 45 + twist_px**2 / 9)
    # The window flattens it near the edges, here by an eighth.
    assert 0.85 * left < check.distortion_rms_px < 1.02 * left


def test_spacings_and_directions_of_a_sheared_lattice() -> None:
    # Direct vectors a (1, 0) and a (1/2, sqrt(3)/2), strained by x -> x + 0.03 y, y -> 0.98 y.
    a_px, strain = 12.0, np.array([[1.0, 0.03], [0.0, 0.98]])
    direct = strain @ (a_px * np.array([[1.0, 0.5], [0.0, np.sqrt(3) / 2]]))
    g = np.linalg.inv(direct)
    lattice = find_lattice(image_of(*g, tuple(-g.sum(axis=0)), size=256), file="test")
    check = check_lattice(lattice, lattice_constant_nm=0.332, header_pixel_size_nm=0.03)
    vectors = np.stack([direct[:, 0], direct[:, 1], direct[:, 1] - direct[:, 0]])
    # y grows downwards; 5° more keeps what lies about 0° from flipping to 180°.
    angle = (np.rad2deg(np.arctan2(-vectors[:, 1], vectors[:, 0])) + 5) % 180
    found = (np.array(check.directions_deg) + 5) % 180
    order, wanted = np.argsort(found), np.argsort(angle)
    assert found[order] == pytest.approx(angle[wanted], abs=0.05)
    assert np.array(check.spacings_px)[order] == pytest.approx(np.hypot(*vectors.T)[wanted], rel=1e-3)
    # The cell keeps its area but for the factor 0.98, and the lattice constant goes with its root.
    assert lattice.a_px == pytest.approx(a_px * np.sqrt(0.98), rel=3e-4)
    assert check.pixel_size_nm == pytest.approx(0.332 / (a_px * np.sqrt(0.98)), rel=3e-4)
    assert check.header_excess == pytest.approx(0.03 * a_px * np.sqrt(0.98) / 0.332 - 1, abs=4e-4)
    assert check.distortion_rms_px < 0.02
    # 1 % of the lattice constant, and the standard error of the mean of the three spacings.
    spread = np.std(np.hypot(*vectors.T), ddof=1) / np.hypot(*vectors.T).mean() / np.sqrt(3)
    assert check.pixel_size_sd_nm / check.pixel_size_nm == pytest.approx(np.hypot(0.01, spread), rel=0.05)


def test_half_a_field_without_lattice_changes_neither_its_pixel_size_nor_its_sites() -> None:
    specimen = field(90.0, seed=2)
    here = specimen.x_A < 35.0
    flake = replace(
        specimen, x_A=specimen.x_A[here], y_A=specimen.y_A[here], kind=specimen.kind[here], label=specimen.label[here]
    )
    scan = scan_of(flake, dose=1e6)
    frames = scan.frames + np.random.default_rng(0).normal(0, 0.02 * scan.frames.max(), scan.frames.shape)
    lattice, reflections = measured(frames)
    assert lattice.a_px == pytest.approx(A_A / 0.25, rel=2e-3)
    found = np.concatenate([placed(lattice, reflections, k, margin_px=lattice.a_px) for k in (1, 2)])
    found = found[well_ordered(lattice, *found.T)]
    wanted = np.concatenate([truth(flake, 0.25, s) for s in "MX"])
    deep = found[:, 0] < 30.0 / 0.25
    assert worst_miss(wanted[wanted[:, 0] < 30.0 / 0.25], found[deep], frames.shape, 1.5 * lattice.a_px) < 0.15
    # The lattice's window reaches 2 lattice constants: past twice that, nothing shows.
    assert (found[:, 0] < (35.0 + 4 * A_A) / 0.25).all()


def test_sites_past_the_edge_are_placed_too() -> None:
    image, (first, second, _) = gaussian_pattern(
        size=128, a_px=12.0, turn_deg=10, shift_px=(0, 0), heights=(2, 1), sigma_px=2
    )
    lattice, reflections = measured(image[None])
    found = np.concatenate([placed(lattice, reflections, k, margin_px=-12.0) for k in (1, 2)])
    wanted = np.concatenate([first, second])
    # Within one lattice constant past each edge there is one site for each half cell of that larger field.
    assert len(found) == pytest.approx(2 * (127 + 24) ** 2 / lattice.cell_area_px, rel=0.03)
    assert worst_miss(wanted, found, image.shape, -11.0) < 0.5


def test_well_ordered_reads_the_strength_at_the_place() -> None:
    lattice = find_lattice(image_of((0.1, 0), (-0.05, 0.0866), (-0.05, -0.0866)), file="test")
    step = replace(lattice, strength=np.repeat([[0.1] * 64 + [1.0] * 64], 128, axis=0))
    assert well_ordered(step, np.array([10.0, 100.0]), np.array([5.0, 5.0])).tolist() == [False, True]
    assert well_ordered(step, np.array([10.0]), np.array([5.0]), least=0.05).tolist() == [True]


@pytest.mark.parametrize("seed", range(3))
def test_pure_noise_has_no_lattice(seed: int) -> None:
    noise = np.random.default_rng(seed).poisson(4.0, (1, 256, 256)).astype(np.float32)
    with pytest.raises(InputError, match="no hexagonal lattice"):
        find_lattice(noise, file="test")


def test_fringes_in_one_direction_are_no_lattice() -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, (1, 128, 128)).astype(np.float32)
    with pytest.raises(InputError, match="no hexagonal lattice"):
        find_lattice(image_of((0.1, 0.03)) + noise, file="test")


def test_a_square_lattice_is_no_hexagonal_one() -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, (1, 128, 128)).astype(np.float32)
    with pytest.raises(InputError, match="no hexagonal lattice"):
        find_lattice(image_of((0.1, 0.03), (-0.03, 0.1)) + noise, file="test")


def test_a_constant_channel_is_told() -> None:
    frames = np.concatenate([image_of((0.1, 0.0)), np.ones((1, 128, 128), np.float32)])
    with pytest.raises(InputError, match="all pixels of a channel are equal"):
        find_lattice(frames, file="flat.dm4")


def test_a_tiny_scan_is_told_with_its_size() -> None:
    with pytest.raises(InputError, match=r"tiny\.dm4: scan is 40 × 31 px; at least 32 × 32"):
        find_lattice(np.random.default_rng(0).random((1, 31, 40)).astype(np.float32), file="tiny.dm4")


def test_placed_sites_lie_where_the_coordinates_say() -> None:
    lattice = find_lattice(image_of((0.1, 0), (-0.05, 0.0866), (-0.05, -0.0866)), file="test")
    x, y = place_sites(lattice, np.array([0.2, 0.7]), margin_px=3.0)
    phase = lattice.phase_rad[:, y.round().astype(int), x.round().astype(int)]
    step = 2 * np.pi * lattice.g_per_px[:2] @ np.stack([x - x.round(), y - y.round()])
    off = (phase + step) / (2 * np.pi) - np.array([[0.2], [0.7]])
    assert np.abs(off - off.round()).max() < 2e-3
