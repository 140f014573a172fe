"""What a fused network looked at: which patches, and which sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from micrographia.embed.fusion.language import Spoken
from micrographia.embed.fusion.network import Fused


def looked_at(fused: Fused) -> Float[Tensor, "batch row column"]:
    """Return how much each patch of the finest level was looked at; the sum over an image is 1.

    The mean of what the class token of each level looked at, spread over the finer patches in each of its own, and,
    where there is language, of what the sentences looked at, each by its weight.

    Parameters
    ----------
    fused : Fused
        Of images.
    """
    rows, columns = fused.patches[-1].shape[2:]
    shares = []
    for looked in fused.attention:
        times = rows // looked.shape[1]
        shares.append(functional.interpolate(looked[:, None], scale_factor=times, mode="nearest")[:, 0] / times**2)
    if fused.spoken is not None:
        weights = fused.spoken.sentences.softmax(dim=1)[:, None]
        shares.append((weights @ fused.spoken.patches)[:, 0].reshape(-1, rows, columns))
    return torch.stack(shares).mean(dim=0)


def said(spoken: Sequence[Spoken], sentences: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return sentences with their weights, mean over all images, the heaviest first; none where there is no language.

    Parameters
    ----------
    spoken : sequence of Spoken
        What language made of batches of images.
    sentences : sequence of str
        Of the bank.
    """
    if not spoken:
        return ()
    weights = torch.cat([one.sentences.softmax(dim=1) for one in spoken]).mean(dim=0).tolist()
    return tuple(sorted(zip(sentences, weights, strict=True), key=lambda pair: -pair[1]))
