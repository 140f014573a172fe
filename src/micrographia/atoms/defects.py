"""Find what is at every atomic site of a scan, given its context: the main job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit
from scipy.stats import gamma

from micrographia.atoms.decide import Prior, merged
from micrographia.atoms.evidence import examples, show
from micrographia.atoms.lattice import LEAST_STRENGTH, Lattice, check_lattice, find_lattice
from micrographia.atoms.network.opinion import DRAWS, NetworkOpinion, network_opinion
from micrographia.atoms.network.trained import TrainedNetwork, read_network
from micrographia.atoms.physics import Solution, rendered, solve
from micrographia.atoms.reflections import measure_reflections
from micrographia.context import Context
from micrographia.errors import ContextError, InputError
from micrographia.findings import SUBLATTICE, DefectFindings, Finding, LatticeCheck, Marginal, Opinions, SiteTable
from micrographia.micrograph import Micrograph
from micrographia.simulate.specimens.hosts import IMPURITIES, Host, Hypothesis, host, hypotheses

_DECISIVE_NATS: Final = 12.0
"""Log odds past which one way to lay the sublattices is taken for certain: 6 in a million against it."""
_MISFIT_NATS: Final = -8.0
"""Log likelihood below which the best condition contradicts the mean unit cell: 4 standard deviations."""
_SLIP_NM: Final = 0.003
"""Line slips above this are remarked on: columns scatter by per cents then."""
_LEAST_CERTAIN: Final = 20
_DISAGREEMENTS_SHOWN: Final = 60

Method = Literal["physics", "network"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
DEFAULT_METHOD: Final[Method] = "physics"
"""The method that won on held-out data; decision 10."""
COVERAGE: Final = 0.99
"""Fraction of sites whose label set holds the true label."""
LEAST_FAMILIARITY: Final = 0.0025
"""A site more unlike simulated ones than all but this fraction of them is flagged."""


@dataclass(frozen=True, kw_only=True)
class PhysicsSettings:
    """Settings of the decision by physics.

    Parameters
    ----------
    prior : Prior
        Defect concentrations expected before the scan is seen.
    impurities : tuple of str
        Chalcogens considered as substitutes though nobody named them.
    """

    prior: Prior = field(default_factory=Prior)
    impurities: tuple[str, ...] = IMPURITIES


def find_defects(
    micrograph: Micrograph,
    *,
    method: Method = DEFAULT_METHOD,
    second_opinion: bool = True,
    settings: PhysicsSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> DefectFindings:
    """Decide what is at every atomic site of a scan of an MX2 monolayer, by physics and by the network.

    Physics takes the scan as background + gain · sum of column kernels. Where the context is silent - detector
    angles, convergence, energy - a grid of conditions is weighed by the mean unit cell and marginalised. Which
    sublattice is the metal's is decided by the evidence of the whole scan; if that does not settle it, the
    posterior says so. The network judges each site's patch under contexts drawn from the same grid.

    Parameters
    ----------
    micrograph : Micrograph
        A dark-field scan, all channels of it. Its context must name the host.
    method : str
        ``"physics"`` or ``"network"``: whose posterior fills the site table.
    second_opinion : bool
        Whether both methods are asked and stand side by side. The network needs physics' lattice and conditions, so
        ``"network"`` always asks both.
    settings : PhysicsSettings, optional
        Prior and impurities.
    progress : callable, optional
        Told the name of each stage as it begins.

    Returns
    -------
    DefectFindings
        Sites, densities, evidence, and what was learnt about the conditions.

    Raises
    ------
    ContextError
        The host is unknown, or the context is impossible.
    StructureError
        The host is not a known monolayer, or a dopant no element.
    InputError
        No lattice shows, the field is too small, or columns are dark where they should be bright.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.simulate import Probe, host, monolayer, simulate_scan
    >>> rng = np.random.default_rng(3)
    >>> specimen = monolayer(host("WSe2"), width_A=60, height_A=60, fractions={"V_X": 0.05}, rng=rng)
    >>> scan = simulate_scan(specimen, Probe(energy_kev=80.0, convergence_mrad=30.0), collection_mrad=((50.0, 120.0),),
    ...                      pixel_size_nm=0.03, source_sigma_nm=0.04, dose_e_per_A2=1e6, rng=rng)
    >>> told = scan.context.updated(Context(host="WSe2", dopants=(), origin="user"))
    >>> from dataclasses import replace
    >>> found = find_defects(replace(scan, context=told), method="physics", second_opinion=False)
    >>> [f.label for f in found.findings if f.count]
    ['M', 'X2', 'V_X']
    """
    settings = settings or PhysicsSettings()
    tell = progress or (lambda stage: None)
    context = micrograph.context
    if context.host is None:
        raise ContextError("the host material is unknown; name it, for example --host WSe2")
    material = host(context.host)
    options = hypotheses(material, context.dopants or (), impurities=settings.impurities)
    name = micrograph.provenance.file

    tell("lattice")
    lattice = find_lattice(micrograph.frames, file=name)
    reflections = measure_reflections(micrograph.frames, lattice)
    solutions: list[Solution] = []
    for metal_first in (True, False):
        tell("sites, metal at the first place" if metal_first else "sites, metal at the second place")
        solution = solve(
            micrograph.frames,
            lattice,
            reflections,
            metal_first=metal_first,
            context=context,
            material=material,
            options=options,
            prior=settings.prior,
        )
        solutions += [] if solution is None else [solution]
    if not solutions:
        raise InputError(
            f"{name}: the columns of {material.formula} fit neither way round; give a dark-field scan, in which "
            "atoms are bright, and check host and collection angles"
        )
    best, *others = sorted(solutions, key=lambda s: -s.log_evidence)
    other = others[0] if others else None
    log_odds = best.log_evidence - other.log_evidence if other else np.inf

    labels, judged = merged(_by_physics(best, other, log_odds), options)
    on_metal = best.on_metal[best.judged[best.reported]]
    opinions, asked = None, None
    if method == "network" or second_opinion:
        trained = read_network()
        asked = network_opinion(
            trained,
            micrograph.frames,
            lattice,
            best,
            host=material.formula,
            options=options,
            prior=settings.prior,
            tell=tell,
        )
        opinions = _opinions(asked, judged, labels, on_metal, options)
        if method == "network":
            judged, on_metal = opinions.network, on_metal if asked.log_odds > 0 else ~on_metal

    tell("evidence")
    sites = _site_table(best, on_metal, labels, judged)
    check = check_lattice(lattice, lattice_constant_nm=material.a_A / 10, header_pixel_size_nm=micrograph.pixel_size_nm)
    given_nm = micrograph.pixel_size_nm if micrograph.pixel_size_origin == "user" else None
    pixel_size_nm = given_nm or check.pixel_size_nm
    area_nm2 = float(np.count_nonzero(sites.sublattice == "M") * lattice.cell_area_px * pixel_size_nm**2)
    least_certain = tuple(int(i) for i in np.argsort(-sites.entropy_nats, kind="stable")[:_LEAST_CERTAIN])
    both = _both_labels(opinions, labels)
    chosen = sorted(set(least_certain) | set(examples(sites)) | set(both))
    drawn = best if asked is None or method == "physics" else _as_judged(best, asked)
    return DefectFindings(
        micrograph=replace(
            micrograph,
            pixel_size_nm=pixel_size_nm,
            pixel_size_origin="user" if given_nm else "inferred",
        ),
        sites=sites,
        findings=tuple(_finding(label, sites, area_nm2) for label in labels),
        evidence=show(chosen, sites, best, micrograph.frames, options, lattice.a_px, named=both),
        least_certain=least_certain,
        model=rendered(drawn, options, micrograph.frames.shape),
        marginals=best.marginals,
        lattice=check,
        method=method,
        settings=_resolved(settings, options, best)
        | ({} if asked is None else _resolved_network(asked, trained, pixel_size_nm)),
        remarks=(
            *_remarks(micrograph, context, material, best, log_odds, check, lattice, sites, options),
            *([] if asked is None else _network_remarks(asked, log_odds, pixel_size_nm)),
        ),
        opinions=opinions,
    )


def _by_physics(best: Solution, other: Solution | None, log_odds: float) -> Float[np.ndarray, "reported hypothesis"]:
    """Posterior of every reported site, over both ways to lay the sublattices where the scan does not settle it."""
    posterior = best.decision.posterior
    if other is not None and log_odds < _DECISIVE_NATS:
        share = 1 / (1 + np.exp(-log_odds))
        posterior = share * posterior + (1 - share) * other.decision.posterior[_same_sites(best, other)]
    reported: Float[np.ndarray, "reported hypothesis"] = posterior[best.reported]
    return reported


def _site_table(
    best: Solution,
    on_metal: Bool[np.ndarray, " site"],
    labels: tuple[str, ...],
    posterior: Float[np.ndarray, "site label"],
) -> SiteTable:
    rows = best.judged[best.reported]
    return SiteTable(
        x_px=best.x_px[rows],
        y_px=best.y_px[rows],
        sublattice=np.where(on_metal, "M", "X"),
        labels=labels,
        posterior=posterior / posterior.sum(axis=1, keepdims=True),
        residual=best.chi[best.reported],
    )


def _opinions(
    asked: NetworkOpinion,
    physics: Float[np.ndarray, "site label"],
    labels: tuple[str, ...],
    on_metal: Bool[np.ndarray, " site"],
    options: tuple[Hypothesis, ...],
) -> Opinions:
    """Put both methods' posteriors side by side."""
    share = float(expit(asked.log_odds))
    _, network = merged(share * asked.posterior + (1 - share) * asked.other_way, options)
    metal = np.array([SUBLATTICE[label] == "M" for label in labels])
    fit = np.stack([asked.p_values[:, [o.label == label for o in options]].max(axis=1) for label in labels], axis=1)
    side = on_metal if asked.log_odds > 0 else ~on_metal
    first, second = physics.argmax(axis=1), network.argmax(axis=1)
    apart = np.nonzero(first != second)[0]
    striking = np.minimum(physics.max(axis=1), network.max(axis=1))[apart]
    return Opinions(
        physics=physics,
        network=network,
        label_set=(fit > 1 - COVERAGE) & (metal == side[:, None]),
        coverage=COVERAGE,
        familiarity=asked.familiarity,
        least_familiarity=LEAST_FAMILIARITY,
        disagreements=tuple(int(i) for i in apart[np.argsort(-striking, kind="stable")]),
        information=asked.information,
    )


