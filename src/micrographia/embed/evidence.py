"""What each patch of an image adds to a score that is linear in statistics of feature maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def added_by_patches(
    maps: Sequence[Float[Tensor, "1 _channel _row _column"]],
    strides_px: Sequence[int],
    score: Callable[[list[Tensor]], Float[Tensor, ""]],
    *,
    patch_px: int,
    shape: tuple[int, int],
) -> Float[Tensor, "row column"]:
    """Return what each patch adds to a score of feature maps, to first order.

    The slope of the score along the features at a place times how far these are from their mean over the image, summed
    over the places of all maps in the patch; where a map is coarser than the patches, each gets its share of a place.

    Parameters
    ----------
    maps : sequence of float tensor (1, channel, row, column)
        Of one image.
    strides_px : sequence of int
        Pixels between neighbours in each map; powers of two [px].
    score : callable
        The score of maps.
    patch_px : int
        Side of a patch, a power of two [px].
    shape : (int, int)
        Rows and columns of the patches.

    Examples
    --------
    A score that is the mean of a map: the brighter half raises it, the darker one lowers it.

    >>> halves = torch.tensor([[[[1.0, 1.0, 3.0, 3.0]]]])
    >>> added_by_patches([halves], [8], lambda maps: maps[0].mean(), patch_px=16, shape=(1, 2)).tolist()
    [[-0.5, 0.5]]
    """
    own = [m.detach().clone().requires_grad_() for m in maps]
    steepness = torch.autograd.grad(score(own), own)
    added = torch.zeros(shape)
    for features, slope, stride in zip(maps, steepness, strides_px, strict=True):
        at = (slope * (features - features.mean(dim=(2, 3), keepdim=True))).sum(dim=1, keepdim=True).float()
        if stride < patch_px:
            times = patch_px // stride
            padded = functional.pad(at, (0, -at.shape[3] % times, 0, -at.shape[2] % times))
            at = functional.avg_pool2d(padded, times) * times**2
        elif stride > patch_px:
            times = stride // patch_px
            at = at.repeat_interleave(times, 2).repeat_interleave(times, 3) / times**2
        rows, columns = min(at.shape[2], shape[0]), min(at.shape[3], shape[1])
        added[:rows, :columns] += at[0, 0, :rows, :columns]
    return added
