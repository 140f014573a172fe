"""An encoder with a head that predicts masked words, and everything it is asked in one step of the training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from micrographia.embed.texts import mean_over_tokens, packaged_minilm
from micrographia.errors import InputError, ReadError
from micrographia.learn.language.losses import contrastive_loss, cosine_loss, masked_loss, relational_loss

_SPREAD: Final = 0.02
"""Standard deviation of new weights, as in BERT."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Base:
    """What an adaptation starts from.

    Parameters
    ----------
    encoder, tokenizer : object
        Of the transformers library.
    """

    encoder: Any
    tokenizer: Any


class MaskedWordHead(nn.Module):
    """BERT's head: a dense layer, GELU and a layer norm, then the dot product with each token's own embedding.

    The embeddings are the encoder's, so the head holds little of its own. J. Devlin et al. (2019),
    doi:10.18653/v1/N19-1423.

    Parameters
    ----------
    dimension, embedding : int
        Length of a hidden state, and of a token's embedding.
    tokens : int
        Size of the vocabulary.
    generator : torch.Generator
        Draws the weights.
    """

    def __init__(self, dimension: int, embedding: int, tokens: int, *, generator: torch.Generator) -> None:
        super().__init__()
        # Drawn below, from the generator that was handed in.
        self.dense = nn.utils.skip_init(nn.Linear, dimension, embedding)  # type: ignore[no-untyped-call]
        self.norm = nn.LayerNorm(embedding)
        self.bias = nn.Parameter(torch.zeros(tokens))
        with torch.no_grad():
            # Close to passing on what comes in: a hidden state still knows much of its own token.
            nn.init.eye_(self.dense.weight)
            self.dense.weight += _SPREAD * torch.randn(self.dense.weight.shape, generator=generator)
            self.dense.bias.zero_()

    def forward(
        self, states: Float[Tensor, "place dimension"], table: Float[Tensor, "token embedding"]
    ) -> Float[Tensor, "place token"]:
        """Return the logits of all tokens at each place."""
        return self.norm(functional.gelu(self.dense(states))) @ table.T + self.bias  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True, eq=False)
class Texts:
    """Texts as tokens, filled up to the same length.

    Parameters
    ----------
    tokens : int tensor (text, token)
        Numbers of the tokens.
    there : int tensor (text, token)
        1 where there is a token, 0 where it was filled up.
    """

    tokens: Int[Tensor, "text token"]
    there: Int[Tensor, "text token"]

    def to(self, device: torch.device) -> Texts:
        """Return the same on a device."""
        return Texts(tokens=self.tokens.to(device), there=self.there.to(device))


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What a step looks at; what is None belongs to a loss that is switched off.

    Parameters
    ----------
    masked : Texts, optional
        With words masked.
    chosen : bool tensor (text, token), optional
        Where the head must answer.
    truth : int tensor (chosen,), optional
        What stood there.
    pairs : Texts, optional
        Of n pairs, first all firsts and then all seconds: 2 n texts.
    image : int tensor (n,), optional
        Number of the image of each pair.
    general : Texts, optional
        General sentences.
    before : float tensor (text, dimension), optional
        Their vectors by the base model.
    """

    masked: Texts | None = None
    chosen: Bool[Tensor, "text token"] | None = None
    truth: Int[Tensor, " chosen"] | None = None
    pairs: Texts | None = None
    image: Int[Tensor, " pair"] | None = None
    general: Texts | None = None
    before: Float[Tensor, "text dimension"] | None = None


class LanguageNetwork(nn.Module):
    """An encoder and its head.

    Parameters
    ----------
    encoder : Module
        Of the transformers library. It never drops units out: a training is the same however often it is interrupted.
    head : MaskedWordHead
        Predicts masked words.
    temperature : float
        Of the contrastive loss.
    """

    def __init__(self, encoder: nn.Module, head: MaskedWordHead, *, temperature: float) -> None:
        super().__init__()
        self.encoder = encoder.eval()
        self.head = head
        self.temperature = temperature

    def states(self, texts: Texts) -> Float[Tensor, "text token dimension"]:
        """Return the last hidden states."""
        found: Tensor = self.encoder(input_ids=texts.tokens, attention_mask=texts.there).last_hidden_state
        return found

    def sentence_vectors(self, texts: Texts) -> Float[Tensor, "text dimension"]:
        """Return unit vectors of texts, as the encoder `language:DIR` makes them."""
        return mean_over_tokens(self.states(texts).float(), texts.there)

    def logits(self, texts: Texts, chosen: Bool[Tensor, "text token"]) -> Float[Tensor, "place token"]:
        """Return what the head thinks of the chosen places."""
        table = self.encoder.get_input_embeddings().weight  # type: ignore[operator]
        found: Tensor = self.head(self.states(texts)[chosen], table)
        return found.float()

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each loss that the batch is for."""
        losses = {}
        if batch.masked is not None and batch.chosen is not None and batch.truth is not None:
            losses["masked"] = masked_loss(self.logits(batch.masked, batch.chosen), batch.truth)
        if batch.pairs is not None and batch.image is not None:
            one, other = self.sentence_vectors(batch.pairs).chunk(2)
            losses["contrastive"] = contrastive_loss(one, other, batch.image, temperature=self.temperature)
        if batch.general is not None and batch.before is not None:
            vectors = self.sentence_vectors(batch.general)
            losses["cosine"] = cosine_loss(vectors, batch.before)
            losses["relational"] = relational_loss(vectors, batch.before)
        return losses


def load_base(folder: Path | None = None) -> Base:
    """Return the encoder that an adaptation starts from.

    Parameters
    ----------
    folder : Path, optional
        Of the transformers library, with safetensors; by default the packaged MiniLM.

    Raises
    ------
    ReadError
        It is not there, incomplete or damaged.
    InputError
        It is no encoder of texts that could predict masked words.
    """
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoConfig, AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    home = packaged_minilm() if folder is None else folder
    if not (home / "config.json").is_file():
        raise ReadError(f"--base {home} holds no config.json; accepted is the folder of a transformers encoder")
    try:
        config = AutoConfig.from_pretrained(str(home), trust_remote_code=False)
        if type(config) not in MODEL_FOR_MASKED_LM_MAPPING or config.is_encoder_decoder or _looks_back_only(config):
            raise InputError(
                f"--base {home} is of type {config.model_type}, which is no encoder of texts; accepted are those that "
                "predict masked words, as bert, roberta or distilbert"
            )
        encoder = AutoModel.from_pretrained(
            str(home),
            config=config,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation="eager",  # on processors the backward pass of the fused kind takes longer than all else
        )
        tokenizer = AutoTokenizer.from_pretrained(str(home), trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ReadError(
            f"--base {home} cannot be loaded ({' '.join(str(error).split())[:200]}); accepted is a folder with "
            "config.json, safetensors and tokenizer"
        ) from error
    if tokenizer.mask_token_id is None or not tokenizer.is_fast:
        raise InputError(f"the tokenizer of --base {home} has no mask token, or no tokenizer.json; accepted are both")
    return Base(encoder=encoder, tokenizer=tokenizer)


def _looks_back_only(config: Any) -> bool:
    return bool(getattr(config, "is_decoder", False))


def new_head(base: Base, *, seed: int) -> MaskedWordHead:
    """Return a head that has learned nothing yet, for the encoder with its tokens as they are now."""
    tokens, embedding = base.encoder.get_input_embeddings().weight.shape
    return MaskedWordHead(
        base.encoder.config.hidden_size, embedding, tokens, generator=torch.Generator().manual_seed(seed)
    )