def _both_labels(opinions: Opinions | None, labels: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    """Return the labels between which the methods disagree, physics' first, of the sites whose evidence is shown."""
    if opinions is None:
        return {}
    return {
        row: tuple(labels[int(p[row].argmax())] for p in (opinions.physics, opinions.network))
        for row in opinions.disagreements[:_DISAGREEMENTS_SHOWN]
    }


def _as_judged(best: Solution, asked: NetworkOpinion) -> Solution:
    """Return physics' solution with the network's labels, to be rendered."""
    posterior = best.decision.posterior.copy()
    posterior[best.reported] = asked.posterior if asked.log_odds > 0 else asked.other_way
    return replace(best, decision=replace(best.decision, posterior=posterior))


def _same_sites(best: Solution, other: Solution) -> Int[np.ndarray, " judged"]:
    """Return the other solution's judged sites in the best one's order: its sublattices come the other way round."""
    metal = np.count_nonzero(best.on_metal[best.judged])
    total = best.judged.size
    return (np.arange(total) - metal) % total


def _finding(label: str, sites: SiteTable, area_nm2: float) -> Finding:
    """Count and density of one label.

    The interval is that of a gamma distribution with Jeffreys' prior for a Poisson count, widened by the
    variance that doubtful sites add: for certain sites it is the usual exact interval.
    """
    p = sites.posterior[:, sites.labels.index(label)]
    count = float(p.sum())
    mean = count + 0.5
    variance = mean + float(np.sum(p * (1 - p)))
    low, high = (float(gamma.ppf(q, mean**2 / variance, scale=variance / mean)) for q in (0.025, 0.975))
    certain = int(np.count_nonzero(sites.label == label))
    interval = (0.0 if certain == 0 and count < 0.5 else low, high)
    return Finding(
        label=label,
        count=certain,
        expected_count=count,
        count_interval=interval,
        density_per_nm2=count / area_nm2,
        density_interval_per_nm2=(interval[0] / area_nm2, interval[1] / area_nm2),
    )


def _resolved(settings: PhysicsSettings, options: tuple[Hypothesis, ...], best: Solution) -> dict[str, Any]:
    """Return the settings as used, and the numbers that were estimated from the scan; JSON-ready."""
    return {
        "prior_fraction": dict(settings.prior.fraction),
        "prior_strength_sites": settings.prior.strength_sites,
        "impurities": list(settings.impurities),
        "hypotheses": [o.label if o.element is None else f"{o.label}:{o.element}" for o in options],
        "estimated_fraction": [round(float(f), 6) for f in best.decision.fraction],
        "channels": [
            {
                "most_probable_energy_kev": c.probe.energy_kev,
                "most_probable_convergence_mrad": c.probe.convergence_mrad,
                "most_probable_collection_mrad": list(c.collection_mrad),
                "blur_sigma_nm": [round(float(np.sqrt(v)) / 10, 5) for v in np.linalg.eigvalsh(c.blur_A2)],
                "gain_per_beam_fraction": float(f.gain),
                "noise_floor": float(f.noise_floor),
                "noise_slope": float(f.noise_slope),
            }
            for c, f in zip(best.condition, best.fits, strict=True)
        ],
    }


def _resolved_network(asked: NetworkOpinion, trained: TrainedNetwork, pixel_size_nm: float) -> dict[str, Any]:
    """Return what the network's answer rests on; JSON-ready."""
    return {
        "network": {
            "weights_sha256": trained.sha256,
            "contexts_drawn": DRAWS,
            "sublattice_log_odds_nats": round(asked.log_odds, 2),
            "estimated_fraction": [round(float(f), 6) for f in asked.fraction],
            "line_slip_sd_nm": [round(slip_px * pixel_size_nm, 5) for slip_px in asked.slip_spread_px],
        }
    }


def _network_remarks(asked: NetworkOpinion, log_odds: float, pixel_size_nm: float) -> list[str]:
    """Say where the network contradicts physics about the scan as a whole, and what it was shown."""
    remarks = []
    if asked.log_odds < 0:
        settled = "holds it for settled" if log_odds > _DECISIVE_NATS else "holds it for open"
        remarks.append(
            "The network lays the sublattices the other way round than physics: what physics calls metal, it calls "
            f"chalcogen. Physics {settled}. Known detector angles, or a second detector, would settle it; until then, "
            "trust neither."
        )
    x_nm, y_nm = (slip_px * pixel_size_nm for slip_px in asked.slip_spread_px)
    if max(x_nm, y_nm) > _SLIP_NM:
        remarks.append(
            f"Scan lines slipped by {x_nm:.4f} nm along x and {y_nm:.4f} nm along y (standard deviations). The network "
            "saw them put back in their places; physics and the figures show the scan as it is."
        )
    return remarks


def _remarks(
    micrograph: Micrograph,
    context: Context,
    material: Host,
    best: Solution,
    log_odds: float,
    check: LatticeCheck,
    lattice: Lattice,
    sites: SiteTable,
    options: tuple[Hypothesis, ...],
) -> tuple[str, ...]:
    """Say what a reader must know before trusting the answer."""
    remarks = []
    if log_odds < _DECISIVE_NATS:
        remarks.append(
            f"Which sublattice is the metal's is not settled: the odds are {np.exp(log_odds):.3g} to 1. The posterior "
            "of every site covers both ways. Known detector angles, or a second detector, would settle it."
        )
    if context.technique not in (None, "STEM"):
        remarks.append(f"The context says {context.technique}; the model is that of a dark-field STEM scan.")
    if context.dopants is None:
        remarks.append("No dopants were named, so D_M was not considered; if there are none, say so with dopants: [].")
    remarks += _channel_order(context, best.marginals)
    misfits = [k + 1 for k, c in enumerate(best.condition) if c.log_likelihood < _MISFIT_NATS]
    if misfits:
        remarks.append(
            f"Channel {', '.join(map(str, misfits))}: the brightness ratio of the two sublattices fits "
            f"{material.formula} under none of the conditions given or tried. Check host, beam energy and collection "
            "angles, and that atoms are bright."
        )
    if check.header_excess is not None and abs(check.header_excess) > 3 * check.pixel_size_sd_nm / check.pixel_size_nm:
        given = micrograph.pixel_size_origin == "user"
        source, used = ("given", "the given one") if given else ("recorded", "the lattice's")
        remarks.append(
            f"The {source} pixel size is {100 * check.header_excess:+.1f} % from that of the {material.formula} "
            f"lattice ({check.pixel_size_nm:.5f} ± {check.pixel_size_sd_nm:.5f} nm). Densities use {used}."
        )
    if check.header_excess is not None and abs(check.header_excess) > 0.15:
        remarks.append(f"That is more than scans are usually off: is the host really {material.formula}?")
    faded = float(np.mean(lattice.strength < LEAST_STRENGTH))
    if faded > 0.02:
        remarks.append(f"No lattice shows in {100 * faded:.0f} % of the field; sites there are not reported.")
    substitutes = [i for i, o in enumerate(options) if o.label == "D_X" and o.element not in (context.dopants or ())]
    expected = float(best.decision.posterior[best.reported][:, substitutes].sum())
    if expected >= 1:
        shares = {options[i].element: float(best.decision.posterior[best.reported, i].sum()) for i in substitutes}
        most = max(shares, key=lambda e: shares[e])
        remarks.append(
            f"About {expected:.0f} chalcogen sites are neither full nor vacant, and match one {material.chalcogen} "
            f"replaced by {most} best. Nobody named that element: take D_X here as 'another chalcogen, or something "
            "else in its place'."
        )
    excess = float(np.sqrt(np.max(np.diagonal(best.decision.covariance, axis1=1, axis2=2))))
    if excess > 2.5:
        remarks.append(
            f"Columns alike by their label scatter {excess:.1f} times as much as the pixels' noise "
            "explains. The image was probably "
            "denoised or filtered, which blunts defects: take counts as a lower bound, and analyse the "
            "raw scan if you can."
        )
    poor = float(np.mean(sites.residual > 2))
    if poor > 0.05:
        remarks.append(
            f"{100 * poor:.0f} % of the sites fit badly (residual above 2 times the noise): contamination, a second "
            "layer, or aberrations that the model does not have."
        )
    if "O" not in (context.dopants or ()):
        remarks.append(
            "A vacancy filled by oxygen or another light atom looks like an empty one, and is counted as V_X."
        )
    return tuple(remarks)


def _channel_order(context: Context, marginals: tuple[Marginal, ...]) -> list[str]:
    """Say what the scan told about detectors whose angles nobody gave."""
    inner = [m for m in marginals if m.name.startswith("inner_mrad")]
    if not inner:
        return []
    said = ", ".join(
        f"channel {int(m.name.split('[')[1][:-1]) + 1}: inner angle {m.mean:.0f} ± {m.standard_deviation:.0f} mrad"
        for m in inner
    )
    remarks = [
        f"Collection angles were not given. From the lattice's own brightness ratio: {said}. All were marginalised."
    ]
    if len(inner) == 2:
        first, second = inner
        gap, sd = first.mean - second.mean, float(np.hypot(first.standard_deviation, second.standard_deviation))
        if abs(gap) > sd:
            high, low = ("1", "2") if gap > 0 else ("2", "1")
            remarks.append(f"Channel {high} is the detector at higher angles, channel {low} at lower ones.")
    return remarks
