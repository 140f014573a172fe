"""What a language model said about images, and was found true: captions in place of measured words."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from micrographia.errors import ReadError
from micrographia.learn.language.corpus import read_corpus

_IMAGES: Final = "images.parquet"


def read_answers(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the verified statements about each file, of records about one image.

    Parameters
    ----------
    folder : Path
        What `micrographia instruct generate` wrote.

    Raises
    ------
    ReadError
        A file is missing or damaged.
    InputError
        No record is verified.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    corpus = read_corpus(folder)
    path = folder / _IMAGES
    try:
        rows = pq.read_table(path, columns=["sha256", "file"]).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ReadError(
            f"{path} cannot be read ({' '.join(str(error).split())[:200]}); accepted is what `micrographia instruct "
            "generate` wrote"
        ) from error
    said: dict[str, list[str]] = {}
    for passage in corpus.passages:
        if len(passage.images) == 1:
            said.setdefault(passage.images[0], []).append(passage.statement)
    return {row["file"]: tuple(said[row["sha256"]]) for row in rows if row["sha256"] in said}
