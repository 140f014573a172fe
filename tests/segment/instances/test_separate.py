"""Touching objects come apart where a person would part them, and whole objects stay whole."""

import numpy as np
import pytest
from drawn import disk_cut_off, disks, rough_disk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import rotate

from micrographia.errors import InputError
from micrographia.segment.instances.separate import ObjectSettings, separate_objects


def test_two_overlapping_disks_are_parted_along_their_common_chord():
    found = separate_objects(disks((60, 90), (30, 30, 20), (30, 60, 20)))
    # The chord is 15 px from either centre.
    np.testing.assert_allclose(found.areas_px2, disk_cut_off(20, 15), rtol=0.02)
    assert found.labels[30, 44] == 1
    assert found.labels[30, 46] == 2


@pytest.mark.parametrize(("distance", "count"), [(12, 1), (24, 2), (36, 2), (39, 2), (44, 2)])
def test_disks_are_parted_when_their_neck_is_narrow(distance, count):
    # Half the neck is the square root of 20² - (distance / 2)²: 0.95 of the radius at 12 px, 0.8 at 24 px.
    assert separate_objects(disks((60, 110), (30, 30, 20), (30, 30 + distance, 20))).count == count


def test_a_chain_of_disks_comes_apart_into_its_links():
    links = [(30 + 6 * (k % 2), 20 + 22 * k, 14) for k in range(6)]
    found = separate_objects(disks((70, 160), *links))
    assert found.count == 6
    assert sorted(found.labels[y, x] for y, x, _ in links) == [1, 2, 3, 4, 5, 6]


def test_a_triple_of_disks_around_a_gap_comes_apart_and_the_gap_stays_open():
    corners = [(40 + 20.5 * np.sin(a), 40 + 20.5 * np.cos(a), 18) for a in np.deg2rad([90, 210, 330])]
    mask = disks((80, 80), *corners)
    assert not mask[40, 40]
    found = separate_objects(mask, settings=ObjectSettings(holes="rounded"))
    assert found.count == 3
    assert found.labels[40, 40] == 0


@pytest.mark.parametrize("angle", [0, 17, 45, 71])
def test_an_l_shape_stays_in_one_piece(angle):
    shape = np.zeros((160, 160))
    shape[40:130, 40:58] = 1
    shape[112:130, 40:120] = 1
    assert separate_objects(rotate(shape, angle, reshape=False, order=1) > 0.5).count == 1


def test_a_kidney_which_is_notched_on_one_side_stays_in_one_piece():
    y, x = np.indices((120, 120))
    radius, angle = np.hypot(y - 80, x - 60), np.arctan2(80 - y, x - 60)
    bent = np.abs(radius - 35) <= 15
    # A bent rod with round ends, whose inner side is a deep notch.
    kidney = (bent & (angle > 0)) | disks((120, 120), (80, 25, 15), (80, 95, 15))
    assert separate_objects(kidney).count == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_rough_disk_stays_in_one_piece(seed):
    rng = np.random.default_rng(seed)
    assert separate_objects(rough_disk((120, 120), radius=40, amplitude=0.06, rng=rng)).count == 1


def test_disks_cut_by_the_border_are_parted_like_whole_ones():
    # The border passes through both centres, so that one notch only lies within the image.
    assert separate_objects(disks((40, 90), (0, 30, 20), (0, 62, 20))).count == 2
    assert separate_objects(disks((40, 60), (0, 30, 20))).count == 1
    # And the frame may hold nothing but object.
    assert separate_objects(np.ones((40, 40), dtype=bool)).count == 1


@settings(deadline=None, max_examples=30)
@given(
    angle=st.floats(0, 2 * np.pi),
    shift=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    ratio=st.floats(0.5, 1),
    apart=st.floats(0.85, 1.1),
)
def test_two_disks_count_two_however_they_are_turned_and_shifted(angle, shift, ratio, apart):
    # At 0.85 times the sum of the radii the neck is at most 0.73 of the smaller disk, where the ratio is 0.5.
    radius = 20.0
    distance = apart * radius * (1 + ratio)
    y, x = 70 + shift[0], 70 + shift[1]
    pair = disks(
        (140, 140), (y, x, radius), (y + distance * np.sin(angle), x + distance * np.cos(angle), ratio * radius)
    )
    assert separate_objects(pair).count == 2


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000), factor=st.integers(2, 4))
def test_the_count_does_not_hang_on_the_magnification(seed, factor):
    rng = np.random.default_rng(seed)
    # Disks of 10 to 14 px on a jittered grid: some touch, none overlap by more than a quarter of the smaller one.
    grid = [(30 + 24 * r, 30 + 24 * c) for r in range(3) for c in range(3)]
    circles = [(y + rng.uniform(-1, 1), x + rng.uniform(-1, 1), rng.uniform(10, 13)) for y, x in grid]
    small = disks((110, 110), *circles)
    assert separate_objects(small).count == 9
    assert separate_objects(np.kron(small, np.ones((factor, factor))) > 0).count == 9


