"""The second opinion: a decoder that learns what shapes tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from monai.losses import DiceLoss
from torch.nn import functional

from micrographia.learn.segment.views import View
from micrographia.segment.labelled import UNLABELLED
from micrographia.segment.network.segmenter import Maps, Segmenter, multiple_px

_SIDE_PX: Final = 320
_BATCH: Final = 3
_RATE: Final = 2e-3
_DECAY: Final = 0.01


def learn_shapes(
    model: Segmenter,
    views: Sequence[View],
    *,
    share: Float[np.ndarray, " class"],
    steps: int,
    seed: int,
    progress: Callable[[int, int, float], None],
) -> None:
    """Teach the decoder, in place; the encoder and the vote stay as they are.

    Each step shows it windows around pixels of every class.

    Parameters
    ----------
    model : Segmenter
        The network; the statistics of its vote's features are known.
    views : sequence of View
        Views of the labelled images.
    share : float array (class,)
        True share of each class.
    steps : int
        Optimiser steps.
    seed : int
        Seed of all that is random.
    progress : callable
        Told the steps done, their number, and the loss.
    """
    learning = [p for name, p in model.named_parameters() if not name.startswith(("encoder.", "vote."))]
    optimiser = torch.optim.AdamW(learning, lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps, pct_start=0.15)
    loss_of = segmentation_loss(share)
    rng = np.random.default_rng([seed, 2])
    places = [[np.flatnonzero(view.mask[0].numpy() == k) for k in range(len(share))] for view in views]
    model.train()
    for step in range(steps):
        windows = [_window(views, places, multiple_px(model.encoder), rng) for _ in range(_BATCH)]
        logits = torch.cat([model.shapes(maps) for maps, _ in windows])
        loss = loss_of(logits, torch.cat([mask for _, mask in windows]))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        schedule.step()
        progress(step + 1, steps, float(loss.detach()))
    model.eval()


def segmentation_loss(share: Float[np.ndarray, " class"]) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a loss for classes of unequal share: weighted cross-entropy plus the Dice loss of MONAI.

    In the cross-entropy a class weighs by one over the root of its share. The Dice loss looks at all windows of a step
    together, so that a class that a window lacks does no harm.

    Parameters
    ----------
    share : float array (class,)
        True share of each class.

    Returns
    -------
    callable
        Takes logits (batch, class, height, width) and classes (batch, height, width), where `UNLABELLED` does not
        count.
    """
    weights = torch.tensor(1 / np.sqrt(share), dtype=torch.float32)
    weights /= float((weights.numpy() * share).sum())
    dice = DiceLoss(batch=True)

    def loss(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        known = (mask != UNLABELLED)[:, None]
        truth = functional.one_hot(mask.where(known[:, 0], 0), len(share)).permute(0, 3, 1, 2) * known
        entropy = functional.cross_entropy(logits, mask, weight=weights, ignore_index=UNLABELLED)
        total: torch.Tensor = entropy + dice(logits.softmax(1) * known, truth.float())
        return total

    return loss


def _window(
    views: Sequence[View], places: list[list[np.ndarray]], multiple_px: int, rng: np.random.Generator
) -> tuple[Maps, torch.Tensor]:
    """Return a window of a view around a pixel of a class chosen at random, and the classes in it."""
    k = int(rng.integers(len(places[0])))
    holders = [n for n in range(len(views)) if len(places[n][k])]
    n = holders[int(rng.integers(len(holders)))]
    view = views[n]
    height, width = view.mask.shape[-2:]
    row, column = divmod(int(rng.choice(places[n][k])), width)
    side = multiple_px * max(_SIDE_PX // multiple_px, 1)
    high, wide = min(side, height), min(side, width)
    top, left = (
        multiple_px * int(np.clip(at + rng.uniform(-0.9, -0.1) * cut, 0, whole - cut) // multiple_px)
        for at, cut, whole in ((row, high, height), (column, wide, width))
    )

    def cut_out(x: torch.Tensor) -> torch.Tensor:
        stride = width // x.shape[-1]
        rows, columns = slice(top // stride, (top + high) // stride), slice(left // stride, (left + wide) // stride)
        return x[..., rows, columns].float().contiguous(memory_format=torch.channels_last)

    features = tuple(tuple(cut_out(m) for m in maps) for maps in view.maps.features)
    return Maps(image=cut_out(view.maps.image), features=features), view.mask[:, top : top + high, left : left + wide]
