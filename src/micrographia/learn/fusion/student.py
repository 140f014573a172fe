"""The student in training: the network, and the heads that guess what its teachers say."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from micrographia.embed.fusion.network import Fused, FusionNetwork
from micrographia.embed.fusion.stem import DEEP_CHANNELS, SEEN_CHANNELS
from micrographia.embed.fusion.summary import (
    STATISTICS,
    dimension_of,
    grids_of,
    parts_of,
    summarised,
    summary,
    vectors_of,
)
from micrographia.errors import InputError
from micrographia.learn.fusion.losses import chosen, squared, told_apart, turned
from micrographia.learn.fusion.settings import LossWeights
from micrographia.learn.fusion.teachers import Scale, Targets, near_sentences

TEMPERATURE = 0.2
_VIEW_WIDTH = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class Scales:
    """Mean and spread of what each teacher says.

    Parameters
    ----------
    inherited : Scale
        Of what the network makes of images without streams, before it has learned anything.
    whole, patches, cues : Scale
        Of the numbers in `Targets`.
    """

    inherited: Scale
    whole: Scale
    patches: Scale
    cues: Scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What a step looks at.

    Parameters
    ----------
    clean, worse : float tensor (batch, 1, side, side)
        A view of each image, and the same degraded.
    hidden : bool tensor (batch, row, column)
        Patches of the degraded view that are not shown.
    targets : Targets
        What the teachers make of the clean views; each number scaled by `Scales`.
    inherited : float tensor (batch, dimension)
        What the network without streams made of them before it had learned anything, scaled.
    labels : int tensor (batch,), optional
        Classes; -1 where there is none.
    """

    clean: Float[Tensor, "batch 1 side side"]
    worse: Float[Tensor, "batch 1 side side"]
    hidden: Bool[Tensor, "batch row column"]
    targets: Targets
    inherited: Float[Tensor, "batch _dimension"]
    labels: Int[Tensor, " batch"] | None = None


class Student(nn.Module):
    """The network with its heads.

    Parameters
    ----------
    network : FusionNetwork
        The student.
    weights : LossWeights
        Which losses there are.
    inherited : Scale
        Of what the network without streams makes of images.
    whole, patches, cues : int
        How many numbers the teachers give.
    classes : int
        How many classes there are; 0: none.
    """

    inherited_mean: Tensor
    inherited_spread: Tensor

    def __init__(
        self,
        network: FusionNetwork,
        weights: LossWeights,
        *,
        inherited: Scale,
        whole: int,
        patches: int,
        cues: int,
        classes: int,
    ) -> None:
        super().__init__()
        plan = network.plan
        coarsest = STATISTICS * (plan.width * plan.fused + SEEN_CHANNELS) if len(plan.blocks) > 1 else 0
        in_patches = plan.width if plan.fused else SEEN_CHANNELS + DEEP_CHANNELS
        size = dimension_of(plan) - coarsest
        self.network = network
        self.weights = weights
        self.register_buffer("inherited_mean", inherited.mean)
        self.register_buffer("inherited_spread", inherited.spread)
        self.to_whole = nn.Linear(size, whole) if weights.whole else None
        self.to_patches = nn.Conv2d(in_patches, patches, 1) if weights.patches or weights.masked else None
        self.to_cues = nn.Linear(size, cues) if weights.cues else None
        self.to_captions = nn.Linear(size, plan.text_width) if weights.captions else None
        self.to_views = nn.Linear(size, _VIEW_WIDTH) if weights.views else None
        self.to_labels = nn.Linear(size, classes) if weights.labels and classes else None

    def forward(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Return the losses that have a weight."""
        wanted, weights = batch.targets, self.weights
        clean = self.network(batch.clean)
        worse = self.network(batch.worse, batch.hidden if weights.masked else None)
        seen = [_of_length_one(clean), _of_length_one(worse)]
        both = torch.cat(seen)
        losses = {}
        if weights.inherited:
            # Statistics and relations of what the stem sees stand at the end of the vector.
            first = parts_of(self.network.plan).statistics.start
            with torch.autocast(batch.clean.device.type, enabled=False):
                own = torch.cat([summary(clean), summary(worse)])[:, first:]
            scale = Scale(mean=self.inherited_mean, spread=self.inherited_spread)
            losses["inherited"] = squared(scale.of_size_one(own), batch.inherited.repeat(2, 1))
        if self.to_whole is not None:
            losses["whole"] = squared(self.to_whole(both).float(), wanted.whole.repeat(2, 1))
        if self.to_patches is not None:
            if weights.patches:
                losses["patches"] = squared(self.to_patches(_patches_of(clean)).float(), wanted.patches)
            if weights.masked:
                guessed = self.to_patches(_patches_of(worse)).float().permute(0, 2, 3, 1)[batch.hidden]
                losses["masked"] = squared(guessed, wanted.patches.permute(0, 2, 3, 1)[batch.hidden])
        spoken = len(wanted.captions)
        if self.to_cues is not None:
            losses["cues"] = squared(self.to_cues(seen[0][:spoken]).float(), wanted.cues)
        if self.to_captions is not None:
            losses["captions"] = turned(self.to_captions(seen[0][:spoken]).float(), wanted.captions)
        if self.to_views is not None:
            one, other = (self.to_views(s).float() for s in seen)
            losses["views"] = told_apart(one, other, temperature=TEMPERATURE)
        if clean.streams is not None and clean.streams.spoken is not None and weights.sentences:
            near = near_sentences(wanted.captions, self.network.bank)
            losses["sentences"] = chosen(clean.streams.spoken.sentences[:spoken], near)
        if self.to_labels is not None and batch.labels is not None:
            told = batch.labels >= 0
            logits = self.to_labels(seen[0]).float()
            # Of a batch without a label the loss is 0, and still hangs on the head.
            losses["labels"] = functional.cross_entropy(logits[told], batch.labels[told], reduction="sum") / max(
                1, int(told.sum())
            )
        return losses

    def guess(self, images: Float[Tensor, "batch 1 side side"]) -> Float[Tensor, "batch dimension"]:
        """Return what the student thinks that the image teacher makes of images."""
        if self.to_whole is None:
            raise InputError("this student does not guess what a teacher makes of images; give the loss whole a weight")
        guessed: Tensor = self.to_whole(_of_length_one(self.network(images))).float()
        return guessed


def _of_length_one(fused: Fused) -> Float[Tensor, "batch dimension"]:
    """Return what heads read: of some thousand numbers of size 1 each step of theirs would go far too far.

    A view has some nine patches of the coarsest level, whose extremes mean little; so they are left out.
    """
    levels = len(fused.seen)
    left_out = {0, levels if fused.streams is not None else 0} if levels > 1 else set()
    grids = [grid for k, grid in enumerate(grids_of(fused)) if k not in left_out]
    # Sums over many patches, and differences of them, are not for bfloat16.
    with torch.autocast(fused.deep.device.type, enabled=False):
        return functional.normalize(summarised(vectors_of(fused), grids, fused.related), dim=1)


def _patches_of(fused: Fused) -> Float[Tensor, "batch width row column"]:
    """Return what says most of each of the finest patches: its fused vector, or what the stem sees in and around it."""
    if fused.streams is not None:
        return fused.streams.patches[-1]
    patches = fused.seen[-1]
    around = functional.interpolate(fused.deep, size=patches.shape[2:], mode="nearest")
    return torch.cat([patches, around], dim=1)
