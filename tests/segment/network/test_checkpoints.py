"""Checkpoints of others, tiny and random, written by the tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_textures import discs

from micrographia.errors import InputError, ReadError
from micrographia.segment.network.checkpoints import load_checkpoint, segment_with


def save_segformer(folder, classes: int = 3) -> str:
    import transformers as t

    torch.manual_seed(0)
    config = t.SegformerConfig(
        hidden_sizes=[8, 12, 16, 24],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=8,
        num_labels=classes,
        id2label={k: f"phase {k}" for k in range(classes)},
        label2id={f"phase {k}": k for k in range(classes)},
    )
    t.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    t.SegformerImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return str(folder)


def save_mask2former(folder) -> str:
    import transformers as t

    torch.manual_seed(0)
    config = t.Mask2FormerConfig(
        backbone_config=t.SwinConfig(
            embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2,
            out_features=["stage1", "stage2", "stage3", "stage4"],
        ),
        feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16, encoder_layers=1,
        decoder_layers=2, num_attention_heads=2, dim_feedforward=16, num_queries=5, num_labels=3,
    )  # fmt: skip
    t.Mask2FormerForUniversalSegmentation(config).save_pretrained(folder)
    t.Mask2FormerImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return str(folder)


def save_sam(folder) -> str:
    import transformers as t

    torch.manual_seed(0)
    vision = t.SamVisionConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=64, patch_size=16, output_channels=8,
        mlp_dim=16, window_size=2, global_attn_indexes=[0],
        num_pos_feats=4,
    )  # fmt: skip
    prompts = t.SamPromptEncoderConfig(hidden_size=8, image_size=64, patch_size=16, mask_input_channels=4)
    decoder = t.SamMaskDecoderConfig(
        hidden_size=8, mlp_dim=8, num_attention_heads=2, num_hidden_layers=1, iou_head_hidden_dim=8
    )
    t.SamModel(
        t.SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    ).save_pretrained(folder)
    t.SamProcessor(
        t.SamImageProcessorPil(
            size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_pad_size={"height": 16, "width": 16},
            mask_size={"longest_edge": 16},
        )
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


def test_segformer_answers_with_its_own_classes_at_full_size(tmp_path):
    checkpoint = load_checkpoint(save_segformer(tmp_path / "m"))
    found = segment_with(discs(0, 90)[0][:70], checkpoint)
    assert found.mask.shape == (70, 90)
    assert found.names == ("phase 0", "phase 1", "phase 2")
    assert found.strangeness is None
    # It is the argmax of what transformers itself makes of the picture.
    from PIL import Image

    from micrographia.segment.network.normalise import normalised

    grey = np.rint((np.clip(normalised(discs(0, 90)[0][:70]), -1, 1) + 1) * 127.5).astype(np.uint8)
    inputs = checkpoint.processor(images=Image.fromarray(grey).convert("RGB"), return_tensors="pt")
    with torch.no_grad():
        outputs = checkpoint.network(**inputs)
    expected = checkpoint.processor.post_process_semantic_segmentation(outputs, target_sizes=[(70, 90)])[0]
    assert (found.mask == expected.numpy()).mean() > 0.995  # ties are rounded otherwise


def test_mask2former_answers_with_probabilities(tmp_path):
    found = segment_with(discs(0, 80)[0], load_checkpoint(save_mask2former(tmp_path / "m")))
    assert found.mask.shape == (80, 80)
    assert len(found.names) == 3
    assert 0 <= float(found.uncertainty.min()) <= float(found.uncertainty.max()) <= 1


def test_sam_tells_ground_from_objects(tmp_path):
    found = segment_with(discs(0, 80)[0], load_checkpoint(save_sam(tmp_path / "m")))
    assert found.names == ("ground", "object")
    assert found.mask.shape == (80, 80)


def test_another_kind_of_model_is_refused(tmp_path):
    import transformers as t

    t.ConvNextConfig(hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 1, 1]).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="type convnext; accepted is one of segformer, mask2former, sam"):
        load_checkpoint(str(tmp_path))


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(ReadError, match="accepted is a model that"):
        load_checkpoint(str(tmp_path))
