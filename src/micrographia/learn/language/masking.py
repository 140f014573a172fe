"""Which words are hidden from a model, and what it sees instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Int

_HIDDEN: Final = 0.8
_REPLACED: Final = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Masked:
    """Texts with words masked.

    Parameters
    ----------
    seen : int array (text, token)
        What the model sees.
    chosen : bool array (text, token)
        Where it must say what stood there.
    """

    seen: Int[np.ndarray, "text token"]
    chosen: Bool[np.ndarray, "text token"]


def mask_words(
    tokens: Int[np.ndarray, "text token"],
    words: Int[np.ndarray, "text token"],
    *,
    share: float,
    mask: int,
    others: Int[np.ndarray, " other"],
    rng: np.random.Generator,
) -> Masked:
    """Choose words at random; of those, mask 80 %, replace 10 % by other tokens, and leave 10 % as they are.

    Whole words: pieces of a word give each other away. J. Devlin et al. (2019), doi:10.18653/v1/N19-1423; Y. Cui et al.
    (2021), doi:10.1109/TASLP.2021.3124365.

    Parameters
    ----------
    tokens : int array (text, token)
        Numbers of the tokens.
    words : int array (text, token)
        Which word of its text a token is a piece of, from 0; -1 where it is none (start, end, filling): never chosen.
    share : float
        Share of words that is chosen.
    mask : int
        Number of the token that stands for a masked one.
    others : int array (other,)
        What chosen tokens may be replaced by.
    rng : numpy.random.Generator
        Chooses.

    Examples
    --------
    >>> tokens, words = np.array([[101, 7, 8, 9, 102]]), np.array([[-1, 0, 1, 1, -1]])
    >>> all_of_them = mask_words(
    ...     tokens, words, share=1.0, mask=103, others=np.arange(5), rng=np.random.default_rng(0))
    >>> all_of_them.chosen.tolist()
    [[False, True, True, True, False]]
    """
    rows = np.arange(len(tokens))[:, None]
    shape = (len(tokens), max(1, int(words.max(initial=0)) + 1))
    chosen = (rng.random(shape) < share)[rows, words] & (words >= 0)
    fate = rng.random(shape)[rows, words]
    seen = np.where(chosen & (fate < _HIDDEN), mask, tokens)
    replaced = chosen & (fate >= _HIDDEN) & (fate < _HIDDEN + _REPLACED)
    seen[replaced] = rng.choice(others, size=int(replaced.sum()))
    return Masked(seen=seen, chosen=chosen)
