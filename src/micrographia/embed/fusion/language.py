"""Language joins by attention in both directions: sentences look at patches, and the image at sentences."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, eq=False)
class Spoken:
    """What language made of images.

    Parameters
    ----------
    vector : float tensor (batch, width)
        What the image took from the sentences.
    sentences : float tensor (batch, sentence)
        Logits of how much it looked at each sentence; their softmax is the weights.
    patches : float tensor (batch, sentence, patch)
        How much each sentence looked at each patch; their sum over patches is 1.
    """

    vector: Float[Tensor, "batch width"]
    sentences: Float[Tensor, "batch sentence"]
    patches: Float[Tensor, "batch sentence patch"]


class LanguageJoin(nn.Module):
    """Cross-attention between the patches of an image and a bank of sentences that is the same for all images.

    Parameters
    ----------
    width : int
        Numbers in the vector of a patch.
    text_width : int
        Numbers in the vector of a sentence.
    """

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.read = nn.Linear(text_width, width)
        self.seen = nn.LayerNorm(width)
        self.ask_patches = nn.Linear(width, width)
        self.key_patches = nn.Linear(width, width)
        self.value_patches = nn.Linear(width, width)
        self.grounded = nn.LayerNorm(width)
        self.asking = nn.LayerNorm(width)
        self.ask_sentences = nn.Linear(width, width)
        self.key_sentences = nn.Linear(width, width)
        self.value_sentences = nn.Linear(width, width)
        self.scale = width**-0.5

    def forward(
        self,
        bank: Float[Tensor, "sentence text_width"],
        patches: Float[Tensor, "batch patch width"],
        whole: Float[Tensor, "batch width"],
    ) -> Spoken:
        """Return what language made of images.

        Parameters
        ----------
        bank : float tensor (sentence, text_width)
            Vectors of the sentences.
        patches : float tensor (batch, patch, width)
            Of the finest level.
        whole : float tensor (batch, width)
            Of the whole image.
        """
        said = self.read(bank)[None]  # (1, sentence, width)
        seen = self.seen(patches)
        looking = self.ask_patches(said) @ self.key_patches(seen).transpose(1, 2) * self.scale
        looks = looking.float().softmax(dim=-1)  # (batch, sentence, patch)
        grounded = self.grounded(said + looks.to(seen.dtype) @ self.value_patches(seen))
        asked = self.ask_sentences(self.asking(whole))[:, None]
        logits = (asked @ self.key_sentences(grounded).transpose(1, 2))[:, 0].float() * self.scale
        weights = logits.softmax(dim=-1)[:, None].to(grounded.dtype)
        vector = (weights @ self.value_sentences(grounded))[:, 0]
        return Spoken(vector=vector, sentences=logits, patches=looks)
