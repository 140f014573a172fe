"""Which features of the patches of an image go together: second-order statistics of its maps.

How often each feature occurs says nothing of whether two of them occur in the same places. The matrix of their
covariances does, and tells textures apart (T.-Y. Lin et al., 2015, doi:10.1109/ICCV.2015.170). Its square root keeps a
few strong features from outweighing all others (P. Li et al., 2018, doi:10.1109/CVPR.2018.00105).
"""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

_ITERATIONS: Final = 5


def along(
    grid: Float[Tensor, "batch channel row column"], directions: Float[Tensor, "direction channel"]
) -> Float[Tensor, "batch direction row column"]:
    """Return the features of patches along some directions.

    Examples
    --------
    >>> along(torch.tensor([[[[1.0, 2.0]], [[3.0, 5.0]]]]), torch.tensor([[0.5, 0.5]])).tolist()
    [[[[2.0, 3.5]]]]
    """
    return torch.einsum("dc,bcij->bdij", directions, grid)


def relations_of(features: Float[Tensor, "batch direction row column"]) -> Float[Tensor, "batch pair"]:
    """Return how features go together over the patches of each image.

    Parameters
    ----------
    features : float tensor (batch, direction, row, column)
        Of patches.

    Returns
    -------
    float tensor (batch, pair)
        The square root of the matrix of covariances, divided by its trace first: the entries on and above its
        diagonal, row by row. Zeros of an image whose patches are all alike.

    Examples
    --------
    Two features without covariance, of variances 4 and 1:

    >>> features = torch.tensor([[[[2.0, 2.0, -2.0, -2.0]], [[1.0, -1.0, 1.0, -1.0]]]])
    >>> relations_of(features)[0].tolist()  # sqrt(0.8), 0, sqrt(0.2)
    [0.894..., 0.0, 0.447...]
    """
    flat = features.flatten(2)
    flat = flat - flat.mean(dim=2, keepdim=True)
    covariance = flat @ flat.transpose(1, 2) / flat.shape[2]
    count = covariance.shape[1]
    trace = covariance.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None]
    one = torch.eye(count, dtype=flat.dtype, device=flat.device)
    # Newton and Schulz: products only, so that it has a slope everywhere and exports.
    root, inverse = covariance / trace.clamp_min(1e-12), one.expand_as(covariance)
    for _ in range(_ITERATIONS):
        step = (3 * one - inverse @ root) / 2
        root, inverse = root @ step, step @ inverse
    rows, columns = torch.triu_indices(count, count).unbind()
    return root[:, rows, columns]
