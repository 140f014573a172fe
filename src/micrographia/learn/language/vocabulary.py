"""Words of the domain as tokens of their own: few, frequent, and none that the tokenizer cuts only once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import torch
from torch import nn

from micrographia.errors import InputError

LEAST_PIECES: Final = 3
_WORD: Final = re.compile(r"[^\W\d_]{4,}")


def domain_words(texts: Iterable[str], tokenizer: Any, *, least_count: int, most: int) -> tuple[str, ...]:
    """Return the words that are worth tokens of their own, most frequent first.

    Accepted are words of four letters or more that the tokenizer cuts into three pieces or more. A word in two pieces
    is left alone: what the base model learned of the two is worth more than a shorter sequence.

    Parameters
    ----------
    texts : iterable of str
        Of the training only.
    tokenizer : object
        Of the transformers library.
    least_count : int
        How often a word must occur.
    most : int
        How many there may be.

    Raises
    ------
    InputError
        The tokenizer is not of the WordPiece kind, for which a new token fits in only as a whole word.
    """
    if not most:
        return ()
    kind = type(tokenizer.backend_tokenizer.model).__name__
    if kind != "WordPiece":
        raise InputError(
            f"the tokenizer of the base is of the kind {kind}; new words are accepted with WordPiece (BERT's) only; "
            "train without them: --new-words 0"
        )
    normalise = tokenizer.backend_tokenizer.normalizer.normalize_str
    counts = Counter(word for text in texts for word in _WORD.findall(normalise(text)))
    frequent = sorted(((n, w) for w, n in counts.items() if n >= least_count), key=lambda pair: (-pair[0], pair[1]))
    known = tokenizer.unk_token
    found = []
    for _, word in frequent:
        pieces = tokenizer.tokenize(word)
        if len(pieces) >= LEAST_PIECES and known not in pieces:
            found.append(word)
    return tuple(found[:most])


def add_words(encoder: nn.Module, tokenizer: Any, words: Sequence[str]) -> None:
    """Give words tokens of their own, whose vectors start as the mean of their pieces'.

    Texts without these words are cut into the same tokens as before; longer words that contain them too.

    Parameters
    ----------
    encoder : Module
        Encoder of the transformers library; changed in place.
    tokenizer : object
        Its tokenizer; changed in place.
    words : sequence of str
        From `domain_words`.
    """
    if not words:
        return
    from tokenizers import AddedToken

    pieces = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in words])
    rows = len(encoder.get_input_embeddings().weight)  # type: ignore[operator]
    # Some checkpoints have more rows than tokens.
    encoder.resize_token_embeddings(max(rows, len(tokenizer)), mean_resizing=False)  # type: ignore[operator]
    table = encoder.get_input_embeddings().weight  # type: ignore[operator]
    with torch.no_grad():
        for word, parts in zip(words, pieces, strict=True):
            table[tokenizer.convert_tokens_to_ids(word)] = table[parts].mean(dim=0)
