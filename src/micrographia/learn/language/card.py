"""The model card that lies beside an adapted language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from micrographia.learn.language.settings import MOST_TOKENS


def model_card(record: Mapping[str, Any], *, base: str) -> str:
    """Return what a model is, what it learned from and what it is not good for, Markdown.

    Parameters
    ----------
    record : mapping
        What the training wrote of itself.
    base : str
        What it started from, in words.
    """
    settings, corpus, made = record["settings"], record["corpus"], record["made"]
    weights = settings["weights"]
    measured = record["measured"]["bits_per_character"]
    words = ", ".join(record["new_words"]) or "none"
    found = "not measured" if measured is None else f"{measured:.3f} bits per character of masked words"
    return f"""# Language model of micrographs

Texts to vectors, and masked words to guesses. Adapted from {base} by {made["software"]} (commit {made["commit"]}).

- **Use**: `micrographia embed --text "..." --encoder language:DIR --out OUT`, or `describe:DIR` for images. The folder
  loads with transformers' `AutoModel` and with sentence-transformers too; the head is in `head.safetensors`.
- **Learned from**: {corpus["passages"]:,} texts about {corpus["images"]:,} images, SHA-256 `{corpus["sha256"][:16]}`.
  Texts were cut off at {MOST_TOKENS} tokens.
- **Held back**: what was said of {len(record["held_back"])} other images: {found}.
- **How**: {settings["steps"]} steps, {settings["batch"]} texts and {settings["pairs"]} pairs a batch,
  rate {settings["learning_rate"]:g}, seed {settings["seed"]},
  {"bfloat16" if settings["bf16"] else "single precision"}{_frozen(settings)}.
- **Licence**: that of the base model, and of the texts

| loss | weight | what it asks for |
|---|---|---|
| masked | {weights["masked"]:g} | words that were masked, told from the rest |
| contrastive | {weights["contrastive"]:g} | texts about one image nearer to each other than to others |
| cosine | {weights["cosine"]:g} | vectors of general sentences as the base model has them |
| relational | {weights["relational"]:g} | similarities of general sentences as the base model has them |

New words ({len(record["new_words"])}): {words}.

## What it is not good for

- Texts unlike those it learned from: they are understood no better than by the base model, and perhaps worse.
- Truth. It says which texts are alike and which words are likely, not whether a sentence is right.
"""


def _frozen(settings: Mapping[str, Any]) -> str:
    return "; only the head learned, as a control" if settings["frozen"] else ""
