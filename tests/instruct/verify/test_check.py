"""Form, refusals, inventions, leaks, and the true answer."""

import numpy as np
import pytest

from micrographia.cues.cue import Cue
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.prompts.render import facts, render
from micrographia.instruct.record import Reply
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.plan import plan
from micrographia.instruct.teachers.cues import word
from micrographia.instruct.verify.check import CHECKS, check, normal_answer
from micrographia.instruct.verify.repair import repair_prompt


@pytest.fixture
def described(ordered):
    return Assignment(
        task="description",
        images=(ordered.sha256,),
        question="Describe the image.",
        answer_type="text",
        cues=tuple(cue.name for cue in ordered.cues),
        template="description/1",
        rule="description",
        parameters={"part": "whole"},
    )


def failed(asked, reply, subjects, **forbidden):
    return [one.name for one in check(asked, reply, subjects, **forbidden) if one.passed is False]


def said(answer, reasoning=""):
    return Reply(reasoning=reasoning, answer=answer)


TRUE = "The edge density is 41.0 ± 0.8 px per 1000 px². There are 17 bright particles."


def test_every_check_is_made_once_and_in_order(described, ordered):
    assert tuple(one.name for one in check(described, said(TRUE), [ordered])) == CHECKS
    assert failed(described, said(TRUE), [ordered]) == []


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I cannot see the image.",
        "As an AI language model, I can't view images.",
        "I am unable to analyze this micrograph without the image.",
        "No image was provided. Please upload the micrograph.",
        "It is not possible to determine the texture of the image.",
    ],
)
def test_a_refusal_is_caught_however_polite(answer, described, ordered):
    assert "refusal" in failed(described, said(answer), [ordered])
    assert "refusal" in failed(described, said(TRUE, reasoning=answer), [ordered])


def test_a_reply_marked_as_refused_is_one(described, ordered):
    assert "refusal" in failed(described, Reply(reasoning="", answer=TRUE, refused=True), [ordered])


def test_nothing_to_be_seen_is_no_refusal(described, ordered):
    assert failed(described, said("No cracks can be seen. No pores are visible in the image."), [ordered]) == []


@pytest.mark.parametrize(
    ("thing", "answer"),
    [
        ("TiO2", "The TiO2 particles have a mean diameter of 25.1 nm."),
        ("gold", "The 17 bright particles are gold."),
        ("steel", "The image shows a steel surface."),
        ("WSe2", f"This is WSe2. {TRUE}"),
        ("dislocations", "There are dislocations in the image."),
        ("nanotubes", f"{TRUE} The image shows nanotubes."),
        ("grain boundaries", "The image shows 3 layers and grain boundaries."),
        ("giraffes", "There are three giraffes."),
        ("mushrooms", "The image contains several mushrooms."),
    ],
)
def test_a_material_or_an_object_that_nobody_measured_is_invented(thing, answer, described, ordered):
    found = next(one for one in check(described, said(answer), [ordered]) if one.name == "invented")
    assert found.passed is False
    assert thing in found.found


def test_what_the_question_supposes_may_be_repeated(ordered, cracked):
    asked = Assignment(
        task="hypothesis",
        images=(ordered.sha256, cracked.sha256),
        question="Suppose that the crystal of image B was damaged. Then the regularity would be lower in B. Is it?",
        answer_type="choice",
        cues=("regularity",),
        template="hypothesis/1",
        rule="hypothesis",
        options=("as predicted", "opposite to the prediction", "too close to call"),
        parameters={"cue": "regularity", "expected": "less"},
    )
    reply = said("as predicted", "If the crystal was damaged, it is less regular. The regularity is 5.0 ± 0.5 % in B.")
    assert failed(asked, reply, [ordered, cracked]) == []
    reply = said("as predicted", "The steel was damaged. The regularity is 5.0 ± 0.5 % in B.")
    assert failed(asked, reply, [ordered, cracked]) == ["invented"]


@pytest.mark.parametrize(
    "answer",
    [
        f"As seen in L5_0b88b7.jpg, there are no cracks. {TRUE}",
        f"See /data/powder/tile. {TRUE}",
        f"{'a' * 64} has no cracks.",
    ],
)
def test_names_of_files_and_hashes_are_leaks(answer, described, ordered):
    assert "leak" in failed(described, said(answer), [ordered])


