"""Instances cannot contradict themselves."""

import numpy as np
import pytest

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances

LABELS = np.array([[1, 1, 0, 2], [1, 1, 0, 2], [0, 0, 0, 3]], dtype=np.int32)


def test_areas_and_diameters_follow_the_labels():
    found = Instances(labels=LABELS, names=("a", "b", "c"), parents=(None, 1, None))
    assert found.areas_px2.tolist() == [4, 2, 1]
    # A disk of 4 px² is 4 / sqrt(pi) px wide.
    assert found.diameters_px[0] == pytest.approx(2.2568, abs=1e-4)
    assert (found.count, found.satellite_count) == (3, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ("a", "b"), "parents": (None, None)}, "without gaps"),
        ({"labels": np.where(LABELS == 2, 4, LABELS).astype(np.int32)}, "without gaps"),
        ({"parents": (None, None)}, "one row an object"),
        ({"scores": (0.5,)}, "one row an object"),
        ({"scores": (0.5, 1.5, 0.5)}, "0 to 1"),
        ({"parents": (None, 4, None)}, "has parent 4"),
        ({"parents": (None, 0, None)}, "has parent 0"),
        ({"parents": (1, None, None)}, "no satellite itself"),
        ({"parents": (None, 1, 2)}, "no satellite itself"),
    ],
)
def test_contradictions_are_refused(change, words):
    with pytest.raises(InputError, match=words):
        Instances(**{"labels": LABELS, "names": ("a", "b", "c"), "parents": (None, None, None), **change})
