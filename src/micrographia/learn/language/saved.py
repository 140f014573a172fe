"""A trained model on disk: a folder that transformers and sentence-transformers load, with its head beside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from micrographia.embed.language import RECORD, read_record
from micrographia.embed.texts import POOLING, pooling_of
from micrographia.errors import ReadError
from micrographia.learn.language.network import Base, LanguageNetwork, load_base, new_head

HEAD: Final = "head.safetensors"
CARD: Final = "README.md"
_MODULES: Final = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def write_model(network: LanguageNetwork, tokenizer: Any, record: dict[str, Any], card: str, out: Path) -> None:
    """Write a model into a folder; the record comes last, so that without it the folder is not a model yet.

    Parameters
    ----------
    network : LanguageNetwork
        Encoder and head.
    tokenizer : object
        With the new words.
    record : dict
        What it was made with, and what was measured.
    card : str
        Its model card, Markdown.
    out : Path
        The folder.
    """
    draft = out / "model.part"
    shutil.rmtree(draft, ignore_errors=True)
    (draft / POOLING).parent.mkdir(parents=True)
    network.encoder.save_pretrained(draft)  # type: ignore[operator]
    tokenizer.save_pretrained(draft)
    save_file(
        {name: value.detach().cpu().contiguous() for name, value in network.head.state_dict().items()}, draft / HEAD
    )
    (draft / POOLING).write_text(pooling_of(network.encoder.config.hidden_size), encoding="utf-8")  # type: ignore[union-attr, arg-type]
    (draft / "modules.json").write_text(json.dumps(_MODULES, indent=2) + "\n", encoding="utf-8")
    (draft / CARD).write_text(card, encoding="utf-8")
    (draft / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    files = sorted((p.relative_to(draft) for p in draft.rglob("*") if p.is_file()), key=lambda p: str(p) == RECORD)
    for file in files:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        (draft / file).replace(out / file)
    shutil.rmtree(draft)


def read_model(folder: Path) -> tuple[LanguageNetwork, Base]:
    """Return a trained model with its head, and its encoder with its tokenizer.

    Parameters
    ----------
    folder : Path
        That `write_model` wrote.

    Raises
    ------
    ReadError
        It is not there, incomplete or damaged.
    """
    record = read_record(folder)
    base = load_base(folder)
    head = new_head(base, seed=0)
    try:
        head.load_state_dict(load_file(folder / HEAD))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ReadError(f"{folder / HEAD} cannot be read ({error}); train again into an empty folder") from error
    network = LanguageNetwork(base.encoder, head, temperature=float(record["settings"]["temperature"]))
    return network.requires_grad_(False), base


def digest_of(base: Base) -> str:
    """Return a hash of the weights and the tokens of a base."""
    import hashlib

    digest = hashlib.sha256(base.tokenizer.backend_tokenizer.to_str().encode())
    for name, value in sorted(base.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
