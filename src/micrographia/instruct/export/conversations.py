"""Records as conversations, in the two forms that most training programs read."""

from __future__ import annotations

from typing import Any

from micrographia.instruct.record import Record

IMAGES = "images"
"""Folder of the pictures, beside the files that name them."""


def picture_name(sha256: str) -> str:
    """Return the file of a picture.

    Examples
    --------
    >>> picture_name("ab12")
    'images/ab12.png'
    """
    return f"{IMAGES}/{sha256}.png"


def said(record: Record) -> str:
    """Return what the assistant says: the steps, then the answer; of an answer in sentences, the answer alone."""
    if record.answer_type == "text" or not record.reasoning:
        return record.answer
    return f"{record.reasoning}\n\nAnswer: {record.answer}"


def llava(record: Record) -> dict[str, Any]:
    """Return a record as LLaVA has it: ``image`` is a file, or a list of files where there are several.

    Parameters
    ----------
    record : Record
        The record.
    """
    files = [picture_name(image) for image in record.images]
    return {"id": record.id, "image": files[0] if len(files) == 1 else files, "conversations": _turns(record)}


def sharegpt(record: Record) -> dict[str, Any]:
    """Return a record as ShareGPT has it, with ``images`` as LLaMA-Factory reads them.

    Parameters
    ----------
    record : Record
        The record.
    """
    files = [picture_name(image) for image in record.images]
    return {"id": record.id, "images": files, "conversations": _turns(record)}


def _turns(record: Record) -> list[dict[str, str]]:
    marks = "<image>\n" * len(record.images)
    return [{"from": "human", "value": f"{marks}{record.question}"}, {"from": "gpt", "value": said(record)}]
