"""Whether an image is like those that a model learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float32
from scipy.spatial import KDTree

from micrographia.segment.network.encoder import Encoder
from micrographia.segment.network.segmenter import multiple_px

_TILE_PX: Final = 192
_MOST_TILES: Final = 64
_COMPONENTS: Final = 24
_NEIGHBOURS: Final = 3
_FLOOR: Final = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Familiar:
    """Tiles of the training images, as the encoder sees them.

    Parameters
    ----------
    mean : float32 array (feature,)
        Mean of the features over all tiles.
    axes : float32 array (feature, component)
        Turns features into components of equal spread.
    tiles : float32 array (tile, component)
        Components of every tile.
    limit : float
        The largest distance of a training image from the others, as `strangeness` measures distance.
    """

    mean: Float32[np.ndarray, " feature"]
    axes: Float32[np.ndarray, "feature component"]
    tiles: Float32[np.ndarray, "tile component"]
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
    by_image = [_features(image, encoder) for image in images]
    features = np.concatenate(by_image)
    mean = features.mean(axis=0)
    centred = features - mean
    # Directions in which the training images do not differ count as if they differed a little: else any other image
    # would be infinitely strange there.
    _, spread, directions = np.linalg.svd(centred / np.sqrt(len(features)), full_matrices=False)
    count = min(_COMPONENTS, len(spread))
    floor = max(0.1 * float(spread[0]), _FLOOR)
    axes = (directions[:count] / np.maximum(spread[:count], floor)[:, None]).T.astype(np.float32)
    tiles = (centred @ axes).astype(np.float32)
    if len(by_image) > 1:
        ends = np.cumsum([len(f) for f in by_image])
        own = [
            _distance(tiles[e - len(f) : e], np.delete(tiles, np.s_[e - len(f) : e], 0))
            for f, e in zip(by_image, ends, strict=True)
        ]
    else:
        # One image: its halves stand for two.
        half = max(len(tiles) // 2, 1)
        own = [_distance(tiles[:half], tiles[half:]), _distance(tiles[half:], tiles[:half])]
    return Familiar(mean=mean.astype(np.float32), axes=axes, tiles=tiles, limit=max(own, default=0.0))


def strangeness(image: Float32[np.ndarray, "height width"], encoder: Encoder, familiar: Familiar) -> float | None:
    """Return how far an image is from the training images: 1 is as far as the strangest of them is from the others.

    Parameters
    ----------
    image : float32 array (height, width)
        Normalised grey values.
    encoder : Encoder
        The encoder that made ``familiar``.
    familiar : Familiar
        What is familiar.

    Returns
    -------
    float, optional
        Distance of the middle tile over that of the strangest training image; None where there was too little to
        learn from.
    """
    if familiar.limit <= 0:
        return None
    features = _features(image, encoder)
    return _distance((features - familiar.mean) @ familiar.axes, familiar.tiles) / familiar.limit


def _distance(tiles: np.ndarray, others: np.ndarray) -> float:
    """Return the median over tiles of the mean distance to their nearest neighbours among others."""
    if not len(tiles) or not len(others):
        return 0.0
    distances, _ = KDTree(others).query(tiles, k=list(range(1, min(_NEIGHBOURS, len(others)) + 1)))
    return float(np.median(distances.mean(axis=1)))


def _features(image: Float32[np.ndarray, "height width"], encoder: Encoder) -> Float32[np.ndarray, "tile feature"]:
    """Return means and standard deviations of the encoder's maps over tiles spread evenly over an image."""
    side = multiple_px(encoder) * max(1, round(_TILE_PX / multiple_px(encoder)))
    padded = np.pad(image, [(0, max(side - n, 0)) for n in image.shape], mode="symmetric")
    across = [max(1, min(n // side, 8)) for n in padded.shape]
    corners = [np.linspace(0, n - side, k).astype(int) for n, k in zip(padded.shape, across, strict=True)]
    rows = []
    encoder.eval()
    with torch.no_grad():
        for top in corners[0]:
            for left in corners[1]:
                tile = np.ascontiguousarray(padded[top : top + side, left : left + side])
                maps = encoder(torch.from_numpy(tile)[None, None].to(next(encoder.parameters()).device))
                parts = [v for m in maps for v in (m.mean(dim=(2, 3)), m.std(dim=(2, 3)))]
                rows.append(torch.cat(parts, 1)[0].cpu().numpy())
    return np.stack(rows[:_MOST_TILES]).astype(np.float32)
