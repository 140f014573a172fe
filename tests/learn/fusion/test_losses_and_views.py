"""What the student is shown, and what it is asked for."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.learn.fusion.losses import chosen, squared, told_apart, turned
from micrographia.learn.fusion.settings import FusionSettings, LossWeights
from micrographia.learn.fusion.teachers import near_sentences, scale_of
from micrographia.learn.fusion.views import _blurred, _counted, clean_view, degraded

PICTURE = np.random.default_rng(0).normal(100, 20, (300, 200)).astype(np.float32)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_view_has_the_size_asked_for_and_normalised_greys(seed):
    view = clean_view(PICTURE, np.random.default_rng(seed), side_px=64)
    assert view.shape == (64, 64)
    low, high = np.percentile(view, [1, 99])
    assert low == pytest.approx(-1, abs=1e-4)
    assert high == pytest.approx(1, abs=1e-4)


def test_a_view_is_drawn_by_the_generator_alone():
    one, same, other = (clean_view(PICTURE, np.random.default_rng(seed), side_px=64) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_view_of_a_ramp_is_a_ramp_in_one_of_eight_positions(seed):
    """Turned and mirrored, at any magnification, a slope along x and twice as steep along y keeps both."""
    y, x = np.mgrid[:300, :300]
    view = clean_view((x + 2 * y).astype(np.float32), np.random.default_rng(seed), side_px=64)
    inner = view[8:-8, 8:-8]
    slopes = sorted(abs(float(np.diff(inner, axis=axis).mean())) for axis in (0, 1))
    assert slopes[1] / slopes[0] == pytest.approx(2, rel=0.02)


def test_a_picture_of_one_grey_is_refused():
    with pytest.raises(InputError, match="of one grey each"):
        clean_view(np.ones((80, 80), np.float32), np.random.default_rng(0), side_px=64)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_degraded_view_shows_the_same(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    view = clean_view((np.sin(x / 5) + np.sin(y / 7)).astype(np.float32), rng, side_px=64)
    worse = degraded(view, rng)
    assert worse.shape == view.shape
    assert np.isfinite(worse).all()
    assert np.corrcoef(view.ravel(), worse.ravel())[0, 1] > 0.7


@pytest.mark.parametrize("snr", [2.0, 10.0])
def test_counting_noise_leaves_the_ratio_asked_for(snr):
    grey = np.tile(np.linspace(0.2, 0.8, 400, dtype=np.float32), (400, 1))
    noise = _counted(grey, snr, np.random.default_rng(0)) - grey
    assert grey.std() / noise.std() == pytest.approx(snr, rel=0.02)
    # Counts: where it is four times as bright, the noise is twice as strong.
    assert noise[:, -20:].std() / noise[:, :20].std() == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("sigma_px", [1.0, 2.0])
def test_a_blurred_point_is_a_gaussian(sigma_px):
    point = torch.zeros(1, 1, 41, 41)
    point[0, 0, 20, 20] = 1
    found = _blurred(point, sigma_px)[0, 0]
    place = torch.arange(41.0) - 20
    assert found.sum().item() == pytest.approx(1, abs=1e-5)
    assert (found.sum(0) * place.square()).sum().item() == pytest.approx(sigma_px**2, rel=0.03)


def test_hubers_loss_by_hand():
    found = squared(torch.tensor([[0.0, 0.5, -3.0]]), torch.zeros(1, 3))
    assert found.item() == pytest.approx((0 + 0.125 + 2.5) / 3)


def test_turned_by_hand():
    found = turned(torch.tensor([[1.0, 1.0], [0.0, -3.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert found.item() == pytest.approx((1 - 1 / math.sqrt(2) + 2) / 2)


def test_a_choice_like_the_teachers_costs_nothing():
    wanted = torch.tensor([[0.7, 0.2, 0.1]])
    assert chosen(wanted.log(), wanted).item() == pytest.approx(0, abs=1e-6)
    assert chosen(torch.zeros(1, 3), wanted).item() == pytest.approx(
        math.log(3) + sum(p * math.log(p) for p in (0.7, 0.2, 0.1)), abs=1e-6
    )


def test_views_that_are_all_alike_tell_nothing():
    assert told_apart(torch.ones(7, 3), torch.ones(7, 3), temperature=0.2).item() == pytest.approx(math.log(7))


def test_weights_of_sentences_by_hand():
    bank = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    caption = torch.tensor([[math.cos(0.8), math.sin(0.8)]])
    found = near_sentences(caption, bank)[0]
    ratio = math.exp((math.cos(0.8) - math.sin(0.8)) / 0.05)
    assert (found[0] / found[1]).item() == pytest.approx(ratio, rel=1e-4)


def test_scaled_numbers_have_a_mean_of_0_and_a_spread_of_1():
    found = torch.randn(1000, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2, 3, 4, 0]) + 7
    scaled = scale_of(found).of_size_one(found)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled[:, :4].std(0, correction=0), torch.ones(4))
    # What hardly ever differs is not blown up.
    assert scaled[:, 4].abs().max() < 1e-4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"batch": 1}, "batch is 1; accepted is 2 or more"),
        ({"hidden_share": 1.0}, "hidden_share is 1; accepted is a number between 0 and 1"),
        ({"side_px": 100}, "side_px is 100; accepted is a multiple of 64"),
        ({"side_px": 0}, "side_px is 0"),
    ],
)
def test_settings_that_cannot_be(changes, said):
    with pytest.raises(InputError, match=said):
        FusionSettings(**changes)


def test_weights_that_cannot_be():
    with pytest.raises(InputError, match="weight of the views loss is -1"):
        LossWeights(views=-1)
    with pytest.raises(InputError, match="every loss has weight 0"):
        LossWeights(**dict.fromkeys(vars(LossWeights()), 0.0))
