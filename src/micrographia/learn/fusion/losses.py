"""What the student is asked for: each loss by itself."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_TOLERANCE: Final = 1.0


def squared(found: Float[Tensor, "*batch dimension"], wanted: Float[Tensor, "*batch dimension"]) -> Float[Tensor, ""]:
    """Return how far vectors are from those of a teacher: Huber's loss, so that rare large values do not rule.

    Parameters
    ----------
    found, wanted : float tensor (..., dimension)
        Of student and teacher, of like spread in each dimension.

    Examples
    --------
    >>> squared(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 3.0]])).item()  # (1/2 + 5/2) / 2
    1.5
    """
    return functional.huber_loss(found, wanted, delta=_TOLERANCE)


def turned(found: Float[Tensor, "batch dimension"], wanted: Float[Tensor, "batch dimension"]) -> Float[Tensor, ""]:
    """Return by how much vectors are turned away from a teacher's: the mean of 1 - cosine.

    Examples
    --------
    >>> turned(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])).item()
    1.0
    """
    return (1 - functional.cosine_similarity(found, wanted, dim=1)).mean()


def chosen(logits: Float[Tensor, "batch sentence"], wanted: Float[Tensor, "batch sentence"]) -> Float[Tensor, ""]:
    """Return how far the weights of sentences are from a teacher's: Kullback-Leibler divergence, mean [nats].

    Parameters
    ----------
    logits : float tensor (batch, sentence)
        Of the student.
    wanted : float tensor (batch, sentence)
        The teacher's weights; their sum is 1.

    Examples
    --------
    >>> chosen(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).item()  # ln 2
    0.693...
    """
    return functional.kl_div(logits.log_softmax(dim=1), wanted, reduction="batchmean")


def told_apart(
    one: Float[Tensor, "image dimension"], other: Float[Tensor, "image dimension"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the mean surprise at which view belongs to which, in both directions [nats].

    A. van den Oord et al. (2018), arXiv:1807.03748; T. Chen et al. (2020), arXiv:2002.05709.

    Parameters
    ----------
    one, other : float tensor (image, dimension)
        Of two views of each image.
    temperature : float
        By which cosines are divided.

    Examples
    --------
    >>> told_apart(torch.eye(2), torch.eye(2), temperature=1.0).item()  # ln(1 + 1/e)
    0.313...
    """
    cosines = functional.normalize(one, dim=1) @ functional.normalize(other, dim=1).T / temperature
    right = torch.arange(len(one), device=one.device)
    return (functional.cross_entropy(cosines, right) + functional.cross_entropy(cosines.T, right)) / 2
