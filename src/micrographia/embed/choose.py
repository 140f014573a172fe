"""Encoders by name, with the licence of their weights and what their authors warn of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from micrographia.embed.encoder import Encoder
from micrographia.errors import InputError

DEFAULT_SEES: Final = "efficientnet-lite0"
DEFAULT_READS: Final = "minilm"
DESCRIBES: Final = "describe"
LANGUAGE: Final = "language"
FUSION: Final = "fusion"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of encoder.

    Parameters
    ----------
    name : str
        Of the encoder; or what stands before the colon, when there are many of the kind.
    example : str
        As it is given on the command line.
    sees, reads : bool
        Whether it embeds images, and texts.
    shared_space : bool
        Whether a vector of a text compares with that of an image.
    licence : str
        Licence of the weights as their authors published them; other checkpoints of the kind may have another.
    caution : str
        What the authors' model card warns of.
    """

    name: str
    example: str
    sees: bool
    reads: bool
    shared_space: bool
    licence: str
    caution: str


ENCODERS: Final = (
    Kind(
        name=DEFAULT_SEES,
        example=DEFAULT_SEES,
        sees=True,
        reads=False,
        shared_space=False,
        licence="Apache-2.0",
        caution="Trained on photographs (ImageNet). Needs no download.",
    ),
    Kind(
        name=DEFAULT_READS,
        example=DEFAULT_READS,
        sees=False,
        reads=True,
        shared_space=False,
        licence="Apache-2.0",
        caution="English sentences and short paragraphs; little materials science among them. Needs no download.",
    ),
    Kind(
        name=DESCRIBES,
        example=DESCRIBES,
        sees=True,
        reads=True,
        shared_space=True,
        licence="Apache-2.0",
        caution="Sees only what `describe` measures and puts into words, which minilm reads. Needs no download.",
    ),
    Kind(
        name=LANGUAGE,
        example="language:DIR",
        sees=False,
        reads=True,
        shared_space=False,
        licence="that of the base model (Apache-2.0 for minilm) and of the texts it learned from",
        caution="What `micrographia train language` wrote into DIR: as good as the texts it learned from. English.",
    ),
    Kind(
        name=DESCRIBES,
        example="describe:DIR",
        sees=True,
        reads=True,
        shared_space=True,
        licence="that of the base model (Apache-2.0 for minilm) and of the texts it learned from",
        caution="As `describe`, read by the model that `micrographia train language` wrote into DIR.",
    ),
    Kind(
        name=FUSION,
        example=FUSION,
        sees=True,
        reads=False,
        shared_space=False,
        licence="GPL-3.0-or-later; contains weights of EfficientNet-Lite0 (Apache-2.0), changed",
        caution="Knows what a network for photographs sees in micrographs at three resolutions, and which of it goes "
        "together. Behind efficientnet-lite0 in segmentation. Needs no download.",
    ),
    Kind(
        name=FUSION,
        example="fusion:FILE",
        sees=True,
        reads=False,
        shared_space=False,
        licence="that of the images it learned from; contains weights of EfficientNet-Lite0 (Apache-2.0), changed",
        caution="What `micrographia train fusion` wrote: as good as its teachers and its images, and not yet compared "
        "with the packaged encoder on tasks of yours.",
    ),
    Kind(
        name="clip",
        example="clip:openai/clip-vit-base-patch32",
        sees=True,
        reads=True,
        shared_space=True,
        licence="MIT (OpenAI's and LAION's; look at the card of others)",
        caution="OpenAI's card puts any deployed use out of scope, and even use in a constrained environment without "
        "thorough testing in the domain. LAION's cards are for research. English only.",
    ),
    Kind(
        name="siglip",
        example="siglip:google/siglip-base-patch16-224",
        sees=True,
        reads=True,
        shared_space=True,
        licence="Apache-2.0",
        caution="Trained on pictures of the web with their texts; micrographs are rare among them.",
    ),
    Kind(
        name="flava",
        example="flava:facebook/flava-full",
        sees=True,
        reads=True,
        shared_space=True,
        licence="BSD-3-Clause",
        caution="Its card is for research, and asks for testing before any deployed use. Trained on 70 million public "
        "pairs. English only.",
    ),
    Kind(
        name="dinov2",
        example="dinov2:facebook/dinov2-small",
        sees=True,
        reads=False,
        shared_space=False,
        licence="Apache-2.0",
        caution="Trained on photographs without texts; its card notes biases by place and income.",
    ),
)
"""Every kind of encoder, in the order of `micrographia embed --list`."""


def kind_of(name: str) -> Kind | None:
    """Return the kind of an encoder by its name, or None if there is no such kind.

    Examples
    --------
    >>> [kind.example for name in ("describe", "describe:adapted", "gpt") if (kind := kind_of(name))]
    ['describe', 'describe:DIR']
    """
    head, colon, _ = name.partition(":")
    return next((k for k in ENCODERS if k.name == head and (":" in k.example) == bool(colon)), None)


def absolute(name: str) -> str:
    """Return the name of an encoder as a model keeps it: a file or folder by its absolute path, if it is here.

    Examples
    --------
    >>> absolute("minilm"), absolute("clip:openai/clip-vit-base-patch32")
    ('minilm', 'clip:openai/clip-vit-base-patch32')
    >>> absolute("fusion:here") == f"fusion:{Path('here').resolve()}"
    True
    """
    head, colon, place = name.partition(":")
    here = Path(place)
    return f"{head}:{here.resolve()}" if colon and place and (head == FUSION or here.exists()) else name


def load_embedder(name: str) -> Encoder:
    """Return an encoder by name.

    Parameters
    ----------
    name : str
        ``"efficientnet-lite0"``, ``"minilm"``, ``"describe"``, ``"language:<folder>"``,
        ``"describe:<folder>"``, ``"fusion"``, ``"fusion:<file>"`` or ``"<kind>:<hub name or folder>"`` of the other
        `ENCODERS`. Nothing is downloaded.

    Raises
    ------
    InputError
        There is no such encoder.
    ReadError
        Its weights are not there, damaged, or pickles.

    Examples
    --------
    >>> encoder = load_embedder("efficientnet-lite0")
    >>> encoder.sees, encoder.reads, len(encoder.version)
    (True, False, 16)
    """
    kind = kind_of(name)
    head, colon, place = name.partition(":")
    if kind is None or (colon and not place):
        accepted = ", ".join(k.example for k in ENCODERS)
        raise InputError(f"encoder is {name!r}; accepted are {accepted}, or their kind with a folder after the colon")
    # Loaded late: torch and transformers take seconds.
    if head == DEFAULT_SEES:
        from micrographia.embed.local import load_local

        return load_local(licence=kind.licence, caution=kind.caution)
    if head == DEFAULT_READS:
        from micrographia.embed.texts import load_minilm

        return load_minilm(licence=kind.licence, caution=kind.caution)
    if head == DESCRIBES:
        from micrographia.embed.described import DescribingEncoder

        reader = f"{LANGUAGE}:{place}" if place else DEFAULT_READS
        return DescribingEncoder(load_embedder(reader), name=name, caution=kind.caution)
    if head == FUSION:
        from micrographia.embed.fusion.encoder import load_fusion
        from micrographia.embed.fusion.saved import packaged_fusion

        return load_fusion(
            Path(place) if colon else packaged_fusion(), name=name, licence=kind.licence, caution=kind.caution
        )
    if head == LANGUAGE:
        from micrographia.embed.language import load_language

        return load_language(Path(place), licence=kind.licence, caution=kind.caution)
    from micrographia.embed.hub import load_hub

    return load_hub(head, place, licence=kind.licence, caution=kind.caution)
