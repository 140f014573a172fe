"""How a language model is adapted: how long, how fast, and how much each loss counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from micrographia.errors import InputError
from micrographia.learn.loss_weights import check_loss_weights

MOST_TOKENS: Final = 96
"""Where a text of the training is cut off."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """How much each loss counts; 0 switches it off, and saves its time.

    Parameters
    ----------
    masked : float
        Of words that were masked; see `losses.masked_loss`.
    cosine, relational : float
        Of sentence vectors of general text that move away from the base model's; see `losses.cosine_loss` and
        `losses.relational_loss`.
    contrastive : float
        Of sentences about the same image that lie no nearer than others; see `losses.contrastive_loss`.
    """

    masked: float = 1.0
    cosine: float = 10.0
    relational: float = 10.0
    contrastive: float = 1.0

    def __post_init__(self) -> None:
        check_loss_weights(vars(self))

    @property
    def general(self) -> bool:
        """Whether general text is looked at."""
        return self.cosine > 0 or self.relational > 0


@dataclass(frozen=True, kw_only=True)
class LanguageSettings:
    """How a language model is adapted.

    Parameters
    ----------
    steps : int
        Optimiser steps.
    batch : int
        Texts in a batch of the masked and the general losses, on each process.
    pairs : int
        Pairs of texts in a batch of the contrastive loss, on each process: the more, the more wrong answers to tell
        the right one from.
    learning_rate : float
        Highest rate of the encoder; warmed up over a tenth of the steps, then falling to nothing as a cosine.
    head_rate : float
        The same of the head that predicts masked words, which starts from nothing.
    weights : LossWeights
        How much each loss counts.
    masked_share : float
        Share of words that are masked.
    temperature : float
        By which cosines are divided in the contrastive loss.
    new_words : int
        How many words may become tokens of their own, at most; 0: none.
    new_word_count : int
        How often a word must occur in the training texts to become one.
    validation_share : float
        Share of the images that is held back.
    frozen : bool
        Train the head only, by the masked loss: the control that shows what the base model knew already.
    seed : int
        Of all that is random.
    bf16 : bool
        Whether most matrix products are in bfloat16.
    checkpoint_every : int
        Steps between checkpoints.
    """

    steps: int = 300
    batch: int = 8
    pairs: int = 32
    learning_rate: float = 2e-4
    head_rate: float = 1e-3
    weights: LossWeights = field(default_factory=LossWeights)
    masked_share: float = 0.15
    temperature: float = 0.05
    new_words: int = 64
    new_word_count: int = 50
    validation_share: float = 0.1
    frozen: bool = False
    seed: int = 0
    bf16: bool = True
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        least = {
            "steps": 1,
            "batch": 2,
            "pairs": 2,
            "new_words": 0,
            "new_word_count": 1,
            "seed": 0,
            "checkpoint_every": 1,
        }
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise InputError(f"{name} is {getattr(self, name)}; accepted is {lowest} or more")
        for name in ("learning_rate", "head_rate", "masked_share", "validation_share", "temperature"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name):g}; accepted is a number between 0 and 1")
        if self.frozen and (self.new_words or not self.weights.masked):
            raise InputError("a frozen encoder learns no new words, only masked ones; give new_words=0 and masked > 0")
