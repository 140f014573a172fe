"""How the fused encoder is trained: how long, how fast, and how much each loss counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from micrographia.embed.fusion.plan import FusionPlan
from micrographia.embed.fusion.stem import STEM_BLOCKS
from micrographia.errors import InputError
from micrographia.learn.loss_weights import check_loss_weights


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """How much each loss counts; 0 switches it off, and saves its time.

    Parameters
    ----------
    inherited : float
        What the stem, as it was inherited, makes of the clean view: of this, and of the degraded one.
    whole, patches : float
        What the image teacher makes of the image, and of each patch of it; see `losses.squared`.
    masked : float
        What the image teacher makes of patches that the student was not shown; for students with a patch stream, as
        what is hidden spoils statistics of the whole.
    views : float
        Two views of one image, of which one is degraded, told from other images; see `losses.told_apart`.
    cues : float
        What is measured on the image.
    captions : float
        What the text teacher makes of the words for what is measured; see `losses.turned`.
    sentences : float
        Which sentences of the bank the text teacher finds near those words; see `losses.chosen`.
    labels : float
        The classes of images, where there are some; of made-up pictures, what was made up.
    """

    inherited: float = 1.0
    whole: float = 1.0
    patches: float = 1.0
    masked: float = 0.0
    views: float = 0.1
    cues: float = 0.5
    captions: float = 1.0
    sentences: float = 0.1
    labels: float = 0.3

    def __post_init__(self) -> None:
        check_loss_weights(vars(self))


def usual_weights(plan: FusionPlan, *, sees: bool, labels: bool, answers: bool) -> LossWeights:
    """Return the weights of losses by what there is to learn, and from whom.

    Streams begin with nothing and need all teachers. What the stem sees is its own teacher, and others only lead it
    away (docs/log.md), unless they were asked for.

    Parameters
    ----------
    plan : FusionPlan
        The student.
    sees, labels, answers : bool
        Whether an image teacher, classes, or what a language model said were given.

    Examples
    --------
    >>> weights = usual_weights(FusionPlan(), sees=False, labels=True, answers=False)
    >>> [name for name, weight in vars(weights).items() if weight]
    ['inherited', 'labels']
    """
    if plan.fused:
        return LossWeights()
    asked = {
        **{"whole": sees, "patches": sees, "views": sees, "captions": answers, "labels": labels},
        **{"cues": False, "sentences": False},
    }
    return replace(LossWeights(), **{name: 0.0 for name, wanted in asked.items() if not wanted})


@dataclass(frozen=True, kw_only=True)
class FusionSettings:
    """How the fused encoder is trained.

    Parameters
    ----------
    plan : FusionPlan
        The student.
    steps : int
        Optimiser steps.
    batch : int
        Images in a batch, on each process.
    learning_rate : float
        Highest rate; warmed up over a twentieth of the steps, then falling to nothing as a cosine.
    stem_share : float
        Rate of the stem's blocks that learn, as a share of the highest rate: they know much already.
    stem_kept : int
        Blocks of the stem, from the first, that stay as they are, and with them the convolution before: learning these
        takes the most time.
    weight_decay : float
        Of the weights, in each step times the rate.
    side_px : int
        Side of a view, square [px].
    hidden_share : float
        Share of the patches that the masked loss hides.
    made_up : int
        Pictures that are made up, on each process, before the first step.
    scaled_on : int
        Views on which the spread of what the teachers say is measured, before the first step.
    held_back : int
        Made-up pictures of another seed, on which the student is looked at now and then.
    weights : LossWeights
        How much each loss counts.
    seed : int
        Of all that is random.
    bf16 : bool
        Whether most matrix products are in bfloat16.
    checkpoint_every : int
        Steps between checkpoints.
    """

    plan: FusionPlan = field(default_factory=FusionPlan)
    steps: int = 1500
    batch: int = 16
    learning_rate: float = 1e-3
    stem_share: float = 0.1
    stem_kept: int = 8
    weight_decay: float = 0.02
    side_px: int = 192
    hidden_share: float = 0.4
    made_up: int = 1000
    scaled_on: int = 256
    held_back: int = 64
    weights: LossWeights = field(
        default_factory=lambda: usual_weights(FusionPlan(), sees=False, labels=False, answers=False)
    )
    seed: int = 0
    bf16: bool = True
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        least = {
            "steps": 1,
            "batch": 2,
            "made_up": 0,
            "scaled_on": 2,
            "held_back": 2,
            "seed": 0,
            "checkpoint_every": 1,
            "stem_kept": 0,
        }
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is {lowest} or more")
        for name in ("learning_rate", "hidden_share", "stem_share"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name):g}; accepted is a number between 0 and 1")
        if self.stem_kept > STEM_BLOCKS:
            raise InputError(f"stem_kept is {self.stem_kept}; accepted is 0 to {STEM_BLOCKS}")
        if self.side_px < self.plan.side_px or self.side_px % self.plan.side_px:
            raise InputError(f"side_px is {self.side_px}; accepted is a multiple of {self.plan.side_px}")
