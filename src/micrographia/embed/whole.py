"""One vector of a whole micrograph, as it is classified: of the image as it is, or the mean over its tiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float32

from micrographia.embed.cache import cached_embeddings
from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError


def whole_vector(
    encoder: Encoder,
    frame: Float[np.ndarray, "height width"],
    *,
    tile_px: int | None = None,
    note: Callable[[str], None] | None = None,
) -> Float32[np.ndarray, " dimension"]:
    """Return the vector of an image; with tiles the mean of their vectors.

    Encoders that scale an image to a size of their own lose what is fine in a large one; tiles keep it. Tiles lie side
    by side from the top left; a strip narrower than a tile at the right and at the bottom is not looked at.

    Parameters
    ----------
    encoder : Encoder
        One that sees.
    frame : float array (height, width)
        Grey values in any units.
    tile_px : int, optional
        Side of a tile [px]; without it the image counts as it is, and its vector is kept in the cache.
    note : callable, optional
        As of `cached_embeddings`.

    Raises
    ------
    InputError
        The encoder does not see, the image is smaller than a tile or than the encoder can see, or of a single grey.

    Examples
    --------
    >>> from micrographia.embed.choose import load_embedder
    >>> ramp = np.tile(np.linspace(0, 1, 80), (64, 1))
    >>> whole_vector(load_embedder("efficientnet-lite0"), ramp, tile_px=32).shape
    (4096,)
    """
    if tile_px is None:
        (found,) = cached_embeddings(encoder, [frame], note=note)
        return found.whole
    if min(frame.shape) < tile_px:
        height, width = frame.shape
        raise InputError(
            f"the image is {width} x {height} px, less than a tile of {tile_px} px; give smaller tiles with --tile"
        )
    if frame.min() == frame.max():
        raise InputError("all pixels are equal; accepted is an image with something to see")
    tiles = encoder.embed_tiles(frame, side_px=tile_px, step_px=tile_px)
    return np.asarray(tiles.reshape(-1, tiles.shape[-1]).mean(axis=0), dtype=np.float32)
