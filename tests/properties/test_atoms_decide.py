from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.atoms.decide import Decision, Prior, decide
from micrographia.simulate import host, hypotheses

OPTIONS = hypotheses(host("WSe2"), ("S",))
AMPLITUDE = np.array(
    [{"M": 1.0, "V_M": 0.0, "X2": 1.0, "V_X": 0.4, "V_X2": 0.0, "D_X": 0.65, "M_X2": 1.2}[o.label] for o in OPTIONS]
)

fields = st.tuples(st.integers(0, 2**32 - 1), st.integers(30, 150), st.integers(1, 3), st.floats(0.02, 0.2))


def make(seed: int, sites: int, channels: int, sd: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    brightness = rng.choice([1.0, 0.4, 0.0], p=[0.85, 0.1, 0.05], size=(sites, 1)) + rng.normal(
        0, sd, (sites, channels)
    )
    return brightness, np.full_like(brightness, sd**2), rng.random(sites) < 0.5


def decided(brightness: np.ndarray, variance: np.ndarray, metal: np.ndarray) -> Decision:
    channels = brightness.shape[1]
    covariance = np.array([(0.05 * (1 - a)) ** 2 * np.eye(channels) for a in AMPLITUDE])
    return decide(
        brightness,
        variance,
        0.3 * variance,
        metal,
        options=OPTIONS,
        amplitude=np.tile(AMPLITUDE, (channels, 1)),
        amplitude_covariance=covariance,
        prior=Prior(),
    )


@settings(max_examples=25, deadline=None)
@given(fields)
def test_rows_are_probabilities_whatever_comes(made: tuple[int, int, int, float]) -> None:
    found = decided(*make(*made))
    assert np.isfinite(found.posterior).all()
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1)
    assert (found.posterior >= 0).all()
    assert (np.linalg.eigvalsh(found.covariance) > 0).all()


@settings(max_examples=25, deadline=None)
@given(fields)
def test_the_order_of_sites_does_not_matter(made: tuple[int, int, int, float]) -> None:
    brightness, variance, metal = make(*made)
    order = np.random.default_rng(made[0] + 1).permutation(len(metal))
    straight = decided(brightness, variance, metal)
    mixed = decided(brightness[order], variance[order], metal[order])
    np.testing.assert_allclose(mixed.posterior, straight.posterior[order], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(fields)
def test_the_order_of_channels_does_not_matter(made: tuple[int, int, int, float]) -> None:
    brightness, variance, metal = make(*made)
    straight = decided(brightness, variance, metal)
    turned = decided(brightness[:, ::-1].copy(), variance, metal)
    np.testing.assert_allclose(turned.posterior, straight.posterior, atol=1e-6)
    np.testing.assert_allclose(turned.scale[:, ::-1], straight.scale, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(fields, st.floats(0.2, 5.0))
def test_the_unit_of_the_noise_model_does_not_matter(made: tuple[int, int, int, float], factor: float) -> None:
    # The scatter is estimated from the sites, so a noise model that is off by a factor changes nothing.
    brightness, variance, metal = make(*made)
    straight = decided(brightness, variance, metal)
    other = decided(brightness, factor * variance, metal)
    np.testing.assert_allclose(other.posterior, straight.posterior, atol=1e-4)
    np.testing.assert_allclose(other.covariance * factor, straight.covariance, rtol=1e-3)
