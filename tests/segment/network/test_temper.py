"""Probabilities are flattened until they admit what two opinions differ on, and no pixel changes its class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_textures import discs
from hypothesis import given
from hypothesis import strategies as st

from micrographia.segment.network import predict
from micrographia.segment.network.predict import ApplySettings, segment
from micrographia.segment.network.temper import ERRORS_OF_DISSENT, HOTTEST, temperature, tempered


def two_classes(*shares: float) -> torch.Tensor:
    """Probabilities (1, 2, 8, 8 n) of two classes, equally many pixels of each share."""
    first = torch.tensor(shares).repeat_interleave(8).expand(8, -1)
    return torch.stack([first, 1 - first])[None]


def normal_logits(seed: int, classes: int, spread: float) -> torch.Tensor:
    """Probabilities (1, class, 16, 16) with normal logits."""
    return (spread * torch.randn(1, classes, 16, 16, generator=torch.Generator().manual_seed(seed))).softmax(1)


@pytest.mark.parametrize(("sure", "wrong"), [(0.99, 0.1), (0.999, 0.01), (0.9, 0.3)])
def test_two_equally_sure_classes_have_a_temperature_in_closed_form(sure, wrong):
    # Odds to the power of 1/T: (sure / (1 - sure))^(1/T) = (1 - wrong) / wrong.
    expected = np.log(sure / (1 - sure)) / np.log((1 - wrong) / wrong)
    found = temperature(two_classes(sure, 1 - sure), dissent=wrong / ERRORS_OF_DISSENT)
    assert found == pytest.approx(expected, rel=1e-3)


def test_five_classes_share_what_the_likeliest_loses():
    # Odds of one against each of four equal ones are 0.96 / 0.01 = 96, and are to become 0.6 / 0.1 = 6.
    p = torch.tensor([0.01, 0.01, 0.96, 0.01, 0.01])[None, :, None, None].expand(1, 5, 8, 8)
    found = temperature(p, dissent=0.4 / ERRORS_OF_DISSENT)
    assert found == pytest.approx(np.log(96) / np.log(6), rel=1e-3)
    after = tempered(p, torch.tensor(found))[0, :, 0, 0]
    assert after.tolist() == pytest.approx([0.1, 0.1, 0.6, 0.1, 0.1], abs=1e-3)


@given(seed=st.integers(0, 99), classes=st.integers(2, 6), spread=st.floats(3.0, 20.0), dissent=st.floats(0.0, 0.5))
def test_as_many_errors_are_admitted_as_the_dissent_tells_of_and_never_fewer_than_before(
    seed, classes, spread, dissent
):
    p = normal_logits(seed, classes, spread)
    hot = temperature(p, dissent=dissent)
    some = p[..., ::4, ::4]
    before = float(1 - some.amax(1).mean())
    after = float(1 - tempered(some, torch.tensor(hot)).amax(1).mean())
    assert 1 <= hot <= HOTTEST
    if hot < HOTTEST:
        assert after == pytest.approx(max(before, ERRORS_OF_DISSENT * dissent), abs=1e-4)


@given(seed=st.integers(0, 99), classes=st.integers(2, 6), hot=st.floats(1.0, HOTTEST))
def test_no_pixel_changes_its_class_and_none_is_surer(seed, classes, hot):
    p = normal_logits(seed, classes, 4.0)
    after = tempered(p, torch.tensor(hot))
    assert torch.allclose(after.sum(1), torch.ones(1, 16, 16), atol=1e-5)
    chosen = p.argmax(1, keepdim=True)
    assert torch.allclose(after.gather(1, chosen)[:, 0], after.amax(1), atol=1e-6)
    assert bool((after.amax(1) <= p.amax(1) + 1e-6).all())


def test_opinions_that_agree_sharpen_nothing():
    # Half of the pixels at 0.6 admit 0.4 errors, the others none: 0.2 on average, more than any dissent below 0.25.
    p = two_classes(0.6, 1.0)
    assert temperature(p, dissent=0.0) == 1
    assert temperature(p, dissent=0.199 / ERRORS_OF_DISSENT) == 1
    assert temperature(p, dissent=0.21 / ERRORS_OF_DISSENT) > 1


def test_a_dissent_that_no_temperature_explains_is_flattened_to_the_limit():
    # Two classes that are equally likely are wrong half of the time, never more.
    assert temperature(two_classes(0.9, 0.2), dissent=0.9) == HOTTEST


def test_an_image_admits_the_errors_that_its_dissent_tells_of_and_keeps_its_mask(model, monkeypatch):
    frame = discs(14, 256)[0]
    settings = ApplySettings(probability=True, own=False, match=False)
    monkeypatch.setattr(predict, "temperature", lambda p, dissent: 1.0)
    plain = segment(frame, model, settings=settings)
    monkeypatch.setattr(predict, "temperature", lambda p, dissent: temperature(p, dissent=0.25))
    doubted = segment(frame, model, settings=settings)
    assert (1 - plain.probability.max(axis=0)).mean() < 0.1
    # Every fourth pixel of each direction was asked: 4096 of them stand for all.
    assert (1 - doubted.probability.max(axis=0)).mean() == pytest.approx(ERRORS_OF_DISSENT * 0.25, abs=0.01)
    assert np.array_equal(doubted.mask, plain.mask)
    assert doubted.uncertainty.mean() > plain.uncertainty.mean()


def test_windows_of_other_temperatures_blend_and_no_pixel_changes_its_class(model, monkeypatch):
    # Four windows of 128 px begin at 0 and 64 px; the right ones are four times as hot, and alone beyond 128 px.
    frame = discs(15, 192)[0]
    settings = ApplySettings(probability=True, own=False, match=False, flips=False)
    monkeypatch.setattr(predict, "_WINDOW_PX", 128)
    monkeypatch.setattr(predict, "temperature", lambda p, dissent: 1.0)
    plain = segment(frame, model, settings=settings)
    hot = iter([1.0, 4.0, 1.0, 4.0])
    monkeypatch.setattr(predict, "temperature", lambda p, dissent: next(hot))
    mixed = segment(frame, model, settings=settings)
    assert np.array_equal(mixed.mask, plain.mask)
    before, after = (np.log(r.probability[0] / r.probability[1]) for r in (plain, mixed))
    ratio = np.where((np.abs(before) > 1) & (np.abs(before) < 8), before / after, np.nan)
    assert np.nanmin(ratio[:, :64]) == pytest.approx(1, rel=0.01)
    assert np.nanmax(ratio[:, :64]) == pytest.approx(1, rel=0.01)
    assert np.nanmin(ratio[:, 128:]) == pytest.approx(4, rel=0.01)
    assert np.nanmax(ratio[:, 128:]) == pytest.approx(4, rel=0.01)
    # Halfway the two weigh alike, and the temperature is the geometric mean.
    assert np.nanmedian(ratio[:, 92:100]) == pytest.approx(2, rel=0.15)
