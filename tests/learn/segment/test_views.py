"""Views to learn from: what is altered, what is not, and that labels follow the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_textures import discs, labelled, training

from micrographia.learn.segment.views import Alterations, draw, look, orientation_of
from micrographia.segment.labelled import UNLABELLED, Labelled, TrainingSet
from micrographia.segment.network.encoder import load_encoder
from micrographia.segment.network.normalise import normalised

NOTHING = Alterations(
    octaves=0, contrast_octaves=0, brightness=0, gamma_octaves=0, tone=0, shading=0, blur_px=0, noise=0
)


def of_mask(mask: np.ndarray) -> TrainingSet:
    image = Labelled(name="a", sha256="", frame=np.zeros(mask.shape, dtype=np.float32), mask=mask.astype(np.uint8))
    return TrainingSet(images=(image,), values=(0, 1), names=("a", "b"))


def test_layers_have_a_direction_and_discs_have_none():
    layer = np.zeros((128, 128))
    layer[60:80] = 1
    assert orientation_of(of_mask(layer)) == "rows"
    assert orientation_of(of_mask(layer.T)) == "columns"
    assert orientation_of(training(0, 1, 2)) == "any"


def test_scribbles_say_nothing_of_directions():
    scribble = np.full((128, 128), UNLABELLED)
    scribble[10:14], scribble[100:104] = 0, 1
    assert orientation_of(of_mask(scribble)) == "any"


def test_an_unaltered_view_is_the_image_itself():
    image = labelled(0)
    grey, mask = draw(
        image, classes=2, multiple_px=64, orientation=None, alterations=NOTHING, rng=np.random.default_rng(0)
    )
    assert np.allclose(grey[0, 0].numpy(), normalised(image.frame), atol=1e-4)
    assert np.array_equal(mask[0].numpy(), image.mask)


@pytest.mark.parametrize("orientation", ["any", "rows", "columns"])
def test_labels_turn_and_flip_with_the_image(orientation):
    _, mask = discs(3)
    image = Labelled(name="a", sha256="", frame=100.0 * mask.astype(np.float32), mask=mask)
    for seed in range(5):
        grey, drawn = draw(
            image,
            classes=2,
            multiple_px=64,
            orientation=orientation,
            alterations=Alterations(**{**vars(NOTHING), "octaves": 0.5}),
            rng=np.random.default_rng(seed),
        )
        # Without noise the class is where the image is bright, but for the pixels that interpolation mixes.
        sure = grey[0, 0].abs() > 0.95
        assert sure.float().mean() > 0.85
        assert torch.equal((grey[0, 0] > 0)[sure], (drawn[0] == 1)[sure])


def test_rows_are_never_turned_upside_down():
    mask = np.zeros((128, 128), dtype=np.uint8)
    mask[90:] = 1
    image = Labelled(name="a", sha256="", frame=np.zeros(mask.shape, dtype=np.float32) + mask, mask=mask)
    for seed in range(20):
        _, drawn = draw(
            image, classes=2, multiple_px=64, orientation="rows", alterations=NOTHING, rng=np.random.default_rng(seed)
        )
        share = drawn[0].float().mean(dim=1)
        assert share[:20].sum() == 0
        assert share[-20:].mean() > 0.9


def test_a_part_of_a_large_image_shows_each_class_sooner_or_later(monkeypatch):
    monkeypatch.setattr("micrographia.learn.segment.views.MOST_SIDE_PX", 64)
    mask = np.zeros((512, 512), dtype=np.uint8)
    mask[400:410, 300:310] = 1
    image = Labelled(name="a", sha256="", frame=np.zeros(mask.shape, dtype=np.float32) + mask, mask=mask)
    shown = [
        bool((draw(image, classes=2, multiple_px=64, orientation="any", alterations=NOTHING, rng=r)[1] == 1).any())
        for r in (np.random.default_rng(s) for s in range(40))
    ]
    # Half of the views are drawn around the small class, and hold it but for those that a corner cuts.
    assert 12 <= sum(shown) <= 26


def test_every_image_is_seen_as_it_is_first_and_as_often_as_the_budget_allows():
    encoder = load_encoder("efficientnet-lite0").eval()
    told = []
    views = look(
        training(0, 1),
        encoder,
        megapixels=0.1,
        orientation="any",
        alterations=Alterations(),
        seed=0,
        progress=lambda done, total: told.append((done, total)),
    )
    # 0.1 Mpx over two images of 128 x 128 = 0.0328 Mpx make three views of each.
    assert len(views) == 6
    assert told[-1] == (6, 6)
    for view, image in zip(views[:2], training(0, 1).images, strict=True):
        assert np.allclose(view.maps.image[0, 0].numpy(), normalised(image.frame), atol=1e-4)
    assert views[0].maps.features[0][0].dtype == torch.float16
