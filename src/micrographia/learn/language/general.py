"""Everyday sentences without end: what a model of micrographs must go on understanding as it did."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np

from micrographia.errors import InputError, ReadError

_LEAST_SENTENCES: Final = 32


@dataclass(frozen=True, kw_only=True)
class GeneralText:
    """Where general sentences come from.

    Parameters
    ----------
    sentences : tuple of str
        Those of a file; empty: they are made up.
    """

    sentences: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash of the sentences, or of what they are made up from."""
        said = "\n".join(self.sentences) or repr(everyday())
        return hashlib.sha256(said.encode()).hexdigest()

    def draw(self, count: int, rng: np.random.Generator) -> list[str]:
        """Return sentences, as many as are asked for.

        Examples
        --------
        >>> GeneralText(sentences=("Birds sing.",)).draw(2, np.random.default_rng(0))
        ['Birds sing.', 'Birds sing.']
        """
        if self.sentences:
            return [self.sentences[k] for k in rng.choice(len(self.sentences), size=count)]
        return [_made_up(rng) for _ in range(count)]


def read_general(path: Path) -> GeneralText:
    """Read general sentences, one a line.

    Parameters
    ----------
    path : Path
        Plain text in UTF-8.

    Raises
    ------
    ReadError
        It cannot be read.
    InputError
        It has fewer than 32 different lines, from which nothing general is learned.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"--general {path} cannot be read ({error}); accepted is plain text in UTF-8") from error
    found = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(found) < _LEAST_SENTENCES:
        raise InputError(
            f"{path} has {len(found)} different lines; accepted are {_LEAST_SENTENCES} or more, one sentence a line"
        )
    return GeneralText(sentences=found)


@cache
def everyday() -> Mapping[str, tuple[str, ...]]:
    """Return the phrases that sentences are made up from, by their part in one, and the shapes of sentences.

    Examples
    --------
    >>> everyday()["who"][0]
    'a young woman'
    """
    text = resources.files("micrographia.learn.language").joinpath("everyday.txt").read_text(encoding="utf-8")
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    return {lines[0].removeprefix("# "): tuple(lines[1:]) for lines in blocks}


def _made_up(rng: np.random.Generator) -> str:
    phrases = everyday()

    def one(part: str) -> str:
        return phrases[part][int(rng.integers(len(phrases[part])))]

    text = one("shapes").format(
        who=one("who"), who2=one("who"), does=one("does"), what=one("what"), what2=one("what"),
        where=one("where"), when=one("when"), why=one("why"), is_=one("is"),
    )  # fmt: skip
    return text[0].upper() + text[1:]
