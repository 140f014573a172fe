"""The directions of features of which the student counts how they go together."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from micrographia.embed.fusion.network import RELATED_LEVELS, FusionNetwork

_BATCH = 8


@torch.no_grad()
def point(network: FusionNetwork, views: Float[np.ndarray, "view side side"]) -> None:
    """Set the directions of a network to the principal ones of what its stem sees in views.

    Of the covariance of features over the patches of each view, divided by its trace so that views of much contrast
    do not rule, the mean over all views and levels on which relations count.

    Parameters
    ----------
    network : FusionNetwork
        Whose directions are set; those of patches and those of the map at 8 px.
    views : float array (view, side, side)
        Of `clean_view`.
    """
    sums: dict[str, list[Tensor]] = {"patch_directions": [], "fine_directions": []}
    for k in range(0, len(views), _BATCH):
        image = torch.from_numpy(views[k : k + _BATCH])[:, None]
        for level in range(RELATED_LEVELS if len(network.plan.blocks) > 1 else 1):
            maps = network.stem(functional.avg_pool2d(image, 2**level))
            sums["patch_directions"].append(_covariances(maps[-1]))
            if level == 0:
                sums["fine_directions"].append(_covariances(maps[-2]))
    for name, found in sums.items():
        directions: Tensor = getattr(network, name)
        _, vectors = torch.linalg.eigh(torch.cat(found).sum(dim=0))
        principal = vectors.flip(1)[:, : len(directions)].T
        # An eigenvector may as well be its opposite: let the largest entry be positive, on all machines.
        largest = principal.gather(1, principal.abs().argmax(dim=1, keepdim=True))
        directions.copy_((principal * largest.sign()).float())


def _covariances(grid: Float[Tensor, "batch channel row column"]) -> Float[Tensor, "batch channel channel"]:
    flat = grid.flatten(2).double()
    flat = flat - flat.mean(dim=2, keepdim=True)
    covariances = flat @ flat.transpose(1, 2)
    traces = covariances.diagonal(dim1=1, dim2=2).sum(dim=1).clamp_min(1e-12)
    return covariances / traces[:, None, None]
