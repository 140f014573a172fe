"""Which words are masked, how often, and by what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.learn.language.masking import mask_words

MASK = 999
OTHERS = np.arange(500, 600)


def masked(tokens, words, *, seed=0, share=0.15):
    return mask_words(tokens, words, share=share, mask=MASK, others=OTHERS, rng=np.random.default_rng(seed))


def test_fifteen_percent_are_chosen_of_which_80_10_10_are_masked_replaced_and_left():
    tokens = np.tile(np.arange(100), (1000, 1))
    words = np.tile(np.arange(100), (1000, 1))
    words[:, :5] = -1
    found = masked(tokens, words)
    count = found.chosen.sum()
    # 95,000 words: five standard deviations of a binomial are 0.0058 of them.
    assert count / 95_000 == pytest.approx(0.15, abs=0.0058)
    # 14,000 chosen: five standard deviations are 0.017 and 0.013.
    seen, truth = found.seen[found.chosen], tokens[found.chosen]
    assert (seen == MASK).sum() / count == pytest.approx(0.8, abs=0.017)
    assert np.isin(seen, OTHERS).sum() / count == pytest.approx(0.1, abs=0.013)
    assert (seen == truth).sum() / count == pytest.approx(0.1, abs=0.013)


@given(st.integers(0, 2**31), st.floats(0.05, 1.0))
@settings(max_examples=50, deadline=None)
def test_marks_are_never_chosen_and_nothing_else_changes(seed, share):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 400, (4, 12))
    words = np.sort(rng.integers(0, 6, (4, 12)), axis=1)
    words[:, 0] = words[:, -3:] = -1
    found = masked(tokens, words, seed=seed, share=share)
    assert not found.chosen[words == -1].any()
    np.testing.assert_array_equal(found.seen[~found.chosen], tokens[~found.chosen])
    # A word is chosen with all its pieces or with none.
    for row in range(4):
        for word in set(words[row]) - {-1}:
            assert len(set(found.chosen[row, words[row] == word])) == 1


def test_the_same_generator_masks_the_same():
    tokens, words = np.arange(40).reshape(2, 20), np.tile(np.arange(20), (2, 1))
    np.testing.assert_array_equal(masked(tokens, words, seed=3).seen, masked(tokens, words, seed=3).seen)
    assert (masked(tokens, words, seed=3).seen != masked(tokens, words, seed=4).seen).any()
    assert (tokens == np.arange(40).reshape(2, 20)).all()
