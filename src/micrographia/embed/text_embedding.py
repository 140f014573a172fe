"""What an encoder makes of one text: a vector of the whole, and one of each token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int


@dataclass(frozen=True, kw_only=True, eq=False)
class TextEmbedding:
    """A text as vectors.

    Parameters
    ----------
    whole : float32 array (dimension,)
        The unit vector of the text: the mean of its tokens', normalised.
    tokens : tuple of str
        What the text was cut into, with the encoder's own marks of start and end.
    vectors : float32 array (token, dimension)
        Last hidden state at each token.
    spans : int array (token, 2)
        Where a token begins and ends, in characters of the text; equal at marks that are no part of it.
    """

    whole: Float32[np.ndarray, " dimension"]
    tokens: tuple[str, ...]
    vectors: Float32[np.ndarray, "token dimension"]
    spans: Int[np.ndarray, "token 2"]
