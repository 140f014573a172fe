"""The Bayes oracle: what physics lets anybody know of a site, when all but its label, or its context, is known.

It inverts the very model that made a patch. No classifier, however trained, is right more often on average than
the posterior that it gives; that is the limit against which classifiers are to be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Float64
from numba import njit
from scipy.special import entr, logsumexp

from micrographia.errors import ContextError
from micrographia.simulate.patches.render import Tables, expected_signal
from micrographia.simulate.specimens.hosts import PRISTINE, ROLES

_REACH: Final = 9.0
_TERMS: Final = 80.0


@dataclass(frozen=True, kw_only=True)
class Hypothetical:
    """A context that may be the true one.

    Parameters
    ----------
    tables : Tables
        What its material looks like through its optics.
    labels : tuple of str
        Site labels that occur in it, all equally likely.
    weight : float
        Its prior probability, up to a common factor; positive.

    Raises
    ------
    ContextError
        No label, one that is none of `ROLES`, or a weight that is not positive.
    """

    tables: Tables
    labels: tuple[str, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.labels or not set(self.labels) <= set(ROLES):
            raise ContextError(
                f"the labels of a context are {', '.join(self.labels) or 'none'}; "
                f"accepted are some of {', '.join(ROLES)}"
            )
        if not 0 < self.weight < np.inf:
            raise ContextError(f"the weight of a context is {self.weight:g}; accepted is a positive number")


def label_posterior(
    electrons: Float[np.ndarray, "channel height width"],
    scene: np.void,
    contexts: Sequence[Hypothetical],
    *,
    true_a_A: float,
    dose_known: bool = True,
    sublattice_known: bool = False,
) -> Float[np.ndarray, " role"]:
    """Return the exact posterior over the labels of a patch's central site.

    Parameters
    ----------
    electrons : float array (channel, height, width)
        What the detector recorded [electrons]: counts, if it is a counting one.
    scene : record of `SCENE`
        What is known: geometry, distortions, haze, the neighbours, the noise.
    contexts : sequence of Hypothetical
        One to ask with the context known; many to marginalise over it.
    true_a_A : float
        Lattice constant that the scene was made with [Å]. Other materials are laid on the same sites: the image shows
        these, but not how large a pixel is.
    dose_known : bool
        Whether the dose is known. If not, only the pattern counts and not its brightness, as in an image whose
        intensities have an arbitrary scale. For counting detectors.
    sublattice_known : bool
        Whether it is known on which sublattice the site lies. If not, the labels of both compete, the other ones on the
        lattice turned by 180°, whose sites are at the same places. Neighbours must then be pristine.

    Returns
    -------
    float array (role,)
        Probability of each of `ROLES`.

    Raises
    ------
    ContextError
        No context, none with a label of the sublattice, defects around a site of unknown sublattice, or an unknown dose
        with a detector that does not count.

    Notes
    -----
    ``p(label | patch) ~ sum_context p(context) p(label | context) p(patch | label, context)``; the last factor is
    `counting_log_likelihood`, `pattern_log_likelihood` or `reading_log_likelihood`.
    """
    fits = log_likelihoods(
        electrons, scene, contexts, true_a_A=true_a_A, dose_known=dose_known, sublattice_known=sublattice_known
    )
    return posterior(fits, contexts)


def posterior(fits: Float[np.ndarray, "context role"], contexts: Sequence[Hypothetical]) -> Float[np.ndarray, " role"]:
    """Return the posterior over labels that follows from `log_likelihoods`.

    Parameters
    ----------
    fits : float array (context, role)
        Log-likelihoods; minus infinity where a role is not in play.
    contexts : sequence of Hypothetical
        What they are of, in that order.

    Raises
    ------
    ContextError
        No label is in play at all.
    """
    if not np.isfinite(fits).any():
        raise ContextError("no context has a label for this site; give at least one that has")
    weight = np.array([context.weight / len(context.labels) for context in contexts])
    logs = fits + np.log(weight)[:, None]
    probability: Float[np.ndarray, " role"] = np.exp(logs - logsumexp(logs)).sum(axis=0)
    return probability


def log_likelihoods(
    electrons: Float[np.ndarray, "channel height width"],
    scene: np.void,
    contexts: Sequence[Hypothetical],
    *,
    true_a_A: float,
    dose_known: bool = True,
    sublattice_known: bool = False,
) -> Float[np.ndarray, "context role"]:
    """Return how well every label in every context accounts for a patch.

    Parameters
    ----------
    electrons, scene, contexts, true_a_A, dose_known, sublattice_known
        As for `label_posterior`.

    Returns
    -------
    float array (context, role)
        Log-likelihood, up to a constant of the patch; minus infinity where a role is not in play.

    Raises
    ------
    ContextError
        As for `label_posterior`.
    """
    if not sublattice_known and scene["defect_fraction"] > 0:
        raise ContextError(
            "the site's sublattice is unknown and its neighbours have defects; set sublattice_known or no defects"
        )
    counting = scene["pulse_spread"] == 0 and scene["read_noise_e"] == 0
    if not (dose_known or counting):
        raise ContextError("an unknown dose needs a counting detector; set pulse_spread and read_noise_e to 0")
    own = PRISTINE[scene["role"]]
    dose = float(scene["electrons_per_px"])
    expected = np.empty(electrons.shape, dtype=np.float32)
    observed = np.ascontiguousarray(electrons, dtype=np.float64)
    fits = np.full((len(contexts), len(ROLES)), -np.inf)
    for n, context in enumerate(contexts):
        if context.tables.mean.size != len(electrons):
            raise ContextError(
                f"the patch has {len(electrons)} channels, context {n + 1} has {context.tables.mean.size}; "
                "give contexts with the patch's detectors"
            )
        scale = context.tables.a_A / true_a_A
        laid = np.array([scene])
        laid["pixel_A"] *= scale
        laid["relaxation_A"] *= scale
        turned = laid.copy()
        turned["rotation_deg"] += 180.0
        for label in context.labels:
            role = ROLES.index(label)
            if sublattice_known and PRISTINE[role] != own:
                continue
            there = laid if PRISTINE[role] == own else turned
            expected_signal(there[0], context.tables, role, expected)
            if not counting:
                fit = reading_log_likelihood(
                    observed, expected * dose, float(scene["pulse_spread"]), float(scene["read_noise_e"])
                )
            elif dose_known:
                fit = counting_log_likelihood(observed, expected * np.float32(dose))
            else:
                fit = pattern_log_likelihood(observed, expected)
            fits[n, role] = fit
    return fits


def entropy_nats(probability: Float[np.ndarray, "*many label"]) -> Float[np.ndarray, "*many"]:
    """Return the entropy of probabilities along the last axis [nats].

    Examples
    --------
    >>> entropy_nats(np.array([[0.5, 0.5], [1.0, 0.0]])).round(4).tolist()
    [0.6931, 0.0]
    """
    return np.asarray(entr(probability).sum(axis=-1))


@njit(cache=True)  # type: ignore[untyped-decorator]
def counting_log_likelihood(
    counts: Float64[np.ndarray, "channel height width"], expected: Float32[np.ndarray, "channel height width"]
) -> float:
    """Return the log-likelihood of Poisson counts, less a part that no hypothesis changes.

    Parameters
    ----------
    counts, expected : float array (channel, height, width)
        Counted and expected electrons.

    Notes
    -----
    ``sum n log(lambda) - lambda``.
    """
    total = 0.0
    observed, means = counts.ravel(), expected.ravel()
    for pixel in range(observed.size):
        n, mean = observed[pixel], means[pixel]
        total += n * np.log(max(np.float64(mean), 1e-30)) - mean
    return total


@njit(cache=True)  # type: ignore[untyped-decorator]
def pattern_log_likelihood(
    counts: Float64[np.ndarray, "channel height width"], expected: Float32[np.ndarray, "channel height width"]
) -> float:
    """Return the log-likelihood of how counts are spread over each channel's pixels, whatever the dose.

    Parameters
    ----------
    counts, expected : float array (channel, height, width)
        Counted and expected electrons, the latter in any unit.

    Notes
    -----
    Given their sum, Poisson counts are multinomial, ``sum n log(lambda / sum lambda)``; that is also what is left
    after an unknown dose with the prior 1 / dose is integrated out.
    """
    total = 0.0
    for channel in range(counts.shape[0]):
        brightness, seen = 0.0, 0.0
        observed, means = counts[channel].ravel(), expected[channel].ravel()
        for pixel in range(observed.size):
            n, mean = observed[pixel], means[pixel]
            brightness += mean
            seen += n
            total += n * np.log(max(np.float64(mean), 1e-30))
        total -= seen * np.log(brightness)
    return total


@njit(cache=True)  # type: ignore[untyped-decorator]
def reading_log_likelihood(
    readings: Float64[np.ndarray, "channel height width"],
    expected: Float32[np.ndarray, "channel height width"],
    pulse_spread: float,
    read_noise_e: float,
) -> float:
    """Return the log-likelihood of a detector's readings: Poisson electrons, each with its pulse, and read noise.

    Parameters
    ----------
    readings, expected : float array (channel, height, width)
        Read and expected electrons.
    pulse_spread, read_noise_e : float
        As in `SCENE`; not both zero.

    Notes
    -----
    ``sum over pixels of log sum_n Poisson(n; lambda) Normal(y - n; n pulse_spread^2 + read_noise^2)``. The inner sum
    runs over nine standard deviations; where they are many it takes every so many electrons, for a sum of something
    so smooth is as good. A reading of no electrons is exact zero, hence a read noise of at least 0.05 electrons.
    """
    fixed = max(read_noise_e, 0.05) ** 2
    total = 0.0
    observed, means = readings.ravel(), expected.ravel()
    for pixel in range(observed.size):
        y, mean = observed[pixel], max(np.float64(means[pixel]), 1e-12)
        # Where both factors matter: their widths combine.
        noise = pulse_spread**2 * max(mean, y) + fixed
        width = np.sqrt(mean * noise / (mean + noise))
        centre = (y * mean + mean * noise) / (mean + noise)
        low = max(0.0, np.floor(centre - _REACH * (width + 1.0)))
        high = np.ceil(centre + _REACH * (width + 1.0))
        stride = max(1.0, np.floor((high - low) / _TERMS))
        best, found = -1e300, 0.0
        n = low
        while n <= high:
            spread = n * pulse_spread**2 + fixed
            term = n * np.log(mean) - mean - _log_factorial(n) - (y - n) ** 2 / (2 * spread) - 0.5 * np.log(spread)
            if term > best:
                found = found * np.exp(best - term) + 1.0
                best = term
            else:
                found += np.exp(term - best)
            n += stride
        total += best + np.log(found * stride)
    return total


@njit(cache=True)  # type: ignore[untyped-decorator]
def _log_factorial(n: float) -> float:
    """Return log n!: the product for small numbers, else Stirling's series (to 1e-10)."""
    if n < 10:
        product = 1.0
        for i in range(2, int(n) + 1):
            product *= i
        return float(np.log(product))
    return float(n * np.log(n) - n + 0.5 * np.log(2 * np.pi * n) + 1 / (12 * n) - 1 / (360 * n**3) + 1 / (1260 * n**5))
