"""Train the context network: streams from the simulator, goes on where it stopped, on one process or many."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import Accelerator
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from micrographia.atoms.network.model import ContextNetwork
from micrographia.errors import InputError, ReadError
from micrographia.learn.context.sites import HeldOut, SiteStream, realism_of
from micrographia.learn.provenance import provenance
from micrographia.simulate.datasets.stream import PatchStream
from micrographia.simulate.patches.library import ALGORITHM
from micrographia.simulate.patches.prior import ImagingPrior
from micrographia.simulate.patches.recipe import PatchRecipe, Realism
from micrographia.simulate.specimens.catalogue import Catalogue

CHECKPOINT: Final = "checkpoint.safetensors"
CURVE: Final = "curve.csv"
RAW: Final = "trained.safetensors"
WEIGHTS: Final = "context.safetensors"
"""The network as it ships, once it is calibrated."""
WIDE: Final = ImagingPrior(source_sigma_A=(0.15, 0.7), dose_e_per_A2=(2e3, 1e8))
"""Conditions of the half that comes from the prior: real scans are blurred, and exposed as little, as this."""
STEADIED: Final = Realism(row_jitter_A=(0.0, 0.02))
"""What goes wrong in a scan whose lines were put back: what is left of their slips was measured."""
NOISY: Final = replace(STEADIED, read_noise_e=(0.0, 3.0))


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A quarter of a batch.

    Whose brightness is known in fractions of the beam is taken to match the simulation exactly; for the others,
    defects differ from it by as much as simulations and real scans do.
    """

    continuous: bool
    channels: int
    calibrated: bool


