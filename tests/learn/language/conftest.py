"""A tiny random BERT with a WordPiece tokenizer, and a corpus about a dozen images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    *("the", "image", "is", "dark", "bright", "shows", "many", "few", "lines", "pores", "no", "of", "size", "how", "a"),
    *("an", "##iso", "##tro", "##py", "micro", "##graph", ".", "?", ",", "0", "1", "2", "3", "4", "5", "6", "7", "8"),
)
STATES = ("dark", "bright")
AMOUNTS = ("many", "few", "no")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Return the folder of a tiny encoder."""
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def save():
    """Write a tiny encoder into a folder, which is returned."""
    return save_tiny


@pytest.fixture
def records(tmp_path):
    """Write a folder of records, and return it."""

    def write(rows, folder=tmp_path / "corpus"):
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows)), folder / "records.parquet")
        return folder

    return write


@pytest.fixture(scope="session")
def said():
    """Return records about twelve images, four each, and one that compares two of them."""
    return rows_of(12)


def save_tiny(folder: Path, *, seed: int = 0) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: k for k, word in enumerate((*SPECIAL, *WORDS))}
    bare = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    bare.normalizer = normalizers.BertNormalizer(lowercase=True)
    bare.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bare.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=96,
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=96,
    )  # fmt: skip
    model = BertModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


def rows_of(images: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    rows = []

    def row(names, task, question, reasoning, answer, kind, *, verified=True):
        return {
            "id": str(len(rows)), "images": names, "task": task, "question": question, "reasoning": reasoning,
            "answer": answer, "answer_type": kind, "cues": [], "teacher": "t", "verified": verified,
            "rejected_because": "" if verified else "it is false",
        }  # fmt: skip

    for k in range(images):
        state, amount, size = STATES[k % 2], AMOUNTS[k % 3], int(rng.integers(1, 9))
        whole = f"The image is {state}. The image shows {amount} lines. The pores of the image: {size}."
        rows.append(row([f"i{k}"], "description", "How is the image?", "", whole, "text"))
        rows.append(row([f"i{k}"], "sizing", "How many pores?", f"The size of pores is {size}.", str(size), "number"))
        rows.append(row([f"i{k}"], "diagnostic", "Is the anisotropy dark?", "", "no", "binary"))
        rows.append(row([f"i{k}"], "diagnostic", "Is it false?", "", "bright", "text", verified=False))
    rows.append(row(["i0", "i1"], "comparative", "Which is dark?", "The image 0 is dark.", "0", "choice"))
    return rows
