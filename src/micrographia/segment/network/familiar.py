"""Whether an image is like those that a model learned from, and how to show it so that it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float32
from scipy.spatial.distance import cdist
from torch.nn import functional

from micrographia.segment.network.encoder import Encoder
from micrographia.segment.network.segmenter import multiple_px

_TILE_PX: Final = 192
_ACROSS: Final = 8
_ACROSS_TO_CHOOSE: Final = 3
_MOST_TILES: Final = 256
_MAGNIFICATIONS: Final = (0.5, 0.7, 1.4, 2.0)
_NEIGHBOURS: Final = 3
_FLOOR: Final = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Familiar:
    """Tiles of the training images, as the encoder sees them.

    Parameters
    ----------
    tile_px : int
        Side of a tile [px].
    mean, sd : float32 array (feature,)
        Mean of each feature over all tiles, and its spread: no less than a tenth of its size, or features in which the
        training images happen to be alike would decide everything.
    tiles : float32 array (tile, feature)
        Standardised features of every tile.
    images : int
        How many training images there were.
    limit : float
        The largest distance of a training image from the others, as `strangeness` measures distance, and more the fewer
        they are: n images say little of how much the next one may differ, so that 1/n of it is added.
    """

    tile_px: int
    mean: Float32[np.ndarray, " feature"]
    sd: Float32[np.ndarray, " feature"]
    tiles: Float32[np.ndarray, "tile feature"]
    images: int
    limit: float


def familiar_from(images: Sequence[Float32[np.ndarray, "height width"]], encoder: Encoder) -> Familiar:
    """Learn what is familiar.

    Parameters
    ----------
    images : sequence of float32 array (height, width)
        Training images, normalised.
    encoder : Encoder
        Encoder.
    """
    multiple = multiple_px(encoder)
    shortest = min(min(image.shape) for image in images)
    # Small images are cut into smaller tiles: of one tile alone nothing could be told.
    tile_px = multiple * max(1, min(_TILE_PX, shortest // 2) // multiple)
    across = max(2, min(_ACROSS, int((_MOST_TILES / len(images)) ** 0.5)))
    by_image = [_features(image, encoder, tile_px=tile_px, look=Look(), across=across) for image in images]
    features = np.concatenate(by_image)
    mean = features.mean(axis=0)
    sd = np.sqrt(features.var(axis=0) + ((_FLOOR * features) ** 2).mean(axis=0)) + 1e-6
    tiles = (features - mean) / sd
    if len(by_image) > 1:
        parts = np.split(np.arange(len(tiles)), np.cumsum([len(f) for f in by_image])[:-1])
    else:
        parts = [np.arange(k, len(tiles), 2) for k in (0, 1)]  # every second tile of one image stands for another
    own = [_distance(tiles[part], np.delete(tiles, part, axis=0)) for part in parts]
    limit = max(own, default=0.0) * (1 + 1 / len(images))
    return Familiar(tile_px=tile_px, mean=mean, sd=sd, tiles=tiles, images=len(images), limit=limit)


@dataclass(frozen=True, kw_only=True)
class Look:
    """How an image is shown to the network.

    Parameters
    ----------
    inverted : bool
        Whether black and white are exchanged.
    magnification : float
        By how much it is enlarged.
    """

    inverted: bool = False
    magnification: float = 1.0

    @property
    def words(self) -> str:
        """What was done to the image, for a person; empty where it is shown as it is."""
        parts = ["with black and white exchanged"] * self.inverted
        if self.magnification != 1:
            parts.append(f"at {self.magnification:g} times its size")
        return " and ".join(parts)


_SIMPLE_FIRST: Final = (
    (Look(inverted=True), *(Look(magnification=m) for m in _MAGNIFICATIONS)),
    tuple(Look(inverted=True, magnification=m) for m in _MAGNIFICATIONS),
)
"""Looks that change one thing, and then those that change two: each step must be worth it."""


def strangeness(
    image: Float32[np.ndarray, "height width"], encoder: Encoder, familiar: Familiar, *, look: Look | None = None
) -> float | None:
    """Return how far an image is from the training images: 1 is as far as the strangest of them is from the others.

    Parameters
    ----------
    image : float32 array (height, width)
        Normalised grey values.
    encoder : Encoder
        The encoder that made ``familiar``.
    familiar : Familiar
        What is familiar.
    look : Look, optional
        How the image is shown; by default as it is.

    Returns
    -------
    float, optional
        Distance of the middle tile over that of the strangest training image; None where there was too little to
        learn from.
    """
    if familiar.limit <= 0:
        return None
    features = _features(image, encoder, tile_px=familiar.tile_px, look=look or Look(), across=_ACROSS)
    return _distance((features - familiar.mean) / familiar.sd, familiar.tiles) / familiar.limit


def most_familiar_look(
    image: Float32[np.ndarray, "height width"], encoder: Encoder, familiar: Familiar, *, nearer: float = 0.1
) -> Look:
    """Return how to show an image so that it looks most like the training images.

    Another detector may exchange black and white, and another magnification makes the same structure larger. Both are
    tried. The image is shown as it is unless another look is clearly more familiar.

    Parameters
    ----------
    image : float32 array (height, width)
        Normalised grey values.
    encoder : Encoder
        The encoder that made ``familiar``.
    familiar : Familiar
        What is familiar.
    nearer : float
        By how much of the distance another look must be nearer, and more the fewer training images there are: twice as
        much for one.
    """

    def distance(look: Look) -> float:
        features = _features(image, encoder, tile_px=familiar.tile_px, look=look, across=_ACROSS_TO_CHOOSE)
        return _distance((features - familiar.mean) / familiar.sd, familiar.tiles)

    chosen, nearest = Look(), distance(Look())
    for looks in _SIMPLE_FIRST:
        distances = [distance(look) for look in looks]
        best = int(np.argmin(distances))
        if distances[best] < (1 - nearer * (1 + 1 / familiar.images)) * nearest:
            chosen, nearest = looks[best], distances[best]
    return chosen


def _distance(tiles: np.ndarray, others: np.ndarray) -> float:
    """Return the median over tiles of the mean distance to their nearest neighbours among others."""
    if not len(tiles) or not len(others):
        return 0.0
    distances = np.sort(cdist(tiles, others), axis=1)[:, :_NEIGHBOURS]
    return float(np.median(distances.mean(axis=1)))


def _features(
    image: Float32[np.ndarray, "height width"], encoder: Encoder, *, tile_px: int, look: Look, across: int
) -> Float32[np.ndarray, "tile feature"]:
    """Return means and standard deviations of the encoder's maps over tiles spread evenly over an image."""
    device = next(encoder.parameters()).device
    rows = []
    encoder.eval()
    with torch.no_grad():
        for tile in tiles(image, look, side_px=tile_px, across=across):
            parts = [v for m in encoder(tile.to(device)) for v in (m.mean(dim=(2, 3)), m.std(dim=(2, 3)))]
            rows.append(torch.cat(parts, 1)[0].cpu().numpy())
    return np.stack(rows).astype(np.float32)


