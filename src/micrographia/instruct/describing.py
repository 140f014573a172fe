"""A description of one image, each sentence with the cue that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from micrographia.cues.cue import Cue, picture
from micrographia.cues.measure import measure
from micrographia.instruct.engine.images import pixel_hash
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS, Section
from micrographia.instruct.tasks.describe import SECTIONS
from micrographia.instruct.teachers.phrases import sentence
from micrographia.micrograph import Micrograph


def _by_section(*order: Section) -> tuple[str, ...]:
    return tuple(name for section in order for name, aspect in ASPECTS.items() if aspect.section == section)


ALL_CUES: Final = _by_section(*SECTIONS)
"""Every cue that a description tells, section by section."""

LATTICE_FIRST: Final = _by_section("lattice", "quality", "texture", "objects")
"""The same in the order in which they tell most where a lattice shows."""


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A sentence of a description.

    Parameters
    ----------
    section : str
        Heading of the section that it belongs to.
    text : str
        The sentence, with value, uncertainty and unit.
    cue : Cue
        What was measured.
    """

    section: str
    text: str
    cue: Cue


def describe_micrograph(micrograph: Micrograph, *, about: Sequence[str] = ALL_CUES) -> tuple[Sentence, ...]:
    """Measure the first channel of a micrograph, without an information bar, and describe it.

    Parameters
    ----------
    micrograph : Micrograph
        The image.
    about : sequence of str
        Names of cues, in the order in which they are told.

    Raises
    ------
    InputError
        All pixels are equal, or it is smaller than 32 x 32 px.

    Examples
    --------
    >>> from micrographia.context import Context
    >>> from micrographia.micrograph import Provenance
    >>> source = Provenance(file="made here", sha256=None, reader="numpy", software="0")
    >>> frames = np.random.default_rng(0).normal(100, 5, (1, 64, 64)).astype(np.float32)
    >>> image = Micrograph(frames=frames, pixel_size_nm=None, context=Context(), provenance=source)
    >>> sorted({one.section for one in describe_micrograph(image)})
    ['Image quality', 'Lattice', 'Objects', 'Texture']
    >>> [one.cue.name for one in describe_micrograph(image, about=("noise", "edges"))]
    ['noise', 'edges']
    """
    return describe_subject(subject_of(micrograph), about=about)


def subject_of(micrograph: Micrograph) -> Subject:
    """Return the first channel of a micrograph, without an information bar, with all that was measured on it.

    Raises
    ------
    InputError
        All pixels are equal, or it is smaller than 32 x 32 px.
    """
    frame = picture(micrograph).astype(np.float32)
    cues = measure(frame, pixel_size_nm=micrograph.pixel_size_nm)
    return Subject(sha256=pixel_hash(frame), frame=frame, pixel_size_nm=micrograph.pixel_size_nm, cues=cues)


def describe_subject(subject: Subject, *, about: Sequence[str] = ALL_CUES) -> tuple[Sentence, ...]:
    """Describe an image by what could be measured on it, section by section; the same image, the same words.

    Parameters
    ----------
    subject : Subject
        The image.
    about : sequence of str
        Names of cues, in the order in which they are told.

    Returns
    -------
    tuple of Sentence
        One a cue that has a value; what cannot be told is left out.

    Examples
    --------
    >>> import numpy as np
    >>> edges = Cue(name="edges", value=30.0, uncertainty=0.5, unit="px per 1000 px²", sentence="Many edges.")
    >>> image = Subject(sha256="aa", frame=np.zeros((2, 2), np.float32), pixel_size_nm=None, cues=(edges,))
    >>> [(s.section, s.cue.name) for s in describe_subject(image)]
    [('Texture', 'edges')]
    """
    return tuple(
        Sentence(
            section=SECTIONS[ASPECTS[name].section],
            text=sentence(subject, name, subject.sha256),
            cue=subject.by_name[name],
        )
        for name in about
        if name in subject.by_name and subject.by_name[name].value is not None
    )
