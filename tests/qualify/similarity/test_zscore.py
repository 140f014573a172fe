"""The spread of net similarities against its closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.qualify.similarity.zscore import Spread, spread_of

NETS = st.lists(st.floats(-2, 2).map(lambda x: round(x, 6)), min_size=1, max_size=12)


@given(NETS, NETS)
@settings(max_examples=50)
def test_the_spread_is_pooled_within_the_sides_and_shrunk_with_the_weight_of_four(on, off):
    mean_on, mean_off = sum(on) / len(on), sum(off) / len(off)
    middle = (mean_on + mean_off) / 2
    squares = sum((x - mean_on) ** 2 for x in on) + sum((x - mean_off) ** 2 for x in off)
    about = (sum((x - middle) ** 2 for x in on) / len(on) + sum((x - middle) ** 2 for x in off) / len(off)) / 2
    variance = (squares + 4 * about) / (len(on) + len(off) - 2 + 4)
    spread = spread_of(np.array(on + off), np.arange(len(on) + len(off)) < len(on))
    assert spread.middle == pytest.approx(middle, abs=1e-12)
    assert spread.sd == pytest.approx(np.sqrt(variance) if variance > 1e-18 else 1.0, rel=1e-6)


def test_two_hundred_references_of_a_side_tell_their_spread_themselves():
    rng = np.random.default_rng(0)
    accepted = np.arange(400) < 200
    net = rng.normal(0, 0.1, 400) + np.where(accepted, 0.3, -0.1)
    spread = spread_of(net, accepted)
    assert spread.middle == pytest.approx(0.1, abs=0.02)
    assert spread.sd == pytest.approx(0.1, rel=0.15)


def test_many_of_one_side_do_not_move_the_middle():
    few = spread_of(np.array([1.0, 3.0, -1.0, -3.0]), np.array([True, True, False, False]))
    many = spread_of(np.array([1.0, 3.0, *[-1.0, -3.0] * 50]), np.arange(102) < 2)
    assert few.middle == many.middle == 0


def test_one_reference_of_a_side_is_one_standard_deviation_from_the_middle():
    spread = spread_of(np.array([0.5, -0.1]), np.array([True, False]))
    assert spread.z(np.array([0.5, -0.1])).tolist() == pytest.approx([1, -1])


def test_z_counts_from_the_middle_in_standard_deviations():
    np.testing.assert_allclose(Spread(middle=0.5, sd=0.25).z(np.array([0.5, 1.0, 0.0])), [0, 2, -2])


def test_what_differs_by_rounding_has_no_spread():
    net = 0.3 + np.array([0, 1e-16, -1e-16, 5e-17])
    assert spread_of(net, np.array([True, True, False, False])).sd == 1.0
