"""Words that become tokens: which, and what they start as."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micrographia.errors import InputError
from micrographia.learn.language.network import load_base
from micrographia.learn.language.vocabulary import add_words, domain_words


@pytest.fixture
def base(tiny):
    return load_base(tiny)


def test_words_are_frequent_and_in_three_pieces_or_more(base):
    texts = ["Anisotropy of the micrograph."] * 3 + ["the Anisotropy, dark"]
    # Four times, in four pieces. "micrograph" is in two pieces; "dark" is known; "zebra" would be unknown.
    assert domain_words([*texts, *["zebra"] * 9], base.tokenizer, least_count=4, most=9) == ("anisotropy",)
    assert domain_words(texts, base.tokenizer, least_count=5, most=9) == ()
    assert domain_words(texts, base.tokenizer, least_count=1, most=0) == ()


def test_the_most_frequent_come_first_and_their_number_is_limited():
    from micrographia.embed.texts import packaged_minilm

    tokenizer = load_base(packaged_minilm()).tokenizer
    texts = ["anisotropy skewness skewness spheroidite spheroidite spheroidite histogram"]
    assert domain_words(texts, tokenizer, least_count=1, most=2) == ("spheroidite", "skewness")
    assert domain_words(texts, tokenizer, least_count=2, most=64) == ("spheroidite", "skewness")


def test_a_new_word_starts_as_the_mean_of_its_pieces_and_old_ones_stay(base):
    before = base.encoder.get_input_embeddings().weight.detach().clone()
    pieces = base.tokenizer("anisotropy", add_special_tokens=False)["input_ids"]
    assert len(pieces) == 4
    add_words(base.encoder, base.tokenizer, ["anisotropy"])
    after = base.encoder.get_input_embeddings().weight.detach()
    assert after.shape[0] == before.shape[0] + 1
    assert torch.equal(after[:-1], before)
    new = base.tokenizer.convert_tokens_to_ids("anisotropy")
    np.testing.assert_allclose(after[new], before[pieces].numpy().mean(axis=0), rtol=1e-6)


def test_only_texts_with_the_word_are_cut_otherwise(base):
    others = ["The image shows no micrograph.", "anisotropymicro", "How dark? anisotro"]
    before = [base.tokenizer(text)["input_ids"] for text in others]
    add_words(base.encoder, base.tokenizer, ["anisotropy"])
    assert [base.tokenizer(text)["input_ids"] for text in others] == before
    assert base.tokenizer.tokenize("Is the Anisotropy, of")[1:3] == ["the", "anisotropy"]


def test_a_tokenizer_of_another_kind_learns_no_words(base):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    other = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), unk_token="[UNK]")
    with pytest.raises(InputError, match=r"of the kind BPE; .* train without them: --new-words 0"):
        domain_words(["anisotropy"], other, least_count=1, most=4)
    assert domain_words(["anisotropy"], other, least_count=1, most=0) == ()
