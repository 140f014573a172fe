"""Patches beside those of accepted images: how much of a sample is like nothing that was accepted.

A thing that was never accepted, such as a crack or a satellite, takes up a small part of an image and hardly moves
what stands for the whole. So each patch is held against the most similar patch of an accepted image, and the patches
that are least like any count (memory banks of patches: Roth et al. 2022, arXiv 2106.08265; cosines and the mean of the
farthest: Damm et al. 2024, arXiv 2405.14529). Here patches are first centred and scaled by all references, rejected
ones too: what all images of a task share says nothing, and without that step cosines see little else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch.nn import functional

from micrographia.qualify.similarity.shrunken import Standard, directions, standard_of

GRID: Final = 8
"""Patches along an edge of an image, whatever its size."""

LEAST_ACCEPTED: Final = 3
"""Accepted specimens from which patches are compared: two others must remain for each that is left out."""

_TELLING: Final = 0.1
"""Share of patches, those least like any that was accepted, that count."""


def pooled_patches(
    patches: Float32[np.ndarray, "row column dimension"],
) -> Float32[np.ndarray, "grid_row grid_column dimension"]:
    """Return patches averaged over an 8 x 8 grid; where there are fewer, neighbours in the grid share them.

    A single patch stays one: an encoder that sees no parts of an image has none to compare.

    Examples
    --------
    >>> fine = np.arange(256, dtype=np.float32).reshape(16, 16, 1)
    >>> pooled_patches(fine).shape, float(pooled_patches(fine)[0, 0, 0])
    ((8, 8, 1), 8.5)
    """
    if patches.shape[:2] == (1, 1):
        return patches
    channels_first = torch.from_numpy(np.ascontiguousarray(patches.transpose(2, 0, 1)))
    return np.asarray(functional.adaptive_avg_pool2d(channels_first, GRID).permute(1, 2, 0).numpy())


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchBank:
    """Patches of images side by side, and how far each is from any other image. No side is taken yet.

    Parameters
    ----------
    standard : Standard
        Centre and scale of the references' patches.
    unit : float32 array (image, patch, dimension)
        Patches centred, scaled, and of length 1.
    distance : float32 array (image, patch, image)
        1 less the cosine of each patch to the most similar patch of each image.
    """

    standard: Standard
    unit: Float32[np.ndarray, "image patch dimension"]
    distance: Float32[np.ndarray, "image patch other"]

    def only(self, rows: Int[np.ndarray, " row"]) -> PatchBank:
        """Return some of the images."""
        return PatchBank(standard=self.standard, unit=self.unit[rows], distance=self.distance[rows][:, :, rows])


def patch_bank(patches: Float32[np.ndarray, "reference patch dimension"]) -> PatchBank:
    """Put the patches of references side by side.

    Examples
    --------
    >>> patches = np.array([[[0.0, 1.0]], [[0.0, -1.0]], [[1.0, 0.0]]], dtype=np.float32)
    >>> patch_bank(patches).distance[0, 0].astype(float).round(2).tolist()
    [0.0, 1.73, 1.37]
    """
    standard = standard_of(patches.reshape(-1, patches.shape[2]))
    own = _units(standard, patches)
    return PatchBank(standard=standard, unit=own, distance=_distance(own, own))


def joined(bank: PatchBank, patches: Float32[np.ndarray, "patch dimension"]) -> PatchBank:
    """Return a bank with one more image, the last; centre and scale stay those of the references."""
    new = _units(bank.standard, patches[None])
    to_new, from_new = _distance(bank.unit, new), _distance(new, bank.unit)
    count, many = bank.distance.shape[:2]
    distance = np.zeros((count + 1, many, count + 1), dtype=np.float32)
    distance[:count, :, :count], distance[:count, :, count:], distance[count:, :, :count] = (
        bank.distance,
        to_new,
        from_new,
    )
    return PatchBank(standard=bank.standard, unit=np.concatenate([bank.unit, new]), distance=distance)


def patch_net(
    distance: Float32[np.ndarray, "image patch other"],
    accepted: Bool[np.ndarray, " other"],
    others: Bool[np.ndarray, "image other"],
) -> Float[np.ndarray, " image"]:
    """Return how like accepted images the least familiar tenth of each image's patches is.

    Parameters
    ----------
    distance : float32 array (image, patch, other)
        As in `PatchBank`.
    accepted : bool array (other,)
        Which of the others were accepted.
    others : bool array (image, other)
        Which of them each image may be compared with: not with itself, nor with its own specimen.

    Returns
    -------
    float array (image,)
        Less than the mean distance of these patches, from -2 to 0; higher is more acceptable. -2 where there is nothing
        accepted to compare with.

    Examples
    --------
    >>> distance = np.array([[[0.0, 0.3], [0.0, 0.5]]], dtype=np.float32)
    >>> patch_net(distance, np.array([True, True]), np.array([[False, True]])).round(2).tolist()
    [-0.5]
    """
    nearest = np.where((others & accepted)[:, None, :], distance, 2.0).min(axis=2, initial=2.0)
    telling = _telling(nearest.shape[1])
    net: Float[np.ndarray, " image"] = -np.sort(nearest, axis=1)[:, -telling:].mean(axis=1, dtype=np.float64)
    return net


def least_familiar(
    bank: PatchBank, accepted: Bool[np.ndarray, " reference"], patches: Float32[np.ndarray, "patch dimension"]
) -> Bool[np.ndarray, "grid_row grid_column"]:
    """Return which patches of a sample are the tenth that is least like any accepted one: those that count.

    Parameters
    ----------
    bank : PatchBank
        The references.
    accepted : bool array (reference,)
        Which were accepted, one at least.
    patches : float32 array (patch, dimension)
        Of the sample, row by row of the grid.
    """
    nearest = _distance(_units(bank.standard, patches[None]), bank.unit)[0][:, accepted].min(axis=1)
    telling = np.zeros(len(patches), dtype=bool)
    telling[np.argsort(nearest, kind="stable")[-_telling(len(patches)) :]] = True
    return telling.reshape(GRID, GRID)


def left_out_patches(
    bank: PatchBank, accepted: Bool[np.ndarray, " image"], groups: Int[np.ndarray, " image"]
) -> Float[np.ndarray, " image"]:
    """Return `patch_net` of each image of a bank, compared with accepted images of other groups."""
    return patch_net(bank.distance, accepted, groups[:, None] != groups[None, :])


def net_to_bank(
    bank: PatchBank, accepted: Bool[np.ndarray, " reference"], samples: Float32[np.ndarray, "sample patch dimension"]
) -> Float[np.ndarray, " sample"]:
    """Return `patch_net` of samples, compared with all accepted references."""
    distance = _distance(_units(bank.standard, samples), bank.unit)
    return patch_net(distance, accepted, np.ones((len(samples), len(accepted)), dtype=bool))


def _telling(patches: int) -> int:
    return max(1, round(_TELLING * patches))


def _units(
    standard: Standard, patches: Float32[np.ndarray, "image patch dimension"]
) -> Float32[np.ndarray, "image patch dimension"]:
    return directions(standard.of(patches.reshape(-1, patches.shape[2]))).reshape(patches.shape)


def _distance(
    one: Float32[np.ndarray, "image patch dimension"], other: Float32[np.ndarray, "other patch dimension"]
) -> Float32[np.ndarray, "image patch other"]:
    """Return the distance of each patch of one to the nearest patch of each image of the other, image by image."""
    every = other.reshape(-1, other.shape[2]).T
    distance = np.empty((len(one), one.shape[1], len(other)), dtype=np.float32)
    for k, patches in enumerate(one):
        nearest = (patches @ every).reshape(len(patches), len(other), -1).max(axis=2)
        distance[k] = np.maximum(1 - nearest, 0)  # rounding
    return distance
