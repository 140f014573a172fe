"""What is read from a corpus, and how it is divided."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError, ReadError
from micrographia.learn.language.corpus import (
    Corpus,
    Passage,
    hold_back,
    read_corpus,
    read_images,
    sentences,
)


def test_verified_records_count_with_question_reasoning_and_answer(records, said):
    corpus = read_corpus(records(said))
    assert len(corpus.passages) == 12 * 3 + 1
    assert corpus.images == tuple(sorted(f"i{k}" for k in range(12)))
    described, sized, asked = corpus.passages[:3]
    assert described.statement == said[0]["answer"]
    assert described.text == f"How is the image? {said[0]['answer']}"
    assert sized.text == f"How many pores? {sized.statement} {sized.statement[-2]}"
    assert sized.statement.startswith("The size of pores is ")
    # "no" alone says nothing.
    assert asked.statement == "Is the anisotropy dark? no"
    assert not any("false" in p.text for p in corpus.passages)


@given(st.integers(0, 100), st.floats(0.05, 0.9), st.lists(st.sets(st.integers(0, 9), min_size=1, max_size=2)))
@settings(max_examples=60, deadline=None)
def test_no_image_is_on_both_sides(seed, share, pairs):
    about = [*({k} for k in range(10)), *pairs]
    corpus = Corpus(
        passages=tuple(
            Passage(images=tuple(f"i{k}" for k in sorted(images)), text=str(n), statement=str(n))
            for n, images in enumerate(about)
        )
    )
    kept, held = hold_back(corpus, share=share, seed=seed)
    assert not set(kept.images) & set(held.images)
    assert set(kept.images) | set(held.images) == set(corpus.images)
    assert len(held.images) == max(1, round(share * 10))
    # What is left out is about both sides.
    sides = set(kept.passages) | set(held.passages)
    for passage in set(corpus.passages) - sides:
        assert set(passage.images) & set(kept.images)
        assert set(passage.images) & set(held.images)


def test_images_that_are_named_are_held_back(records, said):
    corpus = read_corpus(records(said))
    kept, held = hold_back(corpus, share=0.1, seed=0, images={"i0", "i5"})
    assert held.images == ("i0", "i5")
    # i0 is compared with i1, which is learned from: that record is on neither side.
    assert len(kept.passages) == 10 * 3
    assert len(held.passages) == 2 * 3
    with pytest.raises(InputError, match="of those alone nothing is said"):
        hold_back(corpus, share=0.1, seed=0, images={"other"})
    with pytest.raises(InputError, match="of the others nothing is said"):
        hold_back(corpus, share=0.1, seed=0, images=corpus.images)


def test_text_files_are_images_and_of_one_file_paragraphs_are(tmp_path):
    (tmp_path / "a.txt").write_text("It is dark.\nVery.\n\nIt is old.", encoding="utf-8")
    alone = read_corpus(tmp_path)
    assert [p.text for p in alone.passages] == ["It is dark. Very.", "It is old."]
    assert alone.images == ("paragraph 1", "paragraph 2")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_text("It is bright.", encoding="utf-8")
    assert read_corpus(tmp_path).images == ("a.txt", "more/b.txt")


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, records, said):
    with pytest.raises(ReadError, match=r"is no folder; accepted is one with records.parquet or .txt files"):
        read_corpus(tmp_path / "nothing")
    with pytest.raises(ReadError, match=r"holds neither records.parquet nor .txt files"):
        read_corpus(tmp_path)
    with pytest.raises(InputError, match=r"none of the 2 records of .* is verified"):
        read_corpus(records([row for row in said if not row["verified"]][:2]))
    with pytest.raises(ReadError, match="has no column reasoning"):
        read_corpus(records([{k: v for k, v in said[0].items() if k != "reasoning"}], tmp_path / "lacking"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "records.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(ReadError, match="cannot be read") as refused:
        read_corpus(tmp_path / "broken")
    assert "\n" not in str(refused.value)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.txt").write_text(" \n\n ", encoding="utf-8")
    with pytest.raises(InputError, match=r"the 1 .txt files of .* are empty"):
        read_corpus(tmp_path / "empty")
    (tmp_path / "empty" / "a.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ReadError, match="accepted is plain text in UTF-8"):
        read_corpus(tmp_path / "empty")
    with pytest.raises(ReadError, match="--held-out"):
        read_images(tmp_path / "nothing")
    (tmp_path / "none").write_text("\n")
    with pytest.raises(InputError, match="names no image"):
        read_images(tmp_path / "none")


def test_full_stops_within_numbers_end_no_sentence():
    assert sentences("It is 2.9 px wide. Is it? It is!") == ("It is 2.9 px wide.", "Is it?", "It is!")
    assert sentences("  ") == ()
