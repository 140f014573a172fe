from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import fourier_gaussian

from micrographia.context import Context
from micrographia.cues import (
    Cue,
    contrast,
    dominant_spacings,
    dynamic_range,
    line_noise,
    look,
    noise_level,
    saturation,
    sharpness,
)
from micrographia.cues.cue import information_bar, picture
from micrographia.errors import InputError
from micrographia.micrograph import Micrograph, Provenance


def scan_of(frame: np.ndarray, *, pixel_size_nm: float | None = None, technique: str | None = None) -> Micrograph:
    frames = np.atleast_3d(frame.T).T.astype(np.float32)
    return Micrograph(
        frames=frames,
        pixel_size_nm=pixel_size_nm,
        context=Context(technique=technique, origin="user"),
        provenance=Provenance(file="made here", sha256=None, reader="numpy", software="0"),
    )


def fringes(period: float, angle_deg: float, shape: tuple[int, int] = (160, 200), phase: float = 0.0) -> np.ndarray:
    """Fringes whose wave vector points ``angle_deg`` counter-clockwise from x as seen on the screen (y down)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle = math.radians(angle_deg)
    return np.cos(2 * np.pi / period * (x * math.cos(angle) - y * math.sin(angle)) + phase)


def angle_between(a: float, b: float) -> float:
    return (a - b + 90) % 180 - 90


def deviation(cue: Cue, truth: float) -> float:
    assert cue.value is not None
    assert cue.uncertainty is not None
    return (cue.value - truth) / cue.uncertainty


# ---- noise --------------------------------------------------------------------------------------


def test_known_noise_is_recovered_as_often_as_its_uncertainty_says() -> None:
    seen = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        frame = rng.normal(100, 4, rng.integers(60, 200, 2)) + 3 * fringes(9.0, 30.0, (1, 1))
        seen.append(deviation(noise_level(scan_of(frame))[0], 4.0))
    # A standard uncertainty covers 68 % and two 95 %; it may be somewhat cautious, not hopeful.
    assert np.mean(np.abs(seen) < 1) > 0.6
    assert np.mean(np.abs(seen) < 2) > 0.92
    assert 0.5 < np.std(seen) < 1.2
    assert abs(np.mean(seen)) < 0.35


def test_signal_to_noise_of_fringes_is_their_spread_over_the_noise() -> None:
    frame = 6 * fringes(9.3, 20.0) + np.random.default_rng(0).normal(50, 2, (160, 200))
    noise, ratio = noise_level(scan_of(frame))
    assert abs(deviation(noise, 2.0)) < 3  # bright fringes do not count as noise
    assert abs(deviation(ratio, 6 / math.sqrt(2) / 2)) < 3  # a cosine of amplitude 6 spreads 6 / sqrt(2)


def test_pure_noise_has_no_signal_and_no_information_limit() -> None:
    scan = scan_of(np.random.default_rng(3).normal(0, 1, (128, 128)))
    _, ratio = noise_level(scan)
    assert ratio.value is not None
    assert ratio.uncertainty is not None
    assert ratio.value < 2 * ratio.uncertainty
    assert sharpness(scan).value is None


def test_noise_that_is_not_white_is_said_to_be_so_and_gets_a_large_uncertainty() -> None:
    white = np.random.default_rng(1).normal(0, 5, (200, 200))
    blurred = np.fft.ifft2(fourier_gaussian(np.fft.fft2(white), 0.8)).real
    noise, _ = noise_level(scan_of(blurred))
    assert "not white" in noise.sentence
    assert noise.value is not None
    assert noise.uncertainty is not None
    assert noise.uncertainty > 0.3 * noise.value
    assert sharpness(scan_of(blurred)).value is None


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-3, 1e5), offset=st.floats(-100, 100))
def test_scaling_intensities_scales_noise_and_leaves_spacing_and_sharpness(scale: float, offset: float) -> None:
    frame = 2 * fringes(7.7, 62.0) + np.random.default_rng(5).normal(0, 1, (160, 200))
    before, after = scan_of(frame), scan_of((frame + offset) * scale)
    assert noise_level(after)[0].value == pytest.approx(scale * noise_level(before)[0].value, rel=2e-3)
    assert noise_level(after)[1].value == pytest.approx(noise_level(before)[1].value, rel=2e-3)
    assert dominant_spacings(after)[0].value == pytest.approx(dominant_spacings(before)[0].value, rel=1e-4)
    assert sharpness(after).value == pytest.approx(sharpness(before).value, rel=1e-2)


# ---- sharpness ----------------------------------------------------------------------------------


def blurred_texture(sigma_px: float, seed: int = 0) -> np.ndarray:
    """White texture of variance S blurred by a Gaussian, plus white noise of variance 1."""
    rng = np.random.default_rng(seed)
    texture = rng.normal(0, 30, (512, 512))
    return np.fft.ifft2(fourier_gaussian(np.fft.fft2(texture), sigma_px)).real + rng.normal(0, 1, (512, 512))


@pytest.mark.parametrize("sigma_px", [2.0, 3.0, 4.0])
def test_the_information_limit_is_where_a_gaussian_blur_says(sigma_px: float) -> None:
    # S exp(-4 pi^2 sigma^2 q^2) = 1 at q = sqrt(ln S) / (2 pi sigma), with S = 900.
    predicted_px = 2 * np.pi * sigma_px / math.sqrt(math.log(900))
    cue = sharpness(scan_of(blurred_texture(sigma_px)))
    assert cue.unit == "px"
    assert cue.value == pytest.approx(predicted_px, rel=0.04)
    assert abs(deviation(cue, predicted_px)) < 3


def test_twice_the_blur_gives_twice_the_period_and_a_pixel_size_gives_nm() -> None:
    fine, coarse = (sharpness(scan_of(blurred_texture(s), pixel_size_nm=0.25)) for s in (2.0, 4.0))
    assert fine.value is not None
    assert coarse.value == pytest.approx(2 * fine.value, rel=0.05)
    assert fine.unit == "nm"
    assert fine.value == pytest.approx(0.25 * (sharpness(scan_of(blurred_texture(2.0))).value or 0), rel=1e-9)


# ---- spacings -----------------------------------------------------------------------------------


def test_known_fringes_are_recovered_as_often_as_their_uncertainty_says() -> None:
    periods, angles = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(90, 200, 2))
        period, angle = rng.uniform(3, 12), rng.uniform(0, 180)
        frame = 2.5 * fringes(period, angle, shape, rng.uniform(0, 6)) + rng.normal(50, 4, shape)
        found = dominant_spacings(scan_of(frame))[0]
        periods.append(deviation(found, period))
        assert found.direction_deg is not None
        assert found.direction_sd_deg is not None
        angles.append(angle_between(found.direction_deg, angle) / found.direction_sd_deg)
    for seen in (periods, angles):
        assert np.mean(np.abs(seen) < 1) > 0.6
        assert np.mean(np.abs(seen) < 2) > 0.92
        assert 0.4 < np.std(seen) < 1.2


def test_white_noise_has_no_dominant_spacing() -> None:
    false = sum(
        dominant_spacings(scan_of(np.random.default_rng(seed).normal(0, 1, (96, 120))))[0].value is not None
        for seed in range(100)
    )
    assert false <= 1  # one in a thousand is what the threshold allows


def test_none_found_is_an_answer() -> None:
    (cue,) = dominant_spacings(scan_of(np.random.default_rng(0).normal(0, 1, (96, 96)), pixel_size_nm=0.1))
    assert (cue.name, cue.value, cue.unit) == ("spacing", None, "nm")
    assert cue.sentence == "No periodicity stands out of the power spectrum."


def test_shading_edges_and_streaks_are_no_periodicity() -> None:
    y, x = np.mgrid[:200, :240]
    rng = np.random.default_rng(2)
    frame = 0.5 * x + 40 * (y > 0.3 * x + 50) + rng.normal(0, 2, (200, 240)) + rng.normal(0, 2, (200, 1))
    assert dominant_spacings(scan_of(frame))[0].value is None


def test_a_hexagonal_lattice_has_three_spacings_sixty_degrees_apart() -> None:
    frame = sum(fringes(8.0, 10.0 + turn) for turn in (0, 60, 120)) + np.random.default_rng(0).normal(0, 1, (160, 200))
    found = dominant_spacings(scan_of(frame, pixel_size_nm=0.05))
    assert len(found) == 3
    assert sorted(round(c.direction_deg or 0) for c in found) == [10, 70, 130]
    for cue in found:
        assert cue.value == pytest.approx(0.4, abs=4 * (cue.uncertainty or 0))


def test_blocks_of_compression_are_named() -> None:
    frame = 3 * fringes(8.0, 0.0) + np.random.default_rng(0).normal(50, 2, (160, 200))
    assert "JPEG" in dominant_spacings(scan_of(frame))[0].sentence


@settings(max_examples=25, deadline=None)
@given(period=st.floats(3.0, 14.0), angle=st.floats(0, 179.9))
def test_turning_the_image_by_90_degrees_turns_the_direction_by_90(period: float, angle: float) -> None:
    frame = 2 * fringes(period, angle, (150, 150)) + np.random.default_rng(1).normal(0, 1, (150, 150))
    before, after = dominant_spacings(scan_of(frame))[0], dominant_spacings(scan_of(np.rot90(frame)))[0]
    assert after.value == pytest.approx(before.value, rel=1e-6)
    assert before.direction_deg is not None
    assert after.direction_deg is not None
    assert abs(angle_between(after.direction_deg, before.direction_deg + 90)) < 1e-3
    assert 0 <= after.direction_deg < 180


@pytest.mark.parametrize("frame", [fringes(9.7, 33.0), fringes(5.3, 90.0, (64, 64))])
def test_fringes_without_noise_are_one_spacing(frame: np.ndarray) -> None:
    (found,) = dominant_spacings(scan_of(frame))
    assert found.uncertainty is not None
    assert found.uncertainty < 0.01


# ---- intensities --------------------------------------------------------------------------------


def test_saturation_counts_clipped_pixels_exactly() -> None:
    frame = np.random.default_rng(0).normal(128, 40, (200, 200)).round()
    clipped = np.minimum(frame, 200)
    cue = saturation(scan_of(clipped))
    assert cue.value == pytest.approx(100 * (frame >= 200).mean(), abs=1e-9)
    assert "white" in cue.sentence
    assert "black" not in cue.sentence
    assert saturation(scan_of(frame)).value == 0


def test_few_intensities_are_not_judged_for_saturation() -> None:
    assert saturation(scan_of(np.random.default_rng(0).poisson(0.5, (64, 64)))).value is None


def test_contrast_leaves_out_the_noise() -> None:
    frame = 100 + 10 * fringes(9.0, 0.0) + np.random.default_rng(0).normal(0, 10, (160, 200))
    assert abs(deviation(contrast(scan_of(frame)), 100 * 10 / math.sqrt(2) / 100)) < 3
    assert contrast(scan_of(frame - 100)).value is None


def test_dynamic_range_counts_steps_of_noise_in_powers_of_two() -> None:
    ramp = np.tile(np.linspace(0, 256, 400), (300, 1))
    cue = dynamic_range(scan_of(ramp + np.random.default_rng(0).normal(0, 1, ramp.shape)))
    assert cue.value == pytest.approx(8.0, abs=0.1)  # 256 steps of a noise of 1


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_line_noise_is_what_rows_have_beyond_columns(shift: float) -> None:
    seen = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        frame = rng.normal(0, 1, (300, 400)) + rng.normal(0, shift, (300, 1))
        cue = line_noise(scan_of(frame))
        seen.append(deviation(cue, shift))
        assert ("streaks" in cue.sentence) == (shift > 0)
    assert np.abs(seen).max() < 3.5


# ---- all together -------------------------------------------------------------------------------


def test_equal_pixels_are_refused_in_plain_words() -> None:
    for measure in (noise_level, sharpness, dominant_spacings, saturation, contrast, dynamic_range, line_noise):
        with pytest.raises(InputError, match=r"made here: all pixels are equal \(7\)"):
            measure(scan_of(np.full((32, 32), 7.0)))


def test_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="accepted is 0 to 0"):
        noise_level(scan_of(np.eye(16)), channel=1)


@pytest.mark.parametrize("white", [False, True])
def test_an_information_bar_is_left_out(white: bool) -> None:
    rng = np.random.default_rng(0)
    frame = rng.normal(120, 15, (200, 256)).clip(1, 254)
    frame[180:] = 255.0 if white else 0.0
    frame[186:192, 20:90] = rng.choice([0.0, 255.0], (6, 70))
    assert information_bar(frame) == (180, 200)
    assert picture(scan_of(frame)).shape == (180, 256)
    assert noise_level(scan_of(frame))[0].value == pytest.approx(15, rel=0.03)


def test_a_dark_field_is_not_taken_for_a_bar() -> None:
    frame = np.zeros((200, 200))
    frame[20:60, 20:60] = np.random.default_rng(0).normal(100, 10, (40, 40))
    assert information_bar(frame) is None


def test_every_cue_of_every_channel_is_finite_and_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    scan = scan_of(np.stack([fringes(8.0, 20.0) + rng.normal(0, 1, (160, 200)) for _ in range(2)]), technique="STEM")
    cues = look(scan)
    assert cues == look(scan)
    assert {cue.channel for cue in cues} == {0, 1}
    assert all(cue.value is None or math.isfinite(cue.value) for cue in cues)
    assert all(cue.uncertainty is None or (math.isfinite(cue.uncertainty) and cue.uncertainty >= 0) for cue in cues)
    assert all(cue.sentence.endswith(".") for cue in cues)


@pytest.mark.parametrize(("technique", "absent"), [("TEM", "line noise"), ("diffraction", "spacing")])
def test_what_means_nothing_for_a_technique_is_left_out(technique: str, absent: str) -> None:
    scan = scan_of(np.random.default_rng(0).normal(0, 1, (64, 64)), technique=technique)
    assert absent not in {cue.name for cue in look(scan)}


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    seed=st.integers(0, 2**16),
    kind=st.sampled_from(["normal", "binary", "one pixel", "ramp"]),
)
def test_small_and_odd_images_are_measured_without_a_warning(shape: tuple[int, int], seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    frame = {
        "normal": lambda: rng.normal(0, 1, shape),
        "binary": lambda: rng.integers(0, 2, shape),
        "one pixel": lambda: np.arange(shape[0] * shape[1]).reshape(shape) == seed % (shape[0] * shape[1]),
        "ramp": lambda: np.arange(shape[0] * shape[1]).reshape(shape),
    }[kind]()
    scan = scan_of(np.asarray(frame, dtype=float))
    try:
        cues = look(scan)
    except InputError:
        return
    assert all(cue.value is None or math.isfinite(cue.value) for cue in cues)
    assert all(cue.uncertainty is None or math.isfinite(cue.uncertainty) for cue in cues)
