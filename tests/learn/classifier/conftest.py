"""Vectors of made-up images, and what stands for the encoder that made them."""

from __future__ import annotations

import numpy as np
import pytest

from micrographia.embed.encoder import Encoder
from micrographia.learn.classifier.images import LabelledVectors
from micrographia.qualify.classify.classifier import TrainingImage


@pytest.fixture(scope="session")
def encoder():
    """Return an encoder that is only asked for its name."""
    return Encoder(name="toy", version="1", sees=True, reads=False, shared_space=False, licence="", caution="")


@pytest.fixture(scope="session")
def known():
    """Make labelled vectors of vectors, labels and, unless each is one by itself, specimens."""

    def known(vectors, labels, specimens=None) -> LabelledVectors:
        names = specimens if specimens is not None else range(len(labels))
        return LabelledVectors(
            classes=tuple("abcdefgh"[: int(np.max(labels)) + 1]),
            vectors=np.asarray(vectors, dtype=np.float32),
            images=tuple(
                TrainingImage(file=f"{k}.png", sha256=f"{k:064d}", label=int(label), specimen=str(name))
                for k, (label, name) in enumerate(zip(labels, names, strict=True))
            ),
        )

    return known
