"""Satellites that a mask marks sit on the particle that they cover or touch."""

import numpy as np
import pytest

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.marked_satellites import mark_satellites


def squares(*corners, side=20, shape=(40, 100)):
    labels = np.zeros(shape, dtype=np.int32)
    for label, (y, x) in enumerate(corners, start=1):
        labels[y : y + side, x : x + side] = label
    return labels


def particles(labels, scores=None):
    count = int(labels.max())
    return Instances(labels=labels, names=("powder",) * count, parents=(None,) * count, scores=scores)


def test_a_marked_satellite_on_the_face_of_a_particle_takes_its_pixels_from_it():
    marked = np.zeros((40, 100), dtype=bool)
    marked[15:19, 42:47] = True  # within the second
    marked[0:4, 0:6] = True  # on the ground
    found = mark_satellites(particles(squares((10, 5), (10, 40)), scores=(0.5, 0.75)), marked)
    assert found.parents == (None, None, 2)
    assert found.areas_px2.tolist() == [400, 380, 20]
    assert found.scores == (0.5, 0.75, 0.75)
    assert found.labels[16, 44] == 3


def test_a_marked_satellite_that_was_cut_off_sits_on_the_particle_it_touches_longest():
    # The middle object is 6 px wide: 8 px of it touch the first particle, 3 px the other.
    labels = squares((10, 5), (10, 31))
    labels[10:13, 25:31], labels[13:18, 25:28] = 3, 3
    marked = labels == 3
    marked[10, 25:31] = False  # the network's mask leaves a rim of it
    found = mark_satellites(particles(labels), marked)
    assert found.parents == (None, None, 1)
    assert found.areas_px2.tolist() == [400, 400, 33]


def test_a_marked_satellite_across_two_particles_is_one_and_sits_on_what_it_covers_most_of():
    marked = np.zeros((40, 100), dtype=bool)
    marked[15:20, 22:29] = True  # 3 columns of the first, 4 of the second
    found = mark_satellites(particles(squares((10, 5), (10, 25))), marked)
    assert found.parents == (None, None, 2)
    assert found.areas_px2.tolist() == [385, 380, 35]


@pytest.mark.parametrize("beside", [((10, 5),), ((10, 5), (10, 25))])
def test_what_is_marked_but_sits_on_nothing_larger_is_a_particle(beside):
    labels = squares(*beside)
    found = mark_satellites(particles(labels), labels == 1)
    assert set(found.parents) == {None}
    assert sorted(found.areas_px2.tolist()) == [400] * len(beside)


def test_without_marks_the_objects_stay_as_they_are():
    before = particles(squares((10, 5), (10, 40)))
    after = mark_satellites(before, np.zeros((40, 100), dtype=bool))
    np.testing.assert_array_equal(after.labels, before.labels)
    assert after.parents == (None, None)


def test_marks_of_another_frame_are_refused():
    with pytest.raises(InputError, match="one frame"):
        mark_satellites(particles(squares((10, 5))), np.zeros((40, 99), dtype=bool))
