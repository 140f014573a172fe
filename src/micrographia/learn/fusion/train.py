"""Train the fused encoder: teachers look at clean views, the student at worse ones too; goes on where it stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from jaxtyping import Float
from torch import Tensor

from micrographia.embed.fusion.network import FusionNetwork
from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.saved import write_fusion
from micrographia.embed.fusion.stem import inherit
from micrographia.embed.fusion.summary import summary
from micrographia.errors import InputError
from micrographia.learn.checkpoint import Resumed, keep, resume
from micrographia.learn.curve import Curve
from micrographia.learn.fusion.card import model_card
from micrographia.learn.fusion.directions import point
from micrographia.learn.fusion.pictures import Picture, Pictures, make_up
from micrographia.learn.fusion.settings import FusionSettings, LossWeights
from micrographia.learn.fusion.student import Batch, Scales, Student
from micrographia.learn.fusion.teachers import Targets, Teachers, joined, scale_of
from micrographia.learn.fusion.views import clean_view, degraded
from micrographia.learn.provenance import provenance
from micrographia.learn.schedule import schedule
from micrographia.segment.network.encoder import load_packaged

CHECKPOINT: Final = "checkpoint.safetensors"
CURVE: Final = "curve.csv"
WEIGHTS: Final = "fusion.safetensors"
CARD: Final = "fusion.md"
_MEASURED: Final = "held_back_r2"
_HELD_BACK_SEED: Final = 1_000_003
_ROW: Final = 20
_LOOK: Final = 200
# What heads read has a length of 1, so that their weights have far to go.
_OF_HEADS: Final = 5
_TOLD_SHARE: Final = 8
_GROUP: Final = 8


def train_fusion(
    pictures: Pictures,
    teachers: Teachers,
    sentences: Sequence[str],
    out: Path,
    *,
    settings: FusionSettings,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Train, and return the file of the weights.

    Parameters
    ----------
    pictures : Pictures
        What is looked at.
    teachers : Teachers
        What is learned from.
    sentences : sequence of str
        The bank, if the plan has language.
    out : Path
        Folder for checkpoint, curve, weights and model card. A training that stopped there goes on.
    settings : FusionSettings
        The student, how long, how fast, and which losses.
    progress : callable, optional
        Told the step, the number of steps and a line of figures.

    Raises
    ------
    InputError
        The folder holds the beginning of another training, or there is no picture.
    ReadError
        The checkpoint cannot be read.
    """
    if not pictures.given and not pictures.made_up:
        raise InputError("there is no picture to learn from; accepted are images, or a number of made-up ones")
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="bf16" if settings.bf16 else "no",
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=bool(pictures.classes))],
    )
    weights = settings.weights
    if not (weights.whole or weights.patches or weights.masked):
        teachers = replace(teachers, sees=())
    for sees in teachers.sees:
        sees.to(accelerator.device)
    views = _views(pictures, settings)
    beginner = _beginner(views, settings).to(accelerator.device)
    scales = _scales(views, beginner, teachers, settings)
    held_back = _held_back(teachers, scales, settings)
    bank = torch.from_numpy(teachers.reads.embed_texts(sentences)) if settings.plan.language else torch.zeros(0, 1)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = FusionNetwork(settings.plan, bank)
        network.stem.load_state_dict(beginner.stem.state_dict())
        network.patch_directions.copy_(beginner.patch_directions)
        network.fine_directions.copy_(beginner.fine_directions)
        for part in (network.stem.first, *network.stem.blocks[: settings.stem_kept]):
            part.requires_grad_(False)
        student = Student(
            network,
            settings.weights,
            inherited=scales.inherited,
            whole=held_back[1].shape[1],
            patches=len(scales.patches.mean),
            cues=len(scales.cues.mean),
            classes=len(pictures.classes),
        )
    record: dict[str, Any] = {
        "settings": asdict(replace(settings, checkpoint_every=1)),
        "pictures": {
            "given": len(pictures.given),
            "made_up": len(pictures.made_up),
            "classes": list(pictures.classes),
            "answered": sum(bool(one.answers) for one in pictures.given),
            "sha256": _digest(pictures.given),
        },
        "teachers": {
            "sees": [s.name for s in teachers.sees],
            "reads": f"{teachers.reads.name} {teachers.reads.version}",
        },
        "sentences": list(sentences) if settings.plan.language else [],
        "processes": accelerator.num_processes,
    }
    optimisers = _optimisers(student, settings)
    resumed = Resumed(done=0, made=provenance())
    checkpoint = out / CHECKPOINT
    if accelerator.is_main_process:
        out.mkdir(parents=True, exist_ok=True)
    accelerator.wait_for_everyone()
    if checkpoint.is_file():
        resumed = resume(checkpoint, student, optimisers, record)
    wrapped, *prepared = accelerator.prepare(student, *optimisers)
    wrapped.train()
    curve = Curve(out / CURVE, resumed.done, losses=tuple(vars(LossWeights())), measured=_MEASURED)
    for step in range(resumed.done, settings.steps):
        for optimiser in prepared:
            for group in optimiser.param_groups:
                group["lr"] = group["highest"] * schedule(step, settings.steps)
        batch = draw_batch(pictures, teachers, beginner, scales, settings, step=step, rank=accelerator.process_index)
        with accelerator.autocast():
            losses = wrapped(batch)
        student.zero_grad()
        accelerator.backward(sum(getattr(settings.weights, name) * loss for name, loss in losses.items()))
        accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
        for optimiser in prepared:
            optimiser.step()
        done = step + 1
        if accelerator.is_main_process:
            curve.add(losses)
            if done % _ROW == 0 or done == settings.steps:
                if settings.weights.whole and (done % _LOOK == 0 or done == settings.steps):
                    curve.looked[done] = round(_explained(student, *held_back), 5)
                curve.close_row(done)
            if progress is not None:
                progress(done, settings.steps, curve.line())
            if done % settings.checkpoint_every == 0 or done == settings.steps:
                curve.write()
                keep(checkpoint, student, optimisers, record, replace(resumed, done=done))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        finished = {**record, "measured": {_MEASURED: curve.looked.get(settings.steps)}, "made": resumed.made}
        write_fusion(network.eval(), finished, out / WEIGHTS)
        (out / CARD).write_text(model_card(finished, weights=out / WEIGHTS), encoding="utf-8")
    accelerator.wait_for_everyone()
    return out / WEIGHTS


