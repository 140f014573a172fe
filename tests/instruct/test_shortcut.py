"""The reader of questions alone: it finds shortcuts that are there, and none in what is balanced."""

from dataclasses import replace

import numpy as np
import pytest

from micrographia.instruct.record import Record, Usage
from micrographia.instruct.shortcut import shortcuts
from micrographia.instruct.tasks.plan import plan
from micrographia.instruct.teachers.cues import word
from micrographia.instruct.verify.sets import check_set


def record(number, question, answer, image, *, kind="binary", options=()):
    return Record(
        id=str(number),
        images=(image,),
        task="diagnostic",
        question=question,
        answer_type=kind,
        reasoning="",
        answer=answer,
        cues=(),
        teacher="t",
        model="t/1",
        prompt_sha256="",
        settings={},
        usage=Usage(),
        checks=(),
        repaired=False,
        rejected_because="",
        options=options,
    )


def by_split(records):
    return {(one.answer_type, one.split): one for one in shortcuts(records, seed=0)}


def test_a_threshold_that_tells_the_answer_is_found_on_images_and_wordings_not_seen():
    # "above 90" is always no, "above 10" always yes, whatever is asked.
    rng = np.random.default_rng(0)
    things = ["edge density", "dark share", "contrast", "sharpness", "regularity", "noise", "layering", "coverage"]
    records = [
        record(k, f"Is the {rng.choice(things)} above {limit}?", "yes" if limit == 10 else "no", f"image {k % 40}")
        for k in range(400)
        for limit in [int(rng.choice([10, 90]))]
    ]
    for split in ("image", "question"):
        found = by_split(records)["binary", split]
        assert found.accuracy == 1.0
        assert found.chance == 0.5
        assert not found.holds


def test_of_random_answers_nothing_can_be_learned():
    rng = np.random.default_rng(1)
    records = [
        record(k, f"Is it above {rng.integers(10)}?", str(rng.choice(["yes", "no"])), f"image {k % 100}")
        for k in range(1000)
    ]
    found = by_split(records)["binary", "image"]
    assert abs(found.accuracy - 0.5) < 3 * found.half_width / 1.96 + 1e-9
    # 1000 coins: a standard deviation of 1.6 %, and records of one image are independent here.
    assert found.half_width == pytest.approx(1.96 * 0.5 / np.sqrt(1000), rel=0.25)


def test_chance_is_one_in_as_many_answers_as_the_question_allows():
    records = [
        *(
            record(k, "Which of three?", "ABC"[k % 3], f"image {k}", kind="choice", options=("A", "B", "C"))
            for k in range(30)
        ),
        *(
            record(100 + k, "Which of two?", "AB"[k % 2], f"image {k}", kind="choice", options=("A", "B"))
            for k in range(10)
        ),
    ]
    found = by_split(records)["choice", "image"]
    assert found.chance == pytest.approx((30 / 3 + 10 / 2) / 40)
    assert found.records == 40


def test_one_group_of_images_cannot_be_split():
    records = [record(k, "Is it?", "yes", "same image") for k in range(10)]
    assert by_split(records)["binary", "image"].accuracy is None


def test_rejected_records_and_sentences_do_not_count():
    records = [replace(record(k, "Is it?", "yes", f"image {k}"), rejected_because="facts: no") for k in range(5)]
    assert shortcuts(records, seed=0) == ()


def asked_and_answered(subjects, *, per_image, seed):
    by_hash = {subject.sha256: subject for subject in subjects}
    for asked in plan(subjects, per_image=per_image, seed=seed):
        reply = word(asked, [by_hash[sha] for sha in asked.images])
        yield replace(
            record(asked.id, asked.question, reply.answer, "", kind=asked.answer_type, options=asked.options),
            images=asked.images,
            task=asked.task,
        )


def test_what_is_planned_leaves_no_shortcut(many):
    records = list(asked_and_answered(many, per_image=12, seed=2))
    checks = check_set(records)
    assert checks.surplus == 0
    assert checks.after.yes_share == 0.5
    assert checks.consistency == 1.0
    found = by_split(records)
    assert len(found) == 4
    for one in found.values():
        assert one.accuracy < one.chance + 0.01


def test_a_teacher_that_errs_leaves_no_shortcut_either_once_the_surplus_is_out(many):
    # Half of the true answers "no" and "B" are lost.
    rng = np.random.default_rng(3)
    records = list(asked_and_answered(many, per_image=12, seed=2))
    skewed = [one for one in records if one.answer not in ("no", "B") or rng.random() < 0.5]
    before = by_split(skewed)["binary", "question"]
    assert before.accuracy > 0.55
    checks = check_set(skewed)
    for one in shortcuts(map(checks.judged, skewed), seed=0):
        assert one.accuracy < one.chance + 0.02
