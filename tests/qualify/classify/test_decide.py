"""What a classifier says of an image, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import InputError
from micrographia.qualify.classify.classifier import Classifier, TrainingImage, check_encoder
from micrographia.qualify.classify.decide import ClassifySettings, decide, shortages

STRANGE = (0.1, 0.2, 0.3, 0.4)
SETTINGS = ClassifySettings(alpha=0.2, unlike=0.2)


@pytest.fixture(name="classifier")
def made_classifier():
    """Give two classes, as `made` makes them."""
    return made()


def made() -> Classifier:
    """Return two classes along the first of two features: four images each, at -1 and at 3."""
    features = np.array([[-1.0, k] for k in range(4)] + [[3.0, k] for k in range(4)], dtype=np.float32)
    return Classifier(
        classes=("grain", "pore"),
        encoder="toy",
        version="1",
        tile_px=None,
        info_bar=True,
        mean=np.array([10.0, 0.0], dtype=np.float32),
        scale=np.array([2.0, 1.0], dtype=np.float32),
        weights=np.array([[-1.0, 0.0], [1.0, 0.0]], dtype=np.float32),
        bias=np.array([1.0, -1.0], dtype=np.float32),
        temperature=2.0,
        features=features,
        images=tuple(
            TrainingImage(file=f"{k // 4}/{k}.png", sha256=f"{k:064d}", label=k // 4, specimen=str(k)) for k in range(8)
        ),
        neighbours=2,
        distances=np.full(8, 0.9, dtype=np.float32),
        strangeness=np.array(STRANGE * 2, dtype=np.float32),
    )


def vector(x: float, y: float = 1.0) -> np.ndarray:
    """Return what stands at (x, y) once it is standardised."""
    return np.array([10 + 2 * x, y])


def test_probability_p_values_and_distance_follow_their_formulas(classifier):
    # At x = 2 the logits are -1 and 1, halved by the temperature: P(pore) = 1 / (1 + e**-1) = 0.7311.
    found = decide(vector(2.0), classifier, settings=SETTINGS)
    assert found.probability == pytest.approx((0.2689, 0.7311), abs=1e-4)
    # Of grains none is as strange as 0.7311: p = 1 / 5; of pores 0.3 and 0.4 are as strange as 0.2689: p = 3 / 5.
    assert found.p_class == pytest.approx((1 / 5, 3 / 5))
    # The nearest image is at (3, 1), sqrt(1 / 2) away; the next ones at (3, 0) and (3, 2), 1 away.
    assert found.distance == pytest.approx((np.sqrt(0.5) + 1) / 2)
    assert [near.image.file for near in found.nearest[:3]] == ["1/5.png", "1/4.png", "1/6.png"]
    assert found.p_familiar == 1.0
    assert (found.label, found.candidates, found.reason) == ("pore", ("pore",), "decided")


def test_between_the_classes_both_are_left_and_none_is_said(classifier):
    # At x = 1 both probabilities are 0.5, stranger than any: both p are 1 / 5, ruled out at 0.2 but not at 0.1.
    found = decide(vector(1.0), replace(classifier, distances=np.full(8, 2, np.float32)), settings=SETTINGS)
    assert (found.label, found.candidates, found.reason) == (None, (), "no class fits")
    looser = ClassifySettings(alpha=0.1, unlike=0.2)
    found = decide(vector(1.0), replace(classifier, distances=np.full(8, 2, np.float32)), settings=looser)
    assert (found.label, found.reason) == (None, "ambiguous")
    assert found.candidates == ("grain", "pore")


def test_far_from_every_training_image_nothing_is_said_however_probable(classifier):
    found = decide(vector(9.0), classifier, settings=SETTINGS)
    assert found.probability[1] > 0.999
    assert found.p_familiar == pytest.approx(1 / 9)
    assert (found.label, found.reason) == (None, "unlike all training images")


def test_an_image_that_it_learned_from_is_pointed_out(classifier):
    found = decide(vector(3.0), classifier, settings=SETTINGS, sha256=f"{5:064d}")
    assert found.remarks == ("it learned from this very file, 1/5.png",)
    assert found.nearest[0].distance == 0


def test_what_too_few_images_make_impossible_is_said_in_numbers(classifier):
    assert shortages(classifier, SETTINGS) == ()  # 4 of either class at 0.2, 8 in all at 0.2
    said = shortages(classifier, ClassifySettings())
    assert [("; 9 are needed" in s, "; 19 are needed" in s) for s in said] == [
        (True, False),
        (True, False),
        (False, True),
    ]


@settings(max_examples=50, deadline=None)
@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0.01, 0.5))
def test_a_class_is_said_only_if_nothing_else_is_left(x, y, alpha):
    found = decide(vector(x, y), made(), settings=ClassifySettings(alpha=alpha, unlike=alpha))
    assert sum(found.probability) == pytest.approx(1)
    assert (found.label is not None) == (found.reason == "decided")
    if found.label is not None:
        assert found.candidates == (found.label,) == (found.likeliest,)
        assert found.p_familiar > alpha


def test_of_each_class_about_a_share_alpha_loses_its_own(classifier):
    # Scores of images to come are drawn as those of the training images: 19 uniform ones, so p is uniform.
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(2000):
        strange = rng.random(20)
        known = replace(
            classifier,
            images=tuple(
                TrainingImage(file=str(k), sha256=str(k), label=int(k >= 19), specimen=str(k)) for k in range(38)
            ),
            features=np.zeros((38, 2), np.float32),
            distances=np.ones(38, np.float32),
            strangeness=np.concatenate([strange[:19], np.zeros(19)]).astype(np.float32),
        )
        # Where P(grain) is 1 - strange: half the logit's distance is x - 1.
        x = 1 - np.log((1 - strange[19]) / strange[19])
        lost += decide(vector(x), known).p_class[0] <= 0.1
    assert lost / 2000 == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 2000))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weights": np.zeros((3, 2), np.float32)}, "weights of the classifier has shape"),
        ({"bias": np.array([np.nan, 0], np.float32)}, "not finite"),
        ({"temperature": 0.0}, "not positive"),
        ({"neighbours": 8}, "not positive"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(change, says, classifier):
    with pytest.raises(InputError, match=says):
        replace(classifier, **change)


def test_another_length_another_version_and_impossible_shares_are_refused(classifier):
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        decide(np.zeros(3), classifier)
    for share in (0.0, 0.6, float("nan")):
        with pytest.raises(InputError, match=r"above 0 and up to 0\.5"):
            ClassifySettings(alpha=share)
    other = type("Other", (), {"name": "toy", "version": "2"})()
    with pytest.raises(InputError, match="learned with toy of version 1, but toy is 2 here"):
        check_encoder(classifier, other)
