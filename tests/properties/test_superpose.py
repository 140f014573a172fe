"""Superposed kernels, whatever the positions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.simulate import Column, Probe, cell, column_rings, detector_table, from_atoms, host, with_images
from micrographia.simulate.columns.kernels import ring_weights
from micrographia.simulate.scans.scan import superpose
from micrographia.simulate.specimens.specimen import monolayer

PROBE = Probe(energy_kev=80.0, convergence_mrad=30.0)
SUB_PIXEL = st.floats(0, 1, allow_subnormal=False)
PLACE = st.floats(-60, 120, allow_subnormal=False)


@pytest.fixture(scope="module")
def table():
    """HAADF kernel of a static tungsten column: the sharpest there is."""
    kernel = column_rings(Column(atoms=(("W", 0.0),)), PROBE, vibration_A=0.0)
    return detector_table(kernel, (76.0, 200.0), source_sigma_A=0.0)


def image_of(table, x_px, y_px, weight=None, pixel_A=0.2, height=60, width=60):
    x_px, y_px = np.atleast_1d(x_px).astype(float), np.atleast_1d(y_px).astype(float)
    weight = np.ones(x_px.size) if weight is None else np.asarray(weight, dtype=float)
    return superpose(x_px, y_px, np.zeros(x_px.size, dtype=int), weight, table[None], pixel_A, height, width)


@settings(max_examples=40, deadline=None)
@given(dx=SUB_PIXEL, dy=SUB_PIXEL, pixel_A=st.sampled_from([0.1, 0.15, 0.2, 0.3]))
def test_a_column_is_equally_bright_wherever_it_falls_between_pixels(table, dx, dy, pixel_A):
    # The image is band-limited, so its value at the column follows from the pixels. Bar: 0.5 %.
    side = int(28 / pixel_A)
    x, y = side // 2 + dx, side // 2 + dy
    image = image_of(table, x, y, pixel_A=pixel_A, height=side, width=side)
    k = np.fft.fftfreq(side)
    there = np.exp(2j * np.pi * k * y)[:, None] * np.exp(2j * np.pi * k * x)
    assert np.real(np.sum(np.fft.fft2(image) * there)) / side**2 == pytest.approx(table[0], rel=5e-3)
    # ... and its mean tells the column's cross-section, whatever the pixels.
    r = 0.01 * np.arange(table.size)
    assert image.sum() * pixel_A**2 == pytest.approx(np.sum(table * 2 * np.pi * r) * 0.01, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(x=PLACE, y=PLACE, right=st.integers(-20, 20), down=st.integers(-20, 20))
def test_whole_pixels_shift_the_image_exactly(table, x, y, right, down):
    # Dyadic positions, so that adding whole pixels loses no bits.
    x, y = np.round(np.array([x, y]) * 64) / 64
    wide = image_of(table, x + 100, y + 100, height=260, width=260)
    moved = image_of(table, x + 100 + right, y + 100 + down, height=260, width=260)
    assert np.array_equal(moved[30 + down : 230 + down, 30 + right : 230 + right], wide[30:230, 30:230])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(PLACE, PLACE, st.floats(-3, 3, allow_subnormal=False)), min_size=2, max_size=6))
def test_images_add_up_site_by_site_and_scale_with_their_weights(table, sites):
    x, y, weight = np.array(sites).T
    together = image_of(table, x, y, weight)
    apart = sum(w * image_of(table, a, b) for a, b, w in sites)
    assert together == pytest.approx(apart, abs=1e-12)
    assert image_of(table, x, y, 2 * weight) == pytest.approx(2 * together, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(x=PLACE, y=PLACE)
def test_an_image_has_the_mirror_symmetry_of_a_round_kernel(table, x, y):
    image = image_of(table, x, y)
    assert image_of(table, 59 - x, y)[:, ::-1] == pytest.approx(image, abs=1e-9)
    assert pytest.approx(image, abs=1e-9) == image_of(table, y, x).T


@given(st.lists(st.floats(0, 260), min_size=2, max_size=6, unique=True).map(sorted))
def test_detectors_that_meet_count_everything_once(edges):
    parts = [ring_weights((a, b)) for a, b in pairwise(edges)]
    assert np.sum(parts, axis=0) == pytest.approx(ring_weights((edges[0], edges[-1])), abs=1e-9)
    assert np.sum(parts) == pytest.approx(edges[-1] - edges[0], abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    formula=st.sampled_from(["WSe2", "MoS2", "TiS2"]),
    width_A=st.floats(5, 60),
    height_A=st.floats(5, 60),
    rotation_deg=st.floats(-180, 180),
    seed=st.integers(0, 1000),
)
def test_a_monolayer_never_has_two_sites_in_one_place_nor_a_hole(formula, width_A, height_A, rotation_deg, seed):
    from scipy.spatial import cKDTree

    material = host(formula)
    field = monolayer(
        material, width_A=width_A, height_A=height_A, rotation_deg=rotation_deg, rng=np.random.default_rng(seed)
    )
    xy = np.stack([field.x_A, field.y_A], axis=1)
    tree = cKDTree(xy)
    assert tree.query(xy, k=2)[0][:, 1].min() == pytest.approx(material.a_A / np.sqrt(3), rel=1e-6)
    spots = np.random.default_rng(seed).uniform([0, 0], [width_A, height_A], (50, 2))
    # The middle of an empty hexagon is a / sqrt(3) from the nearest sites: nothing is farther.
    assert tree.query(spots)[0].max() <= material.a_A / np.sqrt(3) + 1e-9


@settings(max_examples=20, deadline=None)
@given(margin_A=st.floats(0, 25), repeats=st.tuples(st.integers(1, 5), st.integers(1, 3)))
def test_images_are_translations_by_whole_cells(margin_A, repeats):
    one = from_atoms(cell(host("MoS2"), repeats))
    around = with_images(one, margin_A=margin_A)
    x, y = around.x_A % one.width_A, around.y_A % one.height_A
    near = np.hypot(
        (x[:, None] - one.x_A + one.width_A / 2) % one.width_A - one.width_A / 2,
        (y[:, None] - one.y_A + one.height_A / 2) % one.height_A - one.height_A / 2,
    )
    assert near.min(axis=1).max() < 1e-6
    assert np.array_equal(one.kind[near.argmin(axis=1)], around.kind)