_KINDS: Final = (
    _Kind(continuous=True, channels=2, calibrated=True),
    _Kind(continuous=True, channels=2, calibrated=False),
    _Kind(continuous=False, channels=2, calibrated=True),
    _Kind(continuous=False, channels=1, calibrated=True),
)
_AVERAGE: Final = 0.9995


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How long and how to train.

    Parameters
    ----------
    steps : int
        Optimiser steps.
    groups : int
        Groups of 64 patches in a batch, half of them from the prior and half from the catalogue; a multiple of 4.
    views : int
        How often each patch is shown, each time laid and told otherwise.
    learning_rate : float
        Highest rate; warmed up over the first 500 steps, then falling to nothing as a cosine.
    seed : int
        Of weights, patches and what is told.
    bf16 : bool
        Whether most matrix products are in bfloat16.
    workers : int
        Processes that make patches.
    checkpoint_every : int
        Steps between checkpoints.
    """

    steps: int = 10_000
    groups: int = 32
    views: int = 2
    learning_rate: float = 3e-3
    seed: int = 0
    bf16: bool = True
    workers: int = 2
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("groups", 4), ("views", 1), ("workers", 0), ("checkpoint_every", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is {least} or more")
        if self.groups % len(_KINDS):
            raise InputError(
                f"groups is {self.groups}; accepted is a multiple of {len(_KINDS)}: so many kinds share a batch"
            )
        if not 0 < self.learning_rate < 1:
            raise InputError(f"learning rate is {self.learning_rate:g}; accepted is a number between 0 and 1")


@dataclass(frozen=True, eq=False)
class _Mixture(IterableDataset[dict[str, Tensor]]):
    """Batches of several streams, one of each put together."""

    streams: tuple[SiteStream, ...]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for parts in zip(*self.streams, strict=True):
            yield {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def train_context(
    catalogue: Catalogue,
    library: Path,
    out: Path,
    *,
    settings: TrainSettings,
    held_out: HeldOut | None = None,
    shuffled: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Train the network, and return the file of its weights, not calibrated yet.

    Parameters
    ----------
    catalogue : Catalogue
        Compounds, and half of the imaging conditions.
    library : Path
        Kernel library of the catalogue and the prior.
    out : Path
        Folder for checkpoint, curve and weights. A training that stopped there goes on.
    settings : TrainSettings
        How long and how.
    held_out : HeldOut, optional
        What not to train on.
    shuffled : bool
        Whether each site is told another site's context: a control: such context says nothing.
    progress : callable, optional
        Told the step, the number of steps and a line of figures.

    Raises
    ------
    InputError
        The folder holds the beginning of another training.
    """
    if held_out is not None:
        held_out.check(catalogue)
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16" if settings.bf16 else "no")
    torch.manual_seed(settings.seed)
    network = ContextNetwork()
    optimisers = _optimisers(network, settings.learning_rate)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    kept = catalogue if held_out is None else held_out.rest(catalogue)
    sources = tuple(_source(kind, n, kept, library, settings.seed) for n, kind in enumerate(_KINDS))
    record = {
        "settings": asdict(replace(settings, workers=0, checkpoint_every=1)),
        "held_out": held_out and asdict(held_out),
        "shuffled": shuffled,
        "patches_sha256": hashlib.sha256(json.dumps([s.settings() for s in sources]).encode()).hexdigest(),
    }
    made = {**provenance(), "kernels": ALGORITHM}
    checkpoint = out / CHECKPOINT
    done = 0
    if accelerator.is_main_process:
        out.mkdir(parents=True, exist_ok=True)
    accelerator.wait_for_everyone()
    if checkpoint.is_file():
        done, made = _resume(checkpoint, network, optimisers, average, record)
    network, *prepared = accelerator.prepare(network, *optimisers)
    average = {name: value.to(accelerator.device) for name, value in average.items()}

    streams = []
    for kind, source in zip(_KINDS, sources, strict=True):
        patches = PatchStream(
            source,
            groups_per_batch=settings.groups // len(_KINDS),
            rank=accelerator.process_index,
            world_size=accelerator.num_processes,
            start_batch=(done // settings.views) * accelerator.num_processes,
        )
        streams.append(
            SiteStream(
                patches,
                seed=source.seed,
                views=settings.views,
                calibrated=kind.calibrated,
                held_out=held_out if kind.continuous else None,
                catalogue=catalogue,
                shuffled=shuffled,
            )
        )
    loader: DataLoader[Any] = DataLoader(
        _Mixture(tuple(streams)),
        batch_size=None,
        num_workers=settings.workers,
        prefetch_factor=4 if settings.workers else None,
    )
    network.train()
    curve = _Curve(out / CURVE, done) if accelerator.is_main_process else None
    if done < settings.steps:
        # A batch that was half seen is seen again from its start.
        done -= done % settings.views
    for step, batch in enumerate(islice(loader, settings.steps - done), start=done):
        for optimiser in prepared:
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * _schedule(step, settings.steps)
        label = batch["label"].to(accelerator.device)
        arguments = {name: value.to(accelerator.device) for name, value in batch.items() if name != "label"}
        with accelerator.autocast():
            logits = network(**arguments)
        loss = torch.nn.functional.cross_entropy(logits, label)
        network.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(network.parameters(), 1.0)
        for optimiser in prepared:
            optimiser.step()
        keep = min(_AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in accelerator.unwrap_model(network).state_dict().items():
                average[name].lerp_(value, 1 - keep)
        if curve is not None:
            curve.add(step, loss.detach(), logits.detach(), label)
            if (step + 1) % 50 == 0 and progress is not None:
                progress(step + 1, settings.steps, curve.line())
            if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.steps:
                curve.write()
                _keep(
                    checkpoint,
                    accelerator.unwrap_model(network),
                    prepared,
                    average,
                    {**record, "made": made, "done": step + 1},
                )
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        halves = {name: value.to("cpu", torch.float16).contiguous() for name, value in average.items()}
        _save(halves, out / RAW, {**record, "made": made})
    accelerator.wait_for_everyone()
    return out / RAW


def _source(kind: _Kind, number: int, catalogue: Catalogue, library: Path, seed: int) -> PatchRecipe:
    """Return the patches of a quarter of the batch; no two quarters, or trainings of different seeds, share any."""
    return PatchRecipe(
        catalogue=catalogue,
        library=library,
        seed=len(_KINDS) * seed + number + 1,
        channels=kind.channels,
        continuous=kind.continuous,
        imaging=WIDE if kind.continuous else ImagingPrior(),
        realism=realism_of(NOISY if kind.continuous else STEADIED, calibrated=kind.calibrated),
        every_label=True,
    )


def _optimisers(network: ContextNetwork, rate: float) -> tuple[torch.optim.Optimizer, ...]:
    """Return Muon for matrices, and AdamW for biases and the weights from which labels are read.

    K. Jordan et al. (2024), https://kellerjordan.github.io/posts/muon; steps scaled as in arXiv 2502.16982.
    """
    matrices = {id(p) for name, p in network.named_parameters() if p.ndim == 2 and not name.startswith("labels.")}
    inner = [p for p in network.parameters() if id(p) in matrices]
    rest = [p for p in network.parameters() if id(p) not in matrices]
    return (
        torch.optim.Muon(inner, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, weight_decay=0.01),
    )


def _schedule(step: int, steps: int) -> float:
    warm = min(500, max(1, steps // 10))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * (step - warm) / max(1, steps - warm)))))


class _Curve:
    """Loss and accuracy, as means over stretches, in a CSV file."""

    def __init__(self, path: Path, done: int) -> None:
        self.path = path
        self.rows: list[tuple[int, float, float]] = []
        if done and path.is_file():
            with path.open(encoding="utf-8") as file:
                rows = [(int(r["step"]), float(r["loss_nats"]), float(r["accuracy"])) for r in csv.DictReader(file)]
            self.rows = [row for row in rows if row[0] <= done]
        self.losses: list[Tensor] = []
        self.right: list[Tensor] = []

    def add(self, step: int, loss: Tensor, logits: Tensor, label: Tensor) -> None:
        self.losses.append(loss)
        self.right.append((logits.argmax(dim=1) == label).float().mean())
        if (step + 1) % 50 == 0:
            self.rows.append((step + 1, float(torch.stack(self.losses).mean()), float(torch.stack(self.right).mean())))
            self.losses, self.right = [], []

    def line(self) -> str:
        _, loss, accuracy = self.rows[-1]
        return f"loss {loss:.4f} nats, accuracy {accuracy:.2%}"

    def write(self) -> None:
        beside = self.path.with_suffix(".part")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("step", "loss_nats", "accuracy"))
            writer.writerows((step, f"{loss:.6f}", f"{accuracy:.6f}") for step, loss, accuracy in self.rows)
        beside.replace(self.path)


def _save(tensors: dict[str, Tensor], path: Path, record: dict[str, Any]) -> None:
    beside = path.with_suffix(".part")
    save_file(tensors, beside, metadata={"record": json.dumps(record)})
    beside.replace(path)


def _keep(
    path: Path,
    network: torch.nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    average: dict[str, Tensor],
    record: dict[str, Any],
) -> None:
    """Write everything that training goes on from."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for k, optimiser in enumerate(optimisers):
        state = optimiser.state_dict()["state"]
        tensors |= {f"optimiser.{k}.{n}.{name}": v for n, values in state.items() for name, v in values.items()}
    _save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, path, record)


def _resume(
    path: Path,
    network: torch.nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    average: dict[str, Tensor],
    record: dict[str, Any],
) -> tuple[int, dict[str, str]]:
    """Take up what `_keep` wrote, and return how many steps were done, and what began them."""
    try:
        with safe_open(path, framework="pt") as file:
            found = json.loads(file.metadata()["record"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except Exception as error:
        raise ReadError(f"{path} is no checkpoint ({error}); delete it to begin anew") from error
    done, made = int(found.pop("done")), found.pop("made", {})
    if found != json.loads(json.dumps(record)):
        raise InputError(
            f"{path.parent} holds the beginning of another training; accepted are the same settings, or another --out"
        )
    network.load_state_dict({name[8:]: value for name, value in tensors.items() if name.startswith("network.")})
    for name in average:
        average[name] = tensors[f"average.{name}"]
    for k, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"optimiser.{k}."):
                _, _, n, kind = name.split(".")
                state.setdefault(int(n), {})[kind] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return done, made
