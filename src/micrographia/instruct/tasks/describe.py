"""Questions for a description, whole or of one section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from micrographia.instruct.assignment import Assignment
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS, Section
from micrographia.instruct.tasks.cells import Cell, Group
from micrographia.instruct.tasks.words import pick, rank

VERSION: Final = 1
SECTIONS: Final[Mapping[Section, str]] = {
    "texture": "Texture",
    "lattice": "Lattice",
    "objects": "Objects",
    "quality": "Image quality",
}
"""Sections of a description and their headings."""
_IN_WHOLE: Final = 3
_LEAST_IN_PART: Final = 2
_WHOLE: Final = (
    "Describe the image, with sections on {sections}.",
    "Give a structured description of the micrograph: {sections}.",
    "What does the micrograph show? Answer in sections: {sections}.",
)
_PARTS: Final[Mapping[Section, tuple[str, ...]]] = {
    "texture": (
        "Describe the texture of the image.",
        "What is the texture like: edges, directions, scale, tones?",
        "How would you put the texture of this micrograph into words?",
    ),
    "lattice": (
        "Is there any periodic order, and what is it like?",
        "Describe the periodicity and the order of the image.",
        "What can be said about repeating structure?",
    ),
    "objects": (
        "Describe the objects that can be made out.",
        "Which particles, pores, fibres, layers or cracks does the image show, and which does it not?",
        "What objects are there, how many, and how large?",
    ),
    "quality": (
        "Describe the quality of the image.",
        "How good is the image: contrast, noise, sharpness?",
        "What are the contrast, the noise and the sharpness of the image like?",
    ),
}


def description(cell: Cell) -> Iterator[Group]:
    """Yield questions for descriptions: of each image one whole, and one of each section with two facts or more.

    Parameters
    ----------
    cell : Cell
        Images.

    Yields
    ------
    tuple of Assignment
        One question.
    """
    for subject in cell.subjects:
        known = {section: _known(subject, section) for section in SECTIONS}
        told = [section for section in SECTIONS if known[section]]
        if len(told) > 1:
            names = ", ".join(SECTIONS[section].lower() for section in told)
            cues = [name for section in told for name in _chosen(cell, subject, known[section])]
            yield (_ask(subject, pick(_WHOLE, cell.seed, subject.sha256).format(sections=names), cues, "whole"),)
        for section in (one for one in told if len(known[one]) >= _LEAST_IN_PART):
            question = pick(_PARTS[section], cell.seed, subject.sha256, section)
            yield (_ask(subject, question, known[section], section),)


def _known(subject: Subject, section: Section) -> list[str]:
    return [
        name
        for name, aspect in ASPECTS.items()
        if aspect.section == section and name in subject.by_name and subject.by_name[name].value is not None
    ]


def _chosen(cell: Cell, subject: Subject, names: list[str]) -> list[str]:
    """Return some of the names, in their order."""
    first = sorted(names, key=lambda name: rank(cell.seed, subject.sha256, name))[:_IN_WHOLE]
    return [name for name in names if name in first]


def _ask(subject: Subject, question: str, cues: list[str], part: str) -> Assignment:
    return Assignment(
        task="description",
        images=(subject.sha256,),
        question=question,
        answer_type="text",
        cues=tuple(cues),
        template=f"description/{VERSION}",
        rule="description",
        parameters={"part": part},
    )
