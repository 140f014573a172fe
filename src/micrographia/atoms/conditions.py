"""What the mean unit cell tells about the conditions of the scan that nobody wrote down.

How bright the chalcogen pair is beside the metal depends on beam energy, convergence and, above all, on
the detector's angles. The ratio sits in the phase of the first-order reflections, where neither blur nor
gain nor haze reaches. Here every combination on a grid is given its likelihood; what is known is not gridded.
"""

# ruff: noqa: N815 - units in field names

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.special import j0, logsumexp

from micrographia.atoms.reflections import Reflections
from micrographia.context import Angles, Context
from micrographia.errors import ContextError
from micrographia.findings import SUBLATTICE, Marginal
from micrographia.simulate.columns.column import Column, Probe
from micrographia.simulate.columns.kernels import cached_rings, ring_weights
from micrographia.simulate.columns.potentials import wavelength_A
from micrographia.simulate.columns.vibration import VIBRATION_A
from micrographia.simulate.specimens.hosts import Hypothesis

ENERGIES_KEV: Final = (60.0, 80.0, 200.0, 300.0)
CONVERGENCES_MRAD: Final = (20.0, 25.0, 30.0, 35.0)
INNER_MRAD: Final = (20.0, 25.0, 30.0, 35.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 120.0)
OUTER_MRAD: Final = (40.0, 50.0, 60.0, 80.0, 100.0, 120.0, 150.0, 200.0, 250.0)
DISCREPANCY: Final = 0.03
"""Relative uncertainty of a simulated column's brightness: column kernels hold within 3 % of full multislice."""

_SECOND_ORDER_DISCREPANCY: Final = 0.2  # coma and threefold astigmatism turn higher orders more than the first
_AMPLITUDE_DISCREPANCY: Final = (
    0.03,
    0.06,
    0.2,
)  # of the three families, relative: higher orders feel aberrations more
_BLUR_A2: Final = (0.04, 4.0)
"""Range of the blur's variance along one axis [Å^2]."""
_FREQUENCIES: Final = 48


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One combination of conditions for one channel, and how well it explains the mean unit cell.

    Parameters
    ----------
    probe : Probe
        Energy and convergence.
    collection_mrad : (float, float)
        Detector angles [mrad].
    log_likelihood : float
        Of the channel's reflections, up to a constant.
    blur_A2 : float array (2, 2)
        Covariance of the Gaussian blur (source, instabilities, pixel) along x and y [Å^2].
    amplitude : float array (hypothesis,)
        Brightness of each hypothesis in the matched filter of its sublattice's pristine column, which has 1.
    """

    probe: Probe
    collection_mrad: Angles
    log_likelihood: float
    blur_A2: Float[np.ndarray, "2 2"]
    amplitude: Float[np.ndarray, " hypothesis"]


@dataclass(frozen=True, kw_only=True)
class _Spectra:
    """Radial Fourier transforms of every hypothesis' kernel for one probe, ring by ring."""

    probe: Probe
    frequency_per_A: Float[np.ndarray, " k"]
    weight: Float[np.ndarray, " k"]  # 2 pi k dk
    rings: Float[np.ndarray, "hypothesis k ring"]


def grid_of(context: Context, channel: int) -> list[tuple[Probe, Angles]]:
    """Return the combinations to try for one channel: known values as they are, a grid for unknown ones.

    Parameters
    ----------
    context : Context
        What is known.
    channel : int
        Index of the channel.

    Raises
    ------
    ContextError
        The detector lies within the direct beam, or no detector of the grid lies outside it.

    Examples
    --------
    >>> known = Context(energy_kev=80.0, convergence_mrad=30.0, collection_mrad=((70.0, 200.0),), origin="user")
    >>> len(grid_of(known, 0)), len(grid_of(Context(), 0))
    (1, 728)
    """
    energies = ENERGIES_KEV if context.energy_kev is None else (context.energy_kev,)
    convergences = CONVERGENCES_MRAD if context.convergence_mrad is None else (context.convergence_mrad,)
    known = None if context.collection_mrad is None else context.collection_mrad[channel]
    if known is not None and context.convergence_mrad is not None and known[1] <= context.convergence_mrad:
        raise ContextError(
            f"channel {channel + 1} collects {known[0]:g} to {known[1]:g} mrad, all within the direct beam of "
            f"{context.convergence_mrad:g} mrad: a bright-field image; give dark-field channels"
        )
    combinations = []
    for energy in energies:
        for convergence in convergences:
            probe = Probe(energy_kev=energy, convergence_mrad=convergence)
            angles = (
                # Unknown detectors are taken for dark-field ones, well outside the disc of the direct beam.
                [(i, o) for i in INNER_MRAD for o in OUTER_MRAD if o >= 1.5 * i and i >= 1.05 * convergence]
                if known is None
                else [known]
            )
            combinations += [(probe, a) for a in angles]
    if not combinations:
        raise ContextError(
            f"convergence is {context.convergence_mrad:g} mrad and the collection angles are unknown; "
            f"the grid of detectors begins at {INNER_MRAD[0]:g} mrad and ends at {INNER_MRAD[-1]:g} mrad: "
            "give --collection-mrad INNER OUTER"
        )
    return combinations


