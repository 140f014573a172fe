"""What is asked: balanced by construction, the same in any order, and never beyond what the cues decide."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.instruct.assignment import TASKS
from micrographia.instruct.tasks.cells import cells
from micrographia.instruct.tasks.plan import plan
from micrographia.instruct.tasks.truth import truth


@pytest.fixture(scope="module")
def planned(many):
    return plan(many, per_image=25, seed=1)


@pytest.fixture(scope="module")
def answers(planned, many):
    by_hash = {subject.sha256: subject for subject in many}
    found = {}
    for asked in planned:
        true = truth(asked, [by_hash[sha] for sha in asked.images])
        found[asked.id] = true.answer if true else None
    return found


def test_the_same_words_are_answered_each_way_equally_often_within_every_cell(planned, answers, many):
    cell_of = {s.sha256: k for k, cell in enumerate(cells(many, seed=1)) for s in cell.subjects}
    counts = defaultdict(Counter)
    for asked in planned:
        assert len({cell_of[sha] for sha in asked.images}) == 1
        if asked.answer_type in ("binary", "choice"):
            counts[cell_of[asked.images[0]], asked.question][answers[asked.id]] += 1
            counts[cell_of[asked.images[0]], asked.question].update(dict.fromkeys(asked.options or ("yes", "no"), 0))
    assert len(counts) > 60
    assert all(len(set(count.values())) == 1 for count in counts.values())


def test_every_question_with_one_true_answer_can_be_answered(planned, answers):
    assert all(answers[asked.id] is not None for asked in planned if asked.answer_type != "text")


def test_every_task_is_asked_and_none_beyond_what_was_ordered(planned, many):
    counts = Counter(asked.task for asked in planned)
    assert set(counts) == set(TASKS)
    assert 0.9 * 25 * len(many) < len(planned) <= 25 * len(many)
    few = plan(many, tasks=["sizing", "counting"], per_image=4, seed=1)
    assert {asked.task for asked in few} == {"sizing", "counting"}
    assert len(few) <= 4 * len(many)


def test_questions_do_not_hang_on_the_order_of_images_but_on_the_seed(many, planned):
    again = plan(list(reversed(many)), per_image=25, seed=1)
    assert [asked.id for asked in again] == [asked.id for asked in planned]
    assert {asked.id for asked in plan(many, per_image=25, seed=2)} != {asked.id for asked in planned}


def test_ids_are_unique_and_swaps_name_the_same_question_in_another_order(planned):
    by_id = {asked.id: asked for asked in planned}
    assert len(by_id) == len(planned)
    swapped = [asked for asked in planned if asked.swaps_with]
    assert len(swapped) > 100
    for asked in swapped:
        other = by_id[asked.swaps_with]
        assert other.question == asked.question
        assert sorted(other.images) == sorted(asked.images)
        assert other.images != asked.images


def test_no_question_on_the_edge_of_its_tolerance(planned, many):
    # Those who ask leave a quarter more room than those who check.
    by_hash = {subject.sha256: subject for subject in many}
    for asked in planned:
        if asked.rule in ("threshold", "range", "compare", "hypothesis"):
            assert truth(asked, [by_hash[sha] for sha in asked.images], room=1.24) is not None


def test_one_image_alone_is_asked_nothing_that_needs_a_counterpart(ordered):
    planned = plan([ordered], per_image=100, seed=0)
    assert {asked.answer_type for asked in planned} == {"text", "number"}
    assert {asked.task for asked in planned} == {"description", "counting", "sizing"}


def test_lengths_in_pixels_and_in_nanometres_are_never_compared(planned, many):
    by_hash = {subject.sha256: subject for subject in many}
    for asked in planned:
        if asked.rule in ("compare", "hypothesis", "difference"):
            for name in asked.cues:
                assert len({by_hash[sha].by_name[name].unit for sha in asked.images}) == 1


def test_a_question_names_the_unit_of_the_image_it_is_asked_of(planned, many):
    by_hash = {subject.sha256: subject for subject in many}
    for asked in planned:
        if asked.rule == "threshold" and asked.parameters["cue"] in ("particle diameter", "spacing", "dominant scale"):
            unit = by_hash[asked.images[0]].by_name[asked.parameters["cue"]].unit
            assert asked.question.rstrip("?").endswith((" px", "pixels") if unit == "px" else ("nm", "µm"))


def test_an_unknown_task_is_refused_with_the_known_ones(many):
    with pytest.raises(InputError, match=r"task is 'poetry'; accepted is one of description, diagnostic"):
        plan(many, tasks=["poetry"], per_image=1, seed=0)
    with pytest.raises(InputError, match=r"per image are 0; accepted is 1 or more"):
        plan(many, per_image=0, seed=0)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 40), seed=st.integers(0, 1000))
def test_cells_hold_every_image_once_and_at_least_six_where_there_are_so_many(many, count, seed):
    found = cells(many[:count], seed=seed)
    together = [subject.sha256 for cell in found for subject in cell.subjects]
    assert sorted(together) == sorted(subject.sha256 for subject in many[:count])
    assert all(min(6, count) <= len(cell.subjects) <= 11 for cell in found)
