"""What each step looks at: drawn anew from the seed and the number of the step, so that nothing need be remembered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Int

from micrographia.learn.language.corpus import Corpus, sentences
from micrographia.learn.language.general import GeneralText
from micrographia.learn.language.masking import mask_words
from micrographia.learn.language.network import Batch, LanguageNetwork, Texts
from micrographia.learn.language.settings import MOST_TOKENS, LanguageSettings

_NUMBER: Final = re.compile(r"\d+\.\d+|\d{2,}")
_ROUND: Final = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Where batches come from.

    Parameters
    ----------
    corpus : Corpus
        What is learned from.
    general : GeneralText
        What must go on being understood.
    tokenizer : object
        Of the model in training, of the transformers library.
    settings : LanguageSettings
        How large batches are, and which losses there are.
    teacher : LanguageNetwork, optional
        The base model, where general text is looked at.
    teacher_tokenizer : object, optional
        Its tokenizer.
    """

    corpus: Corpus
    general: GeneralText
    tokenizer: Any
    settings: LanguageSettings
    teacher: LanguageNetwork | None = None
    teacher_tokenizer: Any = None

    @cached_property
    def spoken_of(self) -> tuple[tuple[str, ...], ...]:
        """Statements about each image that allow two texts about it: different ones, or one of several sentences."""
        of: dict[str, dict[str, None]] = {}
        for passage in self.corpus.passages:
            if len(passage.images) == 1:
                of.setdefault(passage.images[0], {})[passage.statement] = None
        said = [tuple(statements) for _, statements in sorted(of.items())]
        return tuple(s for s in said if len(s) > 1 or len(sentences(s[0])) > 1)

    @cached_property
    def replacements(self) -> Int[np.ndarray, " other"]:
        """Numbers of the tokens that may stand in for a masked one."""
        special = set(self.tokenizer.all_special_ids)
        return np.array([k for k in range(len(self.tokenizer)) if k not in special])

    def batch(self, step: int, *, rank: int = 0) -> Batch:
        """Return what a process looks at in a step.

        Parameters
        ----------
        step : int
            Number of the step, from 0.
        rank : int
            Number of the process; each looks at texts of its own.
        """
        rng = np.random.default_rng([self.settings.seed, step, rank])
        weights, count = self.settings.weights, self.settings.batch
        parts: dict[str, Any] = {}
        if weights.masked:
            passages = self.corpus.passages
            parts |= self._masked([passages[k].text for k in rng.choice(len(passages), size=count)], rng)
        if self.settings.frozen:
            return Batch(**parts)
        if weights.contrastive and self.spoken_of:
            images = rng.choice(len(self.spoken_of), size=self.settings.pairs)
            drawn = [two_texts(self.spoken_of[k], rng) for k in images]
            parts["pairs"] = encoded(self.tokenizer, [one for one, _ in drawn] + [other for _, other in drawn])
            parts["image"] = torch.from_numpy(images)
        if weights.general and self.teacher is not None:
            texts = self.general.draw(count, rng)
            parts["general"] = encoded(self.tokenizer, texts)
            device = next(self.teacher.parameters()).device
            with torch.no_grad():
                parts["before"] = self.teacher.sentence_vectors(encoded(self.teacher_tokenizer, texts).to(device))
        return Batch(**parts)

    def _masked(self, texts: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
        clear, words = encoded_words(self.tokenizer, texts)
        tokens = clear.tokens.numpy()
        masked = mask_words(
            tokens,
            words,
            share=self.settings.masked_share,
            mask=self.tokenizer.mask_token_id,
            others=self.replacements,
            rng=rng,
        )
        chosen = torch.from_numpy(masked.chosen)
        seen = Texts(tokens=torch.from_numpy(masked.seen), there=clear.there)
        return {"masked": seen, "chosen": chosen, "truth": clear.tokens[chosen]}


def two_texts(statements: Sequence[str], rng: np.random.Generator) -> tuple[str, str]:
    """Return two texts about an image that share no sentence, but a fact where two statements do.

    One or two sentences of one statement, and one or two of the others. Sentences with a number in common tell the same
    fact in different words: if there are such, one of them is on each side. Of a single statement, two parts of it.

    Examples
    --------
    >>> sorted(two_texts(["It is dark. It is noisy."], np.random.default_rng(0)))
    ['It is dark.', 'It is noisy.']
    >>> two_texts(["Pores: 12.5 %.", "No layers. 12.5 % are pores. No cracks."], np.random.default_rng(1))
    ('Pores: 12.5 %.', '12.5 % are pores.')
    """
    if len(statements) == 1:
        parts = rng.permutation(np.array(sentences(statements[0]), dtype=object))
        half = len(parts) // 2
        return " ".join(parts[:half]), " ".join(parts[half:])
    chosen = int(rng.integers(len(statements)))
    one = sentences(statements[chosen])
    others = dict.fromkeys(s for k, statement in enumerate(statements) if k != chosen for s in sentences(statement))
    rest = tuple(s for s in others if s not in one) or tuple(others)
    facts = [(k, j) for k, a in enumerate(one) for j, b in enumerate(rest) if a != b and _numbers(a) & _numbers(b)]
    first, second = facts[int(rng.integers(len(facts)))] if facts else (None, None)
    return _some(one, first, rng), _some(rest, second, rng)


def _numbers(sentence: str) -> set[str]:
    return set(_NUMBER.findall(sentence))


def _some(of: Sequence[str], wanted: int | None, rng: np.random.Generator) -> str:
    """Return one or two sentences in their order, the wanted one among them."""
    first = int(rng.integers(len(of))) if wanted is None else wanted
    kept = {first, int(rng.integers(len(of)))} if rng.random() < 0.5 else {first}
    return " ".join(of[k] for k in sorted(kept))


def encoded(tokenizer: Any, texts: Sequence[str]) -> Texts:
    """Return texts as tokens; what is longer than `MOST_TOKENS` is cut off."""
    found = _tokens(tokenizer, texts)
    return Texts(tokens=found["input_ids"], there=found["attention_mask"])


def encoded_words(tokenizer: Any, texts: Sequence[str]) -> tuple[Texts, Int[np.ndarray, "text token"]]:
    """Return texts as tokens, and which word each token is a piece of; -1 where it is none."""
    found = _tokens(tokenizer, texts)
    words = np.array([[-1 if w is None else w for w in found.word_ids(k)] for k in range(len(texts))])
    # A text may spell out "[SEP]".
    words[np.isin(found["input_ids"].numpy(), tokenizer.all_special_ids)] = -1
    return Texts(tokens=found["input_ids"], there=found["attention_mask"]), words


def _tokens(tokenizer: Any, texts: Sequence[str]) -> Any:
    # Few different lengths: for each, processors prepare kernels of their own.
    return tokenizer(
        list(texts),
        padding=True,
        truncation=True,
        max_length=MOST_TOKENS,
        pad_to_multiple_of=_ROUND,
        return_tensors="pt",
    )