def conditions(
    reflections: Reflections,
    *,
    channel: int,
    context: Context,
    options: tuple[Hypothesis, ...],
    metal_first: bool,
    reciprocal_per_A: Float[np.ndarray, "reflection 2"],
) -> list[Condition]:
    """Weigh every combination of conditions for one channel by its reflections.

    Parameters
    ----------
    reflections : Reflections
        Measured coefficients.
    channel : int
        Index of the channel.
    context : Context
        What is known.
    options : tuple of Hypothesis
        What may be at the sites.
    metal_first : bool
        Whether the metal sits a third of the way along the cell's diagonal from the hollow site; else at two thirds.
    reciprocal_per_A : float array (reflection, 2)
        Spatial frequency (x, y) of each reflection [1/Å].

    Returns
    -------
    list of Condition
        One a combination of `grid_of`.

    Raises
    ------
    ContextError
        As for `grid_of`, or collection angles past what the simulator keeps.
    """
    found = []
    spectra: dict[Probe, _Spectra] = {}
    for probe, angles in grid_of(context, channel):
        if probe not in spectra:
            spectra[probe] = _spectra(probe, options, reciprocal_per_A)
        found.append(_weigh(reflections, channel, spectra[probe], angles, options, metal_first, reciprocal_per_A))
    return found


def _spectra(
    probe: Probe, options: tuple[Hypothesis, ...], reciprocal_per_A: Float[np.ndarray, "reflection 2"]
) -> _Spectra:
    highest = 2.2e-3 * probe.convergence_mrad / wavelength_A(probe.energy_kev)
    edges = np.linspace(0, max(highest, 1.1 * np.hypot(*reciprocal_per_A.T).max()), _FREQUENCIES + 1)
    k = (edges[1:] + edges[:-1]) / 2
    cache: dict[Column, Float[np.ndarray, "k ring"]] = {}
    for option in options:
        if option.column not in cache:
            kernel = cached_rings(option.column, probe, vibration_A=VIBRATION_A)
            r = kernel.radius_A
            area = 2 * np.pi * r * (r[1] - r[0])
            cache[option.column] = (j0(2 * np.pi * k[:, None] * r) * area) @ kernel.rings
    return _Spectra(
        probe=probe,
        frequency_per_A=k,
        weight=2 * np.pi * k * (edges[1] - edges[0]),
        rings=np.array([cache[option.column] for option in options]),
    )


def _weigh(
    reflections: Reflections,
    channel: int,
    spectra: _Spectra,
    angles: Angles,
    options: tuple[Hypothesis, ...],
    metal_first: bool,
    reciprocal_per_A: Float[np.ndarray, "reflection 2"],
) -> Condition:
    labels = [option.label for option in options]
    spectrum = spectra.rings @ ring_weights(angles)  # (hypothesis, k)
    at = np.hypot(*reciprocal_per_A.T)
    metal, pair = (np.interp(at, spectra.frequency_per_A, spectrum[labels.index(name)]) for name in ("M", "X2"))
    third = reflections.index.sum(axis=1) / 3
    near, far = (metal, pair) if metal_first else (pair, metal)
    model = near * np.exp(-2j * np.pi * third) + far * np.exp(-4j * np.pi * third)
    measured = reflections.coefficient[channel]

    # Blur and gain only scale the coefficients: they are fitted, not weighed.
    # A reflection far weaker than the others of its family was filtered away, by a denoiser for instance.
    strengths = np.abs(measured).reshape(-1, 3)
    filtered_away = (strengths < np.median(strengths, axis=1, keepdims=True) / 3).ravel()
    visible = (np.abs(measured) > 5 * reflections.noise[channel]) & (np.abs(model) > 0) & ~filtered_away
    if np.count_nonzero(visible) >= 5:
        gx, gy = reciprocal_per_A[visible].T
        design = -2 * np.pi**2 * np.stack([gx**2, gy**2, 2 * gx * gy, np.full(gx.size, -1 / (2 * np.pi**2))], axis=1)
        trust = 1 / np.repeat(_AMPLITUDE_DISCREPANCY, 3)[visible]
        attenuation = np.log(np.abs(measured[visible] / model[visible]))
        sxx, syy, sxy, _ = np.linalg.lstsq(design * trust[:, None], attenuation * trust, rcond=None)[0]
        values, vectors = np.linalg.eigh(np.array([[sxx, sxy], [sxy, syy]]))
        blur = vectors @ np.diag(np.clip(values, *_BLUR_A2)) @ vectors.T
    else:
        blur = _round_blur(np.abs(measured), np.abs(model), at, reflections.noise[channel]) * np.eye(2)

    # The closure of a threefold family is free of the origin; its third is the phase about the threefold axis.
    log_likelihood = 0.0
    for family, discrepancy in ((0, DISCREPANCY), (2, _SECOND_ORDER_DISCREPANCY)):
        rows = slice(3 * family, 3 * family + 3)
        strength = float(np.abs(measured[rows]).mean())
        difference = float(np.angle(np.prod(measured[rows] * np.conj(model[rows])))) / 3
        noise = reflections.noise[channel] / strength / np.sqrt(3)
        log_likelihood -= 0.5 * (difference / np.hypot(discrepancy, noise)) ** 2

    filtered = np.exp(-4 * np.pi**2 * np.trace(blur) / 2 * spectra.frequency_per_A**2) * spectra.weight
    pristine = {"M": spectrum[labels.index("M")], "X": spectrum[labels.index("X2")]}
    amplitude = np.array(
        [
            np.sum(filtered * own * pristine[SUBLATTICE[label]]) / np.sum(filtered * pristine[SUBLATTICE[label]] ** 2)
            for label, own in zip(labels, spectrum, strict=True)
        ]
    )
    return Condition(
        probe=spectra.probe,
        collection_mrad=angles,
        log_likelihood=log_likelihood,
        blur_A2=blur,
        amplitude=amplitude,
    )


