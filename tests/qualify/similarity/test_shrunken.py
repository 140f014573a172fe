"""The shrunken net similarity against ridge regressions written out, and against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from micrographia.qualify.similarity import shrunken
from micrographia.qualify.similarity.net import unit
from micrographia.qualify.similarity.shrunken import RIDGE, fit_direction, left_out, sides, standard_of, together

SEEDS = st.integers(0, 2**32 - 1)


def embeddings(seed, positive=7, negative=5, dimension=4):
    rng = np.random.default_rng(seed)
    accepted = rng.permutation(np.arange(positive + negative) < positive)
    scale, centre = rng.uniform(0.1, 10, dimension), rng.normal(0, 5, dimension)
    return rng.normal(size=(positive + negative, dimension)) * scale + centre + 0.5 * accepted[:, None], accepted


def test_the_scale_is_the_variance_shrunk_towards_that_of_all_features():
    vectors, _ = embeddings(0)
    n, d = vectors.shape
    variance = [sum((v - sum(column) / n) ** 2 for v in column) / n for column in vectors.T]
    expected = [((n - 1) * v + 4 * sum(variance) / d) / (n - 1 + 4) for v in variance]
    standard = standard_of(vectors)
    np.testing.assert_allclose(standard.scale**2, expected, rtol=1e-12)
    np.testing.assert_allclose(standard.centre, vectors.sum(axis=0) / n, rtol=1e-12)
    np.testing.assert_allclose(standard.of(vectors).sum(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("count", [1, 3, 19])
def test_references_that_are_all_alike_have_no_direction_but_rounding_is_none_either(count):
    alike = np.full((count, 3), [0.1, 0.7, 1 / 3])
    standard = standard_of(alike)
    np.testing.assert_array_equal(standard.of(alike), 0)
    np.testing.assert_array_equal(standard.scale, 1)
    direction = fit_direction(alike, np.arange(count) % 2 == 0)
    np.testing.assert_array_equal(direction.net(np.ones((2, 3))), 0)


def test_sides_weigh_the_same_however_many_there_are():
    accepted = np.array([True, False, True, True, False, True])
    side = sides(accepted)
    np.testing.assert_allclose(side[accepted], 6 / (2 * 4))
    np.testing.assert_allclose(side[~accepted], -6 / (2 * 2))
    assert side.sum() == pytest.approx(0, abs=1e-15)
    np.testing.assert_array_equal(sides(~accepted), -side)


@pytest.mark.parametrize("dimension", [2, 30])
def test_the_direction_is_that_of_scikit_learn_ridge_on_the_same_features(dimension):
    vectors, accepted = embeddings(1, dimension=dimension)
    samples = np.random.default_rng(2).normal(size=(6, dimension))
    direction = fit_direction(vectors, accepted)
    features = direction.standard.of(vectors)
    penalty = RIDGE * np.mean((features**2).sum(axis=1))
    target = np.where(accepted, 12 / 14, -12 / 10)
    primal = Ridge(alpha=penalty, fit_intercept=False, solver="svd").fit(features, target)
    np.testing.assert_allclose(direction.towards, primal.coef_, rtol=1e-9, atol=1e-12)
    dual = KernelRidge(alpha=penalty, kernel="linear").fit(features, target)
    expected = dual.predict(direction.standard.of(samples))
    np.testing.assert_allclose(direction.net(samples), expected, rtol=1e-9, atol=1e-11)


def test_with_a_large_ridge_it_is_the_net_similarity_of_centred_embeddings(monkeypatch):
    monkeypatch.setattr(shrunken, "RIDGE", 1e9)
    vectors, accepted = embeddings(3, dimension=9)
    direction = fit_direction(vectors, accepted)
    centred = direction.standard.of(vectors)
    plain = centred[accepted].mean(axis=0) - centred[~accepted].mean(axis=0)
    np.testing.assert_allclose(unit(direction.towards[None])[0], unit(plain[None])[0], atol=1e-8)


@given(SEEDS, st.integers(1, 8), st.integers(1, 8), st.integers(1, 12))
@settings(max_examples=40)
def test_cosines_and_inverse_are_those_of_standardised_embeddings(seed, positive, negative, dimension):
    vectors, _ = embeddings(seed, positive, negative, dimension)
    images = together(vectors)
    v = standard_of(vectors).of(vectors)
    gram = v @ v.T
    scaled = gram / np.mean(np.diag(gram)) + 1 / len(v) + RIDGE * np.eye(len(v))
    np.testing.assert_allclose(images.inverse @ scaled, np.eye(len(v)), atol=1e-9)
    lengths = np.linalg.norm(v, axis=1)
    np.testing.assert_allclose(images.cosine * np.outer(lengths, lengths), gram, atol=1e-9)


def refitted_without(vectors, accepted, groups):
    """Fit a ridge regression to the other groups, for each group: features from the same (transductive) standard."""
    centre, n = vectors.mean(axis=0), len(vectors)
    variance = vectors.var(axis=0)
    v = (vectors - centre) / np.sqrt(((n - 1) * variance + 4 * variance.mean()) / (n + 3))
    v = v / np.sqrt(np.mean((v**2).sum(axis=1)))
    v = np.column_stack([v, np.full(n, 1 / np.sqrt(n))])  # the constant feature
    target = np.where(accepted, n / (2 * accepted.sum()), -n / (2 * (~accepted).sum()))
    net = np.empty(n)
    for group in np.unique(groups):
        out = groups == group
        rest = v[~out]
        # The primal form: its weights are in the space of features.
        weights = np.linalg.solve(rest.T @ rest + RIDGE * np.eye(v.shape[1]), rest.T @ target[~out])
        net[out] = v[out] @ weights
    return net


@given(SEEDS, st.integers(2, 8), st.integers(2, 8), st.integers(1, 12))
@settings(max_examples=40)
def test_left_out_is_what_a_fit_without_the_image_gives(seed, positive, negative, dimension):
    vectors, accepted = embeddings(seed, positive, negative, dimension)
    each = np.arange(len(vectors))
    found = left_out(together(vectors), accepted, each)
    np.testing.assert_allclose(found, refitted_without(vectors, accepted, each), rtol=1e-8, atol=1e-8)


@given(SEEDS, st.integers(2, 6))
@settings(max_examples=40)
def test_left_out_is_what_a_fit_without_the_whole_specimen_gives(seed, specimens):
    vectors, accepted = embeddings(seed)
    groups = np.random.default_rng(seed).integers(0, specimens, len(vectors))
    found = left_out(together(vectors), accepted, groups)
    np.testing.assert_allclose(found, refitted_without(vectors, accepted, groups), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dimension", [3, 40, 200])
def test_of_noise_an_image_left_out_tells_nothing_of_its_side(dimension):
    """Of features fewer than images, as no encoder has, it errs to the other side: references seem less apart."""
    rng = np.random.default_rng(0)
    accepted = np.arange(16) < 8
    gaps = []
    for _ in range(200):
        net = left_out(together(rng.normal(size=(16, dimension))), accepted, np.arange(16))
        gaps.append(net[accepted].mean() - net[~accepted].mean())
    margin = 4 * np.std(gaps) / np.sqrt(len(gaps))
    assert margin < 0.15
    assert (-0.25 if dimension == 3 else -margin) < np.mean(gaps) < margin


def test_another_side_of_an_image_left_out_changes_its_net_similarity_only_through_the_weights_of_sides():
    """Of two images that trade sides, one each way, neither sees its own."""
    vectors, accepted = embeddings(4, positive=6, negative=6)
    on, off = int(np.flatnonzero(accepted)[0]), int(np.flatnonzero(~accepted)[0])
    traded = accepted.copy()
    traded[[on, off]] = False, True
    groups = np.arange(12)
    groups[off] = groups[on]
    images = together(vectors)
    before, after = left_out(images, accepted, groups), left_out(images, traded, groups)
    np.testing.assert_allclose(before[[on, off]], after[[on, off]], atol=1e-12)
    assert np.abs(before - after).max() > 0.01


@given(SEEDS)
@settings(max_examples=30)
def test_the_order_of_images_makes_no_difference(seed):
    vectors, accepted = embeddings(seed)
    groups = np.random.default_rng(seed).integers(0, 6, len(vectors))
    order = np.random.default_rng(seed + 1).permutation(len(vectors))
    images, mixed = together(vectors), together(vectors[order])
    np.testing.assert_allclose(mixed.cosine, images.cosine[np.ix_(order, order)], atol=1e-10)
    np.testing.assert_allclose(mixed.inverse, images.inverse[np.ix_(order, order)], atol=1e-9)
    straight = left_out(images, accepted, groups)
    np.testing.assert_allclose(left_out(mixed, accepted[order], groups[order]), straight[order], atol=1e-9)


def test_neither_the_unit_nor_the_offset_of_embeddings_counts():
    vectors, accepted = embeddings(5)
    each = np.arange(len(vectors))
    plain = left_out(together(vectors), accepted, each)
    np.testing.assert_allclose(left_out(together(1000 * vectors + 7), accepted, each), plain, rtol=1e-8)