def draw_batch(
    pictures: Pictures,
    teachers: Teachers,
    beginner: FusionNetwork,
    scales: Scales,
    settings: FusionSettings,
    *,
    step: int,
    rank: int,
) -> Batch:
    """Return what a process looks at in a step: drawn from seed, step and process, so nothing need be remembered.

    An eighth of the images is measured and put into words, which takes longer than looking at them.

    Parameters
    ----------
    pictures, teachers, beginner, scales, settings
        Of the training.
    step, rank : int
        Number of the step, and of the process.
    """
    rng = np.random.default_rng([settings.seed, step, rank])
    drawn = pictures.draw(settings.batch, rng)
    clean = np.stack([clean_view(one.frame, rng, side_px=settings.side_px) for one in drawn])
    worse = np.stack([degraded(view, rng) for view in clean])
    weights = settings.weights
    spoken = settings.batch // _TOLD_SHARE or 1 if weights.cues or weights.captions or weights.sentences else 0
    answers = [str(rng.choice(one.answers)) if one.answers else None for one in drawn[:spoken]]
    targets = teachers.targets(clean, spoken=spoken, bf16=settings.bf16, answers=answers)
    places = settings.side_px // settings.plan.patch_px[-1]
    hidden = rng.random((settings.batch, places, places)) < settings.hidden_share
    device = beginner.bank.device
    return Batch(
        clean=torch.from_numpy(clean)[:, None].to(device),
        worse=torch.from_numpy(worse)[:, None].to(device),
        hidden=torch.from_numpy(hidden).to(device),
        targets=_scaled(targets, scales, device),
        inherited=scales.inherited.of_size_one(_seen_by(beginner, clean, settings)),
        labels=torch.tensor([one.label for one in drawn], device=device) if pictures.classes else None,
    )


def _scaled(targets: Targets, scales: Scales, device: torch.device) -> Targets:
    patches = scales.patches.of_size_one(targets.patches.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return Targets(
        whole=scales.whole.of_size_one(targets.whole).to(device),
        patches=patches.to(device),
        cues=scales.cues.of_size_one(targets.cues).to(device),
        captions=targets.captions.to(device),
    )


def _beginner(views: Float[np.ndarray, "view side side"], settings: FusionSettings) -> FusionNetwork:
    """Return the network without streams, with what it inherits, before it has learned anything."""
    plan = FusionPlan(blocks=(0,) * len(settings.plan.blocks), relations=settings.plan.relations)
    network = FusionNetwork(plan, torch.zeros(0, 1)).eval().requires_grad_(False)
    inherit(network.stem, load_packaged())
    point(network, views)
    return network


@torch.no_grad()
def _seen_by(
    beginner: FusionNetwork, views: Float[np.ndarray, "view side side"], settings: FusionSettings
) -> Float[Tensor, "view dimension"]:
    device = beginner.bank.device
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.bf16):
        fused = beginner(torch.from_numpy(views)[:, None].to(device))
    return summary(fused)


