"""Losses against numbers worked out by hand, and their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.learn.language.losses import contrastive_loss, cosine_loss, masked_loss, relational_loss


def unit(rows):
    vectors = torch.tensor(rows, dtype=torch.float64)
    return vectors / vectors.norm(dim=1, keepdim=True)


def test_masked_loss_is_the_mean_surprise_at_what_stood_there():
    # Probabilities 1/2, 1/4, 1/4 in both places; told are the first and the last.
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]))
    expected = (math.log(2) + math.log(4)) / 2
    assert masked_loss(logits, torch.tensor([0, 2])).item() == pytest.approx(expected, rel=1e-6)


def test_nothing_masked_costs_nothing_and_still_has_a_gradient():
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = masked_loss(logits, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0


def test_cosine_loss_is_one_minus_the_cosine():
    # 60 degrees and 0 degrees: (1/2 + 0) / 2.
    before = unit([[1, 0], [0, 1]])
    vectors = unit([[1, math.sqrt(3)], [0, 5]])
    assert cosine_loss(vectors, before).item() == pytest.approx(0.25)


def test_relational_loss_is_the_mean_squared_change_of_the_cosines():
    # Cosines before: 0 for all three pairs. Now (1,2) is at 60 degrees, the third is orthogonal to both.
    before = torch.eye(3, dtype=torch.float64)
    vectors = unit([[1, 0, 0], [1, math.sqrt(3), 0], [0, 0, 1]])
    assert relational_loss(vectors, before).item() == pytest.approx(0.25 / 3)


@given(st.integers(0, 2**31), st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_turning_all_vectors_alike_changes_no_relation(seed, count):
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(count, 4)))
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    assert relational_loss(vectors @ torch.tensor(turn), vectors).item() == pytest.approx(0, abs=1e-12)
    assert cosine_loss(vectors, vectors).item() == pytest.approx(0, abs=1e-12)


def test_contrastive_loss_by_hand():
    # Cosines 1 and 1/2 (row and column 1), 0 and 1 (2); temperature 1/2 doubles them.
    one, other = unit([[1, 0], [0, 1]]), unit([[1, 0], [1, math.sqrt(3)]])
    rows = [[2 * 1.0, 2 * 0.5], [2 * 0.0, 2 * math.sqrt(3) / 2]]

    def surprise(right, wrong):
        return math.log(1 + math.exp(wrong - right))

    forward = (surprise(rows[0][0], rows[0][1]) + surprise(rows[1][1], rows[1][0])) / 2
    backward = (surprise(rows[0][0], rows[1][0]) + surprise(rows[1][1], rows[0][1])) / 2
    found = contrastive_loss(one, other, torch.tensor([3, 8]), temperature=0.5)
    assert found.item() == pytest.approx((forward + backward) / 2)


def test_another_pair_about_the_same_image_is_no_wrong_answer():
    one, other = unit([[1, 0], [1, 0]]), unit([[1, 0], [1, 0]])
    # Both are about image 4: no wrong answer is left, and nothing to be surprised at.
    assert contrastive_loss(one, other, torch.tensor([4, 4]), temperature=0.1).item() == 0
    # Of different images, they cannot be told apart: ln 2.
    assert contrastive_loss(one, other, torch.tensor([4, 5]), temperature=0.1).item() == pytest.approx(math.log(2))
