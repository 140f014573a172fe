"""What a language model is asked for: masked words, general text as before, sentences about one image together."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


def masked_loss(logits: Float[Tensor, "masked token"], truth: Int[Tensor, " masked"]) -> Float[Tensor, ""]:
    """Return the mean surprise at the tokens that were masked [nats]; 0 where none was.

    J. Devlin et al. (2019), doi:10.18653/v1/N19-1423.

    Parameters
    ----------
    logits : float tensor (masked, token)
        Of every token of the vocabulary at each masked place.
    truth : int tensor (masked,)
        What stood there.

    Examples
    --------
    >>> masked_loss(torch.zeros(3, 8), torch.tensor([0, 1, 2])).item()  # knows nothing: ln 8
    2.079...
    """
    if not len(truth):
        return logits.sum()
    return functional.cross_entropy(logits, truth)


def cosine_loss(vectors: Float[Tensor, "text dimension"], before: Float[Tensor, "text dimension"]) -> Float[Tensor, ""]:
    """Return by how much sentence vectors turned away from the base model's: the mean of 1 - cosine.

    Parameters
    ----------
    vectors, before : float tensor (text, dimension)
        Unit vectors of the same texts, of the model in training and of the base model.

    Examples
    --------
    >>> east, north = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> cosine_loss(east, north).item(), cosine_loss(east, east).item()
    (1.0, 0.0)
    """
    return (1 - (vectors * before).sum(dim=1)).mean()


def relational_loss(
    vectors: Float[Tensor, "text dimension"], before: Float[Tensor, "text dimension"]
) -> Float[Tensor, ""]:
    """Return by how much the similarity of two sentences changed: the mean squared difference of their cosines.

    Turning all vectors alike changes nothing here, as it changes no comparison of texts. After W. Park et al. (2019),
    doi:10.1109/CVPR.2019.00409, with cosines for distances.

    Parameters
    ----------
    vectors, before : float tensor (text, dimension)
        Unit vectors of the same two texts or more, of the model in training and of the base model.

    Examples
    --------
    >>> together = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> relational_loss(together, torch.eye(2)).item()
    1.0
    """
    off_diagonal = ~torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    difference = vectors @ vectors.T - before @ before.T
    return difference[off_diagonal].square().mean()


def contrastive_loss(
    one: Float[Tensor, "pair dimension"],
    other: Float[Tensor, "pair dimension"],
    image: Int[Tensor, " pair"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Return the mean surprise at which text belongs to which, in both directions [nats].

    The n-th of ``one`` belongs to the n-th of ``other``. Another pair about the same image is no wrong answer, so it
    is left out. A. van den Oord et al. (2018), arXiv:1807.03748; T. Gao et al. (2021),
    doi:10.18653/v1/2021.emnlp-main.552.

    Parameters
    ----------
    one, other : float tensor (pair, dimension)
        Unit vectors of two texts about the same image.
    image : int tensor (pair,)
        Number of the image of each pair.
    temperature : float
        By which cosines are divided.

    Examples
    --------
    >>> image = torch.tensor([0, 1])
    >>> contrastive_loss(torch.eye(2), torch.eye(2), image, temperature=1.0).item()  # ln(1 + 1/e)
    0.313...
    """
    cosines = one @ other.T / temperature  # (pair, pair)
    same = (image[:, None] == image[None, :]) & ~torch.eye(len(image), dtype=torch.bool, device=image.device)
    cosines = cosines.masked_fill(same, -torch.inf)
    right = torch.arange(len(image), device=image.device)
    return (functional.cross_entropy(cosines, right) + functional.cross_entropy(cosines.T, right)) / 2
