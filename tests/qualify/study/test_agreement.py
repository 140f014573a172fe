"""Agreement of experts: what counts as an opinion, and which coefficients a table of them allows."""

import numpy as np
import pytest

from micrographia.qualify.library import Opinion
from micrographia.qualify.library.reference import Reference
from micrographia.qualify.study.agreement import Ratings, coefficients_of, ratings_of


def opinion(image, expert, said, hour=12):
    return Opinion(
        image_sha256=image,
        file=f"{image}.png",
        criterion_id="cracks",
        opinion=said,
        expert=expert,
        given_at=f"2026-01-01T{hour:02}:00:00Z",
    )


def reference(image, expert, polarity, hour=12, mask=None):
    return Reference(
        id="R1",
        criterion_id="cracks",
        polarity=polarity,
        image_sha256=image,
        file=f"{image}.png",
        mask_file=mask,
        mask_sha256=mask,
        mask_value=None,
        text=None,
        expert=expert,
        specimen=None,
        added_at=f"2026-01-01T{hour:02}:00:00Z",
        added_by="Ann",
    )


def test_the_newest_opinion_of_an_expert_counts_whether_given_as_an_opinion_or_as_a_reference():
    said = [opinion("a", "Bob", "accept", 1), opinion("a", "Bob", "reject", 3), opinion("b", "Eve", "accept", 5)]
    held = [reference("a", "Bob", "accept", 2), reference("b", "Eve", "reject", 6), reference("b", "Bob", "reject", 1)]
    found = ratings_of(said, held)
    assert found.experts == ("Bob", "Eve")
    assert found.said.tolist() == [[0, -1], [0, 0]]
    assert found.counts.tolist() == [[1, 0], [2, 0]]


def test_a_region_is_an_image_of_its_own_and_a_reference_without_an_expert_says_nothing():
    held = [reference("a", "Bob", "accept", mask="m"), reference("b", None, "reject")]
    found = ratings_of([opinion("a", "Eve", "reject")], held)
    assert found.said.tolist() == [[1, -1], [-1, 0]]
    assert coefficients_of(found, rng=np.random.default_rng(0)) == ()
    assert coefficients_of(ratings_of([], []), rng=np.random.default_rng(0)) == ()


def test_each_coefficient_rests_on_the_images_that_allow_it():
    said = np.array([[1, 1, 1], [0, 0, 0], [1, 0, -1], [0, 0, -1], [1, 1, 0], [-1, 1, -1]])
    found = coefficients_of(Ratings(experts=("A", "B", "C"), said=said), rng=np.random.default_rng(0), draws=200)
    assert [(c.name, c.experts, c.images) for c in found] == [
        ("percent agreement", ("A", "B", "C"), 5),
        ("Krippendorff's alpha", ("A", "B", "C"), 5),
        ("Fleiss' kappa", ("A", "B", "C"), 3),
        ("Cohen's kappa", ("A", "B"), 5),
        ("Cohen's kappa", ("A", "C"), 3),
        ("Cohen's kappa", ("B", "C"), 3),
    ]
    of = {(c.name, c.experts): c.value for c in found}
    assert of["percent agreement", ("A", "B", "C")] == pytest.approx((1 + 1 + 0 + 1 + 1 / 3) / 5)
    # Three images with 9 ratings, 5 of them accept: found (1 + 1 + 1/3) / 3, by chance (25 + 16) / 81.
    assert of["Fleiss' kappa", ("A", "B", "C")] == pytest.approx((7 / 9 - 41 / 81) / (1 - 41 / 81))
    # A and B agree on 4 of 5; A accepts 3, B 2: by chance (3 * 2 + 2 * 3) / 25.
    assert of["Cohen's kappa", ("A", "B")] == pytest.approx((0.8 - 0.48) / 0.52)


def test_the_bootstrap_interval_covers_and_is_the_same_for_the_same_seed():
    # Two experts who say what is true in 9 of 10 cases: kappa is 0.64 where both sides are equally frequent.
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, (80, 1))
        said = np.where(rng.random((80, 2)) < 0.9, truth, 1 - truth)
        ratings = Ratings(experts=("A", "B"), said=said)
        low, high = coefficients_of(ratings, rng=np.random.default_rng(seed), draws=200)[-1].interval
        hits += low <= 0.64 <= high
    assert hits >= 52
    again = [coefficients_of(ratings, rng=np.random.default_rng(1), draws=50) for _ in range(2)]
    assert again[0] == again[1]


def test_where_most_draws_are_undefined_there_is_no_interval():
    said = np.array([[1, 1]] * 9 + [[0, 0]])
    kappa = coefficients_of(Ratings(experts=("A", "B"), said=said), rng=np.random.default_rng(0))[-1]
    # One draw in three, 0.9 to the power of 10, misses the only image that was rejected.
    assert (kappa.value, kappa.interval) == (1.0, None)
