"""Statements held against the cues: what a fluent teacher gets wrong must be caught, and what is true must pass."""

import pytest

from micrographia.instruct.assignment import Assignment
from micrographia.instruct.record import Reply
from micrographia.instruct.verify.check import check


def failed(answer, subjects, reasoning=""):
    one = len(subjects) == 1
    asked = Assignment(
        task="description" if one else "hypothesis",
        images=tuple(subject.sha256 for subject in subjects),
        question="Describe the image." if one else "Describe how images A and B differ.",
        answer_type="text",
        cues=tuple(cue.name for cue in subjects[0].cues),
        template="description/1" if one else "hypothesis/1",
        rule="description" if one else "difference",
        parameters={"part": "whole"} if one else {},
    )
    return [
        found.name
        for found in check(asked, Reply(reasoning=reasoning, answer=answer), subjects)
        if found.passed is False
    ]


FALSE_OF_ONE = [
    *(
        "The edge density is 14.0 px per 1000 px².",
        "The edge density is 41.0 ± 8.0 px per 1000 px².",
        "Its value is 77.",
    ),
    *("The edge density is 41.0 %.", "The edge density is not 41.0 px per 1000 px².", "The number of layers is 5."),
    *("There are 71 bright particles.", "There are twenty bright particles.", "The image contains 17 fibres."),
    *("17 pores are visible.", "Hundreds of bright particles are visible.", "There are many layers."),
    *("The dark share is 67 %.", "Dark areas cover 70 % of the image.", "Particles cover 25 % of the area."),
    *(
        "12.5 % of the area is covered by pores.",
        "The width of fibres is 30 nm.",
        "The texture shows 41.0 nm features.",
    ),
    "The image, taken at 15 kV, has an edge density of 41.0 px per 1000 px².",
    "The particles are 25.1 nm in diameter and there are 19.6 of them.",
]
WRONG_UNIT = [
    *("The mean diameter of bright particles is 25.1 µm.", "The mean diameter of bright particles is 25.1 px."),
    *("The bright particles are about 2.5 nm across.", "The period of the strongest repeat is 3.61 Å."),
    *(
        "The period of the strongest repeat is 3.61 µm.",
        "The regularity is 24.8 nm.",
        "It repeats along a direction of 80°.",
    ),
]
WRONG_PRESENCE = [
    *("There are no bright particles.", "The image is free of particles.", "Bright particles are absent."),
    *("Dark pores are visible.", "There are signs of cracks.", "The image shows cracks and 17 bright particles."),
    *("Cracks can be seen across the image.", "A few dark pores can be made out.", "No layers are visible."),
]
WRONG_WORDS = [
    *(
        "The structure is irregular.",
        "The structure is not regular.",
        "The image is very noisy.",
        "The structure is isotropic.",
    ),
    *("The structure is without a preferred direction.", "There are few edges.", "The image has hardly any edges."),
    "The image is hardly noisy, with a signal-to-noise ratio of 1.4.",
]
WRONG_LIMITS = [
    *("The signal-to-noise ratio is below 10.", "The signal-to-noise ratio does not exceed 10."),
    *("The contrast of intensities is above 50 %.", "The contrast of intensities is between 40 and 60 %."),
]


@pytest.mark.parametrize("said", [*FALSE_OF_ONE, *WRONG_UNIT, *WRONG_PRESENCE, *WRONG_WORDS, *WRONG_LIMITS])
def test_a_false_statement_on_one_image_is_caught_in_the_answer_and_in_the_reasoning(said, ordered):
    assert "facts" in failed(said, [ordered])
    true = "The edge density is 41.0 ± 0.8 px per 1000 px²."
    assert "facts" in failed(true, [ordered], reasoning=said)


@pytest.mark.parametrize(
    "said",
    [
        *("The edge density is 41 px per 1000 px².", "There are 17 bright particles.", "Three layers are visible."),
        "The image shows 17 ± 1 particles with a mean diameter of 25.1 ± 1.5 nm.",
        *("No dark pores are visible.", "There are no cracks.", "There are no pores, no fibres, and no cracks."),
        *("The image is free of cracks.", "Neither pores nor fibres can be made out."),
        *("The signal-to-noise ratio is above 10.", "The signal-to-noise ratio of 14.0 is higher than 10."),
        *(
            "The contrast of intensities is between 20 and 40 %.",
            "The structure is regular.",
            "The image has many edges.",
        ),
        *("The period of the strongest repeat is 3.61 nm.", "The period of the strongest repeat is 0.0036 µm."),
        *("The particles cover 12 % of the area.", "Dark areas cover 33 % of the image.", "The repeat runs along 35°."),
        *("The structure is clearly directional, with an anisotropy of 0.52.", "The particles are 25 nm wide."),
        *("The mean diameter of bright particles is 23 nm.", "The edge density is not 30 px per 1000 px²."),
    ],
)
def test_a_true_statement_on_one_image_passes(said, ordered):
    # A description states two things at least.
    assert failed(f"{said} There are 17 bright particles.", [ordered]) == []


