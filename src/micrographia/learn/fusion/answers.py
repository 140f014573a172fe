"""What a language model said about images, and was found true: captions in place of measured words."""

from __future__ import annotations

from pathlib import Path

from micrographia.errors import ReadError
from micrographia.learn.language.corpus import RECORDS, read_corpus


def read_answers(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the verified statements of records about one image, by the hash of its pixels.

    Parameters
    ----------
    folder : Path
        What `micrographia instruct generate` wrote.

    Raises
    ------
    ReadError
        There are no records, or they are damaged.
    InputError
        No record is verified.
    """
    if not (folder / RECORDS).is_file():
        raise ReadError(
            f"--answers {folder} holds no {RECORDS}; accepted is what `micrographia instruct generate` wrote"
        )
    said: dict[str, list[str]] = {}
    for passage in read_corpus(folder).passages:
        if len(passage.images) == 1:
            said.setdefault(passage.images[0], []).append(passage.statement)
    return {image: tuple(statements) for image, statements in said.items()}
