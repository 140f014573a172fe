"""The teacher that words measured facts: true, varied, and the same every time."""

import asyncio
import re
from collections import defaultdict

import pytest

from micrographia.errors import TeacherError
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.prompts.render import render
from micrographia.instruct.tasks.plan import plan
from micrographia.instruct.tasks.words import measured
from micrographia.instruct.teachers.cues import CuesTeacher, word


@pytest.fixture(scope="module")
def replies(many):
    by_hash = {subject.sha256: subject for subject in many}
    planned = plan(many, per_image=15, seed=4)
    return [(asked, word(asked, [by_hash[sha] for sha in asked.images])) for asked in planned]


def test_the_same_question_is_always_answered_in_the_same_words(many):
    by_hash = {subject.sha256: subject for subject in many}
    asked = plan(many, per_image=2, seed=4)[0]
    subjects = [by_hash[sha] for sha in asked.images]
    teacher = CuesTeacher()
    prompt = render(asked, subjects, shots=0, reasoning=True)
    first, second = (asyncio.run(teacher.reply(asked, prompt, subjects)) for _ in range(2))
    assert first == second == word(asked, subjects)
    assert (first.usage.output_tokens, first.usage.cost_usd) == (0, 0.0)


def test_sentences_are_whole_and_have_no_holes(replies):
    for _, reply in replies:
        assert reply.reasoning.endswith((".", ":"))
        for text in (reply.reasoning, reply.answer):
            assert not re.search(r"[{}]|\bNone\b|\bnan\b|  |\.\.|\s[.,]|\bA A\b|the the|not told", text)
            assert all(
                part[0].isupper() for part in re.split(r"(?<=[.!?])\s+", text) if part[0].isalpha() and "." in part
            )


def test_different_images_are_described_in_different_words(replies):
    openings = defaultdict(set)
    for asked, reply in replies:
        if asked.rule in ("threshold", "compare", "hypothesis"):
            openings[asked.rule].add(re.sub(r"[\d.,]+( ± [\d.,]+)?", "#", reply.reasoning))
    assert all(len(found) > 20 for found in openings.values())
    texts = [reply.answer for asked, reply in replies if asked.answer_type == "text"]
    assert len(set(texts)) == len(texts)


def test_reasoning_cites_value_and_uncertainty_of_every_image(replies, many):
    by_hash = {subject.sha256: subject for subject in many}
    compared = [(asked, reply) for asked, reply in replies if asked.rule in ("compare", "hypothesis")]
    assert len(compared) > 100
    for asked, reply in compared:
        for letter, sha in zip("ABC", asked.images, strict=False):
            assert f"{measured(by_hash[sha].by_name[asked.cues[0]])} in {letter}" in reply.reasoning


def test_what_the_cues_do_not_decide_is_not_answered(make_subject):
    # 2 x 4 and a floor of 3 around 30.
    near = make_subject({"edges": (32.0, 4.0)}, "a")
    asked = Assignment(
        task="diagnostic",
        images=("a",),
        question="Is the edge density above 30 px per 1000 px²?",
        answer_type="binary",
        cues=("edges",),
        template="diagnostic/1",
        rule="threshold",
        parameters={"cue": "edges", "threshold": 30.0, "side": "above"},
    )
    with pytest.raises(TeacherError, match="does not decide 'Is the edge density above 30"):
        word(asked, [near])
