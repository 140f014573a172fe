"""The trained network as it ships: weights, temperature, conformal scores, and what is familiar to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from safetensors import SafetensorError, safe_open

from micrographia.atoms.network.canonical import CanonicalPatches
from micrographia.atoms.network.descriptors import COVERED, KNOWABLE, Descriptors
from micrographia.atoms.network.model import ContextNetwork
from micrographia.errors import ReadError
from micrographia.simulate.specimens.hosts import ROLES

_KNOWLEDGE: Final = ("calibrated", "uncalibrated", "partial", "nothing")
STATES: Final = tuple(
    f"{channels}, {known}" for channels in ("one channel", "several channels") for known in _KNOWLEDGE
)
"""How much is known: all; all but brightness, dose or pixel size; less; nothing. Each is calibrated for itself."""
LEVELS: Final = 401
"""Quantiles that are kept of every distribution of scores."""
_BATCH: Final = 2048
_SQUASH: Final = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedNetwork:
    """Weights, and what they were found to be worth on fresh simulations.

    Parameters
    ----------
    network : ContextNetwork
        For inference.
    temperature : float array (state,)
        Divides the logits.
    scores : float array (state, role, 401)
        Quantiles of -log p of the true label over sites of that label, ascending.
    centre, whitener : float array (state, feature), float array (state, feature, feature)
        Mean of the `squashed` features in each state, and what makes their covariance the identity; lower triangular.
    distances : float array (state, 401)
        Quantiles of the distance of the features from their mean, ascending.
    record : mapping
        Recipe, data and software; JSON-ready.
    sha256 : str
        Of the weights' file.
    """

    network: ContextNetwork
    temperature: Float32[np.ndarray, 8]
    scores: Float32[np.ndarray, "8 8 401"]
    centre: Float32[np.ndarray, "8 feature"]
    whitener: Float32[np.ndarray, "8 feature feature"]
    distances: Float32[np.ndarray, "8 401"]
    record: Mapping[str, Any]
    sha256: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What the network says of some sites.

    Parameters
    ----------
    log_posterior : float array (site, role)
        Log of the probability of each of `ROLES` where all labels in play are equally likely; minus infinity elsewhere.
    distance : float array (site,)
        Of the features from those of the simulation.
    """

    log_posterior: Float32[np.ndarray, "site 8"]
    distance: Float32[np.ndarray, " site"]


def state_of(
    known: Bool[np.ndarray, "site 7"], present: Float32[np.ndarray, "site channel"]
) -> Int[np.ndarray, " site"]:
    """Return how much is known of each site, positions in `STATES`; int array (site,).

    Parameters
    ----------
    known : bool array (site, 7)
        Which of `KNOWABLE` is known.
    present : float array (site, channel)
        1 where a site has a channel, else 0.
    """
    scene = known[:, [KNOWABLE.index(name) for name in ("host", "dopant", "energy", "detector")]].all(axis=1)
    kind = np.select([known.all(axis=1), scene, known.any(axis=1)], [0, 1, 2], default=3)
    state: Int[np.ndarray, " site"] = kind + len(_KNOWLEDGE) * (present.sum(axis=1) > 1)
    return state


def squashed(features: torch.Tensor) -> torch.Tensor:
    """Return features by whose spread strangers are told: near to zero as they are, large ones by their logarithm."""
    return torch.asinh(_SQUASH * features)


def see(trained: TrainedNetwork, patches: CanonicalPatches) -> Float32[np.ndarray, "site channel view"]:
    """Return the network's views of sites, which are the same whatever it is told of them.

    Parameters
    ----------
    trained : TrainedNetwork
        The network.
    patches : CanonicalPatches
        The sites.
    """
    with torch.inference_mode():
        views: Float32[np.ndarray, "site channel view"] = trained.network.see(torch.from_numpy(patches.image)).numpy()
    return views


def ask(
    trained: TrainedNetwork,
    views: Float32[np.ndarray, "site channel view"],
    told: Descriptors,
    *,
    in_play: Bool[np.ndarray, "site 8"],
    state: Int[np.ndarray, " site"],
    present: Float32[np.ndarray, "site channel"],
    how_far: bool = True,
) -> Answers:
    """Ask the network about sites.

    Parameters
    ----------
    trained : TrainedNetwork
        The network.
    views : float array (site, channel, view)
        From `see`.
    told : Descriptors
        What is known of them.
    in_play : bool array (site, 8)
        Which of `ROLES` may be there.
    state : int array (site,)
        From `state_of`.
    present : float array (site, channel)
        1 where a site has a channel, else 0.
    how_far : bool
        Whether to measure the distance as well; else it is NaN.
    """
    count = len(views)
    log_posterior = np.empty((count, len(ROLES)), dtype=np.float32)
    distance = np.full(count, np.nan, dtype=np.float32)
    centre, whitener = torch.from_numpy(trained.centre), torch.from_numpy(trained.whitener)
    kinds = np.unique(state)
    network = trained.network
    contexts = (told.shared, told.channel, told.brightness, present)
    # In a scan most sites share one context: what the network makes of it is made once.
    typical = told.shared[:, COVERED].argmax() if count else 0
    same = [(a == a[typical : typical + 1]).all(axis=tuple(range(1, a.ndim))) for a in contexts]
    shared = np.all(same, axis=0)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for alike, rows in ((True, np.nonzero(shared)[0]), (False, np.nonzero(~shared)[0])):
            for start in range(0, rows.size, _BATCH):
                part = rows[start : start + _BATCH]
                context = (torch.from_numpy(a[part[:1] if alike else part]) for a in contexts)
                found = network.features(torch.from_numpy(views[part]), *context).float()
                logits = network.label_logits(found, torch.from_numpy(in_play[part]))
                cooled = logits / torch.from_numpy(trained.temperature[state[part]])[:, None]
                log_posterior[part] = torch.log_softmax(cooled, dim=1).numpy()
                with torch.autocast("cpu", enabled=False):
                    for kind in kinds if how_far else ():
                        own = state[part] == kind
                        away = (squashed(found[own]) - centre[kind]) @ whitener[kind].T
                        distance[part[own]] = away.square().mean(dim=1).sqrt().numpy()
    return Answers(log_posterior=log_posterior, distance=distance)


