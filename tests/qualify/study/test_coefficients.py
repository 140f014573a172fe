"""Coefficients of agreement against published worked examples, other software, and counting pairs."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from micrographia.qualify.study.coefficients import cohen_kappa, fleiss_kappa, krippendorff_alpha, percent_agreement

# Ten items, five categories, fourteen raters: the example of the encyclopaedias for Fleiss' kappa, 0.210.
FOURTEEN = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
# Four observers, twelve units, missing values: Krippendorff, Computing Krippendorff's alpha-reliability, example C.
FOUR = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)


def counts_of(ratings, categories):
    return np.array([[(unit == c).sum() for c in categories] for unit in ratings.T])


def alpha_by_pairs(ratings):
    """Krippendorff's alpha from the coincidence of each ordered pair of ratings, counted one by one."""
    coincidence = np.zeros((10, 10))
    for unit in ratings.T:
        said = [v for v in unit if v > 0]
        for a, b in permutations(said, 2):
            coincidence[a, b] += 1 / (len(said) - 1)
    margin, total = coincidence.sum(axis=0), coincidence.sum()
    expected = (np.outer(margin, margin) - np.diag(margin)) / (total - 1)
    apart = ~np.eye(10, dtype=bool)
    return 1 - coincidence[apart].sum() / expected[apart].sum()


def test_fleiss_kappa_of_the_worked_example():
    assert fleiss_kappa(FOURTEEN) == pytest.approx(0.210, abs=5e-4)
    assert percent_agreement(FOURTEEN) == pytest.approx(0.378, abs=5e-4)


def test_krippendorff_alpha_of_the_worked_example():
    assert krippendorff_alpha(counts_of(FOUR, range(1, 6))) == pytest.approx(0.743, abs=5e-4)
    assert alpha_by_pairs(FOUR) == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize("seed", range(10))
def test_krippendorff_alpha_counts_pairs_of_ratings(seed):
    ratings = np.random.default_rng(seed).integers(0, 4, (5, 20))
    assert krippendorff_alpha(counts_of(ratings, range(1, 4))) == pytest.approx(alpha_by_pairs(ratings), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_cohen_kappa_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 3, 40)
    other = np.where(rng.random(40) < 0.6, one, rng.integers(0, 3, 40))
    assert cohen_kappa(one, other) == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)


def test_of_two_raters_alpha_is_fleiss_kappa_but_for_a_share_of_chance():
    # 1 - alpha = (1 - kappa) (n - 1) / n for n ratings: alpha draws pairs without replacement.
    counts = np.array([[2, 0], [1, 1], [0, 2], [0, 2], [1, 1]])
    assert 1 - krippendorff_alpha(counts) == pytest.approx((1 - fleiss_kappa(counts)) * 9 / 10)


def test_where_every_rating_is_the_same_nothing_can_be_said():
    same = np.array([[0, 3], [0, 3]])
    assert percent_agreement(same) == 1
    assert (fleiss_kappa(same), krippendorff_alpha(same)) == (None, None)
    assert cohen_kappa(np.ones(4, dtype=int), np.ones(4, dtype=int)) is None


def test_where_ratings_are_missing_only_what_allows_it_is_given():
    counts = np.array([[1, 0], [2, 1], [0, 2]])
    assert percent_agreement(counts) == pytest.approx((1 / 3 + 1) / 2)
    assert fleiss_kappa(counts) is None
    assert krippendorff_alpha(counts) is not None
    lonely = np.array([[1, 0], [0, 1]])
    assert (percent_agreement(lonely), fleiss_kappa(lonely), krippendorff_alpha(lonely)) == (None, None, None)
    assert cohen_kappa(np.zeros(0, dtype=int), np.zeros(0, dtype=int)) is None


def test_full_agreement_is_one_and_full_disagreement_of_two_is_minus_one():
    assert cohen_kappa(np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1])) == 1
    assert cohen_kappa(np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0])) == -1
    assert fleiss_kappa(np.array([[3, 0], [0, 3]])) == 1
