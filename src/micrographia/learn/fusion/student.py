"""The student in training: the network, and the heads that guess what its teachers say."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from micrographia.embed.fusion.network import Fused, FusionNetwork
from micrographia.embed.fusion.stem import SEEN_CHANNELS
from micrographia.embed.fusion.summary import STATISTICS, dimension_of, summarised, vectors_of
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
    whole, patches, cues : Scale
        Of the numbers in `Targets`.
    """

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
    labels : int tensor (batch,), optional
        Classes; -1 where there is none.
    """

    clean: Float[Tensor, "batch 1 side side"]
    worse: Float[Tensor, "batch 1 side side"]
    hidden: Bool[Tensor, "batch row column"]
    targets: Targets
    labels: Int[Tensor, " batch"] | None = None


class Student(nn.Module):
    """The network with its heads.

    Parameters
    ----------
    network : FusionNetwork
        The student.
    weights : LossWeights
        Which losses there are.
    whole, patches, cues : int
        How many numbers the teachers give.
    classes : int
        How many classes there are; 0: none.
    """

    def __init__(
        self, network: FusionNetwork, weights: LossWeights, *, whole: int, patches: int, cues: int, classes: int
    ) -> None:
        super().__init__()
        plan = network.plan
        coarsest = STATISTICS * (plan.width + SEEN_CHANNELS) if len(plan.blocks) > 1 else 0
        size = dimension_of(plan) - coarsest
        self.network = network
        self.weights = weights
        self.to_whole = nn.Linear(size, whole) if weights.whole else None
        self.to_patches = nn.Conv2d(plan.width, patches, 1) if weights.patches or weights.masked else None
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
        if self.to_whole is not None:
            losses["whole"] = squared(self.to_whole(both).float(), wanted.whole.repeat(2, 1))
        if self.to_patches is not None:
            if weights.patches:
                losses["patches"] = squared(self.to_patches(clean.patches[-1]).float(), wanted.patches)
            if weights.masked:
                guessed = self.to_patches(worse.patches[-1]).float().permute(0, 2, 3, 1)[batch.hidden]
                losses["masked"] = squared(guessed, wanted.patches.permute(0, 2, 3, 1)[batch.hidden])
        spoken = len(wanted.captions)
        if self.to_cues is not None:
            losses["cues"] = squared(self.to_cues(seen[0][:spoken]).float(), wanted.cues)
        if self.to_captions is not None:
            losses["captions"] = turned(self.to_captions(seen[0][:spoken]).float(), wanted.captions)
        if self.to_views is not None:
            one, other = (self.to_views(s).float() for s in seen)
            losses["views"] = told_apart(one, other, temperature=TEMPERATURE)
        if clean.spoken is not None and weights.sentences:
            near = near_sentences(wanted.captions, self.network.bank)
            losses["sentences"] = chosen(clean.spoken.sentences[:spoken], near)
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
    grids = (*(fused.patches[1:] or fused.patches), *(fused.seen[1:] or fused.seen))
    return functional.normalize(summarised(vectors_of(fused), grids), dim=1)
