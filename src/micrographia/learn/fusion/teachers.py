"""What the student learns from: a large image network, what is measured, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from micrographia.cues.texture import TEXTURE_CUES, texture
from micrographia.embed.describe import described, vector_of
from micrographia.embed.encoder import Encoder
from micrographia.embed.fusion.plan import STEM_PX
from micrographia.embed.local import pooled
from micrographia.segment.network.encoder import Encoder as ImageEncoder

SHARPNESS: Final = 0.05
"""By which cosines of captions with sentences are divided, before they become weights."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """What the teachers make of views.

    Parameters
    ----------
    whole : float tensor (batch, dimension)
        Four statistics of all feature maps of the image teachers.
    patches : float tensor (batch, channel, row, column)
        Their maps, side by side on a grid of 16 px.
    cues : float tensor (spoken, cue)
        What is measured on the first of them.
    captions : float tensor (spoken, text_width)
        Unit vectors of the words for it.
    """

    whole: Float[Tensor, "batch dimension"]
    patches: Float[Tensor, "batch channel row column"]
    cues: Float[Tensor, "spoken cue"]
    captions: Float[Tensor, "spoken text_width"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """Mean and spread of a teacher's numbers over many views.

    Parameters
    ----------
    mean, spread : float tensor (dimension,)
        Of each number.
    """

    mean: Float[Tensor, " dimension"]
    spread: Float[Tensor, " dimension"]

    def of_size_one(self, found: Float[Tensor, "*batch dimension"]) -> Float[Tensor, "*batch dimension"]:
        """Return numbers with a mean of 0 and a spread of 1."""
        return (found - self.mean) / self.spread


def scale_of(found: Float[Tensor, "batch dimension"]) -> Scale:
    """Return mean and spread of each number; a spread is no less than a hundredth of the median one.

    Examples
    --------
    >>> scale_of(torch.tensor([[1.0], [3.0]])).of_size_one(torch.tensor([[3.0]])).item()
    1.0
    """
    if not found.shape[1]:
        return Scale(mean=torch.zeros(0), spread=torch.ones(0))
    spread, mean = torch.std_mean(found, dim=0, correction=0)
    return Scale(mean=mean, spread=spread.clamp_min(float(spread.median()) / 100 + 1e-9))


@dataclass(frozen=True, kw_only=True, eq=False)
class Teachers:
    """The teachers, all of them frozen.

    Parameters
    ----------
    sees : tuple of module
        The image teachers, encoders of `segment.network`; none where no loss asks for them.
    reads : Encoder
        The text teacher, an encoder of texts.
    """

    sees: tuple[ImageEncoder, ...]
    reads: Encoder

    @torch.no_grad()
    def targets(
        self,
        views: Float[np.ndarray, "batch side side"],
        *,
        spoken: int,
        bf16: bool,
        answers: Sequence[str | None] | None = None,
    ) -> Targets:
        """Return what the teachers make of views.

        Parameters
        ----------
        views : float array (batch, side, side)
            Of `clean_view`.
        spoken : int
            How many of them, the first, are measured and put into words.
        bf16 : bool
            Whether the image teachers compute in bfloat16.
        answers : sequence of str or None, optional
            What a language model said about each of the spoken ones, in place of the words for what is measured.
        """
        device = next((p.device for sees in self.sees for p in sees.parameters()), torch.device("cpu"))
        images = torch.from_numpy(views)[:, None].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            seen = [[m.float() for m in sees(images)] for sees in self.sees]
        measured = [texture(view) for view in views[:spoken]]
        cues = np.array([vector_of(cues) for cues in measured], dtype=np.float32).reshape(spoken, len(TEXTURE_CUES))
        said = answers or [None] * spoken
        texts = [answer or described(cues).text for answer, cues in zip(said, measured, strict=True)]
        captions = self.reads.embed_texts(texts) if texts else np.zeros((0, 1))
        side = views.shape[1] // STEM_PX
        # Without an image teacher there is nothing to copy.
        none = torch.zeros(len(views), 0), torch.zeros(len(views), 0, side, side)
        return Targets(
            whole=torch.cat([pooled(maps) for maps in seen], dim=1) if seen else none[0],
            patches=torch.cat([_on_patches(maps, side) for maps in seen], dim=1) if seen else none[1],
            cues=torch.from_numpy(cues).to(device),
            captions=torch.from_numpy(captions).to(device),
        )


def _on_patches(maps: Sequence[Tensor], side: int) -> Float[Tensor, "batch channel side side"]:
    """Return maps side by side on a grid of the student's patches, whatever their strides are."""
    return torch.cat([functional.interpolate(m, size=(side, side), mode="area") for m in maps], dim=1)


def near_sentences(
    captions: Float[Tensor, "batch text_width"], bank: Float[Tensor, "sentence text_width"]
) -> Float[Tensor, "batch sentence"]:
    """Return how near each sentence of the bank is to captions, as weights of sum 1.

    Examples
    --------
    >>> near_sentences(torch.eye(2), torch.eye(2)).round(decimals=3).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    cosines = functional.normalize(captions, dim=1) @ functional.normalize(bank, dim=1).T
    return (cosines / SHARPNESS).softmax(dim=1)


def joined(parts: Sequence[Targets]) -> Targets:
    """Return the targets of several batches as of one."""
    return Targets(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})
