import numpy as np
import pytest

from micrographia.cues.cue import Cue
from micrographia.instruct.assignment import Assignment
from micrographia.instruct.subject import Subject
from micrographia.instruct.teachers.teacher import Prompt


@pytest.fixture
def subject():
    cracks = Cue(name="cracks", value=2.0, uncertainty=0.1, unit="px per 1000 px²", sentence="A few cracks.")
    frame = np.random.default_rng(0).normal(100, 20, (40, 60)).astype(np.float32)
    return Subject(sha256="ab" * 32, frame=frame, pixel_size_nm=None, cues=(cracks,))


@pytest.fixture
def question(subject):
    return Assignment(
        task="diagnostic",
        images=(subject.sha256,),
        question="Is the image cracked?",
        answer_type="binary",
        cues=("cracks",),
        template="diagnostic/1",
        rule="threshold",
    )


@pytest.fixture
def prompt():
    return Prompt(system="Answer from what was measured.", user="cracks: 2.0. Is the image cracked?", sha256="c0")
