"""What a trained network is worth on fresh simulations: temperature, conformal scores, and what is familiar to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.optimize import minimize_scalar
from scipy.special import entr, log_softmax

from micrographia.atoms.network.canonical import CanonicalPatches
from micrographia.atoms.network.descriptors import KNOWABLE, Descriptors
from micrographia.atoms.network.model import ContextNetwork
from micrographia.atoms.network.trained import (
    LEVELS,
    STATES,
    Answers,
    TrainedNetwork,
    ask,
    packed,
    quantiles,
    see,
    squashed,
    state_of,
)
from micrographia.errors import InputError
from micrographia.learn.context.sites import network_input, realism_of
from micrographia.simulate.datasets.stream import PatchStream
from micrographia.simulate.patches.recipe import PatchRecipe
from micrographia.simulate.specimens.hosts import ROLES

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "image only": (),
    "+ composition": ("host", "dopant"),
    "+ energy": ("energy",),
    "+ detector": ("detector",),
    "uncalibrated": ("host", "dopant", "energy", "detector"),
    "all": KNOWABLE,
}
"""Kinds of knowledge that are measured."""
_BATCH_GROUPS: Final = 16
_FAMILIAR_GROUPS: Final = 160


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """Sites, what the network says of them, and the truth.

    Parameters
    ----------
    answers : Answers
        From `ask`.
    label : int array (site,)
        Positions in `ROLES`.
    state : int array (site,)
        From `state_of`.
    index : mapping of str to array (site,)
        Columns of the patches' index.
    """

    answers: Answers
    label: Int[np.ndarray, " site"]
    state: Int[np.ndarray, " site"]
    index: Mapping[str, np.ndarray]


def ask_simulated(
    trained: TrainedNetwork,
    source: PatchRecipe,
    *,
    groups: int,
    known: str,
    seed: int = 0,
    shuffled: bool = False,
    misfit: bool = True,
    turns: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Asked:
    """Ask the network about simulated patches.

    Parameters
    ----------
    trained : TrainedNetwork
        The network.
    source : PatchRecipe
        Gives the patches.
    groups : int
        How many groups of 64.
    known : str
        Key of `KNOWN`, or ``"some"`` for a random part of what files hold, which is never the brightness.
    seed : int
        Of what a lattice fit misses, and of ``"some"``.
    shuffled : bool
        Whether each site is told another one's context.
    misfit : bool
        Whether sites are placed as a lattice fit would, or where they are.
    turns : int
        How many ways of laying each site are averaged over.
    progress : callable, optional
        Told how many groups are done, and of how many.
    """
    parts: list[tuple[Answers, dict[str, np.ndarray]]] = []
    stream = PatchStream(source, groups=groups, groups_per_batch=min(groups, _BATCH_GROUPS))
    for batch in stream:
        rng = np.random.default_rng([seed, int(batch["batch"])])
        count, channels = batch["image"].shape[:2]
        told = _told(count, known, rng)
        present = np.ones((count, channels), dtype=np.float32)
        state = state_of(told, present)
        logs, distance = [], []
        for _ in range(turns):
            found = network_input(batch, source, told, rng, misfit=misfit, shuffled=shuffled)
            image = found["image"].numpy()
            blank = np.zeros(image.shape[:2], dtype=np.float32)
            answers = ask(
                trained,
                see(trained, CanonicalPatches(image=image, mean=blank, spread=blank, covered=blank[:, 0])),
                Descriptors(
                    shared=found["shared"].numpy(),
                    channel=found["channel"].numpy(),
                    brightness=found["brightness"].numpy(),
                ),
                in_play=found["in_play"].numpy(),
                state=state,
                present=present,
            )
            logs.append(answers.log_posterior)
            distance.append(answers.distance)
        mean = log_softmax(np.mean(logs, axis=0), axis=1)
        index = {name: values.numpy() for name, values in batch.items() if name not in ("image", "clean", "batch")}
        index |= {"role": found["label"].numpy(), "state": state}
        parts.append((Answers(log_posterior=mean, distance=np.stack(distance).mean(axis=0)), index))
        if progress is not None:
            progress(min(groups, (len(parts)) * _BATCH_GROUPS), groups)
    index = {name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]}
    return Asked(
        answers=Answers(
            log_posterior=np.concatenate([part[0].log_posterior for part in parts]),
            distance=np.concatenate([part[0].distance for part in parts]),
        ),
        label=index.pop("role"),
        state=index.pop("state"),
        index=index,
    )


def calibrate(
    weights: Path,
    source: PatchRecipe,
    out: Path,
    *,
    groups: int = 480,
    shuffled: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Measure a trained network on fresh simulations, and write it as it ships.

    Parameters
    ----------
    weights : Path
        From `train_context`.
    source : PatchRecipe
        Two channels, and other patches than those of the training. Where the brightness is not known, defects differ
        from their simulation as in the training.
    out : Path
        File to write.
    groups : int
        Groups of 64 patches for each of `STATES`.
    shuffled : bool
        Whether each site is told another one's context, as a control is in its training.
    progress : callable, optional
        Told how many states are done, and of how many.
    """
    with safe_open(weights, framework="pt") as file:
        record: dict[str, Any] = json.loads(file.metadata()["record"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    network = ContextNetwork()
    network.load_state_dict({name: values.float() for name, values in tensors.items()})
    features = network.labels.in_features
    raw = TrainedNetwork(
        network=network.eval(),
        temperature=np.ones(len(STATES), np.float32),
        scores=np.zeros((len(STATES), len(ROLES), LEVELS), np.float32),
        centre=np.zeros((len(STATES), features), np.float32),
        whitener=np.tile(np.eye(features, dtype=np.float32), (len(STATES), 1, 1)),
        distances=np.zeros((len(STATES), LEVELS), np.float32),
        record=record,
        sha256="",
    )
    temperature, scores, distances, measured = [], [], [], {}
    for n, state in enumerate(STATES):
        channels, _, known = state.partition(", ")
        # Alone, a channel may have a probe that no other condition of the catalogue shares.
        of_state = replace(
            source,
            channels=1 if channels == "one channel" else source.channels,
            realism=realism_of(source.realism, calibrated=known == "calibrated"),
        )
        told = {"calibrated": "all", "partial": "some", "nothing": "image only"}.get(known, known)
        raw.centre[n], raw.whitener[n] = _familiar(raw, replace(of_state, seed=source.seed + 1), told)
        asked = ask_simulated(raw, of_state, groups=groups, known=told, seed=n, shuffled=shuffled)
        keep = asked.state == n
        logs, label = asked.answers.log_posterior[keep], asked.label[keep]
        temperature.append(fitted_temperature(logs, label))
        cooled = log_softmax(np.where(np.isfinite(logs), logs / temperature[-1], -np.inf), axis=1)
        own = -cooled[np.arange(len(label)), label]
        if missing := [role for n, role in enumerate(ROLES) if not (label == n).any()]:
            raise InputError(
                f"none of {len(label)} patches to calibrate on has the label {missing[0]}; give more groups, or a "
                "catalogue with dopants on both sublattices"
            )
        scores.append([quantiles(own[label == role]) for role in range(len(ROLES))])
        distances.append(quantiles(asked.answers.distance[keep]))
        p = np.exp(cooled.astype(np.float64))
        measured[state] = {
            "sites": len(label),
            "accuracy": round(float(np.mean(p.argmax(axis=1) == label)), 5),
            "entropy_nats": round(float(entr(p).sum(axis=1).mean()), 5),
            "loss_nats": round(float(own.mean()), 5),
            "calibration_error": round(calibration_error(p, label), 5),
            "temperature": round(temperature[-1], 4),
        }
        if progress is not None:
            progress(n + 1, len(STATES))
    found = {
        "temperature": np.array(temperature, np.float32),
        "scores": np.array(scores, np.float32),
        "centre": raw.centre,
        "whitener": packed(raw.whitener),
        "distances": np.array(distances, np.float32),
    }
    ships = {f"network.{name}": values for name, values in tensors.items()}
    ships |= {
        f"calibration.{name}": torch.from_numpy(values).to(torch.float16 if name == "whitener" else torch.float32)
        for name, values in found.items()
    }
    beside = out.with_suffix(".part")
    record |= {"measured": measured, "calibration_seed": source.seed}
    save_file(ships, beside, metadata={"record": json.dumps(record)})
    beside.replace(out)
    return out


def calibration_error(p: Float[np.ndarray, "site label"], label: Int[np.ndarray, " site"]) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy over 15 bins.

    Parameters
    ----------
    p : float array (site, label)
        Probabilities.
    label : int array (site,)
        The truth.

    Notes
    -----
    Bins of equal width, weighted by their counts; Guo et al. (2017), arXiv 1706.04599.

    Examples
    --------
    >>> always = np.tile([0.8, 0.2], (10, 1))
    >>> print(f"{calibration_error(always, np.array([0] * 7 + [1] * 3)):.2f}")
    0.10
    """
    best = p.max(axis=1)
    bins = np.minimum((best * 15).astype(int), 14)
    gap = np.bincount(bins, best - (p.argmax(axis=1) == label), minlength=15)
    return float(np.abs(gap).sum() / len(label))


def fitted_temperature(logs: Float[np.ndarray, "site 8"], label: Int[np.ndarray, " site"]) -> float:
    """Return the temperature under which the true labels are most probable.

    Parameters
    ----------
    logs : float array (site, 8)
        Log-probabilities or logits; minus infinity where a label is not in play.
    label : int array (site,)
        The truth.

    Notes
    -----
    Guo et al. (2017), arXiv 1706.04599.
    """
    finite = np.isfinite(logs)

    def loss(log_temperature: float) -> float:
        cooled = log_softmax(np.where(finite, logs / np.exp(log_temperature), -np.inf), axis=1)
        return float(-np.mean(cooled[np.arange(len(label)), label]))

    return float(np.exp(minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded").x))


def _told(count: int, known: str, rng: np.random.Generator) -> Bool[np.ndarray, "site 7"]:
    """Return what is told of sites of which so much is known."""
    told = np.tile([name in KNOWN.get(known, ()) for name in KNOWABLE], (count, 1))
    if known == "some":
        told = rng.random(told.shape) < 0.5
        told[:, KNOWABLE.index("brightness")] = False
        told[:, KNOWABLE.index("dopant")] &= told[:, KNOWABLE.index("host")]
    return told


def _familiar(
    raw: TrainedNetwork, source: PatchRecipe, known: str
) -> tuple[Float32[np.ndarray, " feature"], Float32[np.ndarray, "feature feature"]]:
    """Return the mean of the squashed features over simulated sites, and what makes their covariance the identity."""
    collected = []
    for n, batch in enumerate(PatchStream(source, groups=_FAMILIAR_GROUPS, groups_per_batch=_BATCH_GROUPS)):
        rng = np.random.default_rng([99, n])
        found = network_input(batch, source, _told(len(batch["label"]), known, rng), rng, misfit=True)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            features = raw.network.features(
                raw.network.see(found["image"]),
                *(found[name] for name in ("shared", "channel", "brightness", "present")),
            )
        collected.append(squashed(features.float()).numpy())
    whole = np.concatenate(collected).astype(np.float64)
    covariance = np.cov(whole.T)
    # No feature is so sure that a stranger may be told by its thousandth part alone.
    covariance += 1e-3 * np.linalg.eigvalsh(covariance)[-1] * np.eye(len(covariance))
    whitener = np.linalg.inv(np.linalg.cholesky(covariance))
    return whole.mean(axis=0).astype(np.float32), whitener.astype(np.float32)
