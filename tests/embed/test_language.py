"""An adapted model as an encoder: its vectors against transformers by hand, and its version."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from micrographia.embed.choose import load_embedder
from micrographia.embed.describe import describe
from micrographia.embed.language import read_record
from micrographia.embed.texts import packaged_minilm
from micrographia.errors import InputError, ReadError

TEXTS = ["A crack runs through the coating.", "no", "Anisotropy of the micrograph, 2.9 px²"]


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    """Return the folder of a model as a training leaves it: MiniLM, made a little different, with a word more."""
    from micrographia.learn.language.network import LanguageNetwork, load_base, new_head
    from micrographia.learn.language.saved import write_model
    from micrographia.learn.language.vocabulary import add_words

    base = load_base(packaged_minilm())
    add_words(base.encoder, base.tokenizer, ["anisotropy"])
    with torch.no_grad():
        base.encoder.encoder.layer[5].output.dense.bias += 0.3
    out = tmp_path_factory.mktemp("adapted")
    network = LanguageNetwork(base.encoder, new_head(base, seed=0), temperature=0.05)
    write_model(network, base.tokenizer, {"settings": {"temperature": 0.05}}, "# Card\n", out)
    return out


@pytest.mark.parametrize("which", ["minilm", "adapted"])
def test_vectors_of_texts_and_tokens_are_those_of_transformers(which, adapted):
    from transformers import AutoModel, AutoTokenizer

    folder = adapted if which == "adapted" else packaged_minilm()
    encoder = load_embedder(f"language:{adapted}" if which == "adapted" else "minilm")
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    found = list(encoder.embed_tokens(TEXTS))
    for text, embedding in zip(TEXTS, found, strict=True):
        tokens = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = model(**tokens).last_hidden_state[0].numpy()
        assert embedding.tokens == tuple(tokenizer.convert_ids_to_tokens(tokens["input_ids"][0]))
        np.testing.assert_allclose(embedding.vectors, states, atol=2e-5)
        mean = states.mean(axis=0)
        np.testing.assert_allclose(embedding.whole, mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(encoder.embed_texts(TEXTS), np.stack([e.whole for e in found]), atol=1e-6)
    assert ("anisotropy" in found[2].tokens) == (which == "adapted")


def test_spans_say_where_a_token_stands(adapted):
    (found,) = load_embedder(f"language:{adapted}").embed_tokens(TEXTS[2:])
    said = [TEXTS[2][a:b].lower() for a, b in found.spans]
    assert said[0] == said[-1] == ""
    for token, part in list(zip(found.tokens, said, strict=True))[1:-1]:
        assert token.removeprefix("##") == part


def test_its_version_covers_weights_and_words(adapted, tmp_path):
    version = load_embedder(f"language:{adapted}").version
    other = shutil.copytree(adapted, tmp_path / "same")
    assert load_embedder(f"language:{other}").version == version != load_embedder("minilm").version
    config = json.loads((other / "tokenizer.json").read_text())
    config["added_tokens"][-1]["single_word"] = False
    (other / "tokenizer.json").write_text(json.dumps(config))
    words = load_embedder(f"language:{other}").version
    raw = bytearray((other / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (other / "model.safetensors").write_bytes(raw)
    assert len({version, words, load_embedder(f"language:{other}").version}) == 3


def test_descriptions_are_read_by_the_adapted_model(adapted):
    name = f"describe:{adapted}"
    encoder, reader = load_embedder(name), load_embedder(f"language:{adapted}")
    frame = np.random.default_rng(0).normal(100, 5, (96, 96))
    frame[40:43] -= 60
    (image,) = encoder.embed_images([frame])
    np.testing.assert_array_equal(image.whole, reader.embed_texts([describe(frame).text])[0])
    assert (encoder.name, encoder.shared_space) == (name, True)
    assert encoder.version != load_embedder("describe").version
    (text,) = encoder.embed_tokens(["a crack"])
    np.testing.assert_array_equal(text.whole, reader.embed_texts(["a crack"])[0])


def test_sentence_transformers_reads_the_same(adapted):
    library = pytest.importorskip("sentence_transformers")
    found = library.SentenceTransformer(str(adapted), device="cpu").encode(TEXTS, show_progress_bar=False)
    np.testing.assert_allclose(found, load_embedder(f"language:{adapted}").embed_texts(TEXTS), atol=1e-5)


def test_folders_that_hold_no_finished_model_are_refused(adapted, tmp_path):
    with pytest.raises(ReadError, match=r"holds no language.json; accepted is language:DIR"):
        load_embedder(f"language:{tmp_path}")
    with pytest.raises(InputError, match="accepted are"):
        load_embedder("language")
    broken = shutil.copytree(adapted, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"half")
    with pytest.raises(ReadError, match=r"cannot be loaded .*; train it again into an empty folder") as refused:
        load_embedder(f"language:{broken}")
    assert "\n" not in str(refused.value)
    (broken / "language.json").write_text("no json")
    with pytest.raises(ReadError, match=r"language.json cannot be read"):
        read_record(broken)


def test_weights_that_are_missing_are_not_made_up(adapted, tmp_path):
    from safetensors.torch import load_file, save_file

    lacking = shutil.copytree(adapted, tmp_path / "lacking")
    tensors = load_file(lacking / "model.safetensors")
    del tensors["encoder.layer.3.output.dense.weight"]
    save_file(tensors, lacking / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ReadError, match=r"lacks 1 weights, the first encoder.layer.3.output.dense.weight"):
        load_embedder(f"language:{lacking}")


def test_encoders_without_tokens_say_so():
    with pytest.raises(InputError, match="encoder efficientnet-lite0 has no vectors of tokens; accepted are minilm"):
        load_embedder("efficientnet-lite0").embed_tokens(["a"])
