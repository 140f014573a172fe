"""Which patches a fused network attended to."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from micrographia.embed.fusion.streams import Streams


def looked_at(streams: Streams) -> Float[Tensor, "batch row column"]:
    """Return how much each patch of the finest level was looked at; the sum over an image is 1.

    The mean of what the class token of each level looked at, spread over the finer patches in each of its own, and,
    where there is language, of what the sentences looked at, each by its weight.

    Parameters
    ----------
    streams : Streams
        Of images.
    """
    rows, columns = streams.patches[-1].shape[2:]
    shares = []
    for looked in streams.attention:
        times = rows // looked.shape[1]
        shares.append(functional.interpolate(looked[:, None], scale_factor=times, mode="nearest")[:, 0] / times**2)
    if streams.spoken is not None:
        weights = streams.spoken.sentences.softmax(dim=1)[:, None]
        shares.append((weights @ streams.spoken.patches)[:, 0].reshape(-1, rows, columns))
    return torch.stack(shares).mean(dim=0)
