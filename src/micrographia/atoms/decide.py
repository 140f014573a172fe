"""From each site's brightness in every channel to the posterior of its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln

from micrographia.errors import ContextError
from micrographia.findings import LABELS, SUBLATTICE
from micrographia.simulate.columns.kernels import relative_discrepancy
from micrographia.simulate.specimens.hosts import Hypothesis

DEFECT_PRIOR: Final[Mapping[str, float]] = MappingProxyType(
    {"V_M": 0.001, "D_M": 0.01, "V_X": 0.01, "V_X2": 0.001, "D_X": 0.01, "M_X2": 0.0005}
)
"""Expected fraction of the sites of its sublattice that carry each defect, before the scan is seen."""

_UNNAMED_WEIGHT: Final = 0.2
"""Expected share of an impurity that nobody named, beside a named dopant with the same label."""
_STRAY_SHARE: Final = 0.01
_STRAY_SPREAD: Final = 0.1
"""One site in a hundred strays by a tenth of the pristine brightness, whatever its label: a defect just outside
the scan, strain, dirt. The spread is the same for all, so that a stray site goes to the nearest, not the widest."""
_FREEDOM: Final = (3.0, 4.0, 6.0, 10.0, 20.0, 50.0, 1000.0)
"""Degrees of freedom of the scatter that are tried: 1000 is as good as Gaussian, few have long tails."""
_SCATTER_STEPS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Prior on defect concentrations: a Dirichlet distribution for each sublattice.

    Parameters
    ----------
    fraction : mapping of str to float
        Expected fraction of a sublattice's sites with each defect label; the rest is pristine.
    strength_sites : float
        Weight of the expectation against the scan, as a number of sites. The scan corrects the
        concentrations the more, the more sites it has than this.

    Raises
    ------
    ContextError
        An unknown or pristine label, a fraction out of range, or fractions that leave no pristine sites.

    Examples
    --------
    >>> Prior(fraction={"V_X": 0.05}).fraction["V_X"]
    0.05
    """

    fraction: Mapping[str, float] = field(default_factory=lambda: DEFECT_PRIOR)
    strength_sites: float = 100.0

    def __post_init__(self) -> None:
        for label, fraction in self.fraction.items():
            if label not in LABELS or label in ("M", "X2"):
                accepted = ", ".join(DEFECT_PRIOR)
                raise ContextError(f"defect prior names {label!r}; accepted is one of {accepted}")
            if not 0 < fraction < 0.5:
                raise ContextError(f"defect prior of {label} is {fraction:g}; accepted is a fraction between 0 and 0.5")
        object.__setattr__(self, "fraction", MappingProxyType({**DEFECT_PRIOR, **self.fraction}))
        for name in ("M", "X"):
            total = sum(fraction for label, fraction in self.fraction.items() if SUBLATTICE[label] == name)
            if not total < 1:
                raise ContextError(
                    f"defect priors of sublattice {name} add up to {total:g}; accepted is below 1: the rest is pristine"
                )
        if not 0 < self.strength_sites < np.inf:
            raise ContextError(
                f"strength of the defect prior is {self.strength_sites:g} sites; accepted is a number above 0"
            )


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Posterior of every hypothesis at every site.

    Parameters
    ----------
    posterior : float array (site, hypothesis)
        Probabilities; hypotheses of the other sublattice have 0.
    scale : float array (sublattice, channel)
        Brightness of pristine columns over the model's.
    covariance : float array (sublattice, channel, channel)
        Covariance of the brightness over that of the noise model: 1 on the diagonal where the noise model holds.
    fraction : float array (hypothesis,)
        Estimated fraction of its sublattice's sites.
    log_evidence : float
        Log of the probability density of all brightnesses [nats].
    """

    posterior: Float[np.ndarray, "site hypothesis"]
    scale: Float[np.ndarray, "sublattice channel"]
    covariance: Float[np.ndarray, "sublattice channel channel"]
    fraction: Float[np.ndarray, " hypothesis"]
    log_evidence: float


def decide(
    brightness: Float[np.ndarray, "site channel"],
    variance: Float[np.ndarray, "site channel"],
    variance_per_brightness: Float[np.ndarray, "site channel"],
    on_metal: Bool[np.ndarray, " site"],
    *,
    options: tuple[Hypothesis, ...],
    amplitude: Float[np.ndarray, "channel hypothesis"],
    amplitude_covariance: Float[np.ndarray, "hypothesis channel channel"],
    prior: Prior,
) -> Decision:
    """Decide the label of every site by expectation maximisation.

    A site under hypothesis h has brightness ``N(scale · amplitude_h, V_h)``, where ``V_h`` is the noise
    model's variance for that brightness, times a covariance factor that is estimated from the scatter of
    the sites themselves, plus the uncertainty of the amplitude. Scale, covariance and concentrations are
    estimated for each sublattice together with the labels.

    Parameters
    ----------
    brightness : float array (site, channel)
        Matched-filter brightness, in units of the modelled pristine column.
    variance, variance_per_brightness : float array (site, channel)
        Noise variance of an empty site, and what a column of brightness 1 adds.
    on_metal : bool array (site,)
        Whether a site is of the metal sublattice.
    options : tuple of Hypothesis
        What may be at the sites.
    amplitude : float array (channel, hypothesis)
        Brightness of each hypothesis, pristine = 1.
    amplitude_covariance : float array (hypothesis, channel, channel)
        Its uncertainty: unknown conditions of the scan and limits of the model.
    prior : Prior
        Defect concentrations.
    """
    sites, channels = brightness.shape
    posterior = np.zeros((sites, len(options)))
    scale = np.ones((2, channels))
    covariance = np.tile(np.eye(channels), (2, 1, 1))
    fraction = np.zeros(len(options))
    log_evidence = 0.0
    for k, name in enumerate(("M", "X")):
        rows = np.nonzero(on_metal == (name == "M"))[0]
        here = [i for i, o in enumerate(options) if SUBLATTICE[o.label] == name]
        if rows.size == 0:
            continue
        expected = prior_fractions(options, here, prior)
        result = _expectation_maximisation(
            brightness[rows],
            variance[rows],
            variance_per_brightness[rows],
            amplitude[:, here].T,
            amplitude_covariance[here],
            expected,
            prior.strength_sites,
        )
        posterior[np.ix_(rows, np.array(here))], scale[k], covariance[k], fraction[here], evidence = result
        log_evidence += evidence
    return Decision(
        posterior=posterior, scale=scale, covariance=covariance, fraction=fraction, log_evidence=log_evidence
    )


def prior_fractions(options: tuple[Hypothesis, ...], here: list[int], prior: Prior) -> Float[np.ndarray, " hypothesis"]:
    """Return the expected fractions of one sublattice; several elements share the label's, named ones the most.

    Parameters
    ----------
    options : tuple of Hypothesis
        What may be at the sites.
    here : list of int
        Which of them are of the sublattice, the pristine one first.
    prior : Prior
        Expected concentrations.
    """
    weight = {i: 1.0 if options[i].named else _UNNAMED_WEIGHT for i in here}
    shares = np.array(
        [
            prior.fraction.get(options[i].label, 0.0)
            * weight[i]
            / sum(weight[j] for j in here if options[j].label == options[i].label)
            for i in here
        ]
    )
    shares[0] = 1 - shares[1:].sum()
    return shares


def _alike(
    amplitude: Float[np.ndarray, "hypothesis channel"],
    amplitude_covariance: Float[np.ndarray, "hypothesis channel channel"],
) -> Float[np.ndarray, "hypothesis hypothesis"]:
    """Return 1 for each pair of defects whose brightness differs by less than its uncertainty, and on the diagonal.

    All sites share that uncertainty, so no number of them tells such a pair apart.
    """
    count = len(amplitude)
    alike = np.eye(count)
    for a in range(1, count):
        for b in range(1, count):
            between = amplitude_covariance[a] + amplitude_covariance[b] + 1e-12 * np.eye(amplitude.shape[1])
            gap = amplitude[a] - amplitude[b]
            alike[a, b] = float(gap @ np.linalg.solve(between, gap) < 1)
    linked = np.linalg.matrix_power(alike, count) > 0
    return linked.astype(float)


def _expectation_maximisation(
    brightness: Float[np.ndarray, "site channel"],
    variance: Float[np.ndarray, "site channel"],
    variance_per_brightness: Float[np.ndarray, "site channel"],
    amplitude: Float[np.ndarray, "hypothesis channel"],
    amplitude_covariance: Float[np.ndarray, "hypothesis channel channel"],
    expected: Float[np.ndarray, " hypothesis"],
    strength: float,
) -> tuple[
    Float[np.ndarray, "site hypothesis"],
    Float[np.ndarray, " channel"],
    Float[np.ndarray, "channel channel"],
    Float[np.ndarray, " hypothesis"],
    float,
]:
    """Fit one sublattice: first hypothesis pristine."""
    pristine_noise = np.sqrt(variance + variance_per_brightness)
    scale = np.median(brightness, axis=0)
    spread = 1.4826 * np.median(np.abs((brightness - scale) / pristine_noise), axis=0)
    covariance = np.diag(np.maximum(spread, 1e-6) ** 2)
    freedom = _FREEDOM[-1]
    fraction = expected.copy()
    alike = _alike(amplitude, amplitude_covariance)
    posterior = np.empty((len(brightness), len(amplitude)))
    total = 0.0
    for _ in range(60):
        previous = total
        log = np.empty_like(posterior)
        for h in range(len(amplitude)):
            noise = np.sqrt(np.maximum(variance + variance_per_brightness * amplitude[h], 1e-30))
            cov = covariance * noise[:, :, None] * noise[:, None, :] + amplitude_covariance[h] * np.outer(scale, scale)
            offset = brightness - scale * amplitude[h]
            stray = cov + np.diag((_STRAY_SPREAD * scale) ** 2)
            log[:, h] = np.log(fraction[h]) + np.logaddexp(
                np.log(1 - _STRAY_SHARE) + _log_student(offset, cov, freedom),
                np.log(_STRAY_SHARE) + _log_student(offset, stray, _FREEDOM[-1]),
            )
        top = log.max(axis=1, keepdims=True)
        density = np.exp(log - top)
        posterior = density / density.sum(axis=1, keepdims=True)
        total = float(np.sum(top[:, 0] + np.log(density.sum(axis=1))))
        if abs(total - previous) < 1e-2:
            break
        # Defects that look alike are counted together; how they share is what was expected, not what noise prefers.
        together = alike @ (posterior.sum(axis=0) + strength * expected) / (len(posterior) + strength)
        fraction = together * expected / (alike @ expected)
        # Pristine columns carry the scale and the scatter: the model of defects is less sure than theirs. The best
        # scatter differs with the degrees of freedom, so each has its own before they are compared.
        fits = [(*_scatter(brightness, posterior[:, 0], pristine_noise, scale, covariance, nu), nu) for nu in _FREEDOM]
        _, scale, covariance, freedom = max(fits, key=lambda fit: fit[0])
    return posterior, scale, covariance, fraction, total


def _scatter(
    brightness: Float[np.ndarray, "site channel"],
    pristine: Float[np.ndarray, " site"],
    noise: Float[np.ndarray, "site channel"],
    scale: Float[np.ndarray, " channel"],
    covariance: Float[np.ndarray, "channel channel"],
    freedom: float,
) -> tuple[float, Float[np.ndarray, " channel"], Float[np.ndarray, "channel channel"]]:
    """Fit Student's t to the sites as far as they are pristine; return its log likelihood, scale and covariance."""
    for _ in range(_SCATTER_STEPS):
        # Its weights keep a few sites that no hypothesis explains from widening the scatter of all.
        offset = (brightness - scale) / noise
        weight = pristine * (freedom + len(scale)) / (freedom + _mahalanobis(offset, covariance))
        precision = weight[:, None] / noise**2
        scale = np.sum(precision * brightness, axis=0) / np.sum(precision, axis=0)
        offset = (brightness - scale) / noise
        covariance = (offset * weight[:, None]).T @ offset / pristine.sum() + 1e-9 * np.eye(len(scale))
    return float(pristine @ _log_student(offset, covariance, freedom)), scale, covariance