def tiles(
    image: Float32[np.ndarray, "height width"], look: Look, *, side_px: int, across: int, overlapping: bool = False
) -> Iterator[torch.Tensor]:
    """Yield square parts (1, 1, side, side), spread evenly over an image, as the network is shown them.

    Parameters
    ----------
    image : float32 array (height, width)
        Normalised grey values; one smaller than a part is mirrored at its edges.
    look : Look
        How the image is shown.
    side_px : int
        Side of a part as it is shown [px].
    across : int
        Most parts along each side of the image.
    overlapping : bool
        Whether parts may overlap, so that nothing is left out between them; else there are fewer.
    """
    cut = max(round(side_px / look.magnification), 1)
    padded = np.pad(image, [(0, max(cut - n, 0)) for n in image.shape], mode="symmetric")
    counts = [max(1, min(-(-n // cut) if overlapping else n // cut, across)) for n in padded.shape]
    corners = [np.linspace(0, n - cut, k).astype(int) for n, k in zip(padded.shape, counts, strict=True)]
    for top, left in itertools.product(*corners):
        part = torch.from_numpy(np.ascontiguousarray(padded[top : top + cut, left : left + cut]))
        yield shown(part[None, None], look, (side_px, side_px))


def shown(image: torch.Tensor, look: Look, size: tuple[int, int]) -> torch.Tensor:
    """Return an image (batch, 1, height, width) as the network is shown it, at a size that it takes."""
    image = -image if look.inverted else image
    if tuple(image.shape[-2:]) == size:
        return image
    return functional.interpolate(image, size=size, mode="bilinear", antialias=look.magnification < 1)
