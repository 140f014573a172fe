"""A description of one image, each sentence with the cue that it rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from micrographia.cues.cue import Cue, picture
from micrographia.cues.measure import measure
from micrographia.instruct.engine.images import pixel_hash
from micrographia.instruct.subject import Subject
from micrographia.instruct.tasks.aspects import ASPECTS
from micrographia.instruct.tasks.describe import SECTIONS
from micrographia.instruct.teachers.phrases import sentence
from micrographia.micrograph import Micrograph


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


def describe_micrograph(micrograph: Micrograph) -> tuple[Sentence, ...]:
    """Measure the first channel of a micrograph, without an information bar, and describe it.

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
    >>> found = describe_micrograph(Micrograph(frames=frames, pixel_size_nm=None, context=Context(), provenance=source))
    >>> sorted({one.section for one in found})
    ['Image quality', 'Lattice', 'Objects', 'Texture']
    """
    frame = picture(micrograph).astype(np.float32)
    cues = measure(frame, pixel_size_nm=micrograph.pixel_size_nm)
    return describe_subject(
        Subject(sha256=pixel_hash(frame), frame=frame, pixel_size_nm=micrograph.pixel_size_nm, cues=cues)
    )


def describe_subject(subject: Subject) -> tuple[Sentence, ...]:
    """Describe an image by everything that could be measured on it, section by section; the same image, the same words.

    Parameters
    ----------
    subject : Subject
        The image.

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
        Sentence(section=heading, text=sentence(subject, name, subject.sha256), cue=subject.by_name[name])
        for section, heading in SECTIONS.items()
        for name, aspect in ASPECTS.items()
        if aspect.section == section and name in subject.by_name and subject.by_name[name].value is not None
    )
