from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_t, norm

from micrographia.atoms.decide import (
    DEFECT_PRIOR,
    Decision,
    Prior,
    _log_student,
    amplitude_uncertainty,
    decide,
    index_of_pristine,
    merged,
)
from micrographia.errors import ContextError
from micrographia.simulate import Hypothesis, host, hypotheses

OPTIONS = hypotheses(host("WSe2"))  # M, V_M | X2, V_X, V_X2, M_X2
NAMES = [o.label for o in OPTIONS]
X2, V_X = NAMES.index("X2"), NAMES.index("V_X")


def amplitudes(channels: int, **changed: float) -> np.ndarray:
    """M_X2 far away, so that only what a test plants is in question."""
    values = {"M": 1.0, "V_M": 0.0, "X2": 1.0, "V_X": 0.5, "V_X2": -3.0, "M_X2": 9.0} | changed
    return np.tile([values[name] for name in NAMES], (channels, 1))


def decided(
    brightness: np.ndarray, *, variance: float, prior: Prior | None = None, metal: np.ndarray | None = None, **more: Any
) -> Decision:
    sites, channels = brightness.shape
    options = more.pop("options", OPTIONS)
    given = {
        "options": options,
        "amplitude": amplitudes(channels),
        "amplitude_covariance": np.zeros((len(options), channels, channels)),
        "prior": prior or Prior(),
    } | more
    return decide(
        brightness,
        np.full((sites, channels), variance),
        np.zeros((sites, channels)),
        np.zeros(sites, dtype=bool) if metal is None else metal,
        **given,
    )


