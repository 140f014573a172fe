"""The text that is learned from: what was said about which images, read from records or from plain files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from micrographia.errors import InputError, ReadError

RECORDS: Final = "records.parquet"
_COLUMNS: Final = ("images", "question", "reasoning", "answer", "answer_type", "verified")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_PARAGRAPH: Final = re.compile(r"\n\s*\n")


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Something that was said.

    Parameters
    ----------
    images : tuple of str
        Hashes of the images it is about, or what stands for them.
    text : str
        All of it: question, reasoning and answer.
    statement : str
        What it says about the image, in sentences that stand by themselves.
    """

    images: tuple[str, ...]
    text: str
    statement: str


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Everything that was said."""

    passages: tuple[Passage, ...]

    @property
    def images(self) -> tuple[str, ...]:
        """The images that it is about, sorted."""
        return tuple(sorted({image for passage in self.passages for image in passage.images}))

    @property
    def sha256(self) -> str:
        """Hash of all texts with their images, in their order."""
        digest = hashlib.sha256()
        for passage in self.passages:
            digest.update("\0".join((*passage.images, passage.text, passage.statement)).encode() + b"\1")
        return digest.hexdigest()

    def about(self, images: Collection[str]) -> Corpus:
        """Return what is about these images and no other."""
        chosen = set(images)
        return Corpus(passages=tuple(p for p in self.passages if chosen.issuperset(p.images)))


def read_corpus(folder: Path) -> Corpus:
    """Read a corpus.

    Parameters
    ----------
    folder : Path
        With ``records.parquet`` as `micrographia instruct generate` writes it, of which the verified records count; or,
        where there is none, with plain text files (UTF-8, ``.txt``) at any depth. What stands in one text file counts
        as being about one image; if there is one file only, each paragraph does.

    Raises
    ------
    ReadError
        There is no such folder, nothing to read in it, or a file is damaged.
    InputError
        No record is verified, or no file has a word in it.
    """
    if not folder.is_dir():
        raise ReadError(f"--corpus {folder} is no folder; accepted is one with {RECORDS} or .txt files")
    if (folder / RECORDS).is_file():
        return _from_records(folder / RECORDS)
    files = sorted(folder.rglob("*.txt"))
    if not files:
        raise ReadError(
            f"{folder} holds neither {RECORDS} nor .txt files; `micrographia instruct generate` writes records"
        )
    return _from_files(files, folder)


def _from_records(path: Path) -> Corpus:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = set(pq.read_schema(path).names)
        if lacking := [name for name in _COLUMNS if name not in found]:
            raise ReadError(
                f"{path} has no column {lacking[0]}; accepted is what `micrographia instruct generate` writes"
            )
        rows = pq.read_table(path, columns=list(_COLUMNS), filters=[("verified", "==", True)]).to_pylist()
        count = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError) as error:
        raise ReadError(f"{path} cannot be read ({' '.join(str(error).split())[:200]}); write it again") from error
    if not rows:
        raise InputError(f"none of the {count} records of {path} is verified; accepted is a corpus with verified ones")
    return Corpus(passages=tuple(_of_record(row) for row in rows))


def _of_record(row: dict[str, Any]) -> Passage:
    question, reasoning, answer = (" ".join((row[name] or "").split()) for name in ("question", "reasoning", "answer"))
    # "yes" or "12.5 px" says nothing without its question.
    said = answer if row["answer_type"] == "text" else f"{question} {answer}"
    return Passage(
        images=tuple(row["images"]),
        text=" ".join(part for part in (question, reasoning, answer) if part),
        statement=said if row["answer_type"] == "text" or not reasoning else reasoning,
    )


def _from_files(files: Sequence[Path], folder: Path) -> Corpus:
    passages = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ReadError(f"{path} cannot be read ({error}); accepted is plain text in UTF-8") from error
        for k, paragraph in enumerate(_PARAGRAPH.split(text)):
            if said := " ".join(paragraph.split()):
                source = str(path.relative_to(folder)) if len(files) > 1 else f"paragraph {k + 1}"
                passages.append(Passage(images=(source,), text=said, statement=said))
    if not passages:
        raise InputError(
            f"the {len(files)} .txt files of {folder} are empty; accepted are files with sentences in them"
        )
    return Corpus(passages=tuple(passages))


def read_images(path: Path) -> frozenset[str]:
    """Read which images to hold back: their hashes, one a line.

    Raises
    ------
    ReadError
        It cannot be read.
    InputError
        There is none in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"--held-out {path} cannot be read ({error}); accepted is plain text in UTF-8") from error
    if not lines:
        raise InputError(f"--held-out {path} names no image; accepted are hashes as in the records, one a line")
    return frozenset(lines)


def hold_back(
    corpus: Corpus, *, share: float, seed: int, images: Collection[str] | None = None
) -> tuple[Corpus, Corpus]:
    """Divide a corpus by image into what is learned from and what is held back.

    What is said of images on both sides at once, as comparisons are, is on neither.

    Parameters
    ----------
    corpus : Corpus
        All of it.
    share : float
        Share of the images that is held back; at least one is.
    seed : int
        Chooses the images.
    images : collection of str, optional
        The images to hold back, rather than a share at random.

    Returns
    -------
    Corpus, Corpus
        To learn from, and held back.

    Raises
    ------
    InputError
        On one of the sides there is nothing.
    """
    everything = corpus.images
    if images is None:
        order = np.random.default_rng(seed).permutation(len(everything))
        back = {everything[k] for k in order[: max(1, round(share * len(everything)))]}
    else:
        back = set(images)
    kept, held = corpus.about(set(everything) - back), corpus.about(back)
    if not kept.passages or not held.passages:
        raise InputError(
            f"the corpus is about {len(everything)} images, of which {len(back & set(everything))} are held back: of "
            f"{'the others' if not kept.passages else 'those alone'} nothing is said; accepted is a corpus about two "
            "images or more, with something said of each alone"
        )
    return kept, held


def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a text. A full stop within a number ends none.

    Examples
    --------
    >>> sentences("Lines are 2.9 px wide. Are they straight? Yes.")
    ('Lines are 2.9 px wide.', 'Are they straight?', 'Yes.')
    """
    return tuple(part for part in _SENTENCE_END.split(text.strip()) if part)
