"""What the recipe learns from little."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_textures import discs, iou, labelled, training

from micrographia.errors import InputError
from micrographia.learn.segment.card import model_card
from micrographia.learn.segment.shapes import segmentation_loss
from micrographia.learn.segment.train import SegmentSettings, train_segmenter
from micrographia.segment.labelled import UNLABELLED, Labelled, TrainingSet
from micrographia.segment.network.predict import segment

LITTLE = SegmentSettings(megapixels=0.3, steps=20)


def test_scribbles_on_one_image_are_enough_for_discs():
    _, mask = discs(0)
    scribble = np.full_like(mask, UNLABELLED)
    scribble[::16] = mask[::16]  # one line in sixteen
    model = train_segmenter(
        TrainingSet(images=(labelled(0, mask=scribble),), values=(0, 1), names=("ground", "disc")), settings=LITTLE
    )
    assert model.record["images"][0]["labelled"] == pytest.approx(1 / 16)
    frame, true = discs(30)
    assert iou(segment(frame, model).mask, true) > 0.85


def test_mask_numbers_come_back_as_they_were():
    images = training(0).images
    model = train_segmenter(TrainingSet(images=images, values=(3, 200), names=("a", "b")), settings=LITTLE)
    assert set(np.unique(segment(discs(31)[0], model).mask)) == {3, 200}


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    tiny = SegmentSettings(megapixels=0.04, steps=2)
    first, again = (train_segmenter(training(0), settings=tiny).network.state_dict() for _ in range(2))
    other = train_segmenter(training(0), settings=SegmentSettings(megapixels=0.04, steps=2, seed=1))
    assert all(torch.allclose(first[name], again[name], atol=1e-5) for name in first)
    assert not torch.allclose(first["last.weight"], other.network.state_dict()["last.weight"])


def test_training_leaves_the_global_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_segmenter(training(0), settings=SegmentSettings(megapixels=0.04, steps=1))
    assert torch.equal(torch.rand(3), expected)


def test_progress_runs_to_its_end():
    told = []
    train_segmenter(training(0), settings=SegmentSettings(megapixels=0.04, steps=3), progress=lambda *x: told.append(x))
    done = [d for d, _, _ in told]
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1]
    assert told[-1][2].startswith("loss ")


def test_an_image_without_contrast_is_named():
    flat = Labelled(name="flat.png", sha256="", frame=np.ones((64, 64), np.float32), mask=np.eye(64, dtype=np.uint8))
    with pytest.raises(InputError, match=r"flat.png: all pixels are equal"):
        train_segmenter(TrainingSet(images=(flat,), values=(0, 1), names=("a", "b")), settings=LITTLE)


def test_the_loss_of_a_perfect_answer_is_zero_and_unlabelled_pixels_do_not_count():
    loss = segmentation_loss(np.array([0.9, 0.1]))
    mask = torch.zeros(1, 8, 8, dtype=torch.int64)
    mask[0, :4] = 1
    sure = torch.stack([torch.where(mask == 0, 50.0, -50.0), torch.where(mask == 1, 50.0, -50.0)], dim=1)
    assert float(loss(sure, mask)) == pytest.approx(0, abs=1e-6)
    wrong = sure.clone()
    wrong[..., 0] = -wrong[..., 0]
    hidden = mask.clone()
    hidden[..., 0] = UNLABELLED
    assert float(loss(wrong, hidden)) == pytest.approx(0, abs=1e-6)
    assert float(loss(wrong, mask)) > 1


def test_a_class_weighs_by_the_root_of_its_rarity():
    # One pixel of each class, one of them wrong by 100 nats. Weights are as sqrt(1 / 0.9) to sqrt(1 / 0.1), 1 to 3, so
    # that it costs a quarter of 100 nats in the common class and three quarters in the rare one. Dice adds 1 at most.
    loss = segmentation_loss(np.array([0.9, 0.1]))
    mask = torch.tensor([[[0, 1]]])
    for wrong, cost in ((0, 25.0), (1, 75.0)):
        logits = torch.tensor([[[[50.0, -50.0]], [[-50.0, 50.0]]]])
        logits[..., wrong] = -logits[..., wrong]
        assert cost < float(loss(logits, mask)) < cost + 1


def test_the_card_names_classes_images_and_limits():
    model = train_segmenter(training(0, 1), settings=SegmentSettings(megapixels=0.04, steps=1))
    card = model_card(model)
    for words in ("| 1 | disc |", "discs 1", "mean nothing", "What it is not good for", "shapes in 1 steps"):
        assert words in card