def planted(rng: np.random.Generator, sites: int, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    vacant = rng.random(sites) < fraction
    return vacant, np.where(vacant, 0.5, 1.0)[:, None]


def test_overlapping_classes_get_the_analytic_posterior() -> None:
    rng = np.random.default_rng(0)
    sd, fraction = 0.14, 0.15
    _, mean = planted(rng, 40_000, fraction)
    brightness = mean + rng.normal(0, sd, mean.shape)
    found = decided(brightness, variance=sd**2)
    full = (1 - fraction) * norm.pdf(brightness[:, 0], 1.0, sd)
    vacant = fraction * norm.pdf(brightness[:, 0], 0.5, sd)
    # With the 50 degrees of freedom that it may take here the steepest part of the posterior moves by less than 0.02,
    # and the squared scale is 48/50 of the variance.
    assert found.posterior[:, V_X] == pytest.approx(vacant / (full + vacant), abs=0.02)
    assert found.scale[1, 0] == pytest.approx(1.0, abs=3e-3)
    assert 0.94 < found.covariance[1, 0, 0] < 1.02


def test_scale_is_that_of_the_pristine_columns_and_defects_follow_it() -> None:
    rng = np.random.default_rng(1)
    vacant, mean = planted(rng, 4000, 0.1)
    found = decided(0.8 * mean + rng.normal(0, 0.02, mean.shape), variance=0.02**2)
    # Standard error of the scale: 0.02 / sqrt(3600) = 3e-4.
    assert found.scale[1, 0] == pytest.approx(0.8, abs=1.5e-3)
    assert (found.posterior[:, V_X] > 0.5).tolist() == vacant.tolist()


def test_noise_that_channels_share_is_learnt() -> None:
    rng = np.random.default_rng(2)
    wanted = np.array([[1.0, 0.8], [0.8, 1.0]])
    brightness = 1 + 0.1 * rng.multivariate_normal([0, 0], wanted, 20_000)
    found = decided(brightness, variance=0.01)
    # Standard error of a covariance entry here is about sqrt(2 / 20000) = 1 %.
    assert found.covariance[1] == pytest.approx(wanted, abs=0.05)
    # Both channels dim by 0.3 together is ordinary noise in one channel less than a vacancy's pattern; opposite
    # signs are as rare as 0.3^2 2 / (0.01 (1 - 0.8)) = 90 in squared standard deviations.
    assert np.allclose(found.covariance[0], np.eye(2))  # no metal site told anything


def test_a_noise_model_that_is_too_sure_is_corrected() -> None:
    rng = np.random.default_rng(3)
    brightness = 1 + rng.normal(0, 0.2, (10_000, 1))
    # True variance 0.04 against a modelled 0.01; the unexplained low tail is the vacancy's, at 2.5 sd.
    found = decided(brightness, variance=0.01, prior=Prior(fraction={"V_X": 1e-4}, strength_sites=1e6))
    assert found.covariance[1, 0, 0] == pytest.approx(4.0, rel=0.05)


def test_heavy_tails_do_not_widen_the_scatter() -> None:
    rng = np.random.default_rng(4)
    brightness = 1 + 0.03 * rng.standard_t(4, (20_000, 1))
    found = decided(brightness, variance=0.03**2)
    # A Gaussian fit would take the variance of t with 4 degrees of freedom, twice the scale squared.
    assert found.covariance[1, 0, 0] == pytest.approx(1.0, rel=0.15)
    # A Gaussian would call 5 sd and more out a vacancy: P(|t4| > 5) / 2 = 0.4 % of the sites, half the way there.
    assert np.mean(found.posterior[:, V_X] > 0.5) < 0.002


def test_fractions_are_counts_and_prior_where_classes_are_apart() -> None:
    rng = np.random.default_rng(5)
    vacant, mean = planted(rng, 3000, 0.07)
    brightness = mean + rng.normal(0, 0.01, mean.shape)
    prior = Prior(fraction={"V_X": 0.02}, strength_sites=500.0)
    found = decided(brightness, variance=1e-4, prior=prior)
    assert found.fraction[V_X] == pytest.approx((vacant.sum() + 500 * 0.02) / 3500, rel=1e-6)
    assert found.fraction[NAMES.index("V_X2")] == pytest.approx(500 * DEFECT_PRIOR["V_X2"] / 3500, rel=1e-6)
    assert found.fraction[2:].sum() == pytest.approx(1)
    assert found.fraction[:2] == pytest.approx([0, 0])


def test_an_uncertain_amplitude_widens_its_class() -> None:
    rng = np.random.default_rng(6)
    brightness = np.concatenate([1 + rng.normal(0, 0.02, (5000, 1)), [[0.52], [0.62]]])
    wide = np.zeros((len(OPTIONS), 1, 1))
    wide[V_X] = 0.1**2
    amplitude = amplitudes(1, V_X=0.5, V_X2=0.3)
    unsure = decided(brightness, variance=4e-4, amplitude_covariance=wide, amplitude=amplitude)
    sure = decided(brightness, variance=4e-4, amplitude=amplitude)
    assert sure.posterior[-2, V_X] > 0.99
    # 0.62 is 6 sd of noise from 0.5: open when the amplitude is known to be 0.5, a vacancy when it is 0.5 ± 0.1.
    assert sure.posterior[-1, V_X] < 0.5
    assert unsure.posterior[-1, V_X] > 0.9


def test_a_stray_site_goes_to_the_nearest_label_and_not_to_the_widest() -> None:
    rng = np.random.default_rng(8)
    brightness = np.concatenate([1 + rng.normal(0, 1e-4, (2000, 1)), [[0.95], [0.55]]])
    wide = np.zeros((len(OPTIONS), 1, 1))
    wide[V_X] = 0.05**2
    found = decided(brightness, variance=1e-8, amplitude_covariance=wide, amplitude=amplitudes(1, V_X=0.5, V_X2=0.3))
    # 0.95 is 500 sd from pristine and 9 sd from a vacancy, but ten times nearer to pristine.
    assert found.posterior[-2, NAMES.index("X2")] > 0.99
    assert found.posterior[-1, V_X] > 0.9


def test_log_evidence_is_the_density_of_the_mixture() -> None:
    rng = np.random.default_rng(7)
    _, mean = planted(rng, 5000, 0.1)
    brightness = mean + rng.normal(0, 0.05, mean.shape)
    found = decided(brightness, variance=0.05**2)
    density = 0.9 * norm.pdf(brightness, 1, 0.05) + 0.1 * norm.pdf(brightness, 0.5, 0.05)
    # Fitting four numbers gains about half a nat each.
    assert found.log_evidence == pytest.approx(np.log(density).sum(), abs=6)


def test_several_dopants_share_their_label() -> None:
    options = hypotheses(host("WSe2"), ("Ti", "Nb", "S"))
    labels, posterior = merged(np.arange(2.0 * len(options)).reshape(2, -1), options)
    names = [o.label for o in options]  # M V_M D_M D_M X2 V_X V_X2 D_X M_X2
    assert names == ["M", "V_M", "D_M", "D_M", "X2", "V_X", "V_X2", "D_X", "M_X2"]
    assert labels == ("M", "V_M", "D_M", "X2", "V_X", "V_X2", "D_X", "M_X2")
    assert posterior.tolist() == [[0, 1, 5, 4, 5, 6, 7, 8], [9, 10, 23, 13, 14, 15, 16, 17]]


def test_dopants_of_one_label_share_its_prior() -> None:
    options = hypotheses(host("WSe2"), ("Ti", "Nb"))
    brightness = np.ones((200, 1)) + np.random.default_rng(0).normal(0, 0.01, (200, 1))
    given = dict.fromkeys(("D_M",), 0.4) | {"M": 1.0, "V_M": 0.0, "X2": 1.0, "V_X": 0.5, "V_X2": 0.0, "M_X2": 2.0}
    found = decided(
        brightness,
        variance=1e-4,
        metal=np.ones(200, dtype=bool),
        options=options,
        amplitude=np.array([[given[o.label] for o in options]]),
        prior=Prior(fraction={"D_M": 0.04}),
    )
    doped = [i for i, o in enumerate(options) if o.label == "D_M"]
    assert found.fraction[doped] == pytest.approx([0.02 * 100 / 300] * 2, rel=1e-6)


def test_the_other_sublattice_has_exactly_nothing() -> None:
    rng = np.random.default_rng(8)
    metal = rng.random(500) < 0.5
    found = decided(1 + rng.normal(0, 0.1, (500, 2)), variance=0.01, metal=metal)
    assert (found.posterior[metal][:, 2:] == 0).all()
    assert (found.posterior[~metal][:, :2] == 0).all()
    assert found.posterior.sum(axis=1) == pytest.approx(np.ones(500))
    assert index_of_pristine(metal, OPTIONS).tolist() == [0 if m else X2 for m in metal]


def test_amplitudes_are_marginalised_channel_by_channel() -> None:
    values = np.array([[1.0, 0.4, 0.0], [1.0, 0.6, 0.0]])
    amplitude, covariance = amplitude_uncertainty([(values, np.array([0.25, 0.75])), (values[:1], np.ones(1))])
    assert amplitude == pytest.approx(np.array([[1.0, 0.55, 0.0], [1.0, 0.4, 0.0]]))
    # Spread: 0.25 0.15^2 + 0.75 0.05^2 = 0.0075; discrepancy 0.45 times at most 0.1, as 0.2 times 0.55 exceeds it.
    assert covariance[1, 0, 0] == pytest.approx(0.0075 + (0.45 * 0.1) ** 2)
    # 0.6 away from pristine, of which 0.2 times 0.4.
    assert covariance[1, 1, 1] == pytest.approx((0.6 * 0.08) ** 2)
    assert covariance[0] == pytest.approx(np.zeros((2, 2)))
    assert covariance[2] == pytest.approx(np.diag([0.02**2, 0.02**2]))
    assert covariance[1, 0, 1] == 0


@pytest.mark.parametrize("freedom", [3.0, 10.0])
def test_density_is_students(freedom: float) -> None:
    shape = np.array([[2.0, 0.5], [0.5, 1.0]])
    offset = np.random.default_rng(9).normal(size=(20, 2))
    wanted = multivariate_t(shape=shape, df=freedom).logpdf(offset)
    assert _log_student(offset, shape, freedom) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"fraction": {"X2": 0.1}}, "defect prior names 'X2'"),
        ({"fraction": {"vacancy": 0.1}}, "accepted is one of V_M, D_M, V_X, V_X2, D_X, M_X2"),
        ({"fraction": {"V_X": 0.5}}, "defect prior of V_X is 0.5; accepted is a fraction between 0 and 0.5"),
        ({"fraction": {"V_X": 0.0}}, "defect prior of V_X is 0"),
        ({"fraction": {"V_X": float("nan")}}, "defect prior of V_X is nan"),
        ({"fraction": {"V_X": 0.4, "D_X": 0.4, "V_X2": 0.3}}, "sublattice X add up to 1.1"),
        ({"strength_sites": 0.0}, "strength of the defect prior is 0 sites"),
        ({"strength_sites": float("inf")}, "strength of the defect prior is inf sites"),
    ],
)
def test_an_impossible_prior_is_told(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ContextError, match=says):
        Prior(**settings)


