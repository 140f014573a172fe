"""A training that was interrupted, and one that was not, end at the same weights; so do two processes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from micrographia.errors import InputError, ReadError
from micrographia.learn.language import train as module
from micrographia.learn.language.corpus import Corpus, Passage, read_corpus
from micrographia.learn.language.evaluate import masked_score
from micrographia.learn.language.general import GeneralText
from micrographia.learn.language.network import load_base, new_head
from micrographia.learn.language.saved import HEAD, read_model
from micrographia.learn.language.settings import LanguageSettings, LossWeights
from micrographia.learn.language.train import CHECKPOINT, CURVE, train_language

TINY = LanguageSettings(steps=6, batch=4, new_word_count=5, bf16=False, checkpoint_every=2, learning_rate=1e-3)
MODEL = "model.safetensors"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, said):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("corpus")
    pq.write_table(pa.Table.from_pylist(said), folder / "records.parquet")
    return read_corpus(folder)


@pytest.fixture(scope="module")
def whole(corpus, tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    return train_language(corpus, out, settings=TINY, base=tiny)


def same(one, other, file):
    first, second = load_file(one / file), load_file(other / file)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("stop", [2, 4])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(corpus, tiny, whole, tmp_path, monkeypatch, stop):
    keep = module.keep

    def killed(path, network, optimiser, record, resumed):
        keep(path, network, optimiser, record, resumed)
        if resumed.done == stop:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            train_language(corpus, tmp_path, settings=TINY, base=tiny)
    assert not (tmp_path / MODEL).exists()
    # How often it is kept does not matter.
    later = replace(TINY, checkpoint_every=3)
    assert train_language(corpus, tmp_path, settings=later, base=tiny) == tmp_path
    for file in (MODEL, HEAD, CHECKPOINT):
        assert same(tmp_path, whole, file)
    assert not list(tmp_path.glob("*.part"))


def test_a_finished_training_changes_nothing_when_it_is_asked_again(corpus, tiny, whole):
    files = (MODEL, HEAD, "language.json", "README.md", CURVE)
    before = [(whole / file).read_bytes() for file in files]
    train_language(corpus, whole, settings=TINY, base=tiny)
    assert [(whole / file).read_bytes() for file in files] == before


def test_new_words_learn_and_old_embeddings_stay(corpus, tiny, whole):
    before = load_base(tiny).encoder.get_input_embeddings().weight
    after = load_file(whole / MODEL)["embeddings.word_embeddings.weight"]
    assert json.loads((whole / "language.json").read_text())["new_words"] == ["anisotropy"]
    assert torch.equal(after[:-1], before)
    tokenizer = load_base(tiny).tokenizer
    mean = before[tokenizer("anisotropy", add_special_tokens=False)["input_ids"]].mean(dim=0)
    assert not torch.allclose(after[-1], mean, atol=1e-4)
    assert not same(tiny, whole, MODEL)


def test_the_control_learns_its_head_only(corpus, tiny, tmp_path):
    settings = replace(TINY, frozen=True, new_words=0)
    train_language(corpus, tmp_path, settings=settings, base=tiny)
    assert same(tmp_path, tiny, MODEL)
    begun = new_head(load_base(tiny), seed=0).state_dict()
    ended = load_file(tmp_path / HEAD)
    assert ended.keys() == begun.keys()
    assert not any(torch.equal(begun[name], ended[name]) for name in begun)


def test_without_masked_words_the_head_stays(corpus, tiny, tmp_path):
    settings = replace(TINY, new_words=0, weights=LossWeights(masked=0.0))
    train_language(corpus, tmp_path, settings=settings, base=tiny)
    begun, ended = new_head(load_base(tiny), seed=0).state_dict(), load_file(tmp_path / HEAD)
    assert all(torch.equal(begun[name], ended[name]) for name in begun)
    assert json.loads((tmp_path / "language.json").read_text())["measured"]["bits_per_character"] is None


def test_what_is_held_back_is_measured_and_recorded(corpus, whole):
    record = json.loads((whole / "language.json").read_text())
    (back,) = record["held_back"]
    network, base = read_model(whole)
    texts = [p.text for p in corpus.about({back}).passages]
    found = masked_score(network, base.tokenizer, texts, seed=0).bits_per_character
    assert record["measured"]["bits_per_character"] == pytest.approx(found, abs=1e-5)
    with (whole / CURVE).open() as file:
        (row,) = csv.DictReader(file)
    assert int(row["step"]) == 6
    assert float(row["held_back_bits_per_character"]) == pytest.approx(found, abs=1e-5)
    assert all(float(row[name]) >= 0 for name in ("masked", "contrastive", "cosine", "relational"))
    card = (whole / "README.md").read_text()
    assert f"of 1 other images: {found:.3f} bits per character" in card
    assert "anisotropy" in card


def test_another_seed_gives_other_weights(corpus, tiny, whole, tmp_path):
    train_language(corpus, tmp_path, settings=replace(TINY, seed=1), base=tiny)
    assert not same(tmp_path, whole, MODEL)


def test_the_global_generator_is_left_alone(corpus, tiny, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_language(corpus, tmp_path, settings=replace(TINY, steps=1), base=tiny)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"settings": replace(TINY, steps=8)}, "settings"),
        ({"settings": replace(TINY, weights=LossWeights(cosine=1.0))}, "settings"),
        ({"held_out": {"i3"}}, "corpus, held_back"),
        ({"general": GeneralText(sentences=("It rains.",))}, "general"),
    ],
    ids=["steps", "weights", "held out", "general"],
)
def test_another_trainings_checkpoint_is_refused_in_one_line(corpus, tiny, whole, tmp_path, changes, what):
    shutil.copy(whole / CHECKPOINT, tmp_path / CHECKPOINT)
    before = (tmp_path / CHECKPOINT).read_bytes()
    given = {"settings": TINY, "base": tiny, **changes}
    if what.startswith("corpus"):
        # The hold-back of seed 0 is another image.
        given["held_out"] = {next(i for i in corpus.images if i not in _held(whole))}
        what = "held_back"
    with pytest.raises(
        InputError, match=rf"another training, with another [a-z_, ]*{what}; accepted are the same"
    ) as no:
        train_language(corpus, tmp_path, **given)
    assert "\n" not in str(no.value)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert not (tmp_path / MODEL).exists()


def _held(folder):
    return json.loads((folder / "language.json").read_text())["held_back"]


def test_another_base_is_another_training(corpus, save, whole, tmp_path):
    other = save(tmp_path / "other", seed=1)
    shutil.copy(whole / CHECKPOINT, tmp_path / CHECKPOINT)
    with pytest.raises(InputError, match="with another base"):
        train_language(corpus, tmp_path, settings=TINY, base=other)


def test_a_damaged_checkpoint_is_refused_in_one_line(corpus, tiny, tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"half a checkpoint")
    with pytest.raises(ReadError, match=r"is no checkpoint .*; delete it to begin anew") as refused:
        train_language(corpus, tmp_path, settings=TINY, base=tiny)
    assert "\n" not in str(refused.value)


def test_a_corpus_of_single_sentences_has_nothing_to_contrast(tiny, tmp_path):
    one = Corpus(
        passages=tuple(Passage(images=(f"i{k}",), text="It is dark.", statement="It is dark.") for k in range(4))
    )
    with pytest.raises(InputError, match=r"are there two sentences.*--contrastive 0"):
        train_language(one, tmp_path / "out", settings=TINY, base=tiny)
    assert not (tmp_path / "out").exists()
    settings = replace(TINY, steps=1, weights=LossWeights(contrastive=0.0))
    assert (train_language(one, tmp_path / "out", settings=settings, base=tiny) / MODEL).is_file()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "steps is 0; accepted is 1 or more"),
        ({"batch": 1}, "batch is 1; accepted is 2 or more"),
        ({"new_words": -1}, "new_words is -1"),
        ({"masked_share": 0.0}, "masked_share is 0; accepted is a number between 0 and 1"),
        ({"validation_share": 1.0}, "validation_share is 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"frozen": True}, "a frozen encoder learns no new words"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_impossible_settings_are_refused(changes, says):
    with pytest.raises(InputError, match=says):
        replace(TINY, **changes)


def test_impossible_weights_are_refused():
    with pytest.raises(InputError, match="weight of the cosine loss is -1; accepted is a number of 0 or more"):
        LossWeights(cosine=-1.0)
    with pytest.raises(InputError, match="every loss has weight 0"):
        LossWeights(masked=0.0, cosine=0.0, relational=0.0, contrastive=0.0)


@pytest.mark.slow
def test_it_learns_what_is_always_said(corpus, tiny, tmp_path):
    # The questions are always the same words, which a network of 16 numbers learns to fill in.
    settings = replace(TINY, steps=120, batch=16, learning_rate=5e-3, head_rate=2e-2, checkpoint_every=120)
    train_language(
        corpus, tmp_path, settings=replace(settings, weights=LossWeights(cosine=0.0, relational=0.0)), base=tiny
    )
    with (tmp_path / CURVE).open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["masked"]) < 0.7 * float(rows[0]["masked"])
    held = [float(row["held_back_bits_per_character"]) for row in rows if row["held_back_bits_per_character"]]
    assert len(held) == 2
    assert rows[-1]["cosine"] == ""


ON_EACH = """
import sys
from pathlib import Path
import torch
from micrographia.learn.language import train as module
from micrographia.learn.language.batches import Source
from micrographia.learn.language.corpus import read_corpus
from micrographia.learn.language.settings import LanguageSettings

