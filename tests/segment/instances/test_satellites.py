"""Satellites are told from neighbours, agglomerates and roughness, and counted with their particle."""

import numpy as np
import pytest
from drawn import disks, rough_disk

from micrographia.errors import InputError
from micrographia.segment.instances.instances import Instances
from micrographia.segment.instances.satellites import (
    SatelliteSettings,
    mark_satellites,
    measure_satellites,
    split_satellites,
)
from micrographia.segment.instances.separate import separate_objects


def around(centre, distance, angle_deg, radius):
    angle = np.deg2rad(angle_deg)
    return (centre[0] + distance * np.sin(angle), centre[1] + distance * np.cos(angle), radius)


def found_on(mask):
    return split_satellites(separate_objects(mask))


def test_a_big_disk_with_three_satellites():
    # Contacts of 0.98, 0.98 and 0.86 of the satellites' width.
    small = [around((80, 80), d, a, 9) for d, a in ((51, 10), (51, 130), (54, 250))]
    found = found_on(disks((160, 160), (80, 80, 50), *small))
    big = found.labels[80, 80]
    assert found.count == 4
    assert found.satellite_count == 3
    tips = [around((80, 80), d, a, 0) for d, a in ((56, 10), (56, 130), (58, 250))]
    assert [found.parents[found.labels[round(y), round(x)] - 1] for y, x, _ in tips] == [big] * 3


def test_a_satellite_sunk_to_its_middle_is_a_cap():
    found = found_on(disks((160, 160), (80, 80, 50), (80, 130, 12)))
    assert found.satellite_count == 1
    # What shows of it is a little more than half: the outline that it sticks out of is round.
    cap = found.areas_px2[found.parents.index(found.labels[80, 80])]
    assert cap == pytest.approx(np.pi * 12**2 / 2, rel=0.25)


@pytest.mark.parametrize("seed", range(4))
def test_a_rough_disk_carries_no_satellite(seed):
    rough = rough_disk((160, 160), radius=60, amplitude=0.02, rng=np.random.default_rng(seed))
    assert found_on(rough).satellite_count == 0


def test_the_corners_of_a_square_are_no_satellites():
    square = np.zeros((140, 140), dtype=bool)
    square[20:120, 20:120] = True
    assert found_on(square).satellite_count == 0


def test_particles_of_like_size_are_agglomerated_and_neither_is_a_satellite():
    assert found_on(disks((120, 180), (60, 60, 40), (60, 120, 26))).parents == (None, None)


def test_a_small_particle_that_just_touches_is_no_satellite():
    # The gap between the circles is a tenth of a pixel: they meet in one or two pixels, of 24 px across.
    mask = disks((120, 160), (60, 60, 40), (60, 112.6, 12))
    found = found_on(mask)
    assert found.parents == (None, None)


def test_a_particle_wedged_between_two_belongs_to_neither():
    wedged = disks((130, 200), (70, 50, 45), (70, 150, 45), (62, 100, 9))
    found = found_on(wedged)
    assert found.count == 3
    assert found.satellite_count == 0


def test_a_satellite_on_a_satellite_is_counted_with_the_particle():
    found = found_on(disks((240, 160), (160, 80, 60), (86, 80, 22), (58, 80, 9)))
    big = int(found.labels[160, 80])
    assert found.count == 3
    assert sorted(found.parents, key=str) == sorted([None, big, big], key=str)


def test_objects_keep_their_labels_and_scores_when_caps_are_split_off():
    mask = disks((160, 160), (80, 80, 50), (80, 130, 12))
    before = separate_objects(mask, probability=np.full((160, 160), 0.7))
    after = split_satellites(before)
    assert after.labels[80, 80] == before.labels[80, 80] == 1
    assert after.scores == pytest.approx((0.7, 0.7))
    np.testing.assert_array_equal(after.labels > 0, before.labels > 0)


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


def test_the_note_says_how_satellites_were_told():
    found = particles(squares((10, 5)))
    assert "outlines only" in measure_satellites(found)[0].note
    assert "does not cover what the mask has wrong" in measure_satellites(found, marked=True)[0].note


def test_two_of_four_particles_carry_three_satellites():
    labels = np.arange(1, 8, dtype=np.int32)[None, :].repeat(2, axis=0)
    found = Instances(labels=labels, names=("powder",) * 7, parents=(None, None, None, None, 1, 1, 2))
    share, number = measure_satellites(found)
    # Wilson: (1/2 + z²/8 ± z sqrt(1/16 + z²/64)) / (1 + z²/4), z = 1.96.
    assert (share.value, share.low, share.high) == pytest.approx((50.0, 15.0, 85.0), abs=0.01)
    # Garwood's interval of a count of 3 is 0.619 to 8.767.
    assert (number.value, number.low, number.high) == pytest.approx((0.75, 0.619 / 4, 8.767 / 4), abs=1e-3)


def test_without_particles_the_fraction_cannot_be_told():
    nothing = Instances(labels=np.zeros((4, 4), dtype=np.int32), names=(), parents=())
    share, number = measure_satellites(nothing)
    assert share.value is None
    assert number.value is None
    assert share.note == "There is no particle."


@pytest.mark.parametrize("wrong", [{"largest_size": 1.5}, {"least_contact": -0.1}, {"least_cap_px": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="accepted is"):
        SatelliteSettings(**wrong)
