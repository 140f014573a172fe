"""The network against the transformers library and by hand; and what is no base."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from micrographia.errors import InputError, ReadError
from micrographia.learn.language.batches import encoded
from micrographia.learn.language.network import Batch, LanguageNetwork, load_base, new_head


@pytest.fixture
def network(tiny):
    base = load_base(tiny)
    return LanguageNetwork(base.encoder, new_head(base, seed=0), temperature=0.1)


@pytest.fixture
def texts(tiny):
    return encoded(load_base(tiny).tokenizer, ["The image is dark.", "No lines."])


def test_the_head_is_dense_gelu_norm_and_the_embeddings(network, texts):
    chosen = torch.zeros_like(texts.tokens, dtype=torch.bool)
    chosen[0, 2] = True
    with torch.no_grad():
        network.head.bias[3] = 5.0
        found = network.logits(texts, chosen)[0]
        state = network.states(texts)[0, 2].double()
    head = {name: value.double() for name, value in network.head.state_dict().items()}
    dense = head["dense.weight"] @ state + head["dense.bias"]
    gelu = dense * 0.5 * (1 + torch.erf(dense / 2**0.5))
    norm = (gelu - gelu.mean()) / (gelu.var(unbiased=False) + 1e-5).sqrt()
    expected = network.encoder.get_input_embeddings().weight.double() @ norm
    expected[3] += 5.0
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-4)


def test_filling_up_changes_no_vector(network, texts, tiny):
    alone = encoded(load_base(tiny).tokenizer, ["No lines."])
    with torch.no_grad():
        np.testing.assert_allclose(network.sentence_vectors(alone)[0], network.sentence_vectors(texts)[1], atol=1e-5)


def test_nothing_is_dropped_out_and_heads_of_a_seed_are_the_same(network, texts, tiny):
    batch = Batch(pairs=texts, image=torch.tensor([0]))
    assert torch.equal(network(batch)["contrastive"], network(batch)["contrastive"])
    base = load_base(tiny)
    one, same, other = (new_head(base, seed=seed).dense.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_only_the_losses_that_a_batch_is_for(network, texts):
    assert network(Batch()) == {}
    before = network.sentence_vectors(texts).detach()
    losses = network(Batch(general=texts, before=before))
    assert set(losses) == {"cosine", "relational"}
    assert losses["cosine"].item() == pytest.approx(0, abs=1e-6)


def save_as(folder, tiny, model):
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder)
    return folder


def test_what_is_no_encoder_of_texts_is_refused(tmp_path, tiny):
    import transformers as t

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    gpt = t.GPT2Model(t.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=38, n_positions=32))
    with pytest.raises(InputError, match="is of type gpt2, which is no encoder of texts; accepted are those that"):
        load_base(save_as(tmp_path / "gpt", tiny, gpt))
    backwards = t.BertModel(t.BertConfig(**sizes, vocab_size=38, is_decoder=True))
    with pytest.raises(InputError, match="is of type bert, which is no encoder"):
        load_base(save_as(tmp_path / "decoder", tiny, backwards))
    seeing = t.Dinov2Model(t.Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=1))
    with pytest.raises(InputError, match="is of type dinov2"):
        load_base(save_as(tmp_path / "dino", tiny, seeing))


def test_a_base_that_is_not_there_or_damaged_is_refused(tmp_path, tiny):
    with pytest.raises(ReadError, match=r"holds no config.json; accepted is the folder of a transformers encoder"):
        load_base(tmp_path / "nothing")
    broken = shutil.copytree(tiny, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"half")
    with pytest.raises(ReadError, match="cannot be loaded") as refused:
        load_base(broken)
    assert "\n" not in str(refused.value)
    unmasked = shutil.copytree(tiny, tmp_path / "unmasked")
    settings = json.loads((unmasked / "tokenizer_config.json").read_text())
    del settings["mask_token"]
    (unmasked / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="has no mask token"):
        load_base(unmasked)