def p_values(
    trained: TrainedNetwork, log_posterior: Float[np.ndarray, "site 8"], state: Int[np.ndarray, " site"]
) -> Float[np.ndarray, "site 8"]:
    """Return the conformal p-value of every label: the fraction of its own sites that fit it no better.

    Parameters
    ----------
    trained : TrainedNetwork
        Holds the scores of the calibration.
    log_posterior : float array (site, 8)
        From `ask`.
    state : int array (site,)
        From `state_of`.

    Notes
    -----
    Conformal for each label separately (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World,
    DOI 10.1007/b106715): however rare a label is in the scan, its sites' sets hold it as often as promised.
    """
    found = np.zeros(log_posterior.shape)
    for s in np.unique(state):
        rows = state == s
        for role in range(len(ROLES)):
            found[rows, role] = _share_above(trained.scores[s, role], -log_posterior[rows, role])
    return found


def familiarity(
    trained: TrainedNetwork, distance: Float[np.ndarray, " site"], state: Int[np.ndarray, " site"]
) -> Float[np.ndarray, " site"]:
    """Return the fraction of simulated sites that are at least as far from the others as these.

    Parameters
    ----------
    trained : TrainedNetwork
        Holds the distances of the calibration.
    distance : float array (site,)
        From `ask`.
    state : int array (site,)
        From `state_of`.
    """
    found = np.empty(len(distance))
    for s in np.unique(state):
        found[state == s] = _share_above(trained.distances[s], distance[state == s])
    return found


def packed(lower: Float32[np.ndarray, "state feature feature"]) -> Float32[np.ndarray, "state entry"]:
    """Return the entries of lower triangular matrices, row by row, as they are kept on disk."""
    entries: Float32[np.ndarray, "state entry"] = np.ascontiguousarray(lower[:, *np.tril_indices(lower.shape[1])])
    return entries


def _unpacked(
    entries: Float32[np.ndarray, "state entry"], features: int
) -> Float32[np.ndarray, "state feature feature"]:
    lower = np.zeros((len(entries), features, features), dtype=np.float32)
    lower[:, *np.tril_indices(features)] = entries
    return lower


def _share_above(
    quantiles: Float[np.ndarray, " level"], values: Float[np.ndarray, " site"]
) -> Float[np.ndarray, " site"]:
    """Return the fraction of a distribution, kept as ascending quantiles, that is at or above each value."""
    # Descending, so that of equal quantiles the last one is found: certain sites score 0 exactly, and are many.
    share: Float[np.ndarray, " site"] = np.interp(-values, -quantiles[::-1], np.linspace(0, 1, quantiles.size))
    return share


def quantiles(values: Float[np.ndarray, " value"]) -> Float32[np.ndarray, 401]:
    """Return the quantiles of a distribution as `TrainedNetwork` keeps them."""
    kept: Float32[np.ndarray, 401] = np.quantile(values, np.linspace(0, 1, LEVELS)).astype(np.float32)
    return kept


def read_network(path: Path | None = None) -> TrainedNetwork:
    """Read a trained network.

    Parameters
    ----------
    path : Path, optional
        Safetensors file that `micrographia train context` wrote; by default the one that ships with the package.

    Raises
    ------
    ReadError
        There is no such file, or it is no trained context network.

    Examples
    --------
    >>> shipped = read_network()
    >>> sum(values.numel() for values in shipped.network.parameters()) <= 2_000_000
    True
    """
    if path is None:
        path = Path(str(resources.files("micrographia.weights").joinpath("context.safetensors")))
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=2)
def _read(path: Path, _modified: int) -> TrainedNetwork:
    if not path.is_file():
        raise ReadError(f"there is no file {path}; give weights that `micrographia train context` wrote")
    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads((file.metadata() or {})["record"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        network = ContextNetwork()
        network.load_state_dict(
            {name[8:]: values.float() for name, values in tensors.items() if name.startswith("network.")}
        )
        kept = {
            name[12:]: values.float().numpy() for name, values in tensors.items() if name.startswith("calibration.")
        }
        kept["whitener"] = _unpacked(kept["whitener"], kept["centre"].shape[1])
        if tuple(record["measured"]) != STATES or len(kept["temperature"]) != len(STATES):
            raise ValueError(f"calibrated for {', '.join(record['measured'])}; accepted is {', '.join(STATES)}")
        return TrainedNetwork(
            network=network.eval(), record=record, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), **kept
        )
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReadError(
            f"{path.name} is no trained context network ({reason}); give a file that `micrographia train context` wrote"
        ) from error
