"""Decide every atomic site of a scan by physics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from micrographia.atoms.conditions import Condition, conditions, evidence, joint_weights, marginals
from micrographia.atoms.decide import Decision, Prior, amplitude_uncertainty, decide, index_of_pristine
from micrographia.atoms.image_model import ChannelModel, Fit, channel_model, fit_channel, measure_sites, render
from micrographia.atoms.lattice import Lattice, place_sites, well_ordered
from micrographia.atoms.reflections import Reflections
from micrographia.context import Context
from micrographia.errors import InputError
from micrographia.findings import Marginal
from micrographia.simulate.specimens.hosts import Host, Hypothesis

_SWEEPS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Solution:
    """One way to lay metal and chalcogen on the lattice, solved.

    Parameters
    ----------
    x_px, y_px : float array (site,)
        Positions [px].
    on_metal : bool array (site,)
        Sublattice.
    judged : int array (judged,)
        Sites that were decided: those in the scan where the lattice shows. The others only lend their light.
    reported : bool array (judged,)
        Which of them to report: those with the scan reaching one lattice constant past them on every side.
    shown : bool array (site,)
        Whether the lattice shows at a site at all; where it does not, no column is assumed.
    decision : Decision
        Posterior of the judged sites.
    models, fits : tuple
        Kernels, and background, gain and noise of each channel.
    columns : float array (channel, height, width)
        Rendered columns under the posterior, each sublattice at its measured brightness [fraction of the beam].
    chi : float array (judged,)
        Root mean square of residual over noise in each judged site's window, all channels.
    marginals : tuple of Marginal
        Unknown conditions.
    condition : tuple of Condition
        Most probable conditions of each channel.
    candidates : tuple of tuple of Condition
        All conditions of each channel that were tried.
    weights : tuple of float array (condition,)
        Their probabilities.
    log_evidence : float
        Of the reflections and the sites together [nats].
    """

    x_px: Float[np.ndarray, " site"]
    y_px: Float[np.ndarray, " site"]
    on_metal: Bool[np.ndarray, " site"]
    judged: Int[np.ndarray, " judged"]
    reported: Bool[np.ndarray, " judged"]
    shown: Bool[np.ndarray, " site"]
    decision: Decision
    models: tuple[ChannelModel, ...]
    fits: tuple[Fit, ...]
    columns: Float[np.ndarray, "channel height width"]
    chi: Float[np.ndarray, " judged"]
    marginals: tuple[Marginal, ...]
    condition: tuple[Condition, ...]
    candidates: tuple[tuple[Condition, ...], ...]
    weights: tuple[Float[np.ndarray, " _"], ...]
    log_evidence: float

    @property
    def relative_scale(self) -> Float[np.ndarray, "site channel"]:
        """Measured brightness of each site's pristine column over the model's, 1 on average over sublattices."""
        return _relative(self.decision)[np.where(self.on_metal, 0, 1)]


def solve(
    frames: Float[np.ndarray, "channel height width"],
    lattice: Lattice,
    reflections: Reflections,
    *,
    metal_first: bool,
    context: Context,
    material: Host,
    options: tuple[Hypothesis, ...],
    prior: Prior,
) -> Solution | None:
    """Solve a scan for one assignment of the sublattices.

    Parameters
    ----------
    frames : float array (channel, height, width)
        The scan.
    lattice, reflections
        What was found in it.
    metal_first : bool
        Whether the metal sits a third of the way along the cell's diagonal from the hollow site; else at two thirds.
    context : Context
        What is known; unknown conditions are marginalised.
    material : Host
        The host.
    options : tuple of Hypothesis
        What may be at the sites.
    prior : Prior
        Defect concentrations.

    Returns
    -------
    Solution, optional
        None where a channel is darker where this assignment has its columns: it is impossible then.

    Raises
    ------
    InputError
        Too few sites lie inside the scan.
    """
    channels, height, width = frames.shape
    a_px = lattice.a_px
    pixel_A = material.a_A / a_px
    reciprocal = reflections.index @ lattice.g_per_px[:2] / pixel_A
    candidates = [
        conditions(
            reflections,
            channel=c,
            context=context,
            options=options,
            metal_first=metal_first,
            reciprocal_per_A=reciprocal,
        )
        for c in range(channels)
    ]
    weights = joint_weights(candidates)
    best = tuple(cs[int(np.argmax(w))] for cs, w in zip(candidates, weights, strict=True))
    amplitude, amplitude_covariance = amplitude_uncertainty(
        [(np.array([c.amplitude for c in cs]), w) for cs, w in zip(candidates, weights, strict=True)]
    )
    models = tuple(channel_model(condition, options, pixel_A) for condition in best)

    third, two_thirds = (reflections.origin + k / 3 for k in (1, 2))
    metal_origin, pair_origin = (third, two_thirds) if metal_first else (two_thirds, third)
    margin = -2 * a_px  # columns just outside still shine into the scan
    places = [place_sites(lattice, origin, margin_px=margin) for origin in (metal_origin, pair_origin)]
    x, y = (np.concatenate([place[k] for place in places]) for k in range(2))
    on_metal = np.arange(x.size) < places[0][0].size
    ordered = well_ordered(lattice, x, y)
    judged = np.nonzero(ordered & _within(x, y, width, height, edge_px=0.0))[0]
    reported = _within(x[judged], y[judged], width, height, edge_px=a_px - 0.5)
    if min(np.count_nonzero(reported & on_metal[judged]), np.count_nonzero(reported & ~on_metal[judged])) < 4:
        raise InputError("fewer than four whole unit cells lie inside the scan; give a larger field")
    shown = well_ordered(lattice, np.clip(x, 0, width - 1), np.clip(y, 0, height - 1), least=0.15)

    pristine = index_of_pristine(on_metal, options)
    occupation = np.zeros((x.size, len(options)))
    # Columns outside, or where the lattice fades, are taken as pristine: they are not judged, but they shine.
    occupation[np.arange(x.size), pristine] = shown
    scale = np.ones((x.size, channels))

    def lit(c: int) -> Float[np.ndarray, "height width"]:
        return render(models[c], x, y, occupation * scale[:, c, None], (height, width))

    columns = np.stack([lit(c) for c in range(channels)])
    for _ in range(_SWEEPS):
        fits = tuple(fit_channel(frames[c], columns[c], a_px) for c in range(channels))
        if min(fit.gain for fit in fits) <= 0:
            return None
        # What was rendered at the sites is the most probable condition's, so that is what the excess adds to.
        present = np.stack(
            [scale[judged, c] * (occupation[judged] @ best[c].amplitude) for c in range(channels)], axis=1
        )
        signals = [
            measure_sites(
                frames[c], columns[c], fits[c], models[c], x[judged], y[judged], pristine[judged], present[:, c]
            )
            for c in range(channels)
        ]
        decision = decide(
            np.stack([s.excess for s in signals], axis=1) + present,
            np.stack([s.variance for s in signals], axis=1),
            np.stack([s.variance_per_brightness for s in signals], axis=1),
            on_metal[judged],
            options=options,
            amplitude=amplitude,
            amplitude_covariance=amplitude_covariance,
            prior=prior,
        )
        scale = _relative(decision)[np.where(on_metal, 0, 1)]
        occupation[judged] = decision.posterior
        columns = np.stack([lit(c) for c in range(channels)])
    chi = np.sqrt(np.mean([s.chi**2 for s in signals], axis=0))
    return Solution(
        x_px=x,
        y_px=y,
        on_metal=on_metal,
        judged=judged,
        reported=reported,
        shown=shown,
        decision=decision,
        models=models,
        fits=fits,
        columns=columns,
        chi=chi,
        marginals=marginals(candidates, weights),
        condition=best,
        candidates=tuple(map(tuple, candidates)),
        weights=tuple(weights),
        log_evidence=decision.log_evidence + evidence(candidates) - float(np.sum([s.log_unit for s in signals])),
    )


def _relative(decision: Decision) -> Float[np.ndarray, "sublattice channel"]:
    """Brightness of pristine columns over the model's, with the gain taken off: 1 on average over sublattices."""
    relative: Float[np.ndarray, "sublattice channel"] = decision.scale / decision.scale.mean(axis=0)
    return relative


