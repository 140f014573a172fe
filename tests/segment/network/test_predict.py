"""Images of any size, in strips or whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_textures import discs, iou

from micrographia.errors import InputError
from micrographia.segment.network import predict
from micrographia.segment.network.normalise import normalised
from micrographia.segment.network.predict import ApplySettings, segment
from micrographia.segment.network.segmenter import maps_of


@pytest.mark.parametrize("shape", [(9, 70), (64, 64), (200, 33), (130, 257)])
def test_any_size_comes_back_as_it_was(model, shape):
    found = segment(discs(3, 260)[0][: shape[0], : shape[1]], model, settings=ApplySettings(probability=True))
    assert found.mask.shape == found.uncertainty.shape == shape
    assert set(np.unique(found.mask)) <= {0, 1}
    assert np.allclose(found.probability.sum(axis=0), 1, atol=1e-4)


def test_discs_on_new_images_are_found(model):
    frame, mask = discs(7, 160)
    assert iou(segment(frame, model).mask, mask) > 0.9


def test_gain_and_offset_of_the_detector_do_not_matter(model):
    frame, _ = discs(8)
    a, b = segment(frame, model), segment(0.01 * frame - 3.0, model)
    assert (a.mask == b.mask).mean() > 0.999


def test_uncertainty_is_the_entropy_over_that_of_ignorance(model):
    found = segment(discs(9)[0], model, settings=ApplySettings(probability=True))
    p = np.clip(found.probability.astype(float), 1e-9, 1)
    assert np.allclose(found.uncertainty, -(p * np.log2(p)).sum(axis=0), atol=1e-4)


def test_dissent_is_the_share_of_pixels_that_two_opinions_name_differently(model):
    frame = discs(11, 128)[0]
    found = segment(frame, model, settings=ApplySettings(flips=False, match=False))
    with torch.no_grad():
        votes, shapes = model.network.opinions(
            maps_of(torch.from_numpy(normalised(frame))[None, None], model.network.encoder)
        )
    assert found.dissent == pytest.approx(np.mean(votes.numpy().argmax(1) != shapes.numpy().argmax(1)))
    assert 0 < found.dissent < 0.2


def test_strips_give_what_the_whole_gives(model, monkeypatch):
    frame, _ = discs(10, 512)
    frame = frame[:, :128]
    whole = segment(frame, model)
    monkeypatch.setattr(predict, "_WINDOW_PX", 128)
    windows = segment(frame, model)
    monkeypatch.setattr(predict, "_STRIP_FLOATS", 2 * 128 * 256)
    told = []
    strips = segment(frame, model, progress=lambda done, total: told.append((done, total)))
    assert (strips.mask == windows.mask).mean() > 0.99
    assert (strips.mask == whole.mask).mean() > 0.97
    # Windows cost time, so their number must be right: strips see (0, 192), (64, 320), (192, 448), (320, 512).
    assert told[-1][0] == told[-1][1] == len(told)


def test_an_image_without_contrast_is_refused(model):
    with pytest.raises(InputError, match="all pixels are equal"):
        segment(np.full((64, 64), 7.0, dtype=np.float32), model)


def test_black_and_white_exchanged_are_put_back_and_said(model):
    frame, mask = discs(12, 256)
    found = segment(-frame, model)
    assert found.seen == "with black and white exchanged"
    assert iou(found.mask, mask) > 0.85
    plain = segment(-frame, model, settings=ApplySettings(match=False))
    assert plain.seen == ""
    assert iou(plain.mask, mask) < 0.5


def test_another_magnification_is_undone_and_the_mask_has_the_size_of_the_image(model):
    # Sixteen discs of twice the size, with the noise of the single pixels.
    _, mask = discs(13, 192)
    mask = np.kron(mask, np.ones((2, 2), dtype=np.uint8))
    frame = 100.0 + 50.0 * mask + np.kron(np.random.default_rng(1).normal(0, 10, (192, 192)), np.ones((2, 2)))
    found = segment(frame.astype(np.float32), model)
    assert found.seen == "at 0.5 times its size"
    assert found.mask.shape == (384, 384)
    assert iou(found.mask, mask) > 0.9


def test_images_that_are_like_those_learned_from_are_seen_as_they_are(model):
    assert [segment(discs(seed, 192)[0], model).seen for seed in range(40, 46)] == [""] * 6


def test_stripes_and_squares_are_unlike_discs_and_more_discs_are_not(model):
    for seed in range(20, 24):
        assert not segment(discs(seed)[0], model).unfamiliar
    x = np.arange(128)
    for frame in (np.sin(x / 2) + 0 * x[:, None], (x[:, None] // 9 + x // 9) % 2 + 0.0):
        assert segment(frame.astype(np.float32), model).unfamiliar
