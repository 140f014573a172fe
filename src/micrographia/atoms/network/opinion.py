"""The network's opinion of a whole scan: every site asked under every context that may be the true one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy.spatial import cKDTree
from scipy.special import entr, logsumexp, softmax

from micrographia.atoms.decide import Prior, prior_fractions
from micrographia.atoms.lattice import Lattice
from micrographia.atoms.lines import steadied
from micrographia.atoms.network.canonical import ORIENTATIONS, CanonicalPatches, canonical_patches
from micrographia.atoms.network.contexts import draw_contexts, unknown_quantities, value_of
from micrographia.atoms.network.descriptors import KNOWABLE, Conditions, describe
from micrographia.atoms.network.trained import TrainedNetwork, ask, familiarity, p_values, see, state_of
from micrographia.atoms.physics import Solution, defect_light
from micrographia.findings import LABELS, SUBLATTICE, Information
from micrographia.simulate.cluster import usable_cores
from micrographia.simulate.specimens.hosts import ROLES, Hypothesis

DRAWS: Final = ORIENTATIONS
"""Contexts over which an answer is averaged; the site is laid another way for each."""
_DOUBTFUL: Final = 128
"""Sites on which the worth of knowing more is measured."""
_VALUES, _COMPLETIONS = 6, 4
_ROUNDS: Final = 200
_FAMILIAR_WAYS: Final = 2
"""Ways of laying a site by which it is told how familiar it looks; the calibration laid each in one."""
_TELLING: Final = 512
"""Sites that tell which sublattice is the metal's."""
_DECISIVE_NATS: Final = 20.0
_PART: Final = 8192
"""Sites whose patches are held at once."""


@dataclass(frozen=True, kw_only=True)
class NetworkOpinion:
    """What the network says of a scan's reported sites.

    Parameters
    ----------
    posterior : float array (site, hypothesis)
        Probabilities, the sublattices laid as physics has them.
    other_way : float array (site, hypothesis)
        The same, the sublattices laid the other way round.
    log_odds : float
        Evidence of all sites for the first against the second [nats].
    p_values : float array (site, hypothesis)
        Conformal p-value of every hypothesis' label.
    familiarity : float array (site,)
        As in `Opinions`.
    information : tuple of Information
        What each unknown quantity would be worth.
    fraction : float array (hypothesis,)
        Estimated fraction of its sublattice's sites.
    slip_spread_px : (float, float)
        By how much the scan's lines had slipped along x and y before they were put back [px], a standard deviation.
    """

    posterior: Float[np.ndarray, "site hypothesis"]
    other_way: Float[np.ndarray, "site hypothesis"]
    log_odds: float
    p_values: Float[np.ndarray, "site hypothesis"]
    familiarity: Float[np.ndarray, " site"]
    information: tuple[Information, ...]
    fraction: Float[np.ndarray, " hypothesis"]
    slip_spread_px: tuple[float, float]


