"""Made-up micrographs: of every kind, never twice the same, and with the spectra they are said to have."""

import numpy as np
import pytest

from micrographia.errors import InputError
from micrographia.learn.fusion.fields import band_noise, cells, coloured_noise, edge_bright, relief, scatter
from micrographia.learn.fusion.made_up import KINDS, made_up
from micrographia.learn.fusion.order import columns
from micrographia.learn.fusion.solids import stripes


def power(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the frequencies [1/px] and the power of a picture's Fourier transform."""
    found = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
    at = np.fft.fftfreq(len(picture))
    return np.hypot(at[:, None], at), found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side_px", [48, 121])
def test_every_kind_is_a_picture_with_contrast_that_its_generator_repeats(kind: str, side_px: int) -> None:
    pictures = [made_up(kind, np.random.default_rng(seed), side_px=side_px) for seed in (0, 0, 1, 2)]
    for picture in pictures:
        assert picture.shape == (side_px, side_px)
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert picture.min() >= 0
        assert picture.max() <= 1
        assert picture.std() >= 0.03
    assert np.array_equal(pictures[0], pictures[1])
    assert np.abs(pictures[0] - pictures[2]).mean() > 0.02
    assert np.abs(pictures[2] - pictures[3]).mean() > 0.02


@pytest.mark.parametrize("beta", [0.0, 2.0, 3.5])
def test_the_power_of_coloured_noise_falls_as_it_is_told(beta: float) -> None:
    frequency, found = power(coloured_noise(np.random.default_rng(3), side_px=128, beta=beta))
    band = (frequency > 0.02) & (frequency < 0.45)
    slope = np.polyfit(np.log(frequency[band]), np.log(found[band]), 1)[0]
    # ln of exponentially distributed power spreads by pi/sqrt(6); over these 10 000 frequencies the slope by 0.03.
    assert slope == pytest.approx(-beta, abs=0.1)


def test_band_noise_has_its_period() -> None:
    frequency, found = power(band_noise(np.random.default_rng(0), side_px=128, period_px=8.0, width=0.1))
    assert (frequency * found).sum() / found.sum() == pytest.approx(1 / 8, rel=0.03)


def test_columns_of_atoms_repeat_with_their_arms() -> None:
    """Arms of 8 and 16 px over 128 px: the strongest frequencies are 16 and 8 periods a side, and none between."""
    line = np.arange(128, dtype=np.float32)
    right, down = np.broadcast_to(line, (128, 128)), np.broadcast_to(line[:, None], (128, 128))
    picture = columns(
        right, down, arms_px=(8.0, 16.0), between_rad=np.pi / 2, height=np.ones((4, 4), np.float32), width_px=2.0
    )
    found = np.abs(np.fft.fft2(picture))
    assert found[0, 1:64].argmax() + 1 == 16
    assert found[1:64, 0].argmax() + 1 == 8
    assert found[5, 7] < 1e-3 * found[8, 0]
    assert picture[32, 64] == pytest.approx(1.0, abs=0.01)


def test_a_missing_column_leaves_the_ground() -> None:
    line = np.arange(64, dtype=np.float32)
    right, down = np.broadcast_to(line, (64, 64)), np.broadcast_to(line[:, None], (64, 64))
    height = np.ones((8, 8), np.float32)
    height[3, 2] = 0
    picture = columns(right, down, arms_px=(8.0, 8.0), between_rad=np.pi / 2, height=height, width_px=1.0)
    assert picture[16, 24] == pytest.approx(0.0, abs=1e-3)
    assert picture[24, 16] == pytest.approx(1.0, abs=1e-3)


def test_as_many_cells_as_seeds_and_each_pixel_in_the_nearest() -> None:
    rng = np.random.default_rng(5)
    seeds = scatter(rng, side_px=40, spacing_px=9.0, disorder=0.3)
    found = cells(seeds, side_px=40)
    assert len(np.unique(found.label)) == len(seeds) == found.count
    row, column = np.indices((40, 40))
    apart = np.hypot(row[..., None] - seeds[:, 0], column[..., None] - seeds[:, 1])
    np.testing.assert_allclose(np.hypot(found.down_px, found.right_px), apart.min(axis=-1), rtol=1e-5)


def test_seeds_without_disorder_stand_one_spacing_apart() -> None:
    seeds = scatter(np.random.default_rng(0), side_px=60, spacing_px=10.0, disorder=0.0)
    assert len(seeds) == 36
    assert set(np.diff(np.unique(seeds[:, 0]))) == {10}


@pytest.mark.parametrize("spacing_px", [3.0, 500.0])
def test_seeds_are_two_or_more_each_once_and_inside(spacing_px: float) -> None:
    seeds = scatter(np.random.default_rng(1), side_px=32, spacing_px=spacing_px, disorder=0.5)
    assert len(seeds) == len({tuple(seed) for seed in seeds.tolist()}) >= 2
    assert seeds.min() >= 0
    assert seeds.max() < 32


def test_a_slope_is_lit_by_lambert_and_emits_by_its_tilt() -> None:
    """A slope of 45° that rises to the right: from the left at 45° the light meets it squarely."""
    slope = np.broadcast_to(np.arange(16, dtype=np.float32), (16, 16))
    from_left = relief(slope, azimuth_rad=np.pi, elevation_rad=np.pi / 4)
    from_right = relief(slope, azimuth_rad=0.0, elevation_rad=np.pi / 4)
    np.testing.assert_allclose(from_left, 1.0, atol=1e-6)
    np.testing.assert_allclose(from_right, 0.0, atol=1e-6)
    np.testing.assert_allclose(edge_bright(slope), np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_lamellae_take_up_their_share(share: float) -> None:
    phase = np.arange(4000).reshape(40, 100) / 400
    assert stripes(phase, share=share, soft=0.1).mean() == pytest.approx(share, abs=0.005)


def test_an_unknown_kind_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match=r"'clouds'; accepted is one of grains, touching particles, .*edges"):
        made_up("clouds", np.random.default_rng(0), side_px=64)


def test_a_side_too_short_is_refused() -> None:
    with pytest.raises(InputError, match="16 px; accepted is 32 px or more"):
        made_up("grains", np.random.default_rng(0), side_px=16)
