"""Doubt about a decision: by a closed form, by counting, and where it must not be sure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from micrographia.qualify.doubt import rejected_share


def test_it_is_bayes_rule_with_students_t_about_either_mean():
    on, off = np.array([1.0, 2.0, 3.0, 2.0]), np.array([-1.0, 0.0, -2.0])
    spread = np.sqrt((2.0 + 2.0) / 5)  # sums of squares about the means 2 and -1, over 7 - 2
    accepted = student.pdf((0.7 - 2) / (spread * np.sqrt(5 / 4)), 5) / (spread * np.sqrt(5 / 4))
    rejected = student.pdf((0.7 + 1) / (spread * np.sqrt(4 / 3)), 5) / (spread * np.sqrt(4 / 3))
    assert rejected_share(0.7, on, off) == pytest.approx(rejected / (accepted + rejected), rel=1e-12)


def test_ten_degrees_of_freedom_at_most():
    rng = np.random.default_rng(0)
    on, off = rng.normal(1, 1, 200), rng.normal(-1, 1, 200)
    spread = np.sqrt((on.var() * 200 + off.var() * 200) / 398) * np.sqrt(1 + 1 / 200)
    ratio = student.pdf((3 - off.mean()) / spread, 10) / student.pdf((3 - on.mean()) / spread, 10)
    assert rejected_share(3.0, on, off) == pytest.approx(ratio / (1 + ratio), rel=1e-9)


def test_few_specimens_tell_little_of_new_ones_however_many_references():
    rng = np.random.default_rng(3)
    on, off = rng.normal(2, 1, 40), rng.normal(-2, 1, 40)
    told = [rejected_share(2.0, on, off, specimens=(n, n)) for n in (2, 4, 10, 40)]
    assert (np.diff(told) < 0).all()
    assert told[-1] == rejected_share(2.0, on, off)
    spread = np.sqrt((on.var() * 40 + off.var() * 40) / 78) * np.sqrt(1 + 1 / 2)
    ratio = student.pdf((2 - off.mean()) / spread, 2) / student.pdf((2 - on.mean()) / spread, 2)
    assert told[0] == pytest.approx(ratio / (1 + ratio), rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(-5, 5), st.integers(2, 20), st.integers(2, 20))
@settings(max_examples=60)
def test_trading_and_mirroring_the_sides_changes_nothing(seed, score, positive, negative):
    rng = np.random.default_rng(seed)
    on, off = rng.normal(1, 1, positive), rng.normal(-1, 1, negative)
    found = rejected_share(score, on, off)
    assert 0 <= found <= 1
    assert rejected_share(-score, -off, -on) == pytest.approx(1 - found, abs=1e-9)
    assert rejected_share(10 * score + 3, 10 * on + 3, 10 * off + 3) == pytest.approx(found, abs=1e-9)


def test_sides_the_wrong_way_round_or_the_same_tell_nothing():
    on = np.array([0.0, 1.0, 2.0])
    assert rejected_share(1.0, on, on) == rejected_share(9.0, on, on + 1) == 0.5


def test_sides_without_any_spread_are_as_sure_as_can_be():
    ones = np.ones(5)
    assert rejected_share(1.0, ones, -ones) < 1e-9
    assert rejected_share(-1.0, ones, -ones) > 1 - 1e-9
    assert rejected_share(0.0, ones, -ones) == pytest.approx(0.5)


@pytest.mark.parametrize(("apart", "surest"), [(0.6, 0.2), (1.2, 0.08)])
def test_however_far_out_a_score_is_no_proof_where_sides_overlap(apart, surest):
    """Means 2 and 4 standard deviations of root 2 apart; by a normal distribution any limit would be passed."""
    rng = np.random.default_rng(1)
    on, off = (np.sqrt(2) * v / v.std() for v in (x - x.mean() for x in rng.normal(size=(2, 40))))
    shares = [rejected_share(s, on + apart, off - apart) for s in np.linspace(-30, 30, 601)]
    assert surest / 2 < min(shares) < surest * 2


@pytest.mark.parametrize("sampler", ["normal", "heavy"])
def test_of_samples_said_to_be_acceptable_no_more_than_that_share_is_rejected(sampler):
    """Counted over 300 libraries of 16 + 16 references, with a margin of four standard errors."""
    rng = np.random.default_rng(2)

    def draw(n):
        return rng.normal(size=n) if sampler == "normal" else rng.standard_t(4, n) / np.sqrt(2)

    said, true = [], []
    for _ in range(300):
        on, off = draw(16) + 1, draw(16) - 1
        for rejected in (False, True):
            for score in draw(8) + (-1 if rejected else 1):
                said.append(rejected_share(float(score), on, off))
                true.append(rejected)
    said, true = np.array(said), np.array(true)
    sure = said < 0.1
    assert sure.sum() > 500
    assert true[sure].mean() < said[sure].mean() + 4 * np.sqrt(0.1 * 0.9 / sure.sum())