def _within(
    x_px: Float[np.ndarray, " site"], y_px: Float[np.ndarray, " site"], width: int, height: int, *, edge_px: float
) -> Bool[np.ndarray, " site"]:
    """Return which sites are at least this far inside the outermost pixels' centres."""
    near = np.minimum(np.minimum(x_px, width - 1 - x_px), np.minimum(y_px, height - 1 - y_px))
    inside: Bool[np.ndarray, " site"] = near >= edge_px
    return inside


def rendered(
    solution: Solution, options: tuple[Hypothesis, ...], shape: tuple[int, int, int]
) -> Float[np.ndarray, "channel height width"]:
    """Return the whole scan simulated under each site's most probable hypothesis, in the file's units.

    Parameters
    ----------
    solution : Solution
        A solved scan.
    options : tuple of Hypothesis
        What may be at the sites.
    shape : (int, int, int)
        Channels, height and width [px].
    """
    occupation = np.zeros((solution.x_px.size, len(options)))
    occupation[np.arange(solution.x_px.size), index_of_pristine(solution.on_metal, options)] = solution.shown
    occupation[solution.judged] = np.eye(len(options))[solution.decision.posterior.argmax(axis=1)]
    background = np.array([fit.background for fit in solution.fits])
    return np.asarray(background + _light(solution, occupation, shape), dtype=np.float32)


def defect_light(
    solution: Solution, options: tuple[Hypothesis, ...], shape: tuple[int, int, int]
) -> Float[np.ndarray, "channel height width"]:
    """Return what the defects, as far as they are certain, add to a scan of the perfect lattice, in the file's units.

    Parameters
    ----------
    solution : Solution
        A solved scan.
    options : tuple of Hypothesis
        What may be at the sites.
    shape : (int, int, int)
        Channels, height and width [px].
    """
    beyond = np.zeros((solution.x_px.size, len(options)))
    beyond[solution.judged] = solution.decision.posterior
    beyond[solution.judged, index_of_pristine(solution.on_metal, options)[solution.judged]] -= 1
    return _light(solution, beyond, shape)


def _light(
    solution: Solution, occupation: Float[np.ndarray, "site hypothesis"], shape: tuple[int, int, int]
) -> Float[np.ndarray, "channel height width"]:
    """Return the light of columns that occupy the sites by such parts, in the file's units."""
    scale = solution.relative_scale
    return np.array(
        [
            fit.gain * render(model, solution.x_px, solution.y_px, occupation * scale[:, c, None], shape[1:])
            for c, (model, fit) in enumerate(zip(solution.models, solution.fits, strict=True))
        ]
    )
