"""The protocol of all encoders: what they are, and what they make of images and of texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from micrographia.embed.embedding import ImageEmbedding
from micrographia.embed.read_out import PatchEvidence, ReadOut
from micrographia.embed.text_embedding import TextEmbedding
from micrographia.errors import InputError

VERSION_DIGITS: Final = 16


class Encoder:
    """Images, texts or both to vectors; the same vectors every time.

    A kind of encoder derives from this and overrides what it can do, `embed_images`, `embed_texts` or both.

    Parameters
    ----------
    name : str
        What it is called on the command line.
    version : str
        What `version_of` makes of its weights and settings: vectors of two versions never compare.
    sees : bool
        Whether it embeds images.
    reads : bool
        Whether it embeds texts.
    shared_space : bool
        Whether a vector of a text compares with that of a whole image.
    licence : str
        Licence of its weights.
    caution : str
        What its authors warn of.

    Examples
    --------
    >>> what = {"sees": False, "reads": True, "shared_space": False, "licence": "MIT", "caution": ""}
    >>> blind = Encoder(name="blind", version="0123456789abcdef", **what)
    >>> blind.embed_images([np.zeros((64, 64))])
    Traceback (most recent call last):
    micrographia.errors.InputError: encoder blind does not see images; accepted is one that does, see ...
    """

    def __init__(
        self, *, name: str, version: str, sees: bool, reads: bool, shared_space: bool, licence: str, caution: str
    ) -> None:
        self.name = name
        self.version = version
        self.sees = sees
        self.reads = reads
        self.shared_space = shared_space
        self.licence = licence
        self.caution = caution

    def embed_images(
        self, frames: Sequence[Float[np.ndarray, "_height _width"]], *, batch: int = 8
    ) -> Iterator[ImageEmbedding]:
        """Embed images, in their order.

        Parameters
        ----------
        frames : sequence of float array (height, width)
            Grey values in any units; sizes may differ.
        batch : int
            How many go through the network at once: memory and speed depend on it, results do not.

        Yields
        ------
        ImageEmbedding
            Of each image.

        Raises
        ------
        InputError
            The encoder does not see, all pixels of an image are equal, or an image is too small.
        """
        raise InputError(
            f"encoder {self.name} does not see images; accepted is one that does, see `micrographia embed --list`"
        )

    def embed_tiles(
        self, frame: Float[np.ndarray, "height width"], *, side_px: int, step_px: int
    ) -> Float32[np.ndarray, "row column dimension"]:
        """Embed overlapping square tiles of an image, each as if it were an image; the first at the top left.

        Parameters
        ----------
        frame : float array (height, width)
            Grey values in any units.
        side_px : int
            Side of a tile, at most the short side of the image [px].
        step_px : int
            Distance between neighbouring tiles [px].

        Returns
        -------
        float32 array (row, column, dimension)
            The vector of each tile as a whole.

        Raises
        ------
        InputError
            As of `embed_images`; tiles are too small.
        """
        tops, lefts = tile_corners(frame.shape, side_px=side_px, step_px=step_px)
        tiles = [_seen(frame[top : top + side_px, left : left + side_px]) for top in tops for left in lefts]
        wholes = np.stack([embedding.whole for embedding in self.embed_images(tiles)])
        return wholes.reshape(len(tops), len(lefts), -1)

    def read_out(self, frame: Float[np.ndarray, "height width"]) -> ReadOut | None:
        """Return what the encoder attended to in an image; None of encoders that cannot say.

        Parameters
        ----------
        frame : float array (height, width)
            Grey values in any units.

        Raises
        ------
        InputError
            As of `embed_images`.
        """
        return None

    def evidence(
        self, frame: Float[np.ndarray, "height width"], slopes: Float[np.ndarray, " dimension"]
    ) -> PatchEvidence | None:
        """Return what each patch of an image adds to a score; None of encoders that cannot say.

        Parameters
        ----------
        frame : float array (height, width)
            Grey values in any units.
        slopes : float array (dimension,)
            How the score changes with each number of the vector of the whole image.

        Raises
        ------
        InputError
            As of `embed_images`.
        """
        return None

    def embed_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "text dimension"]:
        """Embed texts.

        Parameters
        ----------
        texts : sequence of str
            Not empty, each with at least one word. What is longer than the encoder reads is cut off.

        Returns
        -------
        float32 array (text, dimension)
            One unit vector a text.

        Raises
        ------
        InputError
            The encoder does not read, or there is no text.
        """
        raise InputError(
            f"encoder {self.name} does not read texts; accepted is one that does, see `micrographia embed --list`"
        )

    def embed_tokens(self, texts: Sequence[str]) -> Iterator[TextEmbedding]:
        """Embed texts, each as a whole and token by token.

        Parameters
        ----------
        texts : sequence of str
            As for `embed_texts`.

        Yields
        ------
        TextEmbedding
            Of each text, in their order.

        Raises
        ------
        InputError
            The encoder has no vectors of tokens, or there is no text.
        """
        raise InputError(
            f"encoder {self.name} has no vectors of tokens; accepted are minilm, language:DIR, and describe with either"
        )


def tile_corners(shape: tuple[int, ...], *, side_px: int, step_px: int) -> tuple[range, range]:
    """Return the first rows and the first columns of the tiles that lie within an image.

    Examples
    --------
    >>> tile_corners((100, 130), side_px=64, step_px=32)
    (range(0, 37, 32), range(0, 67, 32))
    """
    height, width = shape
    return range(0, height - side_px + 1, step_px), range(0, width - side_px + 1, step_px)


def _seen(tile: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return a tile that an encoder can see: in one of a single grey a pixel is a little brighter."""
    if tile.min() < tile.max():
        return tile
    seen = tile.copy()
    seen[0, 0] += 1
    return seen


def version_of(weights: Sequence[Path], settings: str) -> str:
    """Return a version that changes with any byte of the weights and with the way images or texts are prepared.

    Parameters
    ----------
    weights : sequence of Path
        Files of weights, and of what turns texts into numbers.
    settings : str
        All that was set in preparing images or texts, in words.

    Returns
    -------
    str
        First 16 hexadecimal digits of a SHA-256.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as home:
    ...     file = Path(home) / "weights"
    ...     _ = file.write_bytes(b"1234")
    ...     version_of([file], "224 px")
    '0cefbfe2debe9155'
    """
    digest = hashlib.sha256()
    for path in weights:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(settings.encode())
    return digest.hexdigest()[:VERSION_DIGITS]


def check_texts(texts: Sequence[str]) -> list[str]:
    """Return texts that can be embedded.

    Raises
    ------
    InputError
        There is none, or one without a word.
    """
    if not texts:
        raise InputError("no texts were given; accepted is at least one")
    for k, text in enumerate(texts):
        if not text.strip():
            raise InputError(f"text {k + 1} of {len(texts)} is empty; give at least one word")
    return list(texts)
