import numpy as np
import pytest

from micrographia.simulate.columns.blur import blur_matrix


@pytest.mark.parametrize("sigma_A", [0.05, 0.075, 0.3, 0.6])
@pytest.mark.parametrize("step_A", [0.05, 0.1])
def test_a_blurred_gaussian_is_the_gaussian_of_the_summed_variance(sigma_A, step_A):
    r = np.arange(0, 7, step_A)
    variance = 0.45**2 + sigma_A**2
    blurred = blur_matrix(r, sigma_A) @ np.exp(-(r**2) / (2 * 0.45**2))
    assert blurred == pytest.approx(0.45**2 / variance * np.exp(-(r**2) / (2 * variance)), abs=2e-5)


def test_no_blur_changes_nothing():
    assert np.array_equal(blur_matrix(np.arange(0, 2, 0.1), 0.0), np.eye(20))


@pytest.mark.parametrize("sigma_A", [0.1, 0.5])
def test_the_integral_over_the_plane_is_kept(sigma_A):
    r = np.arange(0, 9, 0.1)
    ring = np.exp(-((r - 2) ** 2) / 0.5)
    assert np.sum((blur_matrix(r, sigma_A) @ ring) * r) == pytest.approx(np.sum(ring * r), rel=1e-4)


def test_blurring_twice_adds_variances():
    r = np.arange(0, 9, 0.1)
    ring = np.exp(-((r - 2) ** 2) / 0.5)
    twice = blur_matrix(r, 0.3) @ (blur_matrix(r, 0.4) @ ring)
    assert twice == pytest.approx(blur_matrix(r, 0.5) @ ring, abs=1e-4)


def test_a_point_off_centre_is_seen_as_its_mean_over_a_circle():
    # Monte Carlo of the definition: mean of f(|r + displacement|), 1e6 draws, error below 0.1 %.
    r = np.arange(0, 6, 0.05)
    steps = np.random.default_rng(1).normal(scale=0.4, size=(2, 1_000_000))
    f = np.exp(-r) * np.cos(2 * r)
    blurred = blur_matrix(r, 0.4) @ f
    for at in (0, 20, 40):
        distance = np.hypot(r[at] + steps[0], steps[1])
        assert blurred[at] == pytest.approx(np.mean(np.exp(-distance) * np.cos(2 * distance)), abs=2e-3)
