"""Plain net similarity against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.qualify.similarity.net import net_similarity, unit


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / np.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_net_similarity_is_the_mean_cosine_to_one_side_less_that_to_the_other(seed, positive, negative):
    rng = np.random.default_rng(seed)
    samples, on, off = (rng.normal(size=(n, 4)) for n in (3, positive, negative))
    expected = [np.mean([cosine(s, a) for a in on]) - np.mean([cosine(s, r) for r in off]) for s in samples]
    np.testing.assert_allclose(net_similarity(samples, on, off), expected, rtol=0, atol=1e-12)


def test_net_similarity_reverses_with_the_sides_and_ignores_lengths():
    rng = np.random.default_rng(0)
    samples, on, off = (rng.normal(size=(n, 5)) for n in (4, 3, 2))
    net = net_similarity(samples, on, off)
    np.testing.assert_allclose(net_similarity(samples, off, on), -net, atol=1e-15)
    longer = rng.uniform(0.1, 10, (3, 1))
    np.testing.assert_allclose(net_similarity(7 * samples, on * longer, off), net, atol=1e-14)


def test_net_similarity_goes_from_minus_two_to_two():
    north = np.array([[0.0, 1.0]])
    assert net_similarity(north, north, -north).tolist() == [2.0]
    assert net_similarity(-north, north, -north).tolist() == [-2.0]


@pytest.mark.parametrize("empty", ["accepted", "rejected"])
def test_an_empty_side_is_refused(empty):
    one, none = np.ones((1, 3)), np.empty((0, 3))
    with pytest.raises(InputError, match="at least one of each"):
        net_similarity(one, *((none, one) if empty == "accepted" else (one, none)))


def test_a_vector_without_a_direction_is_refused():
    with pytest.raises(InputError, match="has no direction"):
        unit(np.array([[1.0, 0.0], [0.0, 0.0]]))
