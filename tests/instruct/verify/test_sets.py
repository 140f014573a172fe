"""Whole sets: orders that contradict each other, texts that repeat, answers that outnumber others."""

from dataclasses import replace

import pytest

from micrographia.instruct.record import Check, Record, Usage
from micrographia.instruct.verify.duplicates import near_duplicates
from micrographia.instruct.verify.sets import check_set

BARE = Record(
    id="0",
    images=("a",),
    task="diagnostic",
    question="Is it?",
    answer_type="binary",
    reasoning="",
    answer="yes",
    cues=("edges",),
    teacher="t",
    model="t/1",
    prompt_sha256="",
    settings={},
    usage=Usage(),
    checks=(),
    repaired=False,
    rejected_because="",
)


def which(number, images, answer, **changed):
    options = ("A", "B", "C", "too close to call") if len(images) > 2 else ("A", "B", "too close to call")
    return replace(
        BARE, id=str(number), images=images, task="comparative", question="Which?", answer_type="choice", answer=answer,
        options=options, **changed,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "consistent"),
    [
        (("A", "B"), True),
        (("B", "A"), True),
        (("A", "A"), False),
        (("A", "too close to call"), False),
        (("too close to call",) * 2, True),
    ],
)
def test_both_orders_of_two_images_must_name_the_same_image(answers, consistent):
    records = [which(1, ("x", "y"), answers[0]), which(2, ("y", "x"), answers[1])]
    found = check_set(records, balanced=False)
    assert (found.swaps, found.consistent) == (1, int(consistent))
    assert [found.judged(one).verified for one in records] == [consistent] * 2
    if not consistent:
        assert found.judged(records[0]).rejected_because.startswith("swap: ")


def test_three_rotations_must_name_the_same_image():
    turns = [("x", "y", "z"), ("y", "z", "x"), ("z", "x", "y")]
    good = [which(k, images, "ABC"[images.index("y")]) for k, images in enumerate(turns)]
    assert check_set(good, balanced=False).consistency == 1.0
    assert check_set([*good[:2], replace(good[2], answer="A")], balanced=False).consistency == 0.0


@pytest.mark.parametrize(("second", "consistent"), [("opposite to the prediction", 1), ("as predicted", 0)])
def test_as_predicted_of_a_and_b_is_the_opposite_of_b_and_a(second, consistent):
    options = ("as predicted", "opposite to the prediction", "too close to call")
    first = replace(which(1, ("x", "y"), "as predicted"), options=options, task="hypothesis")
    other = replace(first, id="2", images=("y", "x"), answer=second)
    assert check_set([first, other], balanced=False).consistent == consistent


def test_consistency_counts_wrong_answers_too_but_not_what_is_no_answer():
    wrong = [
        which(k, images, "A", rejected_because="answer: B is true") for k, images in ((1, ("x", "y")), (2, ("y", "x")))
    ]
    assert check_set(wrong).consistency == 0.0
    malformed = replace(wrong[0], checks=(Check(name="format", passed=False, found="'dunno'"),))
    assert check_set([malformed, wrong[1]]).consistency is None


def told(number, answer, **changed):
    return replace(
        BARE, id=str(number), images=(str(number),), task="description", answer_type="text", answer=answer, **changed
    )


LONG = (
    "The edge density is {} px per 1000 px². The structure is regular, and seventeen bright particles can be made out. "
    "No pores are visible, and there are no cracks. The contrast of intensities comes to 33 %, which is moderate."
)


def test_a_text_that_repeats_an_earlier_one_is_rejected_and_says_which():
    records = [told(1, LONG.format(41)), told(2, LONG.format(41)), told(3, "Dark areas make up a third of the image.")]
    found = check_set(records)
    assert [found.judged(one).verified for one in records] == [True, False, True]
    assert found.judged(records[1]).rejected_because == "duplicate: says nearly the same as 1"
    assert found.duplicates == 1


def test_rejected_texts_are_not_compared():
    records = [told(1, LONG.format(41), rejected_because="facts: wrong"), told(2, LONG.format(41))]
    assert check_set(records).duplicates == 0


def test_similar_words_with_other_numbers_are_kept():
    # One number of 45 words is in 3 of 43 shingles: Jaccard is 40 / 46, 0.87.
    assert near_duplicates([("1", LONG.format(41)), ("2", LONG.format(22))]) == {}
    one_word = LONG.format(41).replace("moderate.", "moderate")
    assert near_duplicates([("1", LONG.format(41)), ("2", one_word)], similar=0.8) == {"2": "1"}


def test_minhash_estimates_the_jaccard_similarity():
    # Texts of 300 shingles with a known share in common: what is found flips between 0.7 and 0.98 of it.
    words = [f"w{k}" for k in range(600)]
    first = " ".join(words[:302])
    for shared, found in ((299, True), (200, False)):
        second = " ".join(words[:shared] + words[302 : 302 + 302 - shared])
        assert bool(near_duplicates([("1", first), ("2", second)])) is found


def test_the_same_question_of_the_same_images_is_kept_once():
    records = [replace(BARE, id="1"), replace(BARE, id="2"), replace(BARE, id="3", answer="no", images=("b",))]
    found = check_set(records, balanced=False)
    assert [found.judged(one).verified for one in records] == [True, False, True]


def linked(answers, images):
    return [
        replace(BARE, id=str(k), answer=a, images=(i,)) for k, (a, i) in enumerate(zip(answers, images, strict=True))
    ]


def test_what_outnumbers_another_answer_to_the_same_words_is_left_out():
    together = told(
        "link",
        "The images are alike in this and in that.",
    )
    together = replace(together, images=("a", "b", "c", "d", "e"))
    records = [*linked(["yes", "yes", "yes", "no", "no"], "abcde"), together]
    found = check_set(records)
    kept = [one.answer for one in map(found.judged, records) if one.verified and one.answer_type == "binary"]
    assert sorted(kept) == ["no", "no", "yes", "yes"]
    assert (found.before.yes_share, found.after.yes_share) == (0.6, 0.5)
    assert (found.before.uneven, found.after.uneven, found.surplus) == (1, 0, 1)


def test_what_balances_within_images_that_are_asked_about_together_is_kept_first():
    # a and b are linked and balance each other; which of a, c, d goes with b is no matter of chance.
    records = linked(["yes", "no", "yes", "yes"], "abcd")
    link = replace(told("link", "They share this and that."), images=("a", "b"))
    found = check_set([*records, link])
    assert found.surplus == 2
    assert [found.judged(one).verified for one in records] == [True, True, False, False]


def test_images_that_nothing_links_balance_each_other_all_the_same():
    assert check_set(linked(["yes", "no", "yes", "no"], "abcd")).surplus == 0


def test_an_option_that_nobody_chose_empties_the_question():
    # "too close to call" was rejected everywhere, so A or B alone would be half right by words.
    records = [which(1, ("x", "y"), "A"), which(2, ("y", "x"), "B")]
    assert check_set(records).surplus == 2
    near = which(3, ("x", "z"), "too close to call")
    assert check_set([*records, near]).surplus == 0


def test_what_is_rejected_already_does_not_count_for_balance():
    together = replace(told("link", "The images are alike in that."), images=("a", "b", "c"))
    records = linked(["yes", "yes", "no"], "abc")
    records[0] = replace(records[0], rejected_because="answer: wrong")
    assert check_set([*records, together]).surplus == 0