made, seen = [], []

class Network(module.LanguageNetwork):
    def __init__(self, *arguments, temperature):
        super().__init__(*arguments, temperature=temperature)
        made.append(self)

def batch(self, step, *, rank=0, of=Source.batch):
    found = of(self, step, rank=rank)
    seen.append(found.masked.tokens.sum().item())
    return found

module.LanguageNetwork, Source.batch = Network, batch
corpus, base, out = map(Path, sys.argv[1:])
settings = LanguageSettings(steps=4, batch=4, new_word_count=5, bf16=False, checkpoint_every=2, learning_rate=1e-3)
module.train_language(read_corpus(corpus), out, settings=settings, base=base)
weights = torch.cat([v.detach().flatten() for v in made[-1].parameters()])
torch.save({"weights": weights, "seen": seen, "ranks": torch.distributed.get_world_size()},
           out / f"rank{torch.distributed.get_rank()}.pt")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_share_one_training(records, said, tiny, tmp_path):
    script, out = tmp_path / "train.py", tmp_path / "out"
    script.write_text(ON_EACH)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(
        [*command, str(records(said)), str(tiny), str(out)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    one, other = (torch.load(out / f"rank{rank}.pt") for rank in range(2))
    assert one["ranks"] == 2
    assert len(one["seen"]) == len(other["seen"]) == 4
    assert one["seen"] != other["seen"]
    assert torch.equal(one["weights"], other["weights"])
    network, _ = read_model(out)
    assert torch.equal(torch.cat([v.detach().flatten() for v in network.parameters()]), one["weights"])