def _mahalanobis(
    offset: Float[np.ndarray, "site channel"], covariance: Float[np.ndarray, "*site channel channel"]
) -> Float[np.ndarray, " site"]:
    """Squared distance from the centre in units of the covariance."""
    if covariance.ndim == 2:
        solved = np.linalg.solve(covariance, offset.T).T
    else:
        solved = np.linalg.solve(covariance, offset[:, :, None])[:, :, 0]
    squared: Float[np.ndarray, " site"] = np.sum(offset * solved, axis=1)
    return squared


def _log_student(
    offset: Float[np.ndarray, "site channel"], covariance: Float[np.ndarray, "*site channel channel"], freedom: float
) -> Float[np.ndarray, " site"]:
    """Log density of the multivariate Student's t distribution with this scale matrix."""
    p = offset.shape[1]
    log_determinant = np.linalg.slogdet(covariance)[1]
    density: Float[np.ndarray, " site"] = (
        gammaln((freedom + p) / 2)
        - gammaln(freedom / 2)
        - 0.5 * (p * np.log(np.pi * freedom) + log_determinant)
        - 0.5 * (freedom + p) * np.log1p(_mahalanobis(offset, covariance) / freedom)
    )
    return density


def amplitude_uncertainty(
    samples: list[tuple[Float[np.ndarray, "_ hypothesis"], Float[np.ndarray, " _"]]],
) -> tuple[Float[np.ndarray, "channel hypothesis"], Float[np.ndarray, "hypothesis channel channel"]]:
    """Marginalise amplitudes over the conditions of each channel.

    Parameters
    ----------
    samples : list of (float array (condition, hypothesis), float array (condition,))
        For each channel the amplitudes under every condition, and the conditions' probabilities.

    Returns
    -------
    amplitude : float array (channel, hypothesis)
        Posterior means.
    covariance : float array (hypothesis, channel, channel)
        Their covariance: spread over conditions, and the model's own discrepancy.
    """
    amplitude = np.array([weight @ values for values, weight in samples])
    channels, count = amplitude.shape
    covariance = np.zeros((count, channels, channels))
    for c, (values, weight) in enumerate(samples):
        spread = weight @ (values - amplitude[c]) ** 2
        discrepancy = np.abs(1 - amplitude[c]) * relative_discrepancy(amplitude[c])
        covariance[:, c, c] = spread + discrepancy**2
    return amplitude, covariance


def merged(
    posterior: Float[np.ndarray, "site hypothesis"], options: tuple[Hypothesis, ...]
) -> tuple[tuple[str, ...], Float[np.ndarray, "site label"]]:
    """Add up hypotheses of one label: several dopants may share it.

    Parameters
    ----------
    posterior : float array (site, hypothesis)
        Probabilities of hypotheses.
    options : tuple of Hypothesis
        The hypotheses.

    Returns
    -------
    labels : tuple of str
        Labels in play, in the order of `micrographia.findings.LABELS`.
    posterior : float array (site, label)
        Probabilities of labels.
    """
    labels = tuple(label for label in LABELS if any(o.label == label for o in options))
    member = np.array([[o.label == label for label in labels] for o in options], dtype=float)
    return labels, posterior @ member


def index_of_pristine(on_metal: Bool[np.ndarray, " site"], options: tuple[Hypothesis, ...]) -> Int[np.ndarray, " site"]:
    """Return the pristine hypothesis of each site.

    Parameters
    ----------
    on_metal : bool array (site,)
        Whether a site is of the metal sublattice.
    options : tuple of Hypothesis
        The hypotheses.
    """
    names = [o.label for o in options]
    return np.where(on_metal, names.index("M"), names.index("X2"))
