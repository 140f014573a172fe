from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from micrographia.report.images import data_uri, grey_image, grey_limits, residual_image, residual_limit


def test_flat_frames_have_a_range_of_their_own() -> None:
    flat = np.full((8, 8), 3.0)
    low, high = grey_limits(flat)
    assert low < 3 < high
    assert residual_limit(flat * 0) > 0


def test_zero_residual_is_neutral_and_signs_have_their_colours() -> None:
    picture = residual_image(np.array([[-9.0, 0.0, 9.0]]), 2.0).convert("RGB")
    negative, middle, positive = (np.array(picture.getpixel((k, 0))) for k in range(3))
    assert negative[2] > negative[0] + 100
    assert positive[0] > positive[2] + 100
    assert np.ptp(middle) <= 4
    assert middle.min() > 240


def test_opposite_residuals_are_equally_far_from_neutral() -> None:
    values = np.asarray(residual_image(np.array([[-1.0, 1.0]]), 2.0))
    assert int(values[0, 0]) + int(values[0, 1]) == 254


def test_small_pictures_are_exact_and_large_ones_are_reduced() -> None:
    frame = np.random.default_rng(0).uniform(0, 255, (40, 30)).round()
    small = data_uri(grey_image(frame, (0.0, 255.0)))
    with Image.open(io.BytesIO(base64.b64decode(small.split(",")[1]))) as picture:
        assert np.array_equal(np.asarray(picture), frame)
    large = data_uri(grey_image(np.zeros((1200, 3000)), (0.0, 1.0)))
    with Image.open(io.BytesIO(base64.b64decode(large.split(",")[1]))) as picture:
        assert picture.format == "JPEG"
        assert picture.size == pytest.approx((2048, 819), abs=1)