def test_words_of_folders_and_classes_are_leaks_unless_the_question_has_them(described, ordered):
    answer = said(f"{TRUE} It looks like a MEMS device.")
    assert failed(described, answer, [ordered]) == []
    assert failed(described, answer, [ordered], forbidden={"mems", "image"}) == ["leak"]
    assert failed(described, said(f"{TRUE} The image is regular."), [ordered], forbidden={"image"}) == []


def test_the_list_of_facts_the_question_and_the_instructions_are_no_answer(described, ordered):
    prompt = render(described, [ordered], shots=0, reasoning=True)
    for echo in (facts(described, [ordered]), prompt.system, f"{described.question} {TRUE}", prompt.user):
        assert {"leak", "format"} & set(failed(described, said(f"{echo}."), [ordered]))
    assert "leak" in failed(described, said(facts(described, [ordered]).partition("\n")[2] + "."), [ordered])


@pytest.mark.parametrize(
    "answer",
    [
        *("", "  ", "Edges.", "The edge density is 41.0 px per 1000 px² and the", f"{TRUE} " * 3),
        f"{'The edge density is high and ' * 4} the edge density is high.",
        f"{TRUE} " + "word " * 500 + ".",
    ],
)
def test_empty_short_cut_off_and_looping_texts_are_malformed(answer, described, ordered):
    assert "format" in failed(described, said(answer), [ordered])


@pytest.fixture
def asked_edges(ordered):
    return Assignment(
        task="diagnostic",
        images=(ordered.sha256,),
        question="Is the edge density above 25 px per 1000 px²?",
        answer_type="binary",
        cues=("edges",),
        template="diagnostic/1",
        rule="threshold",
        parameters={"cue": "edges", "threshold": 25.0, "side": "above", "unit": "px per 1000 px²"},
    )


@pytest.mark.parametrize(
    ("answer", "reasoning", "wrong"),
    [
        ("yes", "", []),
        ("Yes.", "", []),
        ("no", "", ["answer"]),
        ("maybe", "", ["format", "answer"]),
        ("yes", "It is 41.0 ± 0.8 px per 1000 px². The answer is no.", ["answer"]),
        ("yes", "The edge density is 24.0 px per 1000 px².", ["facts"]),
        ("yes", "The edge density of 41.0 px per 1000 px² is below 25 px per 1000 px².", ["facts"]),
        ("yes", "The limit is 30 px per 1000 px².", ["facts"]),
        ("yes", "It is above 25 px per 1000 px²", []),
        ("yes", "The edge density is", ["format"]),
    ],
)
def test_a_closed_answer_must_be_true_and_follow_from_its_reasoning(answer, reasoning, wrong, asked_edges, ordered):
    assert failed(asked_edges, said(answer, reasoning), [ordered]) == wrong


@pytest.mark.parametrize(
    ("answer", "passes"),
    [("25.1", True), ("25.1 nm", True), ("28.3", True), ("28.5", False), ("2.51", False), ("about", False)],
)
def test_a_number_must_lie_within_two_uncertainties(answer, passes, ordered):
    # 25.1 ± 1.5 nm: 3.0, 0.251 for writing, and half a last digit.
    asked = Assignment(
        task="sizing",
        images=(ordered.sha256,),
        question="What is the mean diameter of bright particles, in nm?",
        answer_type="number",
        cues=("particle diameter",),
        template="sizing/1",
        rule="number",
        unit="nm",
        parameters={"cue": "particle diameter", "unit": "nm", "scale": 1.0},
    )
    assert (failed(asked, said(answer), [ordered]) == []) is passes


def test_everything_that_the_cues_teacher_says_passes(many):
    by_hash = {subject.sha256: subject for subject in many}
    planned = plan(many, per_image=15, seed=3)
    assert len(planned) > 500
    assert {asked.task for asked in planned} == {
        *("description", "diagnostic", "comparative", "hypothesis", "counting", "sizing")
    }
    wrong = []
    for asked in planned:
        subjects = [by_hash[sha] for sha in asked.images]
        reply = word(asked, subjects)
        wrong += [(asked.question, reply, one) for one in check(asked, reply, subjects) if one.passed is False]
    assert wrong == []


def test_what_the_cues_teacher_says_of_an_image_fails_for_another(many):
    # Answers of one image given for the next: sentences and numbers must give themselves away.
    planned = [asked for asked in plan(many, per_image=12, seed=5) if asked.rule in ("description", "number")]
    by_hash = {subject.sha256: subject for subject in many}
    caught = 0
    for asked in planned:
        reply = word(asked, [by_hash[asked.images[0]]])
        other = many[(many.index(by_hash[asked.images[0]]) + 1) % len(many)]
        caught += bool(failed(asked, reply, [other]))
    # What stays are counts and sizes that two images happen to share.
    assert caught / len(planned) > 0.7