def test_a_prior_keeps_the_defaults_of_what_it_does_not_name() -> None:
    assert dict(Prior(fraction={"V_X": 0.3}).fraction) == {**DEFECT_PRIOR, "V_X": 0.3}


def test_dopant_order_does_not_matter_to_the_label() -> None:
    first, second = (hypotheses(host("WSe2"), order) for order in (("Ti", "Nb"), ("Nb", "Ti")))
    rng = np.random.default_rng(10)
    brightness = np.concatenate([1 + rng.normal(0, 0.03, (300, 1)), [[0.2], [0.35], [0.6]]])
    bright = {"M": 1.0, "V_M": 0.0, "Ti": 0.2, "Nb": 0.6, "X2": 1.0, "V_X": 0.5, "V_X2": 0.0, "M_X2": 2.0}

    def labels_of(options: tuple[Hypothesis, ...]) -> np.ndarray:
        values = np.array([[bright[o.element or o.label] for o in options]])
        found = decided(brightness, variance=9e-4, metal=np.ones(303, dtype=bool), options=options, amplitude=values)
        return merged(found.posterior, options)[1]

    assert labels_of(first) == pytest.approx(labels_of(second), abs=1e-9)


def test_settings_are_values() -> None:
    prior = Prior()
    assert replace(prior, strength_sites=7.0).strength_sites == 7
    with pytest.raises(TypeError):
        prior.fraction["V_X"] = 0.2  # type: ignore[index]