def joint_weights(channels: list[list[Condition]]) -> list[Float[np.ndarray, " _"]]:
    """Return each channel's posterior over its conditions, given that all channels share one probe.

    Parameters
    ----------
    channels : list of list of Condition
        Candidates of each channel.

    Returns
    -------
    list of float array (condition,)
        Probabilities, one array a channel.
    """
    probes, per_probe = _log_likelihood_of_probes(channels)
    result = []
    for candidates, own in zip(channels, per_probe, strict=True):
        at = np.array([probes.index(c.probe) for c in candidates])
        others = per_probe.sum(axis=0) - own
        log = np.array([c.log_likelihood for c in candidates]) + others[at] - np.log(np.bincount(at)[at])
        weight = np.exp(log - log.max())
        result.append(weight / weight.sum())
    return result


def _log_likelihood_of_probes(
    channels: list[list[Condition]],
) -> tuple[list[Probe], Float[np.ndarray, "channel probe"]]:
    """Average over the detector angles: their prior is flat for every probe, however many the grid has there."""
    probes = sorted({c.probe for c in channels[0]})
    logs = [[[c.log_likelihood for c in candidates if c.probe == p] for p in probes] for candidates in channels]
    return probes, np.array([[logsumexp(log) - np.log(len(log)) for log in channel] for channel in logs])


def evidence(channels: list[list[Condition]]) -> float:
    """Return the log of the mean likelihood of all channels over the conditions they share.

    Parameters
    ----------
    channels : list of list of Condition
        Candidates of each channel.
    """
    probes, per_probe = _log_likelihood_of_probes(channels)
    return float(logsumexp(per_probe.sum(axis=0)) - np.log(len(probes)))


def marginals(channels: list[list[Condition]], posterior: list[Float[np.ndarray, " _"]]) -> tuple[Marginal, ...]:
    """Return what the data say about every quantity that was gridded.

    Parameters
    ----------
    channels : list of list of Condition
        Candidates of each channel.
    posterior : list of float array (condition,)
        Their probabilities.
    """

    def marginal(name: str, unit: str, values: list[float], weight: Float[np.ndarray, " condition"]) -> list[Marginal]:
        grid = sorted(set(values))
        if len(grid) == 1:
            return []
        shares = [float(weight[[v == g for v in values]].sum()) for g in grid]
        return [Marginal(name=name, unit=unit, values=tuple(grid), weights=tuple(shares))]

    found = marginal("energy_kev", "keV", [c.probe.energy_kev for c in channels[0]], posterior[0])
    found += marginal("convergence_mrad", "mrad", [c.probe.convergence_mrad for c in channels[0]], posterior[0])
    for k, (candidates, weight) in enumerate(zip(channels, posterior, strict=True)):
        found += marginal(f"inner_mrad[{k}]", "mrad", [c.collection_mrad[0] for c in candidates], weight)
        found += marginal(f"outer_mrad[{k}]", "mrad", [c.collection_mrad[1] for c in candidates], weight)
    return tuple(found)


def _round_blur(
    measured: Float[np.ndarray, " reflection"],
    model: Float[np.ndarray, " reflection"],
    frequency_per_A: Float[np.ndarray, " reflection"],
    noise: float,
) -> float:
    """Fit the variance of a round blur [Å^2] to all reflections: those lost in noise say that it is large."""
    variances = np.geomspace(*_BLUR_A2, 80)
    attenuated = model * np.exp(-2 * np.pi**2 * variances[:, None] * frequency_per_A**2)
    trust = 1 / (noise**2 + (np.repeat(_AMPLITUDE_DISCREPANCY, 3) * measured) ** 2)
    gain = (attenuated * trust) @ measured / (attenuated**2 @ trust)
    misfit = ((measured - gain[:, None] * attenuated) ** 2) @ trust
    return float(variances[np.argmin(misfit)])
