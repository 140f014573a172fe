"""How well masked words are told, counted so that models with different tokens compare."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional

from micrographia.errors import InputError
from micrographia.learn.language.network import LanguageNetwork, Texts

_UNIT: Final = re.compile(r"\w+|[^\w\s]")
_MOST_CHARACTERS: Final = 320
_BATCH: Final = 16


@dataclass(frozen=True, kw_only=True)
class MaskedScore:
    """How surprising masked words were.

    Parameters
    ----------
    nats : float
        Sum over all masked words.
    tokens, words, characters : int
        How much was masked.
    """

    nats: float
    tokens: int
    words: int
    characters: int

    @property
    def bits_per_character(self) -> float:
        """The measure that does not depend on how words are cut into tokens."""
        return self.nats / math.log(2) / self.characters

    @property
    def word_perplexity(self) -> float:
        """Of a masked word; all its pieces are masked at once. Does not depend on the cutting either."""
        return math.exp(self.nats / self.words)

    @property
    def token_perplexity(self) -> float:
        """Of a masked token; compares only where tokens are the same."""
        return math.exp(self.nats / self.tokens)


def masked_score(
    network: LanguageNetwork,
    tokenizer: Any,
    texts: Sequence[str],
    *,
    share: float = 0.15,
    seed: int = 0,
    device: torch.device | None = None,
) -> MaskedScore:
    """Mask words, and measure how surprising they are to the model.

    Which words, and that punctuation counts as one, is decided on the text itself and by the seed, never by the
    tokenizer: two models are asked the same. All pieces of a word are masked together, and each is told without the
    others; a model that cuts a word into more pieces sees from them how long it is.

    Parameters
    ----------
    network : LanguageNetwork
        Encoder and head.
    tokenizer : object
        Its tokenizer.
    texts : sequence of str
        That were not learned from. Of longer ones the first 320 characters count.
    share : float
        Share of words that is masked; at least one of each text is.
    seed : int
        Chooses the words.
    device : torch.device, optional
        Where the network is; by default the processor.

    Raises
    ------
    InputError
        There is no word in the texts.
    """
    rng = np.random.default_rng(seed)
    nats, tokens, words, characters = 0.0, 0, 0, 0
    special = torch.tensor(tokenizer.all_special_ids)
    place = torch.device("cpu") if device is None else device
    for start in range(0, len(texts), _BATCH):
        some = [_cut(text) for text in texts[start : start + _BATCH]]
        spans = [_chosen(text, share, rng) for text in some]
        found = tokenizer(some, padding=True, return_tensors="pt", return_offsets_mapping=True)
        ids, offsets = found["input_ids"], found["offset_mapping"].numpy()
        chosen = np.zeros(ids.shape, dtype=bool)
        for row, places in enumerate(spans):
            # Of tokens that begin with a space, as byte-pair tokens may, the end tells which word they belong to.
            within = [(offsets[row, :, 1] > a) & (offsets[row, :, 1] <= b) for a, b in places]
            told = [place for place, where in zip(places, within, strict=True) if where.any()]
            chosen[row] = np.any(within, axis=0) if within else False
            words += len(told)
            characters += sum(b - a for a, b in told)
        where = torch.from_numpy(chosen) & ~torch.isin(ids, special)
        if not where.any():
            continue
        seen = Texts(tokens=ids.masked_fill(where, tokenizer.mask_token_id), there=found["attention_mask"])
        with torch.inference_mode():
            logits = network.logits(seen.to(place), where.to(place)).cpu()
            nats += float(functional.cross_entropy(logits, ids[where], reduction="sum"))
        tokens += int(where.sum())
    if not tokens:
        raise InputError("the texts that were held back have no word in them; accepted are sentences")
    return MaskedScore(nats=nats, tokens=tokens, words=words, characters=characters)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS].rsplit(" ", 1)[0]


def _chosen(text: str, share: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return the spans of the words that are masked."""
    spans = [match.span() for match in _UNIT.finditer(text)]
    if not spans:
        return []
    chosen = rng.random(len(spans)) < share
    if not chosen.any():
        chosen[rng.integers(len(spans))] = True
    return [span for span, yes in zip(spans, chosen, strict=True) if yes]
