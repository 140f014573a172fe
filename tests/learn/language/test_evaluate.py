"""Surprise at masked words: against closed forms, and the same question to tokenizers that cut otherwise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from micrographia.errors import InputError
from micrographia.learn.language.evaluate import MaskedScore, masked_score
from micrographia.learn.language.network import load_base
from micrographia.learn.language.vocabulary import add_words

TEXTS = ["The anisotropy of the image is dark.", "Many lines, no pores.", "A micrograph shows 3 pores."]


class Knowing(nn.Module):
    """A network that gives the n-th token the logit n, or all of them the same."""

    def __init__(self, tokens, *, blind):
        super().__init__()
        self.row = torch.zeros(tokens) if blind else torch.arange(tokens) * 0.1
        self.asked = []

    def logits(self, texts, chosen):
        self.asked.append((texts.tokens, chosen))
        return self.row.expand(int(chosen.sum()), -1)


def test_who_knows_nothing_is_surprised_by_the_vocabulary(tiny):
    tokenizer = load_base(tiny).tokenizer
    score = masked_score(Knowing(38, blind=True), tokenizer, TEXTS, share=0.4)
    assert score.nats == pytest.approx(score.tokens * math.log(38))
    assert score.token_perplexity == pytest.approx(38)
    assert score.word_perplexity == pytest.approx(38 ** (score.tokens / score.words))
    assert score.bits_per_character == pytest.approx(score.tokens * math.log2(38) / score.characters)


def test_all_words_masked_count_every_character_and_no_space(tiny):
    tokenizer = load_base(tiny).tokenizer
    network = Knowing(38, blind=False)
    score = masked_score(network, tokenizer, TEXTS, share=0.999999)
    assert score.characters == sum(len(text.replace(" ", "")) for text in TEXTS)
    assert score.words == 8 + 6 + 6
    (tokens, chosen), mask = network.asked[0], tokenizer.mask_token_id
    assert (tokens[chosen] == mask).all()
    ids = tokenizer(TEXTS, padding=True, return_tensors="pt")["input_ids"]
    assert torch.equal(tokens[~chosen], ids[~chosen])
    expected = torch.log_softmax(network.row, dim=0)[ids[chosen]]
    assert score.nats == pytest.approx(-float(expected.sum()), rel=1e-5)


def test_tokenizers_that_cut_otherwise_are_asked_for_the_same_words(tiny):
    base, other = load_base(tiny), load_base(tiny)
    add_words(other.encoder, other.tokenizer, ["anisotropy"])
    many = TEXTS * 10
    one, two = (
        masked_score(Knowing(size, blind=True), b.tokenizer, many, seed=5) for size, b in ((38, base), (39, other))
    )
    assert (one.words, one.characters) == (two.words, two.characters)
    assert one.tokens > two.tokens


def test_long_texts_count_up_to_320_characters(tiny):
    tokenizer = load_base(tiny).tokenizer
    long = "dark " * 100
    whole = masked_score(Knowing(38, blind=True), tokenizer, [long[:319]], share=0.999999)
    assert whole.characters == masked_score(Knowing(38, blind=True), tokenizer, [long], share=0.999999).characters


def test_texts_without_a_word_are_refused(tiny):
    with pytest.raises(InputError, match="have no word in them"):
        masked_score(Knowing(38, blind=True), load_base(tiny).tokenizer, ["  "])


def test_perplexities_of_a_score():
    score = MaskedScore(nats=8 * math.log(2), tokens=4, words=2, characters=16)
    assert score.bits_per_character == pytest.approx(0.5)
    assert score.word_perplexity == pytest.approx(16)
    assert score.token_perplexity == pytest.approx(4)