@settings(deadline=None, max_examples=10)
@given(turns=st.integers(0, 3), mirrored=st.booleans())
def test_turned_and_mirrored_copies_hold_objects_of_the_same_sizes(turns, mirrored):
    mask = disks((100, 130), (30, 30, 20), (30, 62, 16), (60, 48, 15), (80, 100, 12), (70, 82, 13))
    turned = np.rot90(mask[:, ::-1] if mirrored else mask, turns)
    areas = np.sort(separate_objects(mask).areas_px2)
    assert len(areas) == 5
    # Pixels on a cut may fall to either side.
    np.testing.assert_allclose(np.sort(separate_objects(turned.copy()).areas_px2), areas, atol=20)


def test_the_same_mask_gives_the_same_labels():
    mask = np.random.default_rng(3).random((120, 120)) > 0.45
    np.testing.assert_array_equal(separate_objects(mask).labels, separate_objects(mask).labels)


def test_labels_follow_reading_order_and_small_ones_are_left_out():
    mask = disks((60, 60), (40, 15, 6), (20, 40, 6))
    mask[2, 2:5] = True
    found = separate_objects(mask, settings=ObjectSettings(name="pore"))
    assert found.names == ("pore", "pore")
    assert found.labels[20, 40] == 1
    assert found.labels[40, 15] == 2
    assert separate_objects(mask, settings=ObjectSettings(least_area_px=3)).count == 3


def test_round_holes_are_filled_on_request_only():
    ring = disks((60, 60), (30, 30, 20)) & ~disks((60, 60), (30, 30, 8))
    assert separate_objects(ring).areas_px2[0] == ring.sum()
    rounded = ObjectSettings(holes="rounded")
    assert separate_objects(ring, settings=rounded).areas_px2[0] == disks((60, 60), (30, 30, 20)).sum()


def test_holes_of_any_shape_are_filled_on_request():
    corners = [(40 + 20.5 * np.sin(a), 40 + 20.5 * np.cos(a), 18) for a in np.deg2rad([90, 210, 330])]
    filled = separate_objects(disks((80, 80), *corners), settings=ObjectSettings(holes="all"))
    assert filled.labels[40, 40] > 0


def test_a_boundary_map_parts_what_has_no_neck():
    block = np.zeros((40, 80), dtype=bool)
    block[10:30, 10:70] = True
    boundary = np.zeros((40, 80))
    boundary[:, 39:42] = [0.6, 0.9, 0.6]
    found = separate_objects(block, boundary=boundary)
    assert found.count == 2
    # All of the block is shared out, and parted at the ridge: 30 or 31 of 60 columns of 20 px on either side.
    assert found.areas_px2.sum() == block.sum()
    np.testing.assert_allclose(found.areas_px2, 600, atol=20)


def test_an_object_that_is_all_boundary_is_kept_whole():
    mask = disks((40, 40), (20, 20, 6))
    assert separate_objects(mask, boundary=np.ones((40, 40))).areas_px2.tolist() == [mask.sum()]


def test_the_score_is_the_mean_probability_within_an_object():
    mask = np.zeros((30, 30), dtype=bool)
    mask[5:15, 5:15] = True
    probability = np.zeros((30, 30))
    probability[5:10, 5:15], probability[10:15, 5:15] = 0.6, 1.0
    assert separate_objects(mask, probability=probability).scores == pytest.approx((0.8,))


def test_an_empty_mask_holds_no_objects():
    found = separate_objects(np.zeros((20, 20), dtype=bool), probability=np.zeros((20, 20)))
    assert found.count == 0
    assert found.scores == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"boundary": np.zeros((10, 11))}, "same frame"),
        ({"probability": np.full((10, 10), 1.5)}, "0 to 1"),
        ({"boundary": np.full((10, 10), np.nan)}, "0 to 1"),
    ],
)
def test_maps_that_do_not_fit_are_refused(given, words):
    # Shapes are checked at run time too, so that the types alone may stop the first.
    with pytest.raises((InputError, TypeError)) as caught:
        separate_objects(np.ones((10, 10), dtype=bool), **given)
    assert not isinstance(caught.value, InputError) or words in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"largest_neck": 1.2}, {"least_notch": -0.1}, {"least_area_px": -1}, {"least_radius_px": np.inf}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="accepted is"):
        ObjectSettings(**wrong)
