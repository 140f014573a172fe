"""What an encoder makes of an image: one vector of the whole, and one of each patch of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from micrographia.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageEmbedding:
    """An image as vectors.

    Parameters
    ----------
    whole : float32 array (dimension,)
        Of the whole image; of any length, so normalise it before taking cosines.
    patches : float32 array (row, column, patch_dimension)
        Of each patch, from the top left: where in the image the evidence lies. Patches of one encoder compare with each
        other; whether they compare with ``whole`` or with texts is said by the encoder.
    patch_px : float
        Edge of a patch in pixels of the image; a strip narrower than a patch may remain at the right and the bottom.

    Raises
    ------
    InputError
        Wrong number of axes, a value that is not finite, or a patch without a size.

    Examples
    --------
    >>> patches = np.zeros((2, 3, 4), dtype=np.float32)
    >>> ImageEmbedding(whole=np.ones(8, dtype=np.float32), patches=patches, patch_px=16.0).whole.shape
    (8,)
    """

    whole: Float32[np.ndarray, " dimension"]
    patches: Float32[np.ndarray, "row column patch_dimension"]
    patch_px: float

    def __post_init__(self) -> None:
        if self.whole.ndim != 1 or self.patches.ndim != 3 or not self.whole.size or not self.patches.size:
            raise InputError(
                f"vectors have shapes {self.whole.shape} and {self.patches.shape}; accepted are (dimension,) and "
                "(row, column, patch dimension), not empty"
            )
        if not (np.isfinite(self.whole).all() and np.isfinite(self.patches).all()):
            raise InputError("vectors hold values that are not finite; check the image and the encoder's weights")
        if not self.patch_px > 0:
            raise InputError(f"patches are {self.patch_px:g} px; accepted is a positive size")