def _scales(
    views: Float[np.ndarray, "view side side"], beginner: FusionNetwork, teachers: Teachers, settings: FusionSettings
) -> Scales:
    """Return mean and spread of what the teachers, and the beginner, say of some views."""
    groups = [views[k : k + _GROUP] for k in range(0, len(views), _GROUP)]
    found = joined([teachers.targets(g, spoken=len(g), bf16=settings.bf16) for g in groups])
    return Scales(
        inherited=scale_of(torch.cat([_seen_by(beginner, g, settings) for g in groups])),
        whole=scale_of(found.whole),
        patches=scale_of(found.patches.permute(0, 2, 3, 1).flatten(0, 2)),
        cues=scale_of(found.cues),
    )


def _views(pictures: Pictures, settings: FusionSettings) -> Float[np.ndarray, "view side side"]:
    """Return views by which teachers are scaled and directions found, the same on every process."""
    rng = np.random.default_rng([settings.seed, _HELD_BACK_SEED])
    given = replace(pictures, made_up=make_up(settings.held_back, seed=_HELD_BACK_SEED + 1) if pictures.made_up else ())
    return np.stack(
        [clean_view(one.frame, rng, side_px=settings.side_px) for one in given.draw(settings.scaled_on, rng)]
    )


def _held_back(teachers: Teachers, scales: Scales, settings: FusionSettings) -> tuple[Tensor, Tensor]:
    """Return views of made-up pictures that no training sees, and what the image teachers make of them."""
    rng = np.random.default_rng(_HELD_BACK_SEED)
    pictures: tuple[Picture, ...] = make_up(settings.held_back, seed=_HELD_BACK_SEED)
    views = np.stack([clean_view(one.frame, rng, side_px=settings.side_px) for one in pictures])
    parts = [
        teachers.targets(views[k : k + _GROUP], spoken=0, bf16=settings.bf16).whole
        for k in range(0, len(views), _GROUP)
    ]
    wanted = scales.whole.of_size_one(torch.cat(parts))
    return torch.from_numpy(views)[:, None].to(wanted.device), wanted


@torch.no_grad()
def _explained(student: Student, views: Tensor, wanted: Tensor) -> float:
    """Return which share of the variance of the teacher's numbers the student explains on views held back."""
    student.eval()
    guessed = torch.cat([student.guess(views[k : k + _GROUP]) for k in range(0, len(views), _GROUP)])
    student.train()
    residual = (guessed - wanted).square().sum()
    return float(1 - residual / (wanted - wanted.mean(dim=0)).square().sum())


def _optimisers(student: Student, settings: FusionSettings) -> tuple[torch.optim.Optimizer, ...]:
    """Return Muon for the matrices of the network, AdamW for all else.

    K. Jordan et al. (2024), https://kellerjordan.github.io/posts/muon; steps scaled as in arXiv:2502.16982.
    """
    network = {id(p) for p in student.network.parameters()}
    heads = [p for p in student.parameters() if id(p) not in network]
    stem = [p for p in student.network.stem.blocks.parameters() if p.requires_grad]
    inner = [p for p in student.network.parameters() if p.ndim == 2]
    elsewhere = {id(p) for p in (*stem, *inner)}
    rest = [p for p in student.network.parameters() if p.requires_grad and id(p) not in elsewhere]
    rate, decay = settings.learning_rate, settings.weight_decay
    groups = [(rest, rate), (stem, rate * settings.stem_share), (heads, rate * _OF_HEADS)]
    return (
        torch.optim.Muon(
            [{"params": inner, "highest": rate}], lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(
            [{"params": some, "highest": highest} for some, highest in groups], lr=rate, weight_decay=decay
        ),
    )


def _digest(pictures: Sequence[Picture]) -> str:
    digest = hashlib.sha256()
    for one in pictures:
        digest.update(np.ascontiguousarray(one.frame).tobytes())
        digest.update("\0".join((str(one.label), *one.answers)).encode())
    return digest.hexdigest()
