"""A language model that `micrographia train language` adapted, as an encoder of texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError

from micrographia.embed.encoder import version_of
from micrographia.embed.texts import MOST_TOKENS, TextEncoder, check_pooling
from micrographia.errors import ReadError

KIND: Final = "language"
RECORD: Final = "language.json"
"""File of a trained model that says what it was made with."""
_FILES: Final = ("model.safetensors", "config.json", "tokenizer.json")


def load_language(folder: Path, *, licence: str, caution: str) -> TextEncoder:
    """Return an adapted model.

    Parameters
    ----------
    folder : Path
        That `micrographia train language` wrote.
    licence, caution : str
        See `Encoder`.

    Raises
    ------
    ReadError
        It is not there, incomplete, damaged, or still in training.
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    if not (folder / RECORD).is_file():
        raise ReadError(
            f"{folder} holds no {RECORD}; accepted is {KIND}:DIR, where `micrographia train language` ended"
        )
    try:
        check_pooling(folder)
        network, loaded = AutoModel.from_pretrained(
            str(folder), use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
        _check_whole(folder, network, tokenizer, loaded)
        version = version_of([folder / name for name in _FILES], f"mean {MOST_TOKENS} tokens")
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReadError(
            f"encoder {KIND}:{folder} cannot be loaded ({reason}); train it again into an empty folder"
        ) from error
    return TextEncoder(network, tokenizer, name=f"{KIND}:{folder}", version=version, licence=licence, caution=caution)


def read_record(folder: Path) -> dict[str, Any]:
    """Return what an adapted model was made with, and what was measured on it.

    Raises
    ------
    ReadError
        The folder holds no adapted model, or a damaged one.
    """
    try:
        return dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ReadError(f"{folder / RECORD} cannot be read ({error}); train again into an empty folder") from error


def _check_whole(folder: Path, network: Any, tokenizer: Any, loaded: Any) -> None:
    """Refuse what transformers would fill up with random numbers. A pooler is not used, and may be missing."""
    if missing := sorted(key for key in loaded["missing_keys"] if "pooler" not in key):
        raise ReadError(
            f"{folder} lacks {len(missing)} weights, the first {missing[0]}; train again into an empty folder"
        )
    if len(tokenizer) > len(network.get_input_embeddings().weight):
        raise ReadError(
            f"{folder} has a tokenizer of more tokens than the network knows; train again into an empty folder"
        )