@pytest.mark.parametrize(
    ("kind", "options", "answer", "normal"),
    [
        ("choice", ("A", "B", "too close to call"), " Too close to call. ", "too close to call"),
        ("choice", ("A", "B"), '"b"', "B"),
        ("binary", (), "NO", "no"),
        ("number", (), "12 nm", "12"),
    ],
)
def test_answers_are_recognised_whatever_their_case_and_points(kind, options, answer, normal):
    asked = Assignment(
        task="diagnostic",
        images=("a",),
        question="Which?",
        answer_type=kind,
        cues=(),
        template="diagnostic/1",
        rule="compare",
        options=options,
        unit="nm" if kind == "number" else "",
    )
    assert normal_answer(asked, answer) == normal


def test_a_repair_says_what_was_wrong_and_not_what_is_true(asked_edges, ordered):
    first = render(asked_edges, [ordered], shots=0, reasoning=True)
    reply = said("no", "The edge density is 99 px per 1000 px².")
    again = repair_prompt(asked_edges, reply, check(asked_edges, reply, [ordered]), first)
    assert again.user.startswith(first.user)
    assert "99 px per 1000 px² is said" in again.user
    assert "'yes' is true" not in again.user
    assert again.sha256 != first.sha256
    assert again == repair_prompt(asked_edges, reply, check(asked_edges, reply, [ordered]), first)


def sized(reasoning, answer, cue=None):
    """Ask for the share of dark areas, 22 ± 13 %, and check what is said."""
    cue = cue or Cue(name="dark share", value=22.0, uncertainty=13.0, unit="%", sentence="")
    image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=1.0, cues=(cue,))
    nm = cue.unit == "nm"
    asked = Assignment(
        task="sizing",
        images=("aa",),
        question="What is it?",
        answer_type="number",
        cues=(cue.name,),
        template="sizing/1",
        rule="number",
        parameters={"cue": cue.name, "unit": cue.unit, "scale": 1e3 if nm else 1.0},
        unit="µm" if nm else "%",
    )
    return {one.name: one for one in check(asked, Reply(reasoning=reasoning, answer=answer), [image])}["answer"]


@pytest.mark.parametrize(
    ("reasoning", "answer", "passed"),
    [
        ("The share of dark areas is 22.0 ± 13.0 %.", "22", True),
        ("The share of dark areas is 22 %.", "22.4", True),  # the reasoning is the rounder one
        (
            "The share of dark areas is 22.11 %.",
            "1.11",
            False,
        ),  # within two standard uncertainties, but not what it says
        ("The share of dark areas is 19 %. It is above 10 %.", "22", False),
        ("The share of dark areas is above 10 %.", "22", True),
        ("It was measured.", "22", True),
    ],
)
def test_a_number_is_that_of_its_reasoning(reasoning, answer, passed):
    found = sized(reasoning, answer)
    assert found.passed is passed
    assert passed or found.found.startswith("the reasoning says ")


def test_a_number_in_another_unit_than_its_reasoning_is_the_same_number():
    size = Cue(name="dominant scale", value=2500.0, uncertainty=100.0, unit="nm", sentence="")
    assert sized("The size of typical features is 2500 nm.", "2.5", size).passed
    assert not sized("The size of typical features is 2400 nm.", "2.5", size).passed


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("The share of dark areas is 22 ± 13 %.", False),
        ("The share of dark areas is 22 ± 13 %, and the edge density is 30 px per 1000 px².", True),
        ("The share of dark areas is 22 ± 13 %. The edge density is 30 px per 1000 px².", True),
    ],
)
def test_two_facts_make_a_description(said, passed):
    cues = (
        Cue(name="dark share", value=22.0, uncertainty=13.0, unit="%", sentence=""),
        Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence=""),
    )
    image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=cues)
    asked = Assignment(
        task="description",
        images=("aa",),
        question="Describe the image.",
        answer_type="text",
        cues=("dark share", "edges"),
        template="description/1",
        rule="description",
    )
    found = {one.name: one for one in check(asked, Reply(reasoning="", answer=said), [image])}["support"]
    assert (found.passed is not False) is passed
