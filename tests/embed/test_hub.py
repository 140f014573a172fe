"""Encoders of others, as tiny random checkpoints: what comes out is what the models' own parts make by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from micrographia.embed.choose import load_embedder
from micrographia.embed.hub import KINDS
from micrographia.errors import InputError, ReadError

SIDE = 32
TEXTS = ["a crack in the oxide", "no crack", "grain of carbon fibre in the oxide of the grain of the crack in a fibre"]


def pixels(kind, frame):
    """What the model's processor makes of a frame, by hand: 8-bit grey, scaled as PIL does, normalised."""
    import transformers as t

    low, high = np.percentile(frame, (1, 99))
    grey = np.rint(np.clip((frame.astype(float) - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    scaled = Image.fromarray(grey).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    own = {"clip": t.CLIPImageProcessorPil, "siglip": t.SiglipImageProcessorPil, "flava": t.FlavaImageProcessorPil}
    made = own.get(kind, t.BitImageProcessorPil)()
    x = (np.asarray(scaled, dtype=np.float64) / 255 - made.image_mean) / made.image_std
    return torch.tensor(x.transpose(2, 0, 1)[None], dtype=torch.float32)


def by_hand(kind, folder, frame):
    """Unit vector of a square image, and its patches, by the parts of the model."""
    import transformers as t

    x = pixels(kind, frame)
    with torch.no_grad():
        if kind == "clip":
            model = t.CLIPModel.from_pretrained(folder).eval()
            out = model.vision_model(pixel_values=x)
            whole = model.visual_projection(out.pooler_output)
            patches = model.visual_projection(model.vision_model.post_layernorm(out.last_hidden_state[:, 1:]))
        elif kind == "siglip":
            model = t.SiglipModel.from_pretrained(folder).eval()
            out = model.vision_model(pixel_values=x)
            whole, patches = model.vision_model.head(out.last_hidden_state), out.last_hidden_state
        elif kind == "flava":
            model = t.FlavaForPreTraining.from_pretrained(folder).eval().flava
            out = model(pixel_values=x, skip_multimodal_encoder=True).image_embeddings
            whole, patches = model.image_projection(out[:, 0]), model.image_projection(out[:, 1:])
        else:
            model = t.Dinov2Model.from_pretrained(folder).eval()
            states = model.layernorm(model.encoder(model.embeddings(x)).last_hidden_state)
            whole, patches = states[:, 0], states[:, 1:]
    return (whole / whole.norm())[0].numpy(), patches[0].numpy().reshape(4, 4, -1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_square_image_gives_what_the_model_gives_by_hand(kind, folders, frames):
    (frame,) = frames((48, 48))
    (found,) = load_embedder(f"{kind}:{folders[kind]}").embed_images([frame])
    whole, patches = by_hand(kind, folders[kind], frame)
    np.testing.assert_allclose(found.whole, whole, atol=2e-5)
    np.testing.assert_allclose(found.patches, patches, atol=2e-4)
    assert found.patch_px == 12


@pytest.mark.parametrize("kind", ["clip", "siglip", "flava"])
def test_texts_give_what_the_model_gives_by_hand_one_by_one(kind, folders):
    import transformers as t

    encoder = load_embedder(f"{kind}:{folders[kind]}")
    found = encoder.embed_texts(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    tokenizer = t.AutoTokenizer.from_pretrained(folders[kind])
    for text, vector in zip(TEXTS, found, strict=True):
        ids = torch.tensor([tokenizer(text, truncation=True, max_length=12)["input_ids"]])
        with torch.no_grad():
            if kind == "clip":
                model = t.CLIPModel.from_pretrained(folders[kind]).eval()
                states = model.text_model(input_ids=ids).last_hidden_state
                expected = model.text_projection(states[0, -1])  # the last token is the end of the text
            elif kind == "siglip":
                model = t.SiglipModel.from_pretrained(folders[kind]).eval()
                filled = torch.nn.functional.pad(ids, (0, 12 - ids.shape[1]))
                states = model.text_model(input_ids=filled).last_hidden_state
                expected = model.text_model.head(states[0, -1])
            else:
                model = t.FlavaForPreTraining.from_pretrained(folders[kind]).eval().flava
                states = model(input_ids=ids, skip_multimodal_encoder=True).text_embeddings
                expected = model.text_projection(states[0, 0])
        np.testing.assert_allclose(vector, (expected / expected.norm()).numpy(), atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_how_many_go_through_at_once_does_not_matter(kind, folders, frames):
    many = frames((40, 40), (40, 90), (70, 33), (33, 33), (48, 48))
    encoder = load_embedder(f"{kind}:{folders[kind]}")
    one = list(encoder.embed_images(many, batch=1))
    four = list(encoder.embed_images(many, batch=4))
    assert len(one) == len(four) == 5
    for a, b in zip(one, four, strict=True):
        np.testing.assert_allclose(a.whole, b.whole, atol=1e-5)
        np.testing.assert_allclose(a.patches, b.patches, atol=1e-4)


def test_a_long_image_is_seen_whole_in_squares_of_its_short_side(folders, frames):
    encoder = load_embedder(f"clip:{folders['clip']}")
    (frame,) = frames((40, 100))
    wide, tall = encoder.embed_images([frame, np.ascontiguousarray(frame.T)])
    assert wide.patches.shape[:2] == (4, 10)
    assert tall.patches.shape[:2] == (10, 4)
    assert wide.patch_px == tall.patch_px == 10
    # Squares start at columns 0, 30 and 60: their mean is the whole, and each patch is that of the nearest square.
    ends = np.percentile(frame, (1, 99)).astype(np.float32)
    parts = [np.clip(frame[:, s : s + 40], *ends) for s in (0, 30, 60)]
    grey = [np.rint((p - ends[0]) / (ends[1] - ends[0]) * 255) for p in parts]
    # Given one by one with the ends of the whole kept in a corner, so that grey levels are those of the whole.
    for g in grey:
        g[0, :40], g[1, :40] = 0, 255
    marked = np.rint((np.clip(frame, *ends) - ends[0]) / (ends[1] - ends[0]) * 255)
    marked[0], marked[1] = 0, 255
    (long,) = encoder.embed_images([marked.astype(np.float32)])
    squares = list(encoder.embed_images([g.astype(np.float32) for g in grey]))
    np.testing.assert_allclose(long.whole, np.mean([s.whole for s in squares], axis=0), atol=1e-5)
    np.testing.assert_allclose(long.patches[:, 0], squares[0].patches[:, 0], atol=1e-4)
    np.testing.assert_allclose(long.patches[:, 9], squares[2].patches[:, 3], atol=1e-4)
    np.testing.assert_allclose(long.patches[:, 4], squares[1].patches[:, 1], atol=1e-4)


def test_another_seed_or_another_side_is_another_version(folders, save, tmp_path):
    import json

    first = load_embedder(f"dinov2:{folders['dinov2']}")
    assert first.version == load_embedder(f"dinov2:{folders['dinov2']}").version
    other = save("dinov2", tmp_path / "other", seed=1)
    versions = {first.version, load_embedder(f"dinov2:{other}").version}
    settings = json.loads((other / "preprocessor_config.json").read_text())
    settings["crop_size"] = {"height": 40, "width": 40}
    (other / "preprocessor_config.json").write_text(json.dumps(settings))
    versions.add(load_embedder(f"dinov2:{other}").version)
    assert len(versions) == 3


def test_a_model_without_texts_says_so(folders):
    with pytest.raises(InputError, match="does not read texts"):
        load_embedder(f"dinov2:{folders['dinov2']}").embed_texts(["a crack"])


def test_a_pickle_is_refused_and_the_way_to_convert_it_named(folders, tmp_path):
    import shutil

    folder = tmp_path / "pickled"
    shutil.copytree(folders["clip"], folder)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ReadError, match=r"pickle, which can run code; accepted are safetensors.*save_pretrained"):
        load_embedder(f"clip:{folder}")


def test_weights_that_are_not_there_name_the_command_that_gets_them():
    with pytest.raises(ReadError, match="`hf download openai/clip-not-there` gets it") as caught:
        load_embedder("clip:openai/clip-not-there")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(tmp_path):
    with pytest.raises(ReadError, match="Accepted is clip:FOLDER") as caught:
        load_embedder(f"clip:{tmp_path / 'nothing'}")
    assert "hf download" not in str(caught.value)


def test_a_checkpoint_of_half_the_model_is_refused(folders, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "half"
    shutil.copytree(folders["flava"], folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "text_projection" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ReadError, match="lacks 2 of the weights"):
        load_embedder(f"flava:{folder}")


@pytest.mark.parametrize(
    ("asked", "kind"), [("clip", "siglip"), ("dinov2", "clip")], ids=["clip for siglip", "dinov2 for clip"]
)
def test_a_model_of_another_kind_is_refused(asked, kind, folders):
    with pytest.raises(InputError, match=f"is of type {kind}"):
        load_embedder(f"{asked}:{folders[kind]}")


@pytest.mark.parametrize("name", ["", "clip", "clip:", "resnet", "minilm:x", "efficientnet-lite0:x", "vit:a/b"])
def test_an_unknown_name_lists_what_is_accepted(name):
    named = r"accepted are efficientnet-lite0, minilm, describe, language:DIR, describe:DIR, fusion, fusion:FILE, clip:"
    with pytest.raises(InputError, match=named):
        load_embedder(name)


def test_damaged_weights_are_told_in_one_line(folders, tmp_path):
    import shutil

    folder = tmp_path / "damaged"
    shutil.copytree(folders["clip"], folder)
    raw = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(raw[:1000])
    with pytest.raises(ReadError, match="cannot be loaded") as caught:
        load_embedder(f"clip:{folder}")
    assert "\n" not in str(caught.value)
