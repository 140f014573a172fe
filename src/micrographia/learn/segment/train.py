"""The recipe: look at every image many times, let every pixel vote, then learn shapes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Literal

import torch

from micrographia.errors import InputError
from micrographia.learn.provenance import provenance
from micrographia.learn.segment.shapes import learn_shapes
from micrographia.learn.segment.views import Alterations, look, orientation_of
from micrographia.learn.segment.votes import learn_votes
from micrographia.segment.labelled import UNLABELLED, Labelled, TrainingSet
from micrographia.segment.network.encoder import PACKAGED, LoadEncoder, load_encoder
from micrographia.segment.network.familiar import familiar_from
from micrographia.segment.network.normalise import normalised
from micrographia.segment.network.saved import SegmentationModel
from micrographia.segment.network.segmenter import Segmenter

Directions = Literal["auto", "any", "rows", "columns"]
"""What directions mean; see `SegmentSettings`."""

Progress = Callable[[int, int, str], None]
"""Told how much is done, of how much, and figures in words."""


@dataclass(frozen=True, kw_only=True)
class SegmentSettings:
    """How a segmenting network learns.

    Parameters
    ----------
    encoder : str
        Its name.
    orientation : "auto", "any", "rows" or "columns"
        What directions mean: nothing, or layers that run along rows or along columns. ``"auto"`` asks the masks.
    megapixels : float
        How much to look at, over all views of all images [Mpx].
    steps : int
        Optimiser steps of the decoder.
    alterations : Alterations
        How views differ from the images.
    seed : int
        Seed of all that is random.
    """

    encoder: str = PACKAGED
    orientation: Directions = "auto"
    megapixels: float = 30.0
    steps: int = 240
    alterations: Alterations = field(default_factory=Alterations)
    seed: int = 0


def train_segmenter(
    training: TrainingSet,
    *,
    settings: SegmentSettings | None = None,
    load: LoadEncoder = load_encoder,
    progress: Progress | None = None,
) -> SegmentationModel:
    """Learn to segment from labelled images.

    Parameters
    ----------
    training : TrainingSet
        Labelled images.
    settings : SegmentSettings, optional
        How to learn.
    load : callable
        Loads the encoder by its name.
    progress : callable, optional
        Told how far it is.

    Returns
    -------
    SegmentationModel
        The trained network, to use or to save. The same settings give the same network on the same machine.

    Raises
    ------
    InputError
        The encoder cannot be loaded, or an image has no contrast.
    """
    settings = SegmentSettings() if settings is None else settings
    report = progress or (lambda done, total, words: None)
    began = time.monotonic()
    orientation = orientation_of(training) if settings.orientation == "auto" else settings.orientation
    for image in training.images:
        try:
            normalised(image.frame)
        except InputError as error:
            raise InputError(f"{image.name}: {error}") from error
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        encoder = load(settings.encoder).eval().requires_grad_(False)
        network = Segmenter(encoder, classes=len(training.values)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        views = look(
            training,
            encoder,
            megapixels=settings.megapixels,
            orientation=orientation,
            alterations=settings.alterations,
            seed=settings.seed,
            progress=lambda done, total: report(done, total + settings.steps, "looking"),
        )
        learn_votes(network.vote, views, share=training.share, seed=settings.seed)
        seen = len(views)
        learn_shapes(
            network,
            views,
            share=training.share,
            steps=settings.steps,
            seed=settings.seed,
            progress=lambda done, total, loss: report(seen + done, seen + total, f"loss {loss:.2f}"),
        )
    familiar = familiar_from([normalised(image.frame) for image in training.images], encoder)
    record = {
        "settings": asdict(settings),
        "orientation": orientation,
        "images": [{"name": i.name, "sha256": i.sha256, "labelled": _labelled(i)} for i in training.images],
        "views": seen,
        "share": [round(float(s), 6) for s in training.share],
        "seconds": round(time.monotonic() - began, 1),
        "made": provenance(),
    }
    return SegmentationModel(
        network=network.eval(), values=training.values, names=training.names, familiar=familiar, record=record
    )


def _labelled(image: Labelled) -> float:
    """Return the share of an image's pixels that somebody labelled."""
    return round(float((image.mask != UNLABELLED).mean()), 6)
