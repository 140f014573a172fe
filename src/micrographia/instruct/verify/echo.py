"""Answers that repeat what was given to the teacher, or themselves."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from micrographia.instruct.assignment import Assignment
from micrographia.instruct.prompts.render import read_template
from micrographia.instruct.verify.sentences import sentences

_LIST_LINE: Final = re.compile(r"^\s*[-*•]\s*[^:\n]{3,80}:\s*(?:[-\d.]+\b.*|not told)$", re.MULTILINE)
_HEAD: Final = re.compile(r"\bmeasured on (?:the )?image\b", re.IGNORECASE)
_RUN: Final = 7
_REPEATS: Final = 3
_LOOP: Final = 10


def echoed(text: str, assignment: Assignment) -> str:
    """Return what of the prompt a text repeats; empty if nothing.

    Parameters
    ----------
    text : str
        Reasoning or answer.
    assignment : Assignment
        The question; its template's instructions and the form of the list of facts are looked for.
    """
    if _HEAD.search(text) or len(_LIST_LINE.findall(text)) > 1:
        return "the list of facts"
    template = read_template(assignment.template)
    said = _runs(f"{template.system} {template.reasoning} {template.direct}")
    if said & _runs(text):
        return "the instructions"
    return "the question" if assignment.question.lower() in text.lower() else ""


def repeated(text: str) -> str:
    """Return a sentence that comes three times, or ten words in a row that do; empty if there is none.

    Examples
    --------
    >>> repeated("It is so. It is so. It is so. Then not.")
    'It is so.'
    """
    counts = Counter(sentences(text))
    for sentence, count in counts.items():
        if count >= _REPEATS:
            return sentence
    words = re.findall(r"[\w.%]+", text.lower())
    runs = Counter(zip(*(words[k:] for k in range(_LOOP)), strict=False))
    run, count = max(runs.items(), key=lambda one: one[1], default=((), 0))
    return " ".join(run) if count >= _REPEATS else ""


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[k:] for k in range(_RUN)), strict=False))