def network_opinion(
    trained: TrainedNetwork,
    frames: Float[np.ndarray, "channel height width"],
    lattice: Lattice,
    solution: Solution,
    *,
    host: str,
    options: tuple[Hypothesis, ...],
    prior: Prior,
    tell: Callable[[str], None],
) -> NetworkOpinion:
    """Ask the network about every reported site of a scan.

    Unknown energy and angles are drawn from their posterior given what is known and the scan's mean unit cell, and
    the answers averaged. The network was taught to expect all labels alike; how frequent they are is estimated from
    the scan.

    Parameters
    ----------
    trained : TrainedNetwork
        The network.
    frames : float array (channel, height, width)
        The scan.
    lattice : Lattice
        Its lattice.
    solution : Solution
        Physics' solution: says where the sites are, and how probable each condition is.
    host : str
        Formula.
    options : tuple of Hypothesis
        What may be at the sites.
    prior : Prior
        Defect concentrations.
    tell : callable
        Told the name of each stage as it begins.
    """
    tell("scan lines")
    steady = steadied(frames, lattice, defects=defect_light(solution, options, frames.shape))
    tell("network")
    rng = np.random.default_rng(0)
    rows = solution.judged[solution.reported]
    on_metal = solution.on_metal[rows]
    asker = _Asker(trained=trained, options=options, per_a=1 / lattice.a_px)
    unknown = unknown_quantities(solution)
    contexts = draw_contexts(solution, rng, DRAWS, host=host)

    def about(
        some: Int[np.ndarray, " some"], asked: Bool[np.ndarray, "some element"], ways: int = ORIENTATIONS
    ) -> list[_Told]:
        laid = islice(orientations(steady.frames, solution, rows[some]), ways)
        return [
            asker.ask(asker.see(patches), (context,), asked, familiar=n < _FAMILIAR_WAYS)
            for n, (patches, context) in enumerate(zip(laid, contexts, strict=False))
        ]

    # Substituents are asked about on the sublattice where they can be; which one that is, some sites tell.
    some = np.arange(0, rows.size, -(-rows.size // _TELLING))
    (first,) = about(some, np.ones((some.size, len(asker.elements)), dtype=bool), ways=1)
    odds = (
        concentrated(first.log_likelihood, on_metal[some], options, prior)[2]
        - concentrated(first.log_likelihood, ~on_metal[some], options, prior)[2]
    )
    asked = asker.elements_on(on_metal if odds > 0 else ~on_metal) | bool(abs(odds) < _DECISIVE_NATS)
    parts = [about(part, asked[part]) for part in np.array_split(np.arange(rows.size), -(-rows.size // _PART))]
    log_likelihood, fit, familiar = (
        np.concatenate([[getattr(t, name) for t in part] for part in parts], axis=1)
        for name in ("log_likelihood", "p_values", "familiarity")
    )
    log_likelihood = logsumexp(log_likelihood, axis=0) - np.log(len(contexts))
    posterior, fraction, evidence = concentrated(log_likelihood, on_metal, options, prior)
    other_way, _, against = concentrated(log_likelihood, ~on_metal, options, prior)
    information: tuple[Information, ...] = ()
    if unknown:
        tell("what more context would be worth")
        doubtful = np.argsort(-entr(posterior).sum(axis=1), kind="stable")[:_DOUBTFUL]
        log_prior = _log_prior(fraction, on_metal[doubtful], options)
        seen, members = asker.see(next(orientations(steady.frames, solution, rows[doubtful]))), _members(options)

        def at(contexts: tuple[Conditions, ...]) -> Float[np.ndarray, "context some label"]:
            log = asker.ask(seen, contexts, asked[doubtful], familiar=False).log_likelihood
            log = log.reshape(len(contexts), doubtful.size, -1)
            answer: Float[np.ndarray, "context some label"] = softmax(log + log_prior, axis=2) @ members
            return answer

        worth = [_worth(name, solution, host, at, rng) for name in unknown]
        information = tuple(sorted(worth, key=lambda w: -w.reduction_nats))
    return NetworkOpinion(
        posterior=posterior,
        other_way=other_way,
        log_odds=evidence - against,
        p_values=fit.mean(axis=0),
        familiarity=familiar[:_FAMILIAR_WAYS].mean(axis=0),
        information=information,
        fraction=fraction,
        slip_spread_px=(float(steady.slip_px[:, 0].std()), float(steady.slip_px[:, 1].std())),
    )


def orientations(
    frames: Float[np.ndarray, "channel height width"], solution: Solution, rows: Int[np.ndarray, " site"]
) -> Iterator[CanonicalPatches]:
    """Yield sites' patches, laid in each of the `ORIENTATIONS` in turn.

    Parameters
    ----------
    frames : float array (channel, height, width)
        The scan, its lines put back.
    solution : Solution
        Says where the sites are.
    rows : int array (site,)
        Which of its sites.

    Yields
    ------
    CanonicalPatches
        Each neighbour to the right in turn, upright and mirrored.
    """
    scan = np.ascontiguousarray(frames[None], dtype=np.float32)
    x_px, y_px = solution.x_px[rows], solution.y_px[rows]
    right, down = arms(solution, rows)
    shares = np.array_split(np.arange(rows.size), usable_cores())
    with ThreadPoolExecutor(len(shares)) as pool:
        for turn in range(3):

            def lay(at: Int[np.ndarray, " some"], turn: int = turn) -> CanonicalPatches:
                return canonical_patches(
                    *(scan, np.zeros(at.size, dtype=np.int64), x_px[at], y_px[at], right[at, turn], down[at, turn])
                )

            laid = list(pool.map(lay, shares))
            names = ("image", "mean", "spread", "covered")
            upright = CanonicalPatches(**{name: np.concatenate([getattr(p, name) for p in laid]) for name in names})
            yield upright
            yield replace(upright, image=np.ascontiguousarray(upright.image[:, :, ::-1]))


def arms(
    solution: Solution, rows: Int[np.ndarray, " site"]
) -> tuple[Float[np.ndarray, "site 3 2"], Float[np.ndarray, "site 3 2"]]:
    """Return the vector from each site to each of its neighbours, and one across it, as the lattice has them [px].

    Parameters
    ----------
    solution : Solution
        Holds all sites.
    rows : int array (site,)
        Which of them.
    """
    xy = np.stack([solution.x_px, solution.y_px], axis=1)
    near = np.empty((rows.size, 3, 2))
    for metal in (True, False):
        here = solution.on_metal[rows] == metal
        others = xy[solution.on_metal != metal]
        nearest = others[cKDTree(others).query(xy[rows[here]], k=3)[1]] - xy[rows[here]][:, None]
        # In the order of their directions, so that the next one is 120° on.
        order = np.argsort(np.arctan2(nearest[:, :, 1], nearest[:, :, 0]), axis=1)
        near[here] = np.take_along_axis(nearest, order[:, :, None], axis=1)
    following, last = np.roll(near, -1, axis=1), np.roll(near, -2, axis=1)
    # Least squares of three arms 120° apart: what is common to them is the site's own error.
    right = 2 / 3 * (near - (following + last) / 2)
    down = (following - last) / np.sqrt(3)
    return right, down


def concentrated(
    log_likelihood: Float[np.ndarray, "site hypothesis"],
    on_metal: Bool[np.ndarray, " site"],
    options: tuple[Hypothesis, ...],
    prior: Prior,
) -> tuple[Float[np.ndarray, "site hypothesis"], Float[np.ndarray, " hypothesis"], float]:
    """Return posterior, estimated fractions, and log evidence [nats], the sublattices laid in a certain way.

    Parameters
    ----------
    log_likelihood : float array (site, hypothesis)
        Up to a constant of the site.
    on_metal : bool array (site,)
        Whether a site is the metal's.
    options : tuple of Hypothesis
        The hypotheses.
    prior : Prior
        Expected concentrations.

    Notes
    -----
    Expectation maximisation as in Saerens et al. (2002), DOI 10.1162/089976602753284446, with the Dirichlet prior of
    the decision by physics.

    Examples
    --------
    >>> from micrographia.simulate.specimens.hosts import host, hypotheses
    >>> options = hypotheses(host("WSe2"))
    >>> even = np.zeros((1000, len(options)))
    >>> posterior, fraction, _ = concentrated(even, np.arange(1000) < 500, options, Prior())
    >>> print([f"{o.label} {f:.4f}" for o, f in zip(options, fraction)][:2])
    ['M 0.9990', 'V_M 0.0010']
    """
    posterior, fraction, evidence = np.zeros_like(log_likelihood), np.zeros(len(options)), 0.0
    for side, sites in (("M", on_metal), ("X", ~on_metal)):
        here = [i for i, o in enumerate(options) if SUBLATTICE[o.label] == side]
        block = np.ix_(np.nonzero(sites)[0], np.array(here))
        own = log_likelihood[block]
        expected = prior_fractions(options, here, prior)
        share = expected
        for _ in range(_ROUNDS):
            log = own + np.log(share)
            before = share
            share = (softmax(log, axis=1).sum(axis=0) + prior.strength_sites * expected) / (
                len(own) + prior.strength_sites
            )
            if np.abs(share - before).max() < 1e-7:
                break
        posterior[block] = softmax(log, axis=1)
        evidence += float(logsumexp(log, axis=1).sum())
        fraction[here] = share
    return posterior, fraction, evidence


@dataclass(frozen=True, kw_only=True)
class _Seen:
    patches: CanonicalPatches
    views: Float32[np.ndarray, "site channel view"]


@dataclass(frozen=True, kw_only=True)
class _Told:
    log_likelihood: Float[np.ndarray, "site hypothesis"]
    p_values: Float[np.ndarray, "site hypothesis"]
    familiarity: Float[np.ndarray, " site"]


@dataclass(frozen=True, kw_only=True)
class _Asker:
    """How to ask the network about hypotheses; it knows of one dopant at a time."""

    trained: TrainedNetwork
    options: tuple[Hypothesis, ...]
    per_a: float

    def see(self, patches: CanonicalPatches) -> _Seen:
        return _Seen(patches=patches, views=see(self.trained, patches))

    @property
    def elements(self) -> list[int]:
        """Hypotheses that are about a substituent."""
        return [i for i, o in enumerate(self.options) if o.element is not None]

    def elements_on(self, metal: Bool[np.ndarray, " site"]) -> Bool[np.ndarray, "site element"]:
        """Return which substituents may be at each site; where none may, one is thought of nonetheless."""
        side = np.array([SUBLATTICE[self.options[i].label] == "M" for i in self.elements], dtype=bool)
        here: Bool[np.ndarray, "site element"] = metal[:, None] == side
        if side.size:
            here[:, 0] |= ~here.any(axis=1)
        return here

    def ask(
        self,
        seen: _Seen,
        contexts: tuple[Conditions, ...],
        asked: Bool[np.ndarray, "site element"],
        *,
        familiar: bool,
    ) -> _Told:
        """Ask about all sites under the first context, then all under the next ...: once for each substituent asked."""
        at = np.tile(np.arange(len(seen.views)), len(contexts))
        which = np.repeat(np.arange(len(contexts)), len(seen.views))
        log_likelihood = np.full((at.size, len(self.options)), -np.inf)
        fit, share = np.zeros((at.size, len(self.options))), np.full(at.size, -np.inf if familiar else np.nan)
        common = [i for i, o in enumerate(self.options) if o.element is None]
        shared = [ROLES.index(self.options[i].label) for i in common]
        log_likelihood[:, common] = 0
        times = np.zeros(at.size)
        for n, i in enumerate(self.elements or [-1]):
            rows = np.nonzero(asked[at, n])[0] if self.elements else np.arange(at.size)
            if not rows.size:
                continue
            element = self.options[i].element if self.elements else None
            own = [ROLES.index(self.options[i].label)] if self.elements else []
            sites = at[rows]
            known = np.tile([self._knows(name, element) for name in KNOWABLE], (rows.size, 1))
            here = np.ones((rows.size, seen.views.shape[1]), dtype=np.float32)
            state = state_of(known, here)
            told = describe(
                tuple(replace(context, dopant=element) for context in contexts),
                which[rows],
                covered=seen.patches.covered[sites],
                mean=seen.patches.mean[sites],
                spread=seen.patches.spread[sites],
                known=known,
                pixel_per_a=np.full(rows.size, self.per_a),
                pixel_A=np.ones(rows.size),
                dose_e_per_A2=np.ones(rows.size),
            )
            in_play = np.zeros((rows.size, len(ROLES)), dtype=bool)
            in_play[:, shared + own] = True
            answers = ask(
                self.trained, seen.views[sites], told, in_play=in_play, state=state, present=here, how_far=familiar
            )
            p = p_values(self.trained, answers.log_posterior, state)
            relative = answers.log_posterior - logsumexp(answers.log_posterior[:, shared], axis=1, keepdims=True)
            # What the substituent does not concern is the mean over all that were asked about.
            times[rows] += 1
            block = np.ix_(rows, np.array(common))
            log_likelihood[block] += (relative[:, shared] - log_likelihood[block]) / times[rows, None]
            fit[block] = np.maximum(fit[block], p[:, shared])
            if self.elements:
                log_likelihood[rows, i], fit[rows, i] = relative[:, own[0]], p[:, own[0]]
            if familiar:
                share[rows] = np.maximum(share[rows], familiarity(self.trained, answers.distance, state))
        return _Told(log_likelihood=log_likelihood, p_values=fit, familiarity=share)

    def _knows(self, name: str, element: str | None) -> bool:
        if name == "dopant":
            return element is not None
        # Brightness in fractions of the beam is in no file, and without it the dose says little that the noise does
        # not; the pixel size follows from lattice and host.
        return name not in ("brightness", "dose", "pixel")


def _log_prior(
    fraction: Float[np.ndarray, " hypothesis"], on_metal: Bool[np.ndarray, " site"], options: tuple[Hypothesis, ...]
) -> Float[np.ndarray, "site hypothesis"]:
    metal = np.array([SUBLATTICE[o.label] == "M" for o in options])
    return np.where(metal == on_metal[:, None], np.log(fraction), -np.inf)


def _members(options: tuple[Hypothesis, ...]) -> Float[np.ndarray, "hypothesis label"]:
    return np.array([[o.label == label for label in LABELS] for o in options], dtype=float)


def _worth(
    name: str,
    solution: Solution,
    host: str,
    at: Callable[[tuple[Conditions, ...]], Float[np.ndarray, "context some label"]],
    rng: np.random.Generator,
) -> Information:
    """Return by how much the mean entropy is expected to fall once a quantity is known."""
    values = [value_of(c, name) for c in draw_contexts(solution, rng, _VALUES, host=host)]
    drawn = [draw_contexts(solution, rng, _COMPLETIONS, host=host, fixed={name: value}) for value in values]
    answers = at(tuple(context for completions in drawn for context in completions))
    answers = answers.reshape(len(values), _COMPLETIONS, *answers.shape[1:])
    known = np.array([_entropy_of_mean(group) for group in answers])
    flat = answers.reshape(-1, *answers.shape[2:])
    entropy_nats = float(entr(flat.mean(axis=0)).sum(axis=-1).mean())
    return Information(
        name=name,
        entropy_nats=entropy_nats,
        reduction_nats=float(np.clip(_entropy_of_mean(flat) - known.mean(), 0.0, entropy_nats)),
        reduction_sd_nats=float(known.std(ddof=1) / np.sqrt(len(values))),
    )


def _entropy_of_mean(answers: Float[np.ndarray, "answer site label"]) -> float:
    """Return the mean over sites of the entropy of the answers' mean [nats].

    The mean of few answers has too little entropy; the jackknife takes off most of that bias (Quenouille 1956,
    DOI 10.1093/biomet/43.3-4.353).
    """
    count = len(answers)
    total = answers.sum(axis=0)
    without = entr((total - answers) / (count - 1)).sum(axis=-1).mean()
    return float(count * entr(total / count).sum(axis=-1).mean() - (count - 1) * without)
