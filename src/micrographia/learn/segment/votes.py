"""First stage: every pixel learns its class from what the encoder says of it, many pixels of every class alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch.nn import functional

from micrographia.learn.segment.views import View
from micrographia.segment.network.segmenter import PixelVote, features_at

_MOST_PIXELS: Final = 200_000
_EPOCHS: Final = 8
_BATCH: Final = 1024
_RATE: Final = 2e-3
_DECAY: Final = 0.01


def learn_votes(vote: PixelVote, views: Sequence[View], *, share: Float[np.ndarray, " class"], seed: int) -> None:
    """Teach the vote of single pixels, in place.

    Pixels are drawn so that every class is equally frequent, and weigh by the root of its true share: between a vote
    for which all classes are equally likely, and one that forgets the rare ones.

    Parameters
    ----------
    vote : PixelVote
        What learns.
    views : sequence of View
        Views of the labelled images.
    share : float array (class,)
        True share of each class.
    seed : int
        Seed of all that is random.
    """
    rng = np.random.default_rng([seed, 1])
    features, classes = [], []
    pixels = min(_MOST_PIXELS, sum(view.mask.numel() for view in views) // 2) // len(views)
    for view in views:
        mask = view.mask[0].numpy()
        places = _chosen(mask, pixels, len(share), rng)
        features.append(features_at(view.maps, places))
        classes.append(view.mask[0][places[:, 0], places[:, 1]])
    table, truth = torch.cat(features), torch.cat(classes)
    vote.mean.copy_(table.mean(0))
    vote.sd.copy_(table.std(0) + 1e-6)
    weights = torch.tensor(np.sqrt(share), dtype=torch.float32)
    batches = max(len(table) // _BATCH, 1)
    optimiser = torch.optim.AdamW(vote.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_EPOCHS * batches)
    vote.train()
    generator = torch.Generator().manual_seed(seed)
    for _ in range(_EPOCHS):
        order = torch.randperm(len(table), generator=generator)
        for chosen in order[: batches * _BATCH].chunk(batches):
            loss = functional.cross_entropy(vote.of_pixels(table[chosen]), truth[chosen], weight=weights)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    vote.eval()


def _chosen(mask: np.ndarray, pixels: int, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows and columns of pixels, equally many of each class that is there."""
    present = [k for k in range(classes) if (mask == k).any()]
    each = max(pixels // max(len(present), 1), 1)
    chosen = [rng.choice(np.flatnonzero(mask == k), each) for k in present]
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *chosen])  # a view may show unlabelled pixels only
    return np.stack(np.divmod(flat, mask.shape[1]), axis=1)
