"""Prompts: the measured facts, the question, the form of the answer, and nothing that names a file."""

import json
import re

import pytest

from micrographia.errors import InputError
from micrographia.instruct.assignment import TASKS, Assignment
from micrographia.instruct.prompts.render import read_template, render
from micrographia.instruct.tasks.plan import plan


def question(ordered, **changed):
    told = {
        "task": "diagnostic",
        "images": (ordered.sha256,),
        "question": "Is the edge density above 25 px per 1000 px²?",
        "answer_type": "binary",
        "cues": ("edges", "spacing", "crack width"),
        "template": "diagnostic/1",
        "rule": "threshold",
    }
    return Assignment(**(told | changed))


def test_a_prompt_lists_value_uncertainty_and_unit_and_what_could_not_be_told(ordered):
    prompt = render(question(ordered), [ordered], shots=0, reasoning=True)
    assert "- edge density: 41.00 ± 0.80 px per 1000 px²" in prompt.user
    assert "- period of the strongest repeat: 3.610 ± 0.050 nm, across it 35 ± 1°" in prompt.user
    assert "- width of crack-like dark lines: not told" in prompt.user
    assert prompt.user.endswith('Question: Is the edge density above 25 px per 1000 px²?\nThe answer is "yes" or "no".')


def test_images_are_lettered_in_the_order_of_the_question(ordered, cracked):
    asked = question(ordered, images=(cracked.sha256, ordered.sha256), cues=("edges",), template="comparative/1")
    user = render(asked, [cracked, ordered], shots=0, reasoning=True).user
    assert re.search(r"image A:\n- edge density: 22.50.*\nMeasured on image B:\n- edge density: 41.00", user)
    with pytest.raises(InputError, match="in its order"):
        render(asked, [ordered, cracked], shots=0, reasoning=True)


def test_no_hash_and_no_name_of_a_cue_that_the_question_does_not_rest_on_is_in_a_prompt(many):
    by_hash = {subject.sha256: subject for subject in many}
    for asked in plan(many, per_image=6, seed=0):
        prompt = render(asked, [by_hash[sha] for sha in asked.images], shots=0, reasoning=True)
        assert not re.search(r"[0-9a-f]{16}", prompt.user + prompt.system)
        assert len(re.findall(r"^- ", prompt.user, re.MULTILINE)) == len(asked.cues) * len(asked.images)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_template_whose_examples_are_json_of_the_asked_form(task, ordered):
    template = read_template(f"{task}/1")
    assert len(template.examples) >= 2
    asked = question(ordered, task=task, template=f"{task}/1")
    user = render(asked, [ordered], shots=2, reasoning=True).user
    replies = [json.loads(line) for line in user.splitlines() if line.startswith("{")]
    assert [set(reply) for reply in replies] == [{"reasoning", "answer"}] * 2
    assert all(reply["reasoning"] for reply in replies)
    silent = render(asked, [ordered], shots=2, reasoning=False).user
    assert all(json.loads(line)["reasoning"] == "" for line in silent.splitlines() if line.startswith("{"))


def test_the_hash_of_a_prompt_changes_with_every_word_and_with_nothing_else(ordered):
    first = render(question(ordered), [ordered], shots=1, reasoning=True)
    assert first == render(question(ordered), [ordered], shots=1, reasoning=True)
    others = [
        render(question(ordered), [ordered], shots=0, reasoning=True),
        render(question(ordered), [ordered], shots=1, reasoning=False),
        render(question(ordered, template="counting/1"), [ordered], shots=1, reasoning=True),
        render(question(ordered, question="Is it?"), [ordered], shots=1, reasoning=True),
    ]
    assert len({first.sha256, *(other.sha256 for other in others)}) == 5


def test_missing_templates_and_examples_are_named(ordered):
    with pytest.raises(InputError, match=r"'poetry/1'; accepted is one of comparative/1"):
        render(question(ordered, template="poetry/1"), [ordered], shots=0, reasoning=True)
    with pytest.raises(InputError, match=r"shots are 9; accepted is 0 to 3"):
        render(question(ordered), [ordered], shots=9, reasoning=True)
