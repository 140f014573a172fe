"""True answers, derived by hand from values, uncertainties and floors."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrographia.cues.kinds import CUE_KINDS
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.tasks.margins import compare, pair_tolerance, tolerance
from micrographia.instruct.tasks.truth import presence, truth


def asked(rule, parameters, *, options=(), kind="choice", images=("a", "b")):
    return Assignment(
        task="comparative",
        images=images,
        question="?",
        answer_type=kind,
        cues=(parameters["cue"],),
        template="comparative/1",
        rule=rule,
        options=options,
        parameters=parameters,
    )


def edges(make_subject, value, sd=1.0):
    return make_subject({"edges": (value, sd)}, "a")


def answer(question, subjects):
    found = truth(question, subjects)
    return None if found is None else found.answer


@pytest.mark.parametrize(("value", "above"), [(46.0, "yes"), (44.0, None), (36.0, None), (34.0, "no")])
def test_a_threshold_is_decided_beyond_two_uncertainties_and_the_floor(value, above, make_subject):
    # 2 x 1.0 and a floor of 3: 40 is surely missed beyond 5.
    assert tolerance(edges(make_subject, value), "edges") == 5.0
    parameters = {"cue": "edges", "threshold": 40.0, "side": "above"}
    question = asked("threshold", parameters, kind="binary", images=("a",))
    assert answer(question, [edges(make_subject, value)]) == above
    below = asked("threshold", parameters | {"side": "below"}, kind="binary", images=("a",))
    assert answer(below, [edges(make_subject, value)]) == {"yes": "no", "no": "yes", None: None}[above]


@pytest.mark.parametrize(
    ("value", "word"), [(10.0, "low"), (30.0, "middle"), (60.0, "high"), (22.0, None), (48.0, None)]
)
def test_a_range_is_decided_where_both_limits_are(value, word, make_subject):
    question = asked(
        "range", {"cue": "edges", "low": 20.0, "high": 50.0}, options=("low", "middle", "high"), images=("a",)
    )
    assert answer(question, [edges(make_subject, value)]) == word


def test_a_comparison_needs_more_than_two_combined_uncertainties_and_the_floor(make_subject):
    a = edges(make_subject, 40.0, 3.0)
    # 2 x hypot(3, 4) is 10, and the floor is 3.
    near, far = edges(make_subject, 52.9, 4.0), edges(make_subject, 53.1, 4.0)
    assert pair_tolerance(a, near, "edges") == pytest.approx(13.0)
    assert compare(a, near, "edges") == "close"
    assert compare(a, far, "edges") == "less"
    more = asked("compare", {"cue": "edges", "which": "more"}, options=("A", "B", "too close to call"))
    assert answer(more, [a, near]) == "too close to call"
    assert answer(more, [a, far]) == "B"
    assert answer(more, [far, a]) == "A"
    less = asked("compare", {"cue": "edges", "which": "less"}, options=("A", "B", "too close to call"))
    assert answer(less, [a, far]) == "A"


def test_of_three_the_first_must_be_clear_of_every_other(make_subject):
    low, middle, high = (edges(make_subject, value) for value in (10.0, 40.0, 44.0))
    question = asked("compare", {"cue": "edges", "which": "more"}, images=("a", "b", "c"))
    assert answer(question, [low, middle, high]) == "too close to call"
    fewest = asked("compare", {"cue": "edges", "which": "less"}, images=("a", "b", "c"))
    assert answer(fewest, [middle, low, high]) == "B"


@pytest.mark.parametrize(
    ("b", "expected", "said"),
    [(20.0, "less", "as predicted"), (20.0, "more", "opposite to the prediction"), (41.0, "less", "too close to call")],
)
def test_a_hypothesis_is_held_against_what_b_has_beside_a(b, expected, said, make_subject):
    question = asked("hypothesis", {"cue": "edges", "expected": expected})
    assert answer(question, [edges(make_subject, 40.0), edges(make_subject, b)]) == said


@pytest.mark.parametrize(
    ("name", "value", "sd", "there"),
    [
        ("particles", 0.0, 0.0, False),
        ("particles", 1.0, 0.0, True),
        ("particles", 3.0, 1.5, None),
        ("cracks", 0.0, 0.1, False),
        ("cracks", 0.3, 0.1, None),
        ("cracks", 3.0, 0.2, True),
        ("cracks", None, None, None),
    ],
)
def test_presence_is_told_beyond_doubt_only(name, value, sd, there, make_subject):
    assert presence(make_subject({name: (value, sd)}, "a"), name) is there


@pytest.mark.parametrize(
    ("across", "runs"),
    [(90.0, "horizontal"), (100.0, "horizontal"), (0.0, "vertical"), (175.0, "vertical"), (47.0, None)],
)
def test_the_structure_runs_at_a_right_angle_to_the_direction_across_it(across, runs, make_subject):
    subject = make_subject({"anisotropy": (0.6, 0.02, across)}, "a")
    question = asked("direction", {"cue": "anisotropy"}, options=("horizontal", "vertical"), images=("a",))
    assert answer(question, [subject]) == runs
    faint = make_subject({"anisotropy": (0.1, 0.02, across)}, "a")
    assert answer(question, [faint]) is None


def test_a_size_is_given_in_the_unit_that_the_question_names(make_subject):
    subject = make_subject({"particle diameter": (2512.0, 100.0)}, "a")
    question = asked(
        "number", {"cue": "particle diameter", "unit": "nm", "scale": 1000.0}, kind="number", images=("a",)
    )
    found = truth(question, [subject])
    assert found.value == pytest.approx(2.512)
    assert found.tolerance == pytest.approx(0.2 + 0.02512)
    assert abs(float(found.answer) - 2.512) < 0.03
    in_pixels = asked("number", {"cue": "particle diameter", "unit": "px", "scale": 1.0}, kind="number", images=("a",))
    assert truth(in_pixels, [subject]) is None


@given(
    a=st.floats(0, 100),
    b=st.floats(0, 100),
    sd_a=st.floats(0.01, 10),
    sd_b=st.floats(0.01, 10),
    name=st.sampled_from(["edges", "dark share"]),
)
def test_swapping_two_images_swaps_the_outcome(a, b, sd_a, sd_b, name, make_subject):
    one, other = make_subject({name: (a, sd_a)}, "a"), make_subject({name: (b, sd_b)}, "b")
    opposite = {"more": "less", "less": "more", "close": "close"}
    assert compare(one, other, name) == opposite[compare(other, one, name)]
    away = abs(a - b) > 2 * math.hypot(sd_a, sd_b) + CUE_KINDS[name].floor
    assert (compare(one, other, name) != "close") is away


def test_intensities_of_two_files_and_lengths_of_two_units_do_not_compare(make_subject):
    bright, dark = make_subject({"noise": (12.0, 0.1)}, "a"), make_subject({"noise": (900.0, 1.0)}, "b")
    assert compare(bright, dark, "noise") is None
    known = make_subject({"spacing": (4.0, 0.1)}, "a")
    unknown = make_subject({"spacing": (8.0, 0.1)}, "b", pixel_size_nm=None)
    assert compare(known, unknown, "spacing") is None
