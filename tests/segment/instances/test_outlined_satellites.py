"""Satellites are told from neighbours, agglomerates and roughness by their outlines."""

import numpy as np
import pytest
from drawn import disks, rough_disk

from micrographia.errors import InputError
from micrographia.segment.instances.outlined_satellites import SatelliteSettings, split_satellites
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


@pytest.mark.parametrize("wrong", [{"largest_size": 1.5}, {"least_contact": -0.1}, {"least_cap_px": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="accepted is"):
        SatelliteSettings(**wrong)
