"""What a step looks at: right places, right pairs, and the same whenever it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micrographia.learn.language.batches import Source, encoded_words, two_texts
from micrographia.learn.language.corpus import Corpus, Passage, read_corpus, sentences
from micrographia.learn.language.general import GeneralText
from micrographia.learn.language.network import LanguageNetwork, load_base, new_head
from micrographia.learn.language.settings import LanguageSettings, LossWeights

EVERYDAY = GeneralText(sentences=tuple(f"the image {k} is dark" for k in range(8)))


@pytest.fixture
def source(tiny, records, said):
    base, teacher = load_base(tiny), load_base(tiny)
    return Source(
        corpus=read_corpus(records(said)),
        general=EVERYDAY,
        tokenizer=base.tokenizer,
        settings=LanguageSettings(batch=6),
        teacher=LanguageNetwork(teacher.encoder, new_head(teacher, seed=0), temperature=1.0),
        teacher_tokenizer=teacher.tokenizer,
    )


def same(one, other):
    return all(
        torch.equal(getattr(getattr(one, part), name), getattr(getattr(other, part), name))
        for part in ("masked", "pairs", "general")
        for name in ("tokens", "there")
    )


def test_a_step_is_the_same_whenever_it_is_asked_for_and_other_ranks_see_others(source):
    source.batch(3)
    assert same(source.batch(5), source.batch(5))
    assert not same(source.batch(5), source.batch(6))
    assert not same(source.batch(5), source.batch(5, rank=1))


def test_truth_is_what_stood_at_the_chosen_places(source):
    # At a share of nearly one, nearly all is masked.
    batch = source.batch(0)
    special = torch.tensor(source.tokenizer.all_special_ids)
    assert len(batch.truth) == batch.chosen.sum() > 0
    assert not torch.isin(batch.truth, special).any()
    # Where nothing was chosen, the text is there as it was: each text is one of the corpus but for what was masked.
    corpus = [source.tokenizer(p.text)["input_ids"] for p in source.corpus.passages]
    restored = batch.masked.tokens.clone()
    restored[batch.chosen] = batch.truth
    for row, there in zip(restored, batch.masked.there, strict=True):
        assert row[there.bool()].tolist() in corpus


def test_pairs_are_of_one_image_each(source):
    batch = source.batch(0)
    assert len(batch.pairs.tokens) == 2 * len(batch.image)
    assert batch.image.max() < len(source.spoken_of) == 12


def test_what_is_switched_off_is_not_looked_at(source):
    from dataclasses import replace

    off = LossWeights(masked=0.0, cosine=0.0, relational=0.0, contrastive=1.0)
    batch = replace(source, settings=replace(source.settings, weights=off)).batch(0)
    assert batch.masked is batch.general is batch.before is None
    frozen = replace(source, settings=replace(source.settings, frozen=True, new_words=0)).batch(0)
    assert frozen.pairs is frozen.general is None
    # The control is asked for the same words.
    assert torch.equal(frozen.masked.tokens, source.batch(0).masked.tokens)


def test_general_sentences_come_with_the_vectors_of_the_base(source):
    batch = source.batch(2)
    with torch.no_grad():
        expected = source.teacher.sentence_vectors(batch.general)
    assert torch.equal(batch.before, expected)
    np.testing.assert_allclose(batch.before.norm(dim=1), 1, atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_two_texts_share_no_sentence(seed):
    rng = np.random.default_rng(seed)
    statements = ["A a. B b. C c. D d.", "C c. E e. F f.", "G g."]
    one, other = (set(sentences(text)) for text in two_texts(statements, rng))
    assert one
    assert other
    assert not one & other
    assert len(one) <= 2
    alone = two_texts(statements[:1], rng)
    assert sorted(s for text in alone for s in sentences(text)) == ["A a.", "B b.", "C c.", "D d."]


@pytest.mark.parametrize("seed", range(20))
def test_two_texts_tell_one_fact_where_two_statements_do(seed):
    """Of the numbers of the first statement, 12.5 and 3.41 stand in others too; 77 and 5 do not, or are too common."""
    statements = ["Pores 12.5 %. Contrast 77 %. 5 layers.", "There are 5 edges. 12.5 % are pores.", "Period 3.41 nm."]
    one, other = two_texts(statements, np.random.default_rng(seed))
    if "Period" not in one:
        assert "12.5" in one
        assert "12.5" in other


def test_the_contrastive_loss_has_a_batch_of_its_own(records, said, tiny):
    base, corpus = load_base(tiny), read_corpus(records(said))
    settings = LanguageSettings(batch=2, pairs=5)
    source = Source(corpus=corpus, general=EVERYDAY, tokenizer=base.tokenizer, settings=settings)
    batch = source.batch(0)
    assert len(batch.image) == 5
    assert len(batch.pairs.tokens) == 10
    assert len(batch.masked.tokens) == 2


def test_an_image_of_which_one_sentence_is_known_gives_no_pair(tiny):
    corpus = Corpus(passages=(Passage(images=("i",), text="It is dark.", statement="It is dark."),))
    base = load_base(tiny)
    source = Source(corpus=corpus, general=EVERYDAY, tokenizer=base.tokenizer, settings=LanguageSettings(batch=2))
    assert source.spoken_of == ()
    assert source.batch(0).pairs is None


def test_marks_that_a_text_spells_out_are_no_words(tiny):
    tokenizer = load_base(tiny).tokenizer
    texts, words = encoded_words(tokenizer, ["the [MASK] micrograph", "dark"])
    assert tokenizer.convert_ids_to_tokens(texts.tokens[0][:6]) == [
        "[CLS]",
        "the",
        "[MASK]",
        "micro",
        "##graph",
        "[SEP]",
    ]
    assert words[0].tolist()[:3] == [-1, 0, -1]
    assert words[0][3] == words[0][4] > 0
    assert words[1].tolist() == [-1, 0, *[-1] * 14]
