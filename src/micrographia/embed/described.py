"""Describe, then compare, as an encoder: an image's measured texture in words, and words, in one space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import numpy as np
from jaxtyping import Float, Float32

from micrographia import __version__
from micrographia.embed.choose import DESCRIBES
from micrographia.embed.describe import describe
from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.encoder import VERSION_DIGITS, Encoder
from micrographia.embed.text_embedding import TextEmbedding


class DescribingEncoder(Encoder):
    """An encoder of texts that sees images by what `describe` says of them.

    Parameters
    ----------
    reader : Encoder
        What embeds texts.
    name : str
        See `Encoder`.
    caution : str
        See `Encoder`.
    """

    def __init__(self, reader: Encoder, *, name: str = DESCRIBES, caution: str) -> None:
        super().__init__(
            name=name,
            # The words change with the software, the vectors with the reader.
            version=f"{reader.version[: VERSION_DIGITS - 6]}{sha256(__version__.encode()).hexdigest()[:6]}",
            sees=True,
            reads=True,
            shared_space=True,
            licence=reader.licence,
            caution=caution,
        )
        self._reader = reader

    def embed_images(
        self, frames: Sequence[Float[np.ndarray, "_height _width"]], *, batch: int = 8
    ) -> Iterator[ImageEmbedding]:
        """Embed the descriptions of images; see `Encoder`. There is one patch, the image."""
        for start in range(0, len(frames), batch):
            texts = [describe(frame).text for frame in frames[start : start + batch]]
            for frame, vector in zip(frames[start : start + batch], self._reader.embed_texts(texts), strict=True):
                yield ImageEmbedding(whole=vector, patches=vector[None, None], patch_px=float(max(frame.shape)))

    def embed_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "text dimension"]:
        """Embed texts; see `Encoder`."""
        return self._reader.embed_texts(texts)

    def embed_tokens(self, texts: Sequence[str]) -> Iterator[TextEmbedding]:
        """Embed texts, each as a whole and token by token; see `Encoder`."""
        return self._reader.embed_tokens(texts)
