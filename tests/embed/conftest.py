"""Tiny checkpoints with random weights, written by the tests, and frames to embed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

WORDS = ("a", "crack", "in", "the", "oxide", "no", "fibre", "grain", "of", "carbon")
SIDE = 32
KINDS = ("clip", "siglip", "flava", "dinov2")


@pytest.fixture(scope="session")
def frames():
    """Make frames of given shapes: smooth noise in odd units."""
    return _frames


@pytest.fixture(scope="session")
def save():
    """Write a tiny model of a kind with its processor and tokenizer into a folder, which is returned."""
    return _save


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Return the folder of a tiny model of each kind."""
    home = tmp_path_factory.mktemp("hub")
    return {kind: _save(kind, home / kind) for kind in KINDS}


def _frames(*shapes: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    found = []
    for height, width in shapes:
        coarse = rng.normal(0, 1, (height // 4 + 2, width // 4 + 2))
        found.append(np.kron(coarse, np.ones((4, 4)))[:height, :width].astype(np.float32) * 812.0 - 77.0)
    return found


def _save_tokenizer(folder: Path, *, most: int) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {w: k for k, w in enumerate(("[PAD]", "[UNK]", "[CLS]", "[EOS]", *WORDS))}
    bare = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    bare.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [EOS]", special_tokens=[("[CLS]", 2), ("[EOS]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token="[PAD]", unk_token="[UNK]", bos_token="[CLS]", eos_token="[EOS]",
        model_max_length=most,
    ).save_pretrained(folder)  # fmt: skip


def _save(kind: str, folder: Path, *, seed: int = 0) -> Path:
    import transformers as t

    torch.manual_seed(seed)
    one = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    image = {**one, "image_size": SIDE, "patch_size": 8}
    text = {**one, "vocab_size": 14, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    if kind == "clip":
        text |= {"max_position_embeddings": 12}
        model = t.CLIPModel(t.CLIPConfig(vision_config=image, text_config=text, projection_dim=10))
        processor = t.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    elif kind == "siglip":
        text |= {"max_position_embeddings": 12, "projection_size": 16}
        model = t.SiglipModel(t.SiglipConfig(vision_config=image, text_config=text))
        processor = t.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    elif kind == "flava":
        text |= {"max_position_embeddings": 12}
        codebook = {"num_blocks_per_group": 1, "hidden_size": 4, "vocab_size": 8, "num_groups": 4}
        config = t.FlavaConfig(
            image_config=image, text_config=text, multimodal_config=one, image_codebook_config=codebook,
            projection_dim=10, hidden_size=16,
        )  # fmt: skip
        model = t.FlavaForPreTraining(config)
        processor = t.FlavaImageProcessorPil(
            size={"height": SIDE, "width": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        )
    else:
        model = t.Dinov2Model(t.Dinov2Config(**{**image, "mlp_ratio": 2}))
        processor = t.BitImageProcessorPil(size={"shortest_edge": 40}, crop_size={"height": SIDE, "width": SIDE})
    # Random weights as transformers makes them are so small that all images look alike.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    if kind != "dinov2":
        _save_tokenizer(folder, most=12)
    return folder
