"""Pictures as teachers see them."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from micrographia.instruct.teachers.pictures import MOST_SHOWN_PX, png, shown


def greys(frame):
    with Image.open(io.BytesIO(png(frame))) as image:
        return np.asarray(image)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(0.01, 1e4), st.floats(-1e4, 1e4))
def test_units_do_not_matter(gain, offset):
    # intensities are multiples of 1/16 of 256 levels, so that no rounding of the input tips a grey
    frame = np.tile(np.arange(256, dtype=np.float64), (16, 1))
    changed = greys((gain * frame + offset).astype(np.float32)).astype(int)
    assert np.abs(changed - greys(frame.astype(np.float32)).astype(int)).max() <= 1


def test_the_middle_98_percent_of_a_ramp_fill_the_greys():
    frame = np.tile(np.arange(1001, dtype=np.float32), (8, 1))
    found = greys(frame)
    # percentiles of 0 ... 1000 are 10 and 990
    assert (found[0, 10], found[0, 990]) == (0, 255)
    assert found[0, 500] == pytest.approx(127.5, abs=0.5)


def test_a_flat_image_is_black_rather_than_an_error():
    assert greys(np.full((8, 8), 7, dtype=np.float32)).max() == 0


def test_a_large_image_is_averaged_down_to_the_largest_that_is_shown():
    frame = np.zeros((512, 4096), dtype=np.float32)
    frame[:, 1::2] = 2.0
    small = shown(frame)
    assert small.shape == (128, MOST_SHOWN_PX)
    np.testing.assert_allclose(small, 1.0)