def test_a_number_is_true_to_two_uncertainties_and_one_percent_for_writing(ordered):
    # 41.0 ± 0.8: 1.6 and 0.41, so 42.0 and 39.0 pass and 43.1 and 38.9 do not.
    for value, passes in ((42.0, True), (43.1, False), (39.0, True), (38.9, False)):
        assert ("facts" not in failed(f"The edge density is {value} px per 1000 px².", [ordered])) is passes


FALSE_OF_TWO = [
    *("B has more edges than A.", "A has fewer edges than B.", "The edge density is higher in B than in A."),
    "The edge density is 41.0 px per 1000 px² in B and 22.5 px per 1000 px² in A.",
    "A has more edges than B: 22.5 ± 0.6 px per 1000 px² in A and 41.0 ± 0.8 px per 1000 px² in B.",
    *("The edge density of A is 22.5 px per 1000 px².", "The edge density is lower in A.", "B is sharper than A."),
    "The edge densities are 22.5 and 41.0 px per 1000 px² in A and B, respectively.",
    *("Compared with B, A has fewer edges.", "Compared with A, B is more regular.", "Unlike A, B has no cracks."),
    *("A shows more bright particles than B.", "B is less cracked than A.", "A is less regular than B."),
    *("A has stronger contrast than B.", "B has the stronger contrast.", "The contrast of intensities is higher in B."),
    *("The edge density is similar in both images.", "A and B have the same number of bright particles."),
    *(
        "B is the most regular.",
        "A shows cracks, B does not.",
        "Cracks are visible in A.",
        "There are no dark pores in B.",
    ),
    *("They differ by 30 in edge density.", "The difference in edge density is 5 px per 1000 px²."),
    *(
        "C has more edges than A.",
        "A has a lower signal-to-noise ratio than B.",
        "Image A contains 40 bright particles.",
    ),
    *("Both images show cracks.", "Neither image shows cracks.", "Both images contain 17 bright particles."),
]


@pytest.mark.parametrize("said", FALSE_OF_TWO)
def test_a_false_comparison_is_caught(said, ordered, cracked):
    assert "facts" in failed(said, [ordered, cracked])


@pytest.mark.parametrize(
    "said",
    [
        *("A has more edges than B.", "B has fewer edges than A.", "The edge density is higher in A than in B."),
        "The edge density is 41.0 px per 1000 px² in A and 22.5 px per 1000 px² in B.",
        "The edge densities are 41.0 and 22.5 px per 1000 px² in A and B, respectively.",
        *("The edge density is lower in B.", "Compared with A, B has fewer edges.", "Unlike A, B shows cracks."),
        *("B shows more bright particles than A.", "A is more regular than B.", "B is not more regular than A."),
        "The contrast of intensities is 33.2 ± 0.7 % in A and 33.9 ± 0.7 % in B, which is too close to call.",
        *("The contrast of intensities is similar in both images.", "Cracks are visible in B."),
        *("There are no dark pores in A.", "The difference in edge density is 18.5 px per 1000 px²."),
        *("Image A contains 17 bright particles, image B 40.", "Both images show 3 layers."),
    ],
)
def test_a_true_comparison_passes(said, ordered, cracked):
    assert failed(said, [ordered, cracked]) == []


@pytest.mark.parametrize("said", FALSE_OF_TWO[:4])
def test_what_is_false_of_a_and_b_is_true_once_the_images_change_places(said, ordered, cracked):
    assert failed(said, [cracked, ordered]) == []


def test_sentences_that_nothing_was_measured_of_are_said_to_be_such(ordered):
    asked = Assignment(
        task="description",
        images=(ordered.sha256,),
        question="Describe the image.",
        answer_type="text",
        cues=("edges",),
        template="description/1",
        rule="description",
        parameters={"part": "whole"},
    )
    reply = Reply(reasoning="", answer="The edge density is 41.0 px per 1000 px². It is a pleasure to look at it.")
    support = next(one for one in check(asked, reply, [ordered]) if one.name == "support")
    assert support.passed is None
    assert "a pleasure" in support.found
    mostly = Reply(reasoning="", answer="It is pretty. It is a pleasure. The edge density is 41.0 px per 1000 px².")
    assert next(one for one in check(asked, mostly, [ordered]) if one.name == "support").passed is False
